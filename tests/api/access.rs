//! Who may do what: tokens, their end, access keys, several sites.

use serde_json::json;

use crate::support::http::Request;
use crate::support::{Folder, NOW, hit_body, skip_without_test_clock, text};

const DAY: &str = "from=2026-06-10&to=2026-06-10";
const TIME: &str = "2026-06-10T12:00:00Z";

/// SDKs fetch a token after exactly this status.
#[test]
fn without_a_valid_token_the_answer_is_401() {
    let folder = Folder::new();
    let site = folder.create_site("door.test");
    let server = folder.start(&[]);
    let body = hit_body("https://door.test/", "198.51.100.1", json!({"time": TIME}));
    let statistic = format!("/api/v1/statistics/visitor?id={}&{DAY}", site.id);
    let strange = "x".repeat(5_000);
    for (what, header) in [
        ("no header", None),
        ("an empty header", Some("")),
        ("an empty token", Some("Bearer ")),
        ("the word alone", Some("Bearer")),
        ("a token that is none", Some("Bearer abcdefghijklmnopqrstuvwxyz")),
        ("an access key that is none", Some("Bearer pa_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
        ("another scheme", Some("Basic YTpi")),
        ("the secret itself", Some(&format!("Bearer {}", site.client_secret)[..])),
        ("a very long token", Some(&format!("Bearer {strange}")[..])),
    ] {
        for route in ["hit", "event", "session", "hit/batch", "event/batch", "session/batch"] {
            let request = with_header(Request::post(&format!("/api/v1/{route}"), "").json(&body), header);
            let response = server.send(&request);
            assert_eq!(response.status, 401, "{what}, {route}: {response:?}");
            assert!(response.json()["error"].is_array(), "{what}, {route}: {response:?}");
        }
        for target in ["/api/v1/domain", &statistic] {
            let response = server.send(&with_header(Request::get(target, ""), header));
            assert_eq!(response.status, 401, "{what}, {target}: {response:?}");
        }
    }
    let mut client = server.log_in(&site);
    assert_eq!(client.statistics("total", DAY)["views"], 0, "nothing of that was stored");
}

#[test]
fn tokens_are_given_for_the_right_pair_only() {
    let folder = Folder::new();
    let site = folder.create_site("token.test");
    let server = folder.start(&[]);
    for (what, body, member) in [
        ("no client_id", json!({"client_secret": site.client_secret}), "client_id"),
        ("empty client_id", json!({"client_id": "", "client_secret": site.client_secret}), "client_id"),
        ("no client_secret", json!({"client_id": site.client_id}), "client_secret"),
        ("a number", json!({"client_id": 5, "client_secret": site.client_secret}), "client_id"),
    ] {
        let response = server.send(&Request::post("/api/v1/token", "").json(&body));
        assert_eq!(response.status, 400, "{what}: {response:?}");
        assert!(response.json()["validation"][member].is_string(), "{what}: {response:?}");
    }
    let wrong = server.token_response(&site.client_id, &"x".repeat(64));
    assert_eq!(wrong.status, 401, "a wrong secret: {wrong:?}");

    let response = server.token_response(&site.client_id, &site.client_secret);
    let answer = response.json();
    assert_eq!(response.status, 200, "{answer}");
    let expires = text(&answer, "expires_at");
    assert!(
        expires.ends_with('Z') && expires.len() >= 20 && &expires[10..11] == "T",
        "RFC 3339 in UTC: {expires}"
    );
}

/// Trying secrets is slowed down; those who know theirs are not kept out before the tenth failure.
#[test]
fn trying_secrets_is_slowed_down() {
    let folder = Folder::new();
    let site = folder.create_site("guess.test");
    let server = folder.start(&[]);
    let wrong = "x".repeat(64);
    for attempt in 1..=10 {
        assert_eq!(server.token_response(&site.client_id, &wrong).status, 401, "failure {attempt}");
        if attempt < 10 {
            assert_eq!(
                server.token_response(&site.client_id, &site.client_secret).status,
                200,
                "after {attempt}"
            );
        }
    }
    let response = server.token_response(&site.client_id, &wrong);
    assert_eq!(response.status, 429, "{response:?}");
    let wait = response.header("Retry-After").and_then(|wait| wait.parse::<u32>().ok());
    assert!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "Retry-After in {response:?}");
}

#[test]
fn tokens_outlive_a_restart_and_each_other() {
    let folder = Folder::new();
    let site = folder.create_site("long.test");
    let server = folder.start(&[]);
    let tokens = [server.token(&site), server.token(&site)];
    assert_ne!(tokens[0], tokens[1]);
    let server = server.stop().start(&[]);
    for token in &tokens {
        let response = server.send(&Request::get("/api/v1/domain", token));
        assert_eq!(response.status, 200, "{response:?}");
    }
    let server = server.kill().start(&[]);
    for token in &tokens {
        let response = server.send(&Request::get("/api/v1/domain", token));
        assert_eq!(response.status, 200, "after SIGKILL: {response:?}");
    }
}

#[test]
fn tokens_end() {
    if skip_without_test_clock("tokens_end") {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site("end.test");
    let server = folder.start(&["--token-lifetime", "1h"]);
    let token = server.token(&site);
    let ask = || server.send(&Request::get("/api/v1/domain", &token)).status;
    assert_eq!(NOW, "2026-07-01T12:00:00Z");
    for (now, status) in [("2026-07-01T12:59:00Z", 200), ("2026-07-01T13:01:00Z", 401)] {
        server.folder().set_clock(now);
        assert_eq!(ask(), status, "at {now}");
    }
    assert_eq!(server.send(&Request::get("/api/v1/domain", &server.token(&site))).status, 200, "a new token");
}

#[test]
fn a_revoked_client_is_out() {
    let folder = Folder::new();
    let site = folder.create_site("revoke.test");
    let server = folder.start(&[]);
    let (id, secret) = server.folder().create_client("revoke.test");
    let response = server.token_response(&id, &secret);
    assert_eq!(response.status, 200, "a client made while the server runs: {response:?}");
    let token = text(&response.json(), "access_token");
    let revoke = server.folder().run(&["client", "revoke", &id]);
    assert!(revoke.status.success(), "{}", crate::support::stderr_of(&revoke));
    assert_eq!(server.token_response(&id, &secret).status, 401, "no new token");
    assert_eq!(server.send(&Request::get("/api/v1/domain", &token)).status, 401, "the token it had");
    assert_eq!(
        server.send(&Request::get("/api/v1/domain", &server.token(&site))).status,
        200,
        "the other client"
    );
}

#[test]
fn access_keys_write_and_never_read() {
    let folder = Folder::new();
    let site = folder.create_site("key.test");
    let key = folder.create_access_key("key.test");
    assert!(key.starts_with("pa_") && key.len() == 48, "access key {key:?}");
    let server = folder.start(&[]);
    let late = server.folder().create_access_key("key.test");
    for key in [&key, &late] {
        let hit = hit_body("https://key.test/", "198.51.100.1", json!({"time": TIME}));
        let mut event = hit.clone();
        event["event_name"] = json!("bought");
        for (route, body) in [
            ("hit", hit.clone()),
            ("event", event.clone()),
            ("session", hit.clone()),
            ("hit/batch", json!([hit])),
            ("event/batch", json!([event])),
            ("session/batch", json!([hit])),
        ] {
            let response = server.send(&Request::post(&format!("/api/v1/{route}"), key).json(&body));
            assert_eq!((response.status, &response.body[..]), (200, &b""[..]), "{route}: {response:?}");
        }
        for target in [format!("/api/v1/statistics/total?id={}&{DAY}", site.id), "/api/v1/domain".to_string()]
        {
            let status = server.send(&Request::get(&target, key)).status;
            assert!([401, 403].contains(&status), "{target} with an access key: {status}");
        }
    }
    assert_eq!(server.log_in(&site).statistics("total", DAY)["views"], 4);
}

#[test]
fn sites_see_their_own_visits_only() {
    let folder = Folder::new();
    let sites = ["one.test", "two.test"].map(|host| folder.create_site(host));
    let server = folder.start(&[]);
    let mut clients = sites.clone().map(|site| server.log_in(&site));
    for (client, views) in clients.iter_mut().zip([1, 2]) {
        for view in 0..views {
            let body = client.hit_body(&format!("/{view}"), "198.51.100.1", json!({"time": TIME}));
            client.post_ok("/api/v1/hit", &body);
        }
    }
    for (client, views) in clients.iter_mut().zip([1, 2]) {
        assert_eq!(client.statistics("total", DAY)["views"], views, "{}", client.site.hostname);
        assert_eq!(client.statistics("total", DAY)["visitors"], 1, "{}", client.site.hostname);
    }
    let target = format!("/api/v1/statistics/total?id={}&{DAY}", sites[1].id);
    let response = server.send(&Request::get(&target, &clients[0].token));
    assert!([401, 403, 404].contains(&response.status), "the other's site: {response:?}");
    let domains = server.send(&Request::get("/api/v1/domain", &clients[0].token)).json();
    assert_eq!(domains.as_array().map(Vec::len), Some(1), "{domains}");
    assert_eq!((&domains[0]["id"], &domains[0]["hostname"]), (&json!(sites[0].id), &json!("one.test")));
}

fn with_header(request: Request, value: Option<&str>) -> Request {
    match value {
        Some(value) => request.header("Authorization", value),
        None => request,
    }
}
