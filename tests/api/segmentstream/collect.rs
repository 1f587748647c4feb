//! `/collect`: what SegmentStream's script posts from pages.

use super::*;

const ORIGIN: &str = "https://shop.test";

/// A message as the script writes it.
fn message(project: &str, name: &str) -> Value {
    json!({
        "event": {"name": name, "nonInteraction": false, "category": "Content",
            "page": {"type": "home", "url": "https://shop.test/a?utm_source=x", "path": "/a", "title": "Home"}},
        "website": {"type": "responsive", "language": "en", "environment": "production"},
        "type": "event", "hitId": format!("{project} {name}"), "projectId": project, "projectName": "Shop",
        "anonymousId": "80ddb140-35c6-11e9-bd56-eb1c05e6de18",
        "context": {"campaign": {"source": "google", "medium": "cpc"}, "library": {"name": "ddmanager.js"},
            "page": {"path": "/a", "referrer": "https://news.example.com/", "url": "https://shop.test/a"},
            "userAgent": FIREFOX, "browser": {"name": "Firefox"}, "device": {"type": "desktop"},
            "screenWidth": 1920, "screenHeight": 1080},
        "sentAt": TIME, "version": 12
    })
}

/// As browsers send it: no token, and a text as far as they know.
fn post(body: &Value) -> Request {
    Request::new("POST", "/collect", "")
        .header("Origin", ORIGIN)
        .header("User-Agent", FIREFOX)
        .header("Accept-Language", "sv-SE,sv;q=0.9")
        .header("Content-Type", "text/plain;charset=UTF-8")
        .header("Cookie", "session=1")
        .body(body.to_string())
}

#[test]
fn a_page_names_its_site_by_id_or_code() {
    let mut shop = Shop::open(&["--events-per-minute", "1"]);
    let site = shop.client.site.clone();
    for project in [&site.id, &site.identification_code] {
        for name in ["Viewed Page", "Added Product"] {
            for wanted in [0, 1] {
                let response = shop.server.send(&post(&message(project, name)));
                assert_eq!(repeated(&response), wanted);
                assert!(response.body.is_empty());
                for (header, wanted) in [
                    ("Access-Control-Allow-Origin", Some(ORIGIN)),
                    ("Access-Control-Allow-Credentials", Some("true")),
                    ("Vary", Some("Origin")),
                    ("Set-Cookie", None),
                    ("X-RateLimit-Limit", None),
                ] {
                    assert_eq!(response.header(header), wanted, "{header}");
                }
            }
        }
    }
    assert_eq!((shop.total_ever("visitors"), shop.total_ever("views")), (json!(1), json!(2)));
    for (statistic, member, wanted) in [
        ("page", "path", "/a"),
        ("language", "language", "sv"),
        ("browser", "browser", "Firefox"),
        ("screen", "screen_class", "Full HD"),
        ("referrer", "referrer_name", "news.example.com"),
        ("utm/source", "utm_source", "google"),
        ("events", "name", "Added Product"),
    ] {
        let answer = shop.client.statistics(statistic, EVER);
        assert_eq!(answer[0][member], wanted, "{statistic}: {answer}");
    }
    assert_eq!(shop.meta(EVER, "Added Product", "category"), "Content");
    for project in [json!("x"), json!(""), json!(null), json!(7), json!(shop.token), json!(site.client_id)] {
        let mut unknown = message("", "Viewed Page");
        unknown["projectId"] = project;
        let response = shop.server.send(&post(&unknown));
        assert_eq!(response.status, 401, "{response:?}");
        assert_eq!(response.header("Access-Control-Allow-Origin"), Some(ORIGIN), "its script may read that");
        assert_eq!(response.header("WWW-Authenticate"), None, "browsers would ask for a password");
    }
}

#[test]
fn preflights_open_it_to_pages_with_credentials() {
    let shop = Shop::open(&[]);
    let ask = |origin: &str| {
        let request = Request::new("OPTIONS", "/collect", "").header("Origin", origin);
        let request = request.header("Access-Control-Request-Method", "POST");
        shop.server.send(&request.header("Access-Control-Request-Headers", "content-type,x-event-id"))
    };
    for origin in [ORIGIN, "https://elsewhere.test", "null"] {
        let answer = ask(origin);
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        for (header, wanted) in [
            ("Access-Control-Allow-Origin", origin),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", "POST"),
            ("Access-Control-Allow-Headers", "content-type,x-event-id"),
            ("Access-Control-Max-Age", "86400"),
        ] {
            assert_eq!(answer.header(header), Some(wanted), "{header}");
        }
        assert!(answer.header("Vary").is_some_and(|names| names.contains("Origin")));
    }
    for method in ["GET", "PUT"] {
        let response = shop.server.send(&Request::new(method, "/collect", "").header("Origin", ORIGIN));
        assert_eq!((response.status, response.header("Allow")), (405, Some("POST")), "{method}");
    }
    let large = Value::String("x".repeat(1 << 20));
    assert_eq!(shop.server.send(&post(&large)).status, 413);
    assert_eq!(shop.server.send(&post(&json!([]))).status, 401);
}

#[test]
fn pages_are_looked_at_as_all_browsers_are() {
    let mut shop = Shop::open(&["--trust-proxy"]);
    let site = shop.client.site.id.clone();
    let plain = || message(&site, "Viewed Page");
    let of = |ip: &str, body: &Value| post(body).header("X-Forwarded-For", ip);
    let unnamed = |url: &str| {
        let mut body = plain();
        body["anonymousId"] = Value::Null;
        body["hitId"] = Value::Null;
        body["context"]["ip"] = json!("203.0.113.77");
        body["event"]["page"]["url"] = json!(url);
        body
    };
    let page = "https://www.shop.test/";
    // It calls itself a browser in the message.
    let googlebot = |body: &Value| {
        let request = Request::new("POST", "/collect", "").header("User-Agent", "Googlebot/2.1");
        request.header("Origin", ORIGIN).body(body.to_string())
    };
    for (request, reason) in [
        (googlebot(&unnamed(page)), "bot"),
        (of("198.51.100.1", &unnamed("https://elsewhere.test/")), "hostname"),
        (of("198.51.100.1", &unnamed(page)).header("DNT", "1"), "dnt"),
        (of("198.51.100.1", &unnamed(page)).header("Sec-GPC", "1"), "dnt"),
        (of("198.51.100.1", &unnamed(page)).header("Sec-Purpose", "prefetch"), "prefetch"),
    ] {
        let quiet = shop.server.send(&request);
        assert_eq!((quiet.status, quiet.header("X-Hitstone-Rejected")), (204, None));
        let told = shop.server.send(&request.header("X-Hitstone-Debug", "1"));
        assert_eq!((told.status, told.header("X-Hitstone-Rejected")), (204, Some(reason)));
        assert_eq!(told.header("Access-Control-Allow-Origin"), Some(ORIGIN));
    }
    assert_eq!(shop.total_ever("visitors"), 0);
    // Who is not named is known by the request's own address, whatever the message says of it.
    for (ip, visitors) in [("198.51.100.1", 1), ("198.51.100.1", 1), ("198.51.100.2", 2)] {
        let response = shop.server.send(&of(ip, &unnamed(page)));
        assert_eq!(repeated(&response), 0);
        assert_eq!(shop.total_ever("visitors"), visitors, "{ip}");
    }
    let mut agentless = unnamed(page);
    agentless["context"] = json!({});
    assert_eq!(repeated(&shop.server.send(&of("198.51.100.1", &agentless))), 0);
    assert_eq!(shop.total_ever("visitors"), 2, "the header names the browser, too");
}

/// Anyone may post here: nobody's history is written, whatever `sentAt` says.
#[test]
fn the_time_is_the_servers() {
    let mut shop = Shop::open(&[]);
    let site = shop.client.site.id.clone();
    let mut old = message(&site, "Viewed Page");
    old["sentAt"] = json!("2024-01-01T12:00:00Z");
    assert_eq!(repeated(&shop.server.send(&post(&old))), 0);
    let day = shop.client.statistics("total", "from=2024-01-01&to=2024-01-01");
    assert_eq!(day["views"], 0, "{day}");
}
