//! The command line: what operators and scripts rely on.

use std::process::Output;

use serde_json::json;

use crate::support::http::Request;
use crate::support::{Folder, PATIENCE, Server, Site, hit_body, hitstone, stderr_of};

#[test]
fn version_and_help() {
    let version = run(&["--version"]);
    assert!(version.status.success(), "{}", stderr_of(&version));
    assert_eq!(stdout_of(&version).trim(), format!("hitstone {}", env!("CARGO_PKG_VERSION")));
    for args in [
        &["help"][..],
        &["help", "serve"],
        &["help", "site"],
        &["help", "client"],
        &["help", "goal"],
        &["help", "goal", "create"],
        &["help", "filter", "create"],
        &["help", "lists", "update"],
        &["help", "rejected"],
        &["help", "demo"],
        &["help", "export"],
        &["help", "import"],
        &["--help"],
    ] {
        let help = run(args);
        assert!(help.status.success() && stdout_of(&help).len() > 100, "{args:?}: {}", stdout_of(&help));
    }
    let serve = stdout_of(&run(&["help", "serve"]));
    for setting in
        ["--data", "--listen", "--site", "--geo-db", "--trust-proxy", "--session-window", "--token-lifetime"]
    {
        assert!(serve.contains(setting), "`help serve` does not tell of {setting}:\n{serve}");
    }
}

/// Exit 2 and one line for what was asked wrongly.
#[test]
fn bad_settings_are_refused_with_one_line() {
    let folder = Folder::new();
    let data = folder.data();
    let data = data.to_str().expect("a UTF-8 path");
    for args in [
        &["serve", "--data", data, "--listen", "nowhere"][..],
        &["serve", "--data", data, "--listen", "127.0.0.1:99999"],
        &["serve", "--data", data, "--session-window", "soon"],
        &["serve", "--data", data, "--no-such-setting"],
        &["serve", "--data", data, "--config", "/nonexistent/hitstone.toml"],
        &["no-such-command"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr_of(&output));
        assert_one_line(&format!("{args:?}"), &output);
    }
}

#[test]
fn a_bad_host_name_is_refused() {
    let folder = Folder::new();
    for host in ["not a host", "https://scheme.test", "port.test:80", "path.test/x", "", "a..test"] {
        let output = folder.run(&["site", "create", host, "--json"]);
        assert!(!output.status.success(), "{host:?} was taken");
        assert_one_line(host, &output);
    }
    assert_eq!(
        folder.run_json(&["site", "list", "--json"]),
        serde_json::json!([]),
        "a refused site was made"
    );
}

/// A data folder belongs to one process at a time.
#[test]
fn a_second_server_on_the_folder_is_refused() {
    let folder = Folder::new();
    let mut server = folder.start(&["--site", "two.test"]);
    let second = server.folder().run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1), "{}", stderr_of(&second));
    assert_one_line("a second server", &second);
    let data = server.folder().data();
    let name = data.file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(stderr_of(&second).contains(name), "the folder is not named: {}", stderr_of(&second));
    server.assert_alive();
    server.stop();
}

#[test]
fn an_address_in_use_is_told() {
    let server = Folder::new().start(&[]);
    let other = Folder::new();
    let output = other.run(&["serve", "--listen", server.address()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr_of(&output));
    assert_one_line("an address in use", &output);
    assert!(stderr_of(&output).contains(server.address()), "{}", stderr_of(&output));
}

#[test]
fn sites_and_clients_are_made_with_and_without_a_server() {
    let folder = Folder::new();
    let before = folder.create_site("before.test");
    let again = folder.run(&["site", "create", "before.test", "--json"]);
    assert!(!again.status.success(), "a host name is taken once");
    assert_one_line("the same site again", &again);

    let server = folder.start(&["--site", "flag.test"]);
    let during = server.folder().create_site("during.test");
    for site in [&before, &during] {
        server.token(site);
    }
    let (id, secret) = server.folder().create_client("flag.test");
    assert_eq!(server.token_response(&id, &secret).status, 200, "a client of the site that --site made");
    let (key, token) =
        (server.folder().create_access_key("flag.test"), server.folder().create_track_token("flag.test"));
    let both = ["client", "create", "--site", "flag.test", "--basic", "--write-only"];
    assert_eq!(server.folder().run(&both).status.code(), Some(2), "a client is of one kind");

    let hosts = |folder: &Folder| {
        let list = folder.run_json(&["site", "list", "--json"]);
        let mut hosts: Vec<String> = list
            .as_array()
            .into_iter()
            .flatten()
            .map(|site| crate::support::text(site, "hostname"))
            .collect();
        hosts.sort();
        hosts
    };
    let wanted = ["before.test", "during.test", "flag.test"];
    assert_eq!(hosts(server.folder()), wanted, "while the server runs");
    let folder = server.stop();
    assert_eq!(hosts(&folder), wanted, "after it stopped");

    let stored: Vec<u8> =
        crate::support::files_below(&folder.data()).into_iter().flat_map(|file| file.1).collect();
    for secret in [&before.client_secret, &during.client_secret, &secret, &key, &token] {
        let found = stored.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
        assert!(!found, "a secret is stored in plain text");
    }
}

#[test]
fn goals_are_made_listed_and_deleted_with_and_without_a_server() {
    let folder = Folder::new();
    folder.create_site("goal.test");
    let before = folder.run_json(&["goal", "create", "Blog", "--path", "/blog/*", "--json"]);
    assert_eq!((&before["site"], &before["pattern"]), (&json!("goal.test"), &json!("(?i)^/blog/[^/]*$")));
    let id = crate::support::text(&before, "id");
    let names = |folder: &Folder, args: &[&str]| {
        let list = folder.run_json(&[&["goal", "list", "--json"], args].concat());
        let names = list.as_array().into_iter().flatten().map(|goal| crate::support::text(goal, "name"));
        names.collect::<Vec<_>>()
    };

    let server = folder.start(&["--site", "second.test"]);
    let unclear = server.folder().run(&["goal", "create", "Bought", "--event", "bought"]);
    assert_eq!(unclear.status.code(), Some(1), "{}", stderr_of(&unclear));
    assert_one_line("no site named", &unclear);
    let said = stderr_of(&unclear);
    assert!(["--site", "goal.test", "second.test"].iter().all(|word| said.contains(word)), "{said}");
    let bought = server.folder().run_json(&[
        "goal",
        "create",
        "Bought",
        "--site",
        "second.test",
        "--event",
        "bought",
        "--meta-key",
        "currency",
        "--meta-value",
        "USD",
        "--metric-key",
        "amount",
        "--metric-type",
        "integer",
        "--metric-total",
        "1000",
        "--metric-avg",
        "2.5",
        "--tag",
        "author",
        "--tag",
        "kind=shop",
        "--visitor-goal",
        "10",
        "--cr-goal",
        "1.5",
        "--delete-reached",
        "--email-reached",
        "--json",
    ]);
    for (member, value) in [
        ("site", json!("second.test")),
        ("path_pattern", json!(null)),
        ("event_name", json!("bought")),
        ("event_meta_key", json!("currency")),
        ("event_meta_value", json!("USD")),
        ("custom_metric_key", json!("amount")),
        ("custom_metric_type", json!("integer")),
        ("custom_metric_total_goal", json!(1000.0)),
        ("custom_metric_avg_goal", json!(2.5)),
        ("tags", json!(["author", "kind=shop"])),
        ("visitor_goal", json!(10)),
        ("cr_goal", json!(1.5)),
        ("delete_reached", json!(true)),
        ("email_reached", json!(true)),
        ("reached", json!(null)),
    ] {
        assert_eq!(bought[member], value, "{member} in {bought}");
    }
    assert_eq!(names(server.folder(), &[]), ["Blog", "Bought"]);
    assert_eq!(names(server.folder(), &["--site", "second.test"]), ["Bought"]);
    let text = stdout_of(&server.folder().run(&["goal", "list"]));
    assert!(text.lines().count() == 2 && text.contains(&id) && text.contains("/blog/*"), "{text}");

    let folder = server.stop();
    assert_eq!(names(&folder, &[]), ["Blog", "Bought"], "after it stopped");
    for args in [
        &["goal", "create", "Bad", "--site", "goal.test"][..],
        &["goal", "create", "Bad", "--site", "goal.test", "--path", "blog"],
        &["goal", "create", "", "--site", "goal.test", "--path", "/"],
        &["goal", "create", "Bad", "--site", "goal.test", "--path", "/", "--cr-goal", "101"],
        &["goal", "create", "Bad", "--site", "none.test", "--path", "/"],
        &["goal", "delete", "abcdefghij"],
        &["goal", "list", "--site", "none.test"],
    ] {
        let output = folder.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr_of(&output));
        assert_one_line(&format!("{args:?}"), &output);
    }
    for args in [
        &["goal", "create"][..],
        &["goal", "create", "Bad", "--path", "/", "--visitor-goal", "many"],
        &["goal", "create", "Bad", "--path", "/", "--metric-type", "text"],
        &["goal", "delete"],
        &["goal"],
    ] {
        let output = folder.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr_of(&output));
        assert_one_line(&format!("{args:?}"), &output);
    }
    assert_eq!(folder.run_json(&["goal", "delete", &id, "--json"]), json!({ "deleted": id }));
    assert_eq!(names(&folder, &[]), ["Bought"]);
}

#[test]
fn clients_are_described() {
    let folder = Folder::new();
    folder.create_site("client.test");
    let server = folder.start(&[]);
    let args = ["client", "create", "--site", "client.test", "--description", "the shop's backend", "--json"];
    let id = crate::support::text(&server.folder().run_json(&args), "client_id");
    let list = server.stop().run_json(&["client", "list", "--json"]);
    assert_eq!((&list[1]["client_id"], &list[1]["description"]), (&json!(id), &json!("the shop's backend")));
    assert_eq!(list[0]["description"], "", "{list}");
}

/// `serve` needs no flag but finds its settings in the environment and a file, too.
#[test]
fn settings_come_from_flags_then_environment_then_file() {
    let folder = Folder::new();
    let config = folder.beside("hitstone.toml");
    std::fs::write(&config, "listen = \"127.0.0.1:1\"\nsite = [\"file.test\"]\n")
        .expect("writing a configuration");
    let server = folder.start_in_real_time(
        &["--config", config.to_str().expect("a UTF-8 path")],
        &[("HITSTONE_TOKEN_LIFETIME", "2h"), ("HITSTONE_LISTEN", "127.0.0.1:2")],
    );
    assert!(!["127.0.0.1:1", "127.0.0.1:2"].contains(&server.address()), "the flag is the strongest");
    let list = server.folder().run_json(&["site", "list", "--json"]);
    assert_eq!(list[0]["hostname"], "file.test", "{list}");
}

/// The first minutes of a newcomer: demo data, a page, a statistic.
#[test]
fn demo_serves_statistics() {
    use std::io::{BufRead, BufReader};
    let folder = Folder::new();
    let mut child = hitstone()
        .args(["demo", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.data())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("starting hitstone demo");
    let stdout = child.stdout.take().expect("standard output is piped");
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
    });
    let mut curl = String::new();
    while curl.is_empty() {
        match receiver.recv_timeout(PATIENCE) {
            Ok(line) if line.trim_start().starts_with("curl ") => curl = line.trim().to_string(),
            Ok(_) => {}
            Err(error) => {
                let _ = child.kill();
                panic!("hitstone demo printed no curl line: {error}");
            }
        }
    }
    let output = std::process::Command::new("sh").args(["-c", &curl]).output();
    let _ = std::process::Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    let status = crate::support::wait(&mut child);
    let output = output.expect("running the curl line");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{curl}\nanswered no JSON ({error}): {}", stdout_of(&output)));
    assert!(
        answer.as_array().is_some_and(|rows| !rows.is_empty()) || answer.is_object(),
        "{curl}\nanswered {answer}"
    );
    assert!(status.success(), "demo ended with {status}");
}

#[test]
fn health_is_told_without_a_token() {
    let server = Folder::new().start(&[]);
    let health = server.send(&Request::get("/api/v1/healthcheck", ""));
    assert_eq!(health.status, 200, "{health:?}");
}

fn run(args: &[&str]) -> Output {
    hitstone().args(args).output().expect("running hitstone")
}

fn stdout_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assert_one_line(what: &str, output: &Output) {
    let text = stderr_of(output);
    assert_eq!(text.trim_end().lines().count(), 1, "{what}: standard error is not one line: {text:?}");
}

/// Files below the lake.
fn lake_files(folder: &Folder) -> usize {
    crate::support::files_below(&folder.data().join("lake")).len()
}

/// Hits as a file to import.
fn hits(folder: &Folder, name: &str, host: &str, paths: std::ops::Range<u32>) -> String {
    let lines: String = paths
        .map(|n| {
            let mut hit = hit_body(&format!("https://{host}/{n}"), &format!("203.0.113.{n}"), json!({}));
            hit["time"] = json!(format!("2026-05-{:02}T10:00:00Z", n % 28 + 1));
            format!("{hit}\n")
        })
        .collect();
    let path = folder.beside(name);
    std::fs::write(&path, lines).expect("writing a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// A deleted site's data had stayed in the lake; one of the same host that was made later wrote over its files, and from
/// then on each `compact` failed over the damage of the site that was gone.
#[test]
fn a_deleted_site_leaves_nothing_and_its_host_can_be_used_anew() {
    const HOST: &str = "again.test";
    for with_server in [false, true] {
        let folder = Folder::new();
        let (old, kept) = (folder.create_site(HOST), folder.create_site("kept.test"));
        let server = folder.start(&[]);
        for site in [&old, &kept] {
            let file = hits(server.folder(), "old.ndjson", &site.hostname, 0..40);
            server.folder().run_json(&["import", "--site", &site.hostname, "--json", &file]);
        }
        server.folder().run_json(&["compact", "--json"]);
        assert_eq!(lake_files(server.folder()), 2);
        // More of both in segments, and in the log.
        for site in [&old, &kept] {
            let file = hits(server.folder(), "more.ndjson", &site.hostname, 40..50);
            server.folder().run_json(&["import", "--site", &site.hostname, "--json", &file]);
            let mut client = server.log_in(site);
            let body = client.hit_body("/live", "203.0.113.77", json!({ "time": "2026-05-03T10:00:00Z" }));
            client.post_ok("/api/v1/hit", &body);
        }
        let check = |server: &Server, new: &Site, views: u64| {
            let range = "from=2026-05-01&to=2026-05-31";
            let of = |site: &Site| server.log_in(site).statistics("total", range)["views"].clone();
            assert_eq!((of(new), of(&kept)), (json!(views), json!(51)), "with a server: {with_server}");
            let metrics = server.connect().get("/metrics", "").text();
            assert!(metrics.contains("\nhitstone_damaged_files 0\n"), "{metrics}");
        };
        let delete = |folder: &Folder| {
            let told = folder.run_json(&["site", "delete", HOST, "--json"]);
            assert_eq!(told, json!({ "deleted": HOST }));
            assert_eq!(lake_files(folder), 1, "with a server: {with_server}");
        };
        let anew = |folder: &Folder| {
            let new = folder.create_site(HOST);
            let file = hits(folder, "new.ndjson", HOST, 0..7);
            let told = folder.run_json(&["import", "--site", HOST, "--json", &file]);
            assert_eq!(told["imported"], 7, "{told}");
            for _ in 0..2 {
                folder.run_json(&["compact", "--json"]);
            }
            assert_eq!(lake_files(folder), 2);
            new
        };
        let server = if with_server {
            delete(server.folder());
            let new = anew(server.folder());
            check(&server, &new, 7);
            let server = server.kill().start(&[]);
            check(&server, &new, 7);
            server
        } else {
            let folder = server.stop();
            delete(&folder);
            let new = anew(&folder);
            let server = folder.start(&[]);
            check(&server, &new, 7);
            server
        };
        // A crash between the two steps is mended: the state says that the site is gone, and the store was not told.
        let folder = server.stop();
        let state = folder.data().join("state");
        let copy = Folder::new();
        std::fs::create_dir_all(copy.data()).expect("a folder");
        std::fs::copy(&state, copy.data().join("state")).expect("copying the state");
        copy.run_json(&["site", "delete", HOST, "--json"]);
        std::fs::copy(copy.data().join("state"), &state).expect("putting the state back");
        assert_eq!(lake_files(&folder), 2);
        let server = folder.start(&[]);
        assert_eq!(lake_files(server.folder()), 1);
    }
}

/// A state file that is older than the store, or was lost, does not know of sites: that is no reason to remove them.
#[test]
fn sites_that_the_state_never_knew_keep_their_data() {
    let folder = Folder::new();
    folder.create_site("first.test");
    folder.create_site("second.test");
    let file = hits(&folder, "hits.ndjson", "second.test", 0..20);
    folder.run_json(&["import", "--site", "second.test", "--json", &file]);
    folder.run_json(&["compact", "--json"]);
    assert_eq!(lake_files(&folder), 1);
    let state = folder.data().join("state");
    let kept = std::fs::read(&state).expect("the state");
    std::fs::remove_file(&state).expect("losing the state");
    let folder = folder.start(&["--site", "first.test"]).stop();
    assert_eq!(lake_files(&folder), 1);
    std::fs::write(&state, kept).expect("the state is back");
    let folder = folder.start(&[]).stop();
    assert_eq!(lake_files(&folder), 1);
    folder.run_json(&["site", "delete", "first.test", "--json"]);
    assert_eq!(lake_files(&folder), 1);
    folder.run_json(&["site", "delete", "second.test", "--json"]);
    assert_eq!(lake_files(&folder), 0);
}
