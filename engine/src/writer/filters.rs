//! Which sealed segments may have a text or a visitor: a Bloom filter for each, and those of eight segments interleaved,
//! so that one cache line answers for all eight. The writer asks this for each visitor of an event and for each text that is
//! new to the open segment, and of most segments the answer is no.
//!
//! Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970. A key has all its bits in one word, as in
//! Putze, Sanders, Singler, "Cache-, hash- and space-efficient Bloom filters", 2009; the words of eight filters lie side by
//! side, as the rows of Bradley et al., "Ultrafast search of all deposited bacterial and viral genomic data", 2019.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::StorageError;
use crate::schema::Column;
use crate::segment::table::Visitors;
use crate::segment::{Segment, Sought};
use crate::units::{SiteId, VisitorId};

/// Filters that lie side by side.
pub(super) const LANES: usize = 8;
/// Bits of a key in its word.
const PROBES: u32 = 4;
const WORD_BITS: u32 = u64::BITS;
/// Bits of the place of a bit in its word.
const PLACE_BITS: u32 = WORD_BITS.ilog2();

/// The filters of up to eight segments. One thread may fill a lane while another asks: it must not believe that lane yet.
pub(super) struct Bank {
    lines: Box<[Line]>,
}

/// The words of one number of all lanes: a cache line.
#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU64; LANES]);

impl Bank {
    /// Filters of so many words each, all empty.
    pub(super) fn new(words: usize) -> Arc<Self> {
        Arc::new(Self { lines: (0..words).map(|_| Line::default()).collect() })
    }

    /// A bit for each lane: not set, what is in it has not the key.
    pub(super) fn may_hold(&self, key: Key) -> u8 {
        let (line, bits) = key.place(self.lines.len());
        let Some(Line(words)) = self.lines.get(line) else { return 0 };
        let lanes = words.iter().map(|word| word.load(Ordering::Relaxed) & bits == bits);
        lanes.rev().fold(0, |lanes, may_hold| lanes << 1 | u8::from(may_hold))
    }

    /// Puts a segment's texts and visitors in a lane, in the place of what was there.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`]: of what is damaged nothing is in the lane.
    pub(super) fn fill(&self, lane: usize, segment: &Segment) -> Result<(), StorageError> {
        let mut own = vec![0; self.lines.len()];
        let filled = for_each_key(segment, |key| {
            let (line, bits) = key.place(self.lines.len());
            if let Some(word) = own.get_mut(line) {
                *word |= bits;
            }
        });
        for (Line(words), own) in self.lines.iter().zip(own) {
            if let Some(word) = words.get(lane) {
                word.store(own, Ordering::Relaxed);
            }
        }
        filled
    }
}

fn for_each_key(segment: &Segment, mut take: impl FnMut(Key)) -> Result<(), StorageError> {
    let mut result = Ok(());
    for site in segment.sites() {
        let table = match segment.table(site) {
            Ok(Some(table)) => table,
            Ok(None) => continue,
            Err(error) => {
                result = Err(error);
                continue;
            }
        };
        // A segment has the visitors of all its sessions.
        if let Visitors::All(visitors) = table.visitors {
            visitors.iter().for_each(|&visitor| take(Key::of_visitor(site, VisitorId(visitor))));
        }
        for column in Column::ALL {
            let dictionary = table.dictionary(column);
            let texts = (1..dictionary.len() as u32).map(|code| dictionary.get(code));
            texts.for_each(|text| take(Key::of_text(site, column, Sought::from(text))));
        }
    }
    result
}

/// What is looked for: a hash of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(u64);

impl Key {
    pub(super) fn of_text(site: SiteId, column: Column, text: Sought<'_>) -> Self {
        Self::mixed(text.hash.number(), u64::from(site.0) << 8 | column.index() as u64)
    }

    pub(super) fn of_visitor(site: SiteId, visitor: VisitorId) -> Self {
        Self::mixed(visitor.0, u64::from(site.0) << 8 | 0xff)
    }

    /// Ids that a site gave through an import need not be hashes.
    fn mixed(number: u64, kind: u64) -> Self {
        let mixed = (number ^ kind.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Self(mixed ^ (mixed >> 32))
    }

    /// The line, of so many, and the bits in its words.
    fn place(self, lines: usize) -> (usize, u64) {
        let line = ((u128::from(self.0) * lines as u128) >> 64) as usize;
        let mixed = self.0.wrapping_mul(0x94d0_49bb_1331_11eb);
        let place = |probe| (mixed >> (WORD_BITS - PLACE_BITS * probe)) % u64::from(WORD_BITS);
        let bits = (1..=PROBES).map(|probe| 1 << place(probe));
        (line, bits.fold(0, |all, bit: u64| all | bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As full as a segment makes them that has a text and a visitor for each row.
    #[test]
    fn all_that_are_there_pass_and_few_others() {
        const WORDS: usize = 1 << 10;
        const KEYS: u64 = 8 * 8 * WORDS as u64;
        for stride in [1, 0x1000_0000_0001] {
            let bank = Bank::new(WORDS);
            let key = |n: u64| Key::of_visitor(SiteId(1), VisitorId(n * stride));
            for n in 0..KEYS {
                let (line, bits) = key(n).place(WORDS);
                bank.lines[line].0[(n % 8) as usize].fetch_or(bits, Ordering::Relaxed);
            }
            assert!((0..KEYS).all(|n| bank.may_hold(key(n)) >> (n % 8) & 1 == 1));
            let others = |key: &dyn Fn(u64) -> Key| -> u32 {
                (KEYS..KEYS + 10_000).map(|n| bank.may_hold(key(n)).count_ones()).sum()
            };
            let passing = others(&key);
            assert!(passing < 80_000 / 25, "{passing} of 80,000 others pass");
            let of_another_site = others(&|n| Key::of_visitor(SiteId(2), VisitorId((n - KEYS) * stride)));
            assert!(of_another_site < 80_000 / 25, "{of_another_site} of another site pass");
        }
    }
}
