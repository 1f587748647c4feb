//! What pages send to Pirsch by the site's identification code. The SDK's own client for pages is in `tests/clients.rs`.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{Client, FIREFOX, Folder, Server, Site, skip_without_test_clock};

const ORIGIN: &str = "https://page.test";
const DAY: &str = "from=2026-07-01&to=2026-07-01";

fn start(more: &[&str]) -> (Server, Client) {
    let folder = Folder::new();
    let site = folder.create_site("page.test");
    let server = folder.start(&[&["--trust-proxy"], more].concat());
    let client = server.log_in(&site);
    (server, client)
}

/// A browser's request from a page of the site.
fn from(ip: &str, method: &str, target: &str) -> Request {
    Request::new(method, target, "")
        .header("Origin", ORIGIN)
        .header("User-Agent", FIREFOX)
        .header("Accept-Language", "sv-SE,sv;q=0.9")
        .header("X-Forwarded-For", ip)
}

fn hit(ip: &str, site: &Site, query: &str) -> Request {
    from(ip, "GET", &format!("/hit?nc=1782907200000&code={}&{query}", site.identification_code))
}

/// A call with a body, as a beacon sends it: without a content type that says what it is.
fn beacon(ip: &str, call: &str, site: &Site, more: Value) -> Request {
    let mut body = json!({"identification_code": site.identification_code});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    from(ip, "POST", call).header("Content-Type", "text/plain;charset=UTF-8").body(body.to_string())
}

fn send(server: &Server, request: &Request, status: u16) -> Response {
    let response = server.send(request);
    assert_eq!(response.status, status, "{request:?}\n{response:?}");
    response
}

#[test]
fn all_that_a_page_tells_is_in_the_statistics() {
    let (server, mut client) = start(&[]);
    let site = client.site.clone();
    let query = "url=https%3A%2F%2Fpage.test%2Fprices%3Futm_source%3Dletter%26utm_campaign%3Dsummer%23top&t=Prices\
                 &ref=https%3A%2F%2Fnews.example.com%2Fa&w=1920&h=1080&tag_author=ada&tag_words=300&other=x";
    let answer = send(&server, &hit("192.0.2.1", &site, query), 200);
    assert!(answer.body.is_empty() && answer.header("Content-Type").is_none());
    assert!(answer.header("Cache-Control").is_some_and(|value| value.contains("no-store")));
    let event = json!({"event_name": "Order", "event_duration": 12, "event_meta": {"amount": 19.5, "gift": true},
        "url": "https://page.test/prices", "title": "Prices", "referrer": "", "screen_width": 1920, "screen_height": 1080});
    send(&server, &beacon("192.0.2.1", "/event", &site, event), 200);
    send(&server, &beacon("192.0.2.1", "/session", &site, json!({})), 200);
    for (statistic, member, wanted) in [
        ("page", "path", json!("/prices")),
        ("page?include_title=true", "title", json!("Prices")),
        ("language", "language", json!("sv")),
        ("browser", "browser", json!("Firefox")),
        ("os", "os", json!("Linux")),
        ("screen", "screen_class", json!("Full HD")),
        ("referrer", "referrer", json!("https://news.example.com/a")),
        ("utm/source", "utm_source", json!("letter")),
        ("utm/campaign", "utm_campaign", json!("summer")),
        ("events", "name", json!("Order")),
        ("events", "average_duration_seconds", json!(12)),
        ("event/meta?event=Order&event_meta_key=amount", "meta_value", json!("19.5")),
        ("tag/details?tag=author", "value", json!("ada")),
        ("tag/details?tag=words", "value", json!("300")),
    ] {
        let (statistic, more) = statistic.split_once('?').unwrap_or((statistic, ""));
        let answer = client.statistics(statistic, &format!("{DAY}&{more}"));
        assert_eq!(answer[0][member], wanted, "{statistic}: {answer}");
    }
    let total = client.statistics("total", DAY);
    assert_eq!((&total["visitors"], &total["views"]), (&json!(1), &json!(1)), "{total}");
}

#[test]
fn old_tags_say_everything_in_the_query() {
    if skip_without_test_clock("old_tags_say_everything_in_the_query") {
        return;
    }
    let (server, mut client) = start(&[]);
    let site = client.site.clone();
    send(&server, &hit("192.0.2.1", &site, "url=https://page.test/&w=1920.5&h=x&t=&ref="), 200);
    server.folder().set_clock("2026-07-01T12:01:30Z");
    let query = format!("?nc=1&code={}&url=https://page.test/", site.identification_code);
    send(&server, &from("192.0.2.1", "POST", &format!("/session{query}")), 200);
    assert_eq!(client.statistics("session/list", DAY)[0]["duration_seconds"], 90);
    send(&server, &from("192.0.2.1", "POST", &format!("/event{query}")), 400);
    let body = json!({"event_name": "Named in the query", "url": "/"}).to_string();
    send(&server, &from("192.0.2.1", "POST", &format!("/event{query}")).body(body), 200);
    assert_eq!(client.statistics("events", DAY)[0]["count"], 1);
    assert_eq!(client.statistics("screen", DAY)[0]["screen_class"], "", "a width that is none");
}

#[test]
fn what_is_wrong_is_told_to_the_page() {
    let (server, mut client) = start(&[]);
    let site = client.site.clone();
    let page = "https://page.test/";
    let with_code = |code: &str| {
        let site = Site { identification_code: code.into(), ..site.clone() };
        [
            hit("192.0.2.1", &site, &format!("url={page}")),
            beacon("192.0.2.1", "/event", &site, json!({"event_name": "e", "url": page})),
            beacon("192.0.2.1", "/session", &site, json!({})),
        ]
    };
    for code in ["", "x", &site.id, &site.client_id] {
        for request in with_code(code) {
            let answer = send(&server, &request, 401);
            assert!(
                answer.json()["error"][0].as_str().unwrap().contains("identification code"),
                "{answer:?}"
            );
            assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(ORIGIN));
        }
    }
    for (request, field) in [
        (hit("192.0.2.1", &site, "t=x"), "url"),
        (hit("192.0.2.1", &site, "url=nowhere"), "url"),
        (beacon("192.0.2.1", "/event", &site, json!({"event_name": "e"})), "url"),
        (beacon("192.0.2.1", "/event", &site, json!({"url": page})), "event_name"),
        (beacon("192.0.2.1", "/event", &site, json!({"url": page, "event_name": 5})), "event_name"),
        (
            beacon(
                "192.0.2.1",
                "/event",
                &site,
                json!({"url": page, "event_name": "e", "event_meta": {"a": [1]}}),
            ),
            "event_meta",
        ),
    ] {
        let answer = send(&server, &request, 400).json();
        assert!(answer["validation"][field].is_string(), "{field}: {answer}");
    }
    for body in ["{", "[]", "7"] {
        let target = format!("/event?code={}", site.identification_code);
        send(&server, &from("192.0.2.1", "POST", &target).body(body), 400);
    }
    for (method, target, allowed) in
        [("POST", "/hit", "GET"), ("GET", "/event", "POST"), ("PUT", "/session", "POST")]
    {
        let answer = send(&server, &from("192.0.2.1", method, target), 405);
        assert_eq!(answer.header("Allow"), Some(allowed), "{method} {target}");
    }
    let large = json!({"url": page, "event_name": "e", "more": "x".repeat(1 << 20)});
    send(&server, &beacon("192.0.2.1", "/event", &site, large), 413);
    let total = client.statistics("total", DAY);
    assert_eq!((&total["visitors"], &total["views"]), (&json!(0), &json!(0)), "{total}");
}

#[test]
fn a_call_without_a_body_says_everything_in_the_query() {
    let (server, mut client) = start(&[]);
    let code = client.site.identification_code.clone();
    for (name, code_name) in [("Q", "code"), ("R", "identification_code")] {
        let query =
            format!("{code_name}={code}&event_name={name}&url=https://page.test/q&title=T&event_duration=7");
        let target = format!("/event?{query}&event_meta=%7B%22plan%22%3A%22big%22%7D&event_id={name}");
        for wanted in [None, Some("1")] {
            let answer = send(&server, &from("192.0.2.1", "POST", &target), 200);
            assert_eq!(answer.header("X-Hitstone-Repeated"), wanted);
        }
        send(&server, &from("192.0.2.1", "POST", &format!("/session?{code_name}={code}")), 200);
        let query = format!("from=2026-01-01&to=2030-12-31&event={name}&event_meta_key=plan");
        assert_eq!(client.statistics("event/meta", &query)[0]["meta_value"], "big");
    }
    for wrong in ["event_duration=x", "event_meta=x", "event_meta=7", "non_interactive=1"] {
        let target = format!("/event?code={code}&event_name=Q&url=https://page.test/q&{wrong}");
        send(&server, &from("192.0.2.1", "POST", &target), 400);
    }
    send(&server, &from("192.0.2.1", "POST", "/event?code=x&event_name=Q&url=https://page.test/q"), 401);
}

#[test]
fn other_origins_may_send_with_credentials() {
    let (server, client) = start(&[]);
    for (target, method) in [("/hit", "GET"), ("/event", "POST"), ("/session", "POST")] {
        let ask = from("192.0.2.1", "OPTIONS", target).header("Access-Control-Request-Method", method);
        let answer = send(&server, &ask.header("Access-Control-Request-Headers", "content-type"), 204);
        for (header, wanted) in [
            ("Access-Control-Allow-Origin", ORIGIN),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", method),
            ("Access-Control-Allow-Headers", "content-type"),
            ("Access-Control-Max-Age", "86400"),
        ] {
            assert_eq!(answer.header(header), Some(wanted), "{header} of {target}");
        }
    }
    let site = client.site;
    let answer = send(&server, &hit("192.0.2.1", &site, "url=https://page.test/"), 200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some(ORIGIN));
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
    let exposed = answer.header("Access-Control-Expose-Headers").expect("headers");
    assert!(["X-Hitstone-Rejected", "X-RateLimit-Remaining"].iter().all(|name| exposed.contains(name)));
}

#[test]
fn an_address_has_as_many_calls_as_anywhere() {
    let (server, client) = start(&["--events-per-minute", "3"]);
    let site = client.site;
    let hit = |ip: &str| hit(ip, &site, "url=https://page.test/");
    let answer = send(&server, &hit("192.0.2.1"), 200);
    assert_eq!(answer.header("X-RateLimit-Remaining"), Some("2"));
    send(&server, &beacon("192.0.2.1", "/event", &site, json!({"event_name": "e", "url": "/"})), 200);
    send(&server, &beacon("192.0.2.1", "/session", &site, json!({})), 200);
    let limited = send(&server, &hit("192.0.2.1"), 429);
    assert!(limited.header("Retry-After").is_some());
    assert_eq!(limited.json(), json!({"validation": {}, "error": ["Too Many Requests"]}));
    assert_eq!(limited.header("Access-Control-Allow-Origin"), Some(ORIGIN));
    send(&server, &hit("192.0.2.2"), 200);
}

#[test]
fn browsers_are_looked_at_whatever_their_page_says() {
    let (server, mut client) = start(&[]);
    let site = client.site.clone();
    let said = json!({"url": "https://page.test/", "event_name": "e", "ip": "203.0.113.1", "user_agent": "Chrome",
        "disable_bot_filter": true, "time": "2026-06-01T00:00:00Z"});
    let event = beacon("192.0.2.1", "/event", &site, said);
    let page = hit("192.0.2.1", &site, "url=https://page.test/");
    let foreign = hit("192.0.2.1", &site, "url=https://elsewhere.test/");
    let bot = |request: &Request| {
        let bytes = String::from_utf8(request.to_bytes()).unwrap();
        let bytes = bytes.replace(FIREFOX, "Googlebot/2.1");
        let mut connection = server.connect();
        connection.write(bytes.as_bytes()).expect("writing");
        connection.read_response().expect("an answer")
    };
    for (request, reason) in [
        (page.clone().header("DNT", "1"), "dnt"),
        (event.clone().header("Sec-GPC", "1"), "dnt"),
        (page.clone().header("Sec-Purpose", "prefetch;prerender"), "prefetch"),
        (foreign, "hostname"),
        (beacon("192.0.2.9", "/session", &site, json!({})), "no-session"),
    ] {
        assert_eq!(send(&server, &request, 200).header("X-Hitstone-Rejected"), None);
        let told = send(&server, &request.header("X-Hitstone-Debug", "1"), 200);
        assert_eq!(told.header("X-Hitstone-Rejected"), Some(reason));
    }
    for request in [&page, &event] {
        let told = bot(&request.clone().header("X-Hitstone-Debug", "1"));
        assert_eq!((told.status, told.header("X-Hitstone-Rejected")), (200, Some("bot")));
    }
    assert_eq!(client.statistics("total", DAY)["visitors"], 0);
    send(&server, &page, 200);
    send(&server, &event, 200);
    let total = client.statistics("total", DAY);
    assert_eq!((&total["visitors"], &total["sessions"]), (&json!(1), &json!(1)), "one browser: {total}");
    assert_eq!(client.statistics("browser", DAY)[0]["browser"], "Firefox");
}

#[test]
fn what_a_page_sends_again_is_stored_once() {
    let (server, mut client) = start(&[]);
    let site = client.site.clone();
    let event = beacon("192.0.2.1", "/event", &site, json!({"event_name": "e", "url": "/", "event_id": "1"}));
    let page = hit("192.0.2.1", &site, "url=https://page.test/").header("X-Event-Id", "2");
    let session = beacon("192.0.2.1", "/session", &site, json!({})).header("Idempotency-Key", "3");
    for request in [&page, &event, &session] {
        let repeated =
            [(); 2].map(|()| send(&server, request, 200).header("X-Hitstone-Repeated").map(str::to_owned));
        assert_eq!(repeated, [None, Some("1".into())]);
    }
    assert_eq!(client.statistics("total", DAY)["views"], 1);
    assert_eq!(client.statistics("events", DAY)[0]["count"], 1);
}
