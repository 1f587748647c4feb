//! The same request sent again: answered with success, stored once.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{Client, FIREFOX, Folder, Server, hit_body, skip_without_test_clock};

const HOST: &str = "retry.test";
const DAY: &str = "from=2026-06-10&to=2026-06-10";
const TIME: &str = "2026-06-10T12:00:00Z";

fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start(&[]);
    let client = server.log_in(&site);
    (server, client)
}

/// The server is killed, or stopped, and started again.
fn restart(server: Server, client: Client, kill: bool) -> (Server, Client) {
    let folder = if kill { server.kill() } else { server.stop() };
    let server = folder.start(&[]);
    let client = Client { connection: server.connect(), ..client };
    (server, client)
}

fn body(path: &str, more: Value) -> Value {
    let mut body = hit_body(&format!("https://{HOST}{path}"), "198.51.100.1", json!({"time": TIME}));
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn post(client: &mut Client, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
    let request = Request::post(path, &client.token).json(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    client.connection.send(&request)
}

/// How many items were repeats.
fn repeated(response: &Response) -> usize {
    assert_eq!(response.status, 200, "{response:?}");
    response.header("X-Hitstone-Repeated").map_or(0, |count| count.parse().unwrap())
}

fn views(client: &mut Client) -> Value {
    client.statistics("total", DAY)["views"].clone()
}

fn metric(server: &Server, name: &str) -> String {
    let text = server.send(&Request::get("/metrics", "")).text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("hitstone_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

#[test]
fn a_single_call_with_an_id_is_stored_once() {
    let (mut server, mut client) = start();
    let hit = body("/a", json!({"event_id": "e-1"}));
    let event = body("/a", json!({"event_name": "Sale", "event_id": "e-2"}));
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), 0);
    assert_eq!(repeated(&post(&mut client, "/api/v1/event", &[], &event)), 0);
    for kill in [true, false, true] {
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), 1);
        assert_eq!(repeated(&post(&mut client, "/api/v1/event", &[], &event)), 1);
        // The header names the same things, on any call.
        let bare = body("/b", json!({}));
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[("X-Event-Id", " e-2 ")], &bare)), 1);
        let named = body("/b", json!({"event_id": "e-1"}));
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[("X-Event-Id", "new")], &named)), 1);
        assert_eq!(views(&mut client), 1);
        (server, client) = restart(server, client, kill);
    }
    assert_eq!(
        repeated(&post(&mut client, "/api/v1/hit", &[("X-Event-Id", "new")], &body("/b", json!({})))),
        0
    );
    let no_name = body("/c", json!({"event_id": ""}));
    for _ in 0..2 {
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[("X-Event-Id", "")], &no_name)), 0);
    }
    assert_eq!(views(&mut client), 4);
    assert_eq!(client.statistics("events", DAY)[0]["count"], 1);
    assert_eq!(
        (metric(&server, "event_ids_remembered"), metric(&server, "events_repeated_total")),
        ("3".into(), "0".into())
    );
    assert_eq!(metric(&server, "event_ids_dropped_early_total"), "0");
}

#[test]
fn of_a_batch_what_is_new_is_stored() {
    let (server, mut client) = start();
    let item = |id: &str| body(&format!("/{id}"), json!({"event_id": id}));
    let first = json!([item("1"), item("2"), item("1"), body("/none", json!({}))]);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &[], &first)), 1);
    assert_eq!(views(&mut client), 3);
    let (server, mut client) = restart(server, client, true);
    let second = json!([item("2"), item("3"), item("1")]);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &[], &second)), 2);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &[], &second)), 3);
    assert_eq!(views(&mut client), 4);
    assert_eq!(metric(&server, "events_repeated_total"), "5");
}

#[test]
fn a_request_with_a_key_is_stored_once_whatever_its_body() {
    let (server, mut client) = start();
    let key = [("Idempotency-Key", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"")];
    let batch = json!([body("/1", json!({})), body("/2", json!({})), body("/3", json!({"event_id": "3"}))]);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &key, &batch)), 0);
    let (_server, mut client) = restart(server, client, true);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &key, &batch)), 3);
    // Another body under the same key: items at the same places are repeats, those beyond are new.
    let other: Vec<Value> = (4..9).map(|n| body(&format!("/{n}"), json!({}))).collect();
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &key, &json!(other))), 3);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &key, &other[0])), 1);
    assert_eq!(views(&mut client), 5);
    // An item goes by its own id as well; and an id is no key.
    let again = body("/3", json!({"event_id": "3"}));
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &again)), 1);
    let other_key = [("Idempotency-Key", "3")];
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &other_key, &body("/9", json!({})))), 0);
    assert_eq!(views(&mut client), 6);
    let broken = client
        .connection
        .send(&Request::post("/api/v1/hit", &client.token).header("Idempotency-Key", "\u{fc}").json(&again));
    assert_eq!(broken.status, 200, "UTF-8 is fine: {broken:?}");
}

#[test]
fn what_was_refused_is_not_remembered_and_what_was_left_out_is() {
    let (server, mut client) = start();
    let good = body("/a", json!({"event_id": "1"}));
    let bad = body("/b", json!({"event_id": "2", "url": 5}));
    let key = [("Idempotency-Key", "k")];
    let response = post(&mut client, "/api/v1/hit/batch", &key, &json!([good, bad]));
    assert_eq!(response.status, 400, "{response:?}");
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit/batch", &key, &json!([good]))), 0);

    let bot = |id: &str| body("/bot", json!({"event_id": id, "user_agent": "Googlebot/2.1"}));
    let response = post(&mut client, "/api/v1/hit", &[], &bot("bot"));
    assert_eq!((repeated(&response), response.header("X-Hitstone-Rejected")), (0, Some("bot")));
    let (_server, mut client) = restart(server, client, true);
    let response = post(&mut client, "/api/v1/hit", &[], &bot("bot"));
    assert_eq!((repeated(&response), response.header("X-Hitstone-Rejected")), (1, Some("bot")));
    let person = body("/person", json!({"event_id": "bot", "user_agent": FIREFOX}));
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &person)), 1);

    let ping = body("/", json!({"event_id": "ping", "ip": "198.51.100.9"}));
    let response = post(&mut client, "/api/v1/session", &[], &ping);
    assert_eq!((repeated(&response), response.header("X-Hitstone-Rejected")), (0, Some("no-session")));
    let response = post(&mut client, "/api/v1/session", &[], &ping);
    assert_eq!((repeated(&response), response.header("X-Hitstone-Rejected")), (1, None));
    assert_eq!(views(&mut client), 1);
}

#[test]
fn each_site_has_its_own_ids() {
    let folder = Folder::new();
    let sites = ["one.test", "two.test"].map(|host| folder.create_site(host));
    let server = folder.start(&[]);
    for site in &sites {
        let mut client = server.log_in(site);
        let hit = client.hit_body("/", "198.51.100.1", json!({"time": TIME, "event_id": "same"}));
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), 0);
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), 1);
        assert_eq!(views(&mut client), 1);
    }
}

#[test]
fn ids_are_remembered_for_48_hours_and_within_the_bound() {
    if skip_without_test_clock("ids_are_remembered_for_48_hours_and_within_the_bound") {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let lifetime = ["--token-lifetime", "30d"];
    let server = folder.start(&lifetime);
    let mut client = server.log_in(&site);
    let hit = body("/", json!({"event_id": "1"}));
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), 0);
    for (now, wanted) in
        [("2026-07-03T12:00:00Z", 1), ("2026-07-03T13:00:01Z", 0), ("2026-07-03T13:00:02Z", 1)]
    {
        server.folder().set_clock(now);
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), wanted, "{now}");
    }
    let server = server.stop().start(&["--event-ids-max", "2"]);
    client.connection = server.connect();
    let item = |n: u32| body("/", json!({"event_id": n.to_string()}));
    server.folder().set_clock("2026-07-03T14:00:00Z");
    assert_eq!(
        repeated(&post(&mut client, "/api/v1/hit/batch", &[], &json!([item(1), item(2), item(3)]))),
        1
    );
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &item(1))), 0, "the oldest hour went");
    assert_eq!(metric(&server, "event_ids_dropped_early_total"), "1");
}

/// Anyone may send what browsers send, with any id: what has a token is not kept out by it, whatever became of the other.
#[test]
fn what_comes_without_a_token_repeats_nothing_that_has_one() {
    let (mut server, mut client) = start();
    let page = format!("https://{HOST}/");
    let code = client.site.identification_code.clone();
    let id = "order-1001";
    let browser = |path: &str, body: Value| {
        let request = Request::new("POST", path, "").header("User-Agent", FIREFOX).header("X-Event-Id", id);
        let request = request.header("Idempotency-Key", id).header("Origin", &format!("https://{HOST}"));
        let request = request.header("Referer", &page).header("Content-Type", "application/json");
        request.header("DNT", "1").body(body.to_string())
    };
    for (path, body) in [
        ("/hs", json!({"url": page, "id": id})),
        ("/event", json!({"url": page, "identification_code": code, "event_name": "x", "event_id": id})),
        ("/api/v1/events/pageviews", json!("")),
        ("/collect", json!({"projectId": code, "hitId": id, "event": {"name": "x"}})),
    ] {
        let response = server.send(&browser(path, body));
        assert!(matches!(response.status, 200 | 204), "{path}: {response:?}");
    }
    let hit = body("/", json!({"event_id": id}));
    for wanted in [0, 1] {
        assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[("Idempotency-Key", id)], &hit)), wanted);
    }
    assert_eq!(views(&mut client), 1);
    (server, client) = restart(server, client, true);
    assert_eq!(repeated(&post(&mut client, "/api/v1/hit", &[], &hit)), 1);
    // Among themselves they are known all the same.
    let again = server.send(&browser("/hs", json!({"url": page, "id": id})));
    assert_eq!(repeated(&again), 1);
}
