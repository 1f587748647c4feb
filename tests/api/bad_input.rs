//! What cannot be counted is answered with 400 and the reason, and nothing of the request is stored.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{Client, FIREFOX, Folder, all_statistics, assert_same_statistics};

const DAY: &str = "from=2026-06-01&to=2026-06-30";

/// A bad request: the members that differ from a good one (null takes one away), and which member is named.
struct Bad {
    what: &'static str,
    route: &'static str,
    change: Value,
    names: &'static str,
}

fn bad(what: &'static str, route: &'static str, change: Value, names: &'static str) -> Bad {
    Bad { what, route, change, names }
}

fn bad_members() -> Vec<Bad> {
    let long = |count: usize| "x".repeat(count);
    let ahead = "2026-07-03T00:00:00Z";
    let mut table = vec![
        bad("no url", "hit", json!({"url": null}), "url"),
        bad("empty url", "hit", json!({"url": ""}), "url"),
        bad("an address without a scheme as url", "hit", json!({"url": "//example.com/path"}), "url"),
        bad("words as url", "hit", json!({"url": "not a url"}), "url"),
        bad("url without a host", "hit", json!({"url": "https://"}), "url"),
        bad("url of a script", "hit", json!({"url": "javascript:alert(1)"}), "url"),
        bad("url of a file", "hit", json!({"url": "file:///etc/passwd"}), "url"),
        bad("over-long url", "hit", json!({"url": format!("https://bad.test/{}", long(8 * 1024))}), "url"),
        bad("number as url", "hit", json!({"url": 5}), "url"),
        bad("list as url", "hit", json!({"url": ["https://bad.test/"]}), "url"),
        bad("number as title", "hit", json!({"title": 7}), "title"),
        bad("number as referrer", "hit", json!({"referrer": 7}), "referrer"),
        bad("number as language", "hit", json!({"accept_language": 7}), "accept_language"),
        bad("word as width", "hit", json!({"screen_width": "wide"}), "screen_width"),
        bad("negative width", "hit", json!({"screen_width": -1}), "screen_width"),
        bad("broken width", "hit", json!({"screen_width": 1.5}), "screen_width"),
        bad("text as tags", "hit", json!({"tags": "a"}), "tags"),
        bad("list as tags", "hit", json!({"tags": ["a"]}), "tags"),
        bad("no event_name", "event", json!({"event_name": null}), "event_name"),
        bad("number as event_name", "event", json!({"event_name": 5}), "event_name"),
        bad("word as duration", "event", json!({"event_duration": "long"}), "event_duration"),
        bad("negative duration", "event", json!({"event_duration": -1}), "event_duration"),
        bad("text as metadata", "event", json!({"event_meta": "a"}), "event_meta"),
        bad("list as metadata", "event", json!({"event_meta": [1]}), "event_meta"),
        bad("over-long key", "event", json!({"event_meta": {(long(101)): "a"}}), "event_meta"),
        bad("word as flag", "event", json!({"non_interactive": "perhaps"}), "non_interactive"),
    ];
    for route in ["hit", "event", "session"] {
        table.extend([
            bad("no ip", route, json!({"ip": null}), "ip"),
            bad("empty ip", route, json!({"ip": ""}), "ip"),
            bad("ip above 255", route, json!({"ip": "999.1.1.1"}), "ip"),
            bad("ip of three parts", route, json!({"ip": "1.2.3"}), "ip"),
            bad("name as ip", route, json!({"ip": "example.com"}), "ip"),
            bad("object as ip", route, json!({"ip": {}}), "ip"),
            bad("no user agent", route, json!({"user_agent": null}), "user_agent"),
            bad("list as user agent", route, json!({"user_agent": []}), "user_agent"),
            bad("word as time", route, json!({"time": "yesterday"}), "time"),
            bad("a month 13", route, json!({"time": "2026-13-01T00:00:00Z"}), "time"),
            bad("a 30th of February", route, json!({"time": "2026-02-30T00:00:00Z"}), "time"),
            bad("number as time", route, json!({"time": 5}), "time"),
            bad("a time before 2000", route, json!({"time": "1999-12-31T23:59:59Z"}), "time"),
            bad("a time of the year 9999", route, json!({"time": "9999-12-31T23:59:59Z"}), "time"),
        ]);
        if crate::support::has_test_clock() {
            table.push(bad("a time a day and more ahead", route, json!({"time": ahead}), "time"));
        }
    }
    table
}

/// Bodies that are no JSON, or not the JSON of a request.
fn bad_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let deep_list = "[".repeat(200_000);
    let deep_member = format!("{{\"url\":\"https://bad.test/\",\"x\":{}", "{\"x\":".repeat(100_000));
    vec![
        ("nothing", Vec::new()),
        ("an open brace", b"{".to_vec()),
        ("a member without a value", b"{\"url\":}".to_vec()),
        ("a number", b"5".to_vec()),
        ("a word", b"hit".to_vec()),
        ("null", b"null".to_vec()),
        ("a text", b"\"https://bad.test/\"".to_vec()),
        ("bytes that are no UTF-8", b"{\"url\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate", br#"{"url":"\ud800"}"#.to_vec()),
        ("something after the end", b"{} {}".to_vec()),
        ("a list 200,000 deep", deep_list.into_bytes()),
        ("an object 100,000 deep", deep_member.into_bytes()),
        ("zero bytes", vec![0; 1000]),
        ("a form", b"url=https%3A%2F%2Fbad.test%2F&ip=1.2.3.4".to_vec()),
    ]
}

#[test]
fn bad_members_are_named_and_nothing_is_stored() {
    let (mut server, mut client) = start();
    let before = all_statistics(&mut client, DAY);
    for case in bad_members() {
        let what = format!("{} in {}: {}", case.what, case.route, case.change);
        let body = good_body(case.route, &case.change);
        let response = client.post(&format!("/api/v1/{}", case.route), &body);
        assert_refused(&what, &response, 400);
        assert!(names_member(&response, case.names), "{what}: {:?} is not named in {response:?}", case.names);
        if case.change[case.names].is_null() {
            let validation = &response.json()["validation"][case.names];
            assert!(validation.is_string(), "{what}: a missing member belongs in `validation`: {response:?}");
        }
    }
    assert_same_statistics("after bad requests", &before, &all_statistics(&mut client, DAY));
    server.assert_alive();
}

#[test]
fn a_bad_item_is_named_and_fails_its_whole_batch() {
    let (_server, mut client) = start();
    let before = all_statistics(&mut client, DAY);
    let no_time =
        ["hit", "event", "session"].map(|route| bad("no time", route, json!({"time": null}), "time"));
    for case in bad_members().into_iter().chain(no_time) {
        let what = format!("{} in item 2 of a batch of {}: {}", case.what, case.route, case.change);
        let good = good_body(case.route, &json!({}));
        let batch = json!([good, good, good_body(case.route, &case.change), good]);
        let response = client.post(&format!("/api/v1/{}/batch", case.route), &batch);
        assert_refused(&what, &response, 400);
        assert!(names_member(&response, case.names), "{what}: {:?} is not named in {response:?}", case.names);
        assert!(response.text().contains('2'), "{what}: the item is not named in {response:?}");
    }
    for (what, batch) in [
        ("an object", good_body("hit", &json!({}))),
        ("a number among items", json!([good_body("hit", &json!({})), 5])),
        ("a list of lists", json!([[]])),
    ] {
        assert_refused(what, &client.post("/api/v1/hit/batch", &batch), 400);
    }
    assert_same_statistics("after bad batches", &before, &all_statistics(&mut client, DAY));
}

#[test]
fn what_is_no_json_is_refused() {
    let (mut server, mut client) = start();
    let before = all_statistics(&mut client, DAY);
    for (what, body) in bad_bodies() {
        for route in ["hit", "event", "session", "hit/batch", "event/batch", "session/batch", "token"] {
            let request = Request::post(&format!("/api/v1/{route}"), &client.token).body(body.clone());
            let response = server.send(&request);
            assert_refused(&format!("{what} to {route}"), &response, 400);
        }
    }
    assert_same_statistics("after bodies that are no JSON", &before, &all_statistics(&mut client, DAY));
    server.assert_alive();
}

#[test]
fn what_is_too_large_is_refused() {
    let (mut server, mut client) = start();
    let before = all_statistics(&mut client, DAY);
    let title = "x".repeat(2 << 20);
    let response = server
        .send(&Request::post("/api/v1/hit", &client.token).json(&good_body("hit", &json!({"title": title}))));
    assert_refused("a body of 2 MiB", &response, 413);

    // The length is announced, the body never sent: the answer must not wait for it.
    let mut connection = server.connect();
    let head = format!(
        "POST /api/v1/hit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 99999999999\r\n\r\n",
        client.token
    );
    connection.write(head.as_bytes()).expect("writing the head");
    assert_eq!(connection.read_response().expect("an answer").status, 413, "an announced length of 100 GB");

    let items: Vec<Value> = vec![good_body("hit", &json!({"title": null})); 5_001];
    let response = client.post("/api/v1/hit/batch", &Value::Array(items));
    assert!([400, 413].contains(&response.status), "a batch of 5,001 items: {response:?}");

    let header = "x".repeat(1 << 20);
    let mut connection = server.connect();
    let request = Request::get("/api/v1/healthcheck", "").header("X-Large", &header);
    let _ = connection.write(&request.to_bytes());
    if let Ok(response) = connection.read_response() {
        assert_eq!(response.status, 431, "a header of 1 MiB: {response:?}");
    }

    assert_same_statistics("after requests that are too large", &before, &all_statistics(&mut client, DAY));
    server.assert_alive();
}

/// Long titles and paths are no error: a visit is worth more than its title.
#[test]
fn long_texts_are_cut() {
    let (_server, mut client) = start();
    let long = "ü".repeat(3_000);
    let url = format!("https://bad.test/{}", "y".repeat(5_000));
    let body = good_body(
        "hit",
        &json!({"title": long, "url": url, "referrer": format!("https://a.example/{long}")}),
    );
    client.post_ok("/api/v1/hit", &body);
    let pages = client.statistics("page", &format!("{DAY}&include_title=true"));
    let cut = pages.as_array().and_then(|pages| pages.iter().find(|page| page["path"] != "/")).cloned();
    let cut = cut.unwrap_or_else(|| panic!("the long page is not in {pages}"));
    let (title, path) = (cut["title"].as_str().unwrap_or(""), cut["path"].as_str().unwrap_or(""));
    assert!(!title.is_empty() && title.chars().all(|c| c == 'ü') && title.len() < 6_000, "title {title:?}");
    assert!(path.starts_with("/yyy") && path.len() < 5_001, "path of {} bytes", path.len());
}

fn start() -> (crate::support::Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("bad.test");
    let server = folder.start(&[]);
    let mut client = server.log_in(&site);
    client.post_ok("/api/v1/hit", &good_body("hit", &json!({})));
    (server, client)
}

/// A body that is accepted, changed.
fn good_body(route: &str, change: &Value) -> Value {
    let mut body = json!({"ip": "198.51.100.7", "user_agent": FIREFOX, "time": "2026-06-10T12:00:00Z", "url": "https://bad.test/"});
    if route == "event" {
        body["event_name"] = json!("bought");
    }
    for (key, value) in change.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    body
}

/// The status and the form of an error.
fn assert_refused(what: &str, response: &Response, status: u16) {
    assert_eq!(response.status, status, "{what}: {response:?}");
    let body = response.json();
    let (validation, errors) = (body["validation"].as_object(), body["error"].as_array());
    let (Some(validation), Some(errors)) = (validation, errors) else {
        panic!("{what}: not `validation` and `error`: {body}")
    };
    assert!(!validation.is_empty() || !errors.is_empty(), "{what}: no reason is given: {body}");
}

/// Whether the error speaks of a member: as a key of `validation` (of an item: its last part), or in words.
fn names_member(response: &Response, member: &str) -> bool {
    let body = response.json();
    let keys = body["validation"].as_object().into_iter().flat_map(|validation| validation.keys());
    let words = body["error"].as_array().into_iter().flatten().filter_map(Value::as_str);
    keys.map(String::as_str).any(|key| key == member || key.ends_with(&format!(".{member}")))
        || words.into_iter().any(|text| text.contains(member))
}
