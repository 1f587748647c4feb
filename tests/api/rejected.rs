//! What is left out: by which checks, lists and filters, how a site switches them, and how it is told of them.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{FIREFOX, Folder, Server, Site, hit_body, stderr_of};

const HOST: &str = "left.test";
const CURL: &str = "curl/8.4.0 (x86_64-pc-linux-gnu)";
/// Of clients that are left out; nowhere to be found afterwards.
const MARKED_ADDRESS: &str = "203.0.113.177";
const MARKED_AGENT: &str = "MarkedFetcherOfNobody/7.0";

struct Bench {
    server: Server,
    site: Site,
    token: String,
}

impl Bench {
    fn start() -> Self {
        let folder = Folder::new();
        let site = folder.create_site(HOST);
        Self::on(folder, site)
    }

    fn on(folder: Folder, site: Site) -> Self {
        let server = folder.start_in_real_time(&["--trust-proxy", "--events-per-minute", "0"], &[]);
        let token = server.token(&site);
        Self { server, site, token }
    }

    fn restart(self) -> Self {
        Self::on(self.server.stop(), self.site)
    }

    /// Why a page view over Pirsch's API is left out.
    fn hit(&self, path: &str, ip: &str, more: Value) -> Option<String> {
        let body = hit_body(&format!("https://{HOST}{path}"), ip, more);
        let response = self.server.send(&Request::post("/api/v1/hit", &self.token).json(&body));
        assert_eq!(response.status, 200, "{response:?}");
        rejected_in(&response)
    }

    fn hit_by(&self, user_agent: &str) -> Option<String> {
        self.hit("/", "198.51.100.7", json!({ "user_agent": user_agent }))
    }

    /// Why a page view from a browser is left out, which asks for it.
    fn page_view(&self, headers: &[(&str, &str)]) -> Option<String> {
        let request = Request::new("POST", "/api/v1/events/pageviews", "")
            .header("User-Agent", FIREFOX)
            .header("X-Forwarded-For", "198.51.100.8")
            .header("X-Prisme-Referrer", &format!("https://{HOST}/"))
            .header("X-Hitstone-Debug", "1");
        let own = format!("https://{HOST}");
        let has_origin = headers.iter().any(|(name, _)| *name == "Origin");
        let request = if has_origin { request } else { request.header("Origin", &own) };
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        rejected_in(&self.server.send(&request))
    }

    fn api(&self) -> Value {
        let response = self.server.send(&Request::get("/api/v1/rejected", &self.token));
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    }

    fn command(&self, args: &[&str]) -> Value {
        self.server.folder().run_json(args)
    }

    /// Takes a file of lists.
    fn update(&self, text: &str) -> std::process::Output {
        let file = self.server.folder().beside("lists.txt");
        std::fs::write(&file, text).expect("writing a file of lists");
        self.server.folder().run(&[
            "lists",
            "update",
            "--from",
            file.to_str().expect("a UTF-8 path"),
            "--json",
        ])
    }

    fn update_ok(&self, text: &str) {
        let output = self.update(text);
        assert!(output.status.success(), "{}", stderr_of(&output));
    }
}

fn rejected_in(response: &Response) -> Option<String> {
    response.header("X-Hitstone-Rejected").map(str::to_owned)
}

/// `reason/detail count`, sorted; whichever day it was.
fn told(rows: &Value) -> Vec<String> {
    let told = |row: &Value| {
        let (reason, detail) = (row["reason"].as_str().unwrap(), row["detail"].as_str().unwrap());
        format!("{reason}/{detail} {}", row["count"])
    };
    let mut all: Vec<String> = rows.as_array().unwrap().iter().map(told).collect();
    all.sort();
    all
}

#[test]
fn what_is_left_out_is_counted_by_reason_over_restarts_without_addresses() {
    let bench = Bench::start();
    let bot = Some("bot".to_owned());
    assert_eq!(bench.hit("/", "198.51.100.7", json!({})), None);
    assert_eq!((bench.hit_by(CURL), bench.hit_by(CURL)), (bot.clone(), bot.clone()));
    let marked = json!({ "user_agent": MARKED_AGENT });
    assert_eq!(bench.hit("/", MARKED_ADDRESS, marked), bot);
    assert_eq!(bench.hit("/", "198.51.100.7", json!({ "dnt": "1" })).as_deref(), Some("dnt"));
    let spam = json!({ "referrer": "https://semalt.com/" });
    assert_eq!(bench.hit("/", "198.51.100.7", spam).as_deref(), Some("spam"));
    for header in ["Sec-Purpose", "Purpose", "X-Moz"] {
        assert_eq!(bench.page_view(&[(header, "prefetch")]).as_deref(), Some("prefetch"), "{header}");
    }
    assert_eq!(bench.page_view(&[("Origin", "https://nobody.test")]).as_deref(), Some("origin"));

    let wanted = ["bot/library 3", "dnt/ 1", "prefetch/ 3", "spam/ 1"];
    assert_eq!(told(&bench.api()), wanted);
    assert_eq!(told(&bench.command(&["rejected", "--site", HOST, "--json"])), wanted);
    let all = bench.command(&["rejected", "--json"]);
    assert_eq!(told(&all)[2], "origin/ 1", "what is no site's");
    let lines = bench.server.folder().run(&["rejected"]);
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert!(lines.contains("bot/library") && lines.contains(HOST), "{lines}");

    let bench = bench.restart();
    assert_eq!(told(&bench.api()), wanted, "after a restart");
    assert_eq!(bench.hit_by(CURL), bot);
    let Bench { server, .. } = bench;
    let folder = server.stop();
    let rows = folder.run_json(&["rejected", "--site", HOST, "--json"]);
    assert_eq!(told(&rows)[0], "bot/library 4", "without a server");
    let bytes = std::fs::read(folder.data().join("rejected")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(bytes.len() < 1_000 && text.contains("library"), "{text}");
    for mark in [MARKED_ADDRESS, MARKED_AGENT, "198.51.100", "curl", "nobody.test"] {
        assert!(!text.contains(mark), "{mark} is in {text}");
    }
}

#[test]
fn the_api_tells_a_client_of_its_own_site_only() {
    let folder = Folder::new();
    let (site, other) = (folder.create_site(HOST), folder.create_site("other.test"));
    let key = folder.create_access_key(HOST);
    let bench = Bench::on(folder, site);
    assert_eq!(bench.hit_by(CURL).as_deref(), Some("bot"));
    let get = |target: &str, token: &str| bench.server.send(&Request::get(target, token));
    let own = get(&format!("/api/v1/rejected?id={}", bench.site.id), &bench.token).json();
    assert_eq!((told(&own), own[0]["site"].as_str()), (vec!["bot/library 1".to_owned()], Some(HOST)));
    assert_eq!(get(&format!("/api/v1/rejected?id={}", other.id), &bench.token).status, 404);
    assert_eq!(get("/api/v1/rejected", &bench.server.token(&other)).json(), json!([]));
    assert_eq!((get("/api/v1/rejected", "").status, get("/api/v1/rejected", &key).status), (401, 403));
    assert_eq!(bench.server.send(&Request::post("/api/v1/rejected", &bench.token)).status, 405);
}

#[test]
fn a_site_switches_checks_off_and_on() {
    let bench = Bench::start();
    let torn = "Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/128.0";
    let spam = json!({ "referrer": "https://semalt.com/" });
    let tried = || {
        [
            bench.hit_by(CURL),
            bench.hit_by(torn),
            bench.page_view(&[("Sec-Fetch-Site", "none")]),
            bench.hit("/", "198.51.100.7", spam.clone()),
            bench.page_view(&[("Sec-Purpose", "prefetch;prerender")]),
        ]
        .map(Option::unwrap_or_default)
    };
    let set = |checks: &str| {
        bench.command(&["site", "set", HOST, "--checks-off", checks, "--json"])["checks_off"].clone()
    };
    assert_eq!(tried(), ["bot", "bot", "bot", "spam", "prefetch"]);
    assert_eq!(set("spam,user-agent"), json!(["user-agent", "spam"]));
    assert_eq!(tried(), ["", "bot", "bot", "", "prefetch"]);
    assert_eq!(set("headers,prefetch"), json!(["headers", "prefetch"]));
    assert_eq!(tried(), ["bot", "", "", "spam", ""]);
    assert_eq!(set(""), json!([]));
    assert_eq!(tried(), ["bot", "bot", "bot", "spam", "prefetch"]);
    let output = bench.server.folder().run(&["site", "set", HOST, "--checks-off", "bots"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr_of(&output).contains("bots"), "{}", stderr_of(&output));
    assert!(told(&bench.api()).contains(&"bot/contradiction 6".to_owned()), "{}", bench.api());
}

#[test]
fn new_lists_are_in_force_at_once_and_a_bad_file_changes_nothing() {
    let bench = Bench::start();
    let agent =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 OurProbe/3";
    let from = |ip: &str| bench.hit("/", ip, json!({}));
    let referred =
        |host: &str| bench.hit("/", "198.51.100.7", json!({ "referrer": format!("https://{host}/") }));
    let tried = || {
        [
            bench.hit_by(agent),
            bench.hit_by(CURL),
            from("192.0.2.9"),
            from("192.0.2.200"),
            from("2001:db8::5"),
            referred("ads.example"),
            referred("semalt.com"),
        ]
        .map(Option::unwrap_or_default)
    };
    let without = ["", "bot", "", "", "", "", "spam"];
    assert_eq!(tried(), without);
    assert_eq!(bench.command(&["lists", "show", "--json"])["updated"], Value::Null);
    bench.update_ok(
        "[bots]\nourprobe/\\d\n[not-bots]\n^curl/8\n[addresses]\n192.0.2.0/25\n[data-centres]\n192.0.2.128/25\n\
         2001:db8::/32\n[not-addresses]\n2001:db8::5\n[spam]\nads.example\n[not-spam]\nsemalt.com\n",
    );
    let with = ["bot", "", "bot", "bot", "", "spam", ""];
    assert_eq!(tried(), with);
    for (text, wanted) in [
        ("[bots]\n(", "line 2: \"(\" is not a regular expression"),
        ("[bots]\nmozilla", "line 2: \"mozilla\" would leave out ordinary browsers"),
        ("[data-centres]\n10.0.0.0/99", "line 2: \"10.0.0.0/99\" is not an address or network"),
        ("curl", "line 1: an entry before any section"),
    ] {
        let output = bench.update(text);
        assert_eq!(output.status.code(), Some(1));
        let said = stderr_of(&output);
        assert!(said.contains("lists.txt: ") && said.contains(wanted) && said.lines().count() == 1, "{said}");
    }
    let missing = bench.server.folder().run(&["lists", "update", "--from", "/nonexistent/lists"]);
    assert_eq!(missing.status.code(), Some(1), "{}", stderr_of(&missing));
    assert_eq!(tried(), with, "after bad files");
    let shown = bench.command(&["lists", "show", "--json"]);
    assert!(shown["updated"].is_string() && shown["sections"][0] == json!(["bots", 1]), "{shown}");
    let details = told(&bench.api()).join(", ");
    for detail in ["bot/listed 2", "bot/address 2", "bot/data-centre 2", "bot/library 1", "spam/ 3"] {
        assert!(details.contains(detail), "{details}");
    }
    bench.command(&["site", "set", HOST, "--checks-off", "data-centre", "--json"]);
    assert_eq!((from("192.0.2.9").as_deref(), from("192.0.2.200")), (Some("bot"), None));
    bench.command(&["site", "set", HOST, "--checks-off", "", "--json"]);

    let bench = bench.restart();
    assert_eq!(bench.hit_by(agent).as_deref(), Some("bot"), "after a restart");
    bench.update_ok("");
    assert_eq!(bench.hit_by(agent), None);
    let Bench { server, site, .. } = bench;
    let folder = server.stop();
    let file = folder.beside("lists.txt");
    std::fs::write(&file, "[bots]\nourprobe\n").unwrap();
    folder.run_json(&["lists", "update", "--from", file.to_str().unwrap(), "--json"]);
    assert_eq!(Bench::on(folder, site).hit_by(agent).as_deref(), Some("bot"), "taken without a server");
}

#[test]
fn filters_leave_out_what_the_owner_names() {
    let bench = Bench::start();
    let create = |kind: &str, value: &str| {
        let args = ["filter", "create", "--site", HOST, kind, value, "--json"];
        bench.server.folder().run(&args)
    };
    let mut ids = Vec::new();
    for (kind, value) in [
        ("--address", "192.0.2.0/24"),
        ("--host", "www.left.test"),
        ("--path", "/admin/**"),
        ("--country", "JP"),
    ] {
        let output = create(kind, value);
        assert!(output.status.success(), "{}", stderr_of(&output));
        let filter: Value = serde_json::from_slice(&output.stdout).unwrap();
        ids.push(filter["id"].as_str().unwrap().to_owned());
    }
    let filtered = Some("filter".to_owned());
    let twin = json!({ "url": "https://www.left.test/" });
    assert_eq!(bench.hit("/", "198.51.100.7", twin.clone()), filtered, "the host");
    assert_eq!(bench.hit("/", "198.51.100.7", json!({})), None, "without www. it is another one");
    bench.command(&["filter", "delete", &ids[1], "--json"]);
    assert_eq!(bench.hit("/", "198.51.100.7", twin), None);
    assert_eq!(bench.hit("/", "192.0.2.77", json!({ "disable_bot_filter": true })), filtered);
    assert_eq!(bench.hit("/admin/a/b", "198.51.100.7", json!({})), filtered);
    assert_eq!(bench.hit("/admin", "198.51.100.7", json!({})), None);
    assert_eq!(bench.hit("/", "133.242.0.1", json!({})), filtered, "an address of Japan");
    for (kind, value, wanted) in [
        ("--address", "10.0.0.0/40", "is not a network"),
        ("--address", "::/0", "every address"),
        ("--path", "admin", "must begin with /"),
        ("--path", "/**", "every path: nothing would be counted"),
        ("--host", HOST, "nothing would be counted"),
        ("--country", "Japan", "is not the code of a country"),
        ("--country", "jp", "already"),
    ] {
        let output = create(kind, value);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr_of(&output).contains(wanted), "{}", stderr_of(&output));
    }
    let both = ["filter", "create", "--site", HOST, "--path", "/a", "--country", "de"];
    assert_eq!(bench.server.folder().run(&both).status.code(), Some(2));
    let bench = bench.restart();
    let list = bench.command(&["filter", "list", "--site", HOST, "--json"]);
    let kinds: Vec<&str> =
        list.as_array().unwrap().iter().map(|filter| filter["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["address", "path", "country"]);
    assert_eq!(bench.hit("/admin/x", "198.51.100.7", json!({})), filtered);
    let wanted = ["filter/address 1", "filter/country 1", "filter/host 1", "filter/path 2"];
    assert_eq!(told(&bench.api()), wanted);
}
