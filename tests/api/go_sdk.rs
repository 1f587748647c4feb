//! What the official client for Go puts on the wire and what it can read: it takes status 200 alone for success, sends
//! every parameter of a statistic also when it is empty, and reads counts as integers.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{Client, FIREFOX, Folder, Server};

const NOON: &str = "2026-06-10T12:00:00Z";

/// The statistics that it asks, with what some need to have anything to tell.
const STATISTICS: &[(&str, &str)] = &[
    ("duration/session", ""),
    ("duration/page", ""),
    ("utm/source", ""),
    ("utm/medium", ""),
    ("utm/campaign", ""),
    ("utm/content", ""),
    ("utm/term", ""),
    ("total", ""),
    ("visitor", ""),
    ("page", ""),
    ("page/entry", ""),
    ("page/exit", ""),
    ("goals", ""),
    ("events", ""),
    ("event/meta", "&event=Order&event_meta_key=amount"),
    ("event/page", "&event=Order"),
    ("event/list", ""),
    ("growth", ""),
    ("active", ""),
    ("hours", ""),
    ("language", ""),
    ("referrer", ""),
    ("channel", ""),
    ("os", ""),
    ("os/version", ""),
    ("browser", ""),
    ("browser/version", ""),
    ("country", ""),
    ("region", ""),
    ("city", ""),
    ("platform", ""),
    ("screen", ""),
    ("tags", ""),
    ("tag/details", "&tag=author"),
    ("keywords", ""),
];

/// What another service would have to tell.
const EMPTY: &[&str] = &["keywords"];

#[test]
fn empty_parameters_are_as_good_as_none() {
    let (_server, mut client) = start();
    send_a_visit(&mut client);
    let id = client.site.id.clone();
    let mut problems = Vec::new();
    for (statistic, more) in STATISTICS {
        let path = format!("/api/v1/statistics/{statistic}");
        let all = get(
            &mut client,
            &format!(
                "{path}?custom_metric_key=&custom_metric_type=&direction=&from=2026-06-10&id={id}\
                 &include_avg_time_on_page=false&limit=0&offset=0&platform=&scale=&search=&sort=&to=2026-06-10&tz={more}"
            ),
        );
        if all.status != 200 {
            problems.push(format!("{statistic}: {all:?}"));
            continue;
        }
        let answer = all.json();
        let least = get(&mut client, &format!("{path}?id={id}&from=2026-06-10&to=2026-06-10{more}")).json();
        assert_eq!(answer, least, "{statistic}");
        let is_empty = answer.as_array().is_some_and(Vec::is_empty);
        assert_eq!(is_empty, EMPTY.contains(statistic), "{statistic}: {answer}");
        problems.extend(unreadable(&answer, statistic, ""));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_domain_can_be_read() {
    let (_server, mut client) = start();
    let domains = get(&mut client, "/api/v1/domain");
    assert_eq!(domains.status, 200, "{domains:?}");
    let domains = domains.json();
    assert_eq!(domains.as_array().map(Vec::len), Some(1), "{domains}");
    assert_eq!(unreadable(&domains, "domain", ""), Vec::<String>::new());
}

/// In a handler of Go's server the URL of a request is its path and query.
#[test]
fn a_page_may_be_named_without_its_host() {
    let (_server, mut client) = start();
    send(&mut client, "hit", page_view("/prices?utm_source=letter", NOON));
    let mut event = page_view("/prices", NOON);
    event["event_name"] = json!("Order");
    event["event_duration"] = json!(0);
    event["event_meta"] = Value::Null;
    send(&mut client, "event", event);
    send(&mut client, "session", page_view("/prices", NOON));
    let day = "from=2026-06-10&to=2026-06-10";
    assert_eq!(client.statistics("page", day)[0]["path"], "/prices");
    assert_eq!(client.statistics("utm/source", day)[0]["utm_source"], "letter");
    assert_eq!(client.statistics("total", &format!("{day}&hostname=go.test"))["views"], 1);
}

/// What it would not read into its types: counts are integers, times are RFC 3339 or null.
fn unreadable(value: &Value, at: &str, member: &str) -> Vec<String> {
    let fails = |what: &str| vec![format!("{at}.{member} is {value}, which is no {what}")];
    let is_share = ["_rate", "_growth", "_avg", "_total"].iter().any(|end| member.ends_with(end))
        || member.starts_with("relative_")
        || ["cr", "ctr", "position"].contains(&member);
    let is_time =
        ["day", "week", "month", "year", "def_time", "mod_time", "statistics_start"].contains(&member);
    match value {
        Value::Array(items) => items.iter().flat_map(|item| unreadable(item, at, member)).collect(),
        Value::Object(members) => {
            members.iter().flat_map(|(name, item)| unreadable(item, at, name)).collect()
        }
        Value::Number(number) if is_time || !(is_share || number.is_u64() || number.is_i64()) => {
            fails("integer")
        }
        Value::String(text) if is_time && text.parse::<jiff::Timestamp>().is_err() => fails("time"),
        _ => Vec::new(),
    }
}

fn send_a_visit(client: &mut Client) {
    send(client, "hit", page_view("https://go.test/?utm_source=letter", NOON));
    send(client, "hit", page_view("https://go.test/prices", "2026-06-10T12:00:31Z"));
    let mut event = page_view("https://go.test/prices", "2026-06-10T12:00:45Z");
    event["event_name"] = json!("Order");
    event["event_duration"] = json!(3);
    event["event_meta"] = json!({"amount": "19.5"});
    send(client, "event", event);
    // Now, for the active visitors.
    send(client, "hit", page_view("https://go.test/", crate::support::NOW));
}

/// Every member is there; `Hostname` is a member without a spelling of its own. The client sends no time.
fn page_view(url: &str, time: &str) -> Value {
    json!({
        "Hostname": "", "url": url, "ip": "198.51.100.1:51234", "user_agent": FIREFOX, "accept_language": "en",
        "sec_ch_ua": "", "sec_ch_ua_mobile": "", "sec_ch_ua_platform": "", "sec_ch_ua_platform_version": "",
        "sec_ch_width": "", "sec_ch_viewport_width": "", "title": "", "referrer": "", "screen_width": 0,
        "screen_height": 0, "tags": {"author": "ada"}, "time": time,
    })
}

/// A POST says nothing of its content's type.
fn send(client: &mut Client, route: &str, body: Value) {
    let request = Request::post(&format!("/api/v1/{route}"), &client.token).body(body.to_string());
    let response = client.connection.send(&request);
    assert_eq!((response.status, response.text().as_str()), (200, ""), "{route} {body}: {response:?}");
}

fn get(client: &mut Client, target: &str) -> Response {
    let request = Request::get(target, &client.token).header("Content-Type", "application/json");
    client.connection.send(&request)
}

fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("go.test");
    folder.run_json(&["goal", "create", "Buyers", "--event", "Order", "--visitor-goal", "9", "--json"]);
    let server = folder.start(&[]);
    let client = server.log_in(&site);
    (server, client)
}
