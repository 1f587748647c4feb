//! Sums of a number that custom events carry in their metadata, for each group.
//!
//! A metadata text is read once for each source in which it occurs. Numbers are whole billionths, so that a sum does
//! not depend on the order in which it is made.

use std::cell::RefCell;

use super::MetaNumber;
use crate::event::Pairs;
use crate::scan::batch::{Batch, NO_GROUP};
use crate::segment::table::{Codes, Dictionary};

/// A sum, and of how many events.
pub(super) type Sum = (i128, u64);
/// The sums of the groups of all sources; a group that is missing has none.
pub(super) type SharedSums = RefCell<Vec<Sum>>;

/// Adds sums that were made elsewhere; `places` has the group here of each group there.
pub(super) fn absorb(sums: &mut Vec<Sum>, others: &[Sum], places: &[u32]) {
    for (&(other, count), &group) in others.iter().zip(places) {
        let (sum, known) = at(sums, group);
        *sum = sum.saturating_add(other);
        *known += count;
    }
}

fn at(sums: &mut Vec<Sum>, group: u32) -> &mut Sum {
    if sums.len() <= group as usize {
        sums.resize(group as usize + 1, Sum::default());
    }
    &mut sums[group as usize]
}

/// Adds up the numbers of counted rows of one source.
pub(super) struct NumberColumn<'q, 'a> {
    number: &'q MetaNumber,
    codes: Codes<'a>,
    dictionary: Dictionary<'a>,
    /// For each local code its number, once it was read; `Some(None)` has none.
    local: Vec<Option<Option<i128>>>,
    sums: &'q SharedSums,
}

impl<'q, 'a> NumberColumn<'q, 'a> {
    /// Over the metadata column of a source.
    pub fn new(
        number: &'q MetaNumber,
        codes: Codes<'a>,
        dictionary: Dictionary<'a>,
        sums: &'q SharedSums,
    ) -> Self {
        Self { number, codes, dictionary, local: vec![None; dictionary.len().max(1)], sums }
    }

    /// Adds the numbers of the rows of a batch to their groups.
    pub fn note(&mut self, batch: &Batch) {
        let mut sums = self.sums.borrow_mut();
        for (&row, &group) in batch.rows.iter().zip(&batch.groups) {
            let code = self.codes.get(row as usize);
            let Some(place) = self.local.get_mut(code as usize) else { continue };
            let read = || {
                Pairs(self.dictionary.get(code)).get(&self.number.key).map(|text| (self.number.read)(text))
            };
            let Some(number) = *place.get_or_insert_with(read) else { continue };
            if group == NO_GROUP {
                continue;
            }
            let (sum, count) = at(&mut sums, group);
            *sum = sum.saturating_add(number);
            *count += 1;
        }
    }
}
