//! `hitstone import`: both formats, with and without a server, what is refused and told, files that are whole or not
//! there at all.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::support::random::Random;
use crate::support::{
    Client, FIREFOX, Folder, Site, all_statistics, assert_same_statistics, files_below, hit_body, hitstone,
    stderr_of, visits,
};

const HOST: &str = "import.test";

fn run(folder: &Folder, more: &[&str]) -> Output {
    folder.run(&[&["import", "--site", HOST, "--json"], more].concat())
}

/// What a run that must not fail prints.
fn import(folder: &Folder, more: &[&str]) -> Value {
    let output = run(folder, more);
    assert!(output.status.success(), "{more:?}: {}", stderr_of(&output));
    told(&output)
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", stderr_of(output)))
}

fn counts(told: &Value) -> [u64; 3] {
    ["imported", "rejected", "sessions"].map(|name| told[name].as_u64().expect("a number"))
}

fn write(folder: &Folder, name: &str, lines: &[Value]) -> String {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let path = folder.beside(name);
    std::fs::write(&path, text).expect("writing a file");
    path_of(&path)
}

fn path_of(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn hit(path: &str, ip: &str, time: &str, more: Value) -> Value {
    let mut body = hit_body(&format!("https://{HOST}{path}"), ip, more);
    body["time"] = json!(time);
    body
}

fn row(visitor: i64, session: Option<i64>, time: &str, path: &str) -> Value {
    json!({
        "site": HOST, "time": time, "kind": "page_view", "visitor_id": visitor, "session_id": session,
        "hostname": HOST, "path": path, "title": format!("Títle {path}"), "country": "de", "browser": "Firefox",
    })
}

fn total(client: &mut Client) -> [u64; 3] {
    let total = client.statistics("total", "from=2024-01-01&to=2026-06-30");
    ["visitors", "sessions", "views"].map(|name| total[name].as_u64().expect("a number"))
}

/// Runs the same with a server on the folder and without one.
fn both_ways(test: impl Fn(&Folder, &str)) -> Vec<(Folder, Site)> {
    let mut folders = Vec::new();
    for running in [false, true] {
        let folder = Folder::new();
        let site = folder.create_site(HOST);
        if running {
            let server = folder.start(&[]);
            test(server.folder(), "with a server");
            folders.push((server.stop(), site));
        } else {
            test(&folder, "without a server");
            folders.push((folder, site));
        }
    }
    folders
}

#[test]
fn hits_and_events_are_taken_as_if_they_had_been_sent() {
    let bot = "Googlebot/2.1 (+http://www.google.com/bot.html)";
    let folders = both_ways(|folder, context| {
        let lines = [
            hit("/", "203.0.113.1", "2026-05-01T10:00:00.123456Z", json!({})),
            hit("/über", "203.0.113.1", "2026-05-01T10:05:00Z", json!({ "title": "Über 🍋" })),
            hit("/", "203.0.113.2", "2026-05-01T12:00:00+02:00", json!({ "user_agent": bot })),
            json!({ "url": "https://import.test/" }),
            hit("/a", "203.0.113.3", "1999-12-31T23:59:59Z", json!({})),
            hit(
                "/buy",
                "203.0.113.1",
                "2026-05-01T10:06:00Z",
                json!({ "event_name": "Sale", "event_meta": { "amount": 3 } }),
            ),
            hit("/", "203.0.113.4", "2026-05-02T10:00:00Z", json!({})),
        ];
        let file = write(folder, "hits.ndjson", &lines);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .expect("the file")
            .write_all(b"\nnot JSON")
            .expect("");
        let output = run(folder, &[&file]);
        assert!(output.status.success(), "{context}: {}", stderr_of(&output));
        assert_eq!(counts(&told(&output)), [4, 4, 2], "{context}: {}", stderr_of(&output));
        let stderr = stderr_of(&output);
        for (line, what) in [(3, "user_agent: it is a bot's"), (4, "ip"), (5, "time"), (9, "JSON")] {
            let found = stderr.lines().find(|found| found.starts_with(&format!("{file}:{line}: ")));
            assert!(found.is_some_and(|found| found.contains(what)), "{context}, line {line}: {stderr}");
        }
    });
    for (folder, site) in folders {
        let server = folder.start(&[]);
        let mut client = server.log_in(&site);
        assert_eq!(total(&mut client), [2, 2, 3]);
        let events = client.statistics("events", "from=2026-05-01&to=2026-05-02");
        assert_eq!(events[0]["name"], json!("Sale"), "{events}");
        let pages = client.statistics("page", "from=2026-05-01&to=2026-05-02&path=/%C3%BCber");
        assert_eq!(pages[0]["views"], json!(1), "{pages}");
    }
}

/// A visit that a server took in part goes on in the file, and the other way round.
#[test]
fn session_rules_hold_against_what_is_stored() {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start(&[]);
    let mut client = server.log_in(&site);
    let send = |client: &mut Client, path: &str, time: &str| {
        client.post_ok("/api/v1/hit", &hit(path, "203.0.113.1", time, json!({})));
    };
    send(&mut client, "/1", "2026-06-30T10:00:00Z");
    let lines = ["2026-06-30T10:20:00Z", "2026-06-30T10:40:00Z"];
    let lines = lines.map(|time| hit("/2", "203.0.113.1", time, json!({})));
    let told = import(server.folder(), &[&write(server.folder(), "more.ndjson", &lines)]);
    assert_eq!(counts(&told), [2, 0, 0]);
    send(&mut client, "/3", "2026-06-30T11:00:00Z");
    assert_eq!(total(&mut client), [1, 1, 4]);
    let server = server.kill().start(&[]);
    assert_eq!(total(&mut server.log_in(&site)), [1, 1, 4]);
}

#[test]
fn enriched_rows_keep_their_sessions_over_all_files_of_a_command() {
    let folders = both_ways(|folder, context| {
        // The second session goes on in the second file; the ids are those of the file and as wide as they can be.
        let first = [
            row(-1, Some(1), "2026-05-01T23:50:00Z", "/a"),
            row(-1, Some(2), "2026-05-01T23:55:00Z", "/b"),
            row(i64::MAX, Some(1), "2026-05-01T23:55:00Z", "/ü"),
        ];
        let second =
            [row(-1, Some(2), "2026-05-02T00:10:00Z", "/c"), row(7, Some(1), "2026-05-03T00:10:00Z", "/a")];
        let files = [write(folder, "1.json", &first), write(folder, "2.json", &second)];
        let told = import(folder, &["--format", "enriched", &files[0], &files[1]]);
        assert_eq!(counts(&told), [5, 0, 4], "{context}");
        // Another command has sessions of its own.
        let third = write(folder, "3.json", &[row(-1, Some(2), "2026-05-02T00:20:00Z", "/d")]);
        assert_eq!(counts(&import(folder, &["--format", "enriched", &third])), [1, 0, 1], "{context}");
    });
    for (folder, site) in folders {
        let server = folder.start(&[]);
        assert_eq!(total(&mut server.log_in(&site)), [3, 5, 6]);
    }
}

#[test]
fn a_content_is_imported_once_unless_asked() {
    let folders = both_ways(|folder, context| {
        let lines = [row(1, None, "2026-05-01T10:00:00Z", "/a"), row(1, None, "2026-05-01T10:01:00Z", "/b")];
        let file = write(folder, "rows.json", &lines);
        let copy = write(folder, "copy.json", &lines);
        let other = write(folder, "other.json", &[row(9, None, "2026-05-01T10:00:00Z", "/a")]);
        assert_eq!(counts(&import(folder, &["--format", "enriched", &file])), [2, 0, 1], "{context}");
        let refused = run(folder, &["--format", "enriched", &copy, &other]);
        assert_eq!(refused.status.code(), Some(1), "{context}");
        assert!(stderr_of(&refused).contains("--again"), "{context}: {}", stderr_of(&refused));
        assert_eq!(counts(&told(&refused)), [1, 0, 1], "{context}: the other file is taken");
        // Without session ids the rows join the session that is there.
        assert_eq!(
            counts(&import(folder, &["--format", "enriched", "--again", &copy])),
            [2, 0, 0],
            "{context}"
        );
    });
    for (folder, site) in folders {
        let server = folder.start(&[]);
        assert_eq!(total(&mut server.log_in(&site)), [2, 2, 5]);
    }
}

/// A file that fails leaves nothing, and the command says why in a line.
#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let folders = both_ways(|folder, context| {
        let mut foreign = row(2, Some(1), "2026-05-01T10:00:00Z", "/a");
        foreign["site"] = json!("other.test");
        let good = write(folder, "good.json", &[row(1, Some(1), "2026-05-01T10:00:00Z", "/a")]);
        let lines = [row(3, Some(1), "2026-05-01T10:00:00Z", "/a"), foreign];
        let bad = write(folder, "bad.json", &lines);
        let damaged = path_of(&folder.beside("damaged.parquet"));
        std::fs::write(&damaged, b"PAR1 and so on, PAR1").expect("writing a file");
        let unwritten = path_of(&folder.beside("nowhere.parquet"));
        for (bad, wanted) in [(&bad, "other.test"), (&damaged, "Parquet"), (&unwritten, "nowhere.parquet")] {
            let output = run(folder, &["--again", "--format", "enriched", &good, bad]);
            assert_eq!(output.status.code(), Some(1), "{context} {bad}");
            assert!(stderr_of(&output).contains(wanted), "{context} {bad}: {}", stderr_of(&output));
            assert_eq!(counts(&told(&output))[0], 1, "{context} {bad}");
        }
    });
    for (folder, site) in folders {
        let left: Vec<PathBuf> = files_below(&folder.data()).into_iter().map(|(path, _)| path).collect();
        let left = left.iter().filter(|path| path.to_string_lossy().contains("import-")).count();
        assert_eq!(left, 0, "scratch files are left");
        let server = folder.start(&[]);
        // Each command has sessions of its own; there were three.
        assert_eq!(total(&mut server.log_in(&site)), [1, 3, 3]);
    }
}

/// What is on standard input is taken as a file is, Parquet too.
#[test]
fn standard_input_is_a_file() {
    both_ways(|folder, context| {
        let pipe = |bytes: &[u8], format: &str| {
            let mut command = hitstone();
            command
                .args(["import", "--json", "--site", HOST, "--format", format, "-", "--data"])
                .arg(folder.data());
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("running hitstone");
            child.stdin.take().expect("its input").write_all(bytes).expect("writing to it");
            child.wait_with_output().expect("its output")
        };
        let line = format!("{}\r\n", hit("/a", "203.0.113.1", "2026-05-01T10:00:00Z", json!({})));
        assert_eq!(counts(&told(&pipe(line.as_bytes(), "hits"))), [1, 0, 1], "{context}");
        assert_eq!(pipe(line.as_bytes(), "hits").status.code(), Some(1), "{context}: the same again");
        let out = folder.beside("out");
        folder.run_json(&["export", "--site", HOST, "--out", &path_of(&out), "--json"]);
        let (_, parquet) = files_below(&out).pop().expect("a file");
        let output = pipe(&parquet, "enriched");
        assert_eq!(counts(&told(&output)), [1, 0, 1], "{context}: {}", stderr_of(&output));
    });
}

#[test]
fn an_export_imported_elsewhere_gives_the_same_statistics() {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start_in_real_time(&["--seal-rows", "400"], &[]);
    let mut client = server.log_in(&site);
    visits::send(&mut client, &mut Random::new(11), 700);
    let range = format!("from={}&to={}", visits::DAYS.0, visits::DAYS.1);
    let before = all_statistics(&mut client, &range);
    let out = server.folder().beside("out");
    server.folder().run_json(&["export", "--site", HOST, "--out", &path_of(&out), "--json"]);
    let mut files: Vec<String> = files_below(&out).iter().map(|(path, _)| path_of(path)).collect();
    files.sort();
    assert_eq!(files.len(), 3);
    let arguments: Vec<&str> = files.iter().map(String::as_str).collect();
    for running in [false, true] {
        let other = Folder::new();
        let site = other.create_site(HOST);
        let server = if running {
            let server = other.start_in_real_time(&[], &[]);
            import(server.folder(), &arguments);
            server
        } else {
            import(&other, &arguments);
            other.start_in_real_time(&[], &[])
        };
        let after = all_statistics(&mut server.log_in(&site), &range);
        assert_same_statistics("importing the export", &before, &after);
        let server = server.kill().start_in_real_time(&[], &[]);
        let after = all_statistics(&mut server.log_in(&site), &range);
        assert_same_statistics("a crash after the import", &before, &after);
    }
}

/// The server, and then the command itself, are killed while a file is taken: it is there whole or not at all.
#[test]
fn killed_meanwhile_a_file_is_whole_or_not_there() {
    let mut random = Random::from_environment("killed_meanwhile_a_file_is_whole_or_not_there");
    let mut folder = Folder::new();
    let site = folder.create_site(HOST);
    let rows: Vec<Value> = (0..30_000)
        .map(|n| row(n, Some(n), &format!("2026-05-{:02}T10:00:00Z", 1 + n % 28), &format!("/{}", n % 100)))
        .collect();
    let file = write(&folder, "rows.json", &rows);
    for round in 0..4u64 {
        let server = folder.start(&[]);
        let before = total(&mut server.log_in(&site));
        let mut import = hitstone();
        import.args(["import", "--site", HOST, "--again", "--format", "enriched", &file, "--data"]);
        import.arg(server.folder().data()).stdout(Stdio::null()).stderr(Stdio::null());
        let delay = std::time::Duration::from_millis(50 + random.below(700) as u64);
        if round % 2 == 0 {
            let mut child = import.spawn().expect("running hitstone");
            std::thread::sleep(delay);
            folder = server.kill();
            child.wait().expect("the command ends with the server");
        } else {
            folder = server.stop();
            let mut child = import.spawn().expect("running hitstone");
            std::thread::sleep(delay);
            child.kill().expect("killing it");
            child.wait().expect("it ends");
        }
        let server = folder.start(&[]);
        let after = total(&mut server.log_in(&site));
        let whole = [before[0].max(30_000), before[1] + 30_000, before[2] + 30_000];
        assert!(after == before || after == whole, "round {round}, {delay:?}: {before:?} {after:?}");
        folder = server.stop();
    }
}

#[test]
fn rejected_lines_are_told_and_bounded() {
    let folder = Folder::new();
    folder.create_site(HOST);
    let mut lines: Vec<Value> = (0..100).map(|_| json!({ "path": "/", "agent": FIREFOX })).collect();
    lines.push(row(1, Some(1), "2026-05-01T10:00:00Z", "/a"));
    lines.push(json!({ "time": "2026-05-01T10:00:00Z", "kind": "ping", "visitor_id": 5, "path": null }));
    let file = write(&folder, "rows.json", &lines);
    let output = run(&folder, &["--format", "enriched", &file]);
    assert!(output.status.success(), "{}", stderr_of(&output));
    assert_eq!(counts(&told(&output)), [1, 101, 1]);
    let stderr = stderr_of(&output);
    assert_eq!(stderr.lines().count(), 22, "{stderr}");
    assert!(stderr.contains("80 more rejected: time: is missing"), "{stderr}");
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let folder = Folder::new();
    folder.create_site(HOST);
    let file = write(&folder, "rows.txt", &[]);
    for (more, code) in [
        (&[file.as_str()][..], 2),
        (&[], 2),
        (&["-"], 2),
        (&["--format", "xml", &file], 2),
        (&["--format", "hits", "-", "-"], 2),
        (&["--format", "hits", "/nowhere/at.all"], 1),
    ] {
        let output = run(&folder, more);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", stderr_of(&output));
        assert_eq!(stderr_of(&output).lines().count(), 1, "{more:?}: {}", stderr_of(&output));
    }
    assert_eq!(counts(&import(&folder, &["--format", "hits", &file])), [0, 0, 0], "an empty file");
    let output = folder.run(&["import", "--site", "other.test", "--format", "hits", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr_of(&output).contains("other.test"), "{}", stderr_of(&output));
    let missing = run(&Folder::new(), &["--format", "hits", &file]);
    assert_eq!(missing.status.code(), Some(1), "{}", stderr_of(&missing));
    let help = hitstone().args(["help", "import"]).output().expect("running hitstone");
    assert!(String::from_utf8_lossy(&help.stdout).contains("--again"));
}

/// A command that got nothing out of its files had ended as a success, and said nothing of the format.
#[test]
fn a_command_that_takes_nothing_fails_and_the_file_may_be_tried_again() {
    both_ways(|folder, context| {
        let rows = [row(1, None, "2026-05-01T10:00:00Z", "/a"), row(1, None, "2026-05-01T10:01:00Z", "/b")];
        let hits = [hit("/", "203.0.113.1", "2026-05-01T10:00:00Z", json!({}))];
        for (name, lines, wrong, right) in
            [("rows.ndjson", &rows[..], "hits", "enriched"), ("hits.ndjson", &hits[..], "enriched", "hits")]
        {
            let file = write(folder, name, lines);
            for _ in 0..2 {
                let output = run(folder, &["--format", wrong, &file]);
                assert_eq!(output.status.code(), Some(1), "{context}: {}", stderr_of(&output));
                assert_eq!(counts(&told(&output)), [0, lines.len() as u64, 0], "{context}");
                let stderr = stderr_of(&output);
                assert!(stderr.contains(&format!("--format {right}")), "{context}: {stderr}");
                assert!(stderr.contains("nothing was imported"), "{context}: {stderr}");
            }
            let told = import(folder, &["--format", right, &file]);
            assert_eq!(counts(&told)[0], lines.len() as u64, "{context}");
        }
        // With something taken of another file the command has done its work.
        let other = write(folder, "other.json", &[row(2, None, "2026-05-01T10:00:00Z", "/a")]);
        let bad = write(folder, "bad.json", &[json!({ "time": 1 })]);
        assert_eq!(counts(&import(folder, &["--format", "enriched", &bad, &other])), [1, 1, 1], "{context}");
    });
}

/// What is left out of an access log had vanished without a word.
#[test]
fn lines_of_logs_that_are_left_out_are_counted_by_reason() {
    const AGENT: &str = "\"-\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\"";
    let line = |start: &str, request: &str, status: u16, agent: &str| {
        format!("{start}203.0.113.9 - - [10/May/2026:10:00:00 +0000] \"{request}\" {status} 5 {agent}\n")
    };
    let view = "GET /a HTTP/1.1";
    both_ways(|folder, context| {
        let log = folder.beside("access.log");
        let text = [
            line("", view, 200, AGENT),
            line("", "GET /style.css HTTP/1.1", 200, AGENT),
            line("", "POST /a HTTP/1.1", 200, AGENT),
            line("", view, 500, AGENT),
            line("", view, 200, "\"-\" \"Googlebot/2.1 (+http://www.google.com/bot.html)\""),
            line("", "rubbish", 400, AGENT),
            "no line of a log\n".to_owned(),
            "\n".to_owned(),
        ];
        std::fs::write(&log, text.concat()).expect("writing a log");
        let log = path_of(&log);
        let told_json = import(folder, &["--format", "combined", &log]);
        assert_eq!(counts(&told_json), [1, 1, 1], "{context}");
        let ignored = json!({ "asset": 1, "bot": 1, "empty": 1, "method": 1, "request": 1, "status": 1 });
        assert_eq!(told_json["ignored"], ignored, "{context}");
        let words = folder.run(&["import", "--site", HOST, "--again", "--format", "combined", &log]);
        let words = String::from_utf8_lossy(&words.stdout).into_owned();
        let wanted = "ignored 6 lines (asset 1, bot 1, empty 1, method 1, request 1, status 1), rejected 1";
        assert!(words.contains(wanted), "{context}: {words}");
        // A mistyped --site: all is of another host.
        let foreign = folder.beside("vhost.log");
        std::fs::write(&foreign, line("other.test:443 ", view, 200, AGENT).repeat(3)).expect("writing a log");
        let found = import(folder, &["--format", "vhost", &path_of(&foreign)]);
        assert_eq!((counts(&found), &found["ignored"]), ([0, 0, 0], &json!({ "hostname": 3 })), "{context}");
        let caddy = folder.beside("caddy.log");
        let entry = json!({ "ts": 1_778_407_200.5, "status": 200, "request": { "remote_ip": "203.0.113.9",
            "method": "GET", "host": "other.test", "uri": "/a", "headers": { "User-Agent": [FIREFOX] } } });
        std::fs::write(&caddy, format!("{entry}\n")).expect("writing a log");
        let found = import(folder, &["--format", "caddy", &path_of(&caddy)]);
        assert_eq!((counts(&found), &found["ignored"]), ([0, 0, 0], &json!({ "hostname": 1 })), "{context}");
    });
}

/// The folder that `export` wrote can be named itself.
#[test]
fn a_folder_stands_for_its_files() {
    let folder = Folder::new();
    folder.create_site(HOST);
    let rows: Vec<Value> = (1..=3)
        .flat_map(|month| {
            let row = |time: &str| row(month, Some(1), &format!("2026-{month:02}-01T{time}:00:00Z"), "/a");
            [row("10"), row("11")]
        })
        .collect();
    import(&folder, &["--format", "enriched", &write(&folder, "rows.ndjson", &rows)]);
    let out = path_of(&folder.beside("out"));
    folder.run_json(&["export", "--site", HOST, "--out", &out, "--json"]);
    assert_eq!(files_below(Path::new(&out)).len(), 3);
    both_ways(|other, context| {
        assert_eq!(counts(&import(other, &[&out])), [6, 0, 3], "{context}");
        let refused = run(other, &["--format", "combined", &out]);
        assert_eq!(refused.status.code(), Some(2), "{context}");
        assert!(stderr_of(&refused).contains("is a folder"), "{context}: {}", stderr_of(&refused));
    });
}

/// The message had named the file twice, or the copy in the data folder that the server reads, and was silent about the
/// files behind it.
#[test]
fn a_broken_file_is_named_as_it_was_given_and_so_are_those_behind_it() {
    both_ways(|folder, context| {
        let broken = folder.beside("broken.parquet");
        std::fs::write(&broken, b"PAR1 and so on, PAR1").expect("writing a file");
        let broken = path_of(&broken);
        let good =
            write(folder, "good.ndjson", &[hit("/", "203.0.113.1", "2026-05-01T10:00:00Z", json!({}))]);
        let output = run(folder, &[&good, &broken, "later.parquet", "last.ndjson"]);
        let stderr = stderr_of(&output);
        assert_eq!(output.status.code(), Some(1), "{context}: {stderr}");
        assert_eq!(stderr.matches("broken.parquet").count(), 1, "{context}: {stderr}");
        assert!(!stderr.contains("import-"), "{context}: {stderr}");
        assert!(stderr.contains("not tried any more: later.parquet, last.ndjson"), "{context}: {stderr}");
    });
}
