//! Management over the API: goals, clients, and that no site sees another.

use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{Folder, Server, Site, hit_body, skip_without_test_clock, text};

pub const DAY: &str = "from=2026-06-10&to=2026-06-10";
pub const TIME: &str = "2026-06-10T12:00:00Z";

/// A token of a site's client and where to use it.
pub struct Manager<'a> {
    server: &'a Server,
    token: String,
    pub site: Site,
}

impl<'a> Manager<'a> {
    pub fn of(server: &'a Server, site: &Site) -> Self {
        Self { server, token: server.token(site), site: site.clone() }
    }

    pub fn send(&self, method: &str, target: &str, body: &Value) -> Response {
        let request = Request::new(method, &format!("/api/v1/{target}"), &self.token);
        self.server.send(&if body.is_null() { request } else { request.json(body) })
    }

    /// What must be done.
    pub fn ok(&self, method: &str, target: &str, body: &Value) -> Response {
        let response = self.send(method, target, body);
        assert_eq!(response.status, 200, "{method} {target} {body}: {response:?}");
        response
    }

    pub fn get(&self, target: &str) -> Value {
        self.ok("GET", target, &Value::Null).json()
    }

    /// A body that names the own site.
    pub fn own(&self, more: Value) -> Value {
        let mut body = json!({ "domain_id": self.site.id });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    }

    pub fn domain(&self) -> Value {
        self.get("domain")[0].clone()
    }

    pub fn views(&self, query: &str) -> Value {
        self.get(&format!("statistics/total?id={}&{query}", self.site.id))["views"].clone()
    }

    pub fn hit(&self, url: &str, ip: &str, more: Value) -> Response {
        self.ok("POST", "hit", &hit_body(url, ip, more))
    }
}

pub fn start(hosts: &[&str]) -> (Server, Vec<Site>) {
    let folder = Folder::new();
    let sites = hosts.iter().map(|host| folder.create_site(host)).collect();
    (folder.start(&[]), sites)
}

#[test]
fn goals_are_made_listed_changed_and_deleted() {
    let (server, sites) = start(&["goal.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let list = format!("goal?id={}", manager.site.id);
    assert_eq!(manager.get(&list), json!([]));
    let sent = manager.own(json!({
        "name": "Bought", "path_pattern": "/checkout/**", "event_name": "bought", "event_meta_key": "currency",
        "event_meta_value": "USD", "custom_metric_key": "amount", "custom_metric_type": "integer",
        "visitors": 123, "cr": 1.23, "custom_metric_total_goal": 346, "custom_metric_avg_goal": 95.3,
        "tags": ["author", "kind=shop"], "delete_reached": false, "email_reached": true, "unknown": {"a": [1]},
    }));
    let goal = manager.ok("POST", "goal", &sent).json();
    let id = text(&goal, "id");
    assert_eq!(id.len(), 10);
    for (member, value) in [
        ("domain_id", json!(manager.site.id)),
        ("name", json!("Bought")),
        ("path_pattern", json!("/checkout/**")),
        ("pattern", json!("(?i)^/checkout/.*$")),
        ("tags", json!(["author", "kind=shop"])),
        ("event_name", json!("bought")),
        ("event_meta_key", json!("currency")),
        ("event_meta_value", json!("USD")),
        ("custom_metric_key", json!("amount")),
        ("custom_metric_type", json!("integer")),
        ("visitor_goal", json!(123)),
        ("cr_goal", json!(1.23)),
        ("custom_metric_total_goal", json!(346.0)),
        ("custom_metric_avg_goal", json!(95.3)),
        ("delete_reached", json!(false)),
        ("email_reached", json!(true)),
    ] {
        assert_eq!(goal[member], value, "{member} in {goal}");
    }
    for member in ["def_time", "mod_time"] {
        assert!(text(&goal, member).ends_with('Z'), "{goal}");
    }
    let other = manager.ok("POST", "goal", &manager.own(json!({"name": "Read", "tags": ["post"]}))).json();
    for unset in ["event_name", "custom_metric_type", "visitor_goal", "cr_goal"] {
        assert_eq!(other.get(unset), Some(&Value::Null), "{unset} in {other}");
    }
    for unset in ["path_pattern", "pattern"] {
        assert_eq!(other[unset], "", "clients declare it a text: {unset} in {other}");
    }
    assert_eq!(manager.get(&list), json!([goal, other]), "in the order of their creation");
    assert_eq!(manager.get(&format!("{list}&search=rEa")), json!([other]));
    assert_eq!(manager.get(&format!("{list}&search=none")), json!([]));

    let sent = json!({"id": id, "name": "Blog", "path_pattern": "/blog/*", "visitor_goal": 5});
    let changed = manager.ok("PUT", "goal", &sent).json();
    assert_eq!((&changed["id"], &changed["pattern"]), (&json!(id), &json!("(?i)^/blog/[^/]*$")));
    assert_eq!(
        (&changed["event_name"], &changed["visitor_goal"]),
        (&Value::Null, &json!(5)),
        "all is replaced"
    );
    assert_eq!(changed["def_time"], goal["def_time"]);

    let server_folder = manager.server.folder().run_json(&["goal", "list", "--json"]);
    assert_eq!(server_folder[0]["name"], "Blog", "the command line sees the same: {server_folder}");
    drop(manager);
    let server = server.stop().start(&[]);
    let manager = Manager::of(&server, &sites[0]);
    assert_eq!(manager.get(&list), json!([changed, other]), "after a restart");
    let gone = manager.ok("DELETE", &format!("goal?id={id}"), &Value::Null);
    assert!(gone.body.is_empty(), "{gone:?}");
    assert_eq!(manager.send("DELETE", &format!("goal?id={id}"), &Value::Null).status, 404, "once");
    assert_eq!(manager.get(&list), json!([other]));
}

#[test]
fn goals_that_make_no_sense_are_refused() {
    let (server, sites) = start(&["bad.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let id = text(
        &manager.ok("POST", "goal", &manager.own(json!({"name": "g", "path_pattern": "/"}))).json(),
        "id",
    );
    for (more, field) in [
        (json!({"path_pattern": "/"}), "name"),
        (json!({"name": "g"}), "path_pattern"),
        (json!({"name": "g", "path_pattern": null, "event_name": "", "tags": []}), "path_pattern"),
        (json!({"name": "n".repeat(201), "path_pattern": "/"}), "name"),
        (json!({"name": "g", "path_pattern": 5}), "path_pattern"),
        (json!({"name": "g", "path_pattern": format!("/{}", "a".repeat(2_000))}), "path_pattern"),
        (json!({"name": "g", "path_pattern": "/", "visitors": "5"}), "visitors"),
        (json!({"name": "g", "path_pattern": "/", "visitors": -5}), "visitors"),
        (json!({"name": "g", "path_pattern": "/", "cr": 101}), "cr"),
        (json!({"name": "g", "path_pattern": "/", "cr_goal": -1}), "cr_goal"),
        (json!({"name": "g", "path_pattern": "/", "delete_reached": "yes"}), "delete_reached"),
        (json!({"name": "g", "path_pattern": "/", "tags": "author"}), "tags"),
        (json!({"name": "g", "event_name": "e", "event_meta_value": "v"}), "event_meta_key"),
        (json!({"name": "g", "event_name": "e", "custom_metric_type": "text"}), "custom_metric_type"),
        (json!({"name": "g", "path_pattern": "/", "domain_id": null}), "domain_id"),
    ] {
        let mut body = manager.own(more);
        let response = manager.send("POST", "goal", &body);
        assert_eq!(response.status, 400, "POST {body}: {response:?}");
        assert!(response.json()["validation"][field].is_string(), "POST {body}: {response:?}");
        body["id"] = json!(id);
        if field != "domain_id" {
            let response = manager.send("PUT", "goal", &body);
            assert!(response.json()["validation"][field].is_string(), "PUT {body}: {response:?}");
        }
    }
    let goals = manager.get(&format!("goal?id={}", manager.site.id));
    assert_eq!((goals.as_array().map(Vec::len), &goals[0]["name"]), (Some(1), &json!("g")), "{goals}");
}

#[test]
fn bodies_and_queries_are_bounded_and_checked() {
    let (server, sites) = start(&["body.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let raw = |body: &str| {
        manager.server.send(&Request::post("/api/v1/goal", &manager.token).body(body.to_owned())).status
    };
    for body in ["", "{", "[]", "7", "null", "{\"domain_id\":[]}"] {
        assert_eq!(raw(body), 400, "{body}");
    }
    assert_eq!(raw(&format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20))), 413);
    for target in ["goal", "goal?id=", "client", "domain/alternative"] {
        assert_eq!(manager.send("GET", target, &Value::Null).status, 400, "{target}");
    }
    let response = manager.send("PATCH", "goal", &Value::Null);
    assert_eq!((response.status, response.header("Allow")), (405, Some("GET, HEAD, POST, PUT, DELETE")));
}

#[test]
fn patterns_are_tried() {
    let (server, sites) = start(&["regex.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let pattern = "(?i)^/regular/expression/[^/]*$";
    for (sample, matches) in
        [("/regular/expression/example", true), ("/regular/expression/a/b", false), ("", false)]
    {
        let answer = manager.ok("POST", "goal/regex", &json!({"regex": pattern, "sample": sample})).json();
        assert_eq!(answer, json!({ "match": matches }), "{sample}");
    }
    for regex in [json!("("), json!(""), json!(5), json!("a".repeat(2_001)), json!("(a{1000}){1000}")] {
        let response = manager.send("POST", "goal/regex", &json!({"regex": regex, "sample": "/"}));
        assert_eq!(response.status, 400, "{response:?}");
        assert!(response.json()["validation"]["regex"].is_string(), "{response:?}");
    }
    let long = manager.send("POST", "goal/regex", &json!({"regex": "a", "sample": "a".repeat(2_001)}));
    assert_eq!(long.status, 400, "{long:?}");
}

#[test]
fn clients_are_made_described_and_revoked() {
    let (server, sites) = start(&["client.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let list = || manager.get(&format!("client?id={}", manager.site.id));
    let first = list();
    assert_eq!(first.as_array().map(Vec::len), Some(1), "{first}");
    assert_eq!(
        (&first[0]["client_id"], &first[0]["type"]),
        (&json!(manager.site.client_id), &json!("oauth"))
    );
    // Its token is for other calls than these.
    let track_token = server.folder().create_track_token("client.test");
    let basic = list()[1].clone();
    let shown = ["type", "scope_hit", "scope_statistics"].map(|name| basic[name].as_str().unwrap());
    assert_eq!((shown, basic.to_string().contains(&track_token)), (["basic", "", ""], false), "{basic}");
    manager.ok("DELETE", &format!("client?id={}", text(&basic, "id")), &Value::Null);

    let made =
        manager.ok("POST", "client", &manager.own(json!({"type": "oauth", "description": "shop"}))).json();
    let (id, secret) = (text(&made, "client_id"), text(&made, "client_secret"));
    assert_eq!((id.len(), secret.len(), &made["id"]), (32, 64, &json!(id)), "{made}");
    assert_eq!((&made["scope_hit"], &made["scope_statistics"]), (&json!("w"), &json!("r")));
    let token = text(&server.token_response(&id, &secret).json(), "access_token");
    assert_eq!(server.send(&Request::get("/api/v1/domain", &token)).status, 200);

    let made = manager.ok("POST", "client", &manager.own(json!({"type": "token"}))).json();
    let (key_id, key) = (text(&made, "client_id"), text(&made, "client_secret"));
    assert!(key.starts_with("pa_") && key.len() == 48, "{made}");
    assert_eq!((&made["scope_hit"], &made["scope_statistics"]), (&json!("w"), &json!("")));
    let hit = hit_body("https://client.test/", "198.51.100.1", json!({"time": TIME}));
    assert_eq!(server.send(&Request::post("/api/v1/hit", &key).json(&hit)).status, 200);

    let described = manager.ok("POST", "client", &json!({"id": key_id, "description": "the log"})).json();
    assert_eq!((&described["description"], described.get("client_secret")), (&json!("the log"), None));
    let all = list();
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
    assert!(
        !all.to_string().contains(&secret) && !all.to_string().contains(&key),
        "a secret is shown: {all}"
    );
    for (body, field) in [
        (json!({}), "type"),
        (json!({"type": "admin"}), "type"),
        (json!({"type": "oauth", "description": "d".repeat(201)}), "description"),
        (json!({"type": "oauth", "scope_hit": "w", "scope_statistics": ""}), "scope_event"),
    ] {
        let response = manager.send("POST", "client", &manager.own(body));
        assert!(response.json()["validation"][field].is_string(), "{field}: {response:?}");
    }

    for revoked in [&id, &key_id] {
        manager.ok("DELETE", &format!("client?id={revoked}"), &Value::Null);
        assert_eq!(manager.send("DELETE", &format!("client?id={revoked}"), &Value::Null).status, 404);
    }
    assert_eq!(server.send(&Request::get("/api/v1/domain", &token)).status, 401, "its token");
    assert_eq!(server.token_response(&id, &secret).status, 401, "its secret");
    assert_eq!(server.send(&Request::post("/api/v1/hit", &key).json(&hit)).status, 401, "the access key");
    assert_eq!(list(), first);
    manager.ok("DELETE", &format!("client?id={}", manager.site.client_id), &Value::Null);
    assert_eq!(manager.send("GET", "domain", &Value::Null).status, 401, "it revoked itself");
    drop(manager);
    let server = server.stop().start(&[]);
    assert_eq!(server.send(&Request::get("/api/v1/domain", &token)).status, 401, "after a restart");
    assert_eq!(server.send(&Request::post("/api/v1/hit", &key).json(&hit)).status, 401, "after a restart");
}

#[test]
fn a_client_revoked_while_no_server_runs_is_out() {
    let (server, sites) = start(&["stopped.test"]);
    let (id, secret) = server.folder().create_client("stopped.test");
    let token = text(&server.token_response(&id, &secret).json(), "access_token");
    let own = server.token(&sites[0]);
    let folder = server.stop();
    let revoked = folder.run(&["client", "revoke", &id]);
    assert!(revoked.status.success(), "{}", crate::support::stderr_of(&revoked));
    let server = folder.start(&[]);
    assert_eq!(server.send(&Request::get("/api/v1/domain", &token)).status, 401);
    assert_eq!(server.send(&Request::get("/api/v1/domain", &own)).status, 200, "the other client's token");
}

/// All calls that manage a site or read of it, with the ids of `site` and of what it has.
fn calls(site: &Site, goal: &str, client: &str, name: &str) -> Vec<(&'static str, String, Value)> {
    let own = |more: Value| {
        let mut body = json!({ "domain_id": site.id });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    };
    let id = &site.id;
    vec![
        ("GET", format!("goal?id={id}"), Value::Null),
        ("POST", "goal".into(), own(json!({"name": "x", "path_pattern": "/x"}))),
        ("PUT", "goal".into(), json!({"id": goal, "name": "x", "path_pattern": "/x"})),
        ("PUT", "goal".into(), own(json!({"id": goal, "name": "x", "path_pattern": "/x"}))),
        ("DELETE", format!("goal?id={goal}"), Value::Null),
        ("GET", format!("client?id={id}"), Value::Null),
        ("POST", "client".into(), own(json!({"type": "oauth"}))),
        ("POST", "client".into(), own(json!({"type": "token"}))),
        ("POST", "client".into(), json!({"id": client, "description": "x"})),
        ("DELETE", format!("client?id={client}"), Value::Null),
        ("PUT", "domain".into(), json!({ "id": id })),
        ("POST", "domain".into(), json!({"hostname": "x.test"})),
        ("DELETE", format!("domain?id={id}"), Value::Null),
        ("POST", "domain/timezone".into(), own(json!({"timezone": "Asia/Tokyo"}))),
        ("POST", "domain/active".into(), own(json!({"time": 5}))),
        ("POST", "domain/title".into(), own(json!({}))),
        ("POST", "domain/public".into(), own(json!({}))),
        ("POST", "domain/start-week-sunday".into(), own(json!({}))),
        ("POST", "domain/dnt".into(), own(json!({"value": true}))),
        ("GET", format!("domain/alternative?domain_id={id}"), Value::Null),
        ("POST", "domain/alternative".into(), own(json!({"hostname": "x.test"}))),
        ("PUT", "domain/alternative".into(), json!({"id": name, "hostname": "x.test"})),
        ("DELETE", format!("domain/alternative?id={name}"), Value::Null),
    ]
}

/// What the command line shows of all sites.
fn everything(folder: &Folder) -> Vec<Value> {
    ["site", "client", "goal"].map(|what| folder.run_json(&[what, "list", "--json"])).into()
}

#[test]
fn two_sites_never_see_each_other() {
    let (server, sites) = start(&["mine.test", "yours.test"]);
    let managers: Vec<Manager> = sites.iter().map(|site| Manager::of(&server, site)).collect();
    let mut owned = Vec::new();
    for manager in &managers {
        let body = manager.own(json!({"name": manager.site.hostname, "path_pattern": "/"}));
        let goal = text(&manager.ok("POST", "goal", &body).json(), "id");
        let body = manager.own(json!({"hostname": format!("a.{}", manager.site.hostname)}));
        let name = text(&manager.ok("POST", "domain/alternative", &body).json(), "id");
        owned.push((goal, name));
    }
    let key = server.folder().create_access_key("mine.test");
    let before = everything(server.folder());
    for (manager, other) in [(&managers[0], 1), (&managers[1], 0)] {
        let (site, (goal, name)) = (&sites[other], &owned[other]);
        for (method, target, body) in calls(site, goal, &site.client_id, name) {
            let response = manager.send(method, &target, &body);
            assert!([403, 404].contains(&response.status), "{method} {target} {body}: {response:?}");
            assert!(response.json()["error"][0].is_string(), "{method} {target}: {response:?}");
            let shown = response.text().contains(&site.identification_code);
            assert!(!shown, "{method} {target}: {response:?}");
        }
        for statistic in crate::support::STATISTICS {
            let target = format!("statistics/{statistic}?id={}&{DAY}", site.id);
            assert_eq!(manager.send("GET", &target, &Value::Null).status, 404, "{target}");
        }
        assert_eq!(manager.get(&format!("domain?id={}", site.id)), json!([]));
        let goals = manager.get(&format!("goal?id={}", manager.site.id));
        assert_eq!(goals.as_array().map(Vec::len), Some(1), "{goals}");
        assert_eq!(goals[0]["name"], json!(manager.site.hostname));
    }
    // An access key manages nothing, not even its own site; neither does nobody.
    for (token, status) in [(key.as_str(), 403), ("", 401), ("x", 401)] {
        for (method, target, body) in calls(&sites[0], &owned[0].0, &sites[0].client_id, &owned[0].1) {
            let response =
                server.send(&Request::new(method, &format!("/api/v1/{target}"), token).json(&body));
            assert_eq!(response.status, status, "{method} {target} with {token:?}: {response:?}");
        }
    }
    assert_eq!(everything(server.folder()), before, "something was changed");
}

#[test]
fn management_is_limited_by_client() {
    if skip_without_test_clock("management_is_limited_by_client") {
        return;
    }
    let (server, sites) = start(&["limit.test"]);
    let manager = Manager::of(&server, &sites[0]);
    let list = format!("goal?id={}", manager.site.id);
    for call in 1..=60 {
        assert_eq!(manager.send("GET", &list, &Value::Null).status, 200, "call {call}");
    }
    let response = manager.send("POST", "domain/title", &manager.own(json!({})));
    assert_eq!(response.status, 429, "{response:?}");
    let wait = response.header("Retry-After").and_then(|wait| wait.parse::<u32>().ok());
    assert!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "{response:?}");
    assert!(response.json()["error"][0].is_string(), "{response:?}");
    assert_eq!(manager.domain()["group_by_title"], false, "nothing was changed, and reading goes on");
    manager.hit("https://limit.test/", "198.51.100.1", json!({"time": TIME}));
    let (id, secret) = server.folder().create_client("limit.test");
    let token = text(&server.token_response(&id, &secret).json(), "access_token");
    assert_eq!(server.send(&Request::get(&format!("/api/v1/{list}"), &token)).status, 200, "another client");
    server.folder().set_clock("2026-07-01T12:01:01Z");
    assert_eq!(manager.send("GET", &list, &Value::Null).status, 200, "a minute later");
}
