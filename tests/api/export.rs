//! `hitstone export`: the same files from a running server and from the folder, what the dates mean, what is refused.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use hitstone_engine::event::Kind;
use hitstone_engine::parquet::Reader;
use hitstone_engine::vfs::{OsFs, SharedFs};
use serde_json::{Value, json};

use crate::support::random::Random;
use crate::support::{Folder, Server, files_below, stderr_of, visits};

const HOST: &str = "export.test";

/// A server with visits in sealed segments and in the open one.
fn start() -> (Server, crate::support::Client) {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start_in_real_time(&["--seal-rows", "400"], &[]);
    let mut client = server.log_in(&site);
    visits::send(&mut client, &mut Random::new(5), 500);
    (server, client)
}

fn run(folder: &Folder, out: &Path, more: &[&str]) -> Output {
    let out = out.to_str().expect("a UTF-8 path");
    folder.run(&[&["export", "--site", HOST, "--out", out], more].concat())
}

fn export(folder: &Folder, out: &Path, more: &[&str]) -> Value {
    let output = run(folder, out, &[&["--json"], more].concat());
    assert!(output.status.success(), "{more:?}: {}", stderr_of(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Name below the folder, and bytes.
fn files(out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = files_below(out);
    files.iter_mut().for_each(|file| file.0 = file.0.strip_prefix(out).expect("below").to_path_buf());
    files.sort();
    files
}

/// Page views and sessions of an export.
fn counts(out: &Path) -> (u64, u64) {
    let (mut views, mut sessions) = (0, std::collections::BTreeSet::new());
    let fs: SharedFs = Arc::new(OsFs);
    for (path, _) in files_below(out) {
        let mut reader = Reader::open(&*fs, &path).expect("a sound file");
        while let Some(batch) = reader.next_batch().expect("sound rows") {
            for row in 0..batch.len() {
                let row = batch.row(row).expect("a sound row");
                assert_eq!(row.site, Some(HOST));
                views += u64::from(row.kind == Kind::PageView);
                sessions.insert((row.visitor, row.session));
            }
        }
    }
    (views, sessions.len() as u64)
}

#[test]
fn the_files_are_the_same_with_and_without_a_server() {
    let (server, mut client) = start();
    let range = format!("from={}&to={}", visits::DAYS.0, visits::DAYS.1);
    let total = client.statistics("total", &range);
    let (during, after) = (server.folder().beside("during"), server.folder().beside("after"));
    let told = export(server.folder(), &during, &[]);
    let (views, sessions) = counts(&during);
    assert_eq!((json!(views), json!(sessions)), (total["views"].clone(), total["sessions"].clone()));
    assert_eq!(told["sessions"], json!(sessions), "{told}");
    let exported = files(&during);
    let names: Vec<_> = exported.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let wanted =
        ["2025-03", "2025-04", "2025-05"].map(|month| format!("site={HOST}/month={month}/{month}.parquet"));
    assert_eq!(names, wanted);
    let bytes: usize = exported.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((told["files"].clone(), told["bytes"].clone()), (json!(3), json!(bytes)));

    drop(client);
    let folder = server.stop();
    let before = files(&folder.data());
    let again = export(&folder, &after, &[]);
    assert_eq!(again["exported"], told["exported"]);
    assert!(files(&after) == exported, "the files differ");
    assert!(files(&folder.data()) == before, "reading changed the data folder");
    // Over an earlier export: a month that is not in the new one goes, what is no export's stays and stops it.
    let april = export(&folder, &after, &["--from", "2025-04-02", "--to", "2025-04-20"]);
    assert_eq!(april["files"], json!(1));
    assert_eq!(files(&after).len(), 1);
    let notes = after.join(format!("site={HOST}/notes.txt"));
    std::fs::write(&notes, "mine").expect("writing notes");
    let refused = run(&folder, &after, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr_of(&refused).contains("notes.txt"), "{}", stderr_of(&refused));
    let refused = run(&folder, &folder.data(), &[]);
    assert_eq!(refused.status.code(), Some(1), "an export into the data folder");
}

/// Whole visits, by their last activity, in the site's zone, as statistics place them.
#[test]
fn dates_are_those_of_the_site_s_zone() {
    let (server, mut client) = start();
    for zone in ["UTC", "America/New_York", "Pacific/Auckland"] {
        server.folder().run_json(&["site", "set", HOST, "--timezone", zone, "--json"]);
        for (from, to) in
            [("2025-03-30", "2025-03-30"), ("2025-04-30", "2025-05-01"), ("2025-04-06", "2025-04-06")]
        {
            let total = client.statistics("total", &format!("from={from}&to={to}&tz={zone}"));
            let out = server.folder().beside("out");
            let told = export(server.folder(), &out, &["--from", from, "--to", to]);
            let (views, sessions) = counts(&out);
            let context = format!("{zone} {from} {to}: {told}");
            assert!(sessions > 0, "{context}");
            assert_eq!(json!(sessions), total["sessions"], "{context}");
            assert_eq!(json!(views), total["views"], "{context}");
        }
    }
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let folder = Folder::new();
    folder.create_site(HOST);
    let out = folder.beside("out");
    for more in [
        &["--from", "2025-13-01"][..],
        &["--from", "yesterday"],
        &["--to", "2025-01-01T00:00:00"],
        &["--from", "2025-02-01", "--to", "2025-01-01"],
    ] {
        let output = run(&folder, &out, more);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {}", stderr_of(&output));
        assert_eq!(stderr_of(&output).lines().count(), 1, "{more:?}: {}", stderr_of(&output));
    }
    let nothing = export(&folder, &out, &[]);
    assert_eq!((nothing["exported"].clone(), nothing["files"].clone()), (json!(0), json!(0)));
    let server = folder.start(&[]);
    let out = out.to_str().expect("a UTF-8 path");
    let output = server.folder().run(&["export", "--site", "other.test", "--out", out]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr_of(&output).contains("other.test"), "{}", stderr_of(&output));
    let folder = server.stop();
    let output = folder.run(&["export", "--site", "other.test", "--out", out]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr_of(&output).lines().count(), 1, "{}", stderr_of(&output));
    let missing = Folder::new().run(&["export", "--site", HOST, "--out", out]);
    assert_eq!(missing.status.code(), Some(1), "{}", stderr_of(&missing));
}

/// A server that goes away meanwhile leaves no half file, and a command that takes nothing does not keep the server.
#[test]
fn neither_side_waits_for_one_that_is_gone() {
    let (server, client) = start();
    let socket = server.folder().data().join("control.sock");
    let mut silent = UnixStream::connect(&socket).expect("the socket");
    let request = json!({ "export": { "site": HOST, "from": null, "to": null } });
    writeln!(silent, "{request}").expect("asking");
    drop(client);
    let folder = server.stop();

    let lock = std::fs::File::open(folder.data().join("lock")).expect("the lock");
    lock.lock().expect("taking the lock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let answers = [
        "{\"site\":\"export.test\"}",
        "{\"begin\":\"2025-03\"}",
        "{\"bytes\":1000}",
        "PAR1 and then nothing",
    ];
    let half = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the command");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(&stream), &mut String::new())
            .expect("a request");
        answers.iter().for_each(|line| writeln!(stream, "{line}").expect("answering"));
    });
    let out = folder.beside("half");
    let output = run(&folder, &out, &[]);
    half.join().expect("the thread");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr_of(&output).lines().count(), 1, "{}", stderr_of(&output));
    assert_eq!(files(&out), []);
}
