//! The JSON bodies of hits, events, sessions and their batches, and those of our own script's reports, and what enrichment
//! makes of them.

use std::cell::OnceCell;
use std::sync::Arc;

use hitstone::api::browser::Browser;
use hitstone::api::json::Json;
use hitstone::api::pirsch::hit::{Call, read};
use hitstone::api::script::report::Report;
use hitstone::enrich::{EnrichSettings, Enricher, Outcome, SiteContext};
use hitstone::hit::Hit;
use hitstone::salts::Salts;
use hitstone_engine::schema::Column;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::{OsFs, SharedFs};

use super::folder::Folder;

pub const NOW_MS: i64 = 1_781_100_000_000;

thread_local! {
    static ENRICHER: OnceCell<(Enricher, Folder)> = const { OnceCell::new() };
}

pub fn run(data: &[u8]) {
    let browser = || Browser::of([192, 0, 2, 1].into(), &Default::default());
    let report = Report::read(data).and_then(|report| report.hits(browser()));
    report.unwrap_or_default().iter().for_each(enrich);
    let Ok(json) = Json::parse(data) else {
        // Well-formed JSON is refused for its depth, for numbers beyond all bounds or bytes that are no UTF-8, but never for
        // half an emoji.
        let says = Json::parse(data).map_err(|error| error.to_string()).err().unwrap_or_default();
        assert!(!says.contains("surrogate"), "{says}");
        return;
    };
    let (items, in_batch) = match json {
        Json::List(items) => (items, true),
        json => (vec![json], false),
    };
    for call in [Call::Hit, Call::Event, Call::Session] {
        for item in &items {
            let Ok(hit) = read(call, item.clone(), NOW_MS, in_batch) else { continue };
            enrich(&hit);
        }
    }
}

/// Makes an event of a hit, whose texts must be bounded.
pub fn enrich(hit: &Hit) {
    ENRICHER.with(|cell| {
        let enricher = &cell.get_or_init(enricher).0;
        let Ok(Outcome::Event(event)) = enricher.enrich(hit, &site(), NOW_MS) else { return };
        for column in Column::ALL {
            let text = event.texts.get(column);
            assert!(text.len() <= 64 * 1024, "{column:?} has {} bytes", text.len());
        }
    });
}

fn site() -> SiteContext<'static> {
    SiteContext {
        id: SiteId(1),
        hostname: "example.com",
        alternative_hosts: &[],
        strict_hosts: false,
        zone: const { &jiff::tz::TimeZone::UTC },
        ignore_dnt: false,
        keep_event_id: true,
        secret: [7; 16],
        protection: const { &hitstone::enrich::protection::Protection::new() },
    }
}

fn enricher() -> (Enricher, Folder) {
    let folder = Folder::new("salts");
    let fs: SharedFs = Arc::new(OsFs);
    let salts = Salts::open(Arc::clone(&fs), &folder.0, NOW_MS).expect("making salts");
    let enricher = Enricher::new(&EnrichSettings::default(), &fs, Arc::new(salts)).expect("loading tables");
    (enricher, folder)
}

pub fn seeds() -> Vec<Vec<u8>> {
    let least = r#"{"url":"https://example.com/","ip":"198.51.100.1","user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","time":"2026-06-10T12:00:00Z"}"#;
    let full = r#"{"url":"https://www.example.com/a/b?utm_source=news&utm_campaign=m%C3%A4rz&ref=x#top","ip":"[2a02:c7f::1]:4711","x_forwarded_for":"203.0.113.9, 10.0.0.1","forwarded":"for=\"[2001:db8::1]:80\";proto=https","user_agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36","accept_language":"fr-CH, fr;q=0.9","referrer":"https://www.google.com/search?q=x","title":"\u00dcber uns","screen_width":1920,"sec_ch_ua":"\"Chromium\";v=\"126\"","sec_ch_ua_mobile":"?0","sec_ch_ua_platform":"\"Windows\"","sec_ch_ua_platform_version":"\"15.0.0\"","tags":{"author":"J","n":5},"time":"2026-06-10T12:00:00.123+02:00"}"#;
    let event = full.replacen('{', r#"{"event_name":" Sale ","event_duration":42,"event_meta":{"amount":34.5,"ok":true,"deep":{"er":null}},"non_interactive":false,"#, 1);
    let report = r##"{"id":"1","url":"https://example.com/app?x=1#/a?b","referrer":"https://example.org/","title":"Ü","width":1920,"data":{"site":"example.com","hash":"","status":"404","tagMyKey":"k","visitor":"v"},"event":"Buy","meta":{"of":{"n":[1]}},"duration":3}"##;
    let missing = report.replace("\"event\":\"Buy\",", "");
    [
        least.to_string(),
        full.to_string(),
        event.clone(),
        format!("[{least},{event},{full}]"),
        report.to_string(),
        missing,
        least.replace("example.com/", r"example.com/\ud83c\\ud83c\udf89"),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect()
}
