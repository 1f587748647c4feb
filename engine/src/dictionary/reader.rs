//! A dictionary over its bytes, mapped from a file or held in memory.
//!
//! Opening checks the outline (header, directory, trailer). A column's blocks are checked, checksums and structure,
//! when the column is first read; a damaged column is never served.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::Blocks;
use crate::segment::finder::{Finder, TextHash};
use crate::segment::layout::{Block, Directory, SiteEntry, Tag, read_directory};
use crate::segment::table::SiteStrings;
use crate::segment::verdicts::{VerdictMemory, Verdicts};
use crate::units::{SegmentId, SiteId};
use crate::vfs::Bytes;

/// One site's dictionary: immutable, possibly mapped.
pub struct SiteDictionary {
    path: PathBuf,
    bytes: Bytes,
    directory: Directory,
    checked: [OnceLock<Result<Places, StorageError>>; COLUMN_COUNT],
    verdicts: Option<Arc<VerdictMemory>>,
}

/// Where the arrays of a column are in the file, looked up once.
#[derive(Debug, Clone, Default)]
struct Places {
    /// The greatest code before the first, when they have no gap and no array.
    before: Option<u32>,
    codes: Range<usize>,
    offsets: Range<usize>,
    strings: Range<usize>,
    order: Range<usize>,
    finder_tags: Range<usize>,
    finder_numbers: Range<usize>,
}

impl SiteStrings for SiteDictionary {
    fn get(&self, column: Column, site_code: u32) -> &str {
        Self::get(self, column, site_code)
    }

    fn find(&self, column: Column, text: &str) -> Option<u32> {
        Self::find(self, column, text)
    }

    fn verdicts(&self, column: Column, test: &str) -> Option<Arc<Verdicts>> {
        let memory = self.verdicts.as_ref()?;
        Some(memory.of(self.id(), column, test, self.greatest(column)))
    }
}

impl SiteDictionary {
    /// Opens a dictionary over its bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the outline is damaged, [`StorageError::Version`] for a newer format.
    pub fn open(path: &Path, bytes: Bytes) -> Result<Self, StorageError> {
        let directory = read_directory(path, &bytes)?;
        match directory.sites.as_slice() {
            [site] if (site.session_count, site.row_count) == (0, 0) => {}
            _ => return Err(StorageError::corrupt(path, 0, "it is not the dictionary of a site")),
        }
        let checked = std::array::from_fn(|_| OnceLock::new());
        Ok(Self { path: path.to_path_buf(), bytes, directory, checked, verdicts: None })
    }

    /// The same, and what tests say of its strings is kept here.
    pub fn with_verdicts(self, memory: &Arc<VerdictMemory>) -> Self {
        Self { verdicts: Some(memory.clone()), ..self }
    }

    /// The dictionary's number.
    pub fn id(&self) -> SegmentId {
        self.directory.id
    }

    /// The site whose strings these are.
    pub fn site(&self) -> SiteId {
        self.entry().map_or(SiteId(0), |entry| entry.site)
    }

    /// The file's length in bytes.
    pub fn byte_count(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The strings of a column. Who asks for many of them takes this once.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the column's blocks are damaged.
    pub fn strings(&self, column: Column) -> Result<Strings<'_>, StorageError> {
        let Some(checked) = self.checked.get(column.index()) else { return Ok(Strings::EMPTY) };
        match checked.get_or_init(|| self.check(column)) {
            Ok(places) => Ok(self.arrays(places)),
            Err(damage) => Err(damage.clone()),
        }
    }

    /// The string of a site's code; "" for 0, for a code that is not here, and in a damaged column.
    pub fn get(&self, column: Column, code: u32) -> &str {
        self.sound(column).get(code)
    }

    /// The site's code of a string; `None` when it is not here, and in a damaged column.
    pub fn find(&self, column: Column, text: &str) -> Option<u32> {
        self.sound(column).find(text)
    }

    /// The greatest code of a column; 0 when it has no strings.
    pub fn greatest(&self, column: Column) -> u32 {
        let codes = self.entry().and_then(|entry| entry.block(Tag::dictionary_codes(column)));
        codes.map_or(0, |block| block.value)
    }

    /// How many strings a column has, without the empty one.
    pub fn len(&self, column: Column) -> usize {
        self.sound(column).len()
    }

    /// Whether a column has no strings but the empty one.
    pub fn is_empty(&self, column: Column) -> bool {
        self.len(column) == 0
    }

    /// The codes and strings of a column, codes ascending.
    pub fn entries(&self, column: Column) -> impl Iterator<Item = (u32, &str)> {
        self.sound(column).entries()
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self) -> Result<(), StorageError> {
        Column::ALL.iter().try_for_each(|&column| self.check(column).map(drop))?;
        self.check_padding()
    }

    /// As [`Self::verify`], and what was found is not looked for again when a column is read.
    ///
    /// # Errors
    /// As there.
    pub fn check_once(&self) -> Result<(), StorageError> {
        Column::ALL.iter().try_for_each(|&column| self.strings(column).map(drop))?;
        self.check_padding()
    }

    fn sound(&self, column: Column) -> Strings<'_> {
        self.strings(column).unwrap_or(Strings::EMPTY)
    }

    fn entry(&self) -> Option<&SiteEntry> {
        self.directory.sites.first()
    }

    fn check(&self, column: Column) -> Result<Places, StorageError> {
        if let Some(blocks) = self.blocks() {
            tags(column)
                .iter()
                .filter_map(|&tag| blocks.block(tag))
                .try_for_each(|block| blocks.check_sum(block))?;
        }
        let Some(places) = self.places(column)? else { return Ok(Places::default()) };
        let structure = self.arrays(&places).check_structure(self.greatest(column));
        structure.map(|()| places).map_err(|what| {
            let first = self.entry().and_then(|entry| entry.block(Tag::dictionary_codes(column)));
            StorageError::corrupt(&self.path, first.map_or(0, |block| block.offset), what)
        })
    }

    /// What lies between the blocks is zeros.
    fn check_padding(&self) -> Result<(), StorageError> {
        let blocks = self.entry().map_or(&[][..], |entry| &entry.blocks);
        let mut ends: Vec<(u64, u64)> = blocks
            .iter()
            .filter(|block| block.width != 0)
            .map(|block| (block.offset, block.offset + block.len))
            .collect();
        ends.sort_unstable();
        for (at, &(_, end)) in ends.iter().enumerate() {
            // Behind the last block the directory follows, on the next multiple of the alignment.
            let next = ends.get(at + 1).map_or(end.next_multiple_of(ALIGNMENT), |next| next.0);
            let between = self.bytes.get(end as usize..next as usize).unwrap_or_default();
            if between.iter().any(|&byte| byte != 0) {
                return Err(StorageError::corrupt(&self.path, end, "the space between blocks is not empty"));
            }
        }
        Ok(())
    }

    /// `None`: the column has no strings.
    fn places(&self, column: Column) -> Result<Option<Places>, StorageError> {
        let Some(blocks) = self.blocks() else { return Ok(None) };
        let [codes, offsets, strings, order, finder_tags, finder_numbers] =
            tags(column).map(|tag| blocks.block(tag));
        let (Some(codes), Some(offsets), Some(order)) = (codes, offsets, order) else {
            return match codes.or(offsets).or(order).or(strings) {
                Some(block) => Err(blocks.corrupt(block, "a block is missing")),
                None => Ok(None),
            };
        };
        let count = blocks.all_numbers::<u32>(offsets)?.len().saturating_sub(1);
        let before =
            (codes.width == 0).then(|| codes.value.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX)));
        if before.is_none() {
            blocks.all_numbers::<u32>(codes)?;
        }
        blocks.all_numbers::<u32>(order)?;
        let place = |block: &Block| block.offset as usize..(block.offset + block.len) as usize;
        Ok(Some(Places {
            before,
            codes: place(codes),
            offsets: place(offsets),
            strings: strings.map_or(0..0, place),
            order: place(order),
            finder_tags: finder_tags.map_or(0..0, place),
            finder_numbers: finder_numbers.map_or(0..0, place),
        }))
    }

    /// The arrays at places that were found to hold such.
    fn arrays(&self, places: &Places) -> Strings<'_> {
        let bytes = |place: &Range<usize>| self.bytes.get(place.clone()).unwrap_or_default();
        let numbers = |place: &Range<usize>| bytemuck::try_cast_slice(bytes(place)).unwrap_or_default();
        Strings {
            codes: match places.before {
                Some(before) => Codes::After(before),
                None => Codes::Listed(numbers(&places.codes)),
            },
            offsets: numbers(&places.offsets),
            bytes: bytes(&places.strings),
            order: numbers(&places.order),
            finder: Finder { tags: bytes(&places.finder_tags), numbers: numbers(&places.finder_numbers) },
        }
    }

    fn blocks(&self) -> Option<Blocks<'_>> {
        Some(Blocks { path: &self.path, bytes: &self.bytes, entry: self.entry()? })
    }
}

const ALIGNMENT: u64 = crate::segment::layout::ALIGNMENT as u64;

fn tags(column: Column) -> [Tag; 6] {
    [
        Tag::dictionary_codes(column),
        Tag::dictionary_offsets(column),
        Tag::dictionary_strings(column),
        Tag::dictionary_order(column),
        Tag::finder_tags(column),
        Tag::finder_numbers(column),
    ]
}

/// The strings of one column, without the empty one.
#[derive(Debug, Clone, Copy)]
pub struct Strings<'a> {
    codes: Codes<'a>,
    /// `offsets[p]..offsets[p + 1]` is the range of the string at place `p` in `bytes`. Places are in code order.
    offsets: &'a [u32],
    bytes: &'a [u8],
    /// Places in the byte order of the strings.
    order: &'a [u32],
    /// Finds places; absent in a column of few strings, and in files of earlier versions.
    finder: Finder<'a>,
}

/// Which codes there are.
#[derive(Debug, Clone, Copy)]
enum Codes<'a> {
    /// All from the one after this.
    After(u32),
    /// These, ascending.
    Listed(&'a [u32]),
}

impl<'a> Strings<'a> {
    pub(super) const EMPTY: Strings<'static> =
        Strings { codes: Codes::After(0), offsets: &[0], bytes: &[], order: &[], finder: Finder::ABSENT };

    /// How many there are.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The string of a site's code; "" for 0 and for a code that is not here.
    pub fn get(&self, code: u32) -> &'a str {
        self.place(code).map_or("", |place| self.text(place))
    }

    /// The site's code of a string; that of the empty one is 0. `None` when it is not here.
    pub fn find(&self, text: &str) -> Option<u32> {
        if text.is_empty() {
            return Some(0);
        }
        if !self.finder.is_absent() {
            let is = |place: u32| self.text_bytes(place as usize) == text.as_bytes();
            return self.code(self.finder.find(TextHash::of(text.as_bytes()), is)? as usize);
        }
        let found =
            self.order.binary_search_by(|&place| self.text_bytes(place as usize).cmp(text.as_bytes()));
        self.code(*self.order.get(found.ok()?)? as usize)
    }

    /// Codes and strings, codes ascending.
    pub fn entries(self) -> impl Iterator<Item = (u32, &'a str)> {
        (0..self.len()).filter_map(move |place| Some((self.code(place)?, self.text(place))))
    }

    /// Where the string of a code is.
    pub(super) fn place(&self, code: u32) -> Option<usize> {
        match self.codes {
            Codes::After(before) => {
                let place = code.checked_sub(before)?.checked_sub(1)? as usize;
                (place < self.len()).then_some(place)
            }
            Codes::Listed(codes) => {
                // Codes ascend, so without a gap a code is so far behind the first, and never further.
                let furthest = code.checked_sub(*codes.first()?)? as usize;
                if codes.get(furthest) == Some(&code) {
                    return Some(furthest);
                }
                codes.get(..furthest.min(codes.len()))?.binary_search(&code).ok()
            }
        }
    }

    fn code(&self, place: usize) -> Option<u32> {
        match self.codes {
            Codes::After(before) => before.checked_add(u32::try_from(place).ok()?)?.checked_add(1),
            Codes::Listed(codes) => codes.get(place).copied(),
        }
    }

    pub(super) fn text(&self, place: usize) -> &'a str {
        std::str::from_utf8(self.text_bytes(place)).unwrap_or_default()
    }

    pub(super) fn text_bytes(&self, place: usize) -> &'a [u8] {
        let (Some(&start), Some(&end)) = (self.offsets.get(place), self.offsets.get(place + 1)) else {
            return &[];
        };
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Places in the byte order of the strings.
    pub(super) fn order(&self) -> &'a [u32] {
        self.order
    }

    /// What must hold so that every code has its string and every string is found.
    fn check_structure(&self, greatest: u32) -> Result<(), &'static str> {
        let count = self.len();
        let codes_fit = match self.codes {
            Codes::After(before) => before.checked_add(count as u32) == Some(greatest),
            Codes::Listed(codes) => {
                codes.len() == count
                    && codes.first() != Some(&0)
                    && codes.is_sorted_by(|a, b| a < b)
                    && codes.last().copied().unwrap_or(0) == greatest
            }
        };
        if !codes_fit {
            return Err("the codes do not fit the strings");
        }
        let Ok(text) = std::str::from_utf8(self.bytes) else { return Err("the strings are no UTF-8") };
        let whole = self.offsets.first() == Some(&0) && self.offsets.last() == Some(&(text.len() as u32));
        if !whole
            || !self.offsets.is_sorted_by(|a, b| a < b)
            || !self.offsets.iter().all(|&at| text.is_char_boundary(at as usize))
        {
            return Err("the strings' offsets are damaged");
        }
        if self.order.len() != count || !self.order.iter().all(|&place| (place as usize) < count) {
            return Err("the strings' order is damaged");
        }
        if !self.finder.is_sound() {
            return Err("the strings' finder is damaged");
        }
        Ok(())
    }
}
