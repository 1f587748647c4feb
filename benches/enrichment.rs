//! What one hit costs before it is handed to the engine: `cargo bench --bench enrichment`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a program of its own")]

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hitstone::enrich::user_agent::Agents;
use hitstone::enrich::{EnrichSettings, Enricher, SiteContext};
use hitstone::hit::{BotFilter, Campaign, ClientHints, Hit, HitKind};
use hitstone::salts::Salts;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::{OsFs, SharedFs};
use jiff::tz::TimeZone;

const NOW: i64 = 1_781_000_000_000;
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
];

fn main() {
    let agents = Agents::new().unwrap();
    let distinct: Vec<String> =
        (0..20_000).map(|n| AGENTS[n % 4].replacen(".0", &format!(".{n}"), 1)).collect();
    time("a user agent, seen for the first time", distinct.len(), |at| {
        drop(black_box(agents.read(&distinct[at])))
    });
    time("a user agent, remembered", 1_000_000, |at| drop(black_box(agents.read(AGENTS[at % 4]))));

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
    time("a whole hit, its user agent remembered", 200_000, |_| {
        drop(black_box(enricher.enrich(&hit, &site, NOW)))
    });
}

fn time(what: &str, rounds: usize, work: impl Fn(usize)) {
    let start = Instant::now();
    (0..rounds).for_each(work);
    println!("{what:42} {:>8.0} ns", start.elapsed().as_nanos() as f64 / rounds as f64);
}

fn hit() -> Hit {
    Hit {
        kind: HitKind::PageView,
        url: "https://example.com/pricing?utm_source=Newsletter&utm_medium=email#top".into(),
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
