//! Makes a site's dictionary from the one before and what is new.

use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::reader::{SiteDictionary, Strings};
use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::build::write_finder;
use crate::segment::layout::{FileWriter, Tag};
use crate::units::{SegmentId, SiteId};

/// Collects what is new and writes the next dictionary. The older one is read where it is mapped; only new strings,
/// and in the end the file's bytes and one column of it, are in memory.
pub struct DictionaryBuilder<'a> {
    path: PathBuf,
    older: Option<&'a SiteDictionary>,
    fresh: [Fresh; COLUMN_COUNT],
}

/// New strings of a column in the order in which they came.
#[derive(Default)]
struct Fresh {
    places: HashMap<u32, u32>,
    /// Places by string.
    by_text: HashTable<u32>,
    hasher: DefaultHashBuilder,
    codes: Vec<u32>,
    ends: Vec<u32>,
    text: String,
}

impl Fresh {
    fn text(&self, place: usize) -> &str {
        let start = place.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(place).copied().unwrap_or(0);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// `None` when there is no room for it.
    fn push(&mut self, code: u32, text: &str) -> Option<()> {
        let end = self.text.len().checked_add(text.len()).and_then(|end| u32::try_from(end).ok())?;
        let place = self.codes.len() as u32;
        self.places.insert(code, place);
        self.codes.push(code);
        self.ends.push(end);
        self.text.push_str(text);
        let mut by_text = std::mem::take(&mut self.by_text);
        let hash = |place: &u32| self.hasher.hash_one(self.text(*place as usize));
        by_text.insert_unique(hash(&place), place, hash);
        self.by_text = by_text;
        Some(())
    }

    fn find(&self, text: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(text);
        let place = self.by_text.find(hash, |&place| self.text(place as usize) == text)?;
        self.codes.get(*place as usize).copied()
    }
}

/// A column as it is written.
struct Merged {
    codes: Vec<u32>,
    offsets: Vec<u32>,
    bytes: Vec<u8>,
    /// Places in the order of the older dictionary, then new ones.
    order: Vec<u32>,
}

impl Merged {
    /// Adds a string and tells its place.
    fn push(&mut self, code: u32, text: &str) -> Option<u32> {
        let place = self.codes.len() as u32;
        self.codes.push(code);
        self.bytes.extend_from_slice(text.as_bytes());
        self.offsets.push(u32::try_from(self.bytes.len()).ok()?);
        Some(place)
    }

    fn text(&self, place: u32) -> &[u8] {
        let at = |place: usize| self.offsets.get(place).map_or(0, |&at| at as usize);
        self.bytes.get(at(place as usize)..at(place as usize + 1)).unwrap_or_default()
    }
}

impl<'a> DictionaryBuilder<'a> {
    /// Begins with what `older` has. `path` is where the new one goes, for messages.
    pub fn new(path: &Path, older: Option<&'a SiteDictionary>) -> Self {
        Self { path: path.to_path_buf(), older, fresh: std::array::from_fn(|_| Fresh::default()) }
    }

    /// Adds a string with its site's code. One that is there already changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the code stands for another string already (what it comes from is damaged, or
    /// the older dictionary is), [`StorageError::TooLarge`] when a column's strings are 4 GiB.
    pub fn add(&mut self, column: Column, code: u32, text: &str) -> Result<(), StorageError> {
        if code == 0 || text.is_empty() {
            return if code == 0 && text.is_empty() { Ok(()) } else { Err(self.conflict(column)) };
        }
        let older = older_strings(self.older, column)?;
        let Some(fresh) = self.fresh.get_mut(column.index()) else { return Ok(()) };
        let known = match (older.place(code), fresh.places.get(&code)) {
            (Some(place), _) => older.text(place),
            (None, Some(&place)) => fresh.text(place as usize),
            (None, None) => return fresh.push(code, text).ok_or_else(|| too_large(column)),
        };
        if known == text { Ok(()) } else { Err(self.conflict(column)) }
    }

    /// The code of a string that was added.
    pub fn find_added(&self, column: Column, text: &str) -> Option<u32> {
        self.fresh.get(column.index())?.find(text)
    }

    /// How many strings were added that the older dictionary has not. With 0 there is no need for a new one.
    pub fn new_count(&self) -> usize {
        self.fresh.iter().map(|fresh| fresh.codes.len()).sum()
    }

    /// The new dictionary's bytes.
    ///
    /// # Errors
    /// As [`DictionaryBuilder::add`], also when two codes stand for one string.
    pub fn finish(mut self, id: SegmentId, site: SiteId) -> Result<Vec<u8>, StorageError> {
        let mut out = FileWriter::new(id);
        out.begin_site(site, 0, 0);
        for column in Column::ALL {
            let fresh = self.fresh.get_mut(column.index()).map(std::mem::take).unwrap_or_default();
            let older = older_strings(self.older, column)?;
            let mut merged = merge(older, &fresh).ok_or_else(|| too_large(column))?;
            drop(fresh);
            let mut order = std::mem::take(&mut merged.order);
            // The sort finds that most of it is in order.
            order.sort_by(|&a, &b| merged.text(a).cmp(merged.text(b)));
            if order.windows(2).any(|pair| merged.text(pair[0]) == merged.text(pair[1])) {
                return Err(self.conflict(column));
            }
            write_column(&mut out, column, &merged, &order);
        }
        Ok(out.finish())
    }

    fn conflict(&self, column: Column) -> StorageError {
        let what = format!("its strings of the column {column:?} would not be one to one with their codes");
        StorageError::corrupt(&self.path, 0, what)
    }
}

fn older_strings(older: Option<&SiteDictionary>, column: Column) -> Result<Strings<'_>, StorageError> {
    older.map_or(Ok(Strings::EMPTY), |older| older.strings(column))
}

fn too_large(column: Column) -> StorageError {
    StorageError::TooLarge { what: format!("the strings of the column {column:?} are 4 GiB or more") }
}

/// All strings in the order of their codes. `None` when they are too many bytes.
fn merge(older: Strings<'_>, fresh: &Fresh) -> Option<Merged> {
    let count = older.len() + fresh.codes.len();
    let mut merged = Merged {
        codes: Vec::with_capacity(count),
        offsets: Vec::with_capacity(count + 1),
        bytes: Vec::with_capacity(older.byte_count() + fresh.text.len()),
        order: Vec::with_capacity(count),
    };
    merged.offsets.push(0);
    let mut by_code: Vec<(u32, usize)> = fresh.codes.iter().copied().zip(0..).collect();
    by_code.sort_unstable();
    let mut next = by_code.into_iter().peekable();
    let mut fresh_places = Vec::with_capacity(fresh.codes.len());
    let mut older_places = Vec::with_capacity(older.len());
    for (code, text) in older.entries() {
        while let Some((code, at)) = next.next_if(|&(fresh_code, _)| fresh_code < code) {
            fresh_places.push(merged.push(code, fresh.text(at))?);
        }
        older_places.push(merged.push(code, text)?);
    }
    for (code, at) in next {
        fresh_places.push(merged.push(code, fresh.text(at))?);
    }
    let ordered = older.order().iter().filter_map(|&place| older_places.get(place as usize));
    merged.order.extend(ordered);
    merged.order.append(&mut fresh_places);
    Some(merged)
}

fn write_column(out: &mut FileWriter, column: Column, merged: &Merged, order: &[u32]) {
    let (Some(&first), Some(&last)) = (merged.codes.first(), merged.codes.last()) else { return };
    if (last - first) as usize == merged.codes.len() - 1 {
        out.constant(Tag::dictionary_codes(column), last);
    } else {
        out.block(Tag::dictionary_codes(column), last, &merged.codes);
    }
    out.block(Tag::dictionary_offsets(column), 0, &merged.offsets);
    out.block(Tag::dictionary_strings(column), 0, &merged.bytes);
    out.block(Tag::dictionary_order(column), 0, order);
    let places = 0..merged.codes.len() as u32;
    write_finder(out, column, places.map(|place| (place, merged.text(place))));
}
