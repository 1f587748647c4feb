//! Filters at random, mostly of texts that occur.

use crate::dice::{chance, pick};
use crate::random::Random;
use crate::request::{ATTRIBUTES, Filter, Is};
use crate::world::{Pairs, Row, Visit};

/// Filters beside those of attributes. Those that matter to most statistics are named more than once.
const OTHERS: &[&str] = &[
    "path",
    "path",
    "pattern",
    "pattern",
    "hostname",
    "hostname",
    "entry_path",
    "exit_path",
    "event",
    "event",
    "event",
    "event_meta_key",
    "meta_",
    "meta_",
    "tag",
    "tag",
    "tag_",
    "session_id",
];

/// Something to put into a filter when nothing occurs.
const STRANGER: &str = "Nothing like it";

/// Texts come from all visits, or all from the same one, so that several filters together still find something.
pub fn filter(random: &mut Random, visits: &[Visit]) -> Filter {
    let mut filter = Filter::default();
    let count = [0, 0, 0, 0, 1, 1, 1, 1, 2, 3][random.below(10)];
    let from = some_visits(random, visits);
    for _ in 0..count {
        let name = if chance(random, 40) { *pick(random, ATTRIBUTES) } else { *pick(random, OTHERS) };
        add(random, from, &mut filter, name);
    }
    filter
}

/// All of them, or one.
pub fn some_visits<'a>(random: &mut Random, visits: &'a [Visit]) -> &'a [Visit] {
    if visits.is_empty() || chance(random, 40) { visits } else { std::slice::from_ref(pick(random, visits)) }
}

fn rows(visits: &[Visit]) -> impl Iterator<Item = &Row> {
    visits.iter().flat_map(|visit| &visit.rows)
}

/// Adds one parameter to a filter.
pub fn add(random: &mut Random, visits: &[Visit], filter: &mut Filter, name: &'static str) {
    match name {
        "pattern" => filter.pattern = patterns(random, visits),
        "event_meta_key" => {
            filter.event_meta_key = list(random, name, &keys(visits, |row| &row.meta));
        }
        "tag" => filter.tag = list(random, name, &keys(visits, |row| &row.tags)),
        "meta_" => {
            let (key, values) = key_and_values(random, visits, |row| &row.meta);
            let list = list(random, name, &values);
            filter.meta.insert(key, list);
        }
        "tag_" => {
            let (key, values) = key_and_values(random, visits, |row| &row.tags);
            let list = list(random, name, &values);
            filter.tag_values.insert(key, list);
        }
        "session_id" => {
            filter.session = match visits.get(random.below(visits.len() + 1)) {
                Some(visit) => Some((visit.visitor, visit.id)),
                None => Some((u64::MAX, 7)),
            };
        }
        _ => {
            let list = list(random, name, &occurring(visits, name));
            filter.texts.insert(name, list);
        }
    }
}

fn occurring(visits: &[Visit], name: &str) -> Vec<String> {
    match name {
        "path" | "entry_path" | "exit_path" => rows(visits).map(|row| row.path.clone()).collect(),
        "hostname" => rows(visits).map(|row| row.hostname.clone()).collect(),
        "event" => rows(visits).map(|row| row.name.clone()).filter(|name| !name.is_empty()).collect(),
        _ => visits.iter().map(|visit| visit.attribute(name).to_owned()).collect(),
    }
}

fn keys(visits: &[Visit], pairs: impl Fn(&Row) -> &Pairs) -> Vec<String> {
    rows(visits).flat_map(|row| pairs(row).keys().cloned()).collect()
}

/// A key that occurs and its values, the one of a missing key among them.
fn key_and_values(
    random: &mut Random,
    visits: &[Visit],
    pairs: impl Fn(&Row) -> &Pairs,
) -> (String, Vec<String>) {
    let keys: Vec<&String> = rows(visits).flat_map(|row| pairs(row).keys()).collect();
    let key = if keys.is_empty() { "k".to_owned() } else { (*pick(random, &keys)).clone() };
    let mut values: Vec<String> = rows(visits).filter_map(|row| pairs(row).get(&key).cloned()).collect();
    values.push(String::new());
    (key, values)
}

/// One to three values of a parameter.
fn list(random: &mut Random, name: &str, occurring: &[String]) -> Vec<Is> {
    let count = [1, 1, 1, 1, 1, 2, 2, 3][random.below(8)];
    (0..count).map(|_| value(random, name, occurring)).collect()
}

fn value(random: &mut Random, name: &str, occurring: &[String]) -> Is {
    let stranger = occurring.is_empty() || chance(random, 5);
    let mut text = if stranger { STRANGER.to_owned() } else { pick(random, occurring).clone() };
    let is_code = name == "language" || name == "country";
    let null = || if name == "event_meta_key" { Is::Text("k".into()) } else { Is::Null };
    if name == "screen_class" && chance(random, 20) {
        text = "XXL".into();
    }
    if name == "platform" && chance(random, 20) {
        text = "fridge".into();
    }
    if is_code && chance(random, 20) {
        text = text.to_uppercase();
    }
    match random.below(20) {
        0..8 if text.is_empty() => null(),
        0..8 => Is::Text(text),
        8..11 if text.is_empty() => Is::NotNull,
        8..11 => Is::Not(text),
        form @ 11..17 => {
            let part = if is_code { codes(random, occurring) } else { part(random, &text) };
            match (part.is_empty(), form < 14) {
                (true, _) => null(),
                (false, true) => Is::Has(part),
                (false, false) => Is::Lacks(part),
            }
        }
        17 | 18 => null(),
        _ if name == "event_meta_key" => null(),
        _ => Is::NotNull,
    }
}

fn codes(random: &mut Random, occurring: &[String]) -> String {
    let codes: Vec<&String> = occurring.iter().filter(|code| !code.is_empty()).collect();
    if codes.is_empty() {
        return String::new();
    }
    let some: Vec<String> = (0..=random.below(3)).map(|_| (*pick(random, &codes)).clone()).collect();
    let separator = *pick(random, &[",", ", "]);
    let list = some.join(separator);
    if chance(random, 20) { list.to_uppercase() } else { list }
}

/// A few characters of a text, sometimes in another case.
pub fn part(random: &mut Random, text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let start = random.below(chars.len());
    let end = (start + 1 + random.below(4)).min(chars.len());
    let part: String = chars.get(start..end).unwrap_or_default().iter().collect();
    if chance(random, 30) { part.to_uppercase() } else { part }
}

fn patterns(random: &mut Random, visits: &[Visit]) -> Vec<(bool, String)> {
    let paths = occurring(visits, "path");
    let pattern = |random: &mut Random| {
        let path = if paths.is_empty() { "/" } else { pick(random, &paths).as_str() };
        let text = match random.below(6) {
            0 => format!("^{}$", regex::escape(path)),
            1 => format!("(?i){}", regex::escape(&path.to_lowercase())),
            2 => regex::escape(&part(random, path)),
            3 => "^/[^/]+$".into(),
            4 => "^/(a|blog)".into(),
            _ => "(?i)ü|Р$".into(),
        };
        (chance(random, 70), text)
    };
    let count = [1, 1, 1, 2, 3][random.below(5)];
    (0..count).map(|_| pattern(random)).filter(|pattern| !pattern.1.is_empty()).collect()
}
