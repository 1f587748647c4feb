//! The operator's lists of programs, spam and addresses, and of exceptions from what is known without them.
//!
//! A file of lists is text: a section's name in brackets, then an entry a line; `#` begins a remark. Invariant: a file
//! is taken whole or not at all, and none is taken that would leave out ordinary browsers or every address.
//!
//! It knows nothing of where lists are kept.

use std::fmt;

use regex::{Regex, RegexBuilder};

use crate::pattern;

use super::agent_cache::AgentCache;
use super::client_ip::Network;
use super::networks::Networks;
use super::program::Program;
use super::spam::SpamList;
use super::url::canonical_host;

/// Bytes of a file of lists.
pub const FILE_BYTES_MAX: usize = 4 << 20;
/// Patterns of user agents in one section.
const PATTERNS_MAX: usize = 2_000;
/// Bytes of the patterns of one section compiled together, and of what they cache.
const PROGRAM_BYTES_MAX: usize = 32 << 20;
/// Bytes of a line that a fault quotes.
const QUOTED_CHARS_MAX: usize = 60;

/// No list may leave these out.
const ORDINARY_BROWSERS: [&str; 5] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
];

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the sections")]
pub enum Section {
    Bots,
    NotBots,
    Spam,
    NotSpam,
    Addresses,
    NotAddresses,
    DataCentres,
}

impl Section {
    /// All sections.
    pub const ALL: [Section; 7] = [
        Section::Bots,
        Section::NotBots,
        Section::Spam,
        Section::NotSpam,
        Section::Addresses,
        Section::NotAddresses,
        Section::DataCentres,
    ];

    /// What stands between the brackets.
    pub const fn as_str(self) -> &'static str {
        match self {
            Section::Bots => "bots",
            Section::NotBots => "not-bots",
            Section::Spam => "spam",
            Section::NotSpam => "not-spam",
            Section::Addresses => "addresses",
            Section::NotAddresses => "not-addresses",
            Section::DataCentres => "data-centres",
        }
    }
}

/// What is wrong with a file of lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListFault {
    /// A line of it.
    #[error("line {number}: {what}")]
    Line {
        /// From 1 on.
        number: usize,
        /// What is wrong with it.
        what: String,
    },
    /// All of it.
    #[error("{0}")]
    Whole(String),
}

/// Patterns of user agents as one.
struct Agents {
    programs: Option<Regex>,
    visitors: Option<Regex>,
    cache: AgentCache<Verdict>,
}

/// What the lists say of a user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They do not name it.
    Unlisted,
    /// It is a program's.
    Program,
    /// It is a visitor's, whatever else is known of it.
    Visitor,
}

/// The operator's lists.
#[derive(Default)]
pub struct Lists {
    agents: Option<Agents>,
    spam: SpamList,
    not_spam: SpamList,
    addresses: Networks,
    not_addresses: Networks,
    data_centres: Networks,
    counts: [usize; Section::ALL.len()],
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.counts()).finish()
    }
}

/// Entries as they are read.
#[derive(Default)]
struct Entries {
    bots: Vec<String>,
    not_bots: Vec<String>,
    spam: Vec<String>,
    not_spam: Vec<String>,
    addresses: Vec<Network>,
    not_addresses: Vec<Network>,
    data_centres: Vec<Network>,
}

impl Lists {
    /// Reads a file of lists.
    ///
    /// # Errors
    /// The first line that is wrong; nothing is taken then.
    pub fn parse(text: &str) -> Result<Self, ListFault> {
        if text.len() > FILE_BYTES_MAX {
            return Err(ListFault::Whole(format!("it is longer than {FILE_BYTES_MAX} bytes")));
        }
        let mut entries = Entries::default();
        let mut counts = [0; Section::ALL.len()];
        let mut section = None;
        // Some editors begin a file with a mark of their own.
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let fault = |what: String| ListFault::Line { number: at + 1, what };
            let line = without_remark(line);
            if line.is_empty() {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
                && (section.is_none() || named(name).is_some() || is_word(name))
            {
                section = Some(named(name).ok_or_else(|| fault(no_section(name)))?);
                continue;
            }
            let into =
                section.ok_or_else(|| fault(format!("an entry before any section: {}", sections())))?;
            entries.take(into, line).map_err(fault)?;
            counts[into as usize] += 1;
        }
        entries.into_lists(counts)
    }

    /// What is said of a user agent.
    pub fn verdict(&self, user_agent: &str) -> Verdict {
        let Some(agents) = &self.agents else { return Verdict::Unlisted };
        *agents.cache.get_or_make(user_agent, || {
            let is = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|any| any.is_match(user_agent));
            if is(&agents.visitors) {
                Verdict::Visitor
            } else if is(&agents.programs) {
                Verdict::Program
            } else {
                Verdict::Unlisted
            }
        })
    }

    /// Whether no visitor has the address; where it is named and excepted it is a visitor's.
    pub fn program_at(&self, ip: std::net::IpAddr) -> Option<Program> {
        let named = if self.addresses.contain(ip) {
            Program::Address
        } else if self.data_centres.contain(ip) {
            Program::DataCentre
        } else {
            return None;
        };
        (!self.not_addresses.contain(ip)).then_some(named)
    }

    /// Referrers that are spam.
    pub fn spam(&self) -> &SpamList {
        &self.spam
    }

    /// Referrers that are none, whatever else is known of them.
    pub fn not_spam(&self) -> &SpamList {
        &self.not_spam
    }

    /// How many entries each section has.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, usize)> {
        Section::ALL.iter().map(|section| (section.as_str(), self.counts[*section as usize]))
    }
}

/// A remark begins the line, or follows a blank: patterns may hold the mark.
fn without_remark(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with('#') {
        return "";
    }
    line.find(" #").or_else(|| line.find("\t#")).map_or(line, |at| line.get(..at).unwrap_or(line).trim_end())
}

fn named(name: &str) -> Option<Section> {
    Section::ALL.into_iter().find(|section| section.as_str() == name.trim())
}

/// Whether what stands in brackets was meant for a section's name: in patterns brackets hold sets.
fn is_word(name: &str) -> bool {
    name.len() > 3
        && name.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b' '))
}

fn no_section(name: &str) -> String {
    format!("there is no section {}: {}", quoted(name), sections())
}

fn sections() -> String {
    let names = Section::ALL.map(|section| format!("[{}]", section.as_str()));
    format!("the sections are {}", names.join(", "))
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if short.len() < text.len() { format!("{short:?}...") } else { format!("{short:?}") }
}

impl Entries {
    fn take(&mut self, section: Section, line: &str) -> Result<(), String> {
        match section {
            Section::Bots => self.bots.push(program_pattern(line)?),
            Section::NotBots => self.not_bots.push(agent_pattern(line)?),
            Section::Spam => self.spam.push(host(line)?),
            Section::NotSpam => self.not_spam.push(host(line)?),
            Section::Addresses => self.addresses.push(network(line)?),
            Section::NotAddresses => self.not_addresses.push(network(line)?),
            Section::DataCentres => self.data_centres.push(network(line)?),
        }
        Ok(())
    }

    fn into_lists(self, counts: [usize; Section::ALL.len()]) -> Result<Lists, ListFault> {
        let programs = together(Section::Bots, &self.bots)?;
        let visitors = together(Section::NotBots, &self.not_bots)?;
        let has_patterns = programs.is_some() || visitors.is_some();
        let agents = has_patterns.then(|| Agents { programs, visitors, cache: AgentCache::default() });
        Ok(Lists {
            agents,
            spam: SpamList::of(self.spam),
            not_spam: SpamList::of(self.not_spam),
            addresses: self.addresses.into_iter().collect(),
            not_addresses: self.not_addresses.into_iter().collect(),
            data_centres: self.data_centres.into_iter().collect(),
            counts,
        })
    }
}

fn agent_pattern(line: &str) -> Result<String, String> {
    pattern::compile(line).map_err(|why| format!("{} {why}", quoted(line)))?;
    Ok(line.to_owned())
}

/// A pattern that finds no ordinary browser.
fn program_pattern(line: &str) -> Result<String, String> {
    let compiled =
        pattern::compile(&format!("(?i){line}")).map_err(|why| format!("{} {why}", quoted(line)))?;
    if ORDINARY_BROWSERS.iter().any(|browser| compiled.is_match(browser)) {
        return Err(format!("{} would leave out ordinary browsers", quoted(line)));
    }
    agent_pattern(line)
}

fn host(line: &str) -> Result<String, String> {
    let host = canonical_host(line).filter(|host| host.contains('.') && !host.contains([':', '/']));
    host.ok_or_else(|| format!("{} is not a host name such as spam.example", quoted(line)))
}

fn network(line: &str) -> Result<Network, String> {
    let network: Network = line.parse().map_err(|_| {
        format!(
            "{} is not an address or network such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32",
            quoted(line)
        )
    })?;
    if network.is_everything() {
        Err(format!("{} would be every address", quoted(line)))
    } else {
        Ok(network)
    }
}

/// One pattern that finds what any of them finds, upper and lower case alike.
fn together(section: Section, patterns: &[String]) -> Result<Option<Regex>, ListFault> {
    let whole = |what: &str| ListFault::Whole(format!("[{}]: {what}", section.as_str()));
    if patterns.is_empty() {
        return Ok(None);
    }
    if patterns.len() > PATTERNS_MAX {
        return Err(whole(&format!("more than {PATTERNS_MAX} patterns")));
    }
    let any: Vec<String> = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect();
    let built = RegexBuilder::new(&any.join("|"))
        .case_insensitive(true)
        .size_limit(PROGRAM_BYTES_MAX)
        .dfa_size_limit(PROGRAM_BYTES_MAX)
        .build();
    built.map(Some).map_err(|_| whole("the patterns together are too large"))
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
