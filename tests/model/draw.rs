//! Requests at random.

use jiff::civil::Time;
use serde_json::Value;

use crate::answer::{ENDPOINTS, Shape, expected, shape};
use crate::calendar::{clock, plus_days};
use crate::dice::{between, chance, pick};
use crate::draw_filter::{add, filter, part};
use crate::draw_world::PLACES;
use crate::random::Random;
use crate::request::{Days, Filter, Is, Metric, Request, Scale, Search, Style};
use crate::world::{Row, World};

/// Zones to ask in, beside those of the worlds.
const ZONES: &[&str] = &["UTC", "Asia/Kolkata", "Pacific/Apia", "America/New_York", "Pacific/Kiritimati"];

/// What must be answered with 400.
const FAULTS: &[(&str, &str)] = &[
    ("scale", "fortnight"),
    ("limit", "-1"),
    ("limit", "many"),
    ("offset", "x"),
    ("start", "3601"),
    ("colour", "red"),
    ("visitor_id", "5"),
    ("session_id", "5"),
    ("tz", "Moon/Crater"),
    ("pattern", "("),
    ("include_title", "maybe"),
    ("sort", "nonsense"),
    ("direction", "sideways"),
    ("custom_metric_type", "text"),
    ("from_time", "25:00"),
];

/// The endpoints that the server has.
pub fn endpoints() -> Vec<&'static str> {
    ENDPOINTS.iter().map(|entry| entry.0).collect()
}

pub fn request(random: &mut Random, world: &World) -> Request {
    let mut request = Request {
        endpoint: pick::<&str>(random, &endpoints()),
        zone: chance(random, 40).then(|| zone(random)),
        days: days(random, world),
        times: None,
        start: chance(random, 4).then(|| *pick(random, &[1, 60, 600, 1800, 3600])),
        scale: None,
        filter: filter(random, &world.visits),
        limit: chance(random, 25).then(|| *pick(random, &[0, 1, 1, 2, 3, 5, 20, 100, 1000])),
        offset: chance(random, 15).then(|| *pick(random, &[0, 1, 1, 2, 5])),
        sort: None,
        descending: None,
        search: None,
        include_title: chance(random, 30).then(|| chance(random, 50)),
        include_time: chance(random, 40).then(|| chance(random, 75)),
        metric: None,
        ignored: (chance(random, 5)).then(|| *pick(random, &["keyword", "access", "funnel_id"])),
        fault: None,
        style: Style {
            brackets: chance(random, 15),
            plus: chance(random, 30),
            empties: chance(random, 10),
            backwards: chance(random, 30),
            without_days: false,
        },
    };
    if request.endpoint == "active" && chance(random, 50) {
        request.start = Some(*pick(random, &[60, 600, 3600]));
    }
    if chance(random, 35) {
        request.scale = Some(*pick(random, &[Scale::Day, Scale::Week, Scale::Month, Scale::Year]));
    }
    if chance(random, 8) {
        times(random, &mut request);
    }
    if chance(random, 30) {
        metric(random, world, &mut request);
    }
    fit(random, world, &mut request);
    arrange(random, world, &mut request);
    let days_matter = request.start.is_none() && !matches!(request.endpoint, "active" | "overview");
    request.style.without_days = !days_matter && request.times.is_none() && chance(random, 40);
    if chance(random, 2) {
        fault(random, &mut request);
    }
    request
}

fn zone(random: &mut Random) -> &'static str {
    if chance(random, 60) { pick(random, PLACES).0 } else { pick::<&str>(random, ZONES) }
}

/// Days around what happens, in whichever order.
fn days(random: &mut Random, world: &World) -> Days {
    let today = clock(world.zone, world.now).date();
    let near = if chance(random, 15) { today } else { world.base };
    let from = plus_days(near, if chance(random, 60) { 0 } else { between(random, -3, 3) });
    let length = match random.below(20) {
        0..8 => 0,
        8..15 => between(random, 1, 5),
        15..18 => between(random, 6, 80),
        18 => between(random, 300, 800),
        _ => between(random, -10, -1),
    };
    let from = if chance(random, 4) { plus_days(from, -between(random, 1, 4000)) } else { from };
    Days { from, to: plus_days(from, length), iso: chance(random, 10) }
}

/// A part of one day, most often one in which clocks are set.
fn times(random: &mut Random, request: &mut Request) {
    let time = |random: &mut Random| {
        let hour = if chance(random, 60) { random.below(5) } else { random.below(24) };
        let minute = *pick(random, &[0, 0, 1, 15, 30, 45, 59]);
        Time::new(hour as i8, minute, 0, 0).unwrap()
    };
    let times = (time(random), time(random));
    request.times = Some(match random.below(6) {
        0 => (Some(times.0), None),
        1 => (None, Some(times.1)),
        2 => (Some(times.0), Some(times.0)),
        _ => (Some(times.0), Some(times.1)),
    });
    request.start = None;
    if chance(random, 95) {
        request.days.to = request.days.from;
    }
}

fn metric(random: &mut Random, world: &World, request: &mut Request) {
    let key = (*pick(random, &["amount", "k", "currency", "none"])).to_owned();
    let integer = *pick(random, &[None, Some(true), Some(false)]);
    request.metric = Some(Metric { key, integer });
    if chance(random, 60) {
        add(random, &world.visits, &mut request.filter, "event");
    }
}

/// Gives a statistic what it needs, mostly.
fn fit(random: &mut Random, world: &World, request: &mut Request) {
    let filter = &mut request.filter;
    match request.endpoint {
        "event/page" | "event/list" if chance(random, 60) => add(random, &world.visits, filter, "event"),
        "event/meta" => {
            let events: Vec<&Row> = world.rows().filter(|row| !row.meta.is_empty()).collect();
            if chance(random, 75) && !events.is_empty() {
                let event = pick(random, &events);
                let key = event.meta.keys().nth(random.below(event.meta.len())).unwrap();
                let names = filter.texts.entry("event").or_default();
                for (list, text) in [(&mut filter.event_meta_key, key), (names, &event.name)] {
                    list.retain(|is| !is.is_positive() && *is != Is::Not(text.clone()));
                    list.push(Is::Text(text.clone()));
                }
            }
        }
        "tag/details" | "options/tag/value" if chance(random, 90) => {
            let tags: Vec<&String> = world.rows().flat_map(|row| row.tags.keys()).collect();
            let tag = if tags.is_empty() { "k".to_owned() } else { (*pick(random, &tags)).clone() };
            filter.tag.retain(|is| !is.is_positive() && request.endpoint == "tag/details");
            filter.tag.push(Is::Text(tag));
        }
        "options/metadata" if chance(random, 50) => {
            add(random, &world.visits, filter, "event_meta_key");
        }
        "session/details" if chance(random, 90) => {
            if chance(random, 60) {
                *filter = Filter::default();
            }
            add(random, &world.visits, filter, "session_id");
            let visit = world.visits.iter().find(|visit| filter.session == Some((visit.visitor, visit.id)));
            if let Some(visit) = visit.filter(|_| chance(random, 70)) {
                let day = clock(request.zone.unwrap_or(world.zone), visit.start()).date();
                request.days = Days { from: day, to: plus_days(day, between(random, 0, 1)), ..request.days };
                request.times = None;
            }
        }
        _ => {}
    }
}

/// Order and search, by what the list shows.
fn arrange(random: &mut Random, world: &World, request: &mut Request) {
    let shape = shape(request.endpoint);
    let (sorted, searched) = (chance(random, 35), chance(random, 25));
    if !sorted && !searched {
        return;
    }
    let Some(answer) = expected(world, request) else { return };
    if searched {
        request.search = search(random, &answer);
    }
    let lines = answer.get("stats").unwrap_or(&answer);
    let first = lines.as_array().and_then(|lines| lines.first()).and_then(Value::as_object);
    if sorted && shape == Shape::List {
        let members = first.into_iter().flatten().filter(|(_, value)| value.is_number() || value.is_string());
        let names: Vec<&String> = members.map(|(name, _)| name).collect();
        if !names.is_empty() && chance(random, 80) {
            request.sort = Some((*pick(random, &names)).clone());
        }
        request.descending = *pick(random, &[None, Some(true), Some(false)]);
    } else if sorted && request.endpoint == "goals" {
        request.sort =
            Some((*pick(random, &["name", "visitors", "views", "cr", "custom_metric_total"])).into());
        request.descending = *pick(random, &[None, Some(true), Some(false)]);
    } else if sorted {
        // Without effect where there is an order of its own.
        request.sort = Some("visitors".into());
        request.descending = Some(chance(random, 50));
    }
}

/// A part of a text that the answer shows, sometimes with wildcards in it.
fn search(random: &mut Random, answer: &Value) -> Option<Search> {
    let mut texts = Vec::new();
    gather(answer, &mut texts);
    if texts.is_empty() {
        return None;
    }
    let text = (*pick(random, &texts)).clone();
    let mut text = match random.below(4) {
        0 => text,
        1 => format!("{text},{}", pick(random, &texts)),
        _ => part(random, &text),
    };
    if chance(random, 40) {
        let chars = text.chars().map(|char| if chance(random, 20) { '_' } else { char });
        text = chars.collect();
        text = text.replacen('b', "%", usize::from(chance(random, 50)));
    }
    let text = text.trim().to_owned();
    let plain = !text.is_empty() && !text.starts_with(['!', '~', '^']);
    plain.then(|| Search { not: chance(random, 25), text })
}

fn gather<'a>(value: &'a Value, texts: &mut Vec<&'a String>) {
    match value {
        Value::String(text) if !text.is_empty() => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts)),
        Value::Object(members) => members.values().for_each(|member| gather(member, texts)),
        _ => {}
    }
}

/// Something that must be refused, in place of what else is said of it.
fn fault(random: &mut Random, request: &mut Request) {
    let fault = *pick(random, FAULTS);
    match fault.0 {
        "scale" => request.scale = None,
        "limit" => request.limit = None,
        "offset" => request.offset = None,
        "start" => request.start = None,
        "visitor_id" | "session_id" => request.filter.session = None,
        "tz" => request.zone = None,
        // A path makes patterns needless, broken ones too.
        "pattern" => drop(request.filter.texts.remove("path")),
        "include_title" => request.include_title = None,
        "sort" => request.sort = None,
        "direction" => request.descending = None,
        "custom_metric_type" => request.metric = None,
        "from_time" => request.times = None,
        _ => {}
    }
    request.fault = Some(fault);
}
