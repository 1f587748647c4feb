//! What becomes of events: sessions, visitors, metadata, clicks, retries, what is left out.

use serde_json::json;

use super::*;
use crate::support::skip_without_test_clock;

const OUTBOUND: &str = "/api/v1/events/outbound-links";
const DOWNLOADS: &str = "/api/v1/events/file-downloads";
const REDIRECT: &str = "/api/v1/noscript/events/outbound-links";
const DAY: &str = "from=2026-07-01&to=2026-07-01";

/// A server whose site's statistics can be asked.
fn start_with_client() -> (Server, crate::support::Client) {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let server = folder.start(&["--trust-proxy", "--events-per-minute", "0"]);
    let client = server.log_in(&site);
    (server, client)
}

fn ping(ip: &str, page: &str, target: &str) -> Request {
    let request = post(ip, OUTBOUND).header("Content-Type", "text/ping").body("PING");
    request.header("Ping-From", page).header("Ping-To", target)
}

#[test]
fn a_visit_is_counted_by_the_one_rule() {
    if skip_without_test_clock("a_visit_is_counted_by_the_one_rule") {
        return;
    }
    let (server, mut client) = start_with_client();
    let at = |time: &str| server.folder().set_clock(&format!("2026-07-01T{time}Z"));
    // The event comes before any page view and waits for none: it stands for its page's view.
    at("13:00:00");
    send(&server, &event("192.0.2.1", "loaded", ""), 200);
    send(&server, &page_view("192.0.2.1", PAGE), 200);
    // The same page again is seen again.
    at("13:00:10");
    send(&server, &page_view("192.0.2.1", PAGE), 200);
    // A click is activity: the visit lasts until it, and goes on within half an hour of it.
    at("13:00:50");
    send(&server, &ping("192.0.2.1", PAGE, "https://b.test/x"), 200);
    let duration = client.statistics("duration/session", DAY);
    assert_eq!(duration[0]["average_time_spent_seconds"], 50, "{duration}");
    at("13:30:00");
    send(&server, &page_view("192.0.2.1", "https://a.test/q"), 200);
    let total = client.statistics("total", DAY);
    assert_eq!((&total["visitors"], &total["views"], &total["sessions"]), (&json!(1), &json!(3), &json!(1)));
    // After it a new one, also over a crash.
    let folder = {
        drop(client);
        server.kill()
    };
    folder.set_clock("2026-07-01T14:00:01Z");
    let server = folder.start(&["--trust-proxy"]);
    send(&server, &page_view("192.0.2.1", PAGE), 200);
    let found = rows(server.folder(), HOST);
    let sessions: Vec<i64> = found.iter().map(|row| row.session).collect();
    assert_eq!(sessions.len(), 6, "{found:?}");
    assert!(sessions[..5].iter().all(|session| *session == sessions[0]), "{sessions:?}");
    assert_ne!(sessions[5], sessions[0]);
    assert!(found.iter().all(|row| row.visitor == found[0].visitor), "the salt outlives the crash");
}

#[test]
fn metadata_is_kept_flat_and_filters() {
    let (server, mut client) = start_with_client();
    send(&server, &event("192.0.2.1", "Buy", r#"{"item":{"id":7,"tags":["a","b"]},"big":true}"#), 200);
    send(&server, &event("192.0.2.2", "Buy", r#"{"item":{"id":8},"naïve":"ü","none":null}"#), 200);
    let pixel = "/api/v1/noscript/events/custom/sign%20up%C3%A9?prop-item=%7B%22id%22%3A7%7D";
    let answer = send(&server, &from("192.0.2.3", "GET", pixel).header("Referer", PAGE), 200);
    assert_eq!(answer.header("Content-Type"), Some("image/gif"));
    let day = if crate::support::has_test_clock() { DAY } else { "from=2026-01-01&to=2030-12-31" };
    let events = client.statistics("events", day);
    let named = |name: &str| {
        let rows = events.as_array().expect("a list");
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {events}")).clone()
    };
    assert_eq!(named("Buy")["count"], 2);
    assert_eq!(named("Buy")["meta_keys"], json!(["big", "item.id", "item.tags", "naïve"]));
    assert_eq!(named("sign upé")["count"], 1);
    for (query, visitors) in [
        ("event=Buy&meta_item.id=7", 1),
        ("meta_item.id=7", 2),
        ("meta_item.tags=%5B%22a%22%2C%22b%22%5D", 1),
        ("meta_na%C3%AFve=%C3%BC", 1),
        ("meta_big=true", 1),
        ("meta_item.id=9", 0),
    ] {
        assert_eq!(client.statistics("total", &format!("{day}&{query}"))["visitors"], visitors, "{query}");
    }
}

#[test]
fn clicks_are_events_with_an_address() {
    let (server, _client) = start_with_client();
    let page = ("X-Prisme-Referrer", PAGE);
    let click = |ip: &str, target: &str, body: &str| post(ip, target).header(page.0, page.1).body(body);
    send(&server, &click("192.0.2.1", OUTBOUND, "https://b.test/x?y=1"), 200);
    send(&server, &click("192.0.2.2", DOWNLOADS, "https://a.test/file.zip"), 200);
    send(&server, &ping("192.0.2.3", "https://a.test/from", "https://b.test/"), 200);
    let file = post("192.0.2.4", DOWNLOADS).header("Ping-From", PAGE).header("Ping-To", PAGE).body("PING");
    send(&server, &file, 200);
    for bad in ["https://a.test/x", "/x", "", "PINGS"] {
        send(&server, &click("192.0.2.1", OUTBOUND, bad), 400);
    }
    send(&server, &ping("192.0.2.1", "/from", "https://b.test/"), 400);
    let mut found: Vec<_> = rows(server.folder(), HOST)
        .iter()
        .filter(|row| row.kind == Kind::Event)
        .map(|row| (row.text(Column::EventName).to_owned(), row.meta[0].1.clone(), row.path().to_owned()))
        .collect();
    found.sort();
    let wanted = [
        ("File Download", "https://a.test/file.zip", "/p"),
        ("File Download", "https://a.test/p", "/p"),
        ("Outbound Link Click", "https://b.test/", "/from"),
        ("Outbound Link Click", "https://b.test/x?y=1", "/p"),
    ];
    assert_eq!(found, wanted.map(|(name, url, path)| (name.to_owned(), url.to_owned(), path.to_owned())));
}

#[test]
fn links_lead_only_from_a_site_s_pages_to_the_web() {
    let (server, _client) = start_with_client();
    let follow = |url: &str, origin: &str, referer: &str| {
        let request = from("192.0.2.1", "GET", &format!("{REDIRECT}?url={url}"));
        let request = if origin.is_empty() { request } else { request.header("Origin", origin) };
        if referer.is_empty() { request } else { request.header("Referer", referer) }
    };
    let target = "https://b.test/page1?x=%C3%A9";
    for (origin, referer) in
        [(ORIGIN, PAGE), ("", PAGE), ("", "https://a.test"), ("https://www.a.test", PAGE)]
    {
        let answer = send(&server, &follow("https://b.test/page1?x=%25C3%25A9", origin, referer), 302);
        assert_eq!(answer.header("Location"), Some(target));
        assert!(answer.body.is_empty());
        assert!(answer.header("Cache-Control").is_some_and(|value| value.starts_with("no-store")));
    }
    for (url, origin, referer) in [
        (target, "", ""),
        (target, "https://evil.test", PAGE),
        (target, "null", PAGE),
        (target, "", "https://evil.test/"),
        (target, ORIGIN, "not an url"),
        ("//b.test/", "", PAGE),
        ("/x", "", PAGE),
        ("javascript:alert(1)", "", PAGE),
        ("javascript://b.test/%250aalert(1)", "", PAGE),
        ("data:text/html,x", "", PAGE),
        ("https:b.test", "", PAGE),
        ("https:///b.test", "", PAGE),
        ("%20", "", PAGE),
        ("", "", PAGE),
    ] {
        let answer = send(&server, &follow(url, origin, referer), 400);
        assert_eq!(answer.header("Location"), None, "{url}");
    }
    // What is not counted gets where it wanted all the same; whoever follows a link is counted, whatever it is called.
    let program = || Request::get(&format!("{REDIRECT}?url={target}"), "").header("Referer", PAGE);
    send(&server, &program().header("User-Agent", "Googlebot/2.1"), 302);
    send(&server, &program().header("DNT", "1"), 302);
    assert_eq!((left_out(&server, "bot"), left_out(&server, "dnt")), (0, 1));
    let clicks = rows(server.folder(), HOST).iter().filter(|row| row.kind == Kind::Event).count();
    assert_eq!(clicks, 5);
}

#[test]
fn paths_are_whole_whatever_is_in_them() {
    let (server, _client) = start_with_client();
    let views = [
        ("https://a.test/caf%C3%A9/a%20b?utm_source=n%C3%A9ws&utm_medium=e+mail", "/café/a b"),
        ("https://a.test/a%2Fb/%E6%97%A5%E6%9C%AC", "/a/b/日本"),
        ("https://a.test///x/../y//z/./?utm_source=n%C3%A9ws", "/y/z/"),
        ("https://a.test/100%?utm_source=n%C3%A9ws", "/100%"),
        ("https://a.test/%FF", "/%FF"),
        ("https://a.test?utm_source=n%C3%A9ws", "/"),
    ];
    for (number, (page, _)) in views.iter().enumerate() {
        send(&server, &page_view(&format!("192.0.2.{number}"), page), 200);
    }
    // Characters beyond ASCII in a header: UTF-8 from programs, one byte each from browsers.
    send(&server, &page_view("192.0.2.100", "https://a.test/über"), 200);
    let text = String::from_utf8(page_view("192.0.2.101", "https://a.test/#ber").to_bytes()).expect("text");
    let bytes: Vec<u8> = text.bytes().map(|byte| if byte == b'#' { 0xfc } else { byte }).collect();
    let mut connection = server.connect();
    connection.write(&bytes).expect("writing");
    assert_eq!(connection.read_response().expect("an answer").status, 200);
    let found = rows(server.folder(), HOST);
    let mut paths: Vec<&str> = found.iter().map(Row::path).collect();
    let mut wanted: Vec<&str> = views.iter().map(|view| view.1).chain(["/über", "/über"]).collect();
    paths.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(paths, wanted);
    assert_eq!(found.iter().filter(|row| row.text(Column::UtmSource) == "néws").count(), 4);
}

#[test]
fn a_site_s_own_ids_outlive_days_addresses_and_restarts() {
    if skip_without_test_clock("a_site_s_own_ids_outlive_days_addresses_and_restarts") {
        return;
    }
    let server = Folder::new().start(&["--site", HOST, "--site", "b.test", "--trust-proxy"]);
    let with = |request: Request| request.header("X-Prisme-Visitor-Id", "user 7");
    send(&server, &page_view("192.0.2.1", PAGE), 200);
    send(&server, &with(page_view("192.0.2.1", PAGE)), 200);
    send(&server, &with(event("192.0.2.2", "x", "")), 200);
    let pixel = from("192.0.2.3", "GET", &format!("{PIXEL}?visitor-id=user+7")).header("Referer", PAGE);
    send(&server, &pixel, 200);
    let link = format!("{REDIRECT}?url=https://b.test/&visitor-id=user%207");
    send(&server, &from("192.0.2.4", "GET", &link).header("Referer", PAGE), 302);
    send(&server, &with(ping("192.0.2.5", PAGE, "https://b.test/")), 200);
    let other =
        from("192.0.2.1", "POST", PAGE_VIEWS).header("Origin", "https://b.test").header("Referer", PAGE);
    send(&server, &with(other), 200);
    let server = server.kill().start(&["--trust-proxy"]);
    server.folder().set_clock("2026-07-05T12:00:00Z");
    send(&server, &with(page_view("192.0.2.9", PAGE)), 200);
    send(&server, &page_view("192.0.2.1", PAGE).header("X-Prisme-Visitor-Id", ""), 200);
    let found = rows(server.folder(), HOST);
    let (given, anonymous): (Vec<&Row>, Vec<&Row>) = found.iter().partition(|row| row.user_key.is_some());
    assert_eq!((given.len(), anonymous.len()), (6, 2), "{found:?}");
    assert!(given.iter().all(|row| row.user_key == Some(row.visitor) && row.visitor == given[0].visitor));
    let of_b = rows(server.folder(), "b.test");
    assert_ne!(of_b[0].user_key, given[0].user_key, "each site has a secret of its own");
    let mut kept = files_below(&server.folder().data()).into_iter();
    assert!(
        kept.all(|(_, bytes)| !bytes.windows(6).any(|part| part == b"user 7")),
        "the id itself is not kept"
    );
}

#[test]
fn sent_again_is_stored_once() {
    let mut server = start(&["--events-per-minute", "0"]);
    let named = |request: Request| request.header("X-Event-Id", "e-1");
    let repeated = |response: Response| response.header("X-Hitstone-Repeated").map(str::to_owned);
    for (round, kill) in [true, false, true].into_iter().enumerate() {
        let wanted = (round > 0).then(|| "1".to_owned());
        assert_eq!(repeated(send(&server, &named(page_view("192.0.2.1", PAGE)), 200)), wanted);
        assert_eq!(repeated(send(&server, &named(event("192.0.2.1", "x", "")), 200)), Some("1".into()));
        let keyed = page_view("192.0.2.2", PAGE).header("Idempotency-Key", "k");
        assert_eq!(repeated(send(&server, &keyed, 200)), wanted);
        // What was left out is remembered, what was refused is not.
        let bot = from("192.0.2.3", "POST", PAGE_VIEWS).header("Origin", ORIGIN).header("Referer", PAGE);
        send(&server, &bot.header("DNT", "1").header("X-Event-Id", "e-2"), 200);
        send(&server, &page_view("192.0.2.1", "x").header("X-Event-Id", &format!("e-3{round}")), 400);
        let fresh = page_view("192.0.2.4", PAGE).header("X-Event-Id", &format!("e-3{round}"));
        assert_eq!(repeated(send(&server, &fresh, 200)), None);
        let folder = if kill { server.kill() } else { server.stop() };
        server = folder.start(&["--trust-proxy", "--events-per-minute", "0"]);
    }
    assert_eq!(rows(server.folder(), HOST).len(), 5);
}

#[test]
fn what_is_not_counted_has_a_reason() {
    let server = start(&["--events-per-minute", "0"]);
    let view = |agent: &str, name: &str, value: &str| {
        let request = Request::post(PAGE_VIEWS, "").header("Origin", ORIGIN).header("Referer", PAGE);
        request.header("User-Agent", agent).header(name, value)
    };
    const BOT: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
    for (request, status, reason) in [
        (view(BOT, "X", ""), 400, "bot"),
        (view(FIREFOX, "Sec-CH-UA", "\"HeadlessChrome\";v=\"120\""), 400, "bot"),
        (view(FIREFOX, "DNT", "1"), 200, "dnt"),
        (view(FIREFOX, "Sec-GPC", "1"), 200, "dnt"),
        (view(FIREFOX, "Sec-Purpose", "prefetch;prerender"), 200, "prefetch"),
        (view(FIREFOX, "X-Prisme-Document-Referrer", "https://semalt.com/"), 200, "spam"),
        (event("192.0.2.1", "x", "").header("DNT", "1"), 200, "dnt"),
    ] {
        let before = left_out(&server, reason);
        assert_eq!(send(&server, &request, status).header("X-Hitstone-Rejected"), None);
        let debug = request.header("X-Hitstone-Debug", "1");
        let answer = send(&server, &debug, status);
        assert_eq!(answer.header("X-Hitstone-Rejected"), Some(reason), "{debug:?}");
        assert_eq!(left_out(&server, reason), before + 2, "{reason}");
    }
    let stranger = from("192.0.2.1", "POST", PAGE_VIEWS).header("Origin", "https://b.test");
    let answer = send(&server, &stranger.header("X-Hitstone-Debug", "1"), 400);
    assert_eq!(answer.header("X-Hitstone-Rejected"), Some("origin"));
    let pixel = Request::get(PIXEL, "").header("Referer", PAGE).header("User-Agent", BOT);
    let answer = send(&server, &pixel, 400);
    assert_eq!((answer.header("Content-Type"), answer.body.len()), (Some("image/gif"), 35));
    let counted = send(&server, &page_view("192.0.2.1", PAGE).header("X-Hitstone-Debug", "1"), 200);
    assert_eq!(counted.header("X-Hitstone-Rejected"), None);
    server.folder().run_json(&["site", "set", HOST, "--ignore-dnt", "--json"]);
    send(&server, &view(FIREFOX, "DNT", "1"), 200);
    assert_eq!(rows(server.folder(), HOST).len(), 2);
}

/// Backends and apps send here, too: they are visitors as long as they do not go about by themselves.
#[test]
fn programs_that_send_on_purpose_are_counted() {
    let server = start(&["--events-per-minute", "0"]);
    let named = |target: &str, agent: &str| {
        let request = Request::post(target, "").header("Origin", ORIGIN).header("Referer", PAGE);
        if agent.is_empty() { request } else { request.header("User-Agent", agent) }
    };
    let custom = "/api/v1/events/custom/x";
    for agent in [
        "",
        "Deno/1.46.3",
        "okhttp/4.9.3",
        "MyApp/1.0 CFNetwork/1410.0.3 Darwin/22.6.0",
        "Checkout/2.1 CFNetwork/1410.0.3 Darwin/22.6.0",
        "Dart/3.4 (dart:io)",
        "node",
        "axios/1.6.7",
        "Go-http-client/1.1",
        "python-requests/2.31.0",
        "curl/8.4.0",
        "x",
    ] {
        let view = named(PAGE_VIEWS, agent).header("X-Hitstone-Debug", "1");
        assert_eq!(send(&server, &view, 200).header("X-Hitstone-Rejected"), None, "{agent}");
        send(&server, &named(custom, agent), 200);
    }
    for agent in [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "SomeBot/1.0",
        "MySpider",
        "Mozilla/5.0 (compatible; OAI-SearchBot/1.0; +https://openai.com/searchbot)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "WhatsApp/2.23.20.0 A",
    ] {
        send(&server, &named(PAGE_VIEWS, agent), 400);
        send(&server, &named(custom, agent), 200);
    }
    assert_eq!(left_out(&server, "bot"), 7);
    let dnt = named(custom, "node").header("DNT", "1").header("X-Hitstone-Debug", "1");
    assert_eq!(send(&server, &dnt, 200).header("X-Hitstone-Rejected"), Some("dnt"));
}

/// The event of a page that is sent before its page view is on its way stands for it until it comes.
#[test]
fn a_page_view_that_comes_behind_its_event_is_one() {
    let (server, mut client) = start_with_client();
    let day = "from=2026-01-01&to=2030-12-31";
    for (ip, referrer) in [("192.0.2.1", ""), ("192.0.2.2", "https://news.example.com/")] {
        send(&server, &event(ip, "Shown", "{\"t\":\"\\ud83c\"}"), 200);
        let view = page_view(ip, PAGE);
        let view =
            if referrer.is_empty() { view } else { view.header("X-Prisme-Document-Referrer", referrer) };
        send(&server, &view, 200);
    }
    let total = client.statistics("total", day);
    assert_eq!((&total["visitors"], &total["sessions"], &total["views"]), (&2.into(), &2.into(), &2.into()));
    let referrers = client.statistics("referrer", day);
    assert_eq!(
        referrers.as_array().map(|all| all.iter().any(|one| one["referrer_name"] == "news.example.com")),
        Some(true)
    );
    // Seen once more.
    send(&server, &page_view("192.0.2.1", PAGE), 200);
    assert_eq!(client.statistics("total", day)["views"], 3);
}
