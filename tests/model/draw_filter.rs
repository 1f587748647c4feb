//! Filters at random, mostly of texts that occur.

use crate::dice::{chance, pick};
use crate::not_yet::exists;
use crate::random::Random;
use crate::request::{ATTRIBUTES, Filter, Is};
use crate::world::{Pairs, World};

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

pub fn filter(random: &mut Random, world: &World) -> Filter {
    let mut filter = Filter::default();
    let count = [0, 0, 0, 0, 1, 1, 1, 1, 2, 3][random.below(10)];
    for _ in 0..count {
        let name = if chance(random, 40) { *pick(random, ATTRIBUTES) } else { *pick(random, OTHERS) };
        add(random, world, &mut filter, name);
    }
    filter
}

/// Adds one parameter to a filter.
pub fn add(random: &mut Random, world: &World, filter: &mut Filter, name: &'static str) {
    match name {
        "pattern" => filter.pattern = patterns(random, world),
        "event_meta_key" => {
            filter.event_meta_key = list(random, name, &keys(world, |row| &row.meta));
        }
        "tag" => filter.tag = list(random, name, &keys(world, |row| &row.tags)),
        "meta_" => {
            let (key, values) = key_and_values(random, world, |row| &row.meta);
            let list = list(random, name, &values);
            filter.meta.insert(key, list);
        }
        "tag_" => {
            let (key, values) = key_and_values(random, world, |row| &row.tags);
            let list = list(random, name, &values);
            filter.tag_values.insert(key, list);
        }
        "session_id" => {
            filter.session = match world.visits.get(random.below(world.visits.len() + 1)) {
                Some(visit) => Some((visit.visitor, visit.id)),
                None => Some((u64::MAX, 7)),
            };
        }
        _ => {
            let list = list(random, name, &occurring(world, name));
            filter.texts.insert(name, list);
        }
    }
    let event = filter.of("event");
    if event.contains(&Is::Null) && (filter.tests_meta() || event.len() > 1) && !exists("several event null")
    {
        filter.texts.remove("event");
    }
}

fn occurring(world: &World, name: &str) -> Vec<String> {
    match name {
        "path" | "entry_path" | "exit_path" => world.rows().map(|row| row.path.clone()).collect(),
        "hostname" => world.rows().map(|row| row.hostname.clone()).collect(),
        "event" => world.rows().map(|row| row.name.clone()).filter(|name| !name.is_empty()).collect(),
        _ => world.visits.iter().map(|visit| visit.attribute(name).to_owned()).collect(),
    }
}

fn keys(world: &World, pairs: impl Fn(&crate::world::Row) -> &Pairs) -> Vec<String> {
    world.rows().flat_map(|row| pairs(row).keys().cloned()).collect()
}

/// A key that occurs and its values, the one of a missing key among them.
fn key_and_values(
    random: &mut Random,
    world: &World,
    pairs: impl Fn(&crate::world::Row) -> &Pairs,
) -> (String, Vec<String>) {
    let keys: Vec<&String> = world.rows().flat_map(|row| pairs(row).keys()).collect();
    let key = if keys.is_empty() { "k".to_owned() } else { (*pick(random, &keys)).clone() };
    let mut values: Vec<String> = world.rows().filter_map(|row| pairs(row).get(&key).cloned()).collect();
    values.push(String::new());
    (key, values)
}

/// One to three values of a parameter.
fn list(random: &mut Random, name: &str, occurring: &[String]) -> Vec<Is> {
    let count =
        if exists(&format!("{name} several")) { [1, 1, 1, 1, 1, 2, 2, 3][random.below(8)] } else { 1 };
    let mut list: Vec<Is> = Vec::new();
    while list.len() < count {
        let is = value(random, name, occurring);
        if exists(&format!("{name} {}", is.form())) {
            list.push(is);
        }
    }
    list
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

fn patterns(random: &mut Random, world: &World) -> Vec<(bool, String)> {
    let paths = occurring(world, "path");
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
