//! A batch of sessions, or of rows of sessions, that is picked, tested and grouped step by step.
//!
//! Each step is one loop over the batch without branches that depend on the data, and small enough for the cache. A
//! batch holds a bounded number of rows, save that a session is never cut.
//!
//! Invariant: each of `rows`, `times` and `page_seconds` is empty (not asked for) or as long as `sessions`.

use std::ops::Range;

use super::bits::Bits;
use super::mask::Mask;
use crate::segment::table::Codes;

/// Sessions of a batch at most.
const BATCH_SESSIONS: usize = 1024;
/// Rows of a batch at most, unless one session alone has more.
const BATCH_ROWS: usize = 4096;
/// Time on page counts up to this many seconds.
const PAGE_SECONDS_MAX: i64 = 3600;
/// In `groups`: belongs to no group.
pub const NO_GROUP: u32 = u32::MAX;

/// What was picked, in order of rows.
#[derive(Debug, Default)]
pub struct Batch {
    /// The session of each pick.
    pub sessions: Vec<u32>,
    /// The row of each pick; empty when sessions are picked.
    pub rows: Vec<u32>,
    /// The time of each pick, once [`Batch::set_times`] or [`Batch::set_last_times`] has run.
    pub times: Vec<i64>,
    /// Whole seconds on the page of each pick, when asked for.
    pub page_seconds: Vec<u32>,
    /// The group of each pick, or [`NO_GROUP`].
    pub groups: Vec<u32>,
    marks: Vec<u32>,
}

/// The row columns that picking needs. `first_row` has one entry more than there are sessions.
#[derive(Clone, Copy)]
pub struct RowColumns<'a> {
    /// Where each session's rows start.
    pub first_row: &'a [u32],
    /// First row's time of each session, milliseconds.
    pub start: &'a [i64],
    /// Row time minus session start.
    pub gap: &'a [u32],
    /// Kinds of rows.
    pub kind: &'a [u8],
    /// The bits of a kind that count.
    pub kind_mask: u8,
}

impl RowColumns<'_> {
    /// The rows of neighbouring sessions.
    #[inline]
    pub fn rows(&self, sessions: &Range<usize>) -> Range<usize> {
        let row = |at: usize| self.first_row.get(at).map_or(0, |&row| row as usize).min(self.kind.len());
        let first = row(sessions.start);
        first..row(sessions.end).max(first)
    }

    /// The first sessions of the range that make a batch; at least one, unless the range is empty.
    pub fn batch_of(&self, sessions: &Range<usize>) -> Range<usize> {
        let end = sessions.end.min(sessions.start + BATCH_SESSIONS);
        let first_row = self.first_row.get(sessions.start).map_or(0, |&row| row as usize);
        let ends = self.first_row.get(sessions.start + 1..end + 1).unwrap_or_default();
        let fitting = ends.partition_point(|&row| row as usize <= first_row + BATCH_ROWS);
        sessions.start..sessions.start + fitting.max(1).min(sessions.len())
    }

    #[inline]
    fn time(&self, session: u32, row: u32) -> i64 {
        let start = self.start.get(session as usize).copied().unwrap_or(0);
        start.wrapping_add(self.gap.get(row as usize).map_or(0, |&gap| i64::from(gap)))
    }
}

/// The difference of two times in whole seconds of the clock.
#[inline]
pub fn whole_seconds(from: i64, to: i64) -> i64 {
    to.div_euclid(1000) - from.div_euclid(1000)
}

impl Batch {
    fn clear(&mut self) {
        self.sessions.clear();
        self.rows.clear();
        self.times.clear();
        self.page_seconds.clear();
        self.groups.clear();
    }

    /// Picks the sessions of a range, or those of them that are selected.
    pub fn pick_sessions(&mut self, sessions: &Range<usize>, selected: Option<&Bits>) {
        self.clear();
        match selected {
            None => self.sessions.extend(sessions.clone().map(|session| session as u32)),
            Some(bits) => bits.for_each_in(sessions.clone(), |session| self.sessions.push(session as u32)),
        }
    }

    /// Picks the rows of one kind (of every kind, when `None`) of the sessions of a range, or of those selected.
    pub fn pick_rows(
        &mut self,
        columns: &RowColumns<'_>,
        sessions: &Range<usize>,
        selected: Option<&Bits>,
        kind: Option<u8>,
    ) {
        self.clear();
        let (wanted, kind_mask) = match kind {
            Some(kind) => (kind, columns.kind_mask),
            None => (0, 0),
        };
        match selected {
            None => self.pick_all_rows(columns, sessions, wanted, kind_mask),
            Some(bits) => bits.for_each_in(sessions.clone(), |session| {
                for row in columns.rows(&(session..session + 1)) {
                    if columns.kind[row] & kind_mask == wanted {
                        self.sessions.push(session as u32);
                        self.rows.push(row as u32);
                    }
                }
            }),
        }
    }

    fn pick_all_rows(
        &mut self,
        columns: &RowColumns<'_>,
        sessions: &Range<usize>,
        wanted: u8,
        kind_mask: u8,
    ) {
        let rows = columns.rows(sessions);
        self.marks.clear();
        self.marks.resize(rows.len(), 0);
        for &first in columns.first_row.get(sessions.start + 1..sessions.end).unwrap_or_default() {
            if let Some(mark) = self.marks.get_mut((first as usize).wrapping_sub(rows.start)) {
                *mark += 1;
            }
        }
        self.sessions.resize(rows.len(), 0);
        self.rows.resize(rows.len(), 0);
        let mut session = sessions.start as u32;
        let mut count = 0;
        let kinds = columns.kind.get(rows.clone()).unwrap_or_default();
        for ((&mark, &kind), row) in self.marks.iter().zip(kinds).zip(rows.start as u32..) {
            session += mark;
            self.sessions[count] = session;
            self.rows[count] = row;
            count += usize::from(kind & kind_mask == wanted);
        }
        self.sessions.truncate(count);
        self.rows.truncate(count);
    }

    /// Works out the time of each picked row.
    pub fn set_times(&mut self, columns: &RowColumns<'_>) {
        if self.times.len() != self.sessions.len() {
            let picks = self.sessions.iter().zip(&self.rows);
            self.times.extend(picks.map(|(&session, &row)| columns.time(session, row)));
        }
    }

    /// Places each picked session at its last row's time.
    pub fn set_last_times(&mut self, last: &[i64]) {
        self.times
            .extend(self.sessions.iter().map(|&session| last.get(session as usize).copied().unwrap_or(0)));
    }

    /// Works out how long each picked view was looked at: the seconds until the session's next view. Rows that are
    /// no views get 0. All views of each session must be picked, and times set.
    pub fn set_page_seconds(&mut self, columns: &RowColumns<'_>, view: u8) {
        self.page_seconds.resize(self.sessions.len(), 0);
        let mut next = (u32::MAX, 0);
        let picks = self.sessions.iter().zip(&self.rows).zip(&self.times);
        for (seconds, ((&session, &row), &time)) in self.page_seconds.iter_mut().zip(picks).rev() {
            if columns.kind.get(row as usize).is_some_and(|kind| kind & columns.kind_mask == view) {
                let between = whole_seconds(time, next.1).clamp(0, PAGE_SECONDS_MAX) as u32;
                *seconds = if next.0 == session { between } else { 0 };
                next = (session, time);
            }
        }
    }

    /// Keeps the picked rows whose code passes.
    pub fn keep_codes(&mut self, codes: Codes<'_>, mask: &Mask) {
        let entries = match mask {
            Mask::Always => return,
            Mask::Never => &[],
            Mask::Codes(entries) => entries.as_slice(),
        };
        let absent = entries.first().copied().unwrap_or(false);
        let entry = |code: u32| entries.get(code as usize).copied().unwrap_or(absent);
        match codes {
            Codes::Constant(code) => self.keep(|_, _| entry(code)),
            Codes::U8(codes) => self.keep(|row, _| entry(codes.get(row as usize).map_or(0, |&c| c.into()))),
            Codes::U16(codes) => self.keep(|row, _| entry(codes.get(row as usize).map_or(0, |&c| c.into()))),
            Codes::U32(codes) => self.keep(|row, _| entry(codes.get(row as usize).copied().unwrap_or(0))),
        }
    }

    /// Keeps what lies in the span. Times must be set.
    pub fn keep_span(&mut self, start: i64, end: i64) {
        self.keep(|_, time| start <= time && time < end);
    }

    #[inline]
    fn keep(&mut self, pass: impl Fn(u32, i64) -> bool) {
        let count = self.sessions.len();
        let (has_rows, has_times) = (self.rows.len() == count, self.times.len() == count);
        let has_seconds = self.page_seconds.len() == count;
        let mut kept = 0;
        for at in 0..count {
            let row = if has_rows { self.rows[at] } else { 0 };
            let time = if has_times { self.times[at] } else { 0 };
            let passes = pass(row, time);
            self.sessions[kept] = self.sessions[at];
            if has_rows {
                self.rows[kept] = row;
            }
            if has_times {
                self.times[kept] = time;
            }
            if has_seconds {
                self.page_seconds[kept] = self.page_seconds[at];
            }
            kept += usize::from(passes);
        }
        self.sessions.truncate(kept);
        self.rows.truncate(kept);
        self.times.truncate(kept);
        self.page_seconds.truncate(kept);
    }
}

/// Appends `group` of the code at each place.
#[inline]
pub fn map_codes(codes: Codes<'_>, places: &[u32], groups: &mut Vec<u32>, mut group: impl FnMut(u32) -> u32) {
    match codes {
        Codes::Constant(code) => groups.extend(places.iter().map(|_| group(code))),
        Codes::U8(codes) => {
            groups.extend(places.iter().map(|&at| group(codes.get(at as usize).map_or(0, |&c| c.into()))));
        }
        Codes::U16(codes) => {
            groups.extend(places.iter().map(|&at| group(codes.get(at as usize).map_or(0, |&c| c.into()))));
        }
        Codes::U32(codes) => {
            groups.extend(places.iter().map(|&at| group(codes.get(at as usize).copied().unwrap_or(0))));
        }
    }
}
