//! Other people's programs against the server: the official JavaScript client, unmodified, driven by the scripts of
//! `tests/sdk`.
//!
//! Needs Node.js and `npm ci --prefix tests/sdk`. And the scripts that pages load: by Chromium, which the scripts of
//! `tests/scripts` drive (`npm ci --prefix tests/scripts`), and in pages made up, which need Node.js alone. And other
//! people's lists of user agents (`npm ci --prefix tests/corpora`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

#[path = "clients/corpora.rs"]
mod corpora;
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use support::{Folder, Server, Site, mmdb, skip, skip_without_test_clock, tell};

/// Sends with the client, asks it everything it can ask, and holds the answers against its own declarations.
#[test]
fn the_official_javascript_client() {
    let name = "the_official_javascript_client";
    if skip_without_test_clock(name) || skip(name, missing()) {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site("sdk.test");
    for goal in [
        ["Buyers", "--event", "Order", "--metric-key", "amount"],
        ["Readers", "--path", "/", "--visitor-goal", "9"],
    ] {
        folder.run_json(&[&["goal", "create", "--json"], &goal[..]].concat());
    }
    let places = folder.beside("places.mmdb");
    std::fs::write(&places, places_database()).expect("writing the database of places");
    folder.set_clock("2026-06-29T08:00:00Z");
    let server = folder.start(&["--geo-db", places.to_str().expect("a UTF-8 path")]);
    let printed = run("all.mjs", &server, &site);
    printed.lines().filter(|line| line.starts_with("COVERED")).for_each(tell);
}

#[test]
fn the_official_javascript_client_renews_its_token() {
    if skip("the_official_javascript_client_renews_its_token", missing()) {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site("sdk.test");
    let server = folder.start_in_real_time(&["--token-lifetime", "1s"], &[]);
    run("tokens.mjs", &server, &site);
}

/// Its client for pages, which sends by the site's identification code.
#[test]
fn the_official_javascript_client_for_pages() {
    let name = "the_official_javascript_client_for_pages";
    if skip_without_test_clock(name) || skip(name, missing()) {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site("sdk.test");
    let server = folder.start(&[]);
    run("web.mjs", &server, &site);
}

/// The scripts use the client as its declarations allow.
#[test]
fn the_scripts_fit_the_declarations() {
    if skip("the_scripts_fit_the_declarations", missing()) {
        return;
    }
    let output = node(&["node_modules/typescript/bin/tsc", "-p", "."], "{}");
    assert!(output.status.success(), "{}", printed(&output));
}

/// What Prisme's tag sends for each of its attributes, and that the server takes all of it.
#[test]
fn prisme_s_tag() {
    if skip("prisme_s_tag", missing_node()) {
        return;
    }
    let folder = Folder::new();
    let site = folder.create_site("page.test");
    let server = folder.start(&["--events-per-minute", "0"]);
    let about = json!({ "url": format!("http://{}", server.address()), "user_agent": support::FIREFOX });
    let output = node(&["--test-reporter=spec", "../scripts/prisme.mjs"], &about.to_string());
    assert!(output.status.success(), "{}", printed(&output));
    let mut client = server.log_in(&site);
    let events = client.statistics("events", "from=2020-01-01&to=2030-12-31");
    let names: Vec<_> = events.as_array().expect("a list").iter().map(|event| &event["name"]).collect();
    assert!(names.contains(&&json!("Sign up / é?")) && names.contains(&&json!("File Download")), "{events}");
}

/// What is served is what the sources make.
#[test]
fn the_served_scripts_are_those_of_the_sources() {
    if skip("the_served_scripts_are_those_of_the_sources", missing_package("terser")) {
        return;
    }
    let output = node(&["../scripts/minify.mjs"], "{}");
    assert!(output.status.success(), "{}", printed(&output));
}

/// Every script in Chromium, on pages of other origins.
#[test]
fn the_scripts_in_a_browser() {
    let name = "the_scripts_in_a_browser";
    let chromium = chromium();
    let missing_chromium = if chromium.is_none() { Some("Chromium") } else { None };
    if skip(name, missing_package("playwright-core").or(missing_chromium)) {
        return;
    }
    let folder = Folder::new();
    let hosts = [
        "own.test",
        "hash.test",
        "manual.test",
        "quiet.test",
        "odd.test",
        "first.test",
        "prisme.test",
        "pirsch.test",
        "noscript.test",
    ];
    let mut sites = serde_json::Map::new();
    for host in hosts {
        let Site { id, identification_code, client_id, client_secret, .. } = folder.create_site(host);
        let site = json!({
            "id": id,
            "identification_code": identification_code,
            "client_id": client_id,
            "client_secret": client_secret,
        });
        sites.insert(host.to_owned(), site);
    }
    let added = folder.run(&["site", "set", "own.test", "--alternative-hosts", "first.test"]);
    assert!(added.status.success(), "{}", support::stderr_of(&added));
    let server = folder.start_in_real_time(&["--events-per-minute", "0", "--trust-proxy"], &[]);
    let about =
        json!({ "url": format!("http://{}", server.address()), "chromium": chromium, "sites": sites });
    let output = node(&["--test-reporter=spec", "../scripts/browser.mjs"], &about.to_string());
    assert!(output.status.success(), "{}", printed(&output));
}

/// What the scripts need and this machine has not.
fn missing_node() -> Option<&'static str> {
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    (!has_node).then_some("Node.js")
}

/// As [`missing_node`], with the official client.
fn missing() -> Option<&'static str> {
    if let Some(missing) = missing_node() {
        Some(missing)
    } else if !scripts().join("node_modules/pirsch-sdk").is_dir() {
        Some("`npm ci --prefix tests/sdk`")
    } else {
        None
    }
}

/// As [`missing_node`], with a package of `tests/scripts`.
fn missing_package(name: &str) -> Option<&'static str> {
    let is_there = scripts().join("../scripts/node_modules").join(name).is_dir();
    missing_node().or((!is_there).then_some("`npm ci --prefix tests/scripts`"))
}

/// Chromium, by the name that Debian or others give it.
fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let named =
        |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(named)
}

/// Runs a script against the server; it must succeed. Returns what it printed.
fn run(script: &str, server: &Server, site: &Site) -> String {
    let (revoked_id, revoked_secret) = server.folder().create_client(&site.hostname);
    let revoke = server.folder().run(&["client", "revoke", &revoked_id]);
    assert!(revoke.status.success(), "{}", support::stderr_of(&revoke));
    let about = json!({
        "url": format!("http://{}", server.address()),
        "clock": server.folder().beside("clock"),
        "id": site.id,
        "hostname": site.hostname,
        "identification_code": site.identification_code,
        "client_id": site.client_id,
        "client_secret": site.client_secret,
        "access_key": server.folder().create_access_key(&site.hostname),
        "revoked_id": revoked_id,
        "revoked_secret": revoked_secret,
    });
    let output = node(&["--test-reporter=spec", script], &about.to_string());
    let printed = printed(&output);
    // A failure is told where it happens and again at the end.
    let failures = printed.split_once("failing tests:").map_or(printed.as_str(), |(_, failures)| failures);
    assert!(output.status.success(), "{script}: {}\n{failures}", output.status);
    printed
}

/// Node.js with nothing of the tester's environment, so with no proxy, and nothing to install from.
fn node(args: &[&str], about: &str) -> Output {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Command::new("node")
        .args(args)
        .current_dir(scripts())
        .env_clear()
        .env("PATH", path)
        .env("HITSTONE_SERVER", about)
        .output()
        .expect("running node")
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// Where the visitors of `tests/sdk/tracking.mjs` live.
fn places_database() -> Vec<u8> {
    mmdb::Writer::new("Test-City")
        .with("81.2.69.0/24", &mmdb::nested("GB", "England", "ENG", "London"))
        .with("91.0.0.0/16", &mmdb::nested("DE", "Berlin", "BE", "Berlin"))
        .with("133.0.0.0/16", &mmdb::nested("JP", "Tokyo", "13", "Tokyo"))
        .bytes()
}
