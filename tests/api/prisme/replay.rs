//! Requests that Prisme's own clients send, one after the other, each a minute after the one before and from an address
//! of its own: what is answered and what is then stored.

use hitstone_engine::event::Kind;
use hitstone_engine::schema::Column;
use serde_json::{Map, Value};

use super::{Row, rows};
use crate::support::http::{Request, Response};
use crate::support::{FIREFOX, Folder, Server, skip_without_test_clock};

/// One request a line: what is sent `before` it and `beside` it, its answer, and the row that is `stored`, if any.
const CASES: &str = include_str!("../../fixtures/prisme.json");
const HOSTS: [&str; 2] = ["mywebsite.localhost", "foo.mywebsite.localhost"];

#[test]
fn what_prisme_s_clients_send_is_answered_and_stored() {
    if skip_without_test_clock("what_prisme_s_clients_send_is_answered_and_stored") {
        return;
    }
    let cases: Vec<Value> = serde_json::from_str(CASES).expect("JSON");
    assert_eq!(cases.len(), 65);
    let folder = Folder::new();
    let sites: Vec<&str> = HOSTS.iter().flat_map(|host| ["--site", host]).collect();
    let server = folder.start(&[&sites[..], &["--trust-proxy"]].concat());
    for (number, case) in cases.iter().enumerate() {
        server.folder().set_clock(&time(number).to_string());
        run(&server, number, case);
    }
    let stored: Vec<Row> = HOSTS.iter().flat_map(|host| rows(server.folder(), host)).collect();
    for (number, case) in cases.iter().enumerate() {
        let at = time(number).as_millisecond();
        check(case, stored.iter().filter(|row| row.time == at).collect());
    }
}

fn time(number: usize) -> jiff::Timestamp {
    let start: jiff::Timestamp = "2026-07-02T00:00:00Z".parse().expect("a time");
    start + jiff::SignedDuration::from_mins(number as i64)
}

fn run(server: &Server, number: usize, case: &Value) {
    let ip = case["ip"].as_str().map_or_else(|| format!("198.51.100.{number}"), str::to_owned);
    for other in members(&case["before"]) {
        assert_eq!(server.send(&request(other, &ip)).status, 200, "before {case}");
    }
    let response = server.send(&request(case, &ip));
    for other in members(&case["beside"]) {
        assert_eq!(server.send(&request(other, &ip)).status, 200, "beside {case}");
    }
    assert_eq!(case["status"], response.status, "{case}\n{response:?}");
    for (name, wanted) in case["answer_headers"].as_object().unwrap_or(&Map::new()) {
        assert!(fits(&response, name, wanted.as_str().expect("a text")), "{name} of {case}\n{response:?}");
    }
    if let Some(bytes) = case["answer_bytes"].as_u64() {
        assert_eq!(response.body.len() as u64, bytes, "{case}\n{response:?}");
    }
}

fn members(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn request(case: &Value, ip: &str) -> Request {
    let text = |name: &str| case[name].as_str().unwrap_or_default();
    let request = Request::new(text("method"), text("path"), "").header("X-Forwarded-For", ip);
    let headers = case["headers"].as_object().expect("headers");
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(name, value.as_str().expect("a text")));
    let request =
        if headers.contains_key("User-Agent") { request } else { request.header("User-Agent", FIREFOX) };
    request.body(text("body"))
}

fn fits(response: &Response, name: &str, wanted: &str) -> bool {
    let Some(value) = response.header(name) else { return false };
    match wanted {
        "present" => !value.is_empty(),
        "int 1..60" => value.parse().is_ok_and(|number: u32| (1..=60).contains(&number)),
        wanted => value == wanted,
    }
}

/// Of the rows of a case's minute one is what it says; what came before and beside it is page views, also where an event
/// came before its own.
fn check(case: &Value, rows: Vec<&Row>) {
    let others = members(&case["before"]).len() + members(&case["beside"]).len();
    let is_stored =
        case["status"].as_u64().is_some_and(|status| status < 400) && case["path"] != "/static/m.js";
    let is_stored = is_stored && case["path"] != "/api/v1/healthcheck";
    assert_eq!(rows.len(), others + usize::from(is_stored), "{case}\n{rows:?}");
    let Some(wanted) = case["stored"].as_object() else { return };
    let event = rows.iter().find(|row| row.kind == Kind::Event);
    let row = event.or(rows.iter().max_by_key(|row| row.path().len())).expect("a row");
    for (name, wanted) in wanted {
        assert!(holds(row, name, wanted), "{name} of {case}\n{row:?}");
    }
    assert_eq!(row.text(Column::Source), "prisme", "{case}");
    if row.kind == Kind::PageView && !wanted.contains_key("referrer") && !wanted.contains_key("utm_source") {
        assert_eq!(row.text(Column::ReferrerName), "", "{case}\n{row:?}");
    }
}

fn holds(row: &Row, name: &str, wanted: &Value) -> bool {
    let column = match name {
        "kind" => return wanted == if row.kind == Kind::Event { "event" } else { "page_view" },
        "status" => return row.status.map(u64::from) == wanted.as_u64(),
        "given" => return row.user_key == Some(row.visitor),
        "event_meta" => {
            let found = row.meta.iter().map(|(key, value)| (key.clone(), Value::from(value.clone())));
            return found.collect::<Map<_, _>>() == *wanted.as_object().expect("an object");
        }
        "hostname" => Column::Hostname,
        "path" => Column::Path,
        "event_name" => Column::EventName,
        "referrer" => Column::Referrer,
        "utm_source" => Column::UtmSource,
        "utm_medium" => Column::UtmMedium,
        "utm_campaign" => Column::UtmCampaign,
        "utm_term" => Column::UtmTerm,
        "utm_content" => Column::UtmContent,
        "os" => Column::Os,
        "browser" => Column::Browser,
        "country" => Column::Country,
        other => panic!("{other} is no column"),
    };
    wanted == row.text(column)
}
