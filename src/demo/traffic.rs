//! Made-up visits: the same for the same day, with a rhythm of the day and the week, and a few campaigns.

use std::net::{IpAddr, Ipv4Addr};

use hitstone_engine::units::{DAY_MS, TimestampMs};

use crate::hit::{BotFilter, Campaign, ClientHints, CustomEvent, Hit, HitKind};

/// Visits on an ordinary weekday.
const VISITS: u64 = 320;
/// Visitors who come back are drawn from so many.
const REGULARS: u64 = 2_000;

/// Weight, path, title.
const PAGES: &[(u32, &str, &str)] = &[
    (30, "/", "Tea & Co"),
    (16, "/blog/first-flush", "The first flush"),
    (12, "/shop", "Shop"),
    (9, "/shop/darjeeling", "Darjeeling"),
    (8, "/shop/sencha", "Sencha"),
    (8, "/pricing", "Pricing"),
    (7, "/blog/water", "On water"),
    (5, "/about", "About us"),
    (3, "/contact", "Contact"),
    (2, "/cart", "Your cart"),
];

/// Weight, the entry's query, referrer.
const SOURCES: &[(u32, &str, &str)] = &[
    (34, "", ""),
    (26, "", "https://www.google.com/"),
    (6, "", "https://duckduckgo.com/"),
    (5, "", "https://www.bing.com/"),
    (6, "", "https://news.ycombinator.com/item"),
    (4, "", "https://www.reddit.com/r/tea"),
    (4, "", "https://t.co/abc"),
    (6, "?utm_source=newsletter&utm_medium=email&utm_campaign=spring", ""),
    (5, "?utm_source=google&utm_medium=cpc&utm_campaign=brand&utm_term=green+tea", "https://www.google.com/"),
    (
        4,
        "?utm_source=instagram&utm_medium=social&utm_campaign=spring&utm_content=story",
        "https://l.instagram.com/",
    ),
];

/// Weight, first two bytes of an address, language.
const PLACES: &[(u32, [u8; 2], &str)] = &[
    (28, [73, 1], "en-US,en;q=0.9"),
    (18, [84, 150], "de-DE,de;q=0.9,en;q=0.5"),
    (14, [86, 150], "en-GB,en;q=0.9"),
    (10, [90, 20], "fr-FR,fr;q=0.9"),
    (6, [126, 10], "ja"),
    (6, [49, 36], "en-IN,en;q=0.9,hi;q=0.8"),
    (5, [177, 40], "pt-BR,pt;q=0.9"),
    (5, [99, 230], "en-CA,en;q=0.9,fr;q=0.6"),
    (4, [1, 130], "en-AU,en;q=0.9"),
    (4, [83, 40], "es-ES,es;q=0.9"),
];

/// Weight, user agent, width of the screen.
const BROWSERS: &[(u32, &str, u32)] = &[
    (
        28,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
        1920,
    ),
    (10, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", 2560),
    (
        14,
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
        1440,
    ),
    (
        22,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
        390,
    ),
    (
        16,
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36",
        412,
    ),
    (5, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 1920),
    (
        5,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0",
        1536,
    ),
];

/// Weight of each hour of a day, UTC.
const HOURS: [u32; 24] = [3, 2, 2, 2, 2, 3, 5, 7, 9, 10, 10, 10, 9, 10, 11, 11, 11, 10, 10, 10, 9, 8, 6, 4];

/// SplitMix64: small, fast, good enough to look like chance.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// A place in a list of weights.
    fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let mut left = self.below(weights.clone().map(u64::from).sum());
        for (at, weight) in weights.enumerate() {
            match left.checked_sub(u64::from(weight)) {
                Some(rest) => left = rest,
                None => return at,
            }
        }
        0
    }
}

/// One visitor: where they are and what they use.
struct Visitor {
    ip: IpAddr,
    language: &'static str,
    user_agent: &'static str,
    screen_width: u32,
}

/// The hits of one UTC day (days since 1970) up to `now`, in the order of their times.
pub fn day(day: i64, now: TimestampMs) -> Vec<Hit> {
    let mut chance = Chance(day as u64);
    // Day 0 was a Thursday.
    let is_weekend = matches!((day + 3).rem_euclid(7), 5 | 6);
    let usual = if is_weekend { VISITS * 6 / 10 } else { VISITS };
    let visits = usual * (85 + chance.below(31)) / 100;
    let mut hits = Vec::new();
    for _ in 0..visits {
        let hour = chance.weighted(HOURS.iter().copied()) as i64;
        let start = day * DAY_MS + hour * 3_600_000 + chance.below(3_600_000) as i64;
        visit(&mut chance, start, &mut hits);
    }
    hits.retain(|hit| hit.time.is_some_and(|time| time <= now));
    hits.sort_by_key(|hit| hit.time);
    hits
}

fn visit(chance: &mut Chance, start: TimestampMs, hits: &mut Vec<Hit>) {
    let visitor = visitor(chance.below(REGULARS));
    let (_, query, referrer) = pick(SOURCES, chance.weighted(SOURCES.iter().map(|source| source.0)));
    let mut time = start;
    let mut query = query;
    let mut referrer = referrer;
    loop {
        let (_, path, title) = pick(PAGES, chance.weighted(PAGES.iter().map(|page| page.0)));
        hits.push(page_view(&visitor, time, &format!("{path}{query}"), title, referrer));
        (query, referrer) = ("", "");
        if let Some((name, meta)) = custom_event(chance, path) {
            let event = CustomEvent {
                name: name.into(),
                duration: chance.below(90) as u32,
                meta,
                non_interactive: false,
            };
            let kind = HitKind::Event(event);
            hits.push(Hit { kind, ..page_view(&visitor, time + 4_000, path, title, "") });
        }
        if chance.percent(45) {
            return;
        }
        time += 8_000 + chance.below(150_000) as i64;
    }
}

fn custom_event(chance: &mut Chance, path: &str) -> Option<(&'static str, Vec<(String, String)>)> {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    if path.starts_with("/shop/") && chance.percent(30) {
        let grams = ["50", "100", "250"][chance.below(3) as usize];
        return Some((
            "Add to cart",
            vec![pair("product", path.trim_start_matches("/shop/")), pair("grams", grams)],
        ));
    }
    if path == "/cart" && chance.percent(50) {
        let payment = ["card", "invoice", "transfer"][chance.below(3) as usize];
        return Some(("Purchase", vec![pair("payment", payment)]));
    }
    (path == "/contact" && chance.percent(40)).then(|| ("Newsletter", vec![pair("place", "footer")]))
}

/// The `number`th regular: always the same.
fn visitor(number: u64) -> Visitor {
    let mut chance = Chance(number ^ 0x7ea);
    let (_, [a, b], language) = pick(PLACES, chance.weighted(PLACES.iter().map(|place| place.0)));
    let (_, user_agent, screen_width) =
        pick(BROWSERS, chance.weighted(BROWSERS.iter().map(|browser| browser.0)));
    let (c, d) = (chance.below(250) as u8, chance.below(250) as u8);
    Visitor { ip: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), language, user_agent, screen_width }
}

fn pick<T: Copy>(list: &[T], at: usize) -> T {
    list[at]
}

fn page_view(visitor: &Visitor, time: TimestampMs, path: &str, title: &str, referrer: &str) -> Hit {
    Hit {
        kind: HitKind::PageView,
        url: format!("https://{}{path}", super::HOST),
        ip: visitor.ip,
        user_agent: visitor.user_agent.into(),
        accept_language: visitor.language.into(),
        referrer: referrer.into(),
        campaign: Campaign::default(),
        title: title.into(),
        screen_width: visitor.screen_width,
        hints: ClientHints::default(),
        dnt: false,
        prefetch: false,
        tags: tags(path),
        time: Some(time),
        bot_filter: BotFilter::All,
        disable_host_check: false,
        status: None,
        event_id: String::new(),
        given_visitor: None,
        source: "pirsch",
    }
}

/// What a page is tagged with.
fn tags(path: &str) -> Vec<(String, String)> {
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    match path.split('/').nth(1) {
        Some("blog") => {
            let author = if path.ends_with("water") { "Ada" } else { "Linus" };
            vec![tag("section", "blog"), tag("author", author)]
        }
        Some("shop" | "cart") => vec![tag("section", "shop")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_always_the_same_and_never_ahead() {
        let noon = 20_000 * DAY_MS + DAY_MS / 2;
        let hits = day(20_000, noon);
        assert_eq!(hits, day(20_000, noon));
        assert!(hits.len() > 100 && hits.len() < 2_000, "{}", hits.len());
        assert!(hits.iter().all(|hit| hit.time.is_some_and(|time| time <= noon && time >= 20_000 * DAY_MS)));
        assert!(day(20_000, noon + DAY_MS).len() > hits.len());
        assert!(hits.iter().any(|hit| matches!(hit.kind, HitKind::Event(_))));
        assert!(hits.iter().any(|hit| hit.tags.iter().any(|(key, _)| key == "author")));
    }
}
