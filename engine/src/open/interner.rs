//! Strings of the open segment: each (site, column, string) is kept once and has a code.
//!
//! Code 0 is the empty string in every column. Codes, bytes and the site's codes lie in append-only columns that
//! readers share; only the hash table from string to code belongs to the writer alone.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
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
    /// The code that was asked for last in each column: in most columns it is the next one, too.
    latest: [u32; COLUMN_COUNT],
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
    entries: AppendColumn<Entry>,
    bytes: AppendColumn<u8>,
}

/// The hash of a string that is not there.
#[derive(Debug, Clone, Copy)]
pub struct InsertHash(u64);

/// What readers see of the strings.
#[derive(Clone)]
pub(super) struct InternerReader {
    entries: ColumnReader<Entry>,
    bytes: ColumnReader<u8>,
}

impl Interner {
    pub(super) fn new(scratch: &mut Scratch, entries: usize, bytes: usize) -> Result<Self, StorageError> {
        Self::over(HashTable::new(), scratch, entries, bytes)
    }

    /// One that uses the room of an empty table.
    pub(super) fn over(
        table: HashTable<u32>,
        scratch: &mut Scratch,
        entries: usize,
        bytes: usize,
    ) -> Result<Self, StorageError> {
        let mut interner = Self {
            latest: [0; COLUMN_COUNT],
            table,
            hasher: DefaultHashBuilder::default(),
            entries: scratch.column(entries)?,
            bytes: scratch.column(bytes)?,
        };
        let _ = interner.entries.push(Entry { offset: 0, len: 0, site: 0, column: 0, site_code: 0 });
        Ok(interner)
    }

    /// The table, emptied.
    pub(super) fn into_table(mut self) -> HashTable<u32> {
        self.table.clear();
        self.table
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

    /// Has the table grow to so many strings at once while there is none, and touches it.
    pub(super) fn warm(&mut self, strings: usize) {
        self.table.reserve(strings, |_| 0);
        for number in 0..strings as u64 {
            self.table.insert_unique(self.hasher.hash_one(number), 0, |_| 0);
        }
        self.table.clear();
    }

    /// The code of a string that is here; of any other the hash with which it is inserted.
    pub(super) fn find(&mut self, site: SiteId, column: Column, text: &str) -> Result<u32, InsertHash> {
        if text.is_empty() {
            return Ok(0);
        }
        let latest = self.latest[column.index()];
        if self.is(latest, site, column, text) {
            return Ok(latest);
        }
        let hash = self.hash(site, column, text.as_bytes());
        let found = self.table.find(hash.0, |&code| self.is(code, site, column, text)).copied();
        self.latest[column.index()] = found.unwrap_or(latest);
        found.ok_or(hash)
    }

    /// The site's code of a string that is here.
    pub(super) fn site_code(&self, site: SiteId, column: Column, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        let hash = self.hash(site, column, text.as_bytes());
        let code = *self.table.find(hash.0, |&code| self.is(code, site, column, text))?;
        self.entries.as_slice().get(code as usize).map(|entry| entry.site_code)
    }

    fn hash(&self, site: SiteId, column: Column, text: &[u8]) -> InsertHash {
        InsertHash(self.hasher.hash_one((site, column, text)))
    }

    /// Whether a code is that of a string.
    pub(super) fn is(&self, code: u32, site: SiteId, column: Column, text: &str) -> bool {
        let Some(entry) = self.entries.as_slice().get(code as usize) else { return false };
        entry.site == site.0
            && entry.column == column.index() as u32
            && bytes_of(entry, self.bytes.as_slice()) == text.as_bytes()
    }

    /// Adds a string that [`Self::find`] did not find, and gave this hash for; room was checked before.
    pub(super) fn insert(
        &mut self,
        site: SiteId,
        column: Column,
        text: &str,
        hash: InsertHash,
        site_code: u32,
    ) -> u32 {
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
        self.latest[column.index()] = code;
        let (entries, bytes, hasher) = (self.entries.as_slice(), self.bytes.as_slice(), &self.hasher);
        self.table.insert_unique(hash.0, code, |&other| {
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
