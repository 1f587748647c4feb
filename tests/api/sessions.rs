//! Sessions and the rows of one, from hits and events to the answers.

use serde_json::{Value, json};

use crate::support::{Client, Folder, Server, text};

const DAY: &str = "from=2026-06-10&to=2026-06-10";

#[test]
fn sessions_are_listed_with_the_latest_first() {
    let (_server, mut client) = start();
    let list = client.statistics("session/list", DAY);
    let shown: Vec<[&Value; 8]> = list
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| {
            let members = [
                "start",
                "time",
                "duration_seconds",
                "entry_path",
                "exit_path",
                "page_views",
                "is_bounce",
                "extended",
            ];
            members.map(|member| &line[member])
        })
        .collect();
    assert_eq!(
        json!(shown),
        json!([
            ["2026-06-10T11:00:00.000Z", "2026-06-10T11:00:00.000Z", 0, "/b", "/b", 1, true, 0],
            ["2026-06-10T10:00:00.000Z", "2026-06-10T10:02:00.500Z", 120, "/", "/a", 2, false, 1],
        ])
    );
    assert_eq!((&list[0]["os"], &list[0]["desktop"]), (&json!("Linux"), &json!(true)));
    assert_eq!(client.statistics("session/list", &format!("{DAY}&path=/a")), json!([list[1]]));
    assert_eq!(client.statistics("session/list", &format!("{DAY}&limit=1&offset=1")), json!([list[1]]));
    assert_eq!(client.statistics("session/list", "from=2026-06-11&to=2026-06-11"), json!([]));
}

#[test]
fn a_session_s_rows_are_found_by_its_ids() {
    let (_server, mut client) = start();
    let list = client.statistics("session/list", DAY);
    let (visitor, session) = (text(&list[1], "visitor_id"), &list[1]["session_id"]);
    let query = format!("{DAY}&visitor_id={visitor}&session_id={session}");
    let details = client.statistics("session/details", &query);
    let steps: Vec<Value> = details.as_array().expect("a list").iter().map(step).collect();
    assert_eq!(
        steps,
        [
            json!(["view", "2026-06-10T10:00:00.000Z", 0, "/", "sessions.test", ["author"], ["Jane"]]),
            json!(["view", "2026-06-10T10:01:00.000Z", 60, "/a", "sessions.test", [], []]),
            json!(["sale", "2026-06-10T10:01:30.000Z", 42, "/a", "sessions.test", ["price"], ["34.5"]]),
        ]
    );
    assert_eq!(details[0]["page_view"]["visitor_id"].as_u64().map(|id| id.to_string()), Some(visitor));
    assert_eq!(&details[2]["event"]["session_id"], session);

    let on_page = client.statistics("session/details", &format!("{query}&path=/"));
    assert_eq!(on_page, json!([details[0]]));
    let limited = client.statistics("session/details", &format!("{query}&limit=2"));
    assert_eq!(limited, json!([details[0], details[1]]));
    let other = client.statistics("session/details", &format!("{DAY}&visitor_id=1&session_id={session}"));
    assert_eq!(other, json!([]));
    let nameless = client.statistics_response("session/details", DAY);
    assert_eq!(nameless.status, 400, "{nameless:?}");
    assert!(nameless.json()["validation"]["visitor_id"].is_string(), "{nameless:?}");
}

/// What a step is, when, for how long, where, and its pairs.
fn step(step: &Value) -> Value {
    let (body, what, pairs) = match (&step["page_view"], &step["event"]) {
        (Value::Null, event) => (event, event["name"].clone(), ["meta_keys", "meta_values"]),
        (view, other) => {
            assert!(other.is_null(), "both of {step}");
            (view, json!("view"), ["tag_keys", "tag_values"])
        }
    };
    let [keys, values] = pairs.map(|pairs| &body[pairs]);
    json!([what, body["time"], body["duration_seconds"], body["path"], body["hostname"], keys, values])
}

/// One visitor with two page views, an event and a sign of life, and a later one with a page view.
fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("sessions.test");
    let server = folder.start(&[]);
    let mut client = server.log_in(&site);
    let at = |client: &Client, path: &str, visitor: u32, time: &str, more: Value| {
        let mut body = client.hit_body(path, &format!("198.51.100.{visitor}"), more);
        body["time"] = json!(format!("2026-06-10T{time}Z"));
        body
    };
    let hits = json!([
        at(&client, "/", 1, "10:00:00", json!({"tags": {"author": "Jane"}})),
        at(&client, "/a", 1, "10:01:00", json!({})),
        at(&client, "/b", 2, "11:00:00", json!({})),
    ]);
    client.post_ok("/api/v1/hit/batch", &hits);
    let sale = json!({"event_name": "sale", "event_duration": 42, "event_meta": {"price": 34.5}});
    let event = at(&client, "/a", 1, "10:01:30", sale);
    client.post_ok("/api/v1/event", &event);
    let ping = at(&client, "/a", 1, "10:02:00.500", json!({}));
    client.post_ok("/api/v1/session", &ping);
    (server, client)
}
