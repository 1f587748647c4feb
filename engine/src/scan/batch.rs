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
const PAGE_SECONDS_MAX: u32 = 3600;
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
    /// How many picks [`Batch::fold_repeats`] has folded into one, once it has run.
    pub weights: Vec<u32>,
    /// A number for each row or session of the range at hand.
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
    /// Drops all picks.
    pub fn clear(&mut self) {
        self.sessions.clear();
        self.rows.clear();
        self.times.clear();
        self.page_seconds.clear();
        self.groups.clear();
        self.weights.clear();
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
    #[inline(never)]
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

    #[inline(never)]
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
    #[inline(never)]
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
    /// no views get 0. All views of the sessions of the range must be picked.
    #[inline(never)]
    pub fn set_page_seconds(&mut self, columns: &RowColumns<'_>, sessions: &Range<usize>, view: u8) {
        // Whole seconds of the clock differ as those since the full second before the session's start do.
        let starts = columns.start.get(sessions.clone()).unwrap_or_default();
        self.marks.clear();
        self.marks.extend(starts.iter().map(|start| start.rem_euclid(1000) as u32));
        self.page_seconds.resize(self.sessions.len(), 0);
        let (mut next_session, mut next_second) = (u32::MAX, 0);
        let picks = self.sessions.iter().zip(&self.rows);
        for (seconds, (&session, &row)) in self.page_seconds.iter_mut().zip(picks).rev() {
            let is_view = columns.kind.get(row as usize).is_some_and(|kind| kind & columns.kind_mask == view);
            let gap = columns.gap.get(row as usize).copied().unwrap_or(0);
            let start = self.marks.get((session as usize).wrapping_sub(sessions.start)).copied().unwrap_or(0);
            let second = ((u64::from(start) + u64::from(gap)) / 1000) as u32;
            let between = next_second.max(second) - second;
            *seconds = if is_view & (next_session == session) { between.min(PAGE_SECONDS_MAX) } else { 0 };
            next_session = if is_view { session } else { next_session };
            next_second = if is_view { second } else { next_second };
        }
    }

    /// Folds neighbouring picks of the same session and group into one. Afterwards only `sessions`, `groups` and
    /// `weights` tell about picks.
    #[inline(never)]
    pub fn fold_repeats(&mut self) {
        let count = self.sessions.len().min(self.groups.len());
        self.weights.resize(count, 0);
        let mut last = (NO_GROUP, NO_GROUP);
        let mut folded = 0;
        for at in 0..count {
            let pick = (self.sessions[at], self.groups[at]);
            folded += usize::from(pick != last || at == 0);
            last = pick;
            self.sessions[folded - 1] = pick.0;
            self.groups[folded - 1] = pick.1;
            // Where the fold ends; its length is told by the end before.
            self.weights[folded - 1] = at as u32 + 1;
        }
        self.sessions.truncate(folded);
        self.groups.truncate(folded);
        self.weights.truncate(folded);
        let mut before = 0;
        for weight in &mut self.weights {
            let end = *weight;
            *weight = end - before;
            before = end;
        }
    }

    /// Keeps the picked rows whose code passes.
    #[inline(never)]
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
    #[inline(never)]
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

/// Sets each group to `find` of the code at its place.
#[inline]
pub fn map_codes(codes: Codes<'_>, places: &[u32], groups: &mut [u32], mut find: impl FnMut(u32) -> u32) {
    let pairs = groups.iter_mut().zip(places);
    match codes {
        Codes::Constant(code) => pairs.for_each(|(group, _)| *group = find(code)),
        Codes::U8(codes) => {
            for (group, &at) in pairs {
                *group = find(codes.get(at as usize).map_or(0, |&c| c.into()));
            }
        }
        Codes::U16(codes) => {
            for (group, &at) in pairs {
                *group = find(codes.get(at as usize).map_or(0, |&c| c.into()));
            }
        }
        Codes::U32(codes) => {
            for (group, &at) in pairs {
                *group = find(codes.get(at as usize).copied().unwrap_or(0));
            }
        }
    }
}
