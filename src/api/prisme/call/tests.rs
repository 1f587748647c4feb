//! What is read out of requests, place by place.

use hyper::Request;

use super::*;

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const PAGE: &str = "https://a.test/p";

fn read(path: &str, headers: &[(&str, &str)], body: &str) -> Result<Read, Refused> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let route = super::super::route::find(head.uri.path()).unwrap();
    Call::new(&head, route.is_noscript()).read(&route, body.as_bytes(), IP)
}

fn hit(path: &str, headers: &[(&str, &str)], body: &str) -> Hit {
    read(path, headers, body).unwrap_or_else(|refused| panic!("{path}: {refused:?}")).hit
}

fn meta_of(hit: Hit) -> Vec<(String, String)> {
    match hit.kind {
        HitKind::Event(event) => event.meta,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_page_is_named_by_query_then_header_then_referer() {
    const SCRIPT: &str = "/api/v1/events/pageviews";
    const PIXEL: &str = "/api/v1/noscript/events/pageviews";
    let x = ("X-Prisme-Referrer", "https://x.test/");
    let referer = ("Referer", "https://r.test/");
    let query = "?referrer=https://q.test/";
    for (path, headers, wanted) in [
        (SCRIPT.to_owned(), &[x, referer][..], "https://x.test/"),
        (SCRIPT.to_owned(), &[referer], "https://r.test/"),
        (SCRIPT.to_owned(), &[("X-Prisme-Referrer", ""), referer], "https://r.test/"),
        (format!("{SCRIPT}{query}"), &[referer], "https://r.test/"),
        (format!("{PIXEL}{query}"), &[x, referer], "https://q.test/"),
        (format!("{PIXEL}?referrer="), &[x, referer], "https://x.test/"),
        (PIXEL.to_owned(), &[referer], "https://r.test/"),
    ] {
        assert_eq!(hit(&path, headers, "").url, wanted, "{path} {headers:?}");
    }
    let bad = ("X-Prisme-Referrer", "no address");
    assert!(read(SCRIPT, &[bad, referer], "").is_err(), "what is there and wrong has no substitute");
    assert!(read(SCRIPT, &[], "").is_err());
}

#[test]
fn status_referrer_and_visitor_have_their_places() {
    let page = ("X-Prisme-Referrer", PAGE);
    let script = hit(
        "/api/v1/events/pageviews",
        &[
            page,
            ("X-Prisme-Status", "404"),
            ("X-Prisme-Document-Referrer", "android-app://com.slack/"),
            ("X-Prisme-Visitor-Id", "caf\u{e9}"),
            ("DNT", "1"),
            ("X-Event-Id", "e1"),
        ],
        "ignored",
    );
    assert_eq!((script.status, script.referrer.as_str()), (Some(404), "android-app://com.slack/"));
    assert_eq!(script.given_visitor, GivenVisitor::new(GivenKind::Visitor, "café"));
    assert_eq!((script.dnt, script.event_id.as_str(), script.source), (true, "e1", "prisme"));
    let pixel = hit(
        "/api/v1/noscript/events/pageviews?status=500&document-referrer=https://r.test/&visitor-id=7",
        &[
            page,
            ("X-Prisme-Status", "404"),
            ("X-Prisme-Document-Referrer", "bad"),
            ("X-Prisme-Visitor-Id", "8"),
        ],
        "",
    );
    assert_eq!((pixel.status, pixel.referrer.as_str()), (Some(500), "https://r.test/"));
    assert_eq!(pixel.given_visitor, GivenVisitor::new(GivenKind::Visitor, "7"));
    let bare = hit("/api/v1/noscript/events/pageviews?visitor-id=+", &[page], "");
    assert_eq!((bare.status, bare.given_visitor), (Some(200), None));
    for status in ["abc", "65536", "-1", "+1", "1.0"] {
        assert!(
            read("/api/v1/events/pageviews", &[page, ("X-Prisme-Status", status)], "").is_err(),
            "{status}"
        );
    }
    let referrer = ("X-Prisme-Document-Referrer", "/relative");
    assert!(read("/api/v1/events/pageviews", &[page, referrer], "").is_err());
    let event = hit("/api/v1/events/custom/x?visitor-id=9", &[page, referrer, ("X-Prisme-Status", "x")], "");
    assert_eq!((event.status, event.referrer.as_str()), (None, ""), "only page views have them");
    assert_eq!(event.given_visitor, GivenVisitor::new(GivenKind::Visitor, "9"));
}

#[test]
fn properties_are_an_object_or_nothing() {
    let json = ("Content-Type", "Application/JSON; charset=utf-8");
    let page = ("Referer", PAGE);
    let sent = |body: &str| read("/api/v1/events/custom/buy", &[page, json], body);
    let body = r#"{"price":7.50,"item":{"id":1,"tags":["a",{"b":null}]},"none":null,"é":"ü"}"#;
    let wanted = [("price", "7.5"), ("item.id", "1"), ("item.tags", r#"["a",{"b":null}]"#), ("é", "ü")];
    let wanted = wanted.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(meta_of(sent(body).unwrap().hit), wanted);
    for body in ["[]", "null", "1", "\"x\"", "{", "{}x", r#"{"a":1,"a":2}"#, r#"{"a":{"b":1,"b":2}}"#] {
        assert!(sent(body).is_err(), "{body}");
    }
    for content_type in ["text/plain", "application/jsonx", "", "text/plain;application/json"] {
        let headers = [page, ("Content-Type", content_type)];
        assert!(read("/api/v1/events/custom/buy", &headers, "{}").is_err(), "{content_type}");
        assert!(read("/api/v1/events/custom/buy", &headers, "").is_ok(), "no body has no type");
    }
    let pixel = |query: &str| read(&format!("/api/v1/noscript/events/custom/x?{query}"), &[page], "");
    let found =
        meta_of(pixel("prop-a=%22x+y%22&other=1&prop-b=%7B%22c%22%3Atrue%7D&prop-n=null").unwrap().hit);
    assert_eq!(found, [("a".to_owned(), "x y".to_owned()), ("b.c".to_owned(), "true".to_owned())]);
    for query in ["prop-a=x", "prop-=1", "prop-a=", "prop-a=1&prop-a=2"] {
        assert!(pixel(query).is_err(), "{query}");
    }
}

#[test]
fn clicks_lead_elsewhere() {
    let page = ("X-Prisme-Referrer", PAGE);
    let clicked = |path: &str, headers: &[(&str, &str)], body: &str| read(path, headers, body).ok();
    let link = |body: &str| clicked("/api/v1/events/outbound-links", &[page], body);
    let read_link = link(" https://B.test/x?y#z\n");
    assert!(read_link.is_none(), "control characters");
    let found = link("https://B.test/x?y#z").unwrap();
    assert_eq!(meta_of(found.hit), [("url".to_owned(), "https://b.test/x?y#z".to_owned())]);
    assert_eq!(found.redirect, None);
    for body in ["", "/x", "PING", "mailto:a@b.c", "https://a.test/other", "http://A.test"] {
        assert!(link(body).is_none(), "{body}");
    }
    let download = |body: &str| clicked("/api/v1/events/file-downloads", &[page], body);
    assert!(download("https://a.test/file.zip").is_some(), "files may be the site's own");
    let ping = |from: &str, to: &str| {
        let headers = [("Ping-From", from), ("Ping-To", to), ("Content-Type", "text/ping")];
        clicked("/api/v1/events/outbound-links", &headers, "PING").map(|read| read.hit.url)
    };
    assert_eq!(ping("https://a.test/from", "https://b.test/"), Some("https://a.test/from".into()));
    for (from, to) in [("/from", "https://b.test/"), (PAGE, ""), ("", "https://b.test/"), (PAGE, "/to")] {
        assert_eq!(ping(from, to), None, "{from} {to}");
    }
}

#[test]
fn links_are_followed_only_to_the_web() {
    let follow = |url: &str| {
        let path = format!("/api/v1/noscript/events/outbound-links?url={url}");
        read(&path, &[("Referer", PAGE)], "").ok().and_then(|read| read.redirect)
    };
    for (url, wanted) in [
        ("https://b.test/page1?x=1", Some("https://b.test/page1?x=1")),
        ("http://b.test", Some("http://b.test/")),
        ("HTTP://u:p@B.test/caf%25C3%25A9", Some("http://b.test/caf%C3%A9")),
        ("https://b.test/%C3%A9%0D%0ASet-Cookie:x", None),
        ("javascript://b.test/%250aalert(1)", None),
        ("ftp://b.test/", None),
        ("/foo/bar", None),
        ("//b.test/x", None),
        ("https://a.test/own", None),
        ("", None),
    ] {
        assert_eq!(follow(url).as_deref(), wanted, "{url}");
    }
}

#[test]
fn origins_come_from_the_referer_only_without_scripts() {
    let origin = |path: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        Call::new(&head, path.contains("noscript")).origin()
    };
    let referer = ("Referer", "https://R.test:8080/x");
    let named = ("Origin", "http://O.test:81");
    let pixel = "/api/v1/noscript/events/pageviews";
    assert_eq!(origin(pixel, &[referer]).as_deref(), Some("r.test"));
    assert_eq!(origin(pixel, &[referer, named]).as_deref(), Some("o.test"));
    assert_eq!(origin(pixel, &[referer, ("Origin", "null")]), None);
    assert_eq!(origin("/api/v1/events/pageviews", &[referer]), None);
    assert_eq!(origin("/api/v1/events/pageviews", &[named]).as_deref(), Some("o.test"));
}
