//! Columns of codes, and the strings behind them.

use std::sync::Arc;

use super::cold::ColdTexts;
use super::ranks::Ranks;
use super::verdicts::Verdicts;
use crate::schema::Column;

/// Codes in the narrowest whole-byte width, or one for all.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the widths")]
pub enum Narrow<'a> {
    Constant(u32),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    /// Most are 0.
    Ranked(RankedCodes<'a>),
}

/// Codes of which most are 0: only the others are there.
#[derive(Debug, Clone, Copy)]
pub struct RankedCodes<'a> {
    /// Which are not 0.
    pub present: Ranks<'a>,
    /// The codes of those.
    pub codes: &'a [u16],
}

impl RankedCodes<'_> {
    /// The code at `index`; 0 past the end.
    #[inline]
    pub fn get(&self, index: usize) -> u32 {
        let place = self.present.place(index);
        place.and_then(|place| self.codes.get(place)).map_or(0, |&code| code.into())
    }

    /// Whether there is a code for each that is present, and a bit for each of `len`.
    pub fn is_sound(&self, len: usize) -> bool {
        self.present.are_sound(len, self.codes.len())
    }
}

impl Narrow<'_> {
    /// The code at `index`. An index past the end gives 0, the absent value.
    #[inline]
    pub fn get(&self, index: usize) -> u32 {
        match self {
            Narrow::Constant(code) => *code,
            Narrow::U8(codes) => codes.get(index).map_or(0, |&c| u32::from(c)),
            Narrow::U16(codes) => codes.get(index).map_or(0, |&c| u32::from(c)),
            Narrow::U32(codes) => codes.get(index).copied().unwrap_or(0),
            Narrow::Ranked(codes) => codes.get(index),
        }
    }

    /// Whether these are the same codes: of the same places, not only alike.
    pub fn is_same(&self, other: &Self) -> bool {
        Codes::from(*self).is_same(&Codes::from(*other))
    }

    /// How many codes there are; `None`: one for all places, however many.
    pub fn code_count(&self) -> Option<usize> {
        match self {
            Narrow::Constant(_) => None,
            Narrow::U8(codes) => Some(codes.len()),
            Narrow::U16(codes) => Some(codes.len()),
            Narrow::U32(codes) => Some(codes.len()),
            Narrow::Ranked(codes) => Some(codes.present.words.len() * u64::BITS as usize),
        }
    }

    /// Whether all codes are below `bound`.
    pub fn are_below(&self, bound: usize) -> bool {
        let greatest = match self {
            Narrow::Constant(code) => Some(*code),
            Narrow::U8(codes) => greatest(codes).map(u32::from),
            Narrow::U16(codes) => greatest(codes).map(u32::from),
            Narrow::U32(codes) => greatest(codes),
            Narrow::Ranked(ranked) => greatest(ranked.codes).map(u32::from).or(Some(0)),
        };
        greatest.is_none_or(|code| (code as usize) < bound)
    }
}

/// A loop without a way out, so that it takes many codes at once.
fn greatest<T: Copy + Ord>(codes: &[T]) -> Option<T> {
    let (&first, rest) = codes.split_first()?;
    Some(rest.iter().fold(first, |greatest, &code| greatest.max(code)))
}

/// A column of dictionary codes.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the widths")]
pub enum Codes<'a> {
    Constant(u32),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    /// Several columns share the codes of their combinations; `table` has this column's code of each.
    Combined {
        codes: Narrow<'a>,
        table: Narrow<'a>,
    },
    /// Most are 0.
    Ranked(RankedCodes<'a>),
    /// A cold column, whose texts have codes from 1.
    Cold(&'a ColdTexts),
}

impl<'a> From<Narrow<'a>> for Codes<'a> {
    fn from(codes: Narrow<'a>) -> Self {
        match codes {
            Narrow::Constant(code) => Codes::Constant(code),
            Narrow::U8(codes) => Codes::U8(codes),
            Narrow::U16(codes) => Codes::U16(codes),
            Narrow::U32(codes) => Codes::U32(codes),
            Narrow::Ranked(codes) => Codes::Ranked(codes),
        }
    }
}

impl Codes<'_> {
    /// Whether these are the same codes: of the same places, not only alike.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Codes::Constant(code), Codes::Constant(others)) => code == others,
            (Codes::U8(codes), Codes::U8(others)) => std::ptr::eq(*codes, *others),
            (Codes::U16(codes), Codes::U16(others)) => std::ptr::eq(*codes, *others),
            (Codes::U32(codes), Codes::U32(others)) => std::ptr::eq(*codes, *others),
            (Codes::Ranked(codes), Codes::Ranked(others)) => std::ptr::eq(codes.codes, others.codes),
            (Codes::Cold(texts), Codes::Cold(others)) => std::ptr::eq(*texts, *others),
            _ => false,
        }
    }

    /// The code at `index`. An index past the end gives 0, the absent value.
    #[inline]
    pub fn get(&self, index: usize) -> u32 {
        match self {
            Codes::Constant(code) => *code,
            Codes::U8(codes) => codes.get(index).map_or(0, |&c| u32::from(c)),
            Codes::U16(codes) => codes.get(index).map_or(0, |&c| u32::from(c)),
            Codes::U32(codes) => codes.get(index).copied().unwrap_or(0),
            Codes::Combined { codes, table } => table.get(codes.get(index) as usize),
            Codes::Ranked(codes) => codes.get(index),
            Codes::Cold(texts) => texts.code(index),
        }
    }
}

/// The strings of a site, by the site's codes: what an index has no strings of its own for.
pub trait SiteStrings: Send + Sync {
    /// The string of a site's code of a column; "" for a code that is not there.
    fn get(&self, column: Column, site_code: u32) -> &str;
    /// The site's code of a string of a column.
    fn find(&self, column: Column, text: &str) -> Option<u32>;
    /// What the test of this name has said of strings of a column so far, when that is kept.
    fn verdicts(&self, column: Column, test: &str) -> Option<Arc<Verdicts>>;
}

/// Where the strings of a dictionary are.
#[derive(Clone, Copy)]
enum Strings<'a> {
    /// In byte order, local code `c` at `offsets[c]..offsets[c + 1]`.
    Own { offsets: &'a [u32], bytes: &'a [u8] },
    /// With the site, by site codes.
    Site { column: Column, strings: &'a dyn SiteStrings },
    /// In byte order without the empty one, which is local code 0.
    Cold(&'a ColdTexts),
}

/// The strings of one column of one site in one source. Code 0 is the empty string, always there.
#[derive(Clone, Copy)]
pub struct Dictionary<'a> {
    strings: Strings<'a>,
    /// The site's code of each local code. Site codes of a column are the same in every source of the site, so
    /// they can be grouped by without looking at strings; 0 is the empty string. None for a cold column.
    pub site_codes: &'a [u32],
}

impl Dictionary<'static> {
    /// Nothing but the empty string.
    pub const EMPTY: Self = Self { strings: Strings::Own { offsets: &[0, 0], bytes: &[] }, site_codes: &[0] };
}

impl<'a> Dictionary<'a> {
    /// Strings in byte order, UTF-8: `offsets[c]..offsets[c + 1]` is the range of string `c` in `bytes`.
    pub fn own(offsets: &'a [u32], bytes: &'a [u8], site_codes: &'a [u32]) -> Self {
        Self { strings: Strings::Own { offsets, bytes }, site_codes }
    }

    /// Strings that the site has, for ascending site codes.
    pub fn of_site(column: Column, strings: &'a dyn SiteStrings, site_codes: &'a [u32]) -> Self {
        Self { strings: Strings::Site { column, strings }, site_codes }
    }

    /// The texts of a cold column.
    pub fn cold(texts: &'a ColdTexts) -> Self {
        Self { strings: Strings::Cold(texts), site_codes: &[] }
    }

    /// The texts, when they are those of a cold column.
    pub fn cold_texts(&self) -> Option<&'a ColdTexts> {
        match self.strings {
            Strings::Cold(texts) => Some(texts),
            Strings::Own { .. } | Strings::Site { .. } => None,
        }
    }

    /// How many strings there are, the empty one included.
    pub fn len(&self) -> usize {
        match self.strings {
            Strings::Cold(texts) => texts.offsets.len().max(1),
            _ => self.site_codes.len(),
        }
    }

    /// Never: the empty string is always there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether local codes have site codes; those of a cold column have none.
    pub fn has_site_codes(&self) -> bool {
        !matches!(self.strings, Strings::Cold(_))
    }

    /// The string of a local code; "" for a code that is not there.
    pub fn get(&self, code: u32) -> &'a str {
        match self.strings {
            Strings::Site { column, strings } => match self.site_codes.get(code as usize) {
                Some(&site_code) if site_code != 0 => strings.get(column, site_code),
                _ => "",
            },
            _ => std::str::from_utf8(self.get_bytes(code)).unwrap_or_default(),
        }
    }

    /// What the test of this name has said of strings so far, by their site codes, when that is kept.
    pub fn verdicts(&self, test: &str) -> Option<Arc<Verdicts>> {
        match self.strings {
            Strings::Site { column, strings } => strings.verdicts(column, test),
            Strings::Own { .. } | Strings::Cold(_) => None,
        }
    }

    /// Whether a local code is that of a string.
    pub fn is(&self, code: u32, text: &str) -> bool {
        self.get_bytes(code) == text.as_bytes()
    }

    /// The bytes of the string of a local code.
    pub fn get_bytes(&self, code: u32) -> &'a [u8] {
        let (offsets, bytes, at) = match self.strings {
            Strings::Own { offsets, bytes } => (offsets, bytes, code as usize),
            Strings::Cold(texts) if code > 0 => (&*texts.offsets, &*texts.bytes, code as usize - 1),
            Strings::Cold(_) => return &[],
            Strings::Site { .. } => return self.get(code).as_bytes(),
        };
        let (Some(&start), Some(&end)) = (offsets.get(at), offsets.get(at + 1)) else {
            return &[];
        };
        bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The local code of a string.
    pub fn find(&self, text: &str) -> Option<u32> {
        if let Strings::Site { column, strings } = self.strings {
            let site_code = if text.is_empty() { 0 } else { strings.find(column, text)? };
            return self.site_codes.binary_search(&site_code).ok().map(|code| code as u32);
        }
        let (mut low, mut high) = (0, self.len() as u32);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get_bytes(middle).cmp(text.as_bytes()) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Bytes of the longest string.
    pub fn longest(&self) -> usize {
        (0..self.len() as u32).map(|code| self.get_bytes(code).len()).max().unwrap_or(0)
    }

    /// Whether the strings are UTF-8 and the offsets ascend.
    pub fn is_sound(&self) -> bool {
        match self.strings {
            Strings::Own { offsets, bytes } => std::str::from_utf8(bytes).is_ok() && offsets.is_sorted(),
            Strings::Cold(_) => true,
            Strings::Site { .. } => self.site_codes.first() == Some(&0) && self.site_codes.is_sorted(),
        }
    }
}
