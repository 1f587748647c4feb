//! The walk over the days: a day that one source holds is counted straight through, a day that several hold in
//! merged visitor order, so that the sessions of one visitor on one day are always neighbours.

use std::ops::Range;

use super::filter::Prepared;
use super::guard::Guard;
use super::keys::SourceKey;
use super::metadata::MetaKeys;
use crate::error::QueryError;
use crate::scan::batch::{Batch, RowColumns};
use crate::scan::count::{Counter, Extra, Extras, SessionColumns, Slot};
use crate::scan::merge::{Head, next_stretch};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Sessions, placed at their last row's time.
    Sessions,
    /// Rows of this kind, or of every kind.
    Rows(Option<u8>),
}

/// What is counted and measured in a source.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub what: What,
    /// The kind of the rows whose time on page is measured.
    pub view: Option<u8>,
    pub extras: Extras<'a>,
}

/// One source, ready to be walked.
pub(super) struct Part<'q, 'a> {
    pub prepared: &'q Prepared<'a>,
    pub sessions: SessionColumns<'q>,
    pub rows: RowColumns<'a>,
    pub counted: Counted<'a>,
    pub key: SourceKey<'q, 'a>,
    pub meta_keys: Option<MetaKeys<'q, 'a>>,
}

/// A run of one part: the part's number and the run's.
type PartRun = (usize, usize);

/// The walk over the days.
pub(super) struct Walk<'q, 'a> {
    parts: Vec<Part<'q, 'a>>,
    span: Range<i64>,
    counter: Counter,
    batch: Batch,
}

impl<'q, 'a> Walk<'q, 'a> {
    /// A walk over these parts.
    pub fn new(parts: Vec<Part<'q, 'a>>, span: Range<i64>, counter: Counter) -> Self {
        Self { parts, span, counter, batch: Batch::default() }
    }

    /// Walks over all days and gives the counts of the groups.
    pub fn finish(mut self, guard: &mut Guard<'_>) -> Result<Vec<(Slot, Extra)>, QueryError> {
        let days = self.days();
        if days.len() < 2 {
            // Visitors cannot recur on another day: stamps alone are exact.
            self.parts.iter_mut().for_each(|part| part.sessions.recurring = None);
        }
        for day in &days {
            self.counter.begin_day();
            match day.as_slice() {
                [(part, run)] => {
                    let sessions = self.parts[*part].prepared.touched[*run].sessions.clone();
                    self.stretch(*part, *run, sessions, guard)?;
                }
                several => self.merged(several, guard)?,
            }
        }
        Ok(self.counter.finish())
    }

    /// The runs of each day, in the order of days, that hold any session that passes.
    fn days(&self) -> Vec<Vec<PartRun>> {
        let mut runs: Vec<(u32, PartRun)> = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            for (run_at, run) in part.prepared.touched.iter().enumerate() {
                if part.prepared.any_in(run.sessions.clone()) {
                    runs.push((run.day, (at, run_at)));
                }
            }
        }
        runs.sort_unstable();
        runs.chunk_by(|a, b| a.0 == b.0).map(|day| day.iter().map(|run| run.1).collect()).collect()
    }

    fn merged(&mut self, runs: &[PartRun], guard: &mut Guard<'_>) -> Result<(), QueryError> {
        let head = |&(part, run): &PartRun| {
            let prepared = self.parts[part].prepared;
            Head { keys: prepared.table.visitor, rest: prepared.touched[run].sessions.clone() }
        };
        let mut heads: Vec<Head<'_>> = runs.iter().map(head).collect();
        while let Some((at, sessions)) = next_stretch(&mut heads) {
            let (part, run) = runs[at];
            self.stretch(part, run, sessions, guard)?;
        }
        Ok(())
    }

    /// Counts neighbouring sessions of one run, batch by batch.
    fn stretch(
        &mut self,
        part: usize,
        run: usize,
        mut sessions: Range<usize>,
        guard: &mut Guard<'_>,
    ) -> Result<(), QueryError> {
        let Self { parts, span, counter, batch } = self;
        let part = &mut parts[part];
        let span = (!part.prepared.touched[run].inside).then_some(&*span);
        while !sessions.is_empty() {
            let range = part.rows.batch_of(&sessions);
            sessions.start = range.end;
            guard.spend(range.len())?;
            if part.prepared.any_in(range.clone()) {
                part.count(&range, span, batch, counter);
                counter.trim();
            }
        }
        Ok(())
    }
}

impl Part<'_, '_> {
    fn count(
        &mut self,
        sessions: &Range<usize>,
        span: Option<&Range<i64>>,
        batch: &mut Batch,
        counter: &mut Counter,
    ) {
        match self.counted.what {
            What::Sessions => self.pick_sessions(sessions, span, batch),
            What::Rows(kind) => self.pick_rows(sessions, kind, span, batch),
        }
        counter.meet(&self.sessions, sessions);
        self.key.set_groups(batch);
        counter.reserve(self.key.group_count());
        let (first, extras) = (sessions.start, self.counted.extras);
        if self.counted.what == What::Sessions {
            counter.add_sessions(&self.sessions, first, batch, extras);
            return;
        }
        counter.add_row_extras(batch, extras);
        if let Some(meta_keys) = &mut self.meta_keys {
            meta_keys.note(batch);
        }
        if self.key.repeats() {
            batch.fold_repeats();
        }
        counter.add_rows(&self.sessions, first, batch, extras);
    }

    fn pick_sessions(&self, sessions: &Range<usize>, span: Option<&Range<i64>>, batch: &mut Batch) {
        batch.pick_sessions(sessions, self.prepared.selected.as_ref());
        if span.is_some() || self.key.needs_times() {
            batch.set_last_times(self.sessions.last);
        }
        if let Some(span) = span {
            batch.keep_span(span.start, span.end);
        }
    }

    fn pick_rows(
        &self,
        sessions: &Range<usize>,
        kind: Option<u8>,
        span: Option<&Range<i64>>,
        batch: &mut Batch,
    ) {
        batch.pick_rows(&self.rows, sessions, self.prepared.selected.as_ref(), kind);
        if let Some(view) = self.counted.view {
            batch.set_page_seconds(&self.rows, sessions, view);
        }
        for (codes, mask) in &self.prepared.row_masks {
            batch.keep_codes(*codes, mask);
        }
        if span.is_some() || self.key.needs_times() {
            batch.set_times(&self.rows);
        }
        if let Some(span) = span {
            batch.keep_span(span.start, span.end);
        }
    }
}
