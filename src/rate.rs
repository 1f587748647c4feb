//! Limits per client: how often something may happen in a minute. Bounded in memory; addresses stay here and go
//! nowhere else. IPv6 clients count by their /64, since one machine has as many addresses as it likes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use hitstone_engine::units::TimestampMs;

const WINDOW_MS: i64 = 60_000;
/// Clients remembered at once.
const CLIENTS_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Window {
    start: TimestampMs,
    count: u32,
}

/// Whom a limit counts for: an address, or the id of a client.
pub trait Limited: Eq + Hash {
    /// What stands for all that count as one client.
    fn one(self) -> Self;
}

impl Limited for IpAddr {
    fn one(self) -> Self {
        match self.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 => v4,
        }
    }
}

impl Limited for String {
    fn one(self) -> Self {
        self
    }
}

/// Counts occurrences per client in windows of a minute that begin with the first one.
#[derive(Debug)]
pub struct MinuteLimit<K = IpAddr> {
    max: u32,
    clients: Mutex<HashMap<K, Window>>,
}

impl<K: Limited> MinuteLimit<K> {
    /// At most `max` a minute; 0 is no limit.
    pub fn new(max: u32) -> Self {
        Self { max, clients: Mutex::new(HashMap::new()) }
    }

    /// Seconds until `client` may go on, when it has used up its minute.
    pub fn blocked(&self, client: K, now: TimestampMs) -> Option<u64> {
        if self.max == 0 {
            return None;
        }
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        self.wait(clients.get(&client.one())?, now)
    }

    fn wait(&self, window: &Window, now: TimestampMs) -> Option<u64> {
        let left_ms = window.start + WINDOW_MS - now;
        (left_ms > 0 && window.count >= self.max).then(|| (left_ms as u64).div_ceil(1000))
    }

    /// Counts one occurrence.
    pub fn count(&self, client: K, now: TimestampMs) {
        // What blocks is no matter here: each occurrence counts.
        let _ = self.occur(client, now, false);
    }

    fn occur(&self, client: K, now: TimestampMs, only_if_allowed: bool) -> Result<(), u64> {
        if self.max == 0 {
            return Ok(());
        }
        let client = client.one();
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_MAX && !clients.contains_key(&client) {
            clients.retain(|_, window| now - window.start < WINDOW_MS);
            if clients.len() >= CLIENTS_MAX {
                clients.clear();
            }
        }
        let window = clients.entry(client).or_insert(Window { start: now, count: 0 });
        if now - window.start >= WINDOW_MS {
            *window = Window { start: now, count: 0 };
        }
        if let Some(seconds) = self.wait(window, now).filter(|_| only_if_allowed) {
            return Err(seconds);
        }
        window.count = window.count.saturating_add(1);
        Ok(())
    }

    /// Counts one occurrence when it is allowed; else the seconds to wait.
    ///
    /// # Errors
    /// The seconds until the next one is allowed.
    pub fn take(&self, client: K, now: TimestampMs) -> Result<(), u64> {
        self.occur(client, now, true)
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
        let limit = MinuteLimit::<IpAddr>::new(1);
        assert_eq!(limit.take("2001:db8::1".parse().unwrap(), 0), Ok(()));
        assert!(limit.take("2001:db8::2".parse().unwrap(), 0).is_err());
        let off = MinuteLimit::<IpAddr>::new(0);
        assert!((0..100).all(|n| off.take("2001:db8::1".parse().unwrap(), n).is_ok()));
    }
}
