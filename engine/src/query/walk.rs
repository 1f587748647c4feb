//! The walk over the runs of all sources, each counted straight through in visitor order.
//!
//! A visitor with sessions in more than one run, be it on another day or on the same day in another source, is
//! among the recurring ones, which are not counted by order; so runs need no common order.

use std::ops::Range;

use super::filter::Prepared;
use super::guard::Guard;
use super::keys::SourceKey;
use super::metadata::MetaKeys;
use super::numbers::NumberColumn;
use crate::error::QueryError;
use crate::scan::batch::{Batch, RowColumns};
use crate::scan::codetest::CodeTest;
use crate::scan::count::{Counter, Extras, SessionColumns};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Sessions, placed at their last row's time.
    Sessions,
    /// Rows.
    Rows,
}

/// What is counted and measured in a source.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub what: What,
    /// The kind of the rows whose time on page is measured.
    pub view: Option<u8>,
    /// Whether sums alone are asked for.
    pub sums_only: bool,
    pub extras: Extras<'a>,
}

/// One source, ready to be walked.
pub(super) struct Part<'q, 'a> {
    pub prepared: &'q Prepared<'a>,
    pub sessions: SessionColumns<'q>,
    pub rows: RowColumns<'a>,
    pub counted: Counted<'a>,
    /// What a row must satisfy to be counted.
    pub tests: Vec<CodeTest<'a>>,
    /// Whether they leave out views of a session.
    pub tests_views: bool,
    pub key: SourceKey<'q, 'a>,
    /// Groups of all parts at most.
    pub groups_max: usize,
    pub meta_keys: Option<MetaKeys<'q, 'a>>,
    pub number: Option<NumberColumn<'q, 'a>>,
}

/// The walk over the runs.
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

    /// Walks over all runs and gives the counter of the groups. `is_all`: no others are counted elsewhere.
    pub fn finish(mut self, is_all: bool, guard: &mut Guard<'_>) -> Result<Counter, QueryError> {
        let passing = |part: &Part<'_, '_>| match &part.prepared.listed {
            // Sessions that are listed may lie in several runs.
            Some(_) => 2,
            None => {
                let runs = part.prepared.touched.iter();
                runs.filter(|run| part.prepared.any_in(run.sessions.clone())).count()
            }
        };
        if is_all && self.parts.iter().map(passing).sum::<usize>() < 2 {
            // No visitor can recur: stamps alone are exact.
            self.parts.iter_mut().for_each(|part| part.sessions.recurring = None);
        }
        let Self { parts, span, counter, batch } = &mut self;
        for part in parts {
            if let Some(listed) = &part.prepared.listed {
                counter.begin_run();
                part.count_listed(listed, batch, counter, guard)?;
            }
            for run in &part.prepared.touched {
                counter.begin_run();
                let span = (!run.inside).then_some(&*span);
                part.count_run(&run.sessions, span, batch, counter, guard)?;
            }
        }
        Ok(self.counter)
    }
}

impl Part<'_, '_> {
    /// Counts sessions that are far between, batch by batch. Visitors that have some in several runs recur.
    fn count_listed(
        &mut self,
        listed: &[u32],
        batch: &mut Batch,
        counter: &mut Counter,
        guard: &mut Guard<'_>,
    ) -> Result<(), QueryError> {
        let mut left = listed;
        while !left.is_empty() {
            let (sessions, rest) = left.split_at(self.rows.batch_of_listed(left));
            left = rest;
            guard.spend(sessions.len())?;
            match self.counted.what {
                What::Sessions => batch.pick_listed(sessions),
                What::Rows => batch.pick_rows_of(&self.rows, sessions, &self.tests),
            }
            if self.counted.what == What::Rows
                && let Some(view) = self.counted.view
            {
                batch.find_page_seconds(&self.rows, view);
            }
            if self.key.needs_times() {
                match self.counted.what {
                    What::Sessions => batch.set_last_times(&self.sessions.times),
                    What::Rows => batch.set_times(&self.rows),
                }
            }
            self.count_picked(batch, counter)?;
            counter.trim();
        }
        Ok(())
    }

    /// Counts the sessions of a run, batch by batch.
    fn count_run(
        &mut self,
        sessions: &Range<usize>,
        span: Option<&Range<i64>>,
        batch: &mut Batch,
        counter: &mut Counter,
        guard: &mut Guard<'_>,
    ) -> Result<(), QueryError> {
        let mut left = sessions.clone();
        while !left.is_empty() {
            if let Some(selected) = &self.prepared.selected {
                let Some(first) = selected.first_in(left.clone()) else { break };
                left.start = first;
            }
            let sessions = self.rows.batch_of(&left);
            left.start = sessions.end;
            guard.spend(sessions.len())?;
            // Where few pass, the sessions before and after them need not be met.
            let passing = match &self.prepared.selected {
                None => Some(sessions),
                Some(selected) => selected.bounds_in(sessions),
            };
            if let Some(sessions) = passing {
                self.count(&sessions, span, batch, counter)?;
                counter.trim();
            }
        }
        Ok(())
    }

    fn count(
        &mut self,
        sessions: &Range<usize>,
        span: Option<&Range<i64>>,
        batch: &mut Batch,
        counter: &mut Counter,
    ) -> Result<(), QueryError> {
        match self.counted.what {
            What::Sessions => self.pick_sessions(sessions, span, batch),
            What::Rows => self.pick_rows(sessions, span, batch),
        }
        self.count_picked(batch, counter)
    }

    fn count_picked(&mut self, batch: &mut Batch, counter: &mut Counter) -> Result<(), QueryError> {
        self.key.set_groups(batch);
        let group_count = self.key.group_count();
        if group_count > self.groups_max {
            return Err(QueryError::TooManyGroups(self.groups_max));
        }
        counter.reserve(group_count);
        let extras = self.counted.extras;
        if self.counted.what == What::Sessions && self.counted.sums_only {
            counter.add_durations(&self.sessions, batch, extras);
            return Ok(());
        }
        if self.counted.what == What::Sessions {
            counter.meet(&self.sessions, &batch.sessions);
            counter.add_sessions(&self.sessions, batch, extras);
            return Ok(());
        }
        counter.add_row_extras(batch, extras);
        if let Some(meta_keys) = &mut self.meta_keys {
            meta_keys.note(batch);
        }
        if let Some(number) = &mut self.number {
            number.note(batch);
        }
        if self.counted.sums_only && !extras.durations {
            return Ok(());
        }
        if self.key.repeats() {
            batch.fold_repeats();
        }
        counter.meet(&self.sessions, &batch.sessions);
        counter.add_rows(&self.sessions, batch, extras);
        Ok(())
    }

    fn pick_sessions(&self, sessions: &Range<usize>, span: Option<&Range<i64>>, batch: &mut Batch) {
        batch.pick_sessions(sessions, self.prepared.selected.as_ref());
        if span.is_some() || self.key.needs_times() {
            batch.set_last_times(&self.sessions.times);
        }
        if let Some(span) = span {
            batch.keep_span(span.start, span.end);
        }
    }

    fn pick_rows(&self, sessions: &Range<usize>, span: Option<&Range<i64>>, batch: &mut Batch) {
        let selected = self.prepared.selected.as_ref();
        batch.pick_rows(&self.rows, sessions, selected, &self.tests);
        if let Some(view) = self.counted.view {
            if self.tests_views {
                batch.find_page_seconds(&self.rows, view);
            } else {
                batch.set_page_seconds(&self.rows, sessions, view);
            }
        }
        if span.is_some() || self.key.needs_times() {
            batch.set_times(&self.rows);
        }
        if let Some(span) = span {
            batch.keep_span(span.start, span.end);
        }
    }
}
