//! Requests that are never the same: new visitors all the time, of whom one in a hundred has a browser that nobody has
//! seen before, and a million pages.
//!
//! A request is a template whose slots have a fixed width; only these are written anew, so that the driver costs little.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

pub const HOST: &str = "bench.example";
/// Page views of one visit.
const VIEWS: u64 = 3;
/// Visits that go on at the same time, for requests with one event each.
const VISITS_AT_ONCE: u64 = 64;
pub const BATCH_ITEMS: usize = 100;
const PAGES: u64 = 1_000_000;
const REFERRERS: [&str; 8] = [
    "",
    "https://www.google.com/",
    "https://news.ycombinator.com/item?id=1",
    "https://github.com/explore",
    "https://duckduckgo.com/",
    "https://t.co/abc",
    "https://www.reddit.com/r/rust/",
    "https://a-partner.example/articles/2026/how-to-count",
];
const AGENTS: [Agent; 3] = [
    Agent {
        text: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.~~~~.~~~~ Safari/537.36",
        hints: Some(("?0", "\"Windows\"")),
    },
    Agent {
        text: "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.~~~~.~~~~ Mobile Safari/537.36",
        hints: Some(("?1", "\"Android\"")),
    },
    Agent {
        text: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.~~~~.~~~~",
        hints: None,
    },
];

struct Agent {
    /// With a slot in the place of the last two numbers of its version.
    text: &'static str,
    hints: Option<(&'static str, &'static str)>,
}

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// A page view as browsers send it to Prisme's route.
    Prisme,
    /// One as backends send it to Pirsch's, with the headers of the browser that they answer.
    Pirsch,
    /// A hundred of them.
    PirschBatch,
}

impl Route {
    pub fn name(self) -> &'static str {
        match self {
            Route::Prisme => "single, Prisme's route",
            Route::Pirsch => "single, Pirsch's route",
            Route::PirschBatch => "batches of 100",
        }
    }

    /// Events of one request.
    pub fn events(self) -> usize {
        if self == Route::PirschBatch { BATCH_ITEMS } else { 1 }
    }
}

/// What stands in a slot; in templates a character repeated, which stands nowhere else.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Page,
    PageBefore,
    Address,
    Version,
    Time,
}

const SLOTS: [(&str, Slot); 5] = [
    ("^^^^^^^", Slot::Page),
    ("```````", Slot::PageBefore),
    ("@@@.@@@.@@@.@@@", Slot::Address),
    ("~~~~.~~~~", Slot::Version),
    ("%%%%-%%-%%T%%:%%:%%Z", Slot::Time),
];

struct Template {
    bytes: Vec<u8>,
    /// Where which slots of each item begin.
    items: Vec<Vec<(usize, Slot)>>,
}

impl Template {
    fn of(head: &str, items: &[String], between: &str, end: &str) -> Self {
        let mut text = head.to_owned();
        let mut slots = Vec::new();
        for (index, item) in items.iter().enumerate() {
            text.push_str(if index > 0 { between } else { "" });
            slots.push(slots_of(item, text.len()));
            text.push_str(item);
        }
        text.push_str(end);
        Self { bytes: text.into_bytes(), items: slots }
    }
}

fn slots_of(item: &str, start: usize) -> Vec<(usize, Slot)> {
    let of = |(mark, slot): &(&'static str, Slot)| {
        let slot = *slot;
        item.match_indices(*mark).map(move |(at, _)| (start + at, slot)).collect::<Vec<_>>()
    };
    SLOTS.iter().flat_map(of).collect()
}

/// An endless row of requests.
pub struct Traffic {
    route: Route,
    /// By page of the visit (first or later), then by browser and referrer.
    templates: [Vec<Template>; 2],
    next: u64,
}

impl Traffic {
    /// Requests from the event with this number on.
    pub fn new(route: Route, key: &str, first: u64) -> Self {
        let templates = [true, false].map(|is_first| match route {
            Route::PirschBatch => vec![batch(key, is_first)],
            single => (0..AGENTS.len() * REFERRERS.len())
                .map(|variant| {
                    let request = request(single, key, variant, is_first);
                    Template::of("", &[request], "", "")
                })
                .collect(),
        });
        Self { route, templates, next: first }
    }

    /// Writes the next request.
    pub fn write(&mut self, request: &mut Vec<u8>) {
        let visits_at_once =
            if self.route == Route::PirschBatch { BATCH_ITEMS as u64 } else { VISITS_AT_ONCE };
        let visit_of =
            |event: u64| event / (visits_at_once * VIEWS) * visits_at_once + event % visits_at_once;
        let is_later = !(self.next / visits_at_once).is_multiple_of(VIEWS);
        let variants = &self.templates[usize::from(is_later)];
        let template = &variants[visit_of(self.next) as usize % variants.len()];
        request.clear();
        request.extend_from_slice(&template.bytes);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        for slots in &template.items {
            let (event, visit) = (self.next, visit_of(self.next));
            self.next += 1;
            for (at, slot) in slots {
                let rest = &mut request[*at..];
                match slot {
                    Slot::Page => digits(&mut rest[..7], page(event)),
                    Slot::PageBefore => digits(&mut rest[..7], page(event.wrapping_sub(visits_at_once))),
                    Slot::Address => write_address(rest, visit),
                    Slot::Version => write_version(rest, visit),
                    Slot::Time => write_time(rest, time.as_secs() as i64),
                }
            }
        }
    }
}

fn page(event: u64) -> u64 {
    mixed(event) % PAGES
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number ^ number >> 29
}

/// Another address for each of 364 million visits, spread over all networks.
fn write_address(out: &mut [u8], visit: u64) {
    let mut number = visit * 1_000_003 % (96 * 156 * 156 * 156);
    for (at, count, first) in [(12, 156, 100), (8, 156, 100), (4, 156, 100), (0, 96, 128)] {
        digits(&mut out[at..at + 3], first + number % count);
        number /= count;
    }
}

fn write_version(out: &mut [u8], visit: u64) {
    let is_new = mixed(visit).is_multiple_of(100);
    let number = if is_new { 10_000 + visit } else { visit % 40 };
    digits(&mut out[..4], number / 10_000);
    digits(&mut out[5..9], number);
}

fn write_time(out: &mut [u8], second: i64) {
    let now = jiff::Timestamp::from_second(second).expect("a time").to_zoned(jiff::tz::TimeZone::UTC);
    let parts = [(0, 4, i64::from(now.year())), (5, 2, now.month().into()), (8, 2, now.day().into())];
    let clock = [(11, 2, now.hour().into()), (14, 2, now.minute().into()), (17, 2, now.second().into())];
    for (at, width, number) in parts.into_iter().chain(clock) {
        digits(&mut out[at..at + width], number as u64);
    }
}

/// The last digits of a number, as many as there is room for.
fn digits(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Headers that a browser sends with a request to another origin.
fn browser_headers(agent: &Agent) -> String {
    let mut headers = format!(
        "Host: count.example\r\nConnection: keep-alive\r\nUser-Agent: {}\r\nAccept: */*\r\n\
         Accept-Language: en-US,en;q=0.9,de;q=0.7\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
         Origin: https://{HOST}\r\nReferer: https://{HOST}/page/^^^^^^^\r\nSec-Fetch-Site: cross-site\r\n\
         Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nX-Forwarded-For: @@@.@@@.@@@.@@@\r\n",
        agent.text
    );
    if let Some((mobile, platform)) = agent.hints {
        let _ = write!(
            headers,
            "sec-ch-ua: \"Chromium\";v=\"139\", \"Not;A=Brand\";v=\"99\"\r\nsec-ch-ua-mobile: {mobile}\r\n\
             sec-ch-ua-platform: {platform}\r\n"
        );
    }
    headers
}

/// Where a visitor came from: another site, then the page before.
fn referrer(variant: usize, is_first: bool) -> String {
    if is_first {
        REFERRERS[variant / AGENTS.len() % REFERRERS.len()].to_owned()
    } else {
        format!("https://{HOST}/page/```````")
    }
}

fn request(route: Route, key: &str, variant: usize, is_first: bool) -> String {
    let agent = &AGENTS[variant % AGENTS.len()];
    let headers = browser_headers(agent);
    if route == Route::Prisme {
        return format!(
            "POST /api/v1/events/pageviews HTTP/1.1\r\n{headers}X-Prisme-Referrer: https://{HOST}/page/^^^^^^^\r\n\
             X-Prisme-Document-Referrer: {}\r\nContent-Length: 0\r\n\r\n",
            referrer(variant, is_first)
        );
    }
    let body = item(variant, is_first, "");
    let length = body.len();
    format!(
        "POST /api/v1/hit HTTP/1.1\r\n{headers}Authorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn item(variant: usize, is_first: bool, more: &str) -> String {
    format!(
        r#"{{"url":"https://{HOST}/page/^^^^^^^","ip":"@@@.@@@.@@@.@@@","user_agent":"{}","accept_language":"en-US,en;q=0.9","title":"Page ^^^^^^^","referrer":"{}","screen_width":1920,"screen_height":1080{more}}}"#,
        AGENTS[variant % AGENTS.len()].text,
        referrer(variant, is_first)
    )
}

fn batch(key: &str, is_first: bool) -> Template {
    let more = r#","time":"%%%%-%%-%%T%%:%%:%%Z""#;
    let items: Vec<String> = (0..BATCH_ITEMS).map(|index| item(index, is_first, more)).collect();
    let length = items.iter().map(String::len).sum::<usize>() + BATCH_ITEMS - 1 + "[]".len();
    let head = format!(
        "POST /api/v1/hit/batch HTTP/1.1\r\nHost: count.example\r\nUser-Agent: sdk/1.0\r\nAccept: */*\r\n\
         Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n["
    );
    Template::of(&head, &items, ",", "]")
}
