//! The first benchmark: starts the server on an empty folder, posts a generated year of traffic over real sockets, asks
//! every statistic, restarts, and prints what it measured.
//!
//! ```text
//! cargo bench --bench ingest_and_query                       # 1,000,000 events
//! cargo bench --bench ingest_and_query -- --events 10000000
//! ```
//!
//! Figures of one machine on one day; nothing is asserted.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a program of its own"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::http::{Connection, Request};
use support::random::Random;
use support::{Client, Folder, Server};

const BATCH: usize = 1_000;
const DAYS: usize = 365;
const FIRST_DAY: &str = "2025-01-01";
const LAST_DAY: &str = "2025-12-31";

fn main() {
    let events = argument("--events").unwrap_or(1_000_000);
    let single = argument("--single").unwrap_or(100_000);
    let folder = Folder::new();
    let site = folder.create_site("bench.example");
    let server = folder.start_in_real_time(&[], &[]);
    let token = server.token(&site);

    let seconds = post_batches(&server, &token, events);
    report(
        "batches of 1,000, 4 connections",
        &format!("{:.0} events/s acknowledged", events as f64 / seconds),
    );
    for (what, with_ids) in [
        ("one event a request, 64 connections", false),
        ("the same, each with an id of its own", true),
        ("one event a request, once more", false),
        ("with ids, once more", true),
    ] {
        let before = processor_seconds(server.process_id());
        let seconds = post_singles(&server, &token, single, with_ids);
        let spent = processor_seconds(server.process_id()) - before;
        let (rate, each) = (single as f64 / seconds, spent * 1e6 / single as f64);
        report(
            what,
            &format!("{rate:.0} events/s acknowledged, {each:.1} µs of the server's processors each"),
        );
    }
    let mut client = server.log_in(&site);
    println!("\n{:42} {:>10} {:>10}", "statistic over the year", "first ms", "median ms");
    ask(&mut client);
    drop(client);

    memory("while serving", server.process_id());
    let folder = server.stop();
    disk(&folder, events + 4 * single);
    export(&folder);
    let start = Instant::now();
    let server = folder.start_in_real_time(&[], &[]);
    report("start on this folder", &format!("{} ms", start.elapsed().as_millis()));
    memory("idle after the start", server.process_id());
    drop(server.stop());
}

fn argument(name: &str) -> Option<usize> {
    let mut arguments = std::env::args();
    arguments.find(|argument| argument == name)?;
    arguments.next()?.replace('_', "").parse().ok()
}

fn report(what: &str, figure: &str) {
    println!("{what:42} {figure}");
}

/// Visits of one to six page views, in the order of their days.
fn batch(random: &mut Random, number: usize, batches: usize) -> String {
    let mut body = String::from("[");
    let day = number * DAYS / batches;
    let mut left = BATCH;
    while left > 0 {
        let views = (1 + random.below(6)).min(left);
        left -= views;
        let visitor = random.below(1 << 22);
        let mut second = random.below(80_000);
        for view in 0..views {
            hit(&mut body, random, visitor, day, second, view == 0);
            second += 1 + random.below(200);
        }
    }
    body.pop();
    body.push(']');
    body
}

fn hit(body: &mut String, random: &mut Random, visitor: usize, day: usize, second: usize, first: bool) {
    const AGENTS: [&str; 4] = [
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    ];
    const REFERRERS: [&str; 4] =
        ["", "https://www.google.com/", "https://news.ycombinator.com/item", "https://t.co/x"];
    // A few pages get most views.
    let pages = 1 + random.below(2_000);
    let path = random.below(pages);
    let referrer = if first { REFERRERS[random.below(4)] } else { "" };
    let date = jiff::civil::date(2025, 1, 1) + jiff::Span::new().days(day as i64);
    let _ = write!(
        body,
        r#"{{"url":"https://bench.example/page/{path}","ip":"{}.{}.{}.{}","user_agent":"{}","accept_language":"en","referrer":"{referrer}","screen_width":{},"time":"{date}T{:02}:{:02}:{:02}Z"}},"#,
        20 + (visitor >> 16),
        (visitor >> 8) & 255,
        visitor & 255,
        1 + visitor % 250,
        AGENTS[visitor % 4],
        [1920, 1280, 390, 800][visitor % 4],
        second / 3600,
        second / 60 % 60,
        second % 60,
    );
}

fn post_batches(server: &Server, token: &str, events: usize) -> f64 {
    let batches = events.div_ceil(BATCH);
    let next = AtomicUsize::new(0);
    let (next, mut spent) = (&next, Duration::ZERO);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let posters: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = server.connect();
                    let mut generating = Duration::ZERO;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= batches {
                            return generating;
                        }
                        let start = Instant::now();
                        let body = batch(&mut Random::new(number as u64 + 1), number, batches);
                        generating += start.elapsed();
                        post(&mut connection, "/api/v1/hit/batch", token, body);
                    }
                })
            })
            .collect();
        spent += posters.into_iter().filter_map(|poster| poster.join().ok()).sum::<Duration>();
    });
    report("(the generator took", &format!("{:.1} s of processor time)", spent.as_secs_f64()));
    started.elapsed().as_secs_f64()
}

fn post_singles(server: &Server, token: &str, events: usize, with_ids: bool) -> f64 {
    static NEXT_ID: AtomicUsize = AtomicUsize::new(0);
    const CONNECTIONS: usize = 64;
    let bodies: Vec<String> = (0..CONNECTIONS)
        .map(|seed| {
            let mut body = String::new();
            hit(&mut body, &mut Random::new(seed as u64 + 7), seed * 1_001, DAYS - 1, 80_000, true);
            body.pop();
            body
        })
        .collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for body in &bodies {
            scope.spawn(move || {
                let mut connection = server.connect();
                for _ in 0..events / CONNECTIONS {
                    let mut request = Request::post("/api/v1/hit", token).body(body.clone());
                    if with_ids {
                        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
                        request = request.header("X-Event-Id", &format!("1b4e28ba-2fa1-11d2-{id:016x}"));
                    }
                    let response = connection.send(&request);
                    assert_eq!(response.status, 200, "{}", response.text());
                }
            });
        }
    });
    started.elapsed().as_secs_f64()
}

fn post(connection: &mut Connection, target: &str, token: &str, body: String) {
    let response = connection.send(&Request::post(target, token).body(body));
    assert_eq!(response.status, 200, "{}", response.text());
}

fn ask(client: &mut Client) {
    let filters = [
        ("no filter", ""),
        ("country=us", "&country=us"),
        ("path=/page/1", "&path=/page/1"),
        ("pattern", "&pattern=(?i)^/page/1.$"),
    ];
    for (name, filter) in filters {
        for endpoint in support::STATISTICS {
            let query = format!("from={FIRST_DAY}&to={LAST_DAY}{filter}");
            let mut times: Vec<f64> = (0..6)
                .map(|_| {
                    let start = Instant::now();
                    client.statistics(endpoint, &query);
                    start.elapsed().as_secs_f64() * 1e3
                })
                .collect();
            let first = times[0];
            times.sort_by(f64::total_cmp);
            println!("{:42} {first:>10.2} {:>10.2}", format!("{endpoint} ({name})"), times[times.len() / 2]);
        }
    }
}

/// Processor time that a process has used, as Linux counts it: in hundredths of a second.
fn processor_seconds(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = status.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn export(folder: &Folder) {
    let out = folder.beside("export");
    let out = out.to_str().expect("a UTF-8 path");
    let written = folder.run_json(&["export", "--site", "bench.example", "--out", out, "--json"]);
    let number = |name: &str| written[name].as_f64().unwrap_or(0.0);
    report(
        "export as Parquet",
        &format!(
            "{:.1} bytes an event, {:.0} events/s",
            number("bytes") / number("exported"),
            number("exported") / number("seconds")
        ),
    );
    if let Some(keep) = std::env::var_os("HITSTONE_KEEP_DATA") {
        // For measuring other settings on the same data.
        let copied = std::process::Command::new("cp").arg("-r").arg(folder.data()).arg(keep).status();
        assert!(copied.is_ok_and(|status| status.success()), "copying the data folder");
    }
}

fn memory(when: &str, process: u32) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).map_or("?", str::trim).to_owned()
    };
    report(
        &format!("resident memory {when}"),
        &format!("anonymous {}, of files {}", line("RssAnon:"), line("RssFile:")),
    );
}

fn disk(folder: &Folder, events: usize) {
    let mut by_kind = std::collections::BTreeMap::<String, u64>::new();
    for entry in std::fs::read_dir(folder.data()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = name.split('-').next().unwrap_or_default().to_owned();
        *by_kind.entry(kind).or_default() += entry.metadata().map_or(0, |metadata| metadata.len());
    }
    for (kind, bytes) in by_kind.into_iter().filter(|(_, bytes)| *bytes > 4_096) {
        report(&format!("{kind} on disk"), &format!("{:.1} bytes an event", bytes as f64 / events as f64));
    }
}
