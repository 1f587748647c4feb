//! Access logs of web servers: a line becomes a page view, or is ignored or rejected with a reason.
//!
//! A page view is a GET that was answered 2xx, 304 or 404 and whose path has no extension of an asset ([`ASSETS`]).
//! Invariants: no bytes make a parser panic; a line's structure is read from its bytes as they are, and only texts lose
//! what is not UTF-8.
//!
//! It knows nothing of files, sites or the store.

mod caddy;
mod fields;
mod nginx;
mod request;
mod text;
mod time;

use std::borrow::Cow;
use std::net::IpAddr;

use hitstone_engine::units::TimestampMs;

use crate::enrich::client_ip::parse_address;
use crate::enrich::url::canonical_host;
use crate::hit::{BotFilter, Campaign, ClientHints, Hit, HitKind};

pub use nginx::LOG_FORMAT;
pub use request::ASSETS;
use request::{Request, is_asset};

/// What the hits of access logs call their source.
const SOURCE: &str = "log";
/// Bytes of a line; longer ones are rejected.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// How a log's lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The formats `combined` and `common` of Apache and nginx.
    Combined,
    /// Apache's `vhost_combined`: the host, perhaps with a port, comes first.
    Vhost,
    /// Caddy's JSON.
    Caddy,
    /// JSON that nginx writes by a `log_format` with `escape=json`.
    Nginx,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 4] = [Format::Combined, Format::Vhost, Format::Caddy, Format::Nginx];

    /// The format's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Combined => "combined",
            Format::Vhost => "vhost",
            Format::Caddy => "caddy",
            Format::Nginx => "nginx",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Reads one line, with or without its end.
    pub fn read(self, line: &[u8]) -> Line {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Line::Ignored(Ignored::Empty);
        }
        if line.len() > LINE_BYTES_MAX {
            return Line::Rejected(TOO_LONG);
        }
        let entry = match self {
            Format::Combined => text::combined(line),
            Format::Vhost => text::vhost(line),
            Format::Caddy => caddy::read(&String::from_utf8_lossy(line)),
            Format::Nginx => nginx::read(&String::from_utf8_lossy(line)),
        };
        match entry {
            Ok(Some(entry)) => judge(entry),
            Ok(None) => Line::Ignored(Ignored::Other),
            Err(why) => Line::Rejected(why),
        }
    }
}

/// Why a line of more than [`LINE_BYTES_MAX`] bytes is rejected.
pub const TOO_LONG: &str = "the line is longer than 1 MiB";

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A page was seen.
    View(Box<PageView>),
    /// Nothing that is counted, and why.
    Ignored(Ignored),
    /// Not a line of this format, and why.
    Rejected(&'static str),
}

/// Why a line is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// A line without anything on it.
    Empty,
    /// An entry that is not about a request, or not of the access log.
    Other,
    /// What the client sent is no HTTP request.
    Request,
    /// The method is not GET.
    Method,
    /// The answer was not 2xx, 304 or 404.
    Status,
    /// The path ends in one of [`ASSETS`].
    Asset,
    /// The browser fetched the page before anyone asked for it.
    Prefetch,
    /// The host is none that the site can have.
    Hostname,
}

impl Ignored {
    /// The word by which reports name the reason; those of [`crate::enrich::Reason`] have theirs.
    pub fn as_str(self) -> &'static str {
        match self {
            Ignored::Empty => "empty",
            Ignored::Other => "other-entry",
            Ignored::Request => "request",
            Ignored::Method => "method",
            Ignored::Status => "status",
            Ignored::Asset => "asset",
            Ignored::Prefetch => "prefetch",
            Ignored::Hostname => "hostname",
        }
    }
}

/// A page view as an access log tells it. Absent texts are empty.
#[derive(Debug, Clone, PartialEq)]
pub struct PageView {
    /// When the server wrote it down.
    pub time: TimestampMs,
    /// The client, as the web server knew it.
    pub ip: IpAddr,
    /// The host that was asked for, in URLs' form; `None` when the line does not say.
    pub host: Option<String>,
    /// Path and query.
    pub target: String,
    /// The status of the answer.
    pub status: u16,
    /// The `Referer` header.
    pub referrer: String,
    /// The `User-Agent` header; `None` when the log does not have it at all.
    pub user_agent: Option<String>,
    /// The `Accept-Language` header.
    pub accept_language: String,
    /// The client asked not to be tracked.
    pub dnt: bool,
}

impl PageView {
    /// The hit of this page view on the site `hostname`. It takes the ordinary way from here on; only where a log has
    /// no user agents no program can be told from a browser, and all are counted.
    pub fn into_hit(self, hostname: &str) -> Hit {
        let host = self.host.as_deref().unwrap_or(hostname);
        Hit {
            kind: HitKind::PageView,
            url: format!("https://{host}{}", self.target),
            ip: self.ip,
            bot_filter: if self.user_agent.is_none() { BotFilter::None } else { BotFilter::All },
            disable_host_check: false,
            user_agent: self.user_agent.unwrap_or_default(),
            accept_language: self.accept_language,
            referrer: self.referrer,
            campaign: Campaign::default(),
            title: String::new(),
            screen_width: 0,
            hints: ClientHints::default(),
            dnt: self.dnt,
            prefetch: false,
            tags: Vec::new(),
            time: Some(self.time),
            status: Some(self.status),
            event_id: String::new(),
            given_visitor: None,
            source: SOURCE,
        }
    }
}

/// What a format found on a line; absent texts are empty.
#[derive(Debug, Default)]
struct Entry<'a> {
    time: Option<TimestampMs>,
    address: Cow<'a, str>,
    host: Cow<'a, str>,
    request: Option<Request<'a>>,
    status: Option<u16>,
    referrer: Cow<'a, str>,
    /// `None` when lines of the log have none.
    user_agent: Option<Cow<'a, str>>,
    accept_language: Cow<'a, str>,
    dnt: bool,
    prefetch: bool,
}

/// A line's entry; none when it tells of something else than a request.
type Read<'a> = Result<Option<Entry<'a>>, &'static str>;

fn judge(entry: Entry<'_>) -> Line {
    let Some(request) = entry.request else { return Line::Ignored(Ignored::Request) };
    if request.method != "GET" {
        return Line::Ignored(Ignored::Method);
    }
    let Some(status) = entry.status else { return Line::Rejected("the status is no number from 0 to 999") };
    if !matches!(status, 200..300 | 304 | 404) {
        return Line::Ignored(Ignored::Status);
    }
    let Some((named, target)) = request.host_and_target() else { return Line::Ignored(Ignored::Request) };
    if is_asset(target) {
        return Line::Ignored(Ignored::Asset);
    }
    if entry.prefetch {
        return Line::Ignored(Ignored::Prefetch);
    }
    let host = named.unwrap_or(&entry.host);
    let host = match canonical_host(host) {
        None if !host.is_empty() => return Line::Ignored(Ignored::Hostname),
        host => host,
    };
    let Some(ip) = parse_address(&entry.address) else {
        return Line::Rejected("the client's address is no IP address: is --format right?");
    };
    let Some(time) = entry.time else { return Line::Rejected("the time is of no known form") };
    Line::View(Box::new(PageView {
        time,
        ip,
        host,
        target: target.to_owned(),
        status,
        referrer: entry.referrer.into_owned(),
        user_agent: entry.user_agent.map(Cow::into_owned),
        accept_language: entry.accept_language.into_owned(),
        dnt: entry.dnt,
    }))
}

/// A field where `-` says that there is nothing.
fn present(text: Cow<'_, str>) -> Cow<'_, str> {
    if text == "-" { Cow::Borrowed("") } else { text }
}

#[cfg(test)]
mod tests;
