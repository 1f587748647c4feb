//! History and logs on their way in: what a line or a row of each format says, which of them are refused and why, and how
//! a file is taken: all of it or nothing. Access logs may also be followed as they grow ([`follow`]).
//!
//! A [`Session`] is one command: its files share the sessions that their rows name. It runs where the store is, in the
//! command itself or in the server that has the folder; the bytes come from the command.

pub mod access_log;
mod enriched;
pub mod follow;
mod hits;
mod lines;
mod session;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use lines::Rejected;
pub use session::{Session, hash_of};

/// What a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Lines of JSON, each with the fields of Pirsch's `hit` or `event` call and `time`.
    Hits,
    /// Lines of JSON with the names of the Parquet schema.
    EnrichedLines,
    /// Parquet in the schema of exports.
    EnrichedParquet,
    /// An access log.
    Log(access_log::Format),
}

impl Format {
    /// The names that `--format` takes.
    pub const NAMES: [&'static str; 6] = ["hits", "enriched", "combined", "vhost", "caddy", "nginx"];

    /// The format of a file, by the name that `--format` gave, else by its extension.
    ///
    /// # Errors
    /// Neither says it, in words.
    pub fn of(file: &str, named: Option<&str>) -> Result<Self, String> {
        let extension = std::path::Path::new(file).extension().and_then(|extension| extension.to_str());
        if let Some(log) = named.and_then(access_log::Format::from_name) {
            return Ok(Self::Log(log));
        }
        let is_parquet = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        match (named, extension) {
            (Some("hits"), _) => Ok(Self::Hits),
            (Some("enriched"), _) if is_parquet => Ok(Self::EnrichedParquet),
            (Some("enriched"), _) => Ok(Self::EnrichedLines),
            (_, Some(_)) if is_parquet => Ok(Self::EnrichedParquet),
            (_, Some("ndjson" | "jsonl")) => Ok(Self::Hits),
            _ => Err(format!("{file}: say what it holds: --format {}", Self::NAMES.join("|"))),
        }
    }

    /// How the names of files end that a folder stands for; `None` for access logs, whose names end in many ways.
    pub fn extensions(named: Option<&str>) -> Option<&'static [&'static str]> {
        match named {
            None | Some("enriched") => Some(&["parquet", "ndjson", "jsonl"]),
            Some("hits") => Some(&["ndjson", "jsonl"]),
            Some(_) => None,
        }
    }

    /// The format of a file that begins with these bytes: what is named `enriched` may be Parquet on standard input, too.
    pub fn seen(self, beginning: &[u8]) -> Self {
        const PARQUET: &[u8] = b"PAR1";
        if self == Self::EnrichedLines && beginning.starts_with(PARQUET) {
            Self::EnrichedParquet
        } else {
            self
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ImportRequest {
    /// The site's host name or id.
    pub site: String,
    /// Files that were imported before are taken again.
    pub again: bool,
}

/// What was done of a file so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Lines or rows looked at.
    pub seen: u64,
    /// Those of them that were refused since the last time this was asked, as far as they are told one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rejected: Vec<Rejected>,
}

/// What became of a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileDone {
    /// Events stored.
    pub imported: u64,
    /// Lines or rows refused.
    pub rejected: u64,
    /// Sessions that the events opened.
    pub sessions: u64,
    /// How many were refused for which reason, beside those that were told one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<(String, u64)>,
    /// Lines of an access log that are none to count, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ignored: BTreeMap<String, u64>,
}

/// Why a file was not imported; nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFault {
    /// It was imported before.
    Repeated,
    /// Anything else, in words. The command ends with it.
    Failed(String),
}

impl std::fmt::Display for FileFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Repeated => f.write_str("it has been imported already; --again imports it once more"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}
