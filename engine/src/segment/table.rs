//! One site's part of a segment, as plain slices: a session table and a row table.
//!
//! Sessions are sorted by (opening day, visitor, session); rows lie in the order of their sessions, within a session
//! by (time, arrival). All indices are local to the site's table.

use crate::schema::Column;
use crate::units::DayUtc;

/// "No row": a session without page views has no entry and no exit row.
pub const NO_ROW: u32 = u32::MAX;
/// Session flag: the session bounced.
pub const FLAG_BOUNCE: u8 = 1;
/// Session flag: the visitor's id was given by the site (or an import), so it may recur on any day.
pub const FLAG_GIVEN_ID: u8 = 2;
/// Row flag, beside the [`crate::event::Kind`] in the low bits: a custom event that does not end a bounce.
pub const ROW_NON_INTERACTIVE: u8 = 0x80;
/// The bits of a row's kind byte that hold the [`crate::event::Kind`].
pub const ROW_KIND_MASK: u8 = 0x0f;

/// The sessions that were opened on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Run {
    /// Least row time in the run, milliseconds.
    pub min_time: i64,
    /// Greatest row time in the run, milliseconds.
    pub max_time: i64,
    /// Index of the run's first session.
    pub first_session: u32,
    /// How many sessions it has.
    pub session_count: u32,
    /// The opening day, days since 1970-01-01.
    pub day: u32,
    /// Always zero.
    pub reserved: u32,
}

impl Run {
    /// The opening day.
    pub fn day_utc(&self) -> DayUtc {
        DayUtc(self.day as u16)
    }

    /// The run's sessions.
    pub fn sessions(&self) -> std::ops::Range<usize> {
        self.first_session as usize..(self.first_session + self.session_count) as usize
    }
}

/// A column of dictionary codes in the narrowest whole-byte width, or one code for all.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the widths")]
pub enum Codes<'a> {
    Constant(u32),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
}

impl Codes<'_> {
    /// The code at `index`. An index past the end gives 0, the absent value.
    #[inline]
    pub fn get(&self, index: usize) -> u32 {
        match self {
            Codes::Constant(code) => *code,
            Codes::U8(codes) => codes.get(index).map_or(0, |&c| u32::from(c)),
            Codes::U16(codes) => codes.get(index).map_or(0, |&c| u32::from(c)),
            Codes::U32(codes) => codes.get(index).copied().unwrap_or(0),
        }
    }
}

/// The strings of one column of one site in one segment, in byte order. Code 0 is the empty string, always there.
#[derive(Debug, Clone, Copy)]
pub struct Dictionary<'a> {
    /// `offsets[c]..offsets[c + 1]` is the range of string `c` in `bytes`.
    pub offsets: &'a [u32],
    /// All strings, UTF-8.
    pub bytes: &'a [u8],
    /// The site's code of each local code. Site codes of a column are the same in every segment of the site, so
    /// they can be grouped by without looking at strings; 0 is the empty string.
    pub site_codes: &'a [u32],
}

impl<'a> Dictionary<'a> {
    /// How many strings there are, the empty one included.
    pub fn len(&self) -> usize {
        self.site_codes.len()
    }

    /// Never: the empty string is always there.
    pub fn is_empty(&self) -> bool {
        self.site_codes.is_empty()
    }

    /// The string of a local code; "" for a code that is not there.
    pub fn get(&self, code: u32) -> &'a str {
        std::str::from_utf8(self.get_bytes(code)).unwrap_or_default()
    }

    /// The bytes of the string of a local code.
    fn get_bytes(&self, code: u32) -> &'a [u8] {
        let code = code as usize;
        let (Some(&start), Some(&end)) = (self.offsets.get(code), self.offsets.get(code + 1)) else {
            return &[];
        };
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The local code of a string.
    pub fn find(&self, text: &str) -> Option<u32> {
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
}

/// Posting lists of one column: for each local code, which sessions hold it (for a row column: in any row).
/// Only codes of at most one in [`POSTING_SHARE`] sessions have a list; code 0 has none.
#[derive(Debug, Clone, Copy)]
pub struct Postings<'a> {
    /// `offsets[c]..offsets[c + 1]` is the range of the serialised bitmap of code `c`; an empty range: no list.
    pub offsets: &'a [u32],
    /// The bitmaps in roaring's portable serialisation, over session indices of the table.
    pub bytes: &'a [u8],
}

/// A value that is held by more than one in this many sessions has no posting list: scanning codes is as fast.
pub const POSTING_SHARE: usize = 64;

/// One site's sessions and rows in one segment. Slices of sessions have `session_count` entries, those of rows
/// `row_count`; `first_row` has one more than sessions.
#[derive(Debug, Clone, Copy)]
pub struct SiteTable<'a> {
    /// Runs in the order of their days.
    pub runs: &'a [Run],
    /// Visitor ids.
    pub visitor: &'a [u64],
    /// Session ids.
    pub session_id: &'a [u32],
    /// First row's time, milliseconds.
    pub start: &'a [i64],
    /// Last row's time.
    pub last: &'a [i64],
    /// Index of the session's first row.
    pub first_row: &'a [u32],
    /// Page views of the session.
    pub views: &'a [u32],
    /// Row of the entry page, or [`NO_ROW`].
    pub entry_row: &'a [u32],
    /// Row of the exit page, or [`NO_ROW`].
    pub exit_row: &'a [u32],
    /// [`FLAG_BOUNCE`], [`FLAG_GIVEN_ID`].
    pub flags: &'a [u8],
    /// Key of a given id, 0 when none.
    pub user_key: U64s<'a>,
    /// Row time minus the session's start, milliseconds.
    pub gap: &'a [u32],
    /// [`crate::event::Kind`] and [`ROW_NON_INTERACTIVE`].
    pub kind: &'a [u8],
    /// Duration of custom events in seconds plus one; 0 when absent.
    pub event_duration: U64s<'a>,
    /// HTTP status, 0 when absent.
    pub status: U64s<'a>,
    /// When the server took the event, milliseconds; 0 when the same as its time.
    pub received: U64s<'a>,
    pub(crate) codes: [Codes<'a>; crate::schema::COLUMN_COUNT],
    pub(crate) dictionaries: [Dictionary<'a>; crate::schema::COLUMN_COUNT],
    pub(crate) postings: [Option<Postings<'a>>; crate::schema::COLUMN_COUNT],
}

/// A column of numbers that are mostly absent.
#[derive(Debug, Clone, Copy)]
pub enum U64s<'a> {
    /// Zero for all.
    Zero,
    /// One number for each.
    Values(&'a [u64]),
}

impl U64s<'_> {
    /// The number at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> u64 {
        match self {
            U64s::Zero => 0,
            U64s::Values(values) => values.get(index).copied().unwrap_or(0),
        }
    }
}

impl<'a> SiteTable<'a> {
    /// How many sessions the table has.
    pub fn session_count(&self) -> usize {
        self.visitor.len()
    }

    /// How many rows the table has.
    pub fn row_count(&self) -> usize {
        self.gap.len()
    }

    /// The rows of a session.
    #[inline]
    pub fn rows(&self, session: usize) -> std::ops::Range<usize> {
        self.first_row[session] as usize..self.first_row[session + 1] as usize
    }

    /// Codes of a column: one a session for attributes, one a row for row texts.
    pub fn codes(&self, column: Column) -> Codes<'a> {
        self.codes[column.index()]
    }

    /// The strings of a column.
    pub fn dictionary(&self, column: Column) -> Dictionary<'a> {
        self.dictionaries[column.index()]
    }

    /// The posting lists of a column, when it has any.
    pub fn postings(&self, column: Column) -> Option<Postings<'a>> {
        self.postings[column.index()]
    }
}
