//! Sites and the clients that may speak for them. Plain values: where they are kept is `state`'s business.

use hitstone_engine::units::{SiteId, TimestampMs};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::auth::{self, SecretHash};
use crate::enrich::SiteContext;
use crate::enrich::protection::{Check, Protection};
use crate::filters::Filter;
use crate::goals::Goal;

/// Seconds that a visitor counts as active, unless the site says otherwise.
pub const ACTIVE_VISITORS_SECONDS: u32 = 600;
/// Alternative names that a site may have.
pub const ALTERNATIVE_HOSTS_MAX: usize = 100;
/// Clients that a site may have.
pub const CLIENTS_MAX: usize = 1_000;
/// Characters of a client's description.
pub const DESCRIPTION_CHARS_MAX: usize = 200;

/// On which day weeks start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeekStart {
    /// ISO 8601.
    #[default]
    Monday,
    /// As in the United States.
    Sunday,
}

/// A site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// The engine's number for the site, never reused.
    pub number: u32,
    /// The public id.
    pub id: String,
    /// Host name in lower case, international names as punycode.
    pub hostname: String,
    /// What browsers name the site by.
    pub identification_code: String,
    /// IANA name of the time zone.
    pub timezone: String,
    /// On which day weeks start.
    pub week_start: WeekStart,
    /// Pages are grouped by path and title.
    pub group_by_title: bool,
    /// Seconds that a visitor counts as active.
    pub active_visitors_seconds: u32,
    /// Other names of the site; `*.example.com` stands for all names below it.
    pub alternative_hosts: Vec<String>,
    /// `dnt` is not heeded.
    pub ignore_dnt: bool,
    /// Statistics may be read by everyone, single visits aside.
    pub public: bool,
    /// Foreign hosts are left out from every interface, not only from those that name the page freely.
    pub strict_hosts: bool,
    /// The senders' event ids are stored.
    pub keep_event_id: bool,
    /// Checks for programs, spam and prefetching that are off.
    #[serde(default)]
    pub checks_off: Vec<Check>,
    /// The other checks hold also where the sender has a token and answers for its events.
    #[serde(default)]
    pub track_bot_filter: bool,
    /// Conversion goals in the order of their creation.
    #[serde(default)]
    pub goals: Vec<Goal>,
    /// What is not counted, in the order of its creation.
    #[serde(default)]
    pub filters: Vec<Filter>,
    /// When the site was created.
    pub created: TimestampMs,
    /// When its settings were changed last.
    pub modified: TimestampMs,
    /// Hashes the visitor ids that the site gives, 32 hexadecimal digits; never leaves the state file.
    secret: String,
}

impl Site {
    /// A new site with default settings.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(number: u32, hostname: String, now: TimestampMs) -> Result<Self, getrandom::Error> {
        Ok(Self {
            number,
            id: auth::random_text(auth::SITE_ID_CHARS)?,
            hostname,
            identification_code: auth::random_text(auth::IDENTIFICATION_CODE_CHARS)?,
            timezone: "UTC".into(),
            week_start: WeekStart::default(),
            group_by_title: false,
            active_visitors_seconds: ACTIVE_VISITORS_SECONDS,
            alternative_hosts: Vec::new(),
            ignore_dnt: false,
            public: false,
            strict_hosts: false,
            keep_event_id: false,
            checks_off: Vec::new(),
            track_bot_filter: false,
            goals: Vec::new(),
            filters: Vec::new(),
            created: now,
            modified: now,
            secret: auth::to_hex(&auth::random_bytes::<16>()?),
        })
    }

    /// The goal with this id.
    pub fn goal(&self, id: &str) -> Option<&Goal> {
        self.goals.iter().find(|goal| goal.id == id)
    }

    /// The id of an alternative name: always the same for the same name of the same site.
    pub fn alternative_id(&self, hostname: &str) -> String {
        auth::derived_text(&[&self.id, hostname], auth::SITE_ID_CHARS)
    }

    /// The engine's number for the site.
    pub fn site_id(&self) -> SiteId {
        SiteId(self.number)
    }

    /// Whether the key can be read: the state file is refused otherwise.
    pub fn has_sound_secret(&self) -> bool {
        auth::from_hex::<16>(&self.secret).is_some()
    }
}

/// A site with what is worked out of its settings once.
#[derive(Debug, Clone)]
pub struct LiveSite {
    site: Site,
    zone: TimeZone,
    secret: [u8; 16],
    protection: Protection,
}

impl LiveSite {
    /// Works out what is needed for each hit. The zone's name was checked when it was set: UTC, should this build
    /// not know it.
    pub fn new(site: Site) -> Self {
        let zone = TimeZone::get(&site.timezone).unwrap_or(TimeZone::UTC);
        let secret = auth::from_hex(&site.secret).unwrap_or_default();
        // Filters were checked when they were made: one that this build cannot read leaves nothing out.
        let traffic = site.filters.iter().filter_map(|filter| filter.rule().ok()).collect();
        let protection = Protection { off: site.checks_off.clone(), traffic };
        Self { site, zone, secret, protection }
    }

    /// What enrichment needs to know.
    pub fn context(&self) -> SiteContext<'_> {
        SiteContext {
            id: self.site_id(),
            hostname: &self.hostname,
            alternative_hosts: &self.alternative_hosts,
            strict_hosts: self.strict_hosts,
            zone: &self.zone,
            ignore_dnt: self.ignore_dnt,
            keep_event_id: self.keep_event_id,
            secret: self.secret,
            protection: &self.protection,
        }
    }
}

impl std::ops::Deref for LiveSite {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

/// What a client may do, and how it proves who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ClientKind {
    /// Id and secret are traded for access tokens, which read and write.
    Oauth {
        /// Hash of the secret.
        secret: SecretHash,
    },
    /// An access key, which only writes.
    WriteOnly {
        /// Hash of the key.
        key: SecretHash,
    },
    /// A token that SegmentStream's calls carry as the name of Basic authentication; it only writes.
    Basic {
        /// Hash of the token.
        token: SecretHash,
    },
}

/// A client of one site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Public id, 32 characters.
    pub id: String,
    /// Number of the site it speaks for.
    pub site: u32,
    /// What it may do.
    #[serde(flatten)]
    pub kind: ClientKind,
    /// What it is for, in its owner's words.
    #[serde(default)]
    pub description: String,
    /// When it was created.
    pub created: TimestampMs,
    /// When its description was changed last; 0: never.
    #[serde(default)]
    pub modified: TimestampMs,
}

impl Client {
    /// Whether it may only write.
    pub fn is_write_only(&self) -> bool {
        !matches!(self.kind, ClientKind::Oauth { .. })
    }
}

/// Host names are at most this long.
const HOSTNAME_CHARS_MAX: usize = 253;

/// Checks a host name and brings it into the form it is compared in: lower case, international names as punycode,
/// no trailing dot. A port, a scheme or a path is an error.
///
/// # Errors
/// What is wrong with it, in words.
pub fn normalise_hostname(text: &str) -> Result<String, String> {
    let bad = |why: &str| Err(format!("{text:?} is not a host name: {why}"));
    let trimmed = text.trim().trim_end_matches('.');
    if trimmed.is_empty() {
        return bad("it is empty");
    }
    if trimmed.contains([':', '/', '?', '#', '@', '%', ' ', '*']) {
        return bad("give the bare name, such as example.com, without scheme, port or path");
    }
    match url::Host::parse(trimmed) {
        Ok(url::Host::Domain(name)) if name.len() > HOSTNAME_CHARS_MAX => bad("it is too long"),
        Ok(url::Host::Domain(name)) => match name.split('.').find_map(label_fault) {
            Some(fault) => bad(fault),
            None => Ok(name),
        },
        Ok(url::Host::Ipv4(address)) => Ok(address.to_string()),
        Ok(url::Host::Ipv6(_)) => bad("addresses in brackets are not taken"),
        Err(error) => bad(&error.to_string()),
    }
}

fn label_fault(label: &str) -> Option<&'static str> {
    if label.is_empty() {
        return Some("it has an empty label");
    }
    if label.len() > 63 {
        return Some("a label is longer than 63 characters");
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Some("a label begins or ends with a hyphen");
    }
    let sound = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (!sound).then_some("only letters, digits and hyphens are allowed")
}

/// As [`normalise_hostname`], and `*.` may stand before the name.
///
/// # Errors
/// What is wrong with it, in words.
pub fn normalise_alternative(text: &str) -> Result<String, String> {
    match text.trim().strip_prefix("*.") {
        Some(below) => Ok(format!("*.{}", normalise_hostname(below)?)),
        None => normalise_hostname(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_normalised() {
        let table = [
            ("example.com", "example.com"),
            (" Example.COM. ", "example.com"),
            ("münchen.de", "xn--mnchen-3ya.de"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("a_b.example", "a_b.example"),
        ];
        for (text, want) in table {
            assert_eq!(normalise_hostname(text).as_deref(), Ok(want), "{text}");
        }
        assert_eq!(normalise_alternative("*.Example.com").as_deref(), Ok("*.example.com"));
    }

    #[test]
    fn bad_host_names_are_refused() {
        let long = "a".repeat(64);
        let many = "abc.".repeat(80);
        for text in [
            "",
            ".",
            "https://example.com",
            "example.com:80",
            "a b",
            "-a.com",
            "a..b",
            "*.com",
            "[::1]",
            &long,
            &many,
        ] {
            assert!(normalise_hostname(text).is_err(), "{text}");
        }
    }
}
