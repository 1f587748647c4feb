//! Which site a host name belongs to: found in one look-up by exact names, or by walking up its labels for wildcards.
//!
//! A name may be claimed by several sites. The best claim wins, and of equal ones that of the site that was made
//! first: a site's own name, then an alternative name, then the `www.` forms of these, then the longest wildcard.

use std::collections::HashMap;

use crate::enrich::url::{canonical_host, without_www};
use crate::sites::Site;

/// Bytes of an origin; longer ones are nobody's.
const ORIGIN_BYTES_MAX: usize = 256;

/// The names of all sites.
#[derive(Debug, Default)]
pub struct HostIndex {
    exact: HashMap<String, u32>,
    /// `example.com` for `*.example.com`.
    below: HashMap<String, u32>,
}

impl HostIndex {
    /// The names of these sites.
    pub fn of(sites: &[Site]) -> Self {
        let mut index = Self::default();
        let names: Vec<(u32, &str)> =
            sites.iter().map(|site| (site.number, site.hostname.as_str())).collect();
        let all =
            || sites.iter().flat_map(|site| site.alternative_hosts.iter().map(|name| (site.number, name)));
        let alternatives: Vec<(u32, &str)> = all().map(|(site, name)| (site, name.as_str())).collect();
        let plain = || alternatives.iter().filter(|(_, name)| !name.starts_with("*.")).copied();
        for (site, name) in names.iter().copied().chain(plain()) {
            index.exact.entry(name.to_owned()).or_insert(site);
        }
        for (site, name) in names.iter().copied().chain(plain()) {
            index.exact.entry(other_form(name)).or_insert(site);
        }
        for (site, name) in &alternatives {
            if let Some(domain) = name.strip_prefix("*.") {
                index.below.entry(domain.to_owned()).or_insert(*site);
            }
        }
        index
    }

    /// The number of the site whose name, or alternative name, `host` is: lower case, without a port.
    pub fn site_of(&self, host: &str) -> Option<u32> {
        let above = || host.match_indices('.').find_map(|(dot, _)| self.below.get(host.get(dot + 1..)?));
        self.exact.get(host).or_else(above).copied()
    }
}

/// With `www.` for a name without it, and the other way round.
fn other_form(name: &str) -> String {
    match without_www(name) {
        bare if bare.len() < name.len() => bare.to_owned(),
        _ => format!("www.{name}"),
    }
}

/// The host of an `Origin`, in the form that sites' names have: the port says nothing. A bare host is one, too.
pub fn of_origin(origin: &str) -> Option<String> {
    // `null` is what browsers say for pages that have none.
    if origin.len() > ORIGIN_BYTES_MAX || origin == "null" {
        return None;
    }
    let host =
        ["https://", "http://"].iter().find_map(|scheme| origin.strip_prefix(scheme)).unwrap_or(origin);
    let host = canonical_host(host)?;
    Some(host.strip_suffix('.').map(str::to_owned).unwrap_or(host)).filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(number: u32, hostname: &str, alternatives: &[&str]) -> Site {
        let mut site = Site::new(number, hostname.into(), 0).unwrap();
        site.alternative_hosts = alternatives.iter().map(|name| (*name).to_owned()).collect();
        site
    }

    #[test]
    fn the_best_claim_wins() {
        let sites = [
            site(1, "example.com", &["*.example.com", "example.org", "*.deep.example.net"]),
            site(2, "shop.example.com", &["*.example.com", "www.example.org", "*.example.net"]),
            site(3, "www.third.test", &[]),
            site(4, "localhost", &[]),
        ];
        let index = HostIndex::of(&sites);
        let table = [
            ("example.com", Some(1)),
            ("www.example.com", Some(1)),
            ("a.b.example.com", Some(1)),
            ("shop.example.com", Some(2)),
            ("www.shop.example.com", Some(2)),
            ("example.org", Some(1)),
            ("www.example.org", Some(2)),
            ("a.example.org", None),
            ("x.example.net", Some(2)),
            ("deep.example.net", Some(2)),
            ("x.deep.example.net", Some(1)),
            ("example.net", None),
            ("third.test", Some(3)),
            ("www.third.test", Some(3)),
            ("www.www.third.test", None),
            ("localhost", Some(4)),
            ("notexample.com", None),
            ("com", None),
            ("", None),
        ];
        for (host, wanted) in table {
            assert_eq!(index.site_of(host), wanted, "{host}");
        }
    }

    #[test]
    fn origins_have_a_host() {
        let table = [
            ("https://Example.com", Some("example.com")),
            ("http://example.com:8080", Some("example.com")),
            ("example.com", Some("example.com")),
            ("https://bücher.example", Some("xn--bcher-kva.example")),
            ("https://example.com.", Some("example.com")),
            ("null", None),
            ("", None),
            ("https://", None),
            ("https://example.com:99999", None),
            ("https://example.com/path", None),
            ("chrome-extension://abc", None),
        ];
        for (origin, wanted) in table {
            assert_eq!(of_origin(origin).as_deref(), wanted, "{origin}");
        }
        assert_eq!(of_origin(&format!("https://{}.com", "a".repeat(250))), None);
    }
}
