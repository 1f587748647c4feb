//! Numbers of visitors, dense from 0, in the order in which they were met.
//!
//! What is known lies in sorted levels, each at most half as long as the one before it, as in an LSM tree (O'Neil et al.,
//! "The log-structured merge-tree", 1996): adding some visitors never copies many, and a roster that was extended
//! shares most of what it knows with the one it was made from.

use std::sync::Arc;

use crate::scan::common::{Head, common};

/// Numbers of visitors.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    levels: Vec<Arc<Level>>,
    count: u32,
}

/// Some visitors, ascending, with their numbers.
#[derive(Debug, Default)]
struct Level {
    visitors: Vec<u64>,
    numbers: Vec<u32>,
}

/// Not known, or not looked for yet.
const NO_NUMBER: u32 = u32::MAX;

impl Roster {
    /// How many visitors have numbers.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// The number of each of these, which ascend but for some places; a visitor that is not known gets one.
    pub fn numbers_of(&mut self, visitors: &[u64]) -> Vec<u32> {
        let mut numbers = vec![NO_NUMBER; visitors.len()];
        self.levels.iter().for_each(|level| level.look_up(visitors, &mut numbers));
        let unknown = visitors.iter().zip(&numbers).filter(|(_, number)| **number == NO_NUMBER);
        let mut new: Vec<u64> = unknown.map(|(&visitor, _)| visitor).collect();
        new.sort_unstable();
        new.dedup();
        if !new.is_empty() {
            let level = Level { numbers: (self.count..).take(new.len()).collect(), visitors: new };
            level.look_up(visitors, &mut numbers);
            self.add(level);
        }
        numbers
    }

    fn add(&mut self, mut level: Level) {
        self.count += level.visitors.len() as u32;
        while let Some(last) = self.levels.pop_if(|last| last.visitors.len() < 2 * level.visitors.len()) {
            level = last.merged(&level);
        }
        self.levels.push(Arc::new(level));
    }
}

impl Level {
    /// Sets the numbers of those that are here.
    fn look_up(&self, visitors: &[u64], numbers: &mut [u32]) {
        let mut first = 0;
        for ascending in visitors.chunk_by(|a, b| a <= b) {
            let end = first + ascending.len();
            let asked = Head { keys: visitors, rest: first..end };
            common(asked, Head { keys: &self.visitors, rest: 0..self.visitors.len() }, |at, place| {
                numbers[at] = self.numbers[place];
            });
            first = end;
        }
    }

    /// All of both, which have nothing in common.
    fn merged(&self, other: &Self) -> Self {
        let count = self.visitors.len() + other.visitors.len();
        let mut all = Self { visitors: Vec::with_capacity(count), numbers: Vec::with_capacity(count) };
        let (mut a, mut b) = (0, 0);
        while a + b < count {
            let is_first = match (self.visitors.get(a), other.visitors.get(b)) {
                (Some(a), Some(b)) => a < b,
                (a, _) => a.is_some(),
            };
            let (level, at) = if is_first { (self, &mut a) } else { (other, &mut b) };
            all.visitors.push(level.visitors[*at]);
            all.numbers.push(level.numbers[*at]);
            *at += 1;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_visitor_keeps_its_number() {
        let (mut roster, mut model) = (Roster::default(), HashMap::new());
        for round in 0..60u64 {
            let run = |salt: u64| (0..round * 3).map(move |at| at * at * 7 + at + salt * 40);
            let visitors: Vec<u64> = run(0).chain(run(round % 5)).chain([round]).collect();
            let before = roster.clone();
            let numbers = roster.numbers_of(&visitors);
            for (&visitor, &number) in visitors.iter().zip(&numbers) {
                assert_eq!(*model.entry(visitor).or_insert(number), number);
            }
            assert!(before.len() <= roster.len() && roster.levels.len() < 12);
            assert_eq!(before.clone().numbers_of(&visitors), numbers, "extended once more, from the same");
        }
        let mut numbers: Vec<u32> = model.values().copied().collect();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(0..roster.len() as u32), "dense, and each visitor's own");
    }
}
