//! The servers that are measured, as processes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::http::{Connection, Request};
use super::support::text;
use super::traffic::HOST;

/// How often its memory is looked at.
const SAMPLED_EVERY: Duration = Duration::from_millis(50);

/// A running server; it ends when this is dropped.
pub struct Subject {
    child: Child,
    pub address: SocketAddr,
    hitstone: Option<Hitstone>,
    /// Kilobytes of anonymous memory at most since it was looked at.
    most: Arc<AtomicU64>,
}

/// What is known of a Hitstone: the program, its folder, its site.
struct Hitstone {
    program: PathBuf,
    folder: TempDir,
    site: Value,
    access_key: String,
}

impl Subject {
    /// Hitstone on a new folder with one site, behind a proxy that it trusts.
    pub fn hitstone(program: &Path) -> Self {
        let folder = TempDir::with_prefix("hitstone-ingestion-").expect("a temporary folder");
        let site = run_json(program, &folder, &["site", "create", HOST]);
        let client = run_json(program, &folder, &["client", "create", "--site", HOST, "--write-only"]);
        let mut command = Command::new(program);
        command.arg("serve").arg("--data").arg(folder.path().join("data"));
        command.args(["--listen", "127.0.0.1:0", "--trust-proxy"]);
        let hitstone =
            Hitstone { program: program.into(), folder, site, access_key: text(&client, "access_key") };
        Self::start(command, Some(hitstone))
    }

    /// The empty server. It answers as `like` answers this request.
    pub fn reference(like: &Subject, request: &[u8]) -> Self {
        let mut connection = like.open();
        connection.write(request).expect("writing");
        let answer = connection.read_response().expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let own = |name: &str| matches!(name, "content-length" | "date");
        let headers = answer.headers.iter().filter(|(name, _)| !own(&name.to_ascii_lowercase()));
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(super::REFERENCE).args(headers.map(|(name, value)| format!("{name}: {value}")));
        Self::start(command, None)
    }

    fn start(mut command: Command, hitstone: Option<Hitstone>) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("starting a server");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening on http://")?.trim().parse().ok());
        let address = address.expect("the server's address");
        // It never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let most = Arc::new(AtomicU64::new(0));
        let (process, seen) = (child.id(), Arc::downgrade(&most));
        std::thread::spawn(move || {
            while let Some(most) = seen.upgrade() {
                most.fetch_max(kilobytes(process, "RssAnon:"), Ordering::Relaxed);
                std::thread::sleep(SAMPLED_EVERY);
            }
        });
        Self { child, address, hitstone, most }
    }

    pub fn open(&self) -> Connection {
        Connection::open(&self.address.to_string())
    }

    /// Processor seconds that it has used, as Linux counts them: in hundredths.
    pub fn processor_seconds(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = status.rsplit(')').next().unwrap_or_default();
        let ticks =
            after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
        ticks.sum::<f64>() / 100.0
    }

    /// Its resident memory: anonymous, also the most since it was looked at, and of mapped files.
    pub fn memory(&self) -> String {
        let [now, files] = ["RssAnon:", "RssFile:"].map(|name| kilobytes(self.child.id(), name));
        let most = self.most.swap(0, Ordering::Relaxed).max(now);
        format!(
            "{} MB anonymous, at most {} MB before; {} MB of files",
            now / 1024,
            most / 1024,
            files / 1024
        )
    }

    /// The key with which backends write; empty for the reference.
    pub fn access_key(&self) -> &str {
        self.hitstone.as_ref().map_or("", |hitstone| &hitstone.access_key)
    }

    /// A token with which statistics are read.
    pub fn token(&self) -> String {
        let site = self.site();
        let body =
            json!({ "client_id": text(site, "client_id"), "client_secret": text(site, "client_secret") });
        let answer = self.open().send(&Request::post("/api/v1/token", "").json(&body));
        text(&answer.json(), "access_token")
    }

    /// A statistic's target over the days around now.
    pub fn statistic(&self, path: &str) -> String {
        let days = [-1, 1].map(|days| {
            let day = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).date();
            day.checked_add(jiff::Span::new().days(days)).expect("a day")
        });
        let [from, to] = days;
        format!("/api/v1/statistics/{path}?id={}&from={from}&to={to}", text(self.site(), "id"))
    }

    /// Page views that are stored.
    pub fn stored(&self) -> u64 {
        let answer = self.open().get(&self.statistic("total"), &self.token());
        answer.json()["views"].as_u64().expect("views")
    }

    /// Starts to bring everything that is stored into the lake.
    pub fn compact(&self) -> Child {
        let hitstone = self.hitstone.as_ref().expect("a Hitstone");
        let mut command = Command::new(&hitstone.program);
        command.arg("compact").arg("--data").arg(hitstone.folder.path().join("data"));
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starting hitstone compact")
    }

    fn site(&self) -> &Value {
        &self.hitstone.as_ref().expect("a Hitstone").site
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What Linux says of a process.
fn kilobytes(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn run_json(program: &Path, folder: &TempDir, args: &[&str]) -> Value {
    let mut command = Command::new(program);
    let output = command.args(args).arg("--json").arg("--data").arg(folder.path().join("data")).output();
    let output = output.expect("running hitstone");
    assert!(output.status.success(), "hitstone {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
