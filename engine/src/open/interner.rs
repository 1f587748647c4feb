//! Strings of the open segment: each (site, column, string) is kept once and has a code.
//!
//! Code 0 is the empty string in every column. Codes, bytes and the site's codes lie in append-only columns that
//! readers share; only the hash table from string to code belongs to the writer alone.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use crate::error::StorageError;
use crate::schema::Column;
use crate::units::SiteId;
use crate::vfs::{AppendColumn, ColumnReader, Scratch};

/// One string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Entry {
    offset: u32,
    len: u32,
    site: u32,
    column: u32,
    site_code: u32,
}

pub(super) struct Interner {
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    entries: AppendColumn<Entry>,
    bytes: AppendColumn<u8>,
}

/// What readers see of the strings.
#[derive(Clone)]
pub(super) struct InternerReader {
    entries: ColumnReader<Entry>,
    bytes: ColumnReader<u8>,
}

impl Interner {
    pub(super) fn new(scratch: &mut Scratch, entries: usize, bytes: usize) -> Result<Self, StorageError> {
        let mut interner = Self {
            table: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            entries: scratch.column(entries)?,
            bytes: scratch.column(bytes)?,
        };
        let _ = interner.entries.push(Entry { offset: 0, len: 0, site: 0, column: 0, site_code: 0 });
        Ok(interner)
    }

    pub(super) fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn entry_count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn free(&self) -> (usize, usize) {
        (self.entries.capacity() - self.entries.len(), self.bytes.capacity() - self.bytes.len())
    }

    pub(super) fn text(&self, code: u32) -> &str {
        text_of(self.entries.as_slice(), self.bytes.as_slice(), code)
    }

    /// Bytes of the string of a code.
    pub(super) fn len_of(&self, code: u32) -> usize {
        if code == 0 {
            return 0;
        }
        self.entries.as_slice().get(code as usize).map_or(0, |entry| entry.len as usize)
    }

    pub(super) fn find(&self, site: SiteId, column: Column, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        let hash = self.hasher.hash_one((site, column, text.as_bytes()));
        self.table.find(hash, |&code| self.is(code, site, column, text)).copied()
    }

    /// The site's code of a string that is here.
    pub(super) fn site_code(&self, site: SiteId, column: Column, text: &str) -> Option<u32> {
        let code = self.find(site, column, text)?;
        self.entries.as_slice().get(code as usize).map(|entry| entry.site_code)
    }

    /// Whether a code is that of a string.
    pub(super) fn is(&self, code: u32, site: SiteId, column: Column, text: &str) -> bool {
        let Some(entry) = self.entries.as_slice().get(code as usize) else { return false };
        entry.site == site.0
            && entry.column == column.index() as u32
            && bytes_of(entry, self.bytes.as_slice()) == text.as_bytes()
    }

    /// Adds a string that [`Self::find`] did not find; room was checked before.
    pub(super) fn insert(&mut self, site: SiteId, column: Column, text: &str, site_code: u32) -> u32 {
        let code = self.entries.len() as u32;
        let entry = Entry {
            offset: self.bytes.len() as u32,
            len: text.len() as u32,
            site: site.0,
            column: column.index() as u32,
            site_code,
        };
        if self.bytes.extend(text.as_bytes()).is_err() || self.entries.push(entry).is_err() {
            return 0;
        }
        let hash = self.hasher.hash_one((site, column, text.as_bytes()));
        let (entries, bytes, hasher) = (self.entries.as_slice(), self.bytes.as_slice(), &self.hasher);
        self.table.insert_unique(hash, code, |&other| {
            let entry = entries[other as usize];
            let column = Column::ALL[entry.column as usize];
            hasher.hash_one((SiteId(entry.site), column, bytes_of(&entry, bytes)))
        });
        code
    }

    pub(super) fn reader(&self) -> InternerReader {
        InternerReader { entries: self.entries.reader(), bytes: self.bytes.reader() }
    }
}

impl InternerReader {
    /// How many strings are published.
    pub(super) fn len(&self) -> usize {
        self.entries.slice(usize::MAX).len()
    }

    /// The bytes of the string of a code.
    pub(super) fn bytes(&self, code: u32) -> &[u8] {
        let entry = self.entries.slice(usize::MAX).get(code as usize);
        entry.map_or(&[], |entry| bytes_of(entry, self.bytes.slice(usize::MAX)))
    }

    pub(super) fn site_code(&self, code: u32) -> u32 {
        self.entries.slice(usize::MAX).get(code as usize).map_or(0, |entry| entry.site_code)
    }
}

fn text_of<'a>(entries: &'a [Entry], bytes: &'a [u8], code: u32) -> &'a str {
    let Some(entry) = entries.get(code as usize) else { return "" };
    std::str::from_utf8(bytes_of(entry, bytes)).unwrap_or_default()
}

fn bytes_of<'a>(entry: &Entry, bytes: &'a [u8]) -> &'a [u8] {
    bytes.get(entry.offset as usize..(entry.offset + entry.len) as usize).unwrap_or_default()
}
