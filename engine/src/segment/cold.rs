//! What an index leaves to its Parquet file: columns that few queries need, read when one does.

use std::mem::{size_of, size_of_val};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::key_sets::TextKeySets;
use super::ranks::OwnedRanks;
use super::verdicts::Verdicts;
use crate::error::StorageError;
use crate::schema::Column;

/// A column of numbers that an index has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColdNumber {
    /// Duration of a custom event in seconds plus one; 0 when absent.
    EventDuration,
    /// HTTP status, 0 when absent.
    Status,
    /// When the server took the event, milliseconds; 0 when the same as its time.
    Received,
    /// Key of a given id, 0 when none; the same in all rows of a session.
    UserKey,
}

/// A value for each of neighbouring rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdRows<T> {
    /// The first of the rows.
    pub first_row: u32,
    /// The values of it and those that follow.
    pub values: Box<[T]>,
}

/// The texts of a column that few rows have one of, in byte order, without the empty one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColdTexts {
    /// The rows that have one.
    pub present: OwnedRanks,
    /// The text of each of them: its number, from 0.
    pub numbers: Box<[u32]>,
    /// Where each text starts in `bytes`, and the end.
    pub offsets: Box<[u32]>,
    /// All texts, UTF-8. Metadata and tags as [`crate::event::encode_pairs`] writes them.
    pub bytes: Box<[u8]>,
    /// The sets of keys of the texts, once somebody has asked.
    pub key_sets: OnceLock<TextKeySets>,
}

impl ColdTexts {
    /// One more than the number of the row's text; 0 when it has none.
    #[inline]
    pub fn code(&self, row: usize) -> u32 {
        let place = self.present.as_ranks().place(row);
        place.and_then(|place| self.numbers.get(place)).map_or(0, |&number| number.saturating_add(1))
    }

    /// A text, by its number.
    pub fn text(&self, number: u32) -> &str {
        let at = number as usize;
        let (Some(&start), Some(&end)) = (self.offsets.get(at), self.offsets.get(at + 1)) else { return "" };
        std::str::from_utf8(self.bytes.get(start as usize..end as usize).unwrap_or_default())
            .unwrap_or_default()
    }

    /// Which keys the texts have, if they are pairs.
    pub fn key_sets(&self) -> &TextKeySets {
        let count = self.offsets.len().saturating_sub(1) as u32;
        self.key_sets.get_or_init(|| TextKeySets::of((0..count).map(|number| self.text(number))))
    }

    /// How many of the rows have a text.
    pub fn count_in(&self, rows: Range<usize>) -> usize {
        let present = self.present.as_ranks();
        present.count_before(rows.end).saturating_sub(present.count_before(rows.start))
    }

    /// The codes of those of the rows that have a text, in order of rows.
    pub fn codes_in(&self, rows: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let present = self.present.as_ranks();
        let places = present.count_before(rows.start)..present.count_before(rows.end);
        self.numbers.get(places).unwrap_or_default().iter().map(|number| number.saturating_add(1))
    }

    /// Memory, bytes, with room for the sets of keys.
    pub fn byte_count(&self) -> usize {
        let words = self.numbers.len() + 2 * self.offsets.len();
        self.present.byte_count() + words * size_of::<u32>() + self.bytes.len()
    }
}

/// The numbers of a column that few rows have one of other than 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColdNumbers {
    /// The rows that have one.
    present: OwnedRanks,
    /// Theirs, as long as all of them are small; most are.
    small: Vec<u16>,
    /// Theirs, when some are not.
    large: Vec<u64>,
}

impl ColdNumbers {
    /// Adds a row's number. Rows must ascend; 0 says nothing.
    pub fn push(&mut self, row: u32, number: u64) {
        if number == 0 || !self.present.push(row as usize) {
            return;
        }
        match u16::try_from(number) {
            Ok(small) if self.large.is_empty() => self.small.push(small),
            _ => {
                self.large.extend(self.small.drain(..).map(u64::from));
                self.large.push(number);
            }
        }
    }

    /// Gives back the memory that it does not need. It has `rows` rows.
    pub fn finish(self, rows: usize) -> Self {
        let Self { present, mut small, mut large } = self;
        small.shrink_to_fit();
        large.shrink_to_fit();
        Self { present: present.finish(rows), small, large }
    }

    /// How many rows have one.
    pub fn count(&self) -> usize {
        self.present.count()
    }

    /// The row's number; 0 when it has none.
    #[inline]
    pub fn get(&self, row: usize) -> u64 {
        let Some(place) = self.present.as_ranks().place(row) else { return 0 };
        match self.small.get(place) {
            Some(&small) => small.into(),
            None => self.large.get(place).copied().unwrap_or(0),
        }
    }

    /// Memory, bytes.
    pub fn byte_count(&self) -> usize {
        let numbers = size_of_val(self.small.as_slice()) + size_of_val(self.large.as_slice());
        self.present.byte_count() + numbers
    }
}

/// Reads columns that an index has not. Rows are numbered as in the index's table. What is read is kept for a while.
pub trait ColdColumns: Send + Sync {
    /// The visitor of each row; of these rows at least.
    ///
    /// # Errors
    /// The file is damaged or could not be read; so for all of these.
    fn visitors(&self, rows: Range<u32>) -> Result<Arc<ColdRows<u64>>, StorageError>;

    /// The exact time of each row, milliseconds; of these rows at least.
    fn times(&self, rows: Range<u32>) -> Result<Arc<ColdRows<i64>>, StorageError>;

    /// A text column of all rows: metadata, tags, event ids or sources. Another column is an error.
    fn texts(&self, column: Column) -> Result<Arc<ColdTexts>, StorageError>;

    /// What the test of this name has said of the texts of a column so far, by their codes up to the greatest, when that
    /// is kept.
    fn verdicts(&self, column: Column, test: &str, greatest: u32) -> Option<Arc<Verdicts>>;

    /// A column of numbers of all rows.
    fn numbers(&self, number: ColdNumber) -> Result<Arc<ColdNumbers>, StorageError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_all_sizes_are_given_back() {
        let given = [(0u32, 7u64), (3, 0), (64, 65_535), (65, 1), (200, 65_536), (201, 2), (300, u64::MAX)];
        for count in 0..=given.len() {
            let mut numbers = ColdNumbers::default();
            given[..count].iter().for_each(|&(row, number)| numbers.push(row, number));
            let numbers = numbers.finish(302);
            for row in 0..310 {
                let wanted = given[..count].iter().find(|known| known.0 == row).map_or(0, |known| known.1);
                assert_eq!(numbers.get(row as usize), wanted, "row {row} of {count}");
            }
        }
    }
}
