//! Limits per client: how often something may happen in a minute. Addresses stay here and go nowhere else. IPv6
//! clients count by their /64, since one machine has as many addresses as it likes.
//!
//! Invariants: a window lasts a minute from its first occurrence on and is never prolonged. There are at most
//! [`CLIENTS_MAX`] windows, whoever comes; where one more is needed, the one that ends next is given up. No operation
//! takes longer because there are many.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use hitstone_engine::units::TimestampMs;

const WINDOW_MS: i64 = 60_000;
/// Clients remembered at once.
const CLIENTS_MAX: usize = 100_000;

/// Whom a limit counts for: an address, or the id of a client.
pub trait Limited: Clone + Eq + Hash {
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

/// What a client has left of its minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Occurrences that a minute has.
    pub max: u32,
    /// Those that are left.
    pub remaining: u32,
    /// Whole seconds until all of them are there again.
    pub resets_in: u64,
}

/// Counts occurrences per client in windows of a minute that begin with the first one.
#[derive(Debug)]
pub struct MinuteLimit<K = IpAddr> {
    max: u32,
    windows: Mutex<Windows<K>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: TimestampMs,
    count: u32,
}

/// The windows that have not ended. All last equally long, so they end in the order in which they began.
#[derive(Debug)]
struct Windows<K> {
    of: HashMap<K, Window, RandomState>,
    order: VecDeque<(TimestampMs, K)>,
}

impl<K: Limited> Windows<K> {
    /// Forgets what has ended by `now`.
    fn expire(&mut self, now: TimestampMs) {
        while self.order.front().is_some_and(|(start, _)| now - start >= WINDOW_MS) {
            self.give_up_first();
        }
    }

    fn give_up_first(&mut self) {
        if let Some((_, client)) = self.order.pop_front() {
            self.of.remove(&client);
        }
    }

    /// The client's window; one that begins now when it has none.
    fn of(&mut self, client: K, now: TimestampMs) -> &mut Window {
        if self.of.len() >= CLIENTS_MAX && !self.of.contains_key(&client) {
            self.give_up_first();
        }
        match self.of.entry(client) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                self.order.push_back((now, entry.key().clone()));
                entry.insert(Window { start: now, count: 0 })
            }
        }
    }
}

impl Window {
    fn seconds_left(&self, now: TimestampMs) -> u64 {
        ((self.start + WINDOW_MS - now).max(0) as u64).div_ceil(1000)
    }
}

impl<K: Limited> MinuteLimit<K> {
    /// At most `max` a minute; 0 is no limit.
    pub fn new(max: u32) -> Self {
        Self { max, windows: Mutex::new(Windows { of: HashMap::default(), order: VecDeque::new() }) }
    }

    /// Seconds until `client` may go on, when it has used up its minute.
    pub fn blocked(&self, client: K, now: TimestampMs) -> Option<u64> {
        if self.max == 0 {
            return None;
        }
        let windows = self.at(now);
        windows.of.get(&client.one()).filter(|window| window.count >= self.max).map(|w| w.seconds_left(now))
    }

    /// Counts one occurrence, allowed or not.
    pub fn count(&self, client: K, now: TimestampMs) {
        if self.max > 0 {
            let mut windows = self.at(now);
            let window = windows.of(client.one(), now);
            window.count = window.count.saturating_add(1);
        }
    }

    /// Counts one occurrence when it is allowed, and tells what is left; `None` where there is no limit.
    ///
    /// # Errors
    /// The seconds until the next one is allowed.
    pub fn take(&self, client: K, now: TimestampMs) -> Result<Option<Allowance>, u64> {
        if self.max == 0 {
            return Ok(None);
        }
        let mut windows = self.at(now);
        let window = windows.of(client.one(), now);
        let resets_in = window.seconds_left(now);
        if window.count >= self.max {
            return Err(resets_in);
        }
        window.count += 1;
        Ok(Some(Allowance { max: self.max, remaining: self.max - window.count, resets_in }))
    }

    /// The windows of `now`.
    fn at(&self, now: TimestampMs) -> MutexGuard<'_, Windows<K>> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.expire(now);
        windows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn blocks_after_the_limit_until_the_minute_is_over() {
        let limit = MinuteLimit::new(2);
        let a = ip("198.51.100.1");
        let left = |remaining, resets_in| Ok(Some(Allowance { max: 2, remaining, resets_in }));
        assert_eq!(limit.take(a, 1_000), left(1, 60));
        assert_eq!(limit.take(a, 2_001), left(0, 59));
        assert_eq!(limit.take(a, 31_500), Err(30));
        assert_eq!(limit.blocked(a, 60_999), Some(1), "what was refused prolongs nothing");
        assert_eq!(limit.take(ip("198.51.100.2"), 31_500), left(1, 60));
        assert_eq!(limit.take(a, 61_000), left(1, 60));
        assert_eq!(limit.blocked(a, 61_000), None);
        limit.count(a, 61_000);
        limit.count(a, 61_000);
        assert_eq!(limit.blocked(a, 61_000), Some(60));
    }

    #[test]
    fn one_ipv6_network_is_one_client_and_zero_is_no_limit() {
        let limit = MinuteLimit::<IpAddr>::new(1);
        assert!(limit.take(ip("2001:db8::1"), 0).is_ok());
        assert!(limit.take(ip("2001:db8::ffff:2"), 0).is_err());
        assert!(limit.take(ip("2001:db8:0:1::1"), 0).is_ok());
        assert!(limit.take(ip("::ffff:192.0.2.1"), 0).is_ok(), "IPv4 in IPv6 is IPv4");
        assert!(limit.take(ip("192.0.2.1"), 0).is_err());
        let off = MinuteLimit::<IpAddr>::new(0);
        assert!((0..100).all(|n| off.take(ip("2001:db8::1"), n) == Ok(None)));
    }

    /// The table was emptied when it was full, so whoever had many addresses could lift every limit at any time.
    #[test]
    fn many_clients_are_bounded_and_lift_no_limit_but_the_oldest() {
        let limit = MinuteLimit::<IpAddr>::new(1);
        let client = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..CLIENTS_MAX as u32 {
            assert!(limit.take(client(n), i64::from(n / 10_000)).is_ok());
        }
        assert!(limit.take(client(u32::MAX), 20).is_ok());
        assert!(limit.take(client(1), 20).is_err(), "only the oldest made room");
        assert!(limit.take(client(0), 20).is_ok());
        assert!(limit.take(client(u32::MAX), 20).is_err());
        let sizes = |limit: &MinuteLimit| {
            let windows = limit.at(0);
            (windows.of.len(), windows.order.len())
        };
        assert_eq!(sizes(&limit), (CLIENTS_MAX, CLIENTS_MAX));
        assert!(limit.take(client(7), 70_000).is_ok());
        assert_eq!(sizes(&limit), (1, 1), "what has ended takes no room");
    }
}
