//! Which of many numbered things were seen in each group, so that each counts once however often it was seen.
//!
//! The groups that are met first, mostly the large ones, have a bit for each number while there is memory for that.
//! What was seen in other groups is listed, and sorted to tell what is there twice.

use std::mem::size_of;

const WORD_BITS: u32 = u64::BITS;
/// Pairs that are listed before duplicates are dropped for the first time.
const PAIR_COUNT_FIRST: usize = 1 << 20;

/// The numbers seen in each group.
#[derive(Debug, Default)]
pub struct Distinct {
    word_count: usize,
    set_count_max: usize,
    /// The bits of the first groups; empty where nothing was seen.
    sets: Vec<Vec<u64>>,
    /// What was seen in the others.
    pairs: Vec<u64>,
    pair_count_max: usize,
}

impl Distinct {
    /// Nothing seen yet of numbers below `number_count`. Bits take this many bytes at most.
    pub fn new(number_count: usize, set_bytes_max: usize) -> Self {
        let word_count = number_count.div_ceil(WORD_BITS as usize);
        let set_bytes = word_count * size_of::<u64>() + size_of::<Vec<u64>>();
        Self {
            word_count,
            set_count_max: set_bytes_max / set_bytes,
            pair_count_max: PAIR_COUNT_FIRST,
            ..Self::default()
        }
    }

    /// The number was seen in the group.
    #[inline]
    pub fn insert(&mut self, group: u32, number: u32) {
        let word = (number / WORD_BITS) as usize;
        match self.sets.get_mut(group as usize).and_then(|set| set.get_mut(word)) {
            Some(word) => *word |= 1 << (number % WORD_BITS),
            None => self.insert_where_nothing_is(group, number),
        }
    }

    fn insert_where_nothing_is(&mut self, group: u32, number: u32) {
        let word_count = self.word_count;
        let Some(set) = self.set_of(group) else { return self.pairs.push(pair(group, number)) };
        set.resize(word_count, 0);
        if let Some(word) = set.get_mut((number / WORD_BITS) as usize) {
            *word |= 1 << (number % WORD_BITS);
        }
    }

    /// The place of a group's bits, for which room is made; `None` when the group has none.
    #[inline]
    fn set_of(&mut self, group: u32) -> Option<&mut Vec<u64>> {
        let at = group as usize;
        if at >= self.sets.len() && at < self.set_count_max {
            self.sets.resize_with(at + 1, Vec::new);
        }
        self.sets.get_mut(at)
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
        for (theirs, &group) in other.sets.into_iter().zip(places) {
            match self.set_of(group) {
                Some(own) if own.is_empty() => *own = theirs,
                Some(own) => own.iter_mut().zip(theirs).for_each(|(own, theirs)| *own |= theirs),
                None => self.pairs.extend(numbers_in(&theirs).map(|number| pair(group, number))),
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
        for (set, group) in self.sets.iter().zip(0..) {
            take(group, set.iter().map(|word| word.count_ones()).sum());
        }
        self.sort_pairs();
        for own in self.pairs.chunk_by(|a, b| parts(*a).0 == parts(*b).0) {
            take(parts(own[0]).0, own.len() as u32);
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

fn numbers_in(set: &[u64]) -> impl Iterator<Item = u32> {
    (0..).zip(set).flat_map(|(at, &word)| {
        let of_word = std::iter::successors(Some(word), |&left| (left != 0).then(|| left & (left - 1)));
        of_word.take_while(|&left| left != 0).map(move |left| at * WORD_BITS + left.trailing_zeros())
    })
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
    fn numbers_out_of_range_are_ignored() {
        let mut distinct = Distinct::new(0, 1_000);
        distinct.insert(0, 9);
        assert_eq!(counts(distinct, 1), [0]);
    }
}
