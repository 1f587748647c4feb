//! The texts of a column chunk, each once, with their codes.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use parquet::bloom_filter::Sbbf;
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// Bytes of a text's length before it.
const LENGTH_BYTES: usize = 4;
/// Bytes of the least and greatest text that are told.
const STATISTICS_BYTES: usize = 64;

/// The texts of a chunk in the order in which they came, as a dictionary page has them.
#[derive(Default)]
pub(super) struct Dictionary {
    /// Each text with its length before it: the plain encoding.
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
    codes: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Dictionary {
    /// How many texts there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The code of a text.
    pub fn intern(&mut self, text: &str) -> u32 {
        let Self { bytes, ends, codes, hasher } = self;
        let known = |code: u32| text_of(bytes, ends, code);
        let hash = hasher.hash_one(text.as_bytes());
        if let Some(&code) = codes.find(hash, |&code| known(code) == text.as_bytes()) {
            return code;
        }
        let code = ends.len() as u32;
        codes.insert_unique(hash, code, |&code| hasher.hash_one(known(code)));
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        ends.push(bytes.len() as u32);
        code
    }

    /// A text with its length before it.
    pub fn entry(&self, code: u32) -> &[u8] {
        entry_of(&self.bytes, &self.ends, code)
    }

    /// So many of the first texts, as a dictionary page has them.
    pub fn first(&self, entries: usize) -> &[u8] {
        let last = entries.checked_sub(1).and_then(|last| self.ends.get(last));
        self.bytes.get(..last.map_or(0, |&end| end as usize)).unwrap_or_default()
    }

    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len() as u32).map(|code| text_of(&self.bytes, &self.ends, code))
    }

    /// A bloom filter of all texts.
    pub fn filter(&self, false_yes: f64) -> Result<Sbbf> {
        let mut filter = Sbbf::new_with_ndv_fpp(self.ends.len().max(1) as u64, false_yes)?;
        self.texts().for_each(|text| filter.insert(text));
        filter.fold_to_target_fpp(false_yes);
        Ok(filter)
    }

    /// What a reader is told of the column: the least text, the greatest, and how many are null.
    pub fn statistics(&self, nulls: u64) -> Statistics {
        let (least, greatest) = (self.texts().min(), self.texts().max());
        let is_short = |text: Option<&[u8]>| text.is_some_and(|text| text.len() <= STATISTICS_BYTES);
        // A beginning is less than its text.
        let min = least.map(|text| ByteArray::from(beginning(text).to_vec()));
        let max = if is_short(greatest) { greatest.map(<[u8]>::to_vec) } else { greatest.and_then(above) };
        Statistics::ByteArray(
            ValueStatistics::new(min, max.map(ByteArray::from), None, Some(nulls), false)
                .with_min_is_exact(is_short(least))
                .with_max_is_exact(is_short(greatest)),
        )
    }
}

/// A short text above all that begin as this one.
fn above(text: &[u8]) -> Option<Vec<u8>> {
    let mut short = String::from_utf8(beginning(text).to_vec()).ok()?;
    while let Some(last) = short.pop() {
        if let Some(next) = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32) {
            short.push(next);
            return Some(short.into_bytes());
        }
    }
    None
}

/// As much of a text as is told, whole characters.
fn beginning(text: &[u8]) -> &[u8] {
    let mut end = text.len().min(STATISTICS_BYTES);
    while end < text.len() && text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn entry_of<'b>(bytes: &'b [u8], ends: &[u32], code: u32) -> &'b [u8] {
    let end_of = |code: usize| ends.get(code).map_or(0, |&end| end as usize);
    let start = (code as usize).checked_sub(1).map_or(0, end_of);
    bytes.get(start..end_of(code as usize)).unwrap_or_default()
}

fn text_of<'b>(bytes: &'b [u8], ends: &[u32], code: u32) -> &'b [u8] {
    entry_of(bytes, ends, code).get(LENGTH_BYTES..).unwrap_or_default()
}
