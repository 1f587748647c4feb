//! Other engines read an export, and the lake of a running server, in place and count what the server counts: DuckDB,
//! ClickHouse (chDB) and Polars. The benchmark that asks the first two beside the server runs, too, on little data.
//!
//! Needs Python and `tests/readers/setup`, which installs what `tests/readers/requirements.txt` pins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

#[path = "../benches/generator/mod.rs"]
mod generator;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use generator::{Settings, generate};
use serde_json::{Value, json};
use support::random::Random;
use support::{Client, Folder, Server, skip, tell, visits};

const HOST: &str = "readers.test";
const BENCHMARK_EVENTS: u64 = 20_000;

#[test]
fn other_engines_count_what_the_server_counts() {
    let name = "other_engines_count_what_the_server_counts";
    if skip(name, (!python().is_file()).then_some("Python and `tests/readers/setup`")) {
        return;
    }
    let (server, mut client) = start();
    let wanted = wanted(&mut client);
    let out = server.folder().beside("out");
    let told = server.folder().run_json(&["export", "--site", HOST, "--out", text(&out), "--json"]);
    check(&server, &out, wanted, told["exported"].as_u64().expect("a number"));
}

#[test]
fn other_engines_read_the_lake_in_place() {
    let name = "other_engines_read_the_lake_in_place";
    if skip(name, (!python().is_file()).then_some("Python and `tests/readers/setup`")) {
        return;
    }
    let (server, mut client) = start();
    let lake = server.folder().data().join("lake");
    server.folder().run_json(&["compact", "--json"]);
    let rows = lake_rows(&server);
    check(&server, &lake, wanted(&mut client), rows);
    // More of the same days: sessions of the lake go on, and files are replaced under the readers' eyes.
    visits::send(&mut client, &mut Random::new(9), 300);
    let found = count(&lake);
    assert!(found >= rows, "{found} rows of {rows}");
    server.folder().run_json(&["compact", "--json"]);
    assert!(lake_rows(&server) > rows);
    check(&server, &lake, wanted(&mut client), lake_rows(&server));
}

#[test]
fn the_benchmark_side_by_side_finds_equal_answers() {
    let name = "the_benchmark_side_by_side_finds_equal_answers";
    if skip(name, (!python().is_file()).then_some("Python and `tests/readers/setup`")) {
        return;
    }
    let work = tempfile::tempdir().expect("a folder");
    let settings = Settings { events: BENCHMARK_EVENTS, days: 365, sites: 1, seed: 1, has_stable_ids: false };
    generate(&settings, &work.path().join(format!("daily-{BENCHMARK_EVENTS}-365-1-1/events")));
    let all = benchmark(work.path(), "--no-cold --ranges 30 --filters none,three");
    assert_eq!(all["daily"]["cells"].as_array().map(Vec::len), Some(2 * 30));
    let few = benchmark(work.path(), "--ranges 365 --filters pattern --statistics total,page --growth 20000");
    let cells = few["daily"]["cells"].as_array().expect("a list");
    let has_touched = |cell: &Value| cell["touched"]["hitstone"].as_u64() > Some(0);
    assert!(cells.len() == 2 && cells.iter().all(has_touched), "{cells:?}");
    assert!(few["growth"]["20000"]["opening"].is_f64(), "{few}");
}

/// The figures that a run of the benchmark writes; it fails when answers differ.
fn benchmark(work: &Path, options: &str) -> Value {
    let mut command = Command::new(python());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("HITSTONE_")) {
            command.env_remove(name);
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/side_by_side/run.py");
    command.arg("-B").arg(script).args(["--hitstone", env!("CARGO_BIN_EXE_hitstone"), "--work", text(work)]);
    command.args(["--runs", "1", "--events", &BENCHMARK_EVENTS.to_string()]).args(options.split(' '));
    let output = command.output().expect("running Python");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let figures = std::fs::read_to_string(work.join("report.json")).expect("figures");
    serde_json::from_str(&figures).expect("JSON")
}

fn lake_rows(server: &Server) -> u64 {
    let metrics = server.connect().get("/metrics", "").text();
    let rows = metrics.lines().find_map(|line| line.strip_prefix("hitstone_lake_rows "));
    rows.and_then(|rows| rows.parse().ok()).expect("a number of rows")
}

/// Rows that a reader finds, whatever is going on.
fn count(lake: &Path) -> u64 {
    let program =
        "import sys, polars; print(polars.scan_parquet(sys.argv[1]).select(polars.len()).collect().item())";
    let files = lake.join("**/*.parquet");
    let output = Command::new(python()).args(["-c", program, text(&files)]).output().expect("running Python");
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| panic!("{output:?}"))
}

/// A server with visits in several segments.
fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start_in_real_time(&["--seal-rows", "700"], &[]);
    let mut client = server.log_in(&site);
    visits::send(&mut client, &mut Random::new(8), 900);
    (server, client)
}

/// The server's numbers.
fn wanted(client: &mut Client) -> Value {
    let range = format!("from={}&to={}", visits::DAYS.0, visits::DAYS.1);
    let columns = |list: Value, members: [&str; 4]| -> Vec<Value> {
        let lines = list.as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| json!(members.map(|member| line[member].clone()))).collect()
    };
    let days = columns(client.statistics("visitor", &range), ["day", "visitors", "sessions", "views"]);
    let pages = columns(client.statistics("page", &range), ["path", "visitors", "sessions", "views"]);
    let events = columns(client.statistics("events", &range), ["name", "visitors", "count", "count"]);
    assert!(days.len() == 36 && pages.len() > 4 && events.len() == 2, "{days:?} {pages:?} {events:?}");
    json!({ "host": HOST, "days": days, "pages": pages, "events": events })
}

/// Has each engine count what is in a folder.
fn check(server: &Server, folder: &Path, mut wanted: Value, rows: u64) {
    wanted["rows"] = json!(rows);
    let file = server.folder().beside("wanted.json");
    std::fs::write(&file, wanted.to_string()).expect("writing what is wanted");
    let output = Command::new(python())
        .args([&scripts().join("check.py"), folder, &file])
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
