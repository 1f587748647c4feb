//! `hitstone import --follow`: what is written to an access log is counted, each line once, whoever dies meanwhile.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Folder, PATIENCE, Server, Site, hitstone, stderr_of, wait};

const HOST: &str = "log.test";
const DAYS: &str = "from=2025-06-01&to=2025-06-30";
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// A page view of a visitor of its own.
fn line(n: u32) -> String {
    format!(
        "80.1.{}.{} - - [10/Jun/2025:{:02}:{:02}:00 +0200] \"GET /page/{n}?utm_source=letter HTTP/2.0\" 200 5120 \"https://search.test/\" \"{AGENT}\"\n",
        n / 250,
        n % 250 + 1,
        8 + n / 60 % 12,
        n % 60
    )
}

fn lines(range: std::ops::Range<u32>) -> String {
    range.map(line).collect()
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("opening the log");
    file.write_all(text.as_bytes()).expect("writing the log");
}

struct Follower {
    child: Child,
}

impl Follower {
    fn start(folder: &Folder, format: &str, log: &Path) -> Self {
        let mut command = hitstone();
        command.args(["import", "--site", HOST, "--format", format, "--json", "--follow"]);
        command.arg(log).arg("--data").arg(folder.data());
        let child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starting a follower");
        Self { child }
    }

    fn kill(mut self) {
        self.child.kill().expect("SIGKILL");
        wait(&mut self.child);
    }

    /// Ends it in order; gives what it printed, and what it told meanwhile.
    fn stop(mut self) -> (Value, String) {
        let status = Command::new("kill").args(["-s", "INT", &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill failed");
        let status = wait(&mut self.child);
        let output = self.child.wait_with_output().expect("its output");
        assert!(status.success(), "{status}: {}", stderr_of(&output));
        (serde_json::from_slice(&output.stdout).expect("JSON"), stderr_of(&output))
    }
}

fn views(client: &mut Client) -> u64 {
    client.statistics("total", DAYS)["views"].as_u64().expect("a number")
}

fn wait_for_views(client: &mut Client, wanted: u64) {
    let start = Instant::now();
    while views(client) != wanted {
        assert!(start.elapsed() < PATIENCE, "{} views, not {wanted}", views(client));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn start() -> (Server, Site, PathBuf) {
    let folder = Folder::new();
    let site = folder.create_site(HOST);
    let log = folder.beside("access.log");
    (folder.start_in_real_time(&[], &[]), site, log)
}

#[test]
fn each_line_is_counted_once_whoever_dies() {
    let (server, site, log) = start();
    append(&log, &lines(0..300));
    let follower = Follower::start(server.folder(), "combined", &log);
    let mut client = server.log_in(&site);
    wait_for_views(&mut client, 300);
    // The follower dies, and lines are written and the log is renamed while nobody looks.
    follower.kill();
    append(&log, &lines(300..350));
    fs::rename(&log, log.with_file_name("access.log.1")).expect("renaming");
    append(&log, &lines(350..400));
    let follower = Follower::start(server.folder(), "combined", &log);
    wait_for_views(&mut client, 400);
    // The server dies and comes back.
    drop(client);
    let folder = server.kill();
    append(&log, &lines(400..450));
    let server = folder.start_in_real_time(&[], &[]);
    let mut client = server.log_in(&site);
    wait_for_views(&mut client, 450);
    append(&log, "rubbish\n");
    append(&log, &line(450).replace("GET", "POST"));
    append(&log, &line(450).replace("/page/450", "/style.css"));
    append(&log, &line(450).replace(AGENT, "Googlebot/2.1 (+http://www.google.com/bot.html)"));
    append(&log, &line(450));
    wait_for_views(&mut client, 451);
    let (summary, told) = follower.stop();
    assert_eq!(summary["imported"], json!(151), "{summary} {told}");
    assert_eq!(summary["sessions"], json!(151), "{summary}");
    assert_eq!(summary["rejected"], json!(1), "{summary}");
    assert_eq!(summary["ignored"], json!({"method": 1, "asset": 1, "bot": 1}), "{summary}");
    assert!(told.contains("rejected the line at byte"), "{told}");
    let sources = client.statistics("utm/source", DAYS);
    assert_eq!((&sources[0]["utm_source"], &sources[0]["visitors"]), (&json!("letter"), &json!(451)));
}

/// A file that was made and renamed while nobody followed had been passed over without a word, and so had one that came
/// and went while the follower waited for the server.
#[test]
fn nothing_is_lost_over_two_rotations_whoever_is_away() {
    let (server, site, log) = start();
    let numbered = |number: u32| log.with_file_name(format!("access.log.{number}"));
    // The log is renamed, a second one is made and renamed, a third one is made.
    let rotate_twice = |from: u32, numbers: [u32; 2]| {
        append(&log, &lines(from..from + 40));
        fs::rename(&log, numbered(numbers[0])).expect("renaming");
        append(&log, &lines(from + 40..from + 80));
        std::thread::sleep(Duration::from_millis(1500));
        fs::rename(&log, numbered(numbers[1])).expect("renaming");
        append(&log, &lines(from + 80..from + 120));
    };
    append(&numbered(9), &line(2_000));
    append(&log, &lines(0..100));
    let follower = Follower::start(server.folder(), "combined", &log);
    let mut client = server.log_in(&site);
    wait_for_views(&mut client, 100);
    let (_, told) = follower.stop();
    assert!(told.contains("passed over") && told.contains("access.log.9: nothing has been taken"), "{told}");
    // Nobody follows; and what is compressed meanwhile is told of.
    rotate_twice(100, [8, 7]);
    fs::write(numbered(6).with_extension("6.gz"), "compressed").expect("writing");
    let follower = Follower::start(server.folder(), "combined", &log);
    wait_for_views(&mut client, 220);
    // The server dies, and the log is rotated twice while it is away.
    drop(client);
    let folder = server.kill();
    rotate_twice(220, [5, 4]);
    let server = folder.start_in_real_time(&[], &[]);
    let mut client = server.log_in(&site);
    wait_for_views(&mut client, 340);
    // Both die.
    follower.kill();
    drop(client);
    let folder = server.kill();
    rotate_twice(340, [3, 2]);
    let server = folder.start_in_real_time(&[], &[]);
    let follower = Follower::start(server.folder(), "combined", &log);
    let mut client = server.log_in(&site);
    wait_for_views(&mut client, 460);
    append(&log, &lines(460..470));
    wait_for_views(&mut client, 470);
    let (summary, told) = follower.stop();
    assert_eq!(summary["imported"], json!(130), "{summary} {told}");
    assert!(told.contains("access.log.9") && told.contains("older than what has been taken"), "{told}");
    assert!(told.contains("access.log.6.gz"), "{told}");
}

#[test]
fn it_works_on_the_folder_alone_and_goes_on_with_a_server() {
    let (server, site, log) = start();
    let folder = server.stop();
    let json_line = |n: u32, host: &str| {
        format!(
            "{{\"time\":\"2025-06-11T10:{:02}:00+00:00\",\"remote_addr\":\"80.2.0.{n}\",\"host\":\"{host}\",\"request\":\"GET /{n} HTTP/1.1\",\"status\":404,\"http_user_agent\":\"{AGENT}\"}}\n",
            n % 60
        )
    };
    let of_site: String = (0..40).map(|n| json_line(n, "www.log.test")).collect();
    append(&log, &of_site);
    append(&log, &json_line(41, "other.test"));
    let follower = Follower::start(&folder, "nginx", &log);
    // The folder is the follower's until it ends.
    let start = Instant::now();
    let summary = loop {
        std::thread::sleep(Duration::from_millis(300));
        assert!(start.elapsed() < PATIENCE, "the follower did not open the folder");
        if folder.data().join("log-0000000000000001").metadata().is_ok_and(|log| log.len() > 2_000) {
            break follower.stop().0;
        }
    };
    assert_eq!((&summary["imported"], &summary["rejected"]), (&json!(40), &json!(0)), "{summary}");
    assert_eq!(summary["ignored"], json!({"hostname": 1}), "{summary}");
    let server = folder.start_in_real_time(&[], &[]);
    append(&log, &json_line(50, HOST));
    let follower = Follower::start(server.folder(), "nginx", &log);
    let mut client = server.log_in(&site);
    wait_for_views(&mut client, 41);
    assert_eq!(follower.stop().0["imported"], json!(1));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let (server, _, log) = start();
    append(&log, &line(1));
    let log = log.to_str().expect("a UTF-8 path");
    let refused =
        server.folder().run(&["import", "--site", "none.test", "--format", "combined", "--follow", log]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr_of(&refused));
    assert!(stderr_of(&refused).contains("none.test"), "{}", stderr_of(&refused));
    let refused = server.folder().run(&["import", "--site", HOST, "--format", "iis", "--follow", log]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr_of(&refused));
}
