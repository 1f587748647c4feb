//! User agents: whether they are programs, and which browser on which system they are.
//!
//! The crate woothee gives the base; tables of our own name what is newer than it. Browsers and systems have the
//! names that Pirsch's statistics show; versions are `major.minor`.
//!
//! It knows nothing of hits: one text in, one [`Agent`] out.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, BuildError};
use woothee::parser::{Parser, WootheeResult};

use super::agent_cache::AgentCache;
use super::bots::Bots;
use super::program::Program;
use super::user_agent_tables::{BROWSERS, BrowserToken, WINDOWS_VERSIONS};

/// Bytes of a user agent that are looked at.
const AGENT_BYTES_MAX: usize = 1024;

/// What a visitor uses. Texts are empty when unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The kind of program that it is; `None`: a visitor's browser.
    pub program: Option<Program>,
    /// `Chrome`, `Firefox`, ...
    pub browser: String,
    /// `major.minor`.
    pub browser_version: String,
    /// `Windows`, `Mac`, `Linux`, `Android`, `iOS`, ...
    pub os: String,
    /// `major.minor`, or the product's name for Windows.
    pub os_version: String,
    /// Desktop or mobile.
    pub platform: Platform,
}

/// The kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Platform {
    Desktop,
    Mobile,
    Unknown,
}

impl Platform {
    /// The word that is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::Desktop => "desktop",
            Platform::Mobile => "mobile",
            Platform::Unknown => "unknown",
        }
    }

    /// The kind of device that a system runs on.
    pub fn of_system(os: &str) -> Self {
        match os {
            "Windows" | "Mac" | "Linux" => Platform::Desktop,
            "Android" | "iOS" | "Windows Mobile" | "HarmonyOS" | "KaiOS" => Platform::Mobile,
            _ => Platform::Unknown,
        }
    }
}

/// The part of a user agent that is looked at.
pub fn read_part(user_agent: &str) -> &str {
    user_agent.get(..user_agent.floor_char_boundary(AGENT_BYTES_MAX)).unwrap_or_default()
}

/// A table of ours does not compile.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// That of browsers.
    #[error("the table of browsers does not compile: {0}")]
    Browsers(#[from] BuildError),
    /// That of programs.
    #[error("the table of programs does not compile: {0}")]
    Programs(#[from] regex::Error),
}

/// Reads user agents, and remembers what it read.
pub struct Agents {
    bots: Bots,
    woothee: Parser,
    browser_tokens: AhoCorasick,
    cache: AgentCache<Agent>,
}

impl Agents {
    /// Compiles the tables.
    pub fn new() -> Result<Self, TablesError> {
        Ok(Self {
            bots: Bots::new()?,
            woothee: Parser::new(),
            browser_tokens: AhoCorasick::new(BROWSERS.iter().map(|browser| browser.token))?,
            cache: AgentCache::default(),
        })
    }

    /// What the user agent is.
    pub fn read(&self, user_agent: &str) -> Arc<Agent> {
        let text = read_part(user_agent);
        self.cache.get_or_make(text, || self.read_anew(text))
    }

    fn read_anew(&self, text: &str) -> Agent {
        let woothee = self.woothee.parse(text).unwrap_or_default();
        let program = self.bots.program(text).or_else(|| known_to_woothee(&woothee));
        let (browser, browser_version) = self.browser(text, &woothee);
        let (os, os_version) = system(text, &woothee);
        Agent { program, browser, browser_version, platform: Platform::of_system(&os), os, os_version }
    }

    fn browser(&self, text: &str, woothee: &WootheeResult<'_>) -> (String, String) {
        let tokens = self.browser_tokens.find_overlapping_iter(text);
        let first = tokens.map(|found| found.pattern().as_usize()).min();
        if let Some(browser) = first.and_then(|at| BROWSERS.get(at)) {
            return (browser.name.to_owned(), version_of(text, browser));
        }
        let is_apple = text.contains("AppleWebKit/") && !text.contains("Android");
        if is_apple && (text.contains("Safari/") || text.contains("like Mac OS X")) {
            return ("Safari".to_owned(), version_after(text, "Version/"));
        }
        if text.contains("Android") && text.contains("AppleWebKit/") {
            return ("Android Browser".to_owned(), version_after(text, "Version/"));
        }
        match woothee.name {
            "UNKNOWN" | "Webview" => (String::new(), String::new()),
            name => (name.to_owned(), major_minor(known(woothee.version))),
        }
    }
}

/// Programs that the patterns miss.
fn known_to_woothee(woothee: &WootheeResult<'_>) -> Option<Program> {
    match (woothee.category, woothee.name) {
        ("crawler", _) => Some(Program::Crawler),
        (_, "HTTP Library") => Some(Program::Library),
        _ => None,
    }
}

fn version_of(text: &str, browser: &BrowserToken) -> String {
    let token = if browser.version_after.is_empty() { browser.token } else { browser.version_after };
    let version = version_after(text, token);
    // In view of apps on iOS the version may stand elsewhere or nowhere.
    if version.is_empty() && browser.name == "Opera" { version_after(text, "Opera/") } else { version }
}

/// The system and its version. Systems that wear another's name come first.
fn system(text: &str, woothee: &WootheeResult<'_>) -> (String, String) {
    let named = |os: &str, version: String| (os.to_owned(), version);
    for (token, os) in [
        ("Windows Phone", "Windows Mobile"),
        ("Windows Mobile", "Windows Mobile"),
        ("OpenHarmony", "HarmonyOS"),
        ("HarmonyOS", "HarmonyOS"),
        ("KAIOS/", "KaiOS"),
        ("Tizen", "Tizen"),
        ("Web0S", "webOS"),
        ("CrOS ", "Chrome OS"),
    ] {
        if text.contains(token) {
            let from = if os == "Chrome OS" { after_next_blank(text, token) } else { after(text, token) };
            return named(os, version_at(from.trim_start_matches([' ', '/'])));
        }
    }
    if text.contains("PlayStation") || text.contains("PLAYSTATION") || text.contains("Nintendo") {
        return named(known(woothee.os), String::new());
    }
    if text.contains("Windows") {
        return named("Windows", windows_version(text, woothee));
    }
    if ["iPhone", "iPad", "iPod"].iter().any(|device| text.contains(device)) {
        return named("iOS", version_after(text, " OS "));
    }
    if text.contains("Android") {
        return named("Android", version_at(after(text, "Android").trim_start_matches([' ', '-', '/'])));
    }
    if text.contains("Mac OS X") || text.contains("Macintosh") {
        let from = after(text, "Mac OS X").trim_start().trim_start_matches("Version").trim_start();
        return named("Mac", version_at(from));
    }
    if text.contains("Linux") || text.contains("X11") || text.contains("Ubuntu") {
        let bsd = ["FreeBSD", "OpenBSD", "NetBSD", "SunOS"].into_iter().find(|name| text.contains(name));
        return named(bsd.unwrap_or("Linux"), String::new());
    }
    system_by_woothee(woothee)
}

fn windows_version(text: &str, woothee: &WootheeResult<'_>) -> String {
    let number = digits_at(after(text, "Windows NT "));
    let known_version = WINDOWS_VERSIONS.iter().find(|(version, _)| *version == number);
    match known_version {
        Some((_, product)) => (*product).to_owned(),
        None if number.is_empty() => woothee.os.strip_prefix("Windows ").unwrap_or_default().to_owned(),
        None => major_minor(number),
    }
}

fn system_by_woothee(woothee: &WootheeResult<'_>) -> (String, String) {
    let os = match known(woothee.os) {
        "Mac OSX" | "Mac OS Classic" => "Mac",
        "iPhone" | "iPad" | "iPod" => "iOS",
        os if os.starts_with("Windows Phone") => "Windows Mobile",
        os if os.starts_with("Windows") => "Windows",
        "ChromeOS" => "Chrome OS",
        other => other,
    };
    (os.to_owned(), major_minor(known(&woothee.os_version)))
}

/// woothee's text, or nothing where woothee knows nothing.
fn known(text: &str) -> &str {
    if text == "UNKNOWN" { "" } else { text }
}

/// What follows the first `token`; empty when it is not there.
fn after<'a>(text: &'a str, token: &str) -> &'a str {
    text.split_once(token).map_or("", |(_, rest)| rest)
}

/// What follows the word after `token`.
fn after_next_blank<'a>(text: &'a str, token: &str) -> &'a str {
    after(after(text, token), " ")
}

fn version_after(text: &str, token: &str) -> String {
    version_at(after(text, token))
}

fn version_at(text: &str) -> String {
    major_minor(digits_at(text))
}

/// The digits, dots and underscores that a text begins with.
fn digits_at(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
    text.split(|c| !is_part(c)).next().unwrap_or_default()
}

/// The first two numbers of a version, with a dot between them.
pub fn major_minor(version: &str) -> String {
    let mut parts = version.split(['.', '_']).filter(|part| !part.is_empty());
    let is_number = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    match (parts.next().filter(is_number), parts.next().filter(is_number)) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        (Some(major), None) => major.to_owned(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
#[path = "user_agent_tests.rs"]
mod tests;
