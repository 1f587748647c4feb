//! Settings: flags, then `HITSTONE_*` variables, then Prisme's variables, then the TOML file, then defaults.
//!
//! One table names each setting once: the flag, the variable and the key in the file have the same name. A bad value
//! is an error that names the setting and where it was given.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::enrich::client_ip::{Network, Proxies, Trust};

/// One setting, as `help` shows it.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Name of the flag and of the key in the file.
    pub name: &'static str,
    /// What `help` calls the value; empty for switches.
    pub value: &'static str,
    /// The default as `help` shows it, empty when there is none.
    pub default: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// May be given several times.
    pub many: bool,
    /// Not shown by `help`.
    pub hidden: bool,
}

const fn setting(
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, value, default, help, many: false, hidden: false }
}

/// The setting that every command has.
pub const DATA: Setting = setting("data", "DIR", "./hitstone-data", "The data folder. It must be there.");
/// The same of commands that make the folder.
pub const NEW_DATA: Setting = Setting { help: "The data folder; made when it is missing.", ..DATA };

/// The settings of the server.
pub const SERVER: &[Setting] = &[
    NEW_DATA,
    setting("listen", "ADDR:PORT", "127.0.0.1:8787", "Where to listen for HTTP; port 0 picks a free one."),
    Setting {
        many: true,
        ..setting(
            "site",
            "HOST",
            "",
            "Creates this site when it is missing; may be given several times, or with commas between.",
        )
    },
    setting("geo-db", "FILE", "", "A GeoIP database (MMDB with city or country records) for places."),
    setting(
        "events-per-minute",
        "N",
        "60",
        "Events that browsers of one address (IPv6: of one /64) may send in a minute, then 429; 0 is no limit. Calls with a token have none, nor has /collect.",
    ),
    setting(
        "trust-proxy",
        "",
        "false",
        "The peer is a trusted proxy: the client's address is the right-most one in the proxy's header.",
    ),
    setting("proxy-header", "NAME", "X-Forwarded-For", "The header in which the proxy names the client."),
    Setting {
        many: true,
        ..setting(
            "trusted-proxies",
            "CIDR",
            "",
            "Only peers in these networks are trusted proxies, and hops through them are skipped; may be given several times, or with commas between.",
        )
    },
    setting("spam-list", "FILE", "", "A file with one host a line whose referrals are left out."),
    setting("session-window", "DURATION", "30m", "A session ends when nothing happens for this long."),
    setting("threads", "N", "", "Statistics that are computed at once; by default the machine's processors."),
    setting("token-lifetime", "DURATION", "24h", "How long an access token is valid."),
    setting(
        "durability",
        "MODE",
        "strict",
        "`strict`: an event is answered when it is on disk. There is no other mode.",
    ),
    setting(
        "max-connections",
        "N",
        "16384",
        "Connections served at once; of more, those that wait for their clients make room.",
    ),
    setting(
        "event-ids-max",
        "N",
        "50000000",
        "Event ids remembered at most for 48 hours; beyond it those of the oldest hour are forgotten.",
    ),
    Setting {
        hidden: true,
        ..setting("seal-rows", "N", "262144", "Rows of the open segment at which it is sealed; for tests.")
    },
    #[cfg(feature = "test-clock")]
    setting("clock-file", "FILE", "", "Now is read from this file, one RFC 3339 line; for tests."),
];

/// Prisme's list of origins.
const PRISME_ORIGINS: &str = "PRISME_ORIGINS";

/// The variables of Prisme that are read too, and the setting that each stands for.
const PRISME: &[(&str, &str)] = &[
    ("PRISME_TRUST_PROXY", "trust-proxy"),
    ("PRISME_PROXY_TRUST", "trust-proxy"),
    ("PRISME_PROXY_HEADER", "proxy-header"),
    ("PRISME_PROXY_HEADER_XFORWARDEDFOR", "proxy-header"),
    (PRISME_ORIGINS, "site"),
    ("PRISME_PORT", "listen"),
    ("PRISME_SERVER_PORT", "listen"),
];

/// The settings of the server, checked.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "named after the settings, which `SERVER` describes")]
pub struct Settings {
    pub data: PathBuf,
    pub listen: SocketAddr,
    pub sites: Vec<String>,
    /// Wildcards of Prisme's origins, each with the site whose alternative name it is.
    pub site_wildcards: Vec<(String, String)>,
    pub geo_db: Option<PathBuf>,
    pub spam_list: Option<PathBuf>,
    pub events_per_minute: u32,
    pub trust_proxy: bool,
    pub proxy_header: String,
    pub trusted_proxies: Vec<Network>,
    pub session_window: Duration,
    pub threads: usize,
    pub token_lifetime: Duration,
    pub seal_rows: usize,
    pub max_connections: usize,
    pub event_ids_max: u64,
    pub clock_file: Option<PathBuf>,
}

impl Settings {
    /// Whose word is taken for the client's address: the networks' when some are given, else the peer's.
    pub fn proxies(&self) -> Proxies {
        let trust = match (self.trusted_proxies.as_slice(), self.trust_proxy) {
            ([], false) => Trust::Nobody,
            ([], true) => Trust::Hops(1),
            (networks, _) => Trust::Networks(networks.to_vec()),
        };
        Proxies { trust, header: self.proxy_header.clone() }
    }
}

/// Settings as they were given, each with where it came from.
#[derive(Debug, Default)]
pub struct Given {
    values: BTreeMap<String, (Vec<String>, String)>,
    /// Wildcards in [`PRISME_ORIGINS`].
    wildcards: Vec<String>,
    /// Lines to say on stderr.
    pub notes: Vec<String>,
}

impl Given {
    /// Puts the layers together. `flags` holds what was given on the command line, `known` the settings of the
    /// command. Settings of the server in the variables or the file are fine for every command.
    ///
    /// # Errors
    /// The file cannot be read or has an unknown key.
    pub fn gather(
        flags: BTreeMap<String, Vec<String>>,
        config: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut given = Self::default();
        if let Some(path) = config {
            given.read_file(path)?;
        }
        let mut prisme = Vec::new();
        for (variable, name) in PRISME {
            if let Some(value) = env(variable).filter(|value| !value.is_empty()) {
                given.take_prisme(variable, name, &value);
                prisme.push((variable, name));
            }
        }
        for setting in SERVER {
            let variable = variable_of(setting.name);
            if let Some(value) = env(&variable).filter(|value| !value.is_empty()) {
                let values = if setting.many { split_list(&value) } else { vec![value] };
                given.values.insert(setting.name.to_owned(), (values, variable));
            }
        }
        for (name, values) in flags {
            let source = format!("--{name}");
            given.values.insert(name, (values, source));
        }
        given.notes = prisme.into_iter().filter_map(|(variable, name)| given.note(variable, name)).collect();
        Ok(given)
    }

    /// What became of a variable of Prisme's, once all layers are known.
    fn note(&self, variable: &str, name: &str) -> Option<String> {
        let (_, source) = self.values.get(name)?;
        if source != variable {
            return Some(format!("{variable} is not read: {source} is given and stands for all of it"));
        }
        let is_wild = variable == PRISME_ORIGINS && !self.wildcards.is_empty();
        let aside =
            if is_wild { ", and `hitstone site set --alternative-hosts` for the wildcards" } else { "" };
        Some(format!("{variable} is read as {}; please use that name{aside}", variable_of(name)))
    }

    fn read_file(&mut self, path: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("config: cannot read {}: {error}", path.display()))?;
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| format!("config: {}: {}", path.display(), error.message()))?;
        for (name, value) in table {
            let source = format!("{name} in {}", path.display());
            if !SERVER.iter().any(|setting| setting.name == name) {
                return Err(format!("{source}: there is no such setting"));
            }
            let values = match value {
                toml::Value::Array(items) => items.iter().map(plain).collect::<Option<Vec<_>>>(),
                single => plain(&single).map(|text| vec![text]),
            };
            let values = values
                .ok_or_else(|| format!("{source}: expected a text, a number, true, false or a list"))?;
            self.values.insert(name, (values, source));
        }
        Ok(())
    }

    fn take_prisme(&mut self, variable: &str, name: &str, value: &str) {
        let values = match name {
            "listen" => vec![format!("0.0.0.0:{value}")],
            // Wildcards name no site that could be created: they are alternative names of one.
            "site" => {
                let (wildcards, sites) =
                    split_list(value).into_iter().partition(|origin| origin.contains('*'));
                self.wildcards = wildcards;
                sites
            }
            _ => vec![value.to_owned()],
        };
        self.values.insert(name.to_owned(), (values, variable.to_owned()));
    }

    fn one<'a>(&'a self, setting: &'a str) -> Option<(&'a str, &'a str)> {
        let (values, source) = self.values.get(setting)?;
        values.last().map(|value| (value.as_str(), source.as_str()))
    }

    fn read<T>(
        &self,
        name: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, String> {
        let (value, source) = self.one(name).unwrap_or((default, name));
        parse(value).map_err(|why| format!("{source}: {why}"))
    }

    fn many<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
        let Some((values, source)) = self.values.get(name) else { return Ok(Vec::new()) };
        values.iter().map(|value| parse(value).map_err(|why| format!("{source}: {why}"))).collect()
    }

    /// Prisme's wildcards with the site that each belongs to: the longest of its origins that it ends with. They count
    /// only where the sites are Prisme's origins.
    fn site_wildcards(&self, sites: &[String]) -> Result<Vec<(String, String)>, String> {
        if self.values.get("site").is_none_or(|(_, source)| source != PRISME_ORIGINS) {
            return Ok(Vec::new());
        }
        let with_site = |wildcard: &String| {
            let name = crate::sites::normalise_alternative(wildcard)?;
            let ends_with =
                |site: &&String| name.strip_suffix(site.as_str()).is_some_and(|rest| rest.ends_with('.'));
            let site = sites.iter().filter(ends_with).max_by_key(|site| site.len());
            let site = site.ok_or_else(|| format!("{name} ends with none of the other origins"))?;
            Ok((site.clone(), name))
        };
        let found = self.wildcards.iter().map(with_site);
        found.map(|found| found.map_err(|why: String| format!("{PRISME_ORIGINS}: {why}"))).collect()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.one(name).map(|(value, _)| PathBuf::from(value))
    }

    /// The data folder.
    pub fn data(&self, default: &str) -> PathBuf {
        self.path("data").unwrap_or_else(|| PathBuf::from(default))
    }

    /// Checks everything.
    ///
    /// # Errors
    /// One line that names the setting at fault.
    pub fn settings(&self, data_default: &str) -> Result<Settings, String> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string();
        self.read("durability", "strict", |value| match value {
            "strict" => Ok(()),
            other => Err(format!("{other:?} is not a mode of this version; the only one is strict")),
        })?;
        let sites = self.many("site", crate::sites::normalise_hostname)?;
        Ok(Settings {
            data: self.data(data_default),
            listen: self.read("listen", "127.0.0.1:8787", address)?,
            site_wildcards: self.site_wildcards(&sites)?,
            sites,
            geo_db: self.path("geo-db"),
            spam_list: self.path("spam-list"),
            events_per_minute: self
                .read("events-per-minute", "60", |text| number(text, 0, u32::MAX.into()))?
                as u32,
            trust_proxy: self.read("trust-proxy", "false", switch)?,
            proxy_header: self.read("proxy-header", "X-Forwarded-For", header_name)?,
            trusted_proxies: self.many("trusted-proxies", str::parse)?,
            session_window: self.read("session-window", "30m", |text| duration_within(text, 60, 86_399))?,
            threads: self.read("threads", &processors, |text| number(text, 1, 1024))? as usize,
            token_lifetime: self
                .read("token-lifetime", "24h", |text| duration_within(text, 1, 366 * 86_400))?,
            seal_rows: self.read("seal-rows", "262144", |text| number(text, 1, 1 << 24))? as usize,
            max_connections: self.read("max-connections", "16384", |text| number(text, 1, 1 << 20))? as usize,
            event_ids_max: self.read("event-ids-max", "50000000", |text| number(text, 1, 1_000_000_000))?,
            clock_file: self.path("clock-file"),
        })
    }
}

fn variable_of(name: &str) -> String {
    format!("HITSTONE_{}", name.to_ascii_uppercase().replace('-', "_"))
}

fn split_list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn plain(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| format!("{text:?} is not an address such as 127.0.0.1:8787"))
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("{text:?} is not a whole number from {least} to {most}"))
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

fn header_name(text: &str) -> Result<String, String> {
    match hyper::header::HeaderName::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("{text:?} is not a header's name")),
    }
}

fn duration_within(text: &str, least: u64, most: u64) -> Result<Duration, String> {
    let fault =
        || format!("{text:?} is not a duration such as 30m, between {least} seconds and {most} seconds");
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(fault()),
    };
    let seconds = count.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(fault)?;
    if !(least..=most).contains(&seconds) {
        return Err(fault());
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
