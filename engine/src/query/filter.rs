//! Which sessions of one source pass a filter, and which tests are left for the rows.
//!
//! A test of a text runs once for each of the site's strings that a source has (or, when fewer codes are touched than
//! its dictionary holds, that occurs there) and becomes a mask over local codes. Sessions are narrowed down step by
//! step, the cheapest first: posting lists, codes of sessions, rows of what is left.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;

use super::events::{self, EventRows};
use super::guard::{Guard, WORK_A_CHECK};
use super::keys::Edge;
use super::masks::{self, Kept};
use super::postings;
use super::verdicts::{TestOf, Verdicts};
use super::{EventTest, Filter, Occurrence, PairsTest, Source, TextTest, Unit};
use crate::error::QueryError;
use crate::event::Pairs;
use crate::scan::batch::{Batch, RowColumns};
use crate::scan::bits::Bits;
use crate::scan::codetest::CodeTest;
use crate::scan::mask::Mask;
use crate::schema::Column;
use crate::segment::table::{Codes, Dictionary, NO_ROW, ROW_KIND_MASK, Run, SiteTable};

/// A run that can hold something within the span.
#[derive(Debug, Clone)]
pub(super) struct Touched {
    pub sessions: Range<usize>,
    /// All times of the run lie in the span.
    pub inside: bool,
    /// The run itself.
    pub run: Run,
}

/// One source with its filter worked out.
pub(super) struct Prepared<'a> {
    pub table: SiteTable<'a>,
    pub touched: Vec<Touched>,
    /// The sessions that pass; `None`: all.
    pub selected: Option<Bits>,
    /// What a row must satisfy.
    pub row_tests: Vec<CodeTest<'a>>,
    /// Sessions, ascending: these alone count, and `touched` and `selected` play no part.
    pub listed: Option<Arc<[u32]>>,
    /// The number of the source among those of the query.
    pub source: usize,
}

impl<'a> Prepared<'a> {
    /// Nothing but these sessions of a source, of which those count that are not hidden and whose attributes pass, with the
    /// rows that pass. Other tests of the filter play no part.
    pub fn listed(
        source: &Source<'a>,
        number: usize,
        sessions: &Arc<[u32]>,
        Filter { attributes, rows, .. }: &Filter,
        known: &mut Verdicts,
        guard: &mut Guard<'_>,
    ) -> Result<Self, QueryError> {
        let mut row_tests = Vec::new();
        for (number, (column, test)) in rows.iter().enumerate() {
            let dictionary = source.table.dictionary(*column);
            let mask = masks::of_all(dictionary, test, || known.of(TestOf::Row(number)), guard)?;
            row_tests.push(CodeTest::new(source.table.codes(*column), mask));
        }
        let touched = Vec::new();
        let hidden = source.hidden.filter(|hidden| !hidden.is_empty());
        // Each text is tested once.
        let mut verdicts = vec![HashMap::new(); attributes.len()];
        let passes = |session: &u32| {
            let test = |((column, test), verdicts): (&(Column, TextTest), &mut HashMap<u32, bool>)| {
                let code = source.table.codes(*column).get(*session as usize);
                let holds = || test.holds(source.table.dictionary(*column).get(code));
                *verdicts.entry(code).or_insert_with(holds)
            };
            hidden.is_none_or(|hidden| !hidden.contains(*session))
                && attributes.iter().zip(&mut verdicts).all(test)
        };
        let listed = Some(match (&attributes[..], hidden) {
            ([], None) => sessions.clone(),
            _ => sessions.iter().copied().filter(passes).collect(),
        });
        Ok(Self { table: source.table, touched, selected: None, row_tests, listed, source: number })
    }

    /// Whether any session of the range passes.
    pub fn any_in(&self, sessions: Range<usize>) -> bool {
        self.selected.as_ref().map_or(!sessions.is_empty(), |bits| bits.any_in(sessions))
    }

    /// Whether a session of a touched run passes.
    pub fn selects(&self, session: usize) -> bool {
        self.selected.as_ref().is_none_or(|bits| bits.contains(session))
    }

    /// Takes sessions out.
    pub fn leave_out(&mut self, sessions: &Bits) {
        self.bits().remove_all(sessions);
    }

    /// Keeps only these sessions.
    pub fn keep_only(&mut self, sessions: &Bits) {
        self.bits().intersect(sessions);
    }

    fn bits(&mut self) -> &mut Bits {
        let Self { table, touched, selected, .. } = self;
        selected.get_or_insert_with(|| in_runs(table.session_count(), touched))
    }

    /// Whether a row passes the tests of rows.
    pub fn passes(&self, row: usize) -> bool {
        self.row_tests.iter().all(|test| test.passes(row))
    }
}

/// The columns of a table by which rows are picked.
pub(super) fn row_columns<'a>(table: &SiteTable<'a>) -> RowColumns<'a> {
    RowColumns {
        first_rows: table.first_rows,
        starts: table.starts,
        times: table.times,
        kinds: table.kinds,
        kind_mask: ROW_KIND_MASK,
    }
}

/// The runs that can hold something within the span.
pub(super) fn touched_runs(runs: &[Run], span: &Range<i64>, session_count: usize) -> Vec<Touched> {
    let touched = runs.iter().filter(|run| run.may_touch(span)).map(|run| {
        let inside = span.start <= run.min_time && run.max_time < span.end;
        Touched { sessions: run.sessions(session_count), inside, run: *run }
    });
    touched.filter(|run| !run.sessions.is_empty()).collect()
}

/// Works out the filter for one source, of which some runs are touched; `None` when nothing of it can count. `verdicts`
/// are those of the query so far.
pub(super) fn prepare<'a>(
    source: &Source<'a>,
    number: usize,
    touched: Vec<Touched>,
    filter: &Filter,
    unit: Unit,
    verdicts: &mut Verdicts,
    guard: &mut Guard<'_>,
) -> Result<Option<Prepared<'a>>, QueryError> {
    let mut narrowing = Narrowing::new(source.table, touched, verdicts);
    let mut row_tests = Vec::new();
    if narrowing.touched.is_empty()
        || !narrowing.hide(source, guard)?
        || !narrowing.keep_session(filter)?
        || !narrowing.keep_attributes(filter, guard)?
        || !narrowing.keep_rows(filter, &mut row_tests, guard)?
        || !narrowing.keep_edges(filter, guard)?
        || !narrowing.keep_events(filter, unit, &mut row_tests, guard)?
    {
        return Ok(None);
    }
    let Narrowing { table, touched, selected, .. } = narrowing;
    Ok(Some(Prepared { table, touched, selected, row_tests, listed: None, source: number }))
}

/// The empty set of the sessions of these runs.
fn none_of(session_count: usize, runs: &[Touched]) -> Bits {
    let first = runs.iter().map(|run| run.sessions.start).min().unwrap_or(0);
    let end = runs.iter().map(|run| run.sessions.end).max().unwrap_or(0);
    Bits::within(first..end, session_count)
}

fn in_runs(session_count: usize, runs: &[Touched]) -> Bits {
    let mut bits = none_of(session_count, runs);
    runs.iter().for_each(|run| bits.insert_range(run.sessions.clone()));
    bits
}

/// The sessions that are left. Each `keep_` step returns whether any can be.
pub(super) struct Narrowing<'a, 'v> {
    pub table: SiteTable<'a>,
    pub touched: Vec<Touched>,
    selected: Option<Bits>,
    verdicts: &'v mut Verdicts,
}

impl<'a, 'v> Narrowing<'a, 'v> {
    fn new(table: SiteTable<'a>, touched: Vec<Touched>, verdicts: &'v mut Verdicts) -> Self {
        Self { table, touched, selected: None, verdicts }
    }

    fn bits(&mut self) -> &mut Bits {
        let Self { table, touched, selected, .. } = self;
        selected.get_or_insert_with(|| in_runs(table.session_count(), touched))
    }

    fn any(&self) -> bool {
        self.selected.as_ref().is_none_or(|bits| !bits.is_empty())
    }

    fn hide(&mut self, source: &Source<'_>, guard: &mut Guard<'_>) -> Result<bool, QueryError> {
        if let Some(hidden) = source.hidden.filter(|hidden| !hidden.is_empty()) {
            guard.spend(hidden.len() as usize)?;
            let bits = self.bits();
            hidden.iter().for_each(|session| bits.remove(session as usize));
        }
        Ok(self.any())
    }

    fn keep_session(&mut self, filter: &Filter) -> Result<bool, QueryError> {
        let Some((visitor, session)) = filter.session else { return Ok(true) };
        let found = self.table.find_session(visitor.0, session, self.touched.iter().map(|run| &run.run))?;
        let mut bits = none_of(self.table.session_count(), &self.touched);
        found.into_iter().for_each(|at| bits.insert(at as usize));
        self.bits().intersect(&bits);
        Ok(self.any())
    }

    fn keep_attributes(&mut self, filter: &Filter, guard: &mut Guard<'_>) -> Result<bool, QueryError> {
        for (number, (column, test)) in filter.attributes.iter().enumerate() {
            let mask = self.text_mask(*column, TestOf::Attribute(number), test, guard)?;
            if mask == Mask::Never {
                return Ok(false);
            }
            self.keep_listed(*column, &mask);
            self.retain_tested(&CodeTest::new(self.table.codes(*column), mask), guard)?;
        }
        Ok(self.any())
    }

    fn keep_rows(
        &mut self,
        filter: &Filter,
        row_tests: &mut Vec<CodeTest<'a>>,
        guard: &mut Guard<'_>,
    ) -> Result<bool, QueryError> {
        for (number, (column, test)) in filter.rows.iter().enumerate() {
            let mask = self.text_mask(*column, TestOf::Row(number), test, guard)?;
            self.keep_listed(*column, &mask);
            row_tests.push(CodeTest::new(self.table.codes(*column), mask));
        }
        if !filter.tags.is_empty() {
            let mask = self.pairs_mask(Column::Tags, &filter.tags, guard)?;
            row_tests.push(CodeTest::new(self.table.codes(Column::Tags), mask));
        }
        let possible = !row_tests.iter().any(CodeTest::is_never);
        row_tests.retain(|test| !test.is_always());
        Ok(possible && self.any())
    }

    fn keep_edges(&mut self, filter: &Filter, guard: &mut Guard<'_>) -> Result<bool, QueryError> {
        let table = self.table;
        let tests =
            [(&filter.entry_path, Edge::Entry, TestOf::Entry), (&filter.exit_path, Edge::Exit, TestOf::Exit)];
        for (test, edge, of) in tests {
            let Some(test) = test else { continue };
            let mask = self.text_mask(Column::Path, of, test, guard)?;
            let codes = table.codes(Column::Path);
            let row_count = table.row_count();
            self.retain(&mask, guard, |session, mask| match edge.row(&table.states, session) {
                row if row != NO_ROW && (row as usize) < row_count => mask.passes(codes.get(row as usize)),
                _ => mask.passes(0),
            })?;
        }
        Ok(self.any())
    }

    fn keep_events(
        &mut self,
        filter: &Filter,
        unit: Unit,
        row_tests: &mut Vec<CodeTest<'a>>,
        guard: &mut Guard<'_>,
    ) -> Result<bool, QueryError> {
        for (number, test) in filter.events.iter().enumerate() {
            let events = EventRows::new(self, TestOf::Event(number), test, guard)?;
            if events.are_none() && test.passes == Occurrence::Happened {
                return Ok(false);
            }
            if unit == Unit::Events && test.passes != Occurrence::DidNot && test.selects_rows {
                // A row that passes says of its session what is to be said.
                row_tests.extend(events.into_row_tests());
                continue;
            }
            if events.are_none() && test.passes == Occurrence::DidNot {
                continue;
            }
            let happened = self.sessions_with(&events.tests(), guard)?;
            match test.passes {
                Occurrence::Happened => self.bits().intersect(&happened),
                Occurrence::DidNot => self.bits().remove_all(&happened),
                Occurrence::HappenedOrNoEvent => {
                    let mut others = self.sessions_with(&[events::of_kind(&self.table)], guard)?;
                    others.remove_all(&happened);
                    self.bits().remove_all(&others);
                }
            }
        }
        Ok(self.any())
    }

    /// The sessions of touched runs that have a row that passes all tests.
    fn sessions_with(&self, tests: &[CodeTest<'_>], guard: &mut Guard<'_>) -> Result<Bits, QueryError> {
        let columns = row_columns(&self.table);
        let mut found = none_of(self.table.session_count(), &self.touched);
        let mut batch = Batch::default();
        for run in &self.touched {
            let mut left = run.sessions.clone();
            while !left.is_empty() {
                let sessions = columns.batch_of(&left);
                left.start = sessions.end;
                guard.spend(sessions.len())?;
                batch.pick_rows(&columns, &sessions, None, tests);
                batch.sessions.iter().for_each(|&session| found.insert(session as usize));
            }
        }
        Ok(found)
    }

    /// Narrows down by posting lists where they pay. What is left may still hold sessions that do not match.
    fn keep_listed(&mut self, column: Column, mask: &Mask) {
        if let Some(listed) = postings::listed(&self.table, column, mask, self.touched_items(column)) {
            self.bits().intersect(&listed);
        }
    }

    /// The same, when only sessions pass in which such an event happened.
    pub fn keep_listed_if(&mut self, test: &EventTest, column: Column, mask: &Mask) {
        if test.passes == Occurrence::Happened {
            self.keep_listed(column, mask);
        }
    }

    fn retain(
        &mut self,
        mask: &Mask,
        guard: &mut Guard<'_>,
        pass: impl Fn(usize, &Mask) -> bool,
    ) -> Result<(), QueryError> {
        match mask {
            Mask::Always => Ok(()),
            mask => self.retain_all(guard, |session| pass(session, mask)),
        }
    }

    fn retain_tested(&mut self, test: &CodeTest<'_>, guard: &mut Guard<'_>) -> Result<(), QueryError> {
        if test.is_always() {
            return Ok(());
        }
        self.bits();
        let Self { touched, selected, .. } = self;
        let Some(bits) = selected else { return Ok(()) };
        for piece in touched.iter().flat_map(|run| pieces(&run.sessions)) {
            guard.spend(piece.len())?;
            test.retain_in(bits, piece);
        }
        Ok(())
    }

    fn retain_all(&mut self, guard: &mut Guard<'_>, pass: impl Fn(usize) -> bool) -> Result<(), QueryError> {
        self.bits();
        let Self { touched, selected, .. } = self;
        let Some(bits) = selected else { return Ok(()) };
        for run in touched.iter() {
            for piece in pieces(&run.sessions) {
                guard.spend(piece.len())?;
                bits.retain_in(piece, &pass);
            }
        }
        Ok(())
    }

    /// The mask of a test of a text column.
    pub fn text_mask(
        &mut self,
        column: Column,
        of: TestOf,
        test: &TextTest,
        guard: &mut Guard<'_>,
    ) -> Result<Mask, QueryError> {
        let dictionary = self.table.dictionary(column);
        if let Some(mask) = masks::of_texts(dictionary, test) {
            return Ok(mask);
        }
        let matters = self.matters(column, dictionary);
        let kept = Kept::of(dictionary, test, || self.verdicts.of(of));
        masks::of_test(dictionary, matters.as_ref(), &|text| test.holds(text), kept, guard)
    }

    /// The mask of tests of a column of pairs, all of which must hold.
    pub fn pairs_mask(
        &self,
        column: Column,
        tests: &[PairsTest],
        guard: &mut Guard<'_>,
    ) -> Result<Mask, QueryError> {
        let holds = |text: &str| tests.iter().all(|test| test.holds(Pairs(text)));
        let dictionary = self.table.dictionary(column);
        let matters = self.matters(column, dictionary);
        let kept = match (self.table.cold, PairsTest::name_of_all(tests)) {
            (Some(cold), Some(name)) if !dictionary.has_site_codes() => {
                cold.verdicts(column, &name, dictionary.len() as u32).map_or(Kept::Nowhere, Kept::Beyond)
            }
            _ => Kept::Nowhere,
        };
        masks::of_test(dictionary, matters.as_ref(), &holds, kept, guard)
    }

    /// The codes that can matter; `None`: all.
    fn matters(&self, column: Column, dictionary: Dictionary<'a>) -> Option<Bits> {
        let code_count = dictionary.len().max(1);
        (code_count > self.touched_items(column)).then(|| self.occurring(column, code_count))
    }

    /// The codes that occur in touched runs, and 0.
    fn occurring(&self, column: Column, code_count: usize) -> Bits {
        let mut bits = Bits::new(code_count);
        bits.insert(0);
        let codes = self.table.codes(column);
        for items in self.touched.iter().map(|run| self.items(column, run)) {
            match codes {
                Codes::Cold(texts) => texts.codes_in(items).for_each(|code| bits.insert(code as usize)),
                codes => items.for_each(|item| bits.insert(codes.get(item) as usize)),
            }
        }
        bits
    }

    /// How many entries of the column belong to touched runs; of a cold one those that have a text.
    fn touched_items(&self, column: Column) -> usize {
        let items = self.touched.iter().map(|run| self.items(column, run));
        match self.table.codes(column) {
            Codes::Cold(texts) => items.map(|rows| texts.count_in(rows)).sum(),
            _ => items.map(|items| items.len()).sum(),
        }
    }

    /// The entries of the column that belong to a run: its sessions, or their rows.
    fn items(&self, column: Column, run: &Touched) -> Range<usize> {
        if column.is_attribute() {
            return run.sessions.clone();
        }
        self.table.rows_of(&run.sessions)
    }
}

/// A range cut into pieces of at most [`WORK_A_CHECK`].
pub(super) fn pieces(range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    let end = range.end;
    range.clone().step_by(WORK_A_CHECK).map(move |start| start..end.min(start + WORK_A_CHECK))
}
