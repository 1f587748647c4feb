//! Strings of a column that were read, each with its code.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Each string once, numbered in the order in which they came.
#[derive(Default)]
pub(super) struct CodedStrings {
    by_text: HashTable<u32>,
    hasher: DefaultHashBuilder,
    codes: Vec<u32>,
    ends: Vec<u32>,
    text: String,
}

impl CodedStrings {
    /// The string with a number.
    pub fn get(&self, number: u32) -> &str {
        let end = |number: u32| self.ends.get(number as usize).copied();
        let start = number.checked_sub(1).and_then(end).unwrap_or(0);
        self.text.get(start as usize..end(number).unwrap_or(0) as usize).unwrap_or_default()
    }

    /// The code of a string that is here.
    pub fn code(&self, text: &str) -> Option<u32> {
        let number = self.by_text.find(self.hasher.hash_one(text), |&number| self.get(number) == text)?;
        self.codes.get(*number as usize).copied()
    }

    /// Adds one that is not here, and tells its number. `None` when there is no room for it.
    pub fn push(&mut self, code: u32, text: &str) -> Option<u32> {
        let end = self.text.len().checked_add(text.len()).and_then(|end| u32::try_from(end).ok())?;
        let number = u32::try_from(self.codes.len()).ok()?;
        self.codes.push(code);
        self.ends.push(end);
        self.text.push_str(text);
        let mut by_text = std::mem::take(&mut self.by_text);
        let hash = |&number: &u32| self.hasher.hash_one(self.get(number));
        by_text.insert_unique(hash(&number), number, hash);
        self.by_text = by_text;
        Some(number)
    }
}
