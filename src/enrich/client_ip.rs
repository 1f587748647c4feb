//! The client's address: which of the addresses that a request carries is to be believed.
//!
//! Invariant: what it returns is canonical, so an IPv4 address mapped into IPv6 is an IPv4 address. A header counts
//! only when it comes through a proxy that the operator trusts, and then from its right end, which that proxy wrote.
//!
//! It knows nothing of HTTP: it is given the texts of headers and body fields.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The address fields of a JSON body, as sent; empty when absent.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "named after the fields")]
pub struct BodyAddresses<'a> {
    pub ip: &'a str,
    pub cf_connecting_ip: &'a str,
    pub x_forwarded_for: &'a str,
    pub forwarded: &'a str,
    pub x_real_ip: &'a str,
}

/// The client that a JSON body names. The proxies' fields win over `ip` where their right-most address is a public
/// one; `None` when nothing in the body is an address.
pub fn from_body(body: &BodyAddresses<'_>) -> Option<IpAddr> {
    rightmost_public(body.cf_connecting_ip)
        .or_else(|| rightmost_public(body.x_forwarded_for))
        .or_else(|| forwarded_addresses(body.forwarded).last().copied().flatten().filter(is_public))
        .or_else(|| rightmost_public(body.x_real_ip))
        .or_else(|| from_ip_field(body.ip))
}

/// The right-most entry of a list, when it is a public address.
fn rightmost_public(list: &str) -> Option<IpAddr> {
    list.rsplit(',').next().and_then(parse_address).filter(is_public)
}

/// The field `ip` may be a list: its right-most public address, else its right-most address of any kind.
fn from_ip_field(list: &str) -> Option<IpAddr> {
    let mut addresses = list.rsplit(',').filter_map(parse_address);
    let rightmost = addresses.next()?;
    if is_public(&rightmost) { Some(rightmost) } else { addresses.find(is_public).or(Some(rightmost)) }
}

/// Which proxies' word is taken for the client's address.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Nobody's: the peer is the client.
    #[default]
    Nobody,
    /// So many proxies stand before this server.
    Hops(usize),
    /// The proxies in these networks.
    Networks(Vec<Network>),
}

/// How the client's address is found for requests that browsers send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    /// Who is believed.
    pub trust: Trust,
    /// The header to read, such as `X-Forwarded-For` or `Forwarded`.
    pub header: String,
}

impl Default for Proxies {
    fn default() -> Self {
        Self { trust: Trust::Nobody, header: "X-Forwarded-For".to_owned() }
    }
}

impl Proxies {
    /// Whether `peer` is a proxy whose word is taken.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        match &self.trust {
            Trust::Nobody => false,
            Trust::Hops(count) => *count > 0,
            Trust::Networks(networks) => networks.iter().any(|network| network.contains(peer.to_canonical())),
        }
    }

    /// The client of a request from `peer`. `values` are the texts of all headers with [`Proxies::header`]'s name,
    /// in their order. A header that is absent or bad leaves the peer.
    pub fn client<'a>(&self, peer: IpAddr, values: impl Iterator<Item = &'a str>) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return peer;
        }
        let entries: Vec<IpAddr> = values.flat_map(|value| self.entries(value)).collect();
        let from_right = match &self.trust {
            Trust::Nobody => None,
            Trust::Hops(count) => entries.iter().rev().nth(count - 1),
            Trust::Networks(networks) => {
                entries.iter().rev().find(|ip| !networks.iter().any(|network| network.contains(**ip)))
            }
        };
        // Fewer entries than proxies: the left-most was still written by one of them.
        from_right.or(entries.first()).copied().unwrap_or(peer)
    }

    /// The entries of one header that are addresses.
    fn entries(&self, value: &str) -> Vec<IpAddr> {
        if self.header.eq_ignore_ascii_case("forwarded") {
            forwarded_addresses(value).into_iter().flatten().collect()
        } else {
            value.split(',').filter_map(parse_address).collect()
        }
    }
}

/// For each element of a `Forwarded` header its `for` address, `None` where that is missing or no address.
fn forwarded_addresses(value: &str) -> Vec<Option<IpAddr>> {
    value.split(',').map(forwarded_for).collect()
}

fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut parameters = element.split(';').filter_map(|parameter| parameter.split_once('='));
    parameters
        .find(|(key, _)| key.trim().eq_ignore_ascii_case("for"))
        .and_then(|(_, value)| parse_address(value))
}

/// Reads an address with what senders put around it: blanks, quotes, brackets, a port, a zone.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => match text.split_once(':') {
            Some((v4, port)) if !port.contains(':') => v4,
            _ => text,
        },
    };
    let without_zone = bare.split_once('%').map_or(bare, |(ip, _)| ip);
    without_zone.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Whether a client on the internet can have the address.
fn is_public(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_unspecified()
                || v4.is_link_local()
                || v4.is_multicast())
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast())
        }
    }
}

/// A network in CIDR notation; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: u128,
    prefix_bits: u32,
    v4: bool,
}

impl Network {
    /// Whether the network holds the address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (bits, v4) = address_bits(ip.to_canonical());
        v4 == self.v4 && mask(bits, self.prefix_bits) == self.base
    }

    /// Whether its addresses are IPv4.
    pub fn is_v4(&self) -> bool {
        self.v4
    }

    /// Whether it holds all addresses of its kind.
    pub fn is_everything(&self) -> bool {
        self.prefix_bits == if self.v4 { 96 } else { 0 }
    }

    /// Its first and its last address, as numbers.
    pub fn range(&self) -> (u128, u128) {
        let last = if self.prefix_bits == 0 {
            u128::MAX
        } else {
            self.base | !(u128::MAX << (128 - self.prefix_bits))
        };
        (self.base, last)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a network: write it like 10.0.0.0/8 or 2001:db8::/32");
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| bad())?)),
            None => (text.trim(), None),
        };
        let ip: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(width);
        if length > width {
            return Err(bad());
        }
        // Addresses are compared in their own kind: IPv4 that is mapped into IPv6 is IPv4.
        let canonical = ip.to_canonical();
        let (ip, length, width) = match length.checked_sub(96) {
            Some(length) if ip.is_ipv6() && canonical.is_ipv4() => (canonical, length, 32),
            _ => (ip, length, width),
        };
        let (bits, v4) = address_bits(ip);
        let prefix_bits = 128 - width + length;
        Ok(Self { base: mask(bits, prefix_bits), prefix_bits, v4 })
    }
}

/// The address as a number, IPv4 in the low 32 bits.
pub fn address_bits(ip: IpAddr) -> (u128, bool) {
    match ip {
        IpAddr::V4(v4) => (u128::from(Ipv4Addr::to_bits(v4)), true),
        IpAddr::V6(v6) => (Ipv6Addr::to_bits(v6), false),
    }
}

fn mask(bits: u128, prefix_bits: u32) -> u128 {
    if prefix_bits == 0 { 0 } else { bits & (u128::MAX << (128 - prefix_bits)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_come_in_many_dresses() {
        let table = [
            ("1.2.3.4", Some("1.2.3.4")),
            (" 1.2.3.4:5678 ", Some("1.2.3.4")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
            ("::ffff:1.2.3.4", Some("1.2.3.4")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("", None),
            ("unknown", None),
            ("_hidden", None),
            ("1.2.3", None),
            ("[::1", None),
        ];
        for (text, wanted) in table {
            assert_eq!(parse_address(text), wanted.map(ip), "{text}");
        }
    }

    #[test]
    fn the_rightmost_of_a_list_must_be_public() {
        let forwarded_for = |text| from_body(&BodyAddresses { x_forwarded_for: text, ..Default::default() });
        assert_eq!(forwarded_for("65.182.89.102"), Some(ip("65.182.89.102")));
        assert_eq!(forwarded_for("1.1.1.1, 65.182.89.102"), Some(ip("65.182.89.102")));
        assert_eq!(forwarded_for("65.182.89.102,23.21.45.67,127.0.0.1"), None);
        let forwarded = |text| from_body(&BodyAddresses { forwarded: text, ..Default::default() });
        let two = "for=12.34.56.78;host=example.com;proto=https, for=23.45.67.89";
        assert_eq!(forwarded(two), Some(ip("23.45.67.89")));
        let private = "for=12.34.56.78, for=23.45.67.89;secret=egah2CGj55fSJFs, for=10.1.2.3";
        assert_eq!(forwarded(private), None);
        assert_eq!(forwarded("proto=http;by=203.0.113.43;for=192.0.2.61"), Some(ip("192.0.2.61")));
    }

    #[test]
    fn fields_of_a_body_have_their_order() {
        let all = BodyAddresses {
            ip: "5.5.5.5:99",
            cf_connecting_ip: "1.1.1.1",
            x_forwarded_for: "2.2.2.2",
            forwarded: "for=3.3.3.3",
            x_real_ip: "4.4.4.4",
        };
        assert_eq!(from_body(&all), Some(ip("1.1.1.1")));
        let body = BodyAddresses { cf_connecting_ip: "10.0.0.1", ..all };
        assert_eq!(from_body(&body), Some(ip("2.2.2.2")));
        let body = BodyAddresses { x_forwarded_for: "bad", ..body };
        assert_eq!(from_body(&body), Some(ip("3.3.3.3")));
        let body = BodyAddresses { forwarded: "proto=http", ..body };
        assert_eq!(from_body(&body), Some(ip("4.4.4.4")));
        let body = BodyAddresses { x_real_ip: "", ..body };
        assert_eq!(from_body(&body), Some(ip("5.5.5.5")));
        assert_eq!(from_body(&BodyAddresses::default()), None);
    }

    #[test]
    fn the_field_ip_may_be_a_list_or_private() {
        let table = [
            ("127.0.0.1", Some("127.0.0.1")),
            ("8.8.8.8, 10.0.0.1", Some("8.8.8.8")),
            ("8.8.8.8, 9.9.9.9", Some("9.9.9.9")),
            ("10.0.0.2, 10.0.0.1", Some("10.0.0.1")),
            ("what", None),
        ];
        for (text, wanted) in table {
            let found = from_body(&BodyAddresses { ip: text, ..Default::default() });
            assert_eq!(found, wanted.map(ip), "{text}");
        }
    }

    #[test]
    fn headers_count_only_through_trusted_proxies() {
        let hops = |count| Trust::Hops(count);
        let networks =
            || Trust::Networks(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        let list = "1.1.1.1, 2.2.2.2, 10.9.9.9";
        let table = [
            (Trust::Nobody, "10.0.0.1", list, "10.0.0.1"),
            (hops(1), "10.0.0.1", list, "10.9.9.9"),
            (hops(2), "10.0.0.1", list, "2.2.2.2"),
            (hops(9), "10.0.0.1", list, "1.1.1.1"),
            (hops(1), "10.0.0.1", "1.1.1.1, unknown", "1.1.1.1"),
            (hops(1), "10.0.0.1", "", "10.0.0.1"),
            (hops(1), "10.0.0.1", "nonsense", "10.0.0.1"),
            (networks(), "10.0.0.1", list, "2.2.2.2"),
            (networks(), "::ffff:10.0.0.1", list, "2.2.2.2"),
            (networks(), "2001:db8::7", list, "2.2.2.2"),
            (networks(), "9.9.9.9", list, "9.9.9.9"),
            (networks(), "10.0.0.1", "10.1.1.1", "10.1.1.1"),
        ];
        for (trust, peer, value, wanted) in table {
            let proxies = Proxies { trust, ..Proxies::default() };
            assert_eq!(proxies.client(ip(peer), [value].into_iter()), ip(wanted), "{proxies:?} {value}");
        }
    }

    #[test]
    fn repeated_headers_are_one_list() {
        let proxies = Proxies { trust: Trust::Hops(1), header: "forwarded".to_owned() };
        let values = ["for=1.1.1.1", "for=\"[2001:db8::2]:80\";proto=https"];
        assert_eq!(proxies.client(ip("10.0.0.1"), values.into_iter()), ip("2001:db8::2"));
    }

    #[test]
    fn networks_are_checked() {
        for text in ["10.0.0.0/33", "::/129", "x", "10.0.0.0/", "/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let everything: Network = "::/0".parse().unwrap();
        assert!(everything.contains(ip("2001:db8::1")) && !everything.contains(ip("1.1.1.1")));
        let one: Network = "192.0.2.1".parse().unwrap();
        assert!(one.contains(ip("192.0.2.1")) && !one.contains(ip("192.0.2.2")));
        let mapped: Network = "::ffff:192.0.2.0/120".parse().unwrap();
        assert!(mapped.contains(ip("192.0.2.9")) && !mapped.contains(ip("192.0.3.9")));
        let all_mapped: Network = "::ffff:0.0.0.0/96".parse().unwrap();
        assert!(all_mapped.is_everything() && everything.is_everything() && !one.is_everything());
    }
}
