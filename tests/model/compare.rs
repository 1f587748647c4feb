//! Compares two JSON values member by member.

use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

/// Where and how an answer first differs from what is expected. Whole numbers must be equal and written as whole
/// numbers, others may differ by a billionth.
pub fn difference(expected: &Value, got: &Value) -> Option<String> {
    differs_at("", expected, got)
}

fn differs_at(place: &str, expected: &Value, got: &Value) -> Option<String> {
    let differs = || Some(format!("at {place:?}: expected {expected}, got {got}"));
    match (expected, got) {
        (Value::Object(wanted), Value::Object(members)) => {
            let missing = wanted.keys().find(|name| !members.contains_key(*name));
            let needless = members.keys().find(|name| !wanted.contains_key(*name));
            if let Some(name) = missing {
                return Some(format!("at {place:?}: there is no member {name}"));
            }
            if let Some(name) = needless {
                return Some(format!("at {place:?}: there is a member {name}"));
            }
            wanted
                .iter()
                .find_map(|(name, value)| differs_at(&format!("{place}/{name}"), value, &members[name]))
        }
        (Value::Array(wanted), Value::Array(items)) => {
            let pairs = wanted.iter().zip(items).enumerate();
            let inside = pairs
                .map(|(index, (a, b))| differs_at(&format!("{place}/{index}"), a, b))
                .find(Option::is_some)
                .flatten();
            let count = || format!("at {place:?}: expected {} items, got {}", wanted.len(), items.len());
            inside.or_else(|| (wanted.len() != items.len()).then(count))
        }
        (Value::Number(wanted), Value::Number(number)) if wanted.is_f64() => {
            let (wanted, number) = (wanted.as_f64()?, number.as_f64()?);
            let near = (wanted - number).abs() <= TOLERANCE * wanted.abs().max(1.0);
            if near { None } else { differs() }
        }
        _ => {
            if expected == got {
                None
            } else {
                differs()
            }
        }
    }
}
