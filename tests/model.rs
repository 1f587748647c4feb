//! Every statistic against a plain model, over random worlds and requests.
//!
//! `HITSTONE_DRAWS=1000000 cargo test --release --all-features --test model -- --nocapture` is the long form;
//! `HITSTONE_SEED=n` begins with another world, or repeats a failure. The model is written for clarity and shares
//! nothing with the statistics but the rules that both follow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking; helpers do too"
)]

#[path = "model/answer.rs"]
mod answer;
#[path = "model/calendar.rs"]
mod calendar;
#[path = "model/compare.rs"]
mod compare;
#[path = "model/coverage.rs"]
mod coverage;
#[path = "model/dice.rs"]
mod dice;
#[path = "model/draw.rs"]
mod draw;
#[path = "model/draw_filter.rs"]
mod draw_filter;
#[path = "model/draw_goals.rs"]
mod draw_goals;
#[path = "model/draw_world.rs"]
mod draw_world;
#[path = "model/goals.rs"]
mod goals;
#[path = "model/lazy_fs.rs"]
mod lazy_fs;
#[path = "model/lists.rs"]
mod lists;
#[path = "model/matching.rs"]
mod matching;
#[path = "model/pages.rs"]
mod pages;
#[allow(dead_code, reason = "the tests of bad input use the rest")]
#[path = "support/random.rs"]
mod random;
#[path = "model/request.rs"]
mod request;
#[path = "model/series.rs"]
mod series;
#[path = "model/sessions.rs"]
mod sessions;
#[path = "model/storing.rs"]
mod storing;
#[path = "model/trial.rs"]
mod trial;
#[path = "model/units.rs"]
mod units;
#[path = "model/world.rs"]
mod world;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use coverage::Coverage;
use random::Random;
use storing::Stored;
use world::World;

/// Draws of the short form.
const DRAWS: usize = 4_000;
const DRAWS_A_WORLD: usize = 20;
/// Sites that share a data folder.
const WORLDS_A_STORE: u32 = 5;
const SEED: u64 = 20_261_121;
/// Failures that are collected before the test gives up, one an endpoint.
const FAILURES_MAX: usize = 12;

fn number_from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

fn world(seed: u64) -> (Random, World) {
    let mut random = Random::new(seed);
    let world = draw_world::world(&mut random);
    (random, world)
}

#[test]
fn the_server_answers_as_the_model() {
    let draws = number_from_environment("HITSTONE_DRAWS").map_or(DRAWS, |draws| draws as usize);
    let first_seed = number_from_environment("HITSTONE_SEED").unwrap_or(SEED);
    let mut coverage = Coverage::default();
    let mut failures: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut seed = first_seed;
    let mut counted_beforehand = 0;
    while coverage.draws < draws && failures.len() < FAILURES_MAX {
        let mut drawn: Vec<(Random, World)> = Vec::new();
        for number in 0..WORLDS_A_STORE {
            let (random, mut world) = world(seed.wrapping_add(u64::from(number)));
            world.number = number + 1;
            drawn.push((random, world));
        }
        let worlds: Vec<World> = drawn.iter().map(|(_, world)| world.clone()).collect();
        let stored = Stored::new(&worlds);
        for (random, world) in &mut drawn {
            for _ in 0..DRAWS_A_WORLD {
                let request = draw::request(random, world);
                let expected = answer::expected(world, &request);
                coverage.add(&request, expected.as_ref());
                let differs = trial::differs(world, expected.as_ref(), &stored, &request).is_some();
                if differs && failures.len() < FAILURES_MAX && !failures.contains_key(request.endpoint) {
                    failures.insert(request.endpoint, trial::report(seed, world, &request));
                }
            }
        }
        counted_beforehand += usize::from(stored.has_used_aggregates());
        seed = seed.wrapping_add(u64::from(WORLDS_A_STORE));
    }
    coverage.print();
    assert!(counted_beforehand > 0, "no answer was made with aggregates");
    let reports: Vec<String> = failures.into_values().collect();
    assert!(reports.is_empty(), "{} statistics differ\n\n{}", reports.len(), reports.join("\n"));
    let missing: Vec<String> =
        wanted_coverage().into_iter().filter(|name| coverage.count(name) == 0).collect();
    assert!(draws < DRAWS || missing.is_empty(), "never drawn: {missing:?}");
    assert!(coverage.telling * 5 > coverage.draws * 2, "most answers say nothing: {}", coverage.telling);
}

/// What has to occur in the short form already.
fn wanted_coverage() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for endpoint in draw::endpoints() {
        names.push(format!("endpoint {endpoint}"));
        if endpoint != "keywords" && !endpoint.starts_with("options/") {
            names.push(format!("telling {endpoint}"));
        }
    }
    let texts =
        ["path", "hostname", "entry_path", "exit_path", "event", "meta_", "tag_", "tag", "event_meta_key"];
    for name in texts.iter().chain(request::ATTRIBUTES) {
        for form in ["x", "!x", "~x", "^x", "null", "!null", "several"] {
            let makes_sense = *name != "event_meta_key" || !form.contains("null");
            if makes_sense {
                names.push(format!("filter {name} {form}"));
            }
        }
    }
    names.extend(["x", "!x", "several"].map(|form| format!("filter pattern {form}")));
    names.push("filter session_id x".into());
    let parameters = [
        "tz",
        "from later than to",
        "one day",
        "iso dates",
        "[]",
        "start",
        "limit",
        "offset",
        "include_title",
        "include_avg_time_on_page",
        "from_time",
        "to_time",
        "scale Day",
        "scale Week",
        "scale Month",
        "scale Year",
        "search",
        "search !",
        "sort visitors",
        "direction asc",
        "direction desc",
        "custom_metric_key",
        "custom_metric_type",
        "keyword",
        "access",
        "funnel_id",
        "without days",
    ];
    names.extend(parameters.map(|name| format!("parameter {name}")));
    names
}

/// A comparison that overlooks something would pass every server.
#[test]
fn every_change_of_an_answer_is_noticed() {
    let mut random = Random::new(SEED);
    let mut changes = 0;
    for seed in 0..12 {
        let (mut random_of_world, world) = world(seed);
        for _ in 0..20 {
            let request = draw::request(&mut random_of_world, &world);
            let Some(answer) = answer::expected(&world, &request) else { continue };
            assert_eq!(compare::difference(&answer, &answer), None);
            let leaves = count_leaves(&answer);
            for _ in 0..5 {
                let mut left = random.below(leaves);
                let mut wrong = answer.clone();
                if change_leaf(&mut wrong, &mut left) {
                    changes += 1;
                    let noticed = compare::difference(&answer, &wrong);
                    assert!(noticed.is_some(), "{answer} and {wrong} count as equal");
                }
            }
        }
    }
    assert!(changes > 500, "only {changes} changes");
    assert!(compare::difference(&json!(1), &json!(1.0)).is_some(), "whole numbers have no decimal point");
    assert!(compare::difference(&json!([{"a": 1}]), &json!([{"a": 1, "b": 2}])).is_some());
    assert!(compare::difference(&json!([1, 2]), &json!([2, 1])).is_some());
    assert!(compare::difference(&json!([1, 2]), &json!([1])).is_some());
    assert!(compare::difference(&json!(0.5), &json!(0.5 + 1e-12)).is_none());
}

fn count_leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_leaves).sum(),
        Value::Object(members) => members.values().map(count_leaves).sum(),
        _ => 1,
    }
}

/// Changes the leaf that `left` counts down to.
fn change_leaf(value: &mut Value, left: &mut usize) -> bool {
    match value {
        Value::Array(items) => return items.iter_mut().any(|item| change_leaf(item, left)),
        Value::Object(members) => return members.values_mut().any(|member| change_leaf(member, left)),
        _ => {}
    }
    if *left > 0 {
        *left -= 1;
        return false;
    }
    *value = match value {
        Value::Number(number) if number.is_f64() => json!(number.as_f64().unwrap() + 1e-6),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(text) => json!(format!("{text} ")),
        Value::Bool(flag) => json!(!*flag),
        _ => json!("null"),
    };
    true
}

/// A world with one visit less than the server has is told apart, and shrinking keeps the difference.
#[test]
fn a_missing_visit_is_noticed() {
    let (mut missing, mut noticed) = (0, 0);
    for seed in 0..12 {
        let (mut random, world) = world(seed);
        let middle = calendar::day_start(world.zone, world.base);
        let near = |visit: &world::Visit| (visit.last() - middle).abs() < 86_400_000;
        let Some(at) = world.visits.iter().position(near) else { continue };
        let (stored, poorer) = (Stored::new(std::slice::from_ref(&world)), world.without(at..at + 1));
        missing += 1;
        let mut requests = (0..200).map(|_| draw::request(&mut random, &world));
        noticed += usize::from(requests.any(|request| trial::mismatch(&poorer, &stored, &request).is_some()));
    }
    assert!(missing >= 8 && noticed + 1 >= missing, "noticed {noticed} of {missing} missing visits");
}
