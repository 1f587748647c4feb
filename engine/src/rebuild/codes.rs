//! The site's codes of the strings in its Parquet files.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use hashbrown::HashMap;

use super::job::Means;
use super::strings::CodedStrings;
use crate::dictionary::{DictionaryBuilder, SiteDictionary};
use crate::error::{CompactionError, StorageError};
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::sink::Sink;
use crate::segment::{Segment, Sought};
use crate::units::{SegmentId, SiteId};

/// Strings of a column whose codes are remembered while a file is read.
const REMEMBERED_MAX: usize = 1 << 16;

/// Gives codes.
pub(super) struct Codes<'a> {
    site: SiteId,
    source: Source<'a>,
    remembered: [Remembered; COLUMN_COUNT],
}

/// Where codes come from.
enum Source<'a> {
    /// The dictionary has all of them.
    Known(Arc<SiteDictionary>),
    /// A new dictionary is made.
    New(Box<New<'a>>),
}

struct New<'a> {
    /// The site's parts that keep their codes, the one first that the writer believes first.
    segments: &'a [Arc<Segment>],
    /// The dictionary before, when it is sound, and which codes the segments have.
    before: Option<(Arc<SiteDictionary>, Vec<HashSet<u32>>)>,
    builder: DictionaryBuilder<'static>,
    strings: [CodedStrings; COLUMN_COUNT],
    /// Codes that nobody else gives.
    free: [Range<u32>; COLUMN_COUNT],
}

/// Codes that were asked for before.
#[derive(Default)]
struct Remembered {
    last: (String, u32),
    codes: HashMap<String, u32>,
}

impl<'a> Codes<'a> {
    /// Those of a dictionary.
    pub fn known(site: SiteId, dictionary: Arc<SiteDictionary>) -> Self {
        Self::of(site, Source::Known(dictionary))
    }

    /// Those of a new dictionary that is to lie at `path`.
    ///
    /// # Errors
    /// A segment is damaged.
    pub fn new(
        site: SiteId,
        path: &Path,
        segments: &'a [Arc<Segment>],
        before: Option<Arc<SiteDictionary>>,
    ) -> Result<Self, StorageError> {
        let before = before.map(|before| Ok((before, codes_of(site, segments)?))).transpose()?;
        let builder = DictionaryBuilder::new(path, None);
        let free = std::array::from_fn(|_| 0..0);
        let strings = std::array::from_fn(|_| CodedStrings::default());
        let new = New { segments, before, builder, strings, free };
        Ok(Self::of(site, Source::New(Box::new(new))))
    }

    fn of(site: SiteId, source: Source<'a>) -> Self {
        Self { site, source, remembered: std::array::from_fn(|_| Remembered::default()) }
    }

    /// The code of a text.
    ///
    /// # Errors
    /// [`CompactionError::Codes`] when the dictionary has not all strings after all.
    pub fn code(
        &mut self,
        column: Column,
        text: &str,
        means: &mut Means<'_>,
    ) -> Result<u32, CompactionError> {
        if text.is_empty() {
            return Ok(0);
        }
        let Some(remembered) = self.remembered.get_mut(column.index()) else { return Ok(0) };
        if remembered.last.0 == text {
            return Ok(remembered.last.1);
        }
        let code = match remembered.codes.get(text) {
            Some(&code) => code,
            None => {
                let code = match &mut self.source {
                    Source::Known(dictionary) => {
                        dictionary.find(column, text).ok_or(CompactionError::Codes(self.site))?
                    }
                    Source::New(new) => new.code(self.site, column, text, means)?,
                };
                if remembered.codes.len() >= REMEMBERED_MAX {
                    remembered.codes.clear();
                }
                remembered.codes.insert(text.to_owned(), code);
                code
            }
        };
        remembered.last.0.clear();
        remembered.last.0.push_str(text);
        remembered.last.1 = code;
        Ok(code)
    }

    /// Writes the new dictionary, when there is one, to `out`.
    ///
    /// # Errors
    /// See [`DictionaryBuilder::finish`].
    pub fn finish<S: Sink>(self, number: SegmentId, out: S) -> Result<S, StorageError> {
        match self.source {
            Source::Known(_) => Ok(out),
            Source::New(new) => {
                let text = |column: Column, number| new.strings[column.index()].get(number).as_bytes();
                new.builder.finish(number, self.site, text, out)
            }
        }
    }
}

impl New<'_> {
    fn code(
        &mut self,
        site: SiteId,
        column: Column,
        text: &str,
        means: &mut Means<'_>,
    ) -> Result<u32, CompactionError> {
        if let Some(code) = self.strings[column.index()].code(text) {
            return Ok(code);
        }
        let sought = Sought::from(text);
        let in_segments = self.segments.iter().find_map(|segment| segment.site_code(site, column, sought));
        let code = match in_segments.or_else(|| self.code_before(column, text)) {
            Some(code) => code,
            None => self.free_code(column, means)?,
        };
        let full = || StorageError::TooLarge { what: format!("the strings of {column:?} are 4 GiB or more") };
        let number = self.strings[column.index()].push(code, text).ok_or_else(full)?;
        self.builder.add(column, code, text, number)?;
        Ok(code)
    }

    /// The code in the dictionary before, unless a segment has it for another string.
    fn code_before(&self, column: Column, text: &str) -> Option<u32> {
        let (before, used) = self.before.as_ref()?;
        let is_free = |code: &u32| used.get(column.index()).is_some_and(|used| !used.contains(code));
        before.find(column, text).filter(is_free)
    }

    fn free_code(&mut self, column: Column, means: &mut Means<'_>) -> Result<u32, StorageError> {
        let none = || StorageError::TooLarge { what: format!("there are no codes left for {column:?}") };
        let free = self.free.get_mut(column.index()).ok_or_else(none)?;
        if free.start >= free.end {
            *free = (means.codes)(column)?;
        }
        free.next().ok_or_else(none)
    }
}

/// The codes that segments have of each column.
fn codes_of(site: SiteId, segments: &[Arc<Segment>]) -> Result<Vec<HashSet<u32>>, StorageError> {
    let mut codes = vec![HashSet::new(); COLUMN_COUNT];
    for segment in segments {
        let Some(table) = segment.table(site)? else { continue };
        for (column, codes) in Column::ALL.iter().zip(&mut codes) {
            codes.extend(table.dictionary(*column).site_codes);
        }
    }
    Ok(codes)
}
