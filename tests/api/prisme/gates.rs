//! What every request goes through before it is read: preflights, the limit by address, origins, methods, sizes.

use super::*;
use crate::support::skip_without_test_clock;

#[test]
fn pages_of_other_origins_may_send_and_need_not_ask_again() {
    let server = start(&[]);
    let ask = |target: &str, more: &[(&str, &str)]| {
        let request = from("192.0.2.1", "OPTIONS", target).header("Origin", "https://unknown.test");
        more.iter().fold(request, |request, (name, value)| request.header(name, value))
    };
    let method = ("Access-Control-Request-Method", "POST");
    let names = ("Access-Control-Request-Headers", "x-prisme-referrer,x-event-id");
    for target in [PAGE_VIEWS, "/api/v1/events/custom/x", PIXEL] {
        let answer = send(&server, &ask(target, &[method, names]), 204);
        for (name, wanted) in [
            ("Access-Control-Allow-Origin", Some("*")),
            ("Access-Control-Allow-Methods", Some("POST")),
            ("Access-Control-Allow-Headers", Some(names.1)),
            ("Access-Control-Max-Age", Some("86400")),
            ("Vary", Some("Access-Control-Request-Method, Access-Control-Request-Headers, Origin")),
            ("Access-Control-Allow-Credentials", None),
            ("X-RateLimit-Limit", None),
            ("Server", Some("prisme")),
        ] {
            assert_eq!(answer.header(name), wanted, "{name} of {target}");
        }
        assert!(answer.body.is_empty());
    }
    send(&server, &ask(PAGE_VIEWS, &[]), 400);
    send(&server, &ask(PAGE_VIEWS, &[]).header("Origin", ""), 400);
    let own = from("192.0.2.1", "OPTIONS", PAGE_VIEWS).header("Origin", ORIGIN);
    assert_eq!(send(&server, &own, 405).header("Allow"), Some("POST"));
    let counted = send(&server, &page_view("192.0.2.2", PAGE), 200);
    assert_eq!(counted.header("Access-Control-Allow-Origin"), Some("*"));
    assert!(counted.body.is_empty() && counted.header("Content-Type").is_none());
    let refused = send(&server, &page_view("192.0.2.2", "x"), 400);
    assert_eq!(refused.header("Access-Control-Allow-Origin"), Some("*"));
    let backend = from("192.0.2.2", "POST", PAGE_VIEWS).header("Referer", PAGE);
    assert_eq!(send(&server, &backend, 400).header("Access-Control-Allow-Origin"), None, "no origin");
}

#[test]
fn an_address_has_60_events_a_minute() {
    if skip_without_test_clock("an_address_has_60_events_a_minute") {
        return;
    }
    let server = start(&[]);
    server.folder().set_clock("2026-07-01T12:00:00.500Z");
    let mut connection = server.connect();
    let preflight = post("192.0.2.1", PAGE_VIEWS).header("Access-Control-Request-Method", "POST");
    for left in (0..60).rev() {
        // Preflights cost nothing; what is refused costs as much as what is taken.
        let mut bytes = preflight.to_bytes();
        bytes.splice(..4, *b"OPTIONS");
        connection.write(&bytes).expect("writing");
        assert_eq!(connection.read_response().expect("an answer").status, 204);
        let page = if left % 2 == 0 { PAGE } else { "no address" };
        let answer = connection.send(&page_view("192.0.2.1", page));
        assert_eq!(answer.status, if left % 2 == 0 { 200 } else { 400 }, "{answer:?}");
        assert_eq!(answer.header("X-RateLimit-Limit"), Some("60"));
        assert_eq!(answer.header("X-RateLimit-Remaining"), Some(left.to_string().as_str()));
        assert_eq!(answer.header("X-RateLimit-Reset"), Some("60"));
    }
    server.folder().set_clock("2026-07-01T12:00:20Z");
    for request in [
        page_view("192.0.2.1", PAGE),
        from("::ffff:192.0.2.1", "GET", PIXEL).header("Referer", PAGE),
        from("192.0.2.1", "GET", PAGE_VIEWS),
        from("192.0.2.1", "POST", PAGE_VIEWS).header("Origin", "https://unknown.test"),
    ] {
        let answer = send(&server, &request, 429);
        assert_eq!((answer.header("Retry-After"), answer.text().as_str()), (Some("41"), "Too Many Requests"));
        assert_eq!(answer.header("X-RateLimit-Limit"), None);
    }
    let limited = send(&server, &page_view("192.0.2.1", PAGE), 429);
    assert_eq!(limited.header("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(metric(&server, "limited_total"), 5);
    send(&server, &page_view("192.0.2.2", PAGE), 200);
    send(&server, &Request::get("/api/v1/healthcheck", "").header("X-Forwarded-For", "192.0.2.1"), 200);
    server.folder().set_clock("2026-07-01T12:01:00.500Z");
    let answer = send(&server, &page_view("192.0.2.1", PAGE), 200);
    assert_eq!(answer.header("X-RateLimit-Remaining"), Some("59"));
}

#[test]
fn the_limit_counts_addresses_and_ipv6_networks() {
    let server = start(&["--events-per-minute", "2"]);
    for ip in 1..=100 {
        send(&server, &page_view(&format!("192.0.2.{ip}"), PAGE), 200);
    }
    for (ip, status) in [
        ("2001:db8::1", 200),
        ("2001:db8::2", 200),
        ("2001:db8::ffff:3", 429),
        ("2001:db8:0:1::1", 200),
        ("1.2.3.4, 192.0.2.200", 200),
        ("5.6.7.8, 192.0.2.200", 200),
        ("9.9.9.9, 192.0.2.200", 429),
    ] {
        send(&server, &page_view(ip, PAGE), status);
    }
    let folder = Folder::new();
    let header = ["--trust-proxy", "--proxy-header", "X-Custom-Forwarded-For"];
    let server = folder.start(&[&["--site", HOST, "--events-per-minute", "1"], &header[..]].concat());
    for ip in 1..=10 {
        let request = post("192.0.2.1", PAGE_VIEWS).header("Referer", PAGE);
        send(&server, &request.header("X-Custom-Forwarded-For", &format!("192.0.2.{ip}")), 200);
    }
    // Without a header the peer is the client; nobody is without a limit.
    send(&server, &page_view("192.0.2.50", PAGE), 200);
    send(&server, &page_view("192.0.2.51", PAGE), 429);
    let server = Folder::new().start(&["--site", HOST, "--events-per-minute", "0"]);
    for _ in 0..100 {
        assert_eq!(send(&server, &page_view("192.0.2.1", PAGE), 200).header("X-RateLimit-Limit"), None);
    }
}

#[test]
fn the_address_of_an_untrusted_peer_s_header_counts_for_nothing() {
    let server = Folder::new().start(&["--site", HOST, "--events-per-minute", "3"]);
    let id = |value: &Response| value.header("X-Prisme-Request-Id").expect("an id").to_owned();
    let mut ids = Vec::new();
    for ip in 1..=3 {
        let request = page_view(&format!("192.0.2.{ip}"), PAGE).header("X-Request-Id", "foo");
        ids.push(id(&send(&server, &request, 200)));
    }
    send(&server, &page_view("192.0.2.4", PAGE), 429);
    for id in &ids {
        let bytes = id.as_bytes();
        assert!(id.len() == 36 && bytes[14] == b'4' && b"89ab".contains(&bytes[19]), "{id}");
    }
    assert_ne!(ids[0], ids[1]);
    let trusting = start(&[]);
    let request = page_view("192.0.2.1", PAGE).header("X-Request-Id", "foo");
    assert_eq!(id(&send(&trusting, &request, 200)), "foo");
    assert_ne!(id(&send(&trusting, &page_view("192.0.2.1", PAGE), 200)), "foo");
}

#[test]
fn methods_and_paths() {
    let mut server = start(&[]);
    for (method, target, status) in [
        ("GET", PAGE_VIEWS, 405),
        ("PUT", PAGE_VIEWS, 405),
        ("GET", "/api/v1/events/custom/x", 405),
        ("POST", PIXEL, 405),
        ("DELETE", "/api/v1/noscript/events/outbound-links", 405),
        ("POST", "/api/v1/events/pageviews/", 404),
        ("POST", "/api/v1/events/custom/", 404),
        ("POST", "/api/v1/events/custom/a/b", 404),
        ("POST", "/api/v1/events", 404),
        ("GET", "/api/v1/noscript/events/file-downloads", 404),
        ("POST", "/API/V1/Events/PageViews", 200),
        ("HEAD", PIXEL, 200),
    ] {
        let request = from("192.0.2.1", method, target).header("Origin", ORIGIN).header("Referer", PAGE);
        let mut connection = server.connect();
        connection.write(&request.header("Connection", "close").to_bytes()).expect("writing");
        let answer = connection.read_to_end().expect("an answer");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {target}: {answer}");
        assert_eq!(status == 405, answer.contains("\r\nallow: "), "{answer}");
    }
    for method in ["GET", "POST", "OPTIONS", "DELETE"] {
        for path in ["/api/v1/healthcheck", "/api/v1/healthcheck/", "/api/v1/healthcheck/x/y"] {
            let answer = send(&server, &Request::new(method, path, ""), 200);
            assert!(answer.body.is_empty());
        }
    }
    server.assert_alive();
    let views = rows(server.folder(), HOST).len();
    assert_eq!(views, 1, "the page view alone: who asks for a picture's head looks at no page");
}

#[test]
fn what_is_too_large_is_told_so_and_what_is_large_is_not() {
    let mut server = start(&["--events-per-minute", "0"]);
    let long = |bytes: usize| "x".repeat(bytes);
    for (bytes, status) in [(20_000, 200), (32_000, 200), (33_000, 431), (40_000, 431), (100_000, 431)] {
        send(&server, &page_view("192.0.2.1", PAGE).header("Cookie", &long(bytes)), status);
    }
    send(&server, &page_view("192.0.2.1", &format!("https://a.test/?{}", long(8_000))), 200);
    send(&server, &page_view("192.0.2.1", &format!("https://a.test/?{}", long(8_200))), 400);
    let meta = |bytes: usize| format!("{{\"a\":\"{}\"}}", long(bytes));
    let taken = send(&server, &event("192.0.2.1", "big", &meta(1_000_000)), 200);
    assert!(taken.body.is_empty());
    let refused = send(&server, &event("192.0.2.1", "big", &meta(1_100_000)), 413);
    assert_eq!(refused.header("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(refused.header("Connection"), Some("close"));
    send(&server, &page_view("192.0.2.1", PAGE).body(long(1_100_000)), 413);
    send(&server, &page_view("192.0.2.1", PAGE).body("ignored"), 200);
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let many: Vec<String> = (0..101).map(|n| format!("\"k{n}\":{n}")).collect();
    for body in [deep, format!("{{{}}}", many.join(",")), format!("{{\"{}\":1}}", long(101))] {
        send(&server, &event("192.0.2.1", "bad", &body), 400);
    }
    send(&server, &event("192.0.2.1", &long(200), ""), 200);
    send(&server, &event("192.0.2.1", &long(201), ""), 400);
    server.assert_alive();
    let meta = rows(server.folder(), HOST).iter().flat_map(|row| row.meta.clone()).collect::<Vec<_>>();
    assert_eq!(meta, [("a".to_owned(), long(2_000))]);
}
