//! What can be asked: a span of time, a filter, the rows to count, how to group them, what to measure.
//!
//! The engine knows neither time zones nor the syntax of patterns: it gets sorted bucket edges in UTC
//! milliseconds, and predicates that it runs once for each dictionary entry.

use std::ops::Range;

use super::{PairsTest, TextTest};
use crate::schema::Column;
use crate::units::{SessionId, SiteId, TimestampMs, VisitorId};

/// A test of the texts of a group.
pub type GroupTest = Box<dyn Fn(&[&str]) -> bool + Send + Sync>;

/// What must be true of the events that an [`EventTest`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
    /// One happened in the session.
    Happened,
    /// None happened.
    DidNot,
    /// One happened, or no custom event at all.
    HappenedOrNoEvent,
}

/// Selects sessions by the custom events that happened in them, anywhere in the session.
pub struct EventTest {
    /// Which names count; `None`: every custom event.
    pub name: Option<TextTest>,
    /// What the metadata of the same event must satisfy, all of it.
    pub meta: Vec<PairsTest>,
    /// Which sessions pass.
    pub passes: Occurrence,
    /// With [`Unit::Events`] the test selects rows too, unless it is one of [`Occurrence::DidNot`].
    pub selects_rows: bool,
}

/// Which sessions and rows count. Everything given must hold; the default lets everything pass.
#[derive(Default)]
pub struct Filter {
    /// Session attributes ([`Column::is_attribute`]).
    pub attributes: Vec<(Column, TextTest)>,
    /// Path of the session's first page view.
    pub entry_path: Option<TextTest>,
    /// Path of the last row of the session that has one.
    pub exit_path: Option<TextTest>,
    /// Custom events of the session.
    pub events: Vec<EventTest>,
    /// Row texts, `Path`, `Title`, `Hostname`: select rows.
    pub rows: Vec<(Column, TextTest)>,
    /// Tags of page views: select rows.
    pub tags: Vec<PairsTest>,
    /// One session.
    pub session: Option<(VisitorId, SessionId)>,
}

impl Filter {
    /// Whether nothing is tested but texts of sessions and of rows.
    pub fn tests_texts_only(&self) -> bool {
        let Self { attributes: _, entry_path, exit_path, events, rows: _, tags, session } = self;
        let no_lists = events.is_empty() && tags.is_empty();
        no_lists && entry_path.is_none() && exit_path.is_none() && session.is_none()
    }

    /// Whether the filter selects rows (and so turns a statistic over sessions into one over page views).
    pub fn selects_rows(&self) -> bool {
        !self.rows.is_empty() || !self.tags.is_empty()
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Sessions, placed at their last activity; views are all page views of the session. When the filter
    /// selects rows this is the same as `PageViews`.
    Sessions,
    /// Page views, each placed at its own time.
    PageViews,
    /// Custom events, each placed at its own time.
    Events,
    /// Rows of every kind, each placed at its own time.
    Rows,
}

/// How the counted rows or sessions are grouped.
pub enum Group {
    /// All in one group.
    All,
    /// By time: bucket `i` is `edges[i] <= time < edges[i + 1]`. Edges are sorted and at least two.
    /// Every bucket is in the report, also an empty one.
    Buckets(Vec<TimestampMs>),
    /// By what a clock shows: the hour of the day, the minute of the hour. Every slot is in the report.
    Clock(Clock),
    /// By one to three columns. Row texts need a unit of rows.
    Columns(Vec<Column>),
    /// By the path of the session's first page view (and its title, when `true`). Sessions without one are left out.
    Entry(bool),
    /// By the path of the session's last row that has one (and its title). Sessions without one are left out.
    Exit(bool),
    /// By a part of the metadata of custom events (needs [`Unit::Events`]) or of tags (needs a unit of rows). A row
    /// is in each group that its pairs give, so possibly in several or in none.
    Pairs(PairsColumn, PairsPart),
}

/// Maps local time to a cycle of slots.
///
/// The slot of a time is `(time + shift) / slot_ms` modulo `slot_count`, where `shift` is that of the last piece
/// that begins at or before the time; before the first piece it is the first one's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// From when on which shift holds, in milliseconds; sorted and at least one.
    pub pieces: Vec<(TimestampMs, i64)>,
    /// Milliseconds of a slot, at least 1.
    pub slot_ms: i64,
    /// How many slots the cycle has, at least 1.
    pub slot_count: u16,
}

/// A column of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the columns")]
pub enum PairsColumn {
    EventMeta,
    Tags,
}

/// Which part of pairs makes groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PairsPart {
    /// Each key.
    Keys,
    /// Each distinct value.
    Values,
    /// The value of this key.
    ValueOf(String),
}

/// What is measured beyond the counts that every report has. What is not asked for stays zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measures {
    /// Session durations.
    pub durations: bool,
    /// Time on page.
    pub time_on_page: bool,
    /// Keys of the metadata of each group's events.
    pub meta_keys: bool,
}

/// The order of a report's groups, ties broken by the keys in byte order, first key first. Groups of time are always
/// ordered by time.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// By what.
    pub rank: Rank,
    /// The least first.
    pub ascending: bool,
}

/// What groups are ordered by.
#[derive(Debug, Clone, Copy)]
pub enum Rank {
    /// A number of the group, never NaN.
    Number(fn(&Metrics) -> f64),
    /// The text with this index among the group's keys, in byte order.
    Key(usize),
}

impl Order {
    /// Most visitors first.
    pub const VISITORS: Self = Self::most(|metrics| metrics.visitors as f64);
    /// Most sessions first.
    pub const SESSIONS: Self = Self::most(|metrics| metrics.sessions as f64);
    /// Most views first.
    pub const VIEWS: Self = Self::most(|metrics| metrics.views as f64);
    /// By the keys.
    pub const KEYS: Self = Self { rank: Rank::Key(0), ascending: true };

    /// The greatest number first.
    pub const fn most(number: fn(&Metrics) -> f64) -> Self {
        Self { rank: Rank::Number(number), ascending: false }
    }
}

/// A number read from the metadata of custom events.
pub struct MetaNumber {
    /// The key that is read; events without it are left out.
    pub key: String,
    /// The number of a value, in billionths: sums are then exact in whatever order they are made.
    pub read: Box<dyn Fn(&str) -> i128 + Send + Sync>,
}

/// A question about one site.
pub struct Query {
    /// The site.
    pub site: SiteId,
    /// The span of time, end excluded.
    pub span: Range<TimestampMs>,
    /// Which sessions and rows count.
    pub filter: Filter,
    /// What is counted.
    pub unit: Unit,
    /// How it is grouped.
    pub group: Group,
    /// What is measured.
    pub measures: Measures,
    /// Only what `measures` asks for is counted, all other numbers are 0. For groups that are in every report:
    /// [`Group::All`], [`Group::Buckets`], [`Group::Clock`].
    pub sums_only: bool,
    /// A number of custom events that is summed ([`Unit::Events`]).
    pub number: Option<MetaNumber>,
    /// Which groups are in the report, of those that occur; changes no number. `None`: all.
    pub keep: Option<GroupTest>,
    /// Of groups with the same first text only the one whose other texts are the least is in the report; changes no
    /// number.
    pub firsts_only: bool,
    /// In which order the groups come.
    pub order: Order,
    /// How many groups at most; `None`: all.
    pub limit: Option<usize>,
    /// Everything is scanned, even where counts are known; changes no number.
    pub by_scan: bool,
}

impl Query {
    /// A question about all sessions and rows of the span, with no measures and no limit.
    pub fn new(site: SiteId, span: Range<TimestampMs>, unit: Unit, group: Group) -> Self {
        Self {
            site,
            span,
            filter: Filter::default(),
            unit,
            group,
            measures: Measures::default(),
            sums_only: false,
            number: None,
            keep: None,
            firsts_only: false,
            order: Order::VISITORS,
            limit: None,
            by_scan: false,
        }
    }

    /// What is counted in truth: a filter that selects rows makes sessions page views.
    pub fn counted_unit(&self) -> Unit {
        match self.unit {
            Unit::Sessions if self.filter.selects_rows() => Unit::PageViews,
            unit => unit,
        }
    }
}

/// The numbers of a group. All counts are exact.
///
/// With a unit of rows: `views` are the rows counted; visitors, sessions, bounces and durations are those of the
/// distinct sessions that the rows belong to, counted once in each group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Distinct visitors.
    pub visitors: u64,
    /// Distinct sessions.
    pub sessions: u64,
    /// Page views, or the rows counted.
    pub views: u64,
    /// Sessions that bounced.
    pub bounces: u64,
    /// Sum of the session durations in whole seconds.
    pub duration_seconds: u64,
    /// Sessions with a duration of at least a second.
    pub duration_count: u64,
    /// Sum of the time on page in seconds, at most 3600 for a view.
    pub page_seconds: u64,
    /// Views with a time on page of at least a second.
    pub page_count: u64,
    /// Sum of the durations that custom events carry, in seconds ([`Unit::Events`]).
    pub event_seconds: u64,
    /// Sum of [`Query::number`] in billionths.
    pub number_sum: i128,
    /// Events that have that number.
    pub number_count: u64,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupRow {
    /// The texts of the group, one for each column asked for; empty for groups of time and `All`.
    pub keys: Vec<String>,
    /// The group's numbers.
    pub metrics: Metrics,
    /// Metadata keys of the group, sorted, when asked for.
    pub meta_keys: Vec<String>,
}

/// The answer: groups in the order asked for. `All`, `Buckets` and `Clock` have every group, the others only
/// those that occur.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The groups.
    pub rows: Vec<GroupRow>,
}
