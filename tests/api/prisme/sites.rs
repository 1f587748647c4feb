//! Whose events they are: by the origin, whatever the page.

use super::*;
use crate::support::hitstone;

fn view(origin: &str, page: &str) -> Request {
    from("192.0.2.1", "POST", PAGE_VIEWS).header("Origin", origin).header("X-Prisme-Referrer", page)
}

/// Hosts and paths of a site's rows.
fn pages(server: &Server, host: &str) -> Vec<String> {
    let mut pages: Vec<String> = rows(server.folder(), host)
        .iter()
        .map(|row| format!("{}{}", row.text(Column::Hostname), row.path()))
        .collect();
    pages.sort();
    pages
}

#[test]
fn events_belong_to_the_origin_s_site() {
    let server = Folder::new().start(&["--site", "a.test", "--site", "b.test", "--events-per-minute", "0"]);
    let set = |names: &str| {
        let more = ["site", "set", "b.test", "--alternative-hosts", names, "--json"];
        server.folder().run_json(&more);
    };
    send(&server, &view("https://c.test", "https://c.test/"), 400);
    set("c.test,*.d.test");
    for (origin, page, status) in [
        ("https://a.test", "https://a.test/1", 200),
        ("http://WWW.a.test:8080", "https://www.a.test/2", 200),
        ("https://a.test", "https://elsewhere.test/3", 200),
        ("https://a.test", "https://b.test/4", 200),
        ("https://b.test", "https://a.test/5", 200),
        ("https://c.test", "https://c.test/6", 200),
        ("https://x.y.d.test", "https://x.y.d.test/7", 200),
        ("https://www.c.test", "https://www.c.test/8", 200),
        ("b.test", "https://b.test/9", 200),
        ("https://d.test", "https://d.test/", 400),
        ("https://x.a.test", "https://x.a.test/", 400),
        ("https://ea.test", "https://ea.test/", 400),
        ("null", "https://a.test/", 400),
        ("", "https://a.test/", 400),
        ("https://a.test.evil.test", "https://a.test/", 400),
        ("https://a.test/", "https://a.test/", 400),
        ("file://", "https://a.test/", 400),
    ] {
        send(&server, &view(origin, page), status);
    }
    let of_a = ["a.test/1", "b.test/4", "elsewhere.test/3", "www.a.test/2"];
    assert_eq!(pages(&server, "a.test"), of_a);
    let of_b = ["a.test/5", "b.test/9", "c.test/6", "www.c.test/8", "x.y.d.test/7"];
    assert_eq!(pages(&server, "b.test"), of_b);
    assert_eq!(left_out(&server, "origin"), 9);
    let server = server.stop().start(&["--site", "a.test"]);
    send(&server, &view("https://z.d.test", "https://z.d.test/"), 200);
    server.folder().run_json(&["site", "set", "b.test", "--alternative-hosts", "", "--json"]);
    send(&server, &view("https://z.d.test", "https://z.d.test/"), 400);
    assert!(server.folder().run(&["site", "delete", "b.test"]).status.success());
    send(&server, &view("https://b.test", "https://b.test/"), 400);
}

#[test]
fn a_strict_site_takes_pages_of_its_own_hosts() {
    let server = start(&[]);
    server.folder().run_json(&[
        "site",
        "set",
        HOST,
        "--strict-hosts",
        "--alternative-hosts",
        "b.test",
        "--json",
    ]);
    for (page, status) in
        [("https://www.a.test/1", 200), ("https://b.test/2", 200), ("https://c.test/3", 400)]
    {
        send(&server, &view(ORIGIN, page), status);
    }
    let debug = view(ORIGIN, "https://c.test/").header("X-Hitstone-Debug", "1");
    assert_eq!(send(&server, &debug, 400).header("X-Hitstone-Rejected"), Some("hostname"));
    let link = "/api/v1/noscript/events/outbound-links?url=https://x.test/&referrer=https://c.test/";
    send(&server, &from("192.0.2.1", "GET", link).header("Origin", ORIGIN), 400);
    assert_eq!(left_out(&server, "hostname"), 3);
    assert_eq!(pages(&server, HOST), ["b.test/2", "www.a.test/1"]);
}

/// From one page to the next of the same foreign host nobody comes from outside.
#[test]
fn visits_of_foreign_hosts_hold_together() {
    let server = start(&[]);
    for path in ["/1", "/2"] {
        let request = view(ORIGIN, &format!("https://shop.test{path}"));
        send(&server, &request.header("X-Prisme-Document-Referrer", "https://shop.test/1"), 200);
    }
    let rows = rows(server.folder(), HOST);
    assert_eq!((rows.len(), rows[0].session), (2, rows[1].session));
    assert_eq!(rows[0].text(Column::Referrer), "");
}

#[test]
fn prisme_s_origins_are_sites_and_their_names() {
    let origins = |value: &'static str| [("PRISME_ORIGINS", value), ("PRISME_TRUST_PROXY", "true")];
    let folder = Folder::new();
    let server = folder.start_in_real_time(&[], &origins("*.a.test,a.test, b.test"));
    for (origin, status) in [
        ("https://x.y.a.test", 200),
        ("https://a.test", 200),
        ("https://b.test", 200),
        ("https://x.b.test", 400),
    ] {
        send(&server, &view(origin, "https://a.test/"), status);
    }
    assert_eq!((rows(server.folder(), "a.test").len(), rows(server.folder(), "b.test").len()), (2, 1));
    let server = server.stop().start_in_real_time(&[], &origins("a.test,*.a.test"));
    let sites = server.folder().run_json(&["site", "list", "--json"]);
    let names: Vec<_> =
        sites.as_array().expect("a list").iter().map(|site| &site["alternative_hosts"]).collect();
    assert_eq!(names, [&serde_json::json!(["*.a.test"]), &serde_json::json!([])]);
    let folder = server.stop();
    for value in ["a.test,*.b.test", "*.a.test", "https://a.test"] {
        let mut command = hitstone();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.data());
        let output = command.env("PRISME_ORIGINS", value).output().expect("running hitstone");
        assert_eq!(output.status.code(), Some(2), "{value}: {}", stderr_of(&output));
        assert!(stderr_of(&output).lines().any(|line| line.contains("PRISME_ORIGINS: ")), "{value}");
    }
}
