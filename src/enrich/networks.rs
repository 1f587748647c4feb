//! Many networks at once: whether one of them holds an address.
//!
//! It knows nothing of what the networks are for.

use std::net::IpAddr;

use super::client_ip::{Network, address_bits};

/// Networks as ranges that are sorted and do not overlap, so that a look is a binary search.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    v4: Vec<(u128, u128)>,
    v6: Vec<(u128, u128)>,
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        let (v4, v6): (Vec<Network>, Vec<Network>) = networks.into_iter().partition(Network::is_v4);
        let ranges = |list: Vec<Network>| merged(list.iter().map(Network::range).collect());
        Self { v4: ranges(v4), v6: ranges(v6) }
    }
}

fn merged(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u128, u128)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

impl Networks {
    /// None.
    pub const fn new() -> Self {
        Self { v4: Vec::new(), v6: Vec::new() }
    }

    /// Whether one of them holds the address.
    pub fn contain(&self, ip: IpAddr) -> bool {
        let (bits, is_v4) = address_bits(ip.to_canonical());
        let ranges = if is_v4 { &self.v4 } else { &self.v6 };
        let after = ranges.partition_point(|(first, _)| *first <= bits);
        after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| bits <= *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_find_what_single_networks_hold() {
        let texts = [
            "10.0.0.0/8",
            "10.1.0.0/16",
            "192.0.2.0/25",
            "192.0.2.128/25",
            "198.51.100.7",
            "255.255.255.255",
            "2001:db8::/32",
            "2001:db8:1::/48",
            "::1",
        ];
        let networks: Vec<Network> = texts.iter().map(|text| text.parse().unwrap()).collect();
        let all: Networks = networks.iter().copied().collect();
        for ip in [
            "9.255.255.255",
            "10.0.0.0",
            "10.1.2.3",
            "10.255.255.255",
            "11.0.0.0",
            "192.0.2.127",
            "192.0.2.255",
            "192.0.3.0",
            "198.51.100.6",
            "198.51.100.7",
            "::ffff:198.51.100.7",
            "255.255.255.255",
            "0.0.0.0",
            "::",
            "::1",
            "2001:db8:1::9",
            "2001:db9::",
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            let wanted = networks.iter().any(|network| network.contains(ip));
            assert_eq!(all.contain(ip), wanted, "{ip}");
        }
        assert!(!Networks::default().contain("10.0.0.1".parse().unwrap()));
    }
}
