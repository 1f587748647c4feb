//! Makes a site's dictionary from the one before and what is new.

use std::path::{Path, PathBuf};

use super::reader::{SiteDictionary, Strings};
use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::build::write_finder;
use crate::segment::layout::{FileWriter, Tag};
use crate::segment::sink::Sink;
use crate::units::{SegmentId, SiteId};

/// Collects which strings are new and writes the next dictionary. The strings themselves stay where they are: those of the
/// older one are read where it is mapped, new ones are asked for by the number under which they were added.
///
/// In memory are 8 bytes for each time that a string is added which the older one has not, and of the column that is written
/// up to 24 bytes a string.
pub struct DictionaryBuilder<'a> {
    path: PathBuf,
    older: Option<&'a SiteDictionary>,
    fresh: [Vec<Entry>; COLUMN_COUNT],
}

/// A string's code, and where the string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    code: u32,
    /// The number under which it was added; in [`Merged`] see there.
    number: u32,
}

impl<'a> DictionaryBuilder<'a> {
    /// Begins with what `older` has. `path` is where the new one goes, for messages.
    pub fn new(path: &Path, older: Option<&'a SiteDictionary>) -> Self {
        Self { path: path.to_path_buf(), older, fresh: std::array::from_fn(|_| Vec::new()) }
    }

    /// Adds a string with its site's code; `number` is by which [`Self::finish`] asks for it. It may be added several times.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the code stands for another string in the older dictionary: what it comes from is
    /// damaged, or that dictionary is.
    pub fn add(&mut self, column: Column, code: u32, text: &str, number: u32) -> Result<(), StorageError> {
        if code == 0 || text.is_empty() {
            return if code == 0 && text.is_empty() { Ok(()) } else { Err(self.conflict(column)) };
        }
        let older = older_strings(self.older, column)?;
        match older.place(code) {
            Some(place) if older.text(place) == text => {}
            Some(_) => return Err(self.conflict(column)),
            None => self.fresh[column.index()].push(Entry { code, number }),
        }
        Ok(())
    }

    /// Whether something was added that the older dictionary has not. Else there is no need for a new one.
    pub fn has_new(&self) -> bool {
        self.fresh.iter().any(|fresh| !fresh.is_empty())
    }

    /// Writes the new dictionary to `out`. `text` gives the bytes of the strings that were added, by their numbers.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when one code stands for two strings, or two codes for one;
    /// [`StorageError::TooLarge`] when a column's strings are 4 GiB. Then `out` is of no use.
    pub fn finish<'t, S: Sink>(
        mut self,
        id: SegmentId,
        site: SiteId,
        text: impl Fn(Column, u32) -> &'t [u8],
        out: S,
    ) -> Result<S, StorageError> {
        let mut out = FileWriter::to(id, out);
        out.begin_site(site, 0, 0);
        for column in Column::ALL {
            let fresh = std::mem::take(&mut self.fresh[column.index()]);
            let fresh = self.without_doubles(column, fresh, |number| text(column, number))?;
            let older = older_strings(self.older, column)?;
            let texts = Texts { older, fresh: |number| text(column, number) };
            let Merged { entries, mut order } = texts.merge(fresh).ok_or_else(|| too_large(column))?;
            let text_at = |place: u32| texts.get(&entries[place as usize]);
            // The sort finds that most of it is in order.
            order.sort_by(|&a, &b| text_at(a).cmp(text_at(b)));
            if order.windows(2).any(|pair| text_at(pair[0]) == text_at(pair[1])) {
                return Err(self.conflict(column));
            }
            write_column(&mut out, column, &entries, order, |entry| texts.get(entry))?;
        }
        Ok(out.finish())
    }

    /// Each code once, ascending.
    fn without_doubles<'t>(
        &self,
        column: Column,
        mut fresh: Vec<Entry>,
        text: impl Fn(u32) -> &'t [u8],
    ) -> Result<Vec<Entry>, StorageError> {
        fresh.sort_unstable();
        let differ =
            |pair: &[Entry]| pair[0].code == pair[1].code && text(pair[0].number) != text(pair[1].number);
        if fresh.windows(2).any(differ) {
            return Err(self.conflict(column));
        }
        fresh.dedup_by_key(|entry| entry.code);
        Ok(fresh)
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

/// The strings of a column, old and new.
struct Texts<'a, F> {
    older: Strings<'a>,
    fresh: F,
}

/// A column as it is written.
struct Merged {
    /// In the order of their codes. A number is a place in the older dictionary; that of a new string comes behind all
    /// of them.
    entries: Vec<Entry>,
    /// Places in the order of the older dictionary, then new ones.
    order: Vec<u32>,
}

impl<'t, F: Fn(u32) -> &'t [u8]> Texts<'t, F> {
    fn get(&self, entry: &Entry) -> &'t [u8] {
        match entry.number.checked_sub(self.older.len() as u32) {
            Some(number) => (self.fresh)(number),
            None => self.older.text_bytes(entry.number as usize),
        }
    }

    /// `None` when there are too many for their numbers.
    fn merge(&self, fresh: Vec<Entry>) -> Option<Merged> {
        let behind = u32::try_from(self.older.len()).ok()?;
        let mut entries = Vec::with_capacity(self.older.len() + fresh.len());
        let mut older_places = Vec::with_capacity(self.older.len());
        let mut fresh_places = Vec::with_capacity(fresh.len());
        let mut fresh = fresh.into_iter().peekable();
        for (number, (code, _)) in (0..).zip(self.older.entries()) {
            while let Some(entry) = fresh.next_if(|entry| entry.code < code) {
                fresh_places.push(entries.len() as u32);
                entries.push(Entry { number: entry.number.checked_add(behind)?, ..entry });
            }
            older_places.push(entries.len() as u32);
            entries.push(Entry { code, number });
        }
        for entry in fresh {
            fresh_places.push(entries.len() as u32);
            entries.push(Entry { number: entry.number.checked_add(behind)?, ..entry });
        }
        let mut order: Vec<u32> = Vec::with_capacity(entries.len());
        order.extend(self.older.order().iter().filter_map(|&place| older_places.get(place as usize)));
        // In the order of their numbers: where they come from they may be in byte order.
        fresh_places.sort_unstable_by_key(|&place| entries[place as usize].number);
        order.append(&mut fresh_places);
        Some(Merged { entries, order })
    }
}

fn write_column<'t, S: Sink>(
    out: &mut FileWriter<S>,
    column: Column,
    entries: &[Entry],
    order: Vec<u32>,
    text: impl Fn(&Entry) -> &'t [u8],
) -> Result<(), StorageError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
    if (last.code - first.code) as usize == entries.len() - 1 {
        out.constant(Tag::dictionary_codes(column), last.code);
    } else {
        out.numbers(Tag::dictionary_codes(column), last.code, entries.iter().map(|entry| entry.code));
    }
    let byte_count: u64 = entries.iter().map(|entry| text(entry).len() as u64).sum();
    u32::try_from(byte_count).map_err(|_| too_large(column))?;
    let ends = entries.iter().scan(0, |end, entry| {
        *end += text(entry).len() as u32;
        Some(*end)
    });
    out.numbers(Tag::dictionary_offsets(column), 0, std::iter::once(0).chain(ends));
    out.pieces(Tag::dictionary_strings(column), 0, entries.iter().map(&text));
    out.block(Tag::dictionary_order(column), 0, &order);
    drop(order);
    let places = 0..entries.len() as u32;
    write_finder(out, column, places.map(|place| (place, text(&entries[place as usize]))));
    Ok(())
}
