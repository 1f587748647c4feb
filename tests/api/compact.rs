//! `hitstone compact`: the same answers from the lake as before, whoever has the folder, and what the command tells.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::http::encode;
use crate::support::random::Random;
use crate::support::{
    Client, Folder, Server, Site, all_statistics, assert_same_statistics, files_below, hitstone, stderr_of,
    text, visits, wait,
};

const HOST: &str = "compact.test";
const SEAL_ROWS: &str = "300";

fn start(folder: Folder) -> Server {
    folder.start_in_real_time(&["--seal-rows", SEAL_ROWS], &[])
}

/// A server with visits in sealed segments and in the open one.
fn start_with_visits() -> (Server, Site) {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = start(folder);
    visits::send(&mut server.log_in(&site), &mut Random::new(3), 500);
    (server, site)
}

fn range() -> String {
    format!("from={}&to={}", visits::DAYS.0, visits::DAYS.1)
}

/// Statistics of all kinds: from what an index has, and from what only the Parquet file has.
fn answers(client: &mut Client) -> Vec<(String, Value)> {
    let range = range();
    let mut all = all_statistics(client, &range);
    let spring = format!("utm_campaign={}", encode("spät"));
    for filter in [
        "path=/prices",
        "entry_path=/",
        "event=Sale",
        "event=!Sale",
        "pattern=^/[ap]",
        "tz=Asia/Tokyo",
        "tag_author=Jan%C3%A9",
        "meta_currency=%E2%82%AC",
        "from_time=10:00&to_time=12:00",
        spring.as_str(),
    ] {
        let days = if filter.starts_with("from_time") { "from=2025-04-09&to=2025-04-09" } else { &range };
        all.extend(all_statistics(client, &format!("{days}&{filter}")));
    }
    for (endpoint, query) in [
        ("event/meta", "event=Sale&event_meta_key=amount"),
        ("event/list", "event=Sale"),
        ("event/page", "event=Sale"),
        ("tags", ""),
        ("tag/details", "tag=kind"),
        ("options/page", ""),
        ("options/event", ""),
        ("options/utm/campaign", ""),
        ("session/list", "limit=100"),
        ("session/list", "limit=40&offset=30&event=Sign%20up"),
    ] {
        let query = format!("{range}&{query}");
        all.push((format!("{endpoint}?{query}"), client.statistics(endpoint, &query)));
    }
    let sessions = client.statistics("session/list", &format!("{range}&limit=100"));
    for line in sessions.as_array().expect("a list").iter().step_by(9) {
        let (visitor, session) = (text(line, "visitor_id"), &line["session_id"]);
        let query = format!("{range}&visitor_id={visitor}&session_id={session}");
        all.push((format!("session/details?{query}"), client.statistics("session/details", &query)));
    }
    assert!(all.iter().any(|(name, answer)| name.starts_with("session/details") && answer[0] != Value::Null));
    all
}

fn lake(folder: &Folder) -> PathBuf {
    folder.data().join("lake")
}

/// Names below the lake, sorted.
fn lake_files(folder: &Folder) -> Vec<PathBuf> {
    let below = |(path, _): (PathBuf, Vec<u8>)| -> PathBuf {
        path.strip_prefix(lake(folder)).expect("below the lake").to_path_buf()
    };
    let mut names: Vec<PathBuf> = files_below(&lake(folder)).into_iter().map(below).collect();
    names.sort();
    names
}

fn months(host: &str, months: &[&str]) -> Vec<PathBuf> {
    let name =
        |month: &&str| Path::new(&format!("site={host}/month={month}")).join(format!("{month}.parquet"));
    months.iter().map(name).collect()
}

fn compact(folder: &Folder) -> Value {
    let told = folder.run_json(&["compact", "--json"]);
    let names: Vec<&String> = told.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["compacted", "files", "left", "seconds"], "{told}");
    assert_eq!(told["left"], 0, "{told}");
    told
}

/// Segments on the disk.
fn segment_count(folder: &Folder) -> usize {
    files_below(&folder.data())
        .iter()
        .filter(|file| file.1.starts_with(b"HITSSEG1") && is_segment(&file.0))
        .count()
}

fn is_segment(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("segment-"))
}

/// Page views of visits that are in the lake, a minute after their last one: their sessions move and grow. Visits that
/// are new come with them.
fn send_late_events(client: &mut Client) {
    let list = client.statistics("session/list", &format!("{}&limit=100", range()));
    let mut late = Vec::new();
    for line in list.as_array().expect("a list").iter().step_by(2) {
        let time: jiff::Timestamp = text(line, "time").parse().expect("a time");
        let time = time + jiff::SignedDuration::from_secs(60);
        // The senders' addresses are not known from here: all of them are tried, and those that fit grow.
        late.extend((0..60).step_by(7).map(|visitor| {
            let more = json!({ "time": time.to_string(), "title": "Late", "tags": { "author": "Late" } });
            client.hit_body("/late", &format!("203.0.113.{visitor}"), more)
        }));
    }
    for batch in late.chunks(200) {
        client.post_ok("/api/v1/hit/batch", &Value::Array(batch.to_vec()));
    }
}

#[test]
fn the_answers_are_those_of_before() {
    let (server, site) = start_with_visits();
    let mut client = server.log_in(&site);
    let before = answers(&mut client);
    let told = compact(server.folder());
    // What was due anyway the server may have written before.
    assert!(told["files"].as_u64() <= Some(3), "{told}");
    let wanted = months(HOST, &["2025-03", "2025-04", "2025-05"]);
    assert_eq!(lake_files(server.folder()), wanted);
    assert_eq!(segment_count(server.folder()), 0, "nothing is left of the segments");
    assert_same_statistics("from the lake", &before, &answers(&mut client));
    let server = start(server.stop());
    assert_same_statistics("after a restart", &before, &answers(&mut server.log_in(&site)));
    let server = start(server.kill());
    let mut client = server.log_in(&site);
    assert_same_statistics("after kill -9", &before, &answers(&mut client));

    send_late_events(&mut client);
    let late = answers(&mut client);
    let grown =
        |answers: &[(String, Value)]| answers.iter().find(|(name, _)| name.starts_with("total?")).cloned();
    assert_ne!(grown(&before), grown(&late));
    let server = start(server.kill());
    assert_same_statistics("late events, after kill -9", &late, &answers(&mut server.log_in(&site)));
    let told = compact(server.folder());
    assert!(told["files"].as_u64() <= Some(3), "{told}");
    assert_eq!(lake_files(server.folder()), wanted);
    assert_same_statistics("late events in the lake", &late, &answers(&mut server.log_in(&site)));
    let server = start(server.stop());
    assert_same_statistics("late events, at the end", &late, &answers(&mut server.log_in(&site)));
}

#[test]
fn it_works_without_a_server_and_does_nothing_twice() {
    let (server, site) = start_with_visits();
    let before = answers(&mut server.log_in(&site));
    let folder = server.stop();
    compact(&folder);
    assert_eq!(lake_files(&folder), months(HOST, &["2025-03", "2025-04", "2025-05"]));
    let files = files_below(&lake(&folder));
    for _ in 0..2 {
        let told = compact(&folder);
        assert_eq!((&told["compacted"], &told["files"]), (&json!(0), &json!(0)), "{told}");
    }
    assert_eq!(files_below(&lake(&folder)), files);
    let output = folder.run(&["compact"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.starts_with("compacted 0 events: 0 files written"), "{said}");
    let server = start(folder);
    let mut client = server.log_in(&site);
    assert_same_statistics("compacted without a server", &before, &answers(&mut client));
    let told = compact(server.folder());
    assert_eq!((&told["compacted"], &told["files"]), (&json!(0), &json!(0)), "{told}");

    // What the lake has is in an export, too, row for row.
    let out = server.folder().beside("out");
    let told = server.folder().run_json(&[
        "export",
        "--site",
        HOST,
        "--out",
        out.to_str().expect("UTF-8"),
        "--json",
    ]);
    let metrics = server.connect().get("/metrics", "").text();
    assert!(metrics.contains(&format!("\nhitstone_lake_rows {}\n", told["exported"])), "{told} {metrics}");
}

#[test]
fn each_site_has_its_files_and_those_of_none_stay() {
    let folder = Folder::new();
    let (one, two) = (folder.create_site("one.test"), folder.create_site("two.test"));
    let server = start(folder);
    let mut answers = Vec::new();
    for (site, path) in [(&one, "/1"), (&two, "/2")] {
        let mut client = server.log_in(site);
        for day in 1..=3 {
            let more = json!({ "time": format!("2025-06-0{day}T10:00:00Z") });
            let body = client.hit_body(path, "203.0.113.9", more);
            client.post_ok("/api/v1/hit", &body);
        }
        answers.push(client.statistics("page", "from=2025-06-01&to=2025-06-03"));
    }
    let told = compact(server.folder());
    assert_eq!((&told["compacted"], &told["files"]), (&json!(6), &json!(2)), "{told}");
    let both = [months("one.test", &["2025-06"]), months("two.test", &["2025-06"])].concat();
    assert_eq!(lake_files(server.folder()), both);
    for (site, wanted) in [&one, &two].into_iter().zip(answers) {
        let found = server.log_in(site).statistics("page", "from=2025-06-01&to=2025-06-03");
        assert_eq!(found, wanted);
        assert_eq!((&found[0]["views"], &found[1]), (&json!(3), &Value::Null));
    }
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let folder = Folder::new();
    let output = folder.run(&["compact", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = stderr_of(&output);
    assert!(told.contains("there is no data folder") && output.stdout.is_empty(), "{told}");
    assert!(!folder.data().exists(), "nothing was made");
    // A folder without events has nothing to do.
    folder.create_site(HOST);
    assert_eq!(compact(&folder)["files"], 0);
}

/// While an import runs, whoever asks for a compaction is told that it waits, and for what.
#[test]
fn waiting_for_an_import_is_told() {
    let folder = Folder::new();
    folder.create_site(HOST);
    let server = start(folder);
    let data = server.folder().data();
    let spawn = |args: &[&str]| {
        let mut command = hitstone();
        command.args(args).arg("--data").arg(&data);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starting")
    };
    let mut import = spawn(&["import", "--site", HOST, "--format", "hits", "-"]);
    let mut pipe = import.stdin.take().expect("its input");
    // More than is sent at once, so that the import has begun when this returns.
    pipe.write_all(&vec![b'\n'; 3 << 20]).expect("writing to it");
    let mut compaction = spawn(&["compact"]);
    let told = BufReader::new(compaction.stderr.take().expect("its errors")).lines().next();
    assert_eq!(told.expect("a line").expect("a line"), "hitstone: waiting for an import to end");
    assert!(compaction.try_wait().expect("its state").is_none(), "it waits");
    drop(pipe);
    wait(&mut import);
    assert!(wait(&mut compaction).success());
}
