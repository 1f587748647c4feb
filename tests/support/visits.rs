//! Visits over two months: pages, custom events with metadata, tags, campaigns, visits over midnight.

use serde_json::{Value, json};

use super::random::Random;
use super::{Client, FIREFOX};

/// The first and the last day that has visits, in UTC.
pub const DAYS: (&str, &str) = ("2025-03-28", "2025-05-02");
const DAY_COUNT: usize = 36;
const AGENTS: [&str; 2] = [
    FIREFOX,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
];

/// Sends `visits` visits of one to five pages in the order of their days.
pub fn send(client: &mut Client, random: &mut Random, visits: usize) {
    let (mut hits, mut events) = (Vec::new(), Vec::new());
    for visit in 0..visits {
        let day = visit * DAY_COUNT / visits;
        let visitor = random.below(60);
        let mut second = random.below(86_400);
        for page in 0..=random.below(5) {
            let hit = hit(client, random, (day, second), visitor, page);
            if random.below(4) == 0 {
                events.push(event(random, hit.clone()));
            }
            hits.push(hit);
            second += 1 + random.below(900);
        }
    }
    for (call, items) in [("hit", hits), ("event", events)] {
        for batch in items.chunks(200) {
            client.post_ok(&format!("/api/v1/{call}/batch"), &Value::Array(batch.to_vec()));
        }
    }
}

fn hit(client: &Client, random: &mut Random, at: (usize, usize), visitor: usize, page: usize) -> Value {
    let midnight = jiff::civil::date(2025, 3, 28).at(0, 0, 0, 0);
    let time = midnight + jiff::SignedDuration::from_secs((at.0 * 86_400 + at.1) as i64);
    let path = ["/", "/prices", "/über uns", "/a/b/c", "/%F0%9F%8D%8B"][random.below(5)];
    let campaign = if page == 0 && random.below(5) == 0 { "?utm_campaign=sp%C3%A4t" } else { "" };
    let more = json!({
        "user_agent": AGENTS[visitor % 2],
        "time": format!("{time}Z"),
        "title": format!("Títle of {path}"),
        "screen_width": 1920,
        "tags": if random.below(3) == 0 { json!({ "author": "Jané", "kind": path }) } else { json!({}) },
    });
    client.hit_body(&format!("{path}{campaign}"), &format!("203.0.113.{visitor}"), more)
}

fn event(random: &mut Random, mut hit: Value) -> Value {
    hit["event_name"] = json!(["Sale", "Sign up"][random.below(2)]);
    hit["event_meta"] = json!({ "amount": random.below(50), "currency": "€" });
    hit["event_duration"] = json!(random.below(20));
    hit["non_interactive"] = json!(random.below(2) == 0);
    hit
}
