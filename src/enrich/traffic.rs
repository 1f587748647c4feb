//! A site's own rules of what is not counted: addresses, hosts, paths and countries that its owner names.
//!
//! It knows nothing of how they are written or kept.

use std::net::IpAddr;

use regex::Regex;

use super::client_ip::Network;
use super::networks::Networks;
use super::url::PageUrl;

/// What a rule looks at. The words are counted and stored; they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RuleKind {
    Address,
    Host,
    Path,
    Country,
}

impl RuleKind {
    /// All of them.
    pub const ALL: [RuleKind; 4] = [RuleKind::Address, RuleKind::Host, RuleKind::Path, RuleKind::Country];

    /// The word that is counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            RuleKind::Address => "address",
            RuleKind::Host => "host",
            RuleKind::Path => "path",
            RuleKind::Country => "country",
        }
    }
}

/// A rule: what it names is not counted.
#[derive(Debug, Clone)]
pub enum Rule {
    /// Visitors with these addresses.
    Address(Network),
    /// Pages of this very host, its `www.` form being another; `*.example.com` stands for all hosts below it.
    Host(String),
    /// Pages whose path matches.
    Path(Regex),
    /// Visitors in this country: ISO 3166-1 alpha-2, lower case.
    Country(String),
}

/// Whether a host that a rule names, which may be a wildcard, stands for `host`.
pub fn is_host(name: &str, host: &str) -> bool {
    match name.strip_prefix('*') {
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => name == host,
    }
}

/// The rules of a site.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    networks: Networks,
    hosts: Vec<String>,
    paths: Vec<Regex>,
    countries: Vec<String>,
}

impl Traffic {
    /// No rules.
    pub const fn new() -> Self {
        Self { networks: Networks::new(), hosts: Vec::new(), paths: Vec::new(), countries: Vec::new() }
    }

    /// The rule that a hit falls under, if any. The country is asked for only where one is named.
    pub fn rule_for(
        &self,
        ip: IpAddr,
        page: Option<&PageUrl>,
        country: impl FnOnce() -> String,
    ) -> Option<RuleKind> {
        if self.networks.contain(ip) {
            Some(RuleKind::Address)
        } else if page.is_some_and(|page| self.hosts.iter().any(|name| is_host(name, &page.host))) {
            Some(RuleKind::Host)
        } else if page.is_some_and(|page| self.paths.iter().any(|path| path.is_match(&page.path))) {
            Some(RuleKind::Path)
        } else if !self.countries.is_empty() && self.countries.contains(&country()) {
            Some(RuleKind::Country)
        } else {
            None
        }
    }
}

impl FromIterator<Rule> for Traffic {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        let mut traffic = Self::new();
        let mut networks = Vec::new();
        for rule in rules {
            match rule {
                Rule::Address(network) => networks.push(network),
                Rule::Host(host) => traffic.hosts.push(host),
                Rule::Path(path) => traffic.paths.push(path),
                Rule::Country(country) => traffic.countries.push(country),
            }
        }
        traffic.networks = networks.into_iter().collect();
        traffic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_what_is_not_counted() {
        let traffic: Traffic = [
            Rule::Address("192.0.2.0/24".parse().unwrap()),
            Rule::Address("2001:db8::1".parse().unwrap()),
            Rule::Host("staging.example.com".into()),
            Rule::Host("*.test.example.com".into()),
            Rule::Path(Regex::new("^/admin/.*$").unwrap()),
            Rule::Country("aq".into()),
        ]
        .into_iter()
        .collect();
        let table = [
            ("203.0.113.1", "https://example.com/", "de", None),
            ("192.0.2.200", "https://example.com/", "de", Some(RuleKind::Address)),
            ("2001:db8::1", "https://example.com/", "de", Some(RuleKind::Address)),
            ("2001:db8::2", "https://example.com/", "de", None),
            ("203.0.113.1", "https://staging.example.com/", "de", Some(RuleKind::Host)),
            ("203.0.113.1", "https://www.staging.example.com/", "de", None),
            ("203.0.113.1", "https://a.test.example.com/", "de", Some(RuleKind::Host)),
            ("203.0.113.1", "https://test.example.com/", "de", None),
            ("203.0.113.1", "https://atest.example.com/", "de", None),
            ("203.0.113.1", "https://example.com/admin/x", "de", Some(RuleKind::Path)),
            ("203.0.113.1", "https://example.com/administration", "de", None),
            ("203.0.113.1", "https://example.com/", "aq", Some(RuleKind::Country)),
        ];
        for (ip, page, country, wanted) in table {
            let (ip, url) = (ip.parse().unwrap(), PageUrl::parse(page).unwrap());
            let found = traffic.rule_for(ip, Some(&url), || country.to_owned());
            assert_eq!(found, wanted, "{ip} {page} {country}");
        }
        let none =
            Traffic::new().rule_for("192.0.2.1".parse().unwrap(), None, || panic!("no country is named"));
        assert_eq!(none, None);
    }
}
