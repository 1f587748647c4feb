//! A batch of sessions, or of rows of sessions, that is picked, tested and grouped step by step.
//!
//! Each step is one loop over the batch without branches that depend on the data, and small enough for the cache. A
//! batch holds a bounded number of rows, save that a session is never cut.
//!
//! Invariant: each of `rows`, `times` and `page_seconds` is empty (not asked for) or as long as `sessions`.

use std::ops::Range;

use super::bits::{Bits, WORD, spans};
use super::codetest::{CodeTest, narrow_words, words_of};
use crate::segment::table::{Codes, FirstRows, Kinds, Narrow, Ranks, Times};

/// Sessions of a batch at most.
const BATCH_SESSIONS: usize = 1024;
/// Rows of a batch at most, unless one session alone has more.
const BATCH_ROWS: usize = 4096;
/// Where fewer rows of a word were picked, each is looked at by itself.
const DENSE_MIN: u32 = 24;
/// Where no more than one session in so many is selected, their rows are picked one by one.
const SPARSE: usize = 16;
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
    /// A number for each session of the range at hand.
    marks: Vec<u32>,
    /// A bit for each row of the range at hand, from the word that has the first: whether it passes.
    words: Vec<u64>,
    /// The same: whether a session begins with it.
    starts: Vec<u64>,
}

/// The row columns that picking needs.
#[derive(Clone, Copy)]
pub struct RowColumns<'a> {
    /// Where each session's rows start.
    pub first_rows: FirstRows<'a>,
    /// The rows that sessions begin with, where that is known beforehand.
    pub starts: Option<Ranks<'a>>,
    /// When rows happened.
    pub times: Times<'a>,
    /// Kinds of rows.
    pub kinds: Kinds<'a>,
    /// The bits of a kind that count.
    pub kind_mask: u8,
}

impl RowColumns<'_> {
    /// The rows of neighbouring sessions.
    #[inline]
    pub fn rows(&self, sessions: &Range<usize>) -> Range<usize> {
        let row = |at: usize| self.first_rows.get(at).map_or(0, |row| row as usize).min(self.kinds.len());
        let first = row(sessions.start);
        first..row(sessions.end).max(first)
    }

    /// The first sessions of the range that make a batch; at least one, unless the range is empty.
    pub fn batch_of(&self, sessions: &Range<usize>) -> Range<usize> {
        let end = sessions.end.min(sessions.start + BATCH_SESSIONS);
        let row = |at: usize| self.first_rows.get(at).map_or(0, |row| row as usize);
        let row_max = row(sessions.start) + BATCH_ROWS;
        if row(end) <= row_max {
            return sessions.start..end;
        }
        // The greatest end of a batch whose rows fit, by halving: first rows ascend.
        let (mut fits, mut fits_not) = (sessions.start, end + 1);
        while fits_not - fits > 1 {
            let middle = usize::midpoint(fits, fits_not);
            if row(middle) <= row_max { fits = middle } else { fits_not = middle }
        }
        sessions.start..fits.max(sessions.start + 1).min(sessions.end.max(sessions.start))
    }

    /// How many of these sessions make a batch; at least one, unless there is none.
    pub fn batch_of_listed(&self, sessions: &[u32]) -> usize {
        let mut rows = 0;
        let fits = |&&session: &&u32| {
            rows += self.rows(&(session as usize..session as usize + 1)).len();
            rows <= BATCH_ROWS
        };
        let count = sessions.iter().take(BATCH_SESSIONS).take_while(fits).count();
        count.max(1).min(sessions.len())
    }

    #[inline]
    fn is_kind(&self, row: usize, wanted: u8) -> bool {
        self.kinds.get(row).is_some_and(|kind| kind & self.kind_mask == wanted)
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

    /// Picks the rows of the sessions of a range, or of those selected, that pass all tests.
    #[inline(never)]
    pub fn pick_rows(
        &mut self,
        columns: &RowColumns<'_>,
        sessions: &Range<usize>,
        selected: Option<&Bits>,
        tests: &[CodeTest<'_>],
    ) {
        self.clear();
        if let Some(few) = selected.filter(|bits| bits.count_in(sessions.clone()) <= sessions.len() / SPARSE)
        {
            few.for_each_in(sessions.clone(), |session| self.pick_rows_of_one(columns, session, tests));
            return;
        }
        let rows = columns.rows(sessions);
        match selected {
            None => words_of(tests, &rows, &mut self.words),
            Some(selected) => {
                self.mark_rows(columns, sessions, &rows, selected);
                narrow_words(tests, rows.start / WORD, &mut self.words);
            }
        }
        self.find_sessions(columns, sessions, &rows);
    }

    /// Notes the rows of the sessions of the range that are selected.
    #[inline(never)]
    fn mark_rows(
        &mut self,
        columns: &RowColumns<'_>,
        sessions: &Range<usize>,
        rows: &Range<usize>,
        selected: &Bits,
    ) {
        let first = rows.start / WORD;
        self.words.clear();
        self.words.resize(rows.end.div_ceil(WORD).saturating_sub(first), 0);
        selected.for_each_in(sessions.clone(), |session| {
            for (at, mask) in spans(&columns.rows(&(session..session + 1)), rows.end) {
                if let Some(word) = self.words.get_mut(at.wrapping_sub(first)) {
                    *word |= mask;
                }
            }
        });
    }

    /// Picks these sessions.
    pub fn pick_listed(&mut self, sessions: &[u32]) {
        self.clear();
        self.sessions.extend_from_slice(sessions);
    }

    /// Picks the rows of these sessions that pass all tests.
    pub fn pick_rows_of(&mut self, columns: &RowColumns<'_>, sessions: &[u32], tests: &[CodeTest<'_>]) {
        self.clear();
        sessions.iter().for_each(|&session| self.pick_rows_of_one(columns, session as usize, tests));
    }

    #[inline]
    fn pick_rows_of_one(&mut self, columns: &RowColumns<'_>, session: usize, tests: &[CodeTest<'_>]) {
        for row in columns.rows(&(session..session + 1)) {
            if tests.iter().all(|test| test.passes(row)) {
                self.sessions.push(session as u32);
                self.rows.push(row as u32);
            }
        }
    }

    /// Picks the rows that the words have, each with its session: as many begin before it, with the first one.
    #[inline(never)]
    fn find_sessions(&mut self, columns: &RowColumns<'_>, sessions: &Range<usize>, rows: &Range<usize>) {
        let first = rows.start / WORD;
        let words = std::mem::take(&mut self.words);
        if let Some(known) = columns.starts {
            let starts = known.words.get(first..).unwrap_or_default().iter();
            let ranks = known.ranks.get(first..).unwrap_or_default();
            for (at, ((&word, &starts), &before)) in (first..).zip(words.iter().zip(starts).zip(ranks)) {
                self.pick_word((at * WORD) as u32, word, starts, before);
            }
        } else {
            self.mark_starts(columns, sessions, rows);
            let starts = std::mem::take(&mut self.starts);
            let mut before = sessions.start as u32;
            for (at, (&word, &starts)) in (first..).zip(words.iter().zip(&starts)) {
                self.pick_word((at * WORD) as u32, word, starts, before);
                before += starts.count_ones();
            }
            self.starts = starts;
        }
        self.words = words;
    }

    /// Picks rows of a word, which has 64 rows from `base`. With `starts` of them sessions begin, after `before` that
    /// have begun.
    #[inline]
    fn pick_word(&mut self, base: u32, word: u64, starts: u64, before: u32) {
        let count = word.count_ones();
        if count < DENSE_MIN {
            let mut left = word;
            while left != 0 {
                let bit = left.trailing_zeros();
                left &= left - 1;
                let begun = before + (starts & (u64::MAX >> (63 - bit))).count_ones();
                self.sessions.push(begun.wrapping_sub(1));
                self.rows.push(base + bit);
            }
            return;
        }
        let at = self.sessions.len();
        self.sessions.resize(at + WORD, 0);
        self.rows.resize(at + WORD, 0);
        if let (Some(sessions), Some(rows)) =
            (self.sessions.last_chunk_mut::<WORD>(), self.rows.last_chunk_mut::<WORD>())
        {
            let (mut begun, mut place) = (before, 0);
            for bit in 0..WORD {
                begun += (starts >> bit & 1) as u32;
                sessions[place % WORD] = begun.wrapping_sub(1);
                rows[place % WORD] = base + bit as u32;
                place += (word >> bit & 1) as usize;
            }
        }
        self.sessions.truncate(at + count as usize);
        self.rows.truncate(at + count as usize);
    }

    /// Notes with which rows the sessions of the range begin.
    #[inline(never)]
    fn mark_starts(&mut self, columns: &RowColumns<'_>, sessions: &Range<usize>, rows: &Range<usize>) {
        let first = rows.start / WORD;
        self.starts.clear();
        self.starts.resize(rows.end.div_ceil(WORD).saturating_sub(first), 0);
        for row in sessions.clone().filter_map(|session| columns.first_rows.get(session)) {
            if let Some(word) = self.starts.get_mut((row as usize / WORD).wrapping_sub(first)) {
                *word |= 1 << (row as usize % WORD);
            }
        }
    }

    /// Works out the time of each picked row.
    #[inline(never)]
    pub fn set_times(&mut self, columns: &RowColumns<'_>) {
        if self.times.len() == self.sessions.len() {
            return;
        }
        let picks =
            self.sessions.iter().zip(&self.rows).map(|(&session, &row)| (session as usize, row as usize));
        match columns.times {
            Times::Millis(millis) => {
                let times = Times::Millis(millis);
                self.times.extend(picks.map(|(session, row)| times.of_row(session, row)));
            }
            Times::Seconds(seconds) => {
                self.times.extend(picks.map(|(session, row)| seconds.second(session, row) * 1000));
            }
            exact => self.times.extend(picks.map(|(session, row)| exact.of_row(session, row))),
        }
    }

    /// Places each picked session at its last row's time.
    pub fn set_last_times(&mut self, times: &Times<'_>) {
        let sessions = self.sessions.iter().map(|&session| session as usize);
        match times {
            Times::Millis(millis) => {
                let last = |session| millis.last.get(session).copied().unwrap_or(0);
                self.times.extend(sessions.map(last));
            }
            Times::Seconds(seconds) => {
                let last = |session| seconds.last(session).unwrap_or(0) * 1000;
                self.times.extend(sessions.map(last));
            }
            times => self.times.extend(sessions.map(|session| times.last(session).unwrap_or(0))),
        }
    }

    /// Works out how long each picked view was looked at: the seconds until the session's next view. Rows that are
    /// no views get 0. All views of the sessions of the range must be picked.
    #[inline(never)]
    pub fn set_page_seconds(&mut self, columns: &RowColumns<'_>, sessions: &Range<usize>, view: u8) {
        match columns.times {
            Times::Millis(times) => {
                // Whole seconds of the clock differ as those since the full second before the session's start do.
                let starts = times.start.get(sessions.clone()).unwrap_or_default();
                let mut marks = std::mem::take(&mut self.marks);
                marks.clear();
                marks.extend(starts.iter().map(|start| start.rem_euclid(1000) as u32));
                self.measure_views(columns, view, |session, row| {
                    let gap = times.gap.get(row).copied().unwrap_or(0);
                    let start = marks.get(session.wrapping_sub(sessions.start)).copied().unwrap_or(0);
                    ((u64::from(start) + u64::from(gap)) / 1000) as u32
                });
                self.marks = marks;
            }
            Times::Seconds(times) => {
                self.measure_views(columns, view, |session, row| times.gap(session, row));
            }
            times => self.measure_views(columns, view, |session, row| {
                let start = times.start(session).unwrap_or(0);
                whole_seconds(start, times.of_row(session, row)).max(0) as u32
            }),
        }
    }

    /// As [`Batch::set_page_seconds`], by the second of each row since some moment of its session.
    #[inline]
    fn measure_views(&mut self, columns: &RowColumns<'_>, view: u8, second: impl Fn(usize, usize) -> u32) {
        self.page_seconds.resize(self.sessions.len(), 0);
        let (mut next_session, mut next_second) = (u32::MAX, 0);
        let picks = self.sessions.iter().zip(&self.rows);
        for (seconds, (&session, &row)) in self.page_seconds.iter_mut().zip(picks).rev() {
            let is_view = columns.is_kind(row as usize, view);
            let second = second(session as usize, row as usize);
            let between = next_second.max(second) - second;
            *seconds = if is_view & (next_session == session) { between.min(PAGE_SECONDS_MAX) } else { 0 };
            next_session = if is_view { session } else { next_session };
            next_second = if is_view { second } else { next_second };
        }
    }

    /// As [`Batch::set_page_seconds`], where not all views were picked: each one's next is looked for.
    #[inline(never)]
    pub fn find_page_seconds(&mut self, columns: &RowColumns<'_>, view: u8) {
        let seconds = |(&session, &row): (&u32, &u32)| {
            let (session, row) = (session as usize, row as usize);
            if !columns.is_kind(row, view) {
                return 0;
            }
            let mut later = row + 1..columns.rows(&(session..session + 1)).end;
            let time = |row| columns.times.of_row(session, row);
            let between = |next| whole_seconds(time(row), time(next)).clamp(0, PAGE_SECONDS_MAX.into());
            later.find(|&row| columns.is_kind(row, view)).map_or(0, |next| between(next) as u32)
        };
        self.page_seconds.extend(self.sessions.iter().zip(&self.rows).map(seconds));
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

    /// Keeps what lies in the span. Times must be set.
    #[inline(never)]
    pub fn keep_span(&mut self, start: i64, end: i64) {
        let count = self.sessions.len();
        let (has_rows, has_times) = (self.rows.len() == count, self.times.len() == count);
        let has_seconds = self.page_seconds.len() == count;
        let mut kept = 0;
        for at in 0..count {
            let row = if has_rows { self.rows[at] } else { 0 };
            let time = if has_times { self.times[at] } else { 0 };
            let passes = start <= time && time < end;
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
        Codes::Combined { codes: Narrow::U8(codes), table } => {
            for (group, &at) in pairs {
                *group = find(table.get(codes.get(at as usize).map_or(0, |&c| c.into())));
            }
        }
        Codes::Combined { codes: Narrow::U16(codes), table } => {
            for (group, &at) in pairs {
                *group = find(table.get(codes.get(at as usize).map_or(0, |&c| c.into())));
            }
        }
        Codes::Combined { codes, table } => {
            pairs.for_each(|(group, &at)| *group = find(table.get(codes.get(at as usize) as usize)));
        }
        Codes::Ranked(codes) => pairs.for_each(|(group, &at)| *group = find(codes.get(at as usize))),
        Codes::Cold(texts) => pairs.for_each(|(group, &at)| *group = find(texts.code(at as usize))),
    }
}
