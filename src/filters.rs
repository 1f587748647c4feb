//! A site's own filters: what its owner does not want to be counted. Plain values: where they are kept is `state`'s
//! business.

use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::enrich::client_ip::Network;
use crate::enrich::traffic::{Rule, is_host};
use crate::enrich::url::canonical_host;
use crate::goals::path_pattern;
use crate::pattern;

/// Filters that a site may have.
pub const FILTERS_MAX: usize = 200;

/// Paths that have nothing in common: what matches them all matches any.
const ALL_SORTS_OF_PATHS: [&str; 5] = ["/", "/q7", "/some/page.html", "/Ärger/0/", "/a b/c_d-e/f~g"];

/// What a filter looks at, as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum FilterSpec {
    /// An address or a network.
    Address(String),
    /// A host and no other, not even its `www.` form; `*.example.com` stands for all hosts below it.
    Host(String),
    /// A path as goals have it: with `*` and `**`, or a regular expression.
    Path(String),
    /// A country's code.
    Country(String),
}

/// A filter, known by an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The public id.
    pub id: String,
    /// What it looks at.
    #[serde(flatten)]
    pub spec: FilterSpec,
    /// When it was created.
    pub created: TimestampMs,
}

impl Filter {
    /// The rule that it stands for.
    ///
    /// # Errors
    /// As [`FilterSpec::checked`].
    pub fn rule(&self) -> Result<Rule, String> {
        self.spec.rule()
    }
}

impl FilterSpec {
    /// The word for what it looks at.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Host(_) => "host",
            Self::Path(_) => "path",
            Self::Country(_) => "country",
        }
    }

    /// What it names.
    pub fn value(&self) -> &str {
        match self {
            Self::Address(value) | Self::Host(value) | Self::Path(value) | Self::Country(value) => value,
        }
    }

    /// The same in the form in which it is stored.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn checked(self) -> Result<Self, String> {
        let spec = match self {
            Self::Address(text) => Self::Address(text.trim().to_owned()),
            Self::Host(text) => Self::Host(host(text.trim())?),
            Self::Path(text) => Self::Path(text.trim().to_owned()),
            Self::Country(text) => Self::Country(text.trim().to_ascii_lowercase()),
        };
        spec.rule()?;
        Ok(spec)
    }

    /// That it leaves something to count of a site with these names. To be asked of new filters only: those that are
    /// kept already stay in force.
    ///
    /// # Errors
    /// That nothing would be counted.
    pub fn leaves_something(&self, hostname: &str, alternative_hosts: &[String]) -> Result<(), String> {
        let nothing = |what: String| Err(format!("{what}: nothing would be counted"));
        match self.rule()? {
            Rule::Host(name) => {
                let covers = |host: &str| is_host(&name, host);
                let names = alternative_hosts.iter().map(String::as_str);
                if covers(hostname) && names.clone().all(covers) {
                    return nothing(format!("{name} is all that the site has for hosts"));
                }
            }
            Rule::Path(pattern) if ALL_SORTS_OF_PATHS.iter().all(|path| pattern.is_match(path)) => {
                return nothing(format!("{} is every path", self.value()));
            }
            _ => {}
        }
        Ok(())
    }

    fn rule(&self) -> Result<Rule, String> {
        Ok(match self {
            Self::Address(text) => Rule::Address(network(text)?),
            Self::Host(host) => Rule::Host(host.clone()),
            Self::Path(path) => {
                let text = path_pattern(path).map_err(|why| format!("the path {why}"))?;
                Rule::Path(pattern::compile(&text).map_err(|why| format!("the path {why}"))?)
            }
            Self::Country(code) if code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                Rule::Country(code.clone())
            }
            Self::Country(code) => {
                return Err(format!("{code:?} is not the code of a country, such as de (ISO 3166-1)"));
            }
        })
    }
}

fn host(text: &str) -> Result<String, String> {
    let (stars, name) = text.strip_prefix("*.").map_or(("", text), |below| ("*.", below));
    let host = canonical_host(name.strip_suffix('.').unwrap_or(name))
        .filter(|host| !host.is_empty() && !host.contains('*'));
    host.map(|host| format!("{stars}{host}"))
        .ok_or_else(|| format!("{text:?} is not a host name such as example.com or *.example.com"))
}

fn network(text: &str) -> Result<Network, String> {
    let network: Network = text.parse()?;
    if network.is_everything() {
        return Err(format!("{text} is every address: nothing would be counted"));
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_checked_and_brought_into_form() {
        for (spec, wanted) in [
            (FilterSpec::Address(" 192.0.2.0/24 ".into()), "192.0.2.0/24"),
            (FilterSpec::Address("::ffff:192.0.2.1".into()), "::ffff:192.0.2.1"),
            (FilterSpec::Host("*.Example.COM".into()), "*.example.com"),
            (FilterSpec::Path("/admin/**".into()), "/admin/**"),
            (FilterSpec::Path("^/a(b|c)$".into()), "^/a(b|c)$"),
            (FilterSpec::Country("DE".into()), "de"),
        ] {
            assert_eq!(spec.checked().unwrap().value(), wanted);
        }
        for (spec, wanted) in [
            (FilterSpec::Address("10.0.0.0/33".into()), "is not a network"),
            (FilterSpec::Address("0.0.0.0/0".into()), "every address"),
            (FilterSpec::Address("example.com".into()), "is not a network"),
            (FilterSpec::Host("https://a.test/".into()), "is not a host name"),
            (FilterSpec::Path("admin".into()), "must begin with /"),
            (FilterSpec::Path("^(".into()), "is not a regular expression"),
            (FilterSpec::Country("Germany".into()), "is not the code of a country"),
        ] {
            let fault = spec.checked().unwrap_err();
            assert!(fault.contains(wanted), "{fault}");
        }
    }

    #[test]
    fn new_filters_leave_something_to_count() {
        let leaves = |spec: FilterSpec, others: &[&str]| {
            let others: Vec<String> = others.iter().map(|host| (*host).to_owned()).collect();
            spec.checked().unwrap().leaves_something("example.com", &others).is_ok()
        };
        for (host, others, wanted) in [
            ("example.com", &[][..], false),
            ("Example.com.", &[], false),
            ("www.example.com", &[], true),
            ("staging.example.com", &[], true),
            ("*.example.com", &[], true),
            ("*.com", &[], false),
            ("example.com", &["example.org"], true),
            ("*.com", &["shop.com", "*.shop.com"], false),
        ] {
            assert_eq!(leaves(FilterSpec::Host(host.into()), others), wanted, "{host} {others:?}");
        }
        for (path, wanted) in [
            ("/**", false),
            ("**", false),
            ("^", false),
            ("^/", false),
            ("(?s).*", false),
            ("/*", true),
            ("/admin/**", true),
            ("**.html", true),
            ("^/[a-z]", true),
        ] {
            assert_eq!(leaves(FilterSpec::Path(path.into()), &[]), wanted, "{path}");
        }
        assert!(leaves(FilterSpec::Country("de".into()), &[]));
    }
}
