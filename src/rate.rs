//! Limits per client address: how often something may happen in a minute. Bounded in memory; addresses stay here
//! and go nowhere else. IPv6 clients count by their /64, since one machine has as many addresses as it likes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use hitstone_engine::units::TimestampMs;

const WINDOW_MS: i64 = 60_000;
/// Addresses remembered at once.
const CLIENTS_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Window {
    start: TimestampMs,
    count: u32,
}

/// Counts occurrences per client address in windows of a minute that begin with the first one.
#[derive(Debug)]
pub struct MinuteLimit {
    max: u32,
    clients: Mutex<HashMap<IpAddr, Window>>,
}

impl MinuteLimit {
    /// At most `max` a minute; 0 is no limit.
    pub fn new(max: u32) -> Self {
        Self { max, clients: Mutex::new(HashMap::new()) }
    }

    /// Seconds until `client` may go on, when it has used up its minute.
    pub fn blocked(&self, client: IpAddr, now: TimestampMs) -> Option<u64> {
        if self.max == 0 {
            return None;
        }
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let window = clients.get(&key(client))?;
        let left_ms = window.start + WINDOW_MS - now;
        (left_ms > 0 && window.count >= self.max).then(|| (left_ms as u64).div_ceil(1000))
    }

    /// Counts one occurrence.
    pub fn count(&self, client: IpAddr, now: TimestampMs) {
        if self.max == 0 {
            return;
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&key(client)) {
            clients.retain(|_, window| now - window.start < WINDOW_MS);
            if clients.len() >= CLIENTS_MAX {
                clients.clear();
            }
        }
        let window = clients.entry(key(client)).or_insert(Window { start: now, count: 0 });
        if now - window.start >= WINDOW_MS {
            *window = Window { start: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
    }

    /// Counts one occurrence when it is allowed; else the seconds to wait.
    ///
    /// # Errors
    /// The seconds until the next one is allowed.
    pub fn take(&self, client: IpAddr, now: TimestampMs) -> Result<(), u64> {
        match self.blocked(client, now) {
            Some(seconds) => Err(seconds),
            None => {
                self.count(client, now);
                Ok(())
            }
        }
    }
}

fn key(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_after_the_limit_until_the_minute_is_over() {
        let limit = MinuteLimit::new(2);
        let a: IpAddr = "198.51.100.1".parse().unwrap();
        assert_eq!(limit.take(a, 1_000), Ok(()));
        assert_eq!(limit.take(a, 2_000), Ok(()));
        assert_eq!(limit.take(a, 31_500), Err(30));
        assert_eq!(limit.take("198.51.100.2".parse().unwrap(), 31_500), Ok(()));
        assert_eq!(limit.take(a, 61_000), Ok(()));
    }

    #[test]
    fn one_ipv6_network_is_one_client_and_zero_is_no_limit() {
        let limit = MinuteLimit::new(1);
        assert_eq!(limit.take("2001:db8::1".parse().unwrap(), 0), Ok(()));
        assert!(limit.take("2001:db8::2".parse().unwrap(), 0).is_err());
        let off = MinuteLimit::new(0);
        assert!((0..100).all(|n| off.take("2001:db8::1".parse().unwrap(), n).is_ok()));
    }
}
