//! What the official client libraries rely on, as their sources show it.

use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::{Client, FIREFOX, Folder, Server, text};

const DAY: &str = "from=2026-06-10&to=2026-06-10";
const TIME: &str = "2026-06-10T12:00:00Z";

/// A library that knows only status 200 with an empty body as success, and sends every member it has.
#[test]
fn every_member_may_be_there_or_not() {
    let (_server, mut client) = start();
    let all_empty = json!({
        "Hostname": "", "url": "https://sdk.test/", "ip": "198.51.100.1:51234", "user_agent": FIREFOX,
        "accept_language": "", "sec_ch_ua": "", "sec_ch_ua_mobile": "", "sec_ch_ua_platform": "",
        "sec_ch_ua_platform_version": "", "sec_ch_width": "", "sec_ch_viewport_width": "", "title": "",
        "referrer": "", "screen_width": 0, "screen_height": 0, "tags": null, "disable_bot_filter": false,
        "cf_connecting_ip": "", "x_forwarded_for": "", "forwarded": "", "x_real_ip": "", "dnt": "", "time": TIME,
    });
    let mut nulls = all_empty.clone();
    for (key, value) in nulls.as_object_mut().into_iter().flatten() {
        if !["url", "ip", "user_agent", "time"].contains(&key.as_str()) {
            *value = Value::Null;
        }
    }
    let least =
        json!({"url": "https://sdk.test/", "ip": "198.51.100.1", "user_agent": FIREFOX, "time": TIME});
    let mut unknown = least.clone();
    unknown["something_new"] = json!({"deep": [1, {"er": null}]});
    for (what, body) in
        [("all empty", all_empty), ("all null", nulls), ("the least", least), ("unknown", unknown)]
    {
        let response = client.post("/api/v1/hit", &body);
        assert_eq!((response.status, &response.body[..]), (200, &b""[..]), "{what}: {response:?}");
        let mut event = body.clone();
        event["event_name"] = json!("bought");
        event["event_duration"] = json!(0);
        event["event_meta"] = Value::Null;
        let response = client.post("/api/v1/event", &event);
        assert_eq!((response.status, &response.body[..]), (200, &b""[..]), "event, {what}: {response:?}");
    }
    let total = client.statistics("total", DAY);
    assert_eq!((&total["visitors"], &total["views"]), (&json!(1), &json!(4)), "{total}");
}

#[test]
fn no_content_type_is_needed() {
    let (_server, mut client) = start();
    let body = client.hit_body("/", "198.51.100.1", json!({"time": TIME})).to_string();
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let mut request = Request::post("/api/v1/hit", &client.token).body(body.clone());
        if let Some(content_type) = content_type {
            request = request.header("Content-Type", content_type);
        }
        let response = client.connection.send(&request);
        assert_eq!(response.status, 200, "Content-Type {content_type:?}: {response:?}");
    }
    assert_eq!(client.statistics("total", DAY)["views"], 3);
}

/// Metadata of scalars and of nested objects.
#[test]
fn metadata_becomes_text() {
    let (_server, mut client) = start();
    let meta = json!({"text": "a", "number": 34.5, "whole": 7, "flag": true, "deep": {"er": {"key": "x"}}, "none": null});
    let body = client.hit_body(
        "/",
        "198.51.100.1",
        json!({"time": TIME, "event_name": " bought ", "event_meta": meta}),
    );
    client.post_ok("/api/v1/event", &body);
    for (key, value) in
        [("text", "a"), ("number", "34.5"), ("whole", "7"), ("flag", "true"), ("deep.er.key", "x")]
    {
        let answer = client.statistics("event/meta", &format!("{DAY}&event=bought&event_meta_key={key}"));
        assert_eq!(answer[0]["meta_value"], value, "{key}: {answer}");
    }
}

/// What the address may look like; each line is the same visitor.
#[test]
fn spellings_of_an_address() {
    for (visitor, spellings) in [
        (
            "IPv4",
            vec![
                json!({"ip": "198.51.100.1"}),
                json!({"ip": "198.51.100.1:51234"}),
                json!({"ip": " 198.51.100.1 "}),
                json!({"ip": "10.0.0.1", "x_forwarded_for": "203.0.113.9, 198.51.100.1"}),
                json!({"ip": "198.51.100.1", "x_forwarded_for": "203.0.113.9, 10.0.0.7"}),
                json!({"ip": "10.0.0.1", "forwarded": "for=203.0.113.9, for=198.51.100.1;proto=https"}),
                json!({"ip": "10.0.0.1", "x_real_ip": "198.51.100.1"}),
                json!({"ip": "10.0.0.1", "cf_connecting_ip": "198.51.100.1", "x_forwarded_for": "203.0.113.9"}),
                json!({"ip": "198.51.100.1", "x_forwarded_for": "unknown"}),
            ],
        ),
        (
            "IPv6",
            vec![
                json!({"ip": "2a02:c7f::1"}),
                json!({"ip": "[2a02:c7f::1]:51234"}),
                json!({"ip": "2A02:0C7F:0:0:0:0:0:1"}),
                json!({"ip": "10.0.0.1", "forwarded": "for=\"[2a02:c7f::1]:4711\""}),
            ],
        ),
    ] {
        let (_server, mut client) = start();
        for (i, spelling) in spellings.iter().enumerate() {
            let mut body = client.hit_body(&format!("/{i}"), "", json!({"time": TIME}));
            for (key, value) in spelling.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            client.post_ok("/api/v1/hit", &body);
            let total = client.statistics("total", DAY);
            assert_eq!(total["visitors"], 1, "{visitor} as {spelling}: {total}");
            assert_eq!(total["views"], i + 1, "{visitor} as {spelling}: {total}");
        }
    }
}

/// Left out, answered with success, and the reason is told.
#[test]
fn what_is_left_out_says_why() {
    let (_server, mut client) = start();
    for (what, change) in [
        (
            "a crawler",
            json!({"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}),
        ),
        ("a library", json!({"user_agent": "python-requests/2.32.0"})),
        ("do not track", json!({"dnt": "1"})),
        ("a foreign host", json!({"url": "https://elsewhere.test/"})),
    ] {
        let body = client.hit_body("/", "198.51.100.1", json!({"time": TIME}));
        let mut changed = body.clone();
        for (key, value) in change.as_object().into_iter().flatten() {
            changed[key] = value.clone();
        }
        let response = client.post("/api/v1/hit", &changed);
        assert_eq!(response.status, 200, "{what}: {response:?}");
        assert!(
            response.header("X-Hitstone-Rejected").is_some_and(|reason| !reason.is_empty()),
            "{what}: {response:?}"
        );
        assert_eq!(client.statistics("total", DAY)["views"], 0, "{what} is counted");
    }
    let foreign =
        client.hit_body("/", "198.51.100.1", json!({"time": TIME, "url": "https://elsewhere.test/"}));
    assert_eq!(client.post("/api/v1/hit", &foreign).header("X-Hitstone-Rejected"), Some("hostname"));
    let www = client.hit_body("/", "198.51.100.1", json!({"time": TIME, "url": "https://www.sdk.test/"}));
    assert_eq!(client.post("/api/v1/hit", &www).header("X-Hitstone-Rejected"), None, "www. is the same site");
    assert_eq!(client.statistics("total", DAY)["views"], 1);
}

#[test]
fn client_hints_win_over_the_user_agent() {
    let (_server, mut client) = start();
    let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
    let body = client.hit_body("/", "198.51.100.1", json!({
        "time": TIME, "user_agent": chrome, "sec_ch_ua": "\"Not/A)Brand\";v=\"8\", \"Chromium\";v=\"126\", \"Google Chrome\";v=\"126\"",
        "sec_ch_ua_mobile": "?0", "sec_ch_ua_platform": "\"Windows\"", "sec_ch_ua_platform_version": "\"15.0.0\"",
    }));
    client.post_ok("/api/v1/hit", &body);
    let systems = client.statistics("os/version", DAY);
    assert_eq!(
        (&systems[0]["os"], &systems[0]["os_version"]),
        (&json!("Windows"), &json!("11")),
        "{systems}"
    );
    assert_eq!(client.statistics("browser", DAY)[0]["browser"], "Chrome");
    assert_eq!(client.statistics("platform", DAY)["platform_desktop"], 1);
}

#[test]
fn the_domain_is_one_object_in_a_list() {
    let (_server, mut client) = start();
    let token = client.token.clone();
    let answer = client.connection.get("/api/v1/domain", &token).json();
    assert_eq!(answer.as_array().map(Vec::len), Some(1), "{answer}");
    let domain = &answer[0];
    for member in [
        "id",
        "def_time",
        "mod_time",
        "user_id",
        "hostname",
        "subdomain",
        "identification_code",
        "public",
        "google_user_id",
        "google_user_email",
        "gsc_domain",
        "new_owner",
        "user_role",
    ] {
        assert!(domain.get(member).is_some(), "no member {member:?} in {domain}");
    }
    assert_eq!(domain["id"], json!(client.site.id));
    assert_eq!(domain["identification_code"], json!(client.site.identification_code));
    assert!(domain["public"].is_boolean(), "{domain}");
    for member in ["def_time", "mod_time"] {
        assert!(text(domain, member).ends_with('Z'), "{member} in {domain}");
    }
    for member in ["settings", "theme", "theme_settings"] {
        let value = &domain[member];
        let texts = value.as_object().is_none_or(|map| map.values().all(Value::is_string));
        assert!(texts, "{member} holds more than texts, which a library cannot read: {value}");
    }
}

/// Libraries check these before they send anything.
#[test]
fn credentials_have_the_lengths_that_libraries_check() {
    let (_server, client) = start();
    let site = &client.site;
    for (what, value, length) in [
        ("id", &site.id, 10),
        ("identification code", &site.identification_code, 32),
        ("client id", &site.client_id, 32),
        ("client secret", &site.client_secret, 64),
    ] {
        assert!(
            value.len() == length && value.bytes().all(|b| b.is_ascii_alphanumeric()),
            "{what}: {value:?}"
        );
    }
}

fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("sdk.test");
    let server = folder.start(&[]);
    let client = server.log_in(&site);
    (server, client)
}
