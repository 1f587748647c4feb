//! The event ids of one log generation, in memory, each with the hour in which it arrived.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::units::EventHash;

#[derive(Default)]
pub(super) struct Recent {
    hours: HashMap<EventHash, u32>,
    /// Ids of each hour; no hour without one.
    counts: BTreeMap<u32, u64>,
}

impl Recent {
    pub(super) fn len(&self) -> usize {
        self.hours.len()
    }

    /// When the id arrived.
    pub(super) fn hour_of(&self, hash: &EventHash) -> Option<u32> {
        self.hours.get(hash).copied()
    }

    /// Takes an id in; one that is there already is taken to have arrived now.
    pub(super) fn insert(&mut self, hash: EventHash, hour: u32) {
        if let Some(before) = self.hours.insert(hash, hour) {
            self.count_out(before, 1);
        }
        *self.counts.entry(hour).or_default() += 1;
    }

    fn count_out(&mut self, hour: u32, count: u64) {
        if let Some(left) = self.counts.get_mut(&hour) {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.counts.remove(&hour);
            }
        }
    }

    /// The hours of its ids, ascending.
    pub(super) fn hours(&self) -> impl Iterator<Item = u32> + '_ {
        self.counts.keys().copied()
    }

    /// Forgets the ids of some hours; how many those were.
    pub(super) fn forget(&mut self, goes: impl Fn(u32) -> bool) -> u64 {
        let gone: u64 = self.counts.iter().filter(|(hour, _)| goes(**hour)).map(|(_, count)| count).sum();
        if gone > 0 {
            self.hours.retain(|_, hour| !goes(*hour));
            self.counts.retain(|hour, _| !goes(*hour));
        }
        gone
    }

    /// The ids of each hour.
    pub(super) fn by_hour(&self) -> BTreeMap<u32, Vec<EventHash>> {
        let mut all: BTreeMap<u32, Vec<EventHash>> = BTreeMap::new();
        for (hour, count) in &self.counts {
            all.insert(*hour, Vec::with_capacity(*count as usize));
        }
        for (hash, hour) in &self.hours {
            all.entry(*hour).or_default().push(*hash);
        }
        all
    }
}
