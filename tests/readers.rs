//! Other engines read an export in place and count what the server counts: DuckDB, ClickHouse (chDB) and Polars.
//!
//! Needs Python and `tests/readers/setup`, which installs what `tests/readers/requirements.txt` pins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::random::Random;
use support::{Folder, skip, tell, visits};

const HOST: &str = "readers.test";

#[test]
fn other_engines_count_what_the_server_counts() {
    let name = "other_engines_count_what_the_server_counts";
    if skip(name, (!python().is_file()).then_some("Python and `tests/readers/setup`")) {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start_in_real_time(&["--seal-rows", "700"], &[]);
    let mut client = server.log_in(&site);
    visits::send(&mut client, &mut Random::new(8), 900);
    let range = format!("from={}&to={}", visits::DAYS.0, visits::DAYS.1);
    let columns = |list: Value, members: [&str; 4]| -> Vec<Value> {
        let lines = list.as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| json!(members.map(|member| line[member].clone()))).collect()
    };
    let days = columns(client.statistics("visitor", &range), ["day", "visitors", "sessions", "views"]);
    let pages = columns(client.statistics("page", &range), ["path", "visitors", "sessions", "views"]);
    let events = columns(client.statistics("events", &range), ["name", "visitors", "count", "count"]);
    assert!(days.len() == 36 && pages.len() > 4 && events.len() == 2, "{days:?} {pages:?} {events:?}");

    let out = server.folder().beside("out");
    let told = server.folder().run_json(&["export", "--site", HOST, "--out", text(&out), "--json"]);
    let wanted =
        json!({ "host": HOST, "rows": told["exported"], "days": days, "pages": pages, "events": events });
    let file = server.folder().beside("wanted.json");
    std::fs::write(&file, wanted.to_string()).expect("writing what is wanted");
    let output = Command::new(python())
        .args([&scripts().join("check.py"), &out, &file])
        .output()
        .expect("running Python");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed.lines().for_each(tell);
    for engine in ["duckdb", "chdb", "polars"] {
        assert!(printed.contains(engine), "{engine} did not run: {printed}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers")
}

fn python() -> PathBuf {
    scripts().join(".venv/bin/python")
}
