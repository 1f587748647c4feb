//! What can be asked: a span of time, a filter, the rows to count, how to group them, what to measure.
//!
//! The engine knows neither time zones nor the syntax of patterns: it gets sorted bucket edges in UTC
//! milliseconds, and predicates that it runs once for each dictionary entry.

use std::ops::Range;

use crate::schema::Column;
use crate::units::{SessionId, SiteId, TimestampMs, VisitorId};

/// A test of one text. The empty text stands for "absent".
pub type TextTest = Box<dyn Fn(&str) -> bool + Send + Sync>;
/// A test of one value of a map; `None` when the map has no such key.
pub type ValueTest = Box<dyn Fn(Option<&str>) -> bool + Send + Sync>;

/// A test of one key of the metadata or tags of a row.
pub struct MapTest {
    /// The key.
    pub key: String,
    /// The test of its value.
    pub test: ValueTest,
}

/// Selects sessions by the custom events that happened in them, anywhere in the session.
pub struct EventTest {
    /// Which names count; `None`: every custom event.
    pub name: Option<TextTest>,
    /// What the metadata of the same event must satisfy, all of it.
    pub meta: Vec<MapTest>,
    /// `false`: sessions in which such an event happened; `true`: sessions in which none did.
    pub negated: bool,
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
    /// Custom events of the session. With [`Unit::Events`] the tests that are not negated also select rows.
    pub events: Vec<EventTest>,
    /// Row texts, `Path`, `Title`, `Hostname`: select rows.
    pub rows: Vec<(Column, TextTest)>,
    /// Tags of page views: select rows.
    pub tags: Vec<MapTest>,
    /// One session.
    pub session: Option<(VisitorId, SessionId)>,
}

impl Filter {
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
    /// By a label of the time: like `Buckets`, but bucket `i` counts for slot `slots[i]` of `slot_count`.
    /// Every slot is in the report.
    Cycle {
        /// Sorted edges.
        edges: Vec<TimestampMs>,
        /// The slot of each bucket, one fewer than edges.
        slots: Vec<u16>,
        /// How many slots there are.
        slot_count: u16,
    },
    /// By one to three columns. Row texts need a unit of rows.
    Columns(Vec<Column>),
    /// By the path of the session's first page view (and its title, when `true`). Sessions without one are left out.
    Entry(bool),
    /// By the path of the session's last row that has one (and its title). Sessions without one are left out.
    Exit(bool),
    /// By the value of this metadata key; custom events without the key are left out. Needs [`Unit::Events`].
    MetaValue(String),
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

/// The order of a report's groups, always with ties broken by the keys in byte order, first key first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Most visitors first.
    Visitors,
    /// Most sessions first.
    Sessions,
    /// Most views first.
    Views,
    /// By the keys alone. Groups of time are always ordered by time.
    Keys,
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
    /// In which order the groups come.
    pub order: Order,
    /// How many groups at most; `None`: all.
    pub limit: Option<usize>,
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

/// The answer: groups in the order asked for. `All`, `Buckets` and `Cycle` have every group, the others only
/// those that occur.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The groups.
    pub rows: Vec<GroupRow>,
}
