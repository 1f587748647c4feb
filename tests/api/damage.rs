//! Damage in the lake: named, never served, and nothing but what lies in the file is missing; until it is mended, where the
//! Parquet files have what is damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::{Value, json};

use crate::support::random::Random;
use crate::support::{Client, Folder, PATIENCE, Server, Site, files_below, stderr_of, visits};

const HOST: &str = "damage.test";
/// Hits in April beside the visits: enough for several blocks of the Parquet file, and for counts beforehand.
const APRIL_HITS: usize = 17_000;

/// A data folder with a lake of three months, made once.
struct Prepared {
    site: Site,
    files: Vec<(PathBuf, Vec<u8>)>,
    answers: Vec<(String, Value)>,
}

fn prepared() -> &'static Prepared {
    static PREPARED: OnceLock<Prepared> = OnceLock::new();
    PREPARED.get_or_init(|| {
        let folder = Folder::new();
        let site = folder.create_site(HOST);
        let server = start(folder);
        let mut client = server.log_in(&site);
        visits::send(&mut client, &mut Random::new(4), 500);
        let hits: Vec<Value> = (0..APRIL_HITS).map(|number| april_hit(&client, number)).collect();
        hits.chunks(500).for_each(|hits| client.post_ok("/api/v1/hit/batch", &json!(hits)));
        server.folder().run_json(&["compact", "--json"]);
        let answers = answers(&mut client).into_iter().map(|answer| (answer.name, answer.value)).collect();
        let folder = server.stop();
        let data = folder.data();
        let relative = |path: PathBuf| path.strip_prefix(&data).expect("below").to_path_buf();
        let files = files_below(&data).into_iter().map(|(path, bytes)| (relative(path), bytes)).collect();
        Prepared { site, files, answers }
    })
}

fn april_hit(client: &Client, number: usize) -> Value {
    let (visitor, page) = (number / 3, number % 3);
    let time = format!(
        "2025-04-{:02}T{:02}:{:02}:{:02}Z",
        2 + visitor % 27,
        visitor / 27 % 24,
        visitor / 27 / 24 % 29 + page,
        visitor % 60
    );
    let ip = format!("198.51.{}.{}", visitor / 250 % 250, visitor % 250);
    let more = json!({ "time": time, "tags": { "n": (number % 97).to_string() } });
    client.hit_body(&format!("/p{}", number % 41), &ip, more)
}

fn start(folder: Folder) -> Server {
    folder.start_in_real_time(&["--seal-rows", "6000"], &[])
}

/// The prepared folder with one of its files changed; `None` removes it.
fn damaged(file: &Path, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Folder {
    let folder = Folder::new();
    let mut change = Some(change);
    for (path, bytes) in &prepared().files {
        let bytes = if path == file {
            (change.take().expect("one file of a name"))(bytes.clone())
        } else {
            Some(bytes.clone())
        };
        let path = folder.data().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        if let Some(bytes) = bytes {
            fs::write(&path, bytes).expect("copying a file");
        }
    }
    assert!(change.is_none(), "there is no file {}", file.display());
    folder
}

fn flipped(at: usize) -> impl FnOnce(Vec<u8>) -> Option<Vec<u8>> {
    move |mut bytes| {
        bytes[at] ^= 0x20;
        Some(bytes)
    }
}

/// Removed, cut in two places, one bit wrong here and there.
fn damages(file: &Path) -> Vec<(String, Folder)> {
    let len = bytes_of(file).len();
    let mut folders = vec![
        ("removed".to_owned(), damaged(file, |_| None)),
        ("emptied".to_owned(), damaged(file, |_| Some(Vec::new()))),
        ("cut in the middle".to_owned(), damaged(file, |bytes| Some(bytes[..bytes.len() / 2].to_vec()))),
        ("one byte short".to_owned(), damaged(file, |bytes| Some(bytes[..bytes.len() - 1].to_vec()))),
    ];
    // Not in the version, which a start believes.
    let places = [0, 17, len / 7, len / 5, len / 3, len / 2, len * 2 / 3, len * 4 / 5, len - 100, len - 1];
    folders.extend(places.map(|at| (format!("byte {at} of {len} flipped"), damaged(file, flipped(at)))));
    folders
}

fn bytes_of(file: &Path) -> &'static [u8] {
    let found = prepared().files.iter().find(|(path, _)| path == file);
    &found.unwrap_or_else(|| panic!("no file {}", file.display())).1
}

fn april() -> PathBuf {
    Path::new("lake").join(format!("site={HOST}/month=2025-04/2025-04.parquet"))
}

/// The files of a kind, the largest first.
fn named(prefix: &str) -> Vec<PathBuf> {
    let is_such = |path: &&PathBuf| path.to_str().is_some_and(|path| path.starts_with(prefix));
    let mut found: Vec<PathBuf> =
        prepared().files.iter().map(|(path, _)| path).filter(is_such).cloned().collect();
    found.sort_by_key(|path| std::cmp::Reverse(bytes_of(path).len()));
    found
}

struct Answer {
    name: String,
    value: Value,
    incomplete: Option<String>,
}

/// Statistics of all three months, and of the days before April that no session of April touches.
fn answers(client: &mut Client) -> Vec<Answer> {
    let mut found = Vec::new();
    for range in ["from=2025-03-28&to=2025-03-30", "from=2025-03-28&to=2025-05-02"] {
        for statistic in [
            "total?",
            "visitor?include_avg_time_on_page=true",
            "page?include_avg_time_on_page=true",
            "page/entry?",
            "os?",
            "hours?",
            "events?",
            "page?path=/prices",
            "tags?",
            "tag/details?tag=author",
            "event/meta?event=Sale&event_meta_key=amount",
            "session/list?limit=100",
            "session/list?limit=20&path=/p7",
        ] {
            let (endpoint, query) = statistic.split_once('?').expect("a question");
            let query = format!("{range}&{query}");
            let response = client.statistics_response(endpoint, &query);
            assert_eq!(response.status, 200, "{endpoint}?{query}: {response:?}");
            let incomplete = response.header("X-Hitstone-Incomplete").map(str::to_owned);
            found.push(Answer { name: format!("{endpoint}?{query}"), value: response.json(), incomplete });
        }
    }
    found
}

/// Each answer is whole, or says which file is missing and is that without the file.
fn assert_sound(what: &str, found: &[Answer], without: &[(String, Value)], files: &[&str]) {
    for ((answer, (_, whole)), (_, without)) in found.iter().zip(&prepared().answers).zip(without) {
        let name = &answer.name;
        match &answer.incomplete {
            None => assert_eq!(&answer.value, whole, "{what}: {name} is another one, and nothing is told"),
            Some(told) => {
                assert!(files.iter().any(|file| told.contains(file)), "{what}: {name}: {told}");
                assert_eq!(&answer.value, without, "{what}: {name} is not that without the file");
            }
        }
    }
}

/// The answers when a file is not there.
fn answers_without(file: &Path) -> Vec<(String, Value)> {
    let server = start(damaged(file, |_| None));
    let found = answers(&mut server.log_in(&prepared().site));
    found.into_iter().map(|answer| (answer.name, answer.value)).collect()
}

/// An event of a day that no file has, and its view.
fn assert_writing_goes_on(what: &str, client: &mut Client) {
    let body = client.hit_body("/new", "203.0.113.200", json!({ "time": "2025-06-10T10:00:00Z" }));
    client.post_ok("/api/v1/hit", &body);
    let total = client.statistics("total", "from=2025-06-10&to=2025-06-10");
    assert_eq!(total["views"], 1, "{what}");
    // One in April: what it could join may be in the damaged file.
    let body = client.hit_body("/new", "203.0.113.1", json!({ "time": "2025-04-10T10:00:00Z" }));
    client.post_ok("/api/v1/hit", &body);
    let found = client.statistics("page", "from=2025-04-10&to=2025-04-11&path=/new");
    assert_eq!(found[0]["views"], 1, "{what}: {found}");
}

fn check(file: &Path, without: &[(String, Value)], names: &[&str]) {
    let mut told = 0;
    for (what, folder) in damages(file) {
        let what = format!("{} {what}", file.display());
        let server = start(folder);
        let mut client = server.log_in(&prepared().site);
        for _ in 0..2 {
            let found = answers(&mut client);
            assert_sound(&what, &found, without, names);
            told += usize::from(found.iter().any(|answer| answer.incomplete.is_some()));
        }
        assert_writing_goes_on(&what, &mut client);
        let folder = server.stop();
        assert!(!folder.stderr().contains("a fault in the program"), "{what}: {}", folder.stderr());
        let server = start(folder);
        assert_writing_is_there(&what, &mut server.log_in(&prepared().site));
    }
    assert!(told >= 16, "{}: damage was told {told} times only", file.display());
}

fn assert_writing_is_there(what: &str, client: &mut Client) {
    for (day, query) in [("2025-06-10", ""), ("2025-04-10", "&path=/new")] {
        let found = client.statistics("page", &format!("from={day}&to={day}{query}"));
        assert_eq!(found[0]["views"], 1, "{what}, started again: {found}");
    }
}

#[test]
fn a_damaged_parquet_file_is_named_and_not_served() {
    check(&april(), &answers_without(&april()), &["2025-04.parquet"]);
}

/// Asks until nothing is missing. Whether anything was.
fn until_whole(what: &str, client: &mut Client, without: &[(String, Value)], names: &[&str]) -> bool {
    let (began, mut told) = (Instant::now(), false);
    loop {
        let found = answers(client);
        assert_sound(what, &found, without, names);
        if found.iter().all(|answer| answer.incomplete.is_none()) {
            return told;
        }
        told = true;
        assert!(began.elapsed() < PATIENCE, "{what}: it is not mended");
    }
}

/// A file that is derived from the Parquet files is made anew while the server runs; nobody has to do anything.
fn check_mended(file: &Path, without: &[(String, Value)]) {
    let name = file.to_str().expect("UTF-8");
    let (mut told, mut mended) = (0, 0);
    for (what, folder) in damages(file) {
        let what = format!("{name} {what}");
        let server = start(folder);
        let mut client = server.log_in(&prepared().site);
        told += usize::from(until_whole(&what, &mut client, without, &[name]));
        let metrics = server.connect().get("/metrics", "").text();
        assert!(metrics.contains("\nhitstone_damaged_files 0\n"), "{what}: {metrics}");
        mended += usize::from(!metrics.contains("\nhitstone_rebuilt_files_total 0\n"));
        assert_writing_goes_on(&what, &mut client);
        let folder = server.stop();
        assert!(!folder.stderr().contains("a fault in the program"), "{what}: {}", folder.stderr());
        let server = start(folder);
        let mut client = server.log_in(&prepared().site);
        assert_writing_is_there(&what, &mut client);
        assert!(answers(&mut client).iter().all(|answer| answer.incomplete.is_none()), "{what}");
    }
    assert!(told >= 5 && mended >= 8, "{name}: told {told} times, mended {mended} times");
}

#[test]
fn a_damaged_index_is_made_anew() {
    let index = named("index-")[0].clone();
    check_mended(&index, &answers_without(&april()));
}

#[test]
fn a_damaged_dictionary_is_made_anew() {
    // Nothing of the lake is served without it: as if the site had nothing.
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = start(folder);
    let found = answers(&mut server.log_in(&site)).into_iter();
    let without: Vec<(String, Value)> = found.map(|answer| (answer.name, answer.value)).collect();
    check_mended(&named("dictionary-")[0].clone(), &without);
}

/// An event comes before anybody has asked for statistics: its visit is in the lake, and nobody can read it.
#[test]
fn what_comes_while_it_is_damaged_is_there_afterwards() {
    for prefix in ["index-", "dictionary-"] {
        let server = start(damaged(&named(prefix)[0], |_| None));
        let mut client = server.log_in(&prepared().site);
        let mut body = april_hit(&client, 0);
        body["url"] = json!(format!("https://{HOST}/meanwhile"));
        client.post_ok("/api/v1/hit", &body);
        let began = Instant::now();
        let views = loop {
            let response = client.statistics_response("total", "from=2025-03-28&to=2025-05-02");
            if response.header("X-Hitstone-Incomplete").is_none() {
                break response.json()["views"].clone();
            }
            assert!(began.elapsed() < PATIENCE, "{prefix}: it is not mended");
        };
        let question = "total?from=2025-03-28&to=2025-05-02&";
        let whole = prepared().answers.iter().find(|(name, _)| name == question).expect("the question");
        assert_eq!(views, whole.1["views"].as_u64().expect("a number") + 1, "{prefix}");
        let told = server.stop().stderr().to_owned();
        assert!(told.contains("anew from the Parquet files") && told.contains("2025-04"), "{told}");
    }
}

#[test]
fn a_damaged_aggregate_changes_no_answer_and_is_made_anew() {
    let aggregates = named("aggregate-");
    assert_eq!(aggregates.len(), 1, "April is large enough: {aggregates:?}");
    // What else has counts that are made beforehand.
    let lists = |client: &mut Client| -> Vec<Value> {
        let lists =
            ["country", "language", "browser", "platform", "screen", "utm/source", "city", "page/exit"];
        lists.map(|list| client.statistics(list, "from=2025-03-28&to=2025-05-02")).into()
    };
    let whole_lists =
        lists(&mut start(damaged(&april(), |bytes| Some(bytes.to_vec()))).log_in(&prepared().site));
    let mut mended = 0;
    for (what, folder) in damages(&aggregates[0]) {
        let server = start(folder);
        let mut client = server.log_in(&prepared().site);
        for when in ["at first", "after a compaction", "after two"] {
            for (answer, (name, whole)) in answers(&mut client).iter().zip(&prepared().answers) {
                assert_eq!(answer.incomplete, None, "{what}, {when}: {name}");
                assert_eq!(&answer.value, whole, "{what}, {when}: {name}");
            }
            assert_eq!(lists(&mut client), whole_lists, "{what}, {when}");
            server.folder().run_json(&["compact", "--json"]);
        }
        let now = fs::read(server.folder().data().join(&aggregates[0])).unwrap_or_default();
        let is_mended = now == bytes_of(&aggregates[0]);
        mended += usize::from(is_mended);
        // A flipped bit stays where no question has read it.
        assert!(is_mended || what.contains("flipped"), "{what}: the aggregate was not made anew");
    }
    assert!(mended > 6, "{mended} were made anew");
}

#[test]
fn damage_is_told_and_keeps_nothing_else_from_the_lake() {
    let folder = damaged(&april(), |bytes| Some(bytes[..100].to_vec()));
    let server = start(folder);
    let mut client = server.log_in(&prepared().site);
    assert_writing_goes_on("damaged", &mut client);
    let output = server.folder().run(&["compact"]);
    let told = stderr_of(&output);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("2025-04.parquet"), "{told}");
    let june = server.folder().data().join(format!("lake/site={HOST}/month=2025-06/2025-06.parquet"));
    assert!(june.is_file(), "June has no damage: {told}");
    assert_writing_is_there("after the compaction", &mut client);
    let metrics = server.connect().get("/metrics", "").text();
    assert!(metrics.contains("\nhitstone_damaged_files 1\n"), "{metrics}");
    assert!(metrics.contains("\nhitstone_lake_files 4\n"), "{metrics}");
    let start_of_waiting = Instant::now();
    while !server.folder().stderr().contains("2025-04.parquet") {
        assert!(start_of_waiting.elapsed() < PATIENCE, "{}", server.folder().stderr());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // The operator puts the file back from a copy: all is there again.
    let folder = server.stop();
    fs::write(folder.data().join(april()), bytes_of(&april())).expect("writing the file");
    let server = start(folder);
    let mut client = server.log_in(&prepared().site);
    // What has left it meanwhile is looked for, so its index is made anew.
    server.folder().run_json(&["compact", "--json"]);
    let found = answers(&mut client);
    assert!(found.iter().all(|answer| answer.incomplete.is_none()));
    assert_writing_is_there("with the file", &mut client);
}

/// A line on standard error is printed at once when a query meets damage, and once for each file.
#[test]
fn the_server_tells_of_damage_once_for_each_file() {
    let index = named("index-")[0].clone();
    let name = index.to_str().expect("UTF-8").to_owned();
    let middle = bytes_of(&index).len() / 2;
    let server = start(damaged(&index, flipped(middle)));
    let mut client = server.log_in(&prepared().site);
    let lines = |server: &Server| {
        let told = server.folder().stderr();
        told.lines().filter(|line| line.contains(&name)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&server), [""; 0], "nobody has asked yet");
    for _ in 0..3 {
        client.statistics_response("total", "from=2025-04-01&to=2025-04-30");
        client.statistics_response("page", "from=2025-04-01&to=2025-04-30");
        let told = lines(&server);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("damaged at byte"), "{told:?}");
    }
    let metrics = server.connect().get("/metrics", "").text();
    assert!(metrics.contains("\nhitstone_damaged_files 1\n"), "{metrics}");
}

/// A file of which a newer program has changed the version only: its checksum may lie anywhere.
fn newer(file: &Path) -> Folder {
    damaged(file, |mut bytes| {
        // The version of salts is a digit.
        let (at, version) = if file == Path::new("salts") { (7, b'7') } else { (8, 99) };
        bytes[at] = version;
        Some(bytes)
    })
}

#[test]
fn a_newer_version_in_any_file_is_refused_by_every_command() {
    let small = ["manifest", "state", "tokens", "salts"].map(PathBuf::from);
    let large = ["log-", "index-", "dictionary-"]
        .map(|prefix| named(prefix).first().unwrap_or_else(|| panic!("no {prefix}")).clone());
    for file in small.iter().chain(&large) {
        let folder = newer(file);
        let rows = folder.beside("rows.ndjson");
        fs::write(&rows, "").expect("writing a file");
        let (rows, out) = (rows.to_str().expect("UTF-8"), folder.beside("out"));
        let out = out.to_str().expect("UTF-8");
        let before = contents(&folder);
        let commands = [
            vec!["serve", "--listen", "127.0.0.1:0"],
            vec!["import", "--site", HOST, rows],
            vec!["compact"],
            vec!["export", "--site", HOST, "--out", out],
            vec!["site", "list"],
            vec!["site", "create", "more.test"],
            vec!["client", "list"],
            vec!["goal", "list", "--site", HOST],
        ];
        for command in commands {
            let output = folder.run(&command);
            let told = stderr_of(&output);
            assert_eq!(output.status.code(), Some(1), "{} {command:?}: {told}", file.display());
            let is_named =
                told.contains(file.to_str().expect("UTF-8")) && told.contains("a newer hitstone wrote");
            assert!(is_named && told.lines().count() == 1, "{} {command:?}: {told}", file.display());
        }
        assert!(contents(&folder) == before, "{}: something was changed", file.display());
    }
}

/// The files of the data folder, sorted.
fn contents(folder: &Folder) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = files_below(&folder.data());
    found.sort();
    found
}

/// Without its manifest a folder that holds data had passed for a new one: an export from it emptied the one before.
#[test]
fn a_folder_that_has_lost_its_manifest_is_refused_by_every_command() {
    let folder = damaged(Path::new("manifest"), |_| None);
    let out = folder.beside("out");
    let kept = out.join(format!("site={HOST}/month=2025-04/2025-04.parquet"));
    fs::create_dir_all(kept.parent().expect("a folder")).expect("making a folder");
    fs::write(&kept, bytes_of(&april())).expect("writing a file");
    let before = contents(&folder);
    for command in [
        vec!["serve", "--listen", "127.0.0.1:0"],
        vec!["compact"],
        vec!["export", "--site", HOST, "--out", out.to_str().expect("UTF-8")],
        vec!["site", "list"],
    ] {
        let output = folder.run(&command);
        let told = stderr_of(&output);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {told}");
        assert!(told.contains("the manifest is missing"), "{command:?}: {told}");
    }
    assert!(fs::read(&kept).expect("the earlier file") == bytes_of(&april()));
    assert!(contents(&folder) == before, "something was changed");
}

fn export(folder: &Folder, more: &[&str]) -> (Option<i32>, String) {
    let out = folder.beside("out");
    let out = out.to_str().expect("UTF-8");
    let output = folder.run(&[&["export", "--site", HOST, "--out", out], more].concat());
    (output.status.code(), stderr_of(&output))
}

fn exported(folder: &Folder) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = files_below(&folder.beside("out"));
    found.sort();
    found
}

/// What is derived is made anew before an export or an import, without a server, too: nothing is missing from either.
#[test]
fn an_export_and_an_import_without_a_server_mend_first() {
    let april = named("index-").into_iter().next().expect("an index");
    for file in [april, named("dictionary-")[0].clone()] {
        let whole = damaged(&file, Some);
        assert_eq!(export(&whole, &[]).0, Some(0));
        let folder = damaged(&file, |_| None);
        let (code, told) = export(&folder, &[]);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("anew from the Parquet files"), "{told}");
        let sound: Vec<_> = exported(&whole).into_iter().map(|(_, bytes)| bytes).collect();
        assert!(exported(&folder).into_iter().map(|(_, bytes)| bytes).eq(sound), "{}", file.display());

        let folder = damaged(&file, |_| None);
        let rows = folder.beside("rows.ndjson");
        let row = json!({ "time": "2025-04-10T10:00:00Z", "url": format!("https://{HOST}/imported"),
            "ip": "198.51.100.7", "user_agent": visits_agent() });
        fs::write(&rows, row.to_string()).expect("writing a file");
        let told = folder.run_json(&["import", "--site", HOST, "--json", rows.to_str().expect("UTF-8")]);
        assert_eq!(told["imported"], 1, "{told}");
        let server = start(folder);
        let mut client = server.log_in(&prepared().site);
        let response = client.statistics_response("page", "from=2025-04-10&to=2025-04-10&path=/imported");
        assert_eq!(response.header("X-Hitstone-Incomplete"), None);
        assert_eq!(response.json()[0]["views"], 1);
    }
}

fn visits_agent() -> &'static str {
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
}

/// An export that lacks something takes nothing from the one before, with and without a server.
#[test]
fn what_an_export_cannot_read_stays_as_an_earlier_one_wrote_it() {
    for with_server in [false, true] {
        let folder = damaged(&april(), Some);
        assert_eq!(export(&folder, &[]).0, Some(0));
        let sound = exported(&folder);
        assert_eq!(sound.len(), 3);
        let middle = bytes_of(&april()).len() / 2;
        let path = folder.data().join(april());
        fs::write(&path, flipped(middle)(bytes_of(&april()).to_vec()).expect("bytes")).expect("writing");
        let run = |more: &[&str], folder: Folder| {
            if !with_server {
                let done = export(&folder, more);
                return (done, folder);
            }
            let server = start(folder);
            // Some of April can be read all the same.
            assert_writing_goes_on("an export", &mut server.log_in(&prepared().site));
            let done = export(server.folder(), more);
            (done, server.stop())
        };
        let ((code, told), folder) = run(&[], folder);
        assert_eq!(code, Some(1), "{told}");
        assert!(
            told.contains("2025-04.parquet is damaged") && told.contains("of 2025-04 the files"),
            "{told}"
        );
        let now = exported(&folder);
        for (path, bytes) in &sound {
            let same = now.iter().any(|(known, found)| known == path && found == bytes);
            assert!(same, "{}: {told}", path.display());
        }
        assert_eq!(now.len(), sound.len() + usize::from(with_server), "no file is left over");
        // Of days that the damage does not touch nothing is missing; the last sound copy of April stays all the same.
        fs::remove_file(&path).expect("removing the file");
        let (code, told) = export(&folder, &["--to", "2025-03-28"]);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("of 2025-04 the files of an earlier export stay"), "{told}");
        let left: Vec<_> =
            exported(&folder).into_iter().filter(|(path, _)| path.ends_with("2025-04.parquet")).collect();
        assert!(sound.contains(&left[0]), "April is another one");
        // Put back, all is whole again.
        fs::write(&path, bytes_of(&april())).expect("writing the file");
        let (code, told) = export(&folder, &[]);
        assert_eq!(code, Some(0), "{told}");
        assert_eq!(exported(&folder).len(), sound.len() + usize::from(with_server));
    }
}

/// Damage of April is told with answers about days that it can concern, no others; that of the dictionary with all days
/// that have files.
#[test]
fn damage_is_told_with_the_days_that_it_concerns() {
    let march = ("from=2025-03-01&to=2025-03-28", "from=2025-03-30&to=2025-03-31");
    let server = start(damaged(&april(), |_| None));
    let mut client = server.log_in(&prepared().site);
    let mut is_told = |query: &str| {
        let response = client.statistics_response("total", query);
        assert_eq!(response.status, 200, "{query}");
        response.header("X-Hitstone-Incomplete").is_some()
    };
    assert!(is_told("from=2025-04-10&to=2025-04-10"));
    assert!(is_told(march.1), "visits of April may begin in March");
    assert!(is_told("from=2025-05-01&to=2025-05-01"), "visits of April may end in May");
    assert!(
        !is_told(march.0)
            && !is_told("from=2025-05-04&to=2025-05-31")
            && !is_told("from=2024-04-01&to=2024-04-30")
    );
    let response = client.statistics_response("growth", "from=2025-05-20&to=2025-05-25");
    assert_eq!(response.header("X-Hitstone-Incomplete"), None);
    let response = client.statistics_response("growth", "from=2025-05-05&to=2025-05-20");
    assert!(response.header("X-Hitstone-Incomplete").is_some(), "it is compared with days of April");
}
