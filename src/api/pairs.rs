//! Metadata and tags: a JSON object -> flat pairs of texts. Nested objects become dotted keys; `null` leaves no pair.
//!
//! It knows nothing of how many pairs or how long ones an event may have: what is stored is checked where events are
//! put together. It only bounds the work.

use std::borrow::Cow;

use crate::api::json::Json;

/// Levels of objects within each other.
const DEPTH_MAX: usize = 16;
/// Bytes of all keys and values together: dotted keys repeat what is before the dot, so a small body could be
/// flattened to a very large one.
const BYTES_MAX: usize = 4 << 20;

/// What becomes of arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// They are faults.
    Refused,
    /// They are kept as JSON text.
    AsText,
}

/// The pairs of an object, in its order. `null` and the empty array have none.
///
/// # Errors
/// What is wrong with it, in words.
pub fn flatten(value: Json<'_>, lists: Lists) -> Result<Vec<(String, String)>, String> {
    let mut flat = Flat { lists, pairs: Vec::new(), bytes_left: BYTES_MAX };
    match value {
        Json::Null => {}
        Json::Object(members) => flat.take(String::new(), members, 0)?,
        // PHP writes an empty map as a list.
        Json::List(items) if items.is_empty() => {}
        _ => return Err("must be an object".into()),
    }
    Ok(flat.pairs)
}

struct Flat {
    lists: Lists,
    pairs: Vec<(String, String)>,
    bytes_left: usize,
}

impl Flat {
    fn take(
        &mut self,
        prefix: String,
        members: Vec<(Cow<'_, str>, Json<'_>)>,
        depth: usize,
    ) -> Result<(), String> {
        if depth >= DEPTH_MAX {
            return Err(format!("is nested more than {DEPTH_MAX} levels deep"));
        }
        for (key, value) in members {
            let key = if prefix.is_empty() { key.into_owned() } else { format!("{prefix}.{key}") };
            let text = match value {
                Json::Null => continue,
                Json::Object(members) => {
                    self.spend(key.len())?;
                    self.take(key, members, depth + 1)?;
                    continue;
                }
                Json::List(_) if self.lists == Lists::Refused => {
                    return Err(format!("the value of {key:?} must not be an array"));
                }
                list @ Json::List(_) => serde_json::to_string(&list).map_err(|error| error.to_string())?,
                Json::Text(text) => text.into_owned(),
                Json::Number(number) => number.to_string(),
                Json::Bool(value) => value.to_string(),
            };
            self.spend(key.len() + text.len())?;
            self.pairs.push((key, text));
        }
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or("is too large")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(text: &str, lists: Lists) -> Result<Vec<(String, String)>, String> {
        flatten(Json::parse(text.as_bytes()).unwrap(), lists)
    }

    #[test]
    fn objects_become_dotted_keys() {
        let text = r#"{"s":"é","n":1.50,"yes":true,"no":null,"a":{"b":{"c":0},"d":{}},"":""}"#;
        let wanted = [("s", "é"), ("n", "1.5"), ("yes", "true"), ("a.b.c", "0"), ("", "")];
        let wanted = wanted.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(flat(text, Lists::Refused).unwrap(), wanted);
        assert!(flat("null", Lists::Refused).unwrap().is_empty());
        assert!(flat("[]", Lists::Refused).unwrap().is_empty());
        assert!(flat("[1]", Lists::AsText).is_err());
    }

    #[test]
    fn lists_are_refused_or_kept_as_json() {
        let text = r#"{"a":{"l":[1, "x", {"k":null}]}}"#;
        assert!(flat(text, Lists::Refused).unwrap_err().contains("a.l"));
        let kept = flat(text, Lists::AsText).unwrap();
        assert_eq!(kept, [("a.l".to_owned(), r#"[1,"x",{"k":null}]"#.to_owned())]);
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |levels: usize| format!("{}1{}", "{\"k\":".repeat(levels), "}".repeat(levels));
        assert_eq!(flat(&nested(16), Lists::AsText).unwrap().len(), 1);
        assert!(flat(&nested(17), Lists::AsText).unwrap_err().contains("16 levels"));
    }

    /// A body of 1 MiB with a long key above many members was flattened to gigabytes: each dotted key has a copy of it.
    #[test]
    fn a_long_key_is_not_copied_without_end() {
        let members: Vec<String> = (0..60_000).map(|n| format!("\"{n}\":1")).collect();
        let body = format!("{{\"{}\":{{{}}}}}", "k".repeat(500_000), members.join(","));
        assert_eq!(flat(&body, Lists::AsText).unwrap_err(), "is too large");
    }
}
