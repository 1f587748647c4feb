//! What a statistic cannot be asked, and what it can be asked in several spellings.

use serde_json::{Value, json};

use crate::support::http::Request;
use crate::support::{Client, Folder, Server};

const DAY: &str = "from=2026-06-10&to=2026-06-10";

#[test]
fn bad_questions_are_refused() {
    let (mut server, client) = start();
    let id = &client.site.id;
    for (what, endpoint, query) in [
        ("no id", "visitor", DAY.to_string()),
        ("no from", "visitor", format!("id={id}&to=2026-06-10")),
        ("no to", "visitor", format!("id={id}&from=2026-06-10")),
        ("a word as from", "visitor", format!("id={id}&from=soon&to=2026-06-10")),
        ("a 30th of February", "visitor", format!("id={id}&from=2026-02-30&to=2026-06-10")),
        ("a year of five digits", "visitor", format!("id={id}&from=99999-01-01&to=2026-06-10")),
        ("a negative limit", "page", format!("id={id}&{DAY}&limit=-1")),
        ("a word as limit", "page", format!("id={id}&{DAY}&limit=many")),
        ("a limit above every number", "page", format!("id={id}&{DAY}&limit=99999999999999999999999x")),
        ("an unknown time zone", "visitor", format!("id={id}&{DAY}&tz=Moon/Base")),
        ("a path as time zone", "visitor", format!("id={id}&{DAY}&tz=../../etc/passwd")),
        ("a broken pattern", "page", format!("id={id}&{DAY}&pattern=(")),
        (
            "a pattern that would need gigabytes",
            "page",
            format!("id={id}&{DAY}&pattern=((a{{1000}}){{1000}}){{1000}}"),
        ),
        ("a word as start", "active", format!("id={id}&start=now")),
    ] {
        let request = Request::get(&format!("/api/v1/statistics/{endpoint}?{query}"), &client.token);
        let response = server.send(&request);
        assert_eq!(response.status, 400, "{what}: {response:?}");
        let body = response.json();
        assert!(body["validation"].is_object() && body["error"].is_array(), "{what}: {body}");
    }
    server.assert_alive();
}

#[test]
fn an_unknown_statistic_is_not_found() {
    let (server, client) = start();
    for path in ["statistics/nothing", "statistics/", "statistics/page/", "statistics/page/entry/more"] {
        let target = format!("/api/v1/{path}?id={}&{DAY}", client.site.id);
        let status = server.send(&Request::get(&target, &client.token)).status;
        assert_eq!(status, 404, "{path}");
    }
    let target = format!("/api/v1/statistics/page?id={}&{DAY}", client.site.id);
    let status = server.send(&Request::post(&target, &client.token)).status;
    assert!([404, 405].contains(&status), "POST of a statistic: {status}");
}

/// The same question in every spelling that clients are known to use.
#[test]
fn spellings_of_a_question() {
    let (_server, mut client) = start();
    let wanted = client.statistics("page", DAY);
    assert_eq!(paths(&wanted), ["/", "/a b", "/c"], "{wanted}");
    for (what, query) in [
        ("times instead of dates", "from=2026-06-10T00:00:00.000Z&to=2026-06-10T23:59:59.999Z"),
        ("encoded times", "from=2026-06-10T00%3A00%3A00.000Z&to=2026-06-10T00%3A00%3A00.000Z"),
        (
            "empty filters",
            "from=2026-06-10&to=2026-06-10&path=&os=&tz=&scale=&event=&platform=&sort=&direction=&search=",
        ),
        (
            "what an SDK always sends",
            "from=2026-06-10&to=2026-06-10&scale=&tz=&platform=&custom_metric_key=&custom_metric_type=&sort=&direction=&search=&offset=0&limit=0&include_avg_time_on_page=false",
        ),
        ("limit 0", "from=2026-06-10&to=2026-06-10&limit=0"),
        ("a large limit", "from=2026-06-10&to=2026-06-10&limit=1000000"),
        ("swapped dates of one day", "to=2026-06-10&from=2026-06-10"),
        ("a zone", "from=2026-06-10&to=2026-06-10&tz=UTC"),
    ] {
        assert_eq!(client.statistics("page", query), wanted, "{what}");
    }
    for (what, query, wanted) in [
        ("one value", "path=/c", vec!["/c"]),
        ("a value with a space", "path=/a%20b", vec!["/a b"]),
        ("a value with a plus sign for a space", "path=/a+b", vec!["/a b"]),
        ("two values", "path=/&path=/c", vec!["/", "/c"]),
        ("two values with brackets", "path[]=/&path[]=/c", vec!["/", "/c"]),
        ("two values with encoded brackets", "path%5B%5D=/&path%5B%5D=/c", vec!["/", "/c"]),
        ("one value with brackets", "path[]=/c", vec!["/c"]),
        ("not a value", "path=!/c", vec!["/", "/a b"]),
        ("neither of two values", "path=!/c&path=!/", vec!["/a b"]),
        ("a path that is none", "path=/C", vec![]),
        ("limit 2", "limit=2", vec!["/", "/a b"]),
    ] {
        let answer = client.statistics("page", &format!("{DAY}&{query}"));
        assert_eq!(paths(&answer), wanted, "{what}: {answer}");
    }
}

/// Lists hold at most 100 rows, and the order does not depend on the limit.
#[test]
fn lists_hold_a_hundred_rows() {
    let (_server, mut client) = start();
    let item = |i: u32| {
        client.hit_body(&format!("/many/{i:03}"), "198.51.100.9", json!({"time": "2026-06-11T12:00:00Z"}))
    };
    let items: Vec<Value> = (0..120).map(item).collect();
    client.post_ok("/api/v1/hit/batch", &Value::Array(items));
    let all = client.statistics("page", "from=2026-06-11&to=2026-06-11");
    let wanted: Vec<String> = (0..100).map(|i| format!("/many/{i:03}")).collect();
    assert_eq!(paths(&all), wanted);
    for (limit, rows) in [(1, 1), (50, 50), (100, 100), (101, 100), (u32::MAX, 100)] {
        let answer = client.statistics("page", &format!("from=2026-06-11&to=2026-06-11&limit={limit}"));
        assert_eq!(paths(&answer), wanted[..rows], "limit {limit}");
    }
}

#[test]
fn no_data_is_empty_lists_and_zeros() {
    let folder = Folder::new();
    let site = folder.create_site("empty.test");
    let server = folder.start(&[]);
    let mut client = server.log_in(&site);
    for endpoint in [
        "page",
        "page/entry",
        "page/exit",
        "referrer",
        "utm/source",
        "os",
        "browser",
        "country",
        "city",
        "language",
        "screen",
        "events",
    ] {
        assert_eq!(client.statistics(endpoint, DAY), json!([]), "{endpoint}");
    }
    let day = client.statistics("visitor", "from=2026-06-09&to=2026-06-10");
    let days: Vec<&Value> = day.as_array().expect("a list").iter().map(|row| &row["day"]).collect();
    assert_eq!(days, ["2026-06-09T00:00:00Z", "2026-06-10T00:00:00Z"], "{day}");
    assert_eq!(client.statistics("hours", DAY).as_array().map(Vec::len), Some(24));
    let total = client.statistics("total", DAY);
    assert_eq!((&total["visitors"], total["bounce_rate"].as_f64()), (&json!(0), Some(0.0)), "{total}");
    let growth = client.statistics("growth", DAY);
    assert_eq!(growth["visitors_growth"].as_f64(), Some(0.0), "{growth}");
}

fn paths(answer: &Value) -> Vec<String> {
    let rows = answer.as_array().unwrap_or_else(|| panic!("no list: {answer}"));
    rows.iter().map(|row| row["path"].as_str().unwrap_or("?").to_string()).collect()
}

/// Three pages, `/` seen most.
fn start() -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("ask.test");
    let server = folder.start(&[]);
    let mut client = server.log_in(&site);
    for (path, visitors) in [("/", 3), ("/a%20b", 2), ("/c", 1)] {
        for visitor in 1..=visitors {
            let ip = format!("198.51.100.{visitor}");
            let body = client.hit_body(path, &ip, json!({"time": "2026-06-10T12:00:00Z"}));
            client.post_ok("/api/v1/hit", &body);
        }
    }
    (server, client)
}
