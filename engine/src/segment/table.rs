//! One site's part of a segment, or the index of a lake file: a session table and a row table.
//!
//! Sessions are sorted by (opening day, visitor, session); rows lie in the order of their sessions, within a session
//! by (time, arrival). All indices are local to the site's table. In an index visitors are ordered as signed numbers,
//! so a day has up to two runs; within a run they ascend as unsigned ones.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub use super::codes::{Codes, Dictionary, Narrow, RankedCodes, SiteStrings};
use super::cold::{ColdColumns, ColdNumbers, ColdRows};
pub use super::ranks::{OwnedRanks, Ranks};
pub use super::sessions::{
    FIRST_ROW_BLOCK, FLAG_BOUNCE, FLAG_FIRST, FLAG_GIVEN_ID, FirstRows, Gaps, Kinds, KnownVisitors,
    MilliTimes, NO_ROW, ROW_ASSUMED, ROW_KIND_MASK, ROW_NON_INTERACTIVE, Run, SecondTimes, Shape,
    ShapedStates, StateColumns, States, Times, Visitors,
};
use crate::error::StorageError;
use crate::schema::Column;
use crate::units::{SessionId, TimestampMs};

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

/// One site's sessions and rows in one segment, or in one lake file as its index has them.
#[derive(Clone, Copy)]
pub struct SiteTable<'a> {
    /// Runs in the order of their days.
    pub runs: &'a [Run],
    /// Visitor ids, as far as they are known.
    pub visitors: Visitors<'a>,
    /// What is known of each session beside its visitor and its times.
    pub states: States<'a>,
    /// Where each session's rows start.
    pub first_rows: FirstRows<'a>,
    /// The rows that sessions begin with, where somebody has found them all.
    pub starts: Option<Ranks<'a>>,
    /// When rows happened.
    pub times: Times<'a>,
    /// [`crate::event::Kind`] and [`ROW_NON_INTERACTIVE`].
    pub kinds: Kinds<'a>,
    /// Duration of custom events in seconds plus one; 0 when absent.
    pub event_duration: U64s<'a>,
    /// HTTP status, 0 when absent.
    pub status: U64s<'a>,
    /// When the server took the event, milliseconds; 0 when the same as its time.
    pub received: U64s<'a>,
    pub(crate) user_key: U64s<'a>,
    pub(crate) codes: [Codes<'a>; crate::schema::COLUMN_COUNT],
    pub(crate) dictionaries: [Dictionary<'a>; crate::schema::COLUMN_COUNT],
    pub(crate) postings: [Option<Postings<'a>>; crate::schema::COLUMN_COUNT],
    /// What an index leaves to its Parquet file; `None` for a segment, which has everything.
    pub(crate) cold: Option<&'a dyn ColdColumns>,
}

/// A column of numbers that are mostly absent.
#[derive(Debug, Clone, Copy)]
pub enum U64s<'a> {
    /// Zero for all.
    Zero,
    /// One number for each.
    Values(&'a [u64]),
    /// A cold column, one of rows.
    Cold(&'a ColdNumbers),
}

impl U64s<'_> {
    /// The number at `index`.
    #[inline]
    pub fn get(&self, index: usize) -> u64 {
        match self {
            U64s::Zero => 0,
            U64s::Values(values) => values.get(index).copied().unwrap_or(0),
            U64s::Cold(numbers) => numbers.get(index),
        }
    }
}

impl<'a> SiteTable<'a> {
    /// How many sessions the table has.
    pub fn session_count(&self) -> usize {
        self.first_rows.len().saturating_sub(1)
    }

    /// How many rows the table has.
    pub fn row_count(&self) -> usize {
        self.kinds.len()
    }

    /// The rows of a session; none beyond the table, whatever it says.
    #[inline]
    pub fn rows(&self, session: usize) -> Range<usize> {
        self.rows_of(&(session..session + 1))
    }

    /// The rows of neighbouring sessions.
    #[inline]
    pub fn rows_of(&self, sessions: &Range<usize>) -> Range<usize> {
        let row = |at: usize| self.first_rows.get(at).map_or(0, |row| row as usize).min(self.kinds.len());
        let first = row(sessions.start);
        first..row(sessions.end).max(first)
    }

    /// Key of a given id, 0 when none.
    pub fn user_key(&self, session: usize) -> u64 {
        match self.user_key {
            U64s::Cold(_) => self.first_rows.get(session).map_or(0, |row| self.user_key.get(row as usize)),
            keys => keys.get(session),
        }
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

    /// Whether columns of sessions and of rows are as long as they must be.
    pub fn lengths_agree(&self) -> bool {
        let (sessions, rows) = (self.session_count(), self.row_count());
        let states = match self.states {
            States::Columns(StateColumns { session_id, views, entry_row, exit_row, flags }) => {
                let lengths = [session_id.len(), views.len(), entry_row.len(), exit_row.len(), flags.len()];
                lengths.iter().all(|&length| length == sessions)
            }
            States::Shapes(_) => true,
        };
        let times = match self.times {
            Times::Millis(MilliTimes { start, last, gap }) => {
                start.len() == sessions && last.len() == sessions && gap.len() == rows
            }
            Times::Seconds(SecondTimes { start, gaps, .. }) => {
                start.len() == sessions && gaps.len() + sessions == rows
            }
            Times::Exact(..) => true,
        };
        let visitors = match self.visitors {
            Visitors::All(visitors) => visitors.len() == sessions,
            Visitors::Some(known) => known.sessions.len() == known.ids.len(),
            Visitors::OfRows(..) => true,
        };
        states && times && visitors
    }

    /// The visitors of a run's sessions, ascending; they are read from the Parquet file when they are not at hand.
    ///
    /// # Errors
    /// That file is damaged or could not be read.
    pub fn visitors_of(&self, run: &Run) -> Result<Cow<'a, [u64]>, StorageError> {
        let sessions = run.sessions(self.session_count());
        match self.visitors {
            Visitors::All(visitors) => Ok(Cow::Borrowed(visitors.get(sessions).unwrap_or_default())),
            Visitors::OfRows(..) => {
                Ok(Cow::Owned(sessions.map(|session| self.visitors.get(session).unwrap_or(0)).collect()))
            }
            Visitors::Some(_) => {
                let rows = self.rows_of(&sessions);
                let known = self.cold()?.visitors(rows.start as u32..rows.end as u32)?;
                let visitor = |session| {
                    self.first_rows.get(session).and_then(|row| known.get(row)).ok_or_else(not_there)
                };
                sessions.map(visitor).collect::<Result<Vec<u64>, _>>().map(Cow::Owned)
            }
        }
    }

    /// Where a session is, looked for in those of the runs that are of its day.
    ///
    /// # Errors
    /// As [`SiteTable::visitors_of`].
    pub fn find_session<'r>(
        &self,
        visitor: u64,
        session: SessionId,
        runs: impl Iterator<Item = &'r Run>,
    ) -> Result<Option<u32>, StorageError> {
        for run in runs.filter(|run| run.day == u32::from(session.day().0)) {
            let mut own = self.sessions_of(run, visitor)?;
            if let Some(found) = own.find(|&at| self.states.session_id(at) == Some(session.0)) {
                return Ok(Some(found as u32));
            }
        }
        Ok(None)
    }

    /// The sessions of a run that are a visitor's. Of the Parquet file no more is read than a search touches: a run may have
    /// millions of sessions.
    ///
    /// # Errors
    /// As [`SiteTable::visitors_of`].
    pub fn sessions_of(&self, run: &Run, visitor: u64) -> Result<Range<usize>, StorageError> {
        let all = run.sessions(self.session_count());
        let mut read: Option<Arc<ColdRows<u64>>> = None;
        let mut visitor_of = |session: usize| {
            if let Visitors::All(_) | Visitors::OfRows(..) = self.visitors {
                return self.visitors.get(session).ok_or_else(not_there);
            }
            let row = self.first_rows.get(session).ok_or_else(not_there)?;
            if let Some(known) = read.as_ref().and_then(|read| read.get(row)) {
                return Ok(known);
            }
            let found = self.cold()?.visitors(row..row.saturating_add(1))?;
            read.insert(found).get(row).ok_or_else(not_there)
        };
        let (mut low, mut high) = (all.start, all.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            if visitor_of(middle)? < visitor { low = middle + 1 } else { high = middle }
        }
        let mut end = low;
        while end < all.end && visitor_of(end)? == visitor {
            end += 1;
        }
        Ok(low..end)
    }

    /// The visitor of a session, from the Parquet file when it is not at hand.
    ///
    /// # Errors
    /// As [`SiteTable::visitors_of`]; also for a session that is not there.
    pub fn visitor(&self, session: usize) -> Result<u64, StorageError> {
        if let Some(visitor) = self.visitors.get(session) {
            return Ok(visitor);
        }
        let row = self.first_rows.get(session).ok_or_else(not_there)?;
        self.cold()?.visitors(row..row.saturating_add(1))?.get(row).ok_or_else(not_there)
    }

    /// The times of a session's rows to the millisecond, from the Parquet file when they are not at hand.
    ///
    /// # Errors
    /// As [`SiteTable::visitors_of`].
    pub fn exact_times(&self, session: usize) -> Result<Vec<TimestampMs>, StorageError> {
        let rows = self.rows(session);
        if !self.times.are_seconds() {
            return Ok(rows.map(|row| self.times.of_row(session, row)).collect());
        }
        let times = self.cold()?.times(rows.start as u32..rows.end as u32)?;
        rows.map(|row| times.get(row as u32).ok_or_else(not_there)).collect()
    }

    fn cold(&self) -> Result<&'a dyn ColdColumns, StorageError> {
        self.cold.ok_or_else(not_there)
    }
}

/// What was asked for lies outside the table or what was read for it: a reader's fault, told as damage.
fn not_there() -> StorageError {
    StorageError::corrupt(Path::new("(lake file)"), 0, "rows are missing")
}
