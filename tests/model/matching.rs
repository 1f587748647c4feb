//! Which visits and rows pass a filter.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use crate::request::{ATTRIBUTES, Filter, Is};
use crate::world::{Kind, Pairs, Row, Visit};

thread_local! {
    /// Compiling a pattern for each row would be most of the time.
    static PATTERNS: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// One of the positive values must hold, if there are any, and each of the negative ones.
fn all(list: &[Is], holds: impl Fn(&Is) -> bool) -> bool {
    if list.is_empty() {
        return true;
    }
    let positive: Vec<&Is> = list.iter().filter(|is| is.is_positive()).collect();
    let negative = list.iter().filter(|is| !is.is_positive());
    (positive.is_empty() || positive.into_iter().any(&holds)) && negative.into_iter().all(&holds)
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

/// Whether a text that is absent when empty passes the values of a parameter.
pub fn text_passes(parameter: &str, list: &[Is], text: &str) -> bool {
    all(list, |is| match is {
        Is::Text(wanted) => equals(parameter, wanted, text),
        Is::Not(unwanted) => !equals(parameter, unwanted, text),
        Is::Has(part) => partly(parameter, part, text),
        Is::Lacks(part) => !partly(parameter, part, text),
        Is::Null => equals(parameter, "", text),
        Is::NotNull => !equals(parameter, "", text),
    })
}

fn equals(parameter: &str, wanted: &str, text: &str) -> bool {
    let known_platform = |name: &str| name == "desktop" || name == "mobile";
    match parameter {
        "language" | "country" => text == wanted.to_lowercase(),
        "platform" if !known_platform(wanted) => !known_platform(text),
        "screen_class" if wanted == "XXL" => {
            ["HD", "Full HD", "WQHD", "UHD 4K", "UHD 5K", "XXL"].contains(&text)
        }
        _ => text == wanted,
    }
}

fn partly(parameter: &str, part: &str, text: &str) -> bool {
    match parameter {
        "language" | "country" => part.split(',').any(|code| text == code.trim().to_lowercase()),
        _ => contains(text, part),
    }
}

/// Whether the keys of metadata or tags pass.
fn keys_pass(list: &[Is], pairs: &Pairs) -> bool {
    let has_part = |part: &str| pairs.keys().any(|key| contains(key, part));
    all(list, |is| match is {
        Is::Text(key) => pairs.contains_key(key),
        Is::Not(key) => !pairs.contains_key(key),
        Is::Has(part) => has_part(part),
        Is::Lacks(part) => !has_part(part),
        Is::Null => pairs.is_empty(),
        Is::NotNull => !pairs.is_empty(),
    })
}

/// Whether the values pass; a key that is missing has the empty value.
fn values_pass(lists: &BTreeMap<String, Vec<Is>>, pairs: &Pairs) -> bool {
    lists.iter().all(|(key, list)| text_passes("", list, pairs.get(key).map_or("", String::as_str)))
}

/// The path, host name, pattern and tags of a row.
pub fn row_passes(filter: &Filter, row: &Row) -> bool {
    text_passes("path", filter.of("path"), &row.path)
        && pattern_passes(filter.patterns(), &row.path)
        && text_passes("hostname", filter.of("hostname"), &row.hostname)
        && keys_pass(&filter.tag, &row.tags)
        && values_pass(&filter.tag_values, &row.tags)
}

fn pattern_passes(patterns: &[(bool, String)], path: &str) -> bool {
    let matches = |pattern: &String| {
        PATTERNS.with_borrow_mut(|patterns| {
            patterns.entry(pattern.clone()).or_insert_with(|| Regex::new(pattern).unwrap()).is_match(path)
        })
    };
    let wanted: Vec<&String> = patterns.iter().filter(|(wanted, _)| *wanted).map(|(_, text)| text).collect();
    let mut unwanted = patterns.iter().filter(|(wanted, _)| !wanted).map(|(_, text)| text);
    (wanted.is_empty() || wanted.into_iter().any(matches)) && !unwanted.any(matches)
}

/// Everything that tests the visit as a whole.
pub fn visit_passes(filter: &Filter, visit: &Visit) -> bool {
    let path = |row: Option<&Row>| row.map_or(String::new(), |row| row.path.clone());
    ATTRIBUTES.iter().all(|name| text_passes(name, filter.of(name), visit.attribute(name)))
        && text_passes("entry_path", filter.of("entry_path"), &path(visit.entry()))
        && text_passes("exit_path", filter.of("exit_path"), &path(visit.exit()))
        && filter.session.is_none_or(|session| session == (visit.visitor, visit.id))
        && events_pass(filter, visit)
}

/// The values of `event` that name events that must have happened.
fn wanted_names(filter: &Filter) -> Vec<&Is> {
    filter.of("event").iter().filter(|is| matches!(is, Is::Text(_) | Is::Has(_))).collect()
}

/// Whether an event is one of those that the filter wants: its name and its metadata.
pub fn event_passes(filter: &Filter, row: &Row) -> bool {
    let names = wanted_names(filter);
    let named = names.iter().any(|is| text_passes("event", std::slice::from_ref(*is), &row.name));
    (names.is_empty() || named)
        && keys_pass(&filter.event_meta_key, &row.meta)
        && values_pass(&filter.meta, &row.meta)
}

fn events_pass(filter: &Filter, visit: &Visit) -> bool {
    let events: Vec<&Row> = visit.rows.iter().filter(|row| row.kind == Kind::Event).collect();
    let happened = |name: &dyn Fn(&str) -> bool| events.iter().any(|row| name(&row.name));
    let asked = filter.of("event");
    let named = !wanted_names(filter).is_empty();
    let null = asked.contains(&Is::Null);
    let wanted_happened = events.iter().any(|row| event_passes(filter, row));
    let wanted = match (filter.tests_meta(), named || null) {
        // Parameters are ANDed: metadata needs an event, null needs none.
        (true, _) => wanted_happened && (named || !null),
        (false, true) => (null && events.is_empty()) || (named && wanted_happened),
        (false, false) => true,
    };
    let rest = asked.iter().all(|is| match is {
        Is::Not(name) => !happened(&|text| text == name),
        Is::Lacks(part) => !happened(&|text| contains(text, part)),
        Is::NotNull => !events.is_empty(),
        Is::Text(_) | Is::Has(_) | Is::Null => true,
    });
    wanted && rest
}
