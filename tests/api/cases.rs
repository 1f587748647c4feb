//! The worked cases of `cases.txt`, over real sockets: each site is filled by batches, then asked.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::http::encode;
use crate::support::mmdb;
use crate::support::{Client, FIREFOX, Folder, Server, has_test_clock, skip_without_test_clock};

const TABLE: &str = include_str!("cases.txt");
const TOLERANCE: f64 = 0.001;

const USER_AGENTS: &[(&str, &str)] = &[
    (
        "chrome-windows",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ),
    (
        "chrome-android",
        "Mozilla/5.0 (Linux; Android 14; Pixel 6a) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36",
    ),
    (
        "chrome-chromeos",
        "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ),
    (
        "edge-windows",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.87",
    ),
    ("firefox-mac", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:127.0) Gecko/20100101 Firefox/127.0"),
    (
        "safari-mac",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    ),
];

/// Members that every row of an answer has, with or without a value of interest.
const MEMBERS: &[(&str, &str)] = &[
    ("visitor", "day visitors views sessions bounces bounce_rate"),
    ("total", "visitors views sessions bounces bounce_rate cr"),
    (
        "page",
        "path title visitors views sessions bounces relative_visitors relative_views bounce_rate average_time_spent_seconds",
    ),
    ("page/entry", "path title visitors sessions entries entry_rate average_time_spent_seconds"),
    ("page/exit", "path title visitors sessions exits exit_rate"),
    ("duration/session", "day average_time_spent_seconds"),
    ("duration/page", "day path average_time_spent_seconds"),
    ("utm/source", "visitors relative_visitors utm_source"),
    ("utm/medium", "visitors relative_visitors utm_medium"),
    ("utm/campaign", "visitors relative_visitors utm_campaign"),
    ("utm/content", "visitors relative_visitors utm_content"),
    ("utm/term", "visitors relative_visitors utm_term"),
    (
        "referrer",
        "referrer referrer_name referrer_icon visitors sessions relative_visitors bounces bounce_rate",
    ),
    ("os", "visitors relative_visitors os"),
    ("os/version", "visitors relative_visitors os os_version"),
    ("browser", "visitors relative_visitors browser"),
    ("browser/version", "visitors relative_visitors browser browser_version"),
    ("country", "visitors relative_visitors country_code country"),
    ("city", "visitors relative_visitors city"),
    ("language", "visitors relative_visitors language"),
    ("screen", "visitors relative_visitors screen_class"),
    (
        "platform",
        "platform_desktop platform_mobile platform_unknown relative_platform_desktop relative_platform_mobile relative_platform_unknown",
    ),
    ("hours", "hour visitors"),
    ("events", "name visitors views cr average_duration_seconds meta_keys"),
    ("event/meta", "name visitors views cr average_duration_seconds meta_value"),
    ("event/list", "name meta visitors count"),
    ("goals", "page_goal stats"),
    ("tags", "key visitors views relative_visitors relative_views"),
    ("tag/details", "key value visitors views relative_visitors relative_views"),
    ("growth", "visitors_growth views_growth sessions_growth bounces_growth time_spent_growth"),
    ("active", "stats visitors"),
];

/// Members that clients read into integers: never with a decimal point.
const INTEGERS: &str = "visitors views sessions bounces entries exits hour average_time_spent_seconds \
    average_duration_seconds platform_desktop platform_mobile platform_unknown count";

#[test]
fn worked_cases() {
    let sites = parse(TABLE);
    let names: BTreeSet<&str> =
        sites.iter().flat_map(|site| &site.asks).map(|ask| ask.case.as_str()).collect();
    let (own, given): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| name.starts_with("own-"));

    let mut failures = Vec::new();
    let (timeless, timed): (Vec<&Site>, Vec<&Site>) = sites.iter().partition(|site| site.now.is_none());
    // Once in one open segment, once in many small sealed ones.
    for seal_rows in ["100000", "20"] {
        run_in_time("2026-07-01T12:00:00Z", seal_rows, &timeless, &mut failures);
        for site in timed.iter().filter(|_| has_test_clock()) {
            run_in_time(site.now.as_deref().unwrap_or_default(), seal_rows, &[site], &mut failures);
        }
    }
    let timed_asks = timed.iter().flat_map(|site| &site.asks);
    let skipped = timed_asks.filter(|ask| skip_without_test_clock(&ask.case)).count();
    assert!(failures.is_empty(), "{} answers differ\n\n{}", failures.len(), failures.join("\n\n"));
    println!(
        "worked cases: {} of the reference and {} of our own hold, {skipped} skipped",
        given.len(),
        own.len()
    );
    assert_eq!(given.len(), 73, "the worked cases of the reference that are in the table");
}

/// The parser of expectations must not let a wrong answer pass.
#[test]
fn a_wrong_answer_is_noticed() {
    let sites =
        parse("site a\n  1 06-10T00:00:00 view /\nask x page from=d to=d\n  = path=/ visitors=2 rate=0.5\n");
    let ask = &sites[0].asks[0];
    let row =
        |path: &str, visitors: Value, rate: f64| json!({ "path": path, "visitors": visitors, "rate": rate });
    for (what, answer, wanted) in [
        ("equal", json!([row("/", json!(2), 0.5001)]), true),
        ("another text", json!([row("/a", json!(2), 0.5)]), false),
        ("another number", json!([row("/", json!(3), 0.5)]), false),
        ("a number as text", json!([row("/", json!("2"), 0.5)]), false),
        ("another rate", json!([row("/", json!(2), 0.51)]), false),
        ("no row", json!([]), false),
        ("one row more", json!([row("/", json!(2), 0.5), row("/", json!(2), 0.5)]), false),
        ("null instead of a list", Value::Null, false),
    ] {
        assert_eq!(differences(ask, &answer).is_empty(), wanted, "{what}: {answer}");
    }
}

fn run_in_time(now: &str, seal_rows: &str, sites: &[&Site], failures: &mut Vec<String>) {
    let folder = Folder::new();
    folder.set_clock(now);
    let places = folder.beside("places.mmdb");
    std::fs::write(&places, places_database()).expect("writing the database of places");
    let sites: Vec<_> =
        sites.iter().map(|site| (*site, folder.create_site(&format!("{}.test", site.name)))).collect();
    let server =
        folder.start(&["--seal-rows", seal_rows, "--geo-db", places.to_str().expect("a UTF-8 path")]);
    for (site, account) in &sites {
        run_site(site, &mut server.log_in(account), failures);
    }
    check_restart(server, &sites, failures);
}

/// A database of the networks that the table names.
fn places_database() -> Vec<u8> {
    mmdb::Writer::new("Test-City")
        .with("81.2.69.0/24", &mmdb::nested("GB", "England", "ENG", "London"))
        .with("91.0.0.0/16", &mmdb::nested("DE", "Berlin", "BE", "Berlin"))
        .with("91.1.0.0/16", &mmdb::nested("DE", "", "", ""))
        .with("133.0.0.0/16", &mmdb::nested("JP", "Tokyo", "13", "Tokyo"))
        .with("2a02:c7f::/32", &mmdb::nested("GB", "", "", ""))
        .bytes()
}

fn run_site(site: &Site, client: &mut Client, failures: &mut Vec<String>) {
    for (name, members) in &site.goals {
        let mut goal = json!({"domain_id": client.site.id, "name": name});
        members.iter().for_each(|(key, value)| goal[key] = json!(value));
        client.post_ok("/api/v1/goal", &goal);
    }
    for (route, items) in batches(site, &client.site.hostname) {
        client.post_ok(&format!("/api/v1/{route}/batch"), &Value::Array(items));
    }
    ask_all(site, client, failures, "");
}

/// The answers are the same after a restart.
fn check_restart(server: Server, sites: &[(&Site, crate::support::Site)], failures: &mut Vec<String>) {
    let server = server.stop().start(&[]);
    for (site, account) in sites {
        ask_all(site, &mut server.log_in(account), failures, " after a restart");
    }
}

fn ask_all(site: &Site, client: &mut Client, failures: &mut Vec<String>, when: &str) {
    for ask in &site.asks {
        let response = client.statistics_response(&ask.endpoint, &ask.query);
        let problems = match response.status {
            200 => {
                let answer = response.json();
                let problems = [shape_problems(&ask.endpoint, &answer), differences(ask, &answer)].concat();
                if problems.is_empty() {
                    problems
                } else {
                    [problems, vec![format!("answer: {answer}")]].concat()
                }
            }
            _ => vec![format!("{response:?}")],
        };
        if !problems.is_empty() {
            let name = &ask.case;
            failures.push(format!(
                "{name}{when}: {}?{}\n  {}",
                ask.endpoint,
                ask.query,
                problems.join("\n  ")
            ));
        }
    }
}

/// What the answer's form lacks: members, integers that are integers.
fn shape_problems(endpoint: &str, answer: &Value) -> Vec<String> {
    let members = MEMBERS.iter().find(|entry| entry.0 == endpoint).map_or("", |entry| entry.1);
    let rows = answer.as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    let mut problems = Vec::new();
    for row in &rows {
        let missing = members.split_whitespace().filter(|member| row.get(*member).is_none());
        problems.extend(missing.map(|member| format!("no member {member:?} in {row}")));
        let integers = INTEGERS
            .split_whitespace()
            .filter(|member| row.get(*member).is_some_and(|v| v.as_i64().is_none()));
        problems.extend(integers.map(|member| format!("{member:?} is no integer in {row}")));
    }
    problems
}

/// In what an answer differs from what is expected.
fn differences(ask: &Ask, answer: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    compare_members("the answer", &ask.object, answer, &mut problems);
    if let Some(rows) = &ask.rows {
        let list = if ask.object.is_empty() { answer } else { &answer["stats"] };
        let Some(list) = list.as_array() else { return vec!["no list".to_string()] };
        if list.len() != rows.len() {
            problems.push(format!("{} rows, expected {}", list.len(), rows.len()));
        }
        for (i, (row, answer)) in rows.iter().zip(list).enumerate() {
            compare_members(&format!("row {i}"), row, answer, &mut problems);
        }
    }
    problems
}

/// A member, also one of a member: `stats.visitors`.
fn member<'a>(answer: &'a Value, key: &str) -> &'a Value {
    key.split('.').fold(answer, |value, key| &value[key])
}

fn compare_members(place: &str, wanted: &Pairs, answer: &Value, problems: &mut Vec<String>) {
    for (key, wanted) in wanted {
        let equal = match member(answer, key) {
            Value::Number(number) => {
                let wanted: Option<f64> = wanted.parse().ok();
                wanted.zip(number.as_f64()).is_some_and(|(a, b)| (a - b).abs() <= TOLERANCE)
            }
            Value::String(text) => {
                text == wanted && !INTEGERS.split_whitespace().any(|integer| integer == key)
            }
            Value::Array(items) => {
                let mut texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
                texts.sort_unstable();
                format!("[{}]", texts.join(",")) == *wanted
            }
            object @ Value::Object(_) => object.to_string().replace('"', "") == *wanted,
            _ => false,
        };
        if !equal {
            problems.push(format!("{place}: {key} is {}, expected {wanted}", member(answer, key)));
        }
    }
}

// --- The table ---

type Pairs = Vec<(String, String)>;

struct Site {
    name: String,
    now: Option<String>,
    /// Words of each line; an empty line breaks the batch.
    requests: Vec<Vec<String>>,
    goals: Vec<(String, Pairs)>,
    asks: Vec<Ask>,
}

struct Ask {
    case: String,
    endpoint: String,
    query: String,
    /// Expected members of an answer that is an object.
    object: Pairs,
    /// Expected rows of the list.
    rows: Option<Vec<Pairs>>,
}

fn parse(table: &str) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let words = split_words(line);
        let rest = &words[1..];
        match (words[0].as_str(), sites.last_mut()) {
            ("site", _) => sites.push(Site {
                name: words[1].clone(),
                now: pairs(&words[2..]).into_iter().find(|pair| pair.0 == "now").map(|pair| pair.1),
                requests: Vec::new(),
                goals: Vec::new(),
                asks: Vec::new(),
            }),
            ("ask", Some(site)) => site.asks.push(parse_ask(rest)),
            ("goal", Some(site)) => site.goals.push((words[1].clone(), pairs(&words[2..]))),
            ("--", Some(site)) => site.requests.push(Vec::new()),
            (first, Some(site)) => match site.asks.last_mut() {
                None => site.requests.push(words),
                Some(ask) => parse_expectation(ask, first, rest),
            },
            (_, None) => panic!("a line before the first site: {line}"),
        }
    }
    sites
}

fn parse_ask(words: &[String]) -> Ask {
    let query: Vec<String> =
        pairs(&words[2..]).iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
    Ask {
        case: words[0].clone(),
        endpoint: words[1].clone(),
        query: query.join("&"),
        object: Vec::new(),
        rows: None,
    }
}

fn parse_expectation(ask: &mut Ask, first: &str, rest: &[String]) {
    let rows = || Vec::new();
    match first {
        "." => ask.object = pairs(rest),
        "none" => ask.rows = Some(Vec::new()),
        "=" => ask.rows.get_or_insert_with(rows).push(pairs(rest)),
        "@*" => ask.rows = Some(vec![pairs(&rest[1..]); rest[0].parse().expect("a number of rows")]),
        _ => {
            let row: usize = first.strip_prefix('@').and_then(|row| row.parse().ok()).expect("@ROW");
            ask.rows.as_mut().expect("@* comes first")[row] = pairs(rest);
        }
    }
}

fn pairs(words: &[String]) -> Pairs {
    words
        .iter()
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

/// Splits at spaces; double quotes hold words together.
fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut any) = (false, false);
    for c in line.chars().chain([' ']) {
        match c {
            '"' => (quoted, any) = (!quoted, true),
            ' ' if !quoted => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            c => word.push(c),
        }
    }
    words
}

/// The site's requests as batches: neighbours of one route go together.
fn batches(site: &Site, host: &str) -> Vec<(&'static str, Vec<Value>)> {
    let mut batches: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut fresh = true;
    for words in &site.requests {
        if words.is_empty() {
            fresh = true;
            continue;
        }
        let (route, body) = request(words, host);
        match batches.last_mut() {
            Some((last, items)) if *last == route && !fresh => items.push(body),
            _ => batches.push((route, vec![body])),
        }
        fresh = false;
    }
    batches
}

fn request(words: &[String], host: &str) -> (&'static str, Value) {
    let visitor: u32 = words[0].parse().expect("a visitor's number");
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_string(), value);
    set("ip", json!(format!("198.51.100.{}", visitor + 1)));
    set("user_agent", json!(FIREFOX));
    set("accept_language", json!("en"));
    set("time", json!(format!("2026-{}Z", words[1])));
    let (route, more) = match words[2].as_str() {
        "view" => ("hit", 4),
        "ping" => ("session", 4),
        "event" => {
            set("event_name", json!(words[3]));
            ("event", 5)
        }
        other => panic!("{other:?} is none of view, event, ping"),
    };
    set("url", json!(format!("https://{host}{}", words[more - 1])));
    let (mut meta, mut tags) = (Map::new(), Map::new());
    for (key, value) in pairs(&words[more..]) {
        let number = || json!(value.parse::<u32>().expect("a number"));
        match key.as_str() {
            "title" => set("title", json!(value)),
            "ref" => set("referrer", json!(value.replace("{host}", host))),
            "lang" => set("accept_language", json!(value)),
            "width" => set("screen_width", number()),
            "ip" => set("ip", json!(value)),
            "ua" => set("user_agent", json!(user_agent(&value))),
            "duration" => set("event_duration", number()),
            "quiet" => set("non_interactive", json!(true)),
            key => match key.split_once('.') {
                Some(("meta", key)) => meta.insert(key.to_string(), json!(value)),
                Some(("tag", key)) => tags.insert(key.to_string(), json!(value)),
                _ => panic!("unknown word {key:?} in {words:?}"),
            },
        };
    }
    for (key, map) in [("event_meta", meta), ("tags", tags)] {
        if !map.is_empty() {
            set(key, Value::Object(map));
        }
    }
    (route, Value::Object(body))
}

fn user_agent(name: &str) -> &'static str {
    USER_AGENTS.iter().find(|entry| entry.0 == name).unwrap_or_else(|| panic!("no user agent {name:?}")).1
}
