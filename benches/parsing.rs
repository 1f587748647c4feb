//! What is read of requests: bodies, headers, the filters of statistics: `cargo bench --bench parsing`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a program of its own")]

#[path = "support/quick.rs"]
mod quick;

use std::net::IpAddr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hitstone::api::browser::Browser;
use hitstone::api::json::Json;
use hitstone::api::pirsch::filter::{self, Defaults, Heeded};
use hitstone::api::pirsch::hit::{self, Call};
use hitstone::pattern;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

const NOW: i64 = 1_781_000_000_000;
const HIT: &str = r#"{"url":"https://example.com/pricing?utm_source=newsletter","ip":"81.2.69.142","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","accept_language":"fr-CH, fr;q=0.9","referrer":"https://www.google.com/","title":"Prices","screen_width":1920,"screen_height":1080,"tags":{"plan":"free"}}"#;
const EVENT: &str = r#"{"url":"https://example.com/pricing","ip":"81.2.69.142","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0","event_name":"Purchase","event_duration":42,"event_meta":{"plan":"plus","value":"49.90","currency":"EUR"},"non_interactive":false}"#;
const FILTERS: [(&str, &str); 3] = [
    ("filter, days alone", "id=a1b2c3d4e5&from=2026-01-01&to=2026-12-31"),
    ("filter, a pattern", "id=a1b2c3d4e5&from=2026-01-01&to=2026-12-31&pattern=(?i)%5E/blog/%5B%5E/%5D%2B$"),
    (
        "filter, many parameters",
        "id=a1b2c3d4e5&from=2026-01-01&to=2026-12-31&tz=Europe/Berlin&country=de&country=at&platform=mobile&browser=!Safari&path=/pricing&utm_source=newsletter&event=Purchase&meta_plan=plus&scale=week&limit=20",
    ),
];
const HEADERS: [(&str, &str); 14] = [
    ("host", "stats.example.com"),
    (
        "user-agent",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    ),
    ("accept", "*/*"),
    ("accept-language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("content-type", "application/json"),
    ("origin", "https://example.com"),
    ("referer", "https://example.com/"),
    ("sec-ch-ua", "\"Not)A;Brand\";v=\"8\", \"Chromium\";v=\"138\", \"Google Chrome\";v=\"138\""),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Windows\""),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "cross-site"),
];

fn bodies(criterion: &mut Criterion) {
    let batch = format!("[{}]", [HIT; 100].join(","));
    for (name, body) in [("JSON of a hit", HIT), ("JSON of 100 hits", &*batch)] {
        let mut group = criterion.benchmark_group("body");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| Json::parse(body.as_bytes())));
        group.finish();
    }
    for (name, call, body) in
        [("hit, with its fields", Call::Hit, HIT), ("event, with its fields", Call::Event, EVENT)]
    {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| hit::read(call, Json::parse(body.as_bytes()).unwrap(), NOW, false).is_ok());
        });
    }
}

fn headers(criterion: &mut Criterion) {
    let headers: HeaderMap = HEADERS
        .iter()
        .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let address = IpAddr::from([81, 2, 69, 142]);
    criterion
        .bench_function("headers of a browser", |bencher| bencher.iter(|| Browser::of(address, &headers)));
}

fn filters(criterion: &mut Criterion) {
    let defaults = Defaults { zone: "UTC", now_ms: NOW };
    for (name, query) in FILTERS {
        filter::parse(query, Heeded::All, defaults).expect("a filter");
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| filter::parse(query, Heeded::All, defaults).is_ok())
        });
    }
    criterion.bench_function("pattern, compiled", |bencher| {
        bencher.iter(|| pattern::compile("(?i)^/blog/[^/]+$"))
    });
}

criterion_group! {
    name = benches;
    config = quick::criterion();
    targets = bodies, headers, filters
}
criterion_main!(benches);
