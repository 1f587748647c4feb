//! What one hit costs before it is handed to the engine: `cargo bench --bench enrichment`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a program of its own")]

#[path = "../tests/support/mmdb.rs"]
mod mmdb;
#[path = "support/quick.rs"]
mod quick;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hitstone::enrich::geo::Geo;
use hitstone::enrich::url::PageUrl;
use hitstone::enrich::user_agent::Agents;
use hitstone::enrich::{EnrichSettings, Enricher, SiteContext, referrer};
use hitstone::hit::{BotFilter, Campaign, ClientHints, Hit, HitKind};
use hitstone::salts::Salts;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::{OsFs, SharedFs};
use jiff::tz::TimeZone;

const NOW: i64 = 1_781_000_000_000;
const PAGE: &str = "https://example.com/pricing?utm_source=Newsletter&utm_medium=email#top";
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
];

fn user_agents(criterion: &mut Criterion) {
    let agents = Agents::new().unwrap();
    let mut number = 0;
    let mut unseen = || {
        number += 1;
        AGENTS[number % AGENTS.len()].replacen(".0", &format!(".{number}"), 1)
    };
    criterion.bench_function("user agent, seen for the first time", |bencher| {
        bencher.iter_batched(&mut unseen, |agent| agents.read(&agent), BatchSize::SmallInput);
    });
    let mut known = AGENTS.iter().cycle();
    criterion.bench_function("user agent, remembered", |bencher| {
        bencher.iter(|| known.next().map(|agent| agents.read(agent)));
    });
}

fn referrers(criterion: &mut Criterion) {
    let page = PageUrl::parse(PAGE).unwrap();
    let is_own = |host: &str| host == "example.com";
    criterion.bench_function("page's URL", |bencher| bencher.iter(|| PageUrl::parse(PAGE)));
    for (name, header) in [
        ("referrer, a search engine", "https://www.google.com/search?q=x"),
        ("referrer, another site", "https://blog.example.org/posts/17"),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| referrer::of("", header, Some(&page), &is_own));
        });
    }
}

fn places(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("places.mmdb");
    let record = mmdb::nested("DE", "Berlin", "BE", "Berlin");
    let places = (1..=200).fold(mmdb::Writer::new("Test-City"), |places, network| {
        places.with(&format!("{network}.0.0.0/8"), &record)
    });
    std::fs::write(&file, places.bytes()).unwrap();
    let mut number = 0_u32;
    let mut address = move || {
        number = number.wrapping_add(0x9e37_79b9);
        IpAddr::from(Ipv4Addr::from(number))
    };
    for (name, geo) in [
        ("place, the countries that are built in", Geo::built_in()),
        ("place, a file with cities", Geo::open(Arc::new(OsFs), &file).unwrap()),
    ] {
        criterion.bench_function(name, |bencher| bencher.iter(|| geo.locate(address())));
    }
}

fn hits(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let fs: SharedFs = Arc::new(OsFs);
    let salts = Arc::new(Salts::open(Arc::clone(&fs), folder.path(), NOW).unwrap());
    let enricher = Enricher::new(&EnrichSettings::default(), &fs, salts).unwrap();
    let site = SiteContext {
        id: SiteId(1),
        hostname: "example.com",
        alternative_hosts: &[],
        strict_hosts: false,
        zone: &TimeZone::UTC,
        ignore_dnt: false,
        keep_event_id: false,
        secret: [9; 16],
        protection: const { &hitstone::enrich::protection::Protection::new() },
    };
    let hit = hit();
    criterion.bench_function("whole hit, its user agent remembered", |bencher| {
        bencher.iter(|| enricher.enrich(&hit, &site, NOW));
    });
}

fn hit() -> Hit {
    Hit {
        kind: HitKind::PageView,
        url: PAGE.into(),
        ip: IpAddr::from([81, 2, 69, 142]),
        user_agent: AGENTS[0].into(),
        accept_language: "fr-CH, fr;q=0.9".into(),
        referrer: "https://www.google.com/search?q=x".into(),
        campaign: Campaign::default(),
        title: "Prices".into(),
        screen_width: 1920,
        hints: ClientHints::default(),
        dnt: false,
        prefetch: false,
        tags: Vec::new(),
        time: None,
        bot_filter: BotFilter::All,
        disable_host_check: false,
        status: None,
        event_id: String::new(),
        given_visitor: None,
        source: "pirsch",
    }
}

criterion_group! {
    name = benches;
    config = quick::criterion();
    targets = user_agents, referrers, places, hits
}
criterion_main!(benches);
