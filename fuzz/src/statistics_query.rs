//! The query string of a statistic.

use hitstone::api::pirsch::filter::{Defaults, Heeded, parse};

const NOW_MS: i64 = 1_780_000_000_000;

pub fn run(data: &[u8]) {
    let query = String::from_utf8_lossy(data);
    for zone in ["UTC", "America/New_York"] {
        let Ok(filter) = parse(&query, Heeded::All, Defaults { zone, now_ms: NOW_MS }) else { continue };
        assert!(filter.list_page().limit.is_some_and(|limit| limit <= 100), "lists are bounded: {query:?}");
        let _ = filter.period(NOW_MS);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    [
        "id=A5kgYzK14m&from=2026-06-01&to=2026-06-10",
        "id=A5kgYzK14m&from=2026-06-01T00:00:00.000Z&to=2026-06-10&tz=Europe%2FBerlin&limit=20&offset=5",
        "id=A5kgYzK14m&from=2026-06-01&to=2026-06-10&path[]=/a&path[]=!/b&pattern=(?i)%5E/x/[%5E/]%2B$",
        "id=A5kgYzK14m&from=2026-06-01&to=2026-06-10&event=Sale&event_meta_key=k&meta_amount=!5&tag_author=~J",
        "id=A5kgYzK14m&start=600&include_title=true&country=null&language=!en&platform=desktop&screen_class=XXL",
        "id=A5kgYzK14m&from=2026-06-01&to=2026-06-10&scale=week&visitor_id=18446744073709551615&session_id=5",
        "id=A5kgYzK14m&from=2026-06-01&to=2026-06-01&from_time=10:00&to_time=11:30&sort=visitors&direction=asc&search=!a%25b",
        "id=A5kgYzK14m&from=2026-06-01&to=2026-06-10&custom_metric_key=price&custom_metric_type=float&event=~x&tag=null",
    ]
    .map(|query| query.as_bytes().to_vec())
    .to_vec()
}
