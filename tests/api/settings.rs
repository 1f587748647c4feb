//! A site's settings over the API: in force at once, and after a restart.

use serde_json::{Value, json};

use super::manage::{DAY, Manager, TIME, start};
use crate::support::http::{Request, Response};
use crate::support::{Site, skip_without_test_clock, text};

#[test]
fn settings_are_in_force_at_once_and_after_a_restart() {
    let (server, sites) = start(&["set.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let set = |manager: &Manager, path: &str, more: Value| {
        manager.ok("POST", &format!("domain/{path}"), &manager.own(more)).json()
    };
    let rejected = |response: &Response| response.header("X-Hitstone-Rejected").map(str::to_owned);

    // The time zone: half past eleven in the evening in UTC is the next day in Berlin.
    manager.hit("https://set.test/a", "198.51.100.1", json!({"time": "2026-06-09T23:30:00Z", "title": "A"}));
    manager.hit("https://set.test/a", "198.51.100.2", json!({"time": "2026-06-09T23:31:00Z", "title": "B"}));
    assert_eq!(manager.views(DAY), 0);
    assert_eq!(set(&manager, "timezone", json!({"timezone": "Europe/Berlin"}))["timezone"], "Europe/Berlin");
    assert_eq!(manager.views(DAY), 2);

    let pages = |manager: &Manager| {
        let pages = manager.get(&format!("statistics/page?id={}&{DAY}", manager.site.id));
        pages.as_array().map(Vec::len)
    };
    assert_eq!(pages(&manager), Some(1));
    assert_eq!(set(&manager, "title", json!({}))["group_by_title"], true, "turned over");
    assert_eq!(pages(&manager), Some(2));

    let asks_not = json!({"time": TIME, "dnt": "1"});
    assert!(rejected(&manager.hit("https://set.test/", "198.51.100.3", asks_not.clone())).is_some());
    assert_eq!(set(&manager, "dnt", json!({}))["ignore_dnt"], true);
    assert_eq!(rejected(&manager.hit("https://set.test/", "198.51.100.3", asks_not)), None);
    assert_eq!(manager.views(DAY), 3);

    for (body, sunday) in [
        (json!({}), true),
        (json!({}), false),
        (json!({"value": false}), false),
        (json!({"start_week_sunday": true}), true),
        (json!({"value": true}), true),
    ] {
        assert_eq!(set(&manager, "start-week-sunday", body.clone())["start_week_sunday"], sunday, "{body}");
    }
    assert_eq!(set(&manager, "active", json!({"time": 60}))["active_visitors_seconds"], 60);

    let code =
        text(&manager.ok("PUT", "domain", &json!({"id": manager.site.id})).json(), "identification_code");
    assert!(code.len() == 32 && code != manager.site.identification_code);

    for (path, body, field) in [
        ("timezone", json!({}), "timezone"),
        ("timezone", json!({"timezone": "Mars/Base"}), "timezone"),
        ("timezone", json!({"timezone": 1}), "timezone"),
        ("active", json!({}), "time"),
        ("active", json!({"time": 0}), "time"),
        ("active", json!({"time": 1e12}), "time"),
        ("title", json!({"value": "on"}), "value"),
        ("public", json!({"public": 1}), "public"),
        ("public", json!({"domain_id": ""}), "domain_id"),
    ] {
        let response = manager.send("POST", &format!("domain/{path}"), &manager.own(body.clone()));
        assert_eq!(response.status, 400, "{path} {body}: {response:?}");
        assert!(response.json()["validation"][field].is_string(), "{path} {body}: {response:?}");
    }

    let before = manager.domain();
    assert_eq!(before["identification_code"], json!(code));
    drop(manager);
    let server = server.stop().start(&[]);
    let manager = Manager::of(&server, &sites[0]);
    assert_eq!(manager.domain(), before);
    assert_eq!((manager.views(DAY), pages(&manager)), (json!(3), Some(3)));
}

#[test]
fn the_active_window_is_in_force_at_once() {
    if skip_without_test_clock("the_active_window_is_in_force_at_once") {
        return;
    }
    let (server, sites) = start(&["active.test"]);
    let manager = Manager::of(&server, &sites[0]);
    manager.hit("https://active.test/", "198.51.100.1", json!({"time": "2026-07-01T11:57:00Z"}));
    let active =
        || manager.get(&format!("statistics/active?id={}&{DAY}", manager.site.id))["visitors"].clone();
    assert_eq!(active(), 1);
    manager.ok("POST", "domain/active", &manager.own(json!({"time": 60})));
    assert_eq!(active(), 0);
}

#[test]
fn everyone_reads_a_public_site_and_no_other() {
    let (server, sites) = start(&["public.test", "private.test"]);
    let manager = Manager::of(&server, &sites[0]);
    manager.hit("https://public.test/", "198.51.100.1", json!({"time": TIME}));
    let read = |site: &Site, path: &str| {
        server.send(&Request::get(&format!("/api/v1/statistics/{path}?id={}&{DAY}", site.id), ""))
    };
    assert_eq!(read(&sites[0], "total").status, 401);
    assert_eq!(manager.ok("POST", "domain/public", &manager.own(json!({}))).json()["public"], true);
    assert_eq!(read(&sites[0], "total").json()["views"], 1);
    assert_eq!(read(&sites[1], "total").status, 401, "the other site");
    assert_eq!(read(&sites[0], "session/list").status, 401, "single visits");
    for name in ["visitor_id", "visitor_id[]", "visitor%5Fid"] {
        let target = format!("/api/v1/statistics/total?id={}&{DAY}&{name}=1&session_id=1", sites[0].id);
        assert_eq!(server.send(&Request::get(&target, "")).status, 401, "numbers of a single visit: {name}");
    }
    for target in ["domain", &format!("goal?id={}", sites[0].id), &format!("client?id={}", sites[0].id)] {
        assert_eq!(server.send(&Request::get(&format!("/api/v1/{target}"), "")).status, 401, "{target}");
    }
    let target = format!("/api/v1/statistics/total?id={}&{DAY}", sites[0].id);
    assert_eq!(server.send(&Request::get(&target, "x")).status, 401, "a token that is none");
    manager.ok("POST", "domain/public", &manager.own(json!({"public": false})));
    assert_eq!(read(&sites[0], "total").status, 401, "private again");
}

#[test]
fn alternative_host_names_count_at_once() {
    let (server, sites) = start(&["host.test"]);
    let manager = Manager::of(&server, &sites[0]);
    manager.ok("POST", "domain/alternative", &manager.own(json!({"hostname": "Other.TEST"})));
    let list = || manager.get(&format!("domain/alternative?domain_id={}", manager.site.id));
    let name = list()[0].clone();
    assert_eq!((&name["hostname"], &name["domain_id"]), (&json!("other.test"), &json!(manager.site.id)));
    let id = text(&name, "id");
    let is_taken = |url: &str| {
        let response = manager.hit(url, "198.51.100.1", json!({"time": TIME}));
        response.header("X-Hitstone-Rejected").is_none()
    };
    assert!(is_taken("https://other.test/") && !is_taken("https://third.test/"));
    let new = manager.ok("PUT", "domain/alternative", &json!({"id": id, "hostname": "*.third.test"})).json();
    assert_ne!(new["id"], json!(id));
    assert!(!is_taken("https://other.test/") && is_taken("https://a.third.test/"));
    for (body, status) in [
        (json!({"hostname": "*.third.test"}), 400),
        (json!({"hostname": "host.test"}), 400),
        (json!({"hostname": "https://a.test/"}), 400),
        (json!({"hostname": ""}), 400),
        (json!({"hostname": 5}), 400),
    ] {
        let response = manager.send("POST", "domain/alternative", &manager.own(body.clone()));
        assert_eq!(response.status, status, "{body}: {response:?}");
        assert!(response.json()["validation"]["hostname"].is_string(), "{body}: {response:?}");
    }
    let gone = json!({"id": id, "hostname": "x.test"});
    assert_eq!(manager.send("PUT", "domain/alternative", &gone).status, 404);
    manager.ok("DELETE", &format!("domain/alternative?id={}", text(&new, "id")), &Value::Null);
    assert_eq!(list(), json!([]));
    assert!(!is_taken("https://a.third.test/"));
}

#[test]
fn a_site_is_found_by_what_is_asked() {
    let (server, sites) = start(&["www.find.test"]);
    let manager = Manager::of(&server, &sites[0]);
    for (query, count) in [
        (format!("id={}", manager.site.id), 1),
        ("search=FIND".into(), 1),
        ("subdomain=find".into(), 1),
        ("domain=www.find.test".into(), 1),
        ("id=abcdefghij".into(), 0),
        ("search=other".into(), 0),
    ] {
        let found = manager.get(&format!("domain?{query}"));
        assert_eq!(found.as_array().map(Vec::len), Some(count), "{query}: {found}");
    }
    let domain = manager.domain();
    assert_eq!((&domain["organization_id"], &domain["theme_id"]), (&json!(""), &json!("")));
    assert_eq!(domain["imported_statistics"], false);
    for (method, body) in [("POST", json!({"hostname": "new.test"})), ("DELETE", Value::Null)] {
        let response = manager.send(method, &format!("domain?id={}", manager.site.id), &body);
        assert_eq!(response.status, 403, "{method}: {response:?}");
        assert!(response.json()["error"][0].is_string(), "{method}: {response:?}");
    }
}
