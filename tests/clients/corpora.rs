//! Programs and people by their user agents, on public lists from the registry of npm: how many of the programs are
//! found, and how many of the people are taken for programs. The lists are of others, and neither is clean: some of
//! the programs are views in people's apps.
//!
//! Needs `npm ci --prefix tests/corpora`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hitstone::enrich::user_agent::Agents;
use serde_json::Value;

use crate::support::{skip, tell};

/// Of a hundred programs so many are found at least.
const RECALL_PERCENT_MIN: f64 = 98.5;
/// Of all people so many are taken for programs at most.
const WRONG_MAX: usize = 2;

#[test]
fn programs_are_told_from_people() {
    let missing = (!folder().join("user-agents").is_dir()).then_some("`npm ci --prefix tests/corpora`");
    if skip("programs_are_told_from_people", missing) {
        return;
    }
    let agents = Agents::new().expect("the tables compile");
    let is_program = |user_agent: &&String| agents.read(user_agent).program.is_some();
    let programs = programs();
    let missed: Vec<&String> = programs.iter().filter(|user_agent| !is_program(user_agent)).collect();
    let recall = 100.0 * (programs.len() - missed.len()) as f64 / programs.len() as f64;
    tell(&format!("BOTS of {} programs {} were missed: recall {recall:.2} %", programs.len(), missed.len()));
    let people = people();
    let wrong: Vec<&String> = people.iter().filter(is_program).collect();
    tell(&format!("BOTS of {} people {} were taken for programs", people.len(), wrong.len()));
    // Lists that shrank to nothing would prove nothing.
    assert!(programs.len() > 2_000 && people.len() > 900);
    assert!(recall >= RECALL_PERCENT_MIN, "recall {recall:.2} %: {missed:#?}");
    assert!(wrong.len() <= WRONG_MAX, "{wrong:#?}");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora/node_modules")
}

fn list(name: &str) -> Vec<Value> {
    let bytes = std::fs::read(folder().join(name)).expect("an installed list");
    serde_json::from_slice(&bytes).expect("a list of JSON")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn programs() -> BTreeSet<String> {
    let known = list("crawler-user-agents/crawler-user-agents.json");
    known.iter().filter_map(|program| program["instances"].as_array()).flatten().map(text).collect()
}

fn people() -> BTreeSet<String> {
    let seen = list("user-agents/dist/user-agents.json");
    let most = list("top-user-agents/src/index.json");
    seen.iter().map(|visit| text(&visit["userAgent"])).chain(most.iter().map(text)).collect()
}
