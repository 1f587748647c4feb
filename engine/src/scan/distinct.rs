//! Which of many numbered things were seen in each group, so that each counts once however often it was seen.
//!
//! What was seen is listed, and sorted in the end to tell what is there twice. A group of which much is listed gets a bit
//! for each number instead, while there is memory for that.

use std::mem::size_of;

const WORD_BITS: u32 = u64::BITS;
/// Bytes that are listed of a group before it gets bits: at most its share of what these take.
const LISTED_SHARE: usize = 8;
/// Pairs that are listed before duplicates are dropped for the first time.
const PAIR_COUNT_FIRST: usize = 1 << 20;

/// The numbers seen in each group.
#[derive(Debug, Default)]
pub struct Distinct {
    word_count: usize,
    /// How many groups more may have bits.
    sets_left: usize,
    groups: Vec<Group>,
    /// What was seen where there were no bits yet.
    pairs: Vec<u64>,
    pair_count_max: usize,
}

#[derive(Debug, Clone, Default)]
struct Group {
    /// A bit for each number, or none.
    set: Vec<u64>,
    /// How many pairs were listed.
    listed: usize,
}

impl Distinct {
    /// Nothing seen yet of numbers below `number_count`. Bits take this many bytes at most.
    pub fn new(number_count: usize, set_bytes_max: usize) -> Self {
        let word_count = number_count.div_ceil(WORD_BITS as usize).max(1);
        let sets_left = set_bytes_max / (word_count * size_of::<u64>());
        Self { word_count, sets_left, pair_count_max: PAIR_COUNT_FIRST, ..Self::default() }
    }

    /// The number was seen in the group.
    #[inline]
    pub fn insert(&mut self, group: u32, number: u32) {
        let word = (number / WORD_BITS) as usize;
        match self.groups.get_mut(group as usize).and_then(|group| group.set.get_mut(word)) {
            Some(word) => *word |= 1 << (number % WORD_BITS),
            None => self.list(group, number),
        }
    }

    #[inline]
    fn list(&mut self, group: u32, number: u32) {
        self.pairs.push(pair(group, number));
        let word_count = self.word_count;
        let own = self.group(group);
        own.listed += 1;
        if own.listed * LISTED_SHARE > word_count && own.set.is_empty() && self.sets_left > 0 {
            self.sets_left -= 1;
            self.group(group).set = vec![0; word_count];
        }
    }

    fn group(&mut self, group: u32) -> &mut Group {
        let at = group as usize;
        if at >= self.groups.len() {
            self.groups.resize_with(at + 1, Group::default);
        }
        &mut self.groups[at]
    }

    /// Keeps the list within about twice the number of distinct pairs. To be called now and then.
    pub fn trim(&mut self) {
        if self.pairs.len() >= self.pair_count_max {
            self.sort_pairs();
            self.pair_count_max = PAIR_COUNT_FIRST.max(2 * self.pairs.len());
        }
    }

    /// Adds what another one saw of the same numbers; `places` says which of its groups are which here.
    pub fn absorb(&mut self, other: Self, places: &[u32]) {
        for (theirs, &group) in other.groups.into_iter().zip(places) {
            let own = &mut self.group(group).set;
            if !own.is_empty() {
                own.iter_mut().zip(theirs.set).for_each(|(own, theirs)| *own |= theirs);
            } else if !theirs.set.is_empty() {
                *own = theirs.set;
            }
        }
        for (group, number) in other.pairs.into_iter().map(parts) {
            if let Some(&group) = places.get(group as usize) {
                self.insert(group, number);
            }
        }
    }

    /// Calls `take` with groups and how many numbers were seen in them, possibly piece by piece.
    pub fn finish(mut self, mut take: impl FnMut(u32, u32)) {
        // What was listed before its group got bits.
        let Self { groups, pairs, .. } = &mut self;
        pairs.retain(|&pair| {
            let (group, number) = parts(pair);
            let set = groups.get_mut(group as usize).map(|group| &mut group.set);
            let word = set.and_then(|set| set.get_mut((number / WORD_BITS) as usize));
            word.map(|word| *word |= 1 << (number % WORD_BITS)).is_none()
        });
        self.sort_pairs();
        for own in self.pairs.chunk_by(|a, b| parts(*a).0 == parts(*b).0) {
            take(parts(own[0]).0, own.len() as u32);
        }
        for (group, number) in self.groups.iter().zip(0..) {
            take(number, group.set.iter().map(|word| word.count_ones()).sum());
        }
    }

    fn sort_pairs(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
    }
}

fn pair(group: u32, number: u32) -> u64 {
    u64::from(group) << 32 | u64::from(number)
}

fn parts(pair: u64) -> (u32, u32) {
    ((pair >> 32) as u32, pair as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn counts(distinct: Distinct, group_count: usize) -> Vec<u32> {
        let mut counts = vec![0; group_count];
        distinct.finish(|group, count| counts[group as usize] += count);
        counts
    }

    #[test]
    fn each_counts_once_whatever_memory_there_is() {
        let seen = |salt: u32| (0..4_000u32).map(move |at| (at * at % 7, (at * 31 + salt) % 300));
        let places = [6u32, 2, 0, 1, 4, 3, 5];
        let mut model = vec![BTreeSet::new(); 7];
        seen(3).for_each(|(group, number)| _ = model[group as usize].insert(number));
        seen(9).for_each(|(group, number)| _ = model[places[group as usize] as usize].insert(number));
        let want: Vec<u32> = model.iter().map(|own| own.len() as u32).collect();
        for (own_bytes, their_bytes) in [(0, 0), (200, 200), (0, 1 << 20), (1 << 20, 0), (200, 1 << 20)] {
            let (mut own, mut theirs) = (Distinct::new(300, own_bytes), Distinct::new(300, their_bytes));
            seen(3).for_each(|(group, number)| own.insert(group, number));
            seen(9).for_each(|(group, number)| theirs.insert(group, number));
            own.absorb(theirs, &places);
            assert_eq!(counts(own, 7), want, "{own_bytes} {their_bytes}");
        }
    }

    #[test]
    fn what_is_listed_twice_is_dropped_now_and_then() {
        let mut distinct = Distinct::new(64, 0);
        for _ in 0..3 * PAIR_COUNT_FIRST {
            distinct.insert(5, 7);
            distinct.trim();
            assert!(distinct.pairs.len() <= PAIR_COUNT_FIRST);
        }
        assert_eq!(counts(distinct, 6), [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn numbers_out_of_range_are_counted_too() {
        let mut distinct = Distinct::new(100, 1_000);
        (0..10).for_each(|_| distinct.insert(0, 9));
        distinct.insert(0, 128);
        distinct.insert(0, 128);
        assert_eq!(counts(distinct, 1), [2]);
    }
}
