//! What a table knows of each session and when rows happened: columns as a segment has them, or the tables of
//! distinct shapes and whole seconds that an index has.

use std::ops::Range;

use super::codes::Narrow;
use super::cold::ColdRows;
use crate::event::Kind;
use crate::units::{DayUtc, TimestampMs};

/// "No row": a session without page views has no entry and no exit row.
pub const NO_ROW: u32 = u32::MAX;
/// Session flag: the session bounced.
pub const FLAG_BOUNCE: u8 = 1;
/// Session flag: the visitor's id was given by the site (or an import), so it may recur on any day.
pub const FLAG_GIVEN_ID: u8 = 2;
/// Session flag of an index: the first session of its visitor in its run.
pub const FLAG_FIRST: u8 = 4;
/// Row flag, beside the [`crate::event::Kind`] in the low bits: a custom event that does not end a bounce.
pub const ROW_NON_INTERACTIVE: u8 = 0x80;
/// Kind and flag of a page view that nobody has told of: the event behind it opened the session and stands for it.
pub const ROW_ASSUMED: u8 = Kind::PageView as u8 | ROW_NON_INTERACTIVE;
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

    /// Whether it may have rows or sessions with times within the span.
    pub fn may_touch(&self, span: &Range<TimestampMs>) -> bool {
        self.min_time < span.end && self.max_time >= span.start
    }

    /// The run's sessions, of a table that has so many.
    pub fn sessions(&self, count: usize) -> Range<usize> {
        let first = (self.first_session as usize).min(count);
        first..first.saturating_add(self.session_count as usize).min(count)
    }
}

/// Sessions that share a base in [`FirstRows::Blocks`].
pub const FIRST_ROW_BLOCK: usize = 256;

/// Where each session's rows start, and after the last one the row count.
#[derive(Debug, Clone, Copy)]
pub enum FirstRows<'a> {
    /// As it is.
    All(&'a [u32]),
    /// A base for each [`FIRST_ROW_BLOCK`] sessions, and what each session adds to it.
    Blocks {
        /// The bases.
        bases: &'a [u32],
        /// What is added, one for each session and one more.
        offsets: &'a [u16],
    },
}

impl FirstRows<'_> {
    /// The first row of a session; after the last session the row count.
    #[inline]
    pub fn get(&self, at: usize) -> Option<u32> {
        match self {
            Self::All(rows) => rows.get(at).copied(),
            Self::Blocks { bases, offsets } => {
                let base = *bases.get(at / FIRST_ROW_BLOCK)?;
                Some(base.wrapping_add(u32::from(*offsets.get(at)?)))
            }
        }
    }

    /// One more than there are sessions.
    #[allow(clippy::len_without_is_empty, reason = "there is always the row count")]
    pub fn len(&self) -> usize {
        match self {
            Self::All(rows) => rows.len(),
            Self::Blocks { offsets, .. } => offsets.len(),
        }
    }
}

/// What many sessions have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Shape {
    /// Rows.
    pub rows: u32,
    /// Page views.
    pub views: u32,
    /// The entry page's row, counted from the session's first, or [`NO_ROW`].
    pub entry: u32,
    /// The exit page's row, counted from the session's first, or [`NO_ROW`].
    pub exit: u32,
    /// Low 16 bits of the session id.
    pub number: u16,
    /// [`FLAG_BOUNCE`], [`FLAG_GIVEN_ID`], [`FLAG_FIRST`].
    pub flags: u8,
    /// Always zero.
    pub reserved: u8,
}

/// Columns of sessions, equally long.
#[derive(Debug, Clone, Copy)]
pub struct StateColumns<'a> {
    /// Session ids.
    pub session_id: &'a [u32],
    /// Page views.
    pub views: &'a [u32],
    /// Row of the entry page, or [`NO_ROW`].
    pub entry_row: &'a [u32],
    /// Row of the exit page, or [`NO_ROW`].
    pub exit_row: &'a [u32],
    /// Flags.
    pub flags: &'a [u8],
}

/// Sessions by their shapes.
#[derive(Debug, Clone, Copy)]
pub struct ShapedStates<'a> {
    /// The shape of each session.
    pub codes: Narrow<'a>,
    /// The shapes.
    pub shapes: &'a [Shape],
    /// Where sessions' rows start.
    pub first_rows: FirstRows<'a>,
    /// The runs, which have the days of the session ids.
    pub runs: &'a [Run],
}

impl ShapedStates<'_> {
    /// The shape of a session.
    #[inline]
    pub fn shape(&self, session: usize) -> Option<&Shape> {
        self.shapes.get(self.codes.get(session) as usize)
    }

    fn row(&self, session: usize, offset: impl Fn(&Shape) -> u32) -> u32 {
        match (self.shape(session).map(offset), self.first_rows.get(session)) {
            (Some(offset), Some(first)) if offset != NO_ROW => first.saturating_add(offset),
            _ => NO_ROW,
        }
    }
}

/// What is known of each session beside its visitor and its times.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "named after what they hold")]
pub enum States<'a> {
    Columns(StateColumns<'a>),
    Shapes(ShapedStates<'a>),
}

impl States<'_> {
    /// Page views; 0 for a session that is not there.
    #[inline]
    pub fn views(&self, session: usize) -> u32 {
        match self {
            Self::Columns(columns) => columns.views.get(session).copied().unwrap_or(0),
            Self::Shapes(shapes) => shapes.shape(session).map_or(0, |shape| shape.views),
        }
    }

    /// Flags; none for a session that is not there.
    #[inline]
    pub fn flags(&self, session: usize) -> u8 {
        match self {
            Self::Columns(columns) => columns.flags.get(session).copied().unwrap_or(0),
            Self::Shapes(shapes) => shapes.shape(session).map_or(0, |shape| shape.flags),
        }
    }

    /// Row of the entry page, or [`NO_ROW`].
    #[inline]
    pub fn entry_row(&self, session: usize) -> u32 {
        match self {
            Self::Columns(columns) => columns.entry_row.get(session).copied().unwrap_or(NO_ROW),
            Self::Shapes(shapes) => shapes.row(session, |shape| shape.entry),
        }
    }

    /// Row of the exit page, or [`NO_ROW`].
    #[inline]
    pub fn exit_row(&self, session: usize) -> u32 {
        match self {
            Self::Columns(columns) => columns.exit_row.get(session).copied().unwrap_or(NO_ROW),
            Self::Shapes(shapes) => shapes.row(session, |shape| shape.exit),
        }
    }

    /// The session's id.
    pub fn session_id(&self, session: usize) -> Option<u32> {
        match self {
            Self::Columns(columns) => columns.session_id.get(session).copied(),
            Self::Shapes(shapes) => {
                let next = shapes.runs.partition_point(|run| run.first_session as usize <= session);
                let day = shapes.runs.get(next.checked_sub(1)?)?.day;
                Some(day << 16 | u32::from(shapes.shape(session)?.number))
            }
        }
    }
}

/// Who the sessions are of.
#[derive(Debug, Clone, Copy)]
pub enum Visitors<'a> {
    /// Each session's visitor.
    All(&'a [u64]),
    /// Those of some sessions; the others are told apart by [`FLAG_FIRST`] only.
    Some(KnownVisitors<'a>),
    /// By rows: the visitor of a session is that of its first row.
    OfRows(&'a ColdRows<u64>, FirstRows<'a>),
}

/// Some sessions' visitors.
#[derive(Debug, Clone, Copy, Default)]
pub struct KnownVisitors<'a> {
    /// The sessions, ascending.
    pub sessions: &'a [u32],
    /// The visitor of each.
    pub ids: &'a [u64],
}

impl KnownVisitors<'_> {
    /// The visitor of a session, when it is one of these.
    pub fn get(&self, session: usize) -> Option<u64> {
        let at = self.sessions.binary_search(&(session as u32)).ok()?;
        self.ids.get(at).copied()
    }
}

impl Visitors<'_> {
    /// The visitor of a session, when it is known.
    #[inline]
    pub fn get(&self, session: usize) -> Option<u64> {
        match self {
            Self::All(visitors) => visitors.get(session).copied(),
            Self::Some(known) => known.get(session),
            Self::OfRows(rows, first_rows) => rows.get(first_rows.get(session)?),
        }
    }
}

impl<T: Copy> ColdRows<T> {
    /// The value of a row.
    #[inline]
    pub fn get(&self, row: u32) -> Option<T> {
        self.values.get(row.checked_sub(self.first_row)? as usize).copied()
    }
}

/// Seconds between the start of a session and each of its rows but the first: row `r` of session `s` is at
/// `r - s - 1`.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the widths")]
pub enum Gaps<'a> {
    U16(&'a [u16]),
    U32(&'a [u32]),
}

impl Gaps<'_> {
    /// The seconds at a place; 0 for a place that is not there.
    #[inline]
    pub fn get(&self, at: usize) -> u32 {
        match self {
            Self::U16(gaps) => gaps.get(at).map_or(0, |&gap| gap.into()),
            Self::U32(gaps) => gaps.get(at).copied().unwrap_or(0),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::U16(gaps) => gaps.len(),
            Self::U32(gaps) => gaps.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct MilliTimes<'a> {
    /// First row's time of each session.
    pub start: &'a [i64],
    /// Last row's time.
    pub last: &'a [i64],
    /// Of each row: its time minus its session's start.
    pub gap: &'a [u32],
}

/// Times in whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct SecondTimes<'a> {
    /// First row's time of each session, seconds since 1970.
    pub start: &'a [u32],
    /// Of each row that is not its session's first.
    pub gaps: Gaps<'a>,
    /// Where sessions' rows start.
    pub first_rows: FirstRows<'a>,
}

impl SecondTimes<'_> {
    /// Seconds between the session's start and the row.
    #[inline]
    pub fn gap(&self, session: usize, row: usize) -> u32 {
        let first = self.first_rows.get(session).map_or(usize::MAX, |first| first as usize);
        let gap = self.gaps.get(row.wrapping_sub(session).wrapping_sub(1));
        // Half of all sessions have one row, which no processor foretells: a mask, not a branch.
        gap & u32::from(row > first).wrapping_neg()
    }

    /// The row's time, seconds since 1970.
    #[inline]
    pub fn second(&self, session: usize, row: usize) -> i64 {
        self.start.get(session).map_or(0, |&start| i64::from(start)) + i64::from(self.gap(session, row))
    }

    /// Seconds from the session's first row to its last.
    #[inline]
    pub fn length(&self, session: usize) -> u32 {
        let last_row = self.first_rows.get(session + 1).map_or(0, |end| (end as usize).saturating_sub(1));
        self.gap(session, last_row)
    }

    /// The last row's time, seconds since 1970; `None` for a session that is not there.
    #[inline]
    pub fn last(&self, session: usize) -> Option<i64> {
        Some(i64::from(*self.start.get(session)?) + i64::from(self.length(session)))
    }
}

/// When rows happened.
#[derive(Debug, Clone, Copy)]
pub enum Times<'a> {
    /// To the millisecond.
    Millis(MilliTimes<'a>),
    /// To the second: a time is that of the full second before.
    Seconds(SecondTimes<'a>),
    /// To the millisecond, one of each row.
    Exact(&'a ColdRows<i64>, FirstRows<'a>),
}

impl Times<'_> {
    /// First row's time of a session, milliseconds.
    #[inline]
    pub fn start(&self, session: usize) -> Option<TimestampMs> {
        match self {
            Self::Millis(times) => times.start.get(session).copied(),
            Self::Seconds(times) => times.start.get(session).map(|&start| i64::from(start) * 1000),
            Self::Exact(times, first_rows) => times.get(first_rows.get(session)?),
        }
    }

    /// Last row's time of a session.
    #[inline]
    pub fn last(&self, session: usize) -> Option<TimestampMs> {
        match self {
            Self::Millis(times) => times.last.get(session).copied(),
            Self::Seconds(times) => Some(times.last(session)? * 1000),
            Self::Exact(times, first_rows) => times.get(first_rows.get(session + 1)?.checked_sub(1)?),
        }
    }

    /// A row's time; `session` is the one that it belongs to.
    #[inline]
    pub fn of_row(&self, session: usize, row: usize) -> TimestampMs {
        match self {
            Self::Millis(times) => {
                let start = times.start.get(session).copied().unwrap_or(0);
                start.wrapping_add(times.gap.get(row).map_or(0, |&gap| i64::from(gap)))
            }
            Self::Seconds(times) => times.second(session, row) * 1000,
            Self::Exact(times, _) => times.get(row as u32).unwrap_or(0),
        }
    }

    /// Whether times are those of the full second before.
    pub fn are_seconds(&self) -> bool {
        matches!(self, Self::Seconds(_))
    }
}

/// [`crate::event::Kind`] and [`ROW_NON_INTERACTIVE`] of each row.
#[derive(Debug, Clone, Copy)]
pub enum Kinds<'a> {
    /// As it is.
    Bytes(&'a [u8]),
    /// Each row's combination of kind and event name; `table` has the kind of each.
    Coded {
        /// The combinations.
        codes: Narrow<'a>,
        /// Their kinds.
        table: &'a [u8],
        /// How many rows there are.
        len: usize,
    },
}

impl Kinds<'_> {
    /// The kind of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<u8> {
        match self {
            Self::Bytes(kinds) => kinds.get(row).copied(),
            Self::Coded { codes, table, len } if row < *len => table.get(codes.get(row) as usize).copied(),
            Self::Coded { .. } => None,
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(kinds) => kinds.len(),
            Self::Coded { len, .. } => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
