//! Statistics: what a reader of numbers asks for, put together from the engine's reports.
//!
//! Neutral of any interface: nothing here knows how a parameter is spelled or how an answer is written. Each
//! statistic is one or a few [`Query`]s; what they need of each other (denominators, a page's time beside a list
//! of entry pages) is joined here.
//!
//! Invariants: a rate is a fraction of 0 to 1; denominators are sessions of the whole period without any filter
//! (in a series: of that bucket); lists keep the order of the engine, or restore it where two reports are merged.

pub mod active;
pub mod custom;
pub mod days;
pub mod events;
pub mod goals;
pub mod growth;
pub mod list;
pub mod numbers;
pub mod options;
pub mod overview;
pub mod pages;
pub mod period;
pub mod platforms;
pub mod referrers;
pub mod selection;
pub mod series;
pub mod sessions;
pub mod sort;
pub mod tags;

#[cfg(test)]
pub(crate) mod fake;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{
    Cancelled, Filter, Group, GroupTest, Measures, Metrics, Query, Report, SessionDetail, SessionRow,
    SessionsQuery, Unit,
};
use hitstone_engine::store::Snapshot;
use hitstone_engine::units::{SiteId, TimestampMs};

use custom::{Custom, CustomMetric};
use period::{Period, Scale};
use selection::Selection;
use sort::{Search, Sort, SortBy};

/// Whoever answers queries: the engine over a snapshot, or a test.
pub trait Ask {
    /// Answers one query.
    ///
    /// # Errors
    /// As [`Snapshot::answer`].
    fn ask(&self, query: &Query) -> Result<Report, QueryError>;

    /// Lists sessions.
    ///
    /// # Errors
    /// As [`Snapshot::sessions`].
    fn sessions(&self, query: &SessionsQuery) -> Result<Vec<SessionRow>, QueryError>;

    /// Gives the rows of one session.
    ///
    /// # Errors
    /// As [`Snapshot::session_rows`].
    fn session_rows(&self, query: &SessionsQuery) -> Result<Option<SessionDetail>, QueryError>;
}

/// The engine over one snapshot, until cancelled.
pub struct SnapshotAsk<'a> {
    snapshot: &'a Snapshot,
    cancelled: Cancelled<'a>,
    /// The sites and spans that were asked about.
    asked: RefCell<Vec<(SiteId, Range<TimestampMs>)>>,
}

impl<'a> SnapshotAsk<'a> {
    /// Queries see the snapshot; `cancelled` gives a reason once they shall stop.
    pub fn new(snapshot: &'a Snapshot, cancelled: Cancelled<'a>) -> Self {
        Self { snapshot, cancelled, asked: RefCell::default() }
    }

    /// Why some data of the spans that were asked about is missing, when damage was found.
    pub fn incomplete(&self) -> Option<String> {
        self.asked.borrow().iter().find_map(|(site, span)| self.snapshot.incomplete(*site, span))
    }

    fn note(&self, site: SiteId, span: &Range<TimestampMs>) {
        let mut asked = self.asked.borrow_mut();
        if !asked.iter().any(|known| (known.0, &known.1) == (site, span)) {
            asked.push((site, span.clone()));
        }
    }
}

impl Ask for SnapshotAsk<'_> {
    fn ask(&self, query: &Query) -> Result<Report, QueryError> {
        self.note(query.site, &query.span);
        self.snapshot.answer(query, self.cancelled)
    }

    fn sessions(&self, query: &SessionsQuery) -> Result<Vec<SessionRow>, QueryError> {
        self.note(query.site, &query.span);
        self.snapshot.sessions(query, self.cancelled)
    }

    fn session_rows(&self, query: &SessionsQuery) -> Result<Option<SessionDetail>, QueryError> {
        self.note(query.site, &query.span);
        self.snapshot.session_rows(query, self.cancelled)
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many lines are left out at the start.
    pub offset: usize,
    /// How many lines come after that; `None`: all.
    pub limit: Option<usize>,
}

impl Page {
    /// How many groups the engine has to give for this page.
    fn group_limit(self) -> Option<usize> {
        self.limit.map(|limit| limit.saturating_add(self.offset))
    }

    /// Cuts a whole list down to the page.
    fn cut<T>(self, lines: Vec<T>) -> Vec<T> {
        lines.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX)).collect()
    }
}

/// One line of a statistic. What a statistic does not fill stays zero or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// The texts of the group.
    pub keys: Vec<String>,
    /// The slot of a cycle: the hour of the day, of the week, or the minute of the hour.
    pub slot: u16,
    /// The numbers of the group.
    pub metrics: Metrics,
    /// What rates are fractions of.
    pub whole: Metrics,
    /// Sessions that began or ended on the page.
    pub entries: u64,
    /// An average in whole seconds.
    pub seconds: u64,
    /// The custom metric.
    pub custom: Custom,
    /// Metadata keys of the group.
    pub meta_keys: Vec<String>,
}

/// A question about one site: who answers, and everything that holds for each of its queries.
#[derive(Clone, Copy)]
pub struct Question<'a, A: Ask> {
    /// Who answers.
    pub ask: &'a A,
    /// The site.
    pub site: SiteId,
    /// Which sessions and rows count.
    pub selection: &'a Selection,
    /// The span of time.
    pub period: &'a Period,
    /// Which part of the list.
    pub page: Page,
    /// Pages are told apart by their titles too.
    pub with_title: bool,
    /// The average time on page is wanted.
    pub with_time: bool,
    /// What series have a line for.
    pub scale: Scale,
    /// What lists are ordered by; `None`: each by its own.
    pub sort_by: Option<SortBy>,
    /// The least comes first; `None`: as it is usual for what lists are ordered by.
    pub ascending: Option<bool>,
    /// Which lines of a list are wanted.
    pub search: Option<&'a Arc<Search>>,
    /// The custom metric.
    pub custom: Option<&'a CustomMetric>,
}

impl<A: Ask> Question<'_, A> {
    /// A query of this question's site, period and selection, with no measures and no limit.
    fn query(&self, unit: Unit, group: Group) -> Query {
        let filter = self.selection.filter();
        Query { filter, ..Query::new(self.site, self.period.span(), unit, group) }
    }

    /// The order of a list that is ordered by `default` unless the reader wants another.
    fn sort(&self, default: SortBy) -> Sort {
        let by = self.sort_by.unwrap_or(default);
        Sort { by, ascending: self.ascending.unwrap_or(by.is_ascending()) }
    }

    /// Which groups of a list are wanted, by their first texts.
    fn keep(&self, text_count: usize) -> Option<GroupTest> {
        self.search.map(|search| search.test(text_count))
    }

    /// The numbers of a query that has one group.
    fn one(&self, query: &Query) -> Result<Metrics, QueryError> {
        Ok(self.ask.ask(query)?.rows.first().map(|row| row.metrics).unwrap_or_default())
    }

    /// What rates are fractions of: the sessions of the period, whatever the filter.
    ///
    /// # Errors
    /// As [`Ask::ask`].
    pub fn whole(&self) -> Result<Metrics, QueryError> {
        self.one(&Query { filter: Filter::default(), ..self.query(Unit::Sessions, Group::All) })
    }

    /// The numbers of the period as one line.
    ///
    /// # Errors
    /// As [`Ask::ask`].
    pub fn total(&self) -> Result<Line, QueryError> {
        self.measured(Measures::default())
    }

    /// As [`Question::total`], with more measured.
    ///
    /// # Errors
    /// As [`Ask::ask`].
    pub fn measured(&self, measures: Measures) -> Result<Line, QueryError> {
        let metrics = self.one(&Query { measures, ..self.query(Unit::Sessions, Group::All) })?;
        let whole = if self.selection.is_empty() { metrics } else { self.whole()? };
        let custom = custom::of_all(self)?;
        Ok(Line { metrics, whole, custom, ..Line::default() })
    }
}
