//! What the integration tests share: the program as a process, a data folder, clients.

#![allow(dead_code, reason = "each test binary uses a part of this")]

pub mod http;
pub mod mmdb;
pub mod random;
pub mod visits;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use http::{Connection, Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser that no bot filter minds.
pub const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// The server's time in tests that say nothing else, where the build has the test clock.
pub const NOW: &str = "2026-07-01T12:00:00Z";

/// How long anything may take before a test gives up. Never what a test measures.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the program can be given its time.
pub const fn has_test_clock() -> bool {
    cfg!(feature = "test-clock")
}

/// `true` when something that a test needs is missing; says so where the harness hides what tests print. With
/// `HITSTONE_TEST_ALL` in the environment nothing may be missing.
pub fn skip(name: &str, missing: Option<&str>) -> bool {
    let Some(missing) = missing else { return false };
    let must_run = std::env::var_os("HITSTONE_TEST_ALL").is_some();
    assert!(!must_run, "{name} must run (HITSTONE_TEST_ALL) and needs {missing}");
    tell(&format!("SKIPPED {name}: needs {missing}"));
    true
}

/// As [`skip`], for tests that set the server's time.
pub fn skip_without_test_clock(name: &str) -> bool {
    skip(name, (!has_test_clock()).then_some("--all-features"))
}

/// Prints a line that is shown also when the test passes.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// The program, with no setting taken from the tester's environment.
pub fn hitstone() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hitstone"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("HITSTONE_") || name.starts_with("PRISME_")) {
            command.env_remove(name);
        }
    }
    command
}

/// A site with what its owner gets to know about it.
#[derive(Debug, Clone)]
pub struct Site {
    pub id: String,
    pub hostname: String,
    pub identification_code: String,
    pub client_id: String,
    pub client_secret: String,
}

/// A data folder and what lies beside it: the clock file and the standard error of the servers that ran on it.
pub struct Folder {
    root: TempDir,
}

impl Folder {
    pub fn new() -> Self {
        let folder = Self { root: TempDir::with_prefix("hitstone-test-").expect("a temporary folder") };
        folder.set_clock(NOW);
        folder
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    /// A file beside the data folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Sets the time of servers started with [`Folder::start`].
    pub fn set_clock(&self, now: &str) {
        let new = self.beside("clock.new");
        std::fs::write(&new, format!("{now}\n")).expect("writing the clock file");
        std::fs::rename(&new, self.beside("clock")).expect("renaming the clock file");
    }

    /// Runs a command of the program on this folder.
    pub fn run(&self, args: &[&str]) -> Output {
        hitstone().args(args).arg("--data").arg(self.data()).output().expect("running hitstone")
    }

    /// Runs a command that must succeed and print JSON.
    pub fn run_json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "hitstone {args:?}: {}\n{}", output.status, stderr_of(&output));
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("hitstone {args:?} printed no JSON ({error}): {text}"))
    }

    pub fn create_site(&self, host: &str) -> Site {
        let answer = self.run_json(&["site", "create", host, "--json"]);
        let site = Site {
            id: text(&answer, "id"),
            hostname: text(&answer, "hostname"),
            identification_code: text(&answer, "identification_code"),
            client_id: text(&answer, "client_id"),
            client_secret: text(&answer, "client_secret"),
        };
        assert_eq!(site.hostname, host, "site create: {answer}");
        site
    }

    /// A further client of a site: id and secret.
    pub fn create_client(&self, host: &str) -> (String, String) {
        let answer = self.run_json(&["client", "create", "--site", host, "--json"]);
        (text(&answer, "client_id"), text(&answer, "client_secret"))
    }

    pub fn create_access_key(&self, host: &str) -> String {
        text(&self.run_json(&["client", "create", "--site", host, "--write-only", "--json"]), "access_key")
    }

    /// A token for SegmentStream's `/track`.
    pub fn create_track_token(&self, host: &str) -> String {
        text(&self.run_json(&["client", "create", "--site", host, "--basic", "--json"]), "track_token")
    }

    /// Starts a server whose time is [`Folder::set_clock`]'s where the build allows it.
    pub fn start(self, args: &[&str]) -> Server {
        let clock = self.beside("clock");
        let mut all = args.to_vec();
        if has_test_clock() {
            all.extend(["--clock-file", clock.to_str().expect("a UTF-8 path")]);
        }
        Server::start(self, &all, &[])
    }

    /// Starts a server that goes by the machine's clock.
    pub fn start_in_real_time(self, args: &[&str], env: &[(&str, &str)]) -> Server {
        Server::start(self, args, env)
    }

    /// What all servers on this folder wrote to standard error.
    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.beside("stderr")).unwrap_or_default()
    }
}

/// A running server. Killed when dropped; a failing test shows what it wrote to standard error.
pub struct Server {
    child: Child,
    address: String,
    folder: Option<Folder>,
}

impl Server {
    fn start(folder: Folder, args: &[&str], env: &[(&str, &str)]) -> Self {
        let stderr =
            File::options().create(true).append(true).open(folder.beside("stderr")).expect("a log file");
        let mut child = hitstone()
            .arg("serve")
            .arg("--data")
            .arg(folder.data())
            .args(["--listen", "127.0.0.1:0"])
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("starting hitstone");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut server = Self { child, address: String::new(), folder: Some(folder) };
        server.address = match listening_address(stdout) {
            Some(address) => address,
            None => panic!("hitstone serve {args:?} did not print `listening on http://ADDRESS:PORT`"),
        };
        server
    }

    /// `ADDRESS:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn folder(&self) -> &Folder {
        self.folder.as_ref().expect("a running server has its folder")
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop and waits until it has; the exit status must be 0.
    pub fn stop(mut self) -> Folder {
        self.signal("TERM");
        let status = wait(&mut self.child);
        assert!(status.success(), "after SIGTERM the server ended with {status}");
        self.folder.take().expect("a running server has its folder")
    }

    /// Ends the server as a power cut would end the process.
    pub fn kill(mut self) -> Folder {
        self.child.kill().expect("SIGKILL");
        wait(&mut self.child);
        self.folder.take().expect("a running server has its folder")
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "kill -s {name} failed");
    }

    /// Fails when the process has ended.
    pub fn assert_alive(&mut self) {
        let status = self.child.try_wait().expect("asking for the process");
        assert!(status.is_none(), "the server ended with {status:?}");
        let health = self.connect().get("/api/v1/healthcheck", "");
        assert_eq!(health.status, 200, "health check: {health:?}");
    }

    pub fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// One request on a connection of its own.
    pub fn send(&self, request: &Request) -> Response {
        self.connect().send(request)
    }

    /// `POST /api/v1/token`.
    pub fn token_response(&self, id: &str, secret: &str) -> Response {
        let body = json!({ "client_id": id, "client_secret": secret });
        self.send(&Request::post("/api/v1/token", "").json(&body))
    }

    /// An access token of the site's first client.
    pub fn token(&self, site: &Site) -> String {
        let response = self.token_response(&site.client_id, &site.client_secret);
        assert_eq!(response.status, 200, "token of {}: {response:?}", site.hostname);
        text(&response.json(), "access_token")
    }

    /// A client that is logged in.
    pub fn log_in(&self, site: &Site) -> Client {
        Client { token: self.token(site), site: site.clone(), connection: self.connect() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking()
            && let Some(folder) = &self.folder
        {
            eprintln!("--- standard error of the server ---\n{}---", folder.stderr());
        }
    }
}

/// A logged-in client of one site with one connection.
pub struct Client {
    pub site: Site,
    pub token: String,
    pub connection: Connection,
}

impl Client {
    pub fn post(&mut self, path: &str, body: &Value) -> Response {
        self.connection.send(&Request::post(path, &self.token).json(body))
    }

    /// Sends what must be accepted.
    pub fn post_ok(&mut self, path: &str, body: &Value) {
        let response = self.post(path, body);
        assert_eq!(response.status, 200, "POST {path} {body}: {response:?}");
    }

    /// The body of a page view of this site; `more` adds or replaces members.
    pub fn hit_body(&self, path: &str, ip: &str, more: Value) -> Value {
        hit_body(&format!("https://{}{path}", self.site.hostname), ip, more)
    }

    pub fn statistics_response(&mut self, endpoint: &str, query: &str) -> Response {
        let target = format!("/api/v1/statistics/{endpoint}?id={}&{query}", self.site.id);
        self.connection.get(&target, &self.token)
    }

    /// A statistic that must be answered.
    pub fn statistics(&mut self, endpoint: &str, query: &str) -> Value {
        let response = self.statistics_response(endpoint, query);
        assert_eq!(response.status, 200, "statistics/{endpoint}?{query}: {response:?}");
        response.json()
    }
}

/// A hit as an SDK would send it; `more` adds or replaces members.
pub fn hit_body(url: &str, ip: &str, more: Value) -> Value {
    let mut body = json!({ "url": url, "ip": ip, "user_agent": FIREFOX });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// The statistics that need no more than a range.
pub const STATISTICS: &[&str] = &[
    "visitor",
    "total",
    "page",
    "page/entry",
    "page/exit",
    "duration/session",
    "duration/page",
    "referrer",
    "utm/source",
    "utm/medium",
    "utm/campaign",
    "utm/content",
    "utm/term",
    "os",
    "os/version",
    "browser",
    "browser/version",
    "country",
    "city",
    "language",
    "platform",
    "screen",
    "hours",
    "events",
    "growth",
];

/// Every endpoint of statistics with a query that makes it answer for `from..to`.
pub fn all_statistics(client: &mut Client, range: &str) -> Vec<(String, Value)> {
    STATISTICS
        .iter()
        .map(|endpoint| {
            let query = format!("{range}&include_avg_time_on_page=true&include_title=true");
            (format!("{endpoint}?{query}"), client.statistics(endpoint, &query))
        })
        .collect()
}

/// Fails with the first statistic that differs.
pub fn assert_same_statistics(what: &str, before: &[(String, Value)], after: &[(String, Value)]) {
    for ((name, before), (_, after)) in before.iter().zip(after) {
        assert_eq!(before, after, "{what}: statistics/{name} changed");
    }
}

/// A text member of a JSON object.
pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key:?} in {value}")).to_string()
}

/// All files below a folder with their bytes; those that vanish meanwhile are left out.
pub fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("a file's type");
        if kind.is_dir() {
            files.extend(files_below(&path));
        } else if kind.is_file()
            && let Ok(bytes) = std::fs::read(&path)
        {
            files.push((path, bytes));
        }
    }
    files
}

pub fn stderr_of(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for a process to end.
pub fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("asking for the process") {
            return status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("the process has not ended after {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reads standard output up to the line that tells the address, and goes on reading so that the server never
/// waits for a full pipe.
fn listening_address(stdout: std::process::ChildStdout) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = line.strip_prefix("listening on http://") {
                let _ = sender.send(address.trim().trim_end_matches('/').to_string());
            }
        }
    });
    receiver.recv_timeout(PATIENCE).ok()
}
