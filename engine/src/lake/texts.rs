//! The texts of a column as they are read, row by row, each kept once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::segment::cold::ColdTexts;
use crate::segment::ranks::OwnedRanks;

/// Collects texts; rows come in ascending order.
#[derive(Default)]
pub(super) struct TextsBuilder {
    present: OwnedRanks,
    codes: Vec<u32>,
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    distinct: Distinct,
}

/// Texts one after the other, each with a code, from 0.
#[derive(Default)]
struct Distinct {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Distinct {
    fn get(&self, code: u32) -> &[u8] {
        let code = code as usize;
        let start = code.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end);
        let end = self.ends.get(code).map_or(0, |&end| end);
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// `None` when there is no room for it.
    fn push(&mut self, text: &str) -> Option<u32> {
        let end = self.bytes.len().checked_add(text.len()).and_then(|end| u32::try_from(end).ok())?;
        let code = u32::try_from(self.ends.len()).ok()?;
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(end);
        Some(code)
    }
}

impl TextsBuilder {
    /// The text of a row; "" is none.
    ///
    /// # Errors
    /// The texts are too many bytes, in words.
    pub fn push(&mut self, row: u32, text: &str) -> Result<(), &'static str> {
        if text.is_empty() {
            return Ok(());
        }
        let Self { table, hasher, distinct, .. } = self;
        let hash = hasher.hash_one(text.as_bytes());
        let code = match table.find(hash, |&code| distinct.get(code) == text.as_bytes()) {
            Some(&code) => code,
            None => {
                let code = distinct.push(text).ok_or("has 4 GiB of texts or more")?;
                table.insert_unique(hash, code, |&code| hasher.hash_one(distinct.get(code)));
                code
            }
        };
        if !self.present.push(row as usize) {
            return Err("has rows out of order");
        }
        self.codes.push(code);
        Ok(())
    }

    /// The texts in byte order, of so many rows.
    pub fn finish(self, rows: usize) -> ColdTexts {
        let Self { present, mut codes, table, distinct, .. } = self;
        drop(table);
        let mut order: Vec<u32> = (0..distinct.ends.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| distinct.get(a).cmp(distinct.get(b)));
        let mut offsets = Vec::with_capacity(order.len() + 1);
        let mut bytes = Vec::with_capacity(distinct.bytes.len());
        let mut renamed = vec![0; order.len()];
        offsets.push(0);
        for (new, &old) in (0..).zip(&order) {
            bytes.extend_from_slice(distinct.get(old));
            offsets.push(bytes.len() as u32);
            if let Some(name) = renamed.get_mut(old as usize) {
                *name = new;
            }
        }
        for code in &mut codes {
            *code = renamed.get(*code as usize).copied().unwrap_or(0);
        }
        ColdTexts {
            present: present.finish(rows),
            numbers: codes.into(),
            offsets: offsets.into(),
            bytes: bytes.into(),
            ..ColdTexts::default()
        }
    }
}
