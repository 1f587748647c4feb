//! What was answered with success is there exactly once, whatever happens to the process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

#[path = "durability/compaction.rs"]
mod compaction;
#[path = "durability/days.rs"]
mod days;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use days::today;
use serde_json::{Value, json};
use support::http::{Connection, Request, encode};
use support::random::Random;
use support::{Client, Folder, Server, all_statistics, assert_same_statistics, hit_body};

const THREADS: usize = 6;
/// Unique names come in groups of fewer than a list holds, so that a question for a group sees all of it.
const GROUP: usize = 50;
const HOST: &str = "kill.test";

/// What the clients of all rounds sent, and what of it was acknowledged.
#[derive(Default)]
struct Ledger {
    /// Group -> name -> acknowledged.
    groups: BTreeMap<String, BTreeMap<String, bool>>,
}

impl Ledger {
    fn add(&mut self, group: &str, name: &str, acknowledged: bool) {
        self.groups.entry(group.to_string()).or_default().insert(name.to_string(), acknowledged);
    }

    fn count(&self, acknowledged: bool) -> usize {
        self.groups.values().flat_map(BTreeMap::values).filter(|value| **value == acknowledged).count()
    }
}

/// Clients send page views and events with unique names as fast as they can; the process is killed at a random
/// moment; afterwards every acknowledged name is there once, a name that was on its way at most once, and nothing else.
#[test]
fn killed_under_load() {
    let rounds = if std::env::var_os("HITSTONE_TEST_ALL").is_some() { 8 } else { 4 };
    let mut random = Random::from_environment("killed_under_load");
    let mut folder = Folder::new();
    let site = folder.create_site(HOST);
    let mut ledger = Ledger::default();
    for round in 0..rounds {
        let server = start(folder, "700");
        let client = server.log_in(&site);
        let delay = Duration::from_millis(200 + random.below(900) as u64);
        let (killed, sent) = load_until_killed(server, &client.token, round, || thread::sleep(delay));
        folder = killed;
        for (group, name, acknowledged) in sent {
            ledger.add(&group, &name, acknowledged);
        }

        let server = start(folder, "700");
        let problems = compare(&mut server.log_in(&site), &ledger);
        assert!(problems.is_empty(), "round {round}, killed after {delay:?}:\n{}", problems.join("\n"));
        if round == 0 {
            assert_loss_is_noticed(&mut server.log_in(&site), &ledger);
        }
        folder = if round % 2 == 0 { server.stop() } else { server.kill() };
    }
    let (acknowledged, open) = (ledger.count(true), ledger.count(false));
    println!(
        "killed_under_load: {rounds} rounds, {acknowledged} acknowledged, {open} on their way when killed"
    );
    assert!(acknowledged > 100 * rounds, "too little load to show anything: {acknowledged} acknowledged");
    assert!(open <= THREADS * rounds, "a client has one request on its way at most: {open}");
}

/// Clients give each event an id and send what was not acknowledged again after each kill, and sometimes what was:
/// every event is there exactly once.
#[test]
fn retried_until_acknowledged() {
    let rounds = if std::env::var_os("HITSTONE_TEST_ALL").is_some() { 8 } else { 4 };
    let mut random = Random::from_environment("retried_until_acknowledged");
    let mut folder = Folder::new();
    let site = folder.create_site(HOST);
    let mut retriers: Vec<Retrier> = (0..THREADS).map(Retrier::new).collect();
    let mut repeated = 0;
    for _ in 0..rounds {
        let server = start(folder, "300");
        let token = server.token(&site);
        let delay = Duration::from_millis(200 + random.below(700) as u64);
        let address = server.address().to_string();
        folder = thread::scope(|scope| {
            let clients: Vec<_> = retriers
                .iter_mut()
                .map(|client| scope.spawn(|| client.send_until_killed(&address, &token)))
                .collect();
            thread::sleep(delay);
            let folder = server.kill();
            repeated += clients.into_iter().map(|client| client.join().expect("a client")).sum::<usize>();
            folder
        });
    }
    let server = start(folder, "300");
    let mut client = server.log_in(&site);
    let mut ledger = Ledger::default();
    for retrier in &mut retriers {
        let mut connection = server.connect();
        repeated += usize::from(retrier.send_pending(&mut connection, &client.token).expect("an answer"));
        retrier.sent.iter().for_each(|(group, name)| ledger.add(group, name, true));
    }
    let problems = compare(&mut client, &ledger);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    println!("retried_until_acknowledged: {rounds} kills, {} events, {repeated} repeats", ledger.count(true));
    assert!(repeated > rounds, "too few repeats to show anything: {repeated}");
}

/// A client that forgets nothing.
struct Retrier {
    client: usize,
    /// How many were acknowledged; the next one may have been sent.
    acknowledged: usize,
    sent: Vec<(String, String)>,
}

impl Retrier {
    fn new(client: usize) -> Self {
        Self { client, acknowledged: 0, sent: Vec::new() }
    }

    /// Sends event after event until the server is gone; gives how many the server knew already.
    fn send_until_killed(&mut self, address: &str, token: &str) -> usize {
        let mut connection = Connection::open(address);
        let mut repeated = 0;
        if let Some(last) = self.acknowledged.checked_sub(1) {
            match connection.try_send(&self.request(token, last).2) {
                Ok(answer) => assert_eq!(answer.header("X-Hitstone-Repeated"), Some("1"), "{answer:?}"),
                Err(_) => return 0,
            }
            repeated += 1;
        }
        while let Some(known) = self.send_pending(&mut connection, token) {
            repeated += usize::from(known);
        }
        repeated
    }

    /// Sends the next event, perhaps again; gives whether the server knew it, or `None` when there was no answer.
    fn send_pending(&mut self, connection: &mut Connection, token: &str) -> Option<bool> {
        let (group, name, request) = self.request(token, self.acknowledged);
        if self.sent.len() == self.acknowledged {
            self.sent.push((group, name));
        }
        let answer = connection.try_send(&request).ok()?;
        assert_eq!(answer.status, 200, "client {}: {answer:?}", self.client);
        self.acknowledged += 1;
        Some(answer.header("X-Hitstone-Repeated").is_some())
    }

    fn request(&self, token: &str, i: usize) -> (String, String, Request) {
        let (group, name, request) = unique_request(token, 0, self.client, i);
        let header = ["X-Event-Id", "Idempotency-Key"][self.client % 2];
        (group, name, request.header(header, &format!("{}-{i}", self.client)))
    }
}

/// The answers do not change by a clean stop, by `kill -9`, or by sealing.
#[test]
fn statistics_outlive_restarts() {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let mut server = start(folder, "100000");
    let mut client = server.log_in(&site);
    fill(&mut client, 3);
    let before = snapshot(&mut client);
    for (what, stop, seal_rows) in [
        ("a clean restart", true, "100000"),
        ("kill -9", false, "100000"),
        ("a restart that seals early", true, "50"),
        ("a second one", true, "50"),
        ("kill -9 after sealing", false, "50"),
    ] {
        let folder = if stop { server.stop() } else { server.kill() };
        server = start(folder, seal_rows);
        let mut client = server.log_in(&site);
        assert_same_statistics(what, &before, &snapshot(&mut client));
        // Two more rows on another day, so that small open segments are sealed in between.
        let body = client.hit_body("/later", "198.51.100.200", json!({"time": "2026-05-01T10:00:00Z"}));
        client.post_ok("/api/v1/hit", &body);
        client.post_ok("/api/v1/hit", &body);
        assert_same_statistics(what, &before, &snapshot(&mut client));
    }
}

/// Sealing while visits go on: the same answers as without.
#[test]
fn sealing_changes_no_answer() {
    let answers = ["100000", "40"].map(|seal_rows| {
        let folder = Folder::new();
        let site = folder.create_site(HOST);
        let server = start(folder, seal_rows);
        let mut client = server.log_in(&site);
        fill(&mut client, 5);
        let is_segment = |file: &(std::path::PathBuf, Vec<u8>)| file.1.starts_with(b"HITSSEG1");
        let segments =
            support::files_below(&server.folder().data()).iter().filter(|file| is_segment(file)).count();
        assert_eq!(segments > 3, seal_rows == "40", "{segments} sealed segments at {seal_rows} rows");
        without_ids(snapshot(&mut client), &client.site.id)
    });
    assert_same_statistics("with segments of 40 rows", &answers[0], &answers[1]);
}

/// Neither a client's address nor its user agent is on disk, in the data or in what the server says.
#[test]
fn no_address_and_no_user_agent_is_written() {
    const V4: &str = "203.0.113.77";
    const V6: &str = "2001:db8:7777:1234:5678:9abc:def0:4321";
    const MARK: &str = "Marked/77.1234";
    let agent = format!("{} {MARK}", support::FIREFOX);
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = start(folder, "20");
    let mut client = server.log_in(&site);
    for i in 0..60 {
        for ip in [V4, V6] {
            let more = json!({"user_agent": agent, "event_name": "seen", "x_forwarded_for": ip});
            let body = client.hit_body(&format!("/{i}"), ip, more);
            client.post_ok(if i % 3 == 0 { "/api/v1/event" } else { "/api/v1/hit" }, &body);
        }
    }
    // Bad requests and bots must not make it into a log line either.
    for change in
        [json!({"url": 5}), json!({"user_agent": format!("Googlebot/2.1 {MARK}")}), json!({"time": "soon"})]
    {
        let mut body = client.hit_body("/", V4, json!({"user_agent": agent}));
        for (key, value) in change.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        client.post("/api/v1/hit", &body);
    }
    let views = client.statistics("total", &today())["views"].as_u64();
    assert!(views > Some(0), "the visits are counted: {views:?}");

    let address: Ipv6Addr = V6.parse().expect("an address");
    let octets = address.octets();
    let needles: [(&str, &[u8]); 4] = [
        ("IPv4 text", V4.as_bytes()),
        ("IPv6 text", V6.as_bytes()),
        ("IPv6 bytes", &octets),
        ("user agent", MARK.as_bytes()),
    ];
    search(&server.folder().data(), &server.folder().stderr(), &needles, "while the server runs");
    let folder = server.stop();
    search(&folder.data(), &folder.stderr(), &needles, "after it stopped");
}

fn search(data: &std::path::Path, stderr: &str, needles: &[(&str, &[u8])], when: &str) {
    let mut files = support::files_below(data);
    assert!(!files.is_empty(), "no file in {}", data.display());
    files.push(("standard error".into(), stderr.as_bytes().to_vec()));
    for (path, bytes) in &files {
        for (what, needle) in needles {
            let at = bytes.windows(needle.len()).position(|window| window == *needle);
            assert_eq!(at, None, "{when}: {what} in {}", path.display());
        }
    }
}

fn start(folder: Folder, seal_rows: &str) -> Server {
    folder.start_in_real_time(&[], &[("HITSTONE_SEAL_ROWS", seal_rows)])
}

// --- Load ---

type Sent = (String, String, bool);

/// Runs the clients, kills the server after `wait`, and tells what they sent.
fn load_until_killed(server: Server, token: &str, round: usize, wait: impl FnOnce()) -> (Folder, Vec<Sent>) {
    let ended = AtomicBool::new(false);
    let address = server.address().to_string();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..THREADS)
            .map(|client| {
                let (ended, address) = (&ended, &address);
                scope.spawn(move || send_until_ended(address, token, round, client, ended))
            })
            .collect();
        wait();
        let folder = server.kill();
        ended.store(true, Ordering::SeqCst);
        let sent = clients.into_iter().flat_map(|client| client.join().expect("a client")).collect();
        (folder, sent)
    })
}

/// One client: page views and events in turn, each under a name of its own. A request that was not answered with
/// 200 counts as not acknowledged; the first one without an answer ends the client.
fn send_until_ended(
    address: &str,
    token: &str,
    round: usize,
    client: usize,
    ended: &AtomicBool,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut connection = Connection::open(address);
    for i in 0.. {
        let (group, name, request) = unique_request(token, round, client, i);
        let answer = connection.try_send(&request);
        let acknowledged = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        sent.push((group, name, acknowledged));
        match answer {
            Ok(answer) => assert!(acknowledged, "round {round}, client {client}: {answer:?}"),
            Err(_) => break,
        }
    }
    // Nothing but the kill may end a connection.
    for _ in 0..1_000 {
        if ended.load(Ordering::SeqCst) {
            return sent;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("round {round}, client {client}: the server closed a connection before it was killed");
}

/// Group `page:...` holds paths; group `event:NAME:KEY` holds values of the metadata `KEY` of event `NAME`.
fn unique_request(token: &str, round: usize, client: usize, i: usize) -> (String, String, Request) {
    // Several visitors a client; their sessions grow, are sealed and move.
    let ip = format!("198.51.{}.{}", 100 + client, i / 3 % 7);
    let block = i / 2 / GROUP;
    if i.is_multiple_of(2) {
        let group = format!("/{round}/{client}/{block}/");
        let path = format!("{group}{i}");
        let body = hit_body(&format!("https://{HOST}{path}"), &ip, json!({}));
        (format!("page:{group}"), path, Request::post("/api/v1/hit", token).json(&body))
    } else {
        let (name, key, value) = (format!("event {round} {client}"), format!("block{block}"), i.to_string());
        let more = json!({"event_name": name, "event_meta": {(key.as_str()): value}});
        let body = hit_body(&format!("https://{HOST}/event"), &ip, more);
        (format!("event:{name}:{key}"), value, Request::post("/api/v1/event", token).json(&body))
    }
}

/// What the server has, against what it was sent.
fn compare(client: &mut Client, ledger: &Ledger) -> Vec<String> {
    let mut problems = Vec::new();
    let mut pages_seen = 0;
    for (group, names) in &ledger.groups {
        let stored = stored_names(client, group);
        for (name, times) in &stored {
            match names.get(name) {
                None => problems.push(format!("{group}: {name} was never sent")),
                Some(_) if *times != 1 => problems.push(format!("{group}: {name} is there {times} times")),
                Some(_) => {}
            }
        }
        let lost = names.iter().filter(|(name, acknowledged)| **acknowledged && !stored.contains_key(*name));
        problems.extend(lost.map(|(name, _)| format!("{group}: {name} was acknowledged and is not there")));
        pages_seen += if group.starts_with("page:") { stored.values().sum::<u64>() } else { 0 };
    }
    // Nothing invented beside the groups either; an event that opens a session stores a view of its page.
    let extra = views(client, "path=/event");
    let total = views(client, "");
    if total != pages_seen + extra {
        problems
            .push(format!("{total} views in all, {pages_seen} of pages sent, {extra} of the events' page"));
    }
    let names: BTreeSet<&String> = ledger.groups.keys().filter(|group| group.starts_with("event:")).collect();
    if names.is_empty() {
        problems.push("no event was sent".to_string());
    }
    problems
}

/// The comparison must find what is lost, doubled or invented: here the ledger is wrong, not the server.
fn assert_loss_is_noticed(client: &mut Client, ledger: &Ledger) {
    let is_page = |group: &&String| group.starts_with("page:");
    let group = ledger.groups.keys().find(is_page).expect("a group of pages").clone();
    let mut with_ghost = Ledger { groups: ledger.groups.clone() };
    with_ghost.add(&group, "/ghost", true);
    assert_eq!(compare(client, &with_ghost).len(), 1, "a page that was acknowledged and never stored");
    let mut without_one = Ledger { groups: ledger.groups.clone() };
    let names = without_one.groups.get_mut(&group).expect("the group");
    names.pop_first();
    assert_eq!(compare(client, &without_one).len(), 1, "a page that is stored and was never sent");
}

fn stored_names(client: &mut Client, group: &str) -> BTreeMap<String, u64> {
    let parts: Vec<&str> = group.split(':').collect();
    let (endpoint, query, key) = match parts[..] {
        ["page", prefix] => ("page", format!("pattern={}", encode(&format!("^{prefix}"))), "path"),
        ["event", name, key] => {
            ("event/meta", format!("event={}&event_meta_key={key}", encode(name)), "meta_value")
        }
        _ => panic!("unknown group {group}"),
    };
    let answer = client.statistics(endpoint, &format!("{}&{query}", today()));
    let rows = answer.as_array().unwrap_or_else(|| panic!("{group}: no list: {answer}"));
    rows.iter().map(|row| (support::text(row, key), row["views"].as_u64().unwrap_or(0))).collect()
}

fn views(client: &mut Client, query: &str) -> u64 {
    let total = client.statistics("total", &format!("{}&{query}", today()));
    total["views"].as_u64().unwrap_or_else(|| panic!("no views in {total}"))
}

// --- A month of visits ---

/// Visits of some days, in batches, some late; `weeks` of them.
fn fill(client: &mut Client, weeks: u32) {
    let mut random = Random::new(7);
    for week in 0..weeks {
        for day in 0..7 {
            // Days out of order: the fourth comes first.
            let date = format!("2026-06-{:02}", 1 + week * 5 + (day + 3) % 7);
            let hits: Vec<Value> = (0..20).map(|_| random_body(client, &mut random, &date)).collect();
            client.post_ok("/api/v1/hit/batch", &Value::Array(hits));
            let events: Vec<Value> = (0..5)
                .map(|_| {
                    let mut body = random_body(client, &mut random, &date);
                    body["event_name"] = json!(["bought", "signed up"][random.below(2)]);
                    body["event_meta"] = json!({"plan": (["small", "big"][random.below(2)])});
                    body["event_duration"] = json!(random.below(50));
                    body
                })
                .collect();
            client.post_ok("/api/v1/event/batch", &Value::Array(events));
        }
    }
}

fn random_body(client: &Client, random: &mut Random, date: &str) -> Value {
    let path = ["/", "/a", "/b", "/c?utm_source=news", "/d?utm_campaign=may"][random.below(5)];
    let ip = format!("198.51.100.{}", random.below(12));
    let time = format!("{date}T{:02}:{:02}:{:02}Z", random.below(24), random.below(60), random.below(60));
    let referrer = ["", "", "https://one.example.org/x", "https://two.example.org"][random.below(4)];
    let language = ["en", "de", ""][random.below(3)];
    client.hit_body(
        path,
        &ip,
        json!({"time": time, "referrer": referrer, "accept_language": language, "title": path}),
    )
}

fn snapshot(client: &mut Client) -> Vec<(String, Value)> {
    let mut all = all_statistics(client, "from=2026-06-01&to=2026-06-30");
    for filter in [
        "path=/a",
        "entry_path=/",
        "event=bought",
        "event=!bought",
        "language=de",
        "tz=Asia/Tokyo",
        "pattern=^/[ab]$",
    ] {
        all.extend(all_statistics(client, &format!("from=2026-06-03&to=2026-06-09&{filter}")));
    }
    all
}

/// Names of questions without the site's id, to compare sites.
fn without_ids(answers: Vec<(String, Value)>, id: &str) -> Vec<(String, Value)> {
    answers.into_iter().map(|(name, value)| (name.replace(id, "ID"), value)).collect()
}
