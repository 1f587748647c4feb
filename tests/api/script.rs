//! What our own script posts, and how all scripts are served. What they do in a browser is tried in `clients`.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{FIREFOX, Folder, Server, Site};

fn start(more: &[&str]) -> (Server, Site) {
    let folder = Folder::new();
    let site = folder.create_site("a.test");
    folder.create_site("b.test");
    (folder.start(&[&["--trust-proxy"], more].concat()), site)
}

/// A report as the script sends it: plain text from a page of another origin.
fn report(ip: &str, body: &str) -> Request {
    Request::post("/hs", "")
        .header("User-Agent", FIREFOX)
        .header("X-Forwarded-For", ip)
        .header("Origin", "https://a.test")
        .header("Content-Type", "text/plain;charset=UTF-8")
        .header("X-Hitstone-Debug", "1")
        .body(body)
}

fn send(server: &Server, request: &Request, status: u16) -> Response {
    let response = server.send(request);
    assert_eq!(response.status, status, "{request:?}\n{response:?}");
    response
}

#[test]
fn reports_are_counted_for_the_site_of_their_page() {
    let (server, site) = start(&[]);
    let view = r#"{"id":"1","url":"https://www.a.test/x?utm_source=s","title":"X","width":1920,"data":{"tagKind":"k"}}"#;
    let first = send(&server, &report("192.0.2.1", view), 200);
    assert_eq!(first.header("Access-Control-Allow-Origin"), Some("*"));
    assert!(first.header("Cache-Control").is_some_and(|value| value.starts_with("no-store")));
    assert_eq!((first.header("X-Hitstone-Rejected"), first.body.len()), (None, 0));
    // Sent again because the answer was lost.
    assert_eq!(send(&server, &report("192.0.2.1", view), 200).header("X-Hitstone-Repeated"), Some("1"));
    let event = r#"{"id":"2","url":"https://a.test/x","event":"Buy","meta":{"plan":"big"}}"#;
    send(&server, &report("192.0.2.1", event), 200);
    send(&server, &report("192.0.2.1", r#"{"id":"3","url":"https://a.test/x","left":1}"#), 200);
    for (body, reason) in [
        (r#"{"url":"https://c.test/"}"#, "hostname"),
        (r#"{"url":"https://b.test/","data":{"site":"a.test"}}"#, "hostname"),
        (r#"{"url":"https://a.test/","data":{"site":"c.test"}}"#, "hostname"),
        (r#"{"url":"https://b.test/","left":1,"data":{"site":"a.test"}}"#, "hostname"),
        (r#"{"url":"https://a.test/","left":1}"#, "no-session"),
    ] {
        let answer = send(&server, &report("192.0.2.9", body), 200);
        assert_eq!(answer.header("X-Hitstone-Rejected"), Some(reason), "{body}");
    }
    let wish = report("192.0.2.1", r#"{"url":"https://a.test/"}"#).header("Sec-GPC", "1");
    assert_eq!(send(&server, &wish, 200).header("X-Hitstone-Rejected"), Some("dnt"));
    // What is no site's is told to the operator.
    let told = server.folder().run_json(&["rejected", "--json"]);
    let row = |site: &Value, reason: &str| {
        told.as_array().unwrap().iter().find(|row| row["site"] == *site && row["reason"] == reason).cloned()
    };
    let counts = [(Value::Null, "hostname"), (json!("a.test"), "hostname"), (json!("a.test"), "dnt")]
        .map(|(site, reason)| row(&site, reason).map_or(json!(0), |row| row["count"].clone()));
    assert_eq!(counts, [2, 2, 1].map(Value::from), "{told}");

    let mut client = server.log_in(&site);
    let range = "from=2026-07-01&to=2026-07-01";
    let total = client.statistics("total", range);
    assert_eq!((&total["visitors"], &total["views"], &total["bounces"]), (&json!(1), &json!(1), &json!(0)));
    let pages = client.statistics("page", range);
    assert_eq!((&pages[0]["path"], &pages[0]["views"]), (&json!("/x"), &json!(1)));
    assert_eq!(client.statistics("tags", range)[0]["key"], "kind");
    assert_eq!(client.statistics("utm/source", range)[0]["utm_source"], "s");
    let visits = client.statistics("session/list", range);
    assert_eq!((&visits[0]["exit_path"], &visits[0]["entry_title"]), (&json!("/x"), &json!("X")));
    let events = client.statistics("events", range);
    assert_eq!((&events[0]["name"], &events[0]["meta_keys"]), (&json!("Buy"), &json!(["plan"])));
}

/// Browsers send a page view and an event of the page at once, and the network turns them over.
#[test]
fn whichever_comes_first_of_an_event_and_its_page_view() {
    let folder = Folder::new();
    let site = folder.create_site("a.test");
    let server = folder.start(&["--trusted-proxies", "192.0.2.0/24,127.0.0.0/8"]);
    let view = r#"{"url":"https://a.test/x","title":"X","width":1920}"#;
    for (at, (quiet, bounces)) in [(false, 0), (true, 1)].into_iter().enumerate() {
        let event = format!(r#"{{"url":"https://a.test/x","event":"Load","non_interactive":{quiet}}}"#);
        for (order, bodies) in [[view, &event], [&event, view]].into_iter().enumerate() {
            // The last hop is one of the trusted networks.
            let ip = format!("198.51.{at}.{order}, 192.0.2.7");
            let before = server.log_in(&site).statistics("total", "from=2026-07-01&to=2026-07-01");
            bodies.iter().for_each(|body| drop(send(&server, &report(&ip, body), 200)));
            let total = server.log_in(&site).statistics("total", "from=2026-07-01&to=2026-07-01");
            let more = ["visitors", "sessions", "views", "bounces"]
                .map(|name| total[name].as_i64().unwrap_or(0) - before[name].as_i64().unwrap_or(0));
            assert_eq!(more, [1, 1, 1, bounces], "{bodies:?}");
        }
    }
    let mut client = server.log_in(&site);
    let range = "from=2026-07-01&to=2026-07-01";
    let visits = client.statistics("session/list", range);
    for visit in visits.as_array().expect("a list") {
        let told = ["entry_title", "exit_title", "page_views"].map(|name| &visit[name]);
        assert_eq!(told, [&json!("X"), &json!(""), &json!(1)], "{visit}");
    }
    // The event does not know the screen.
    let screens = client.statistics("screen", range);
    assert_eq!((&screens[0]["screen_class"], &screens[0]["visitors"]), (&json!("Full HD"), &json!(4)));
}

#[test]
fn what_is_no_report_is_refused() {
    let (server, _) = start(&["--events-per-minute", "4"]);
    for (body, status) in [("", 400), ("{", 400), ("[]", 400), (r#"{"url":"x"}"#, 400), ("{}", 429)] {
        let answer = send(&server, &report("192.0.2.1", body), status);
        assert_eq!(answer.header("Retry-After").is_some(), status == 429, "{answer:?}");
    }
    send(&server, &report("192.0.2.3", r#"{"url":"https://a.test/","event":" "}"#), 400);
    send(
        &server,
        &report("192.0.2.4", &format!(r#"{{"url":"https://a.test/{}"}}"#, "x".repeat(8 << 10))),
        400,
    );
    send(&server, &report("192.0.2.4", r#"{"url":"","left":1,"data":{"site":"a.test"}}"#), 400);
    send(&server, &report("192.0.2.4", r#"{"url":"https://a.test/","data":{"status":""}}"#), 200);
    send(&server, &report("192.0.2.5", r#"{"url":"https://a.test/","title":"\ud83c"}"#), 200);
    send(&server, &report("192.0.2.3", &" ".repeat((1 << 20) + 1)), 413);
    assert_eq!(send(&server, &Request::get("/hs", ""), 405).header("Allow"), Some("POST"));
    let preflight = Request::new("OPTIONS", "/hs", "")
        .header("Origin", "https://a.test")
        .header("Access-Control-Request-Method", "POST");
    assert_eq!(send(&server, &preflight, 204).header("Access-Control-Allow-Origin"), Some("*"));
}

#[test]
fn scripts_are_small_and_the_same_compressed_or_not() {
    let (server, _) = start(&[]);
    for (path, bytes_max) in [("/hs.js", 1_000), ("/pa.js", 2_560), ("/static/wa.js", 1_200)] {
        let plain = send(&server, &Request::get(path, ""), 200);
        let small = send(&server, &Request::get(path, "").header("Accept-Encoding", "br, gzip"), 200);
        assert_eq!(
            (plain.header("Content-Encoding"), small.header("Content-Encoding")),
            (None, Some("gzip"))
        );
        assert_eq!(small.header("Vary"), Some("Accept-Encoding"));
        assert!(small.body.len() < bytes_max, "{path} has {} bytes", small.body.len());
        assert_eq!(small.header("ETag"), plain.header("ETag"));
        assert_eq!(plain.header("Access-Control-Allow-Origin"), Some("*"));
    }
}

#[test]
fn the_page_to_install_tells_nothing_by_itself() {
    let (server, site) = start(&[]);
    let page = send(&server, &Request::get("/install", ""), 200);
    let policy = page.header("Content-Security-Policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("Content-Type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    assert!(!text.contains(&site.id) && !text.contains("a.test") && text.contains("sha384-"));
}
