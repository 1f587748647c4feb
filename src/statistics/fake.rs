//! An [`Ask`] for tests: answers by a closure and remembers what it was asked.

use std::cell::RefCell;

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{GroupRow, Metrics, Occurrence, Query, Report};
use hitstone_engine::query::{SessionDetail, SessionRow, SessionsQuery};

use super::Ask;

type Answer<'a> = Box<dyn Fn(&Query) -> Vec<GroupRow> + 'a>;

/// Answers by a closure.
pub(crate) struct Fake<'a> {
    answer: Answer<'a>,
    /// One line a query, as `describe` puts it.
    pub(crate) asked: RefCell<Vec<String>>,
    /// All sessions.
    pub(crate) sessions: Vec<SessionRow>,
    /// The one session that can be asked for.
    pub(crate) detail: Option<SessionDetail>,
}

impl<'a> Fake<'a> {
    pub(crate) fn new(answer: impl Fn(&Query) -> Vec<GroupRow> + 'a) -> Self {
        Self { answer: Box::new(answer), asked: RefCell::default(), sessions: Vec::new(), detail: None }
    }
}

impl Ask for Fake<'_> {
    fn ask(&self, query: &Query) -> Result<Report, QueryError> {
        self.asked.borrow_mut().push(describe(query));
        let mut rows = (self.answer)(query);
        if query.firsts_only {
            rows.dedup_by_key(|row| row.keys.first().cloned());
        }
        rows.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(Report { rows })
    }

    fn sessions(&self, query: &SessionsQuery) -> Result<Vec<SessionRow>, QueryError> {
        self.asked.borrow_mut().push(format!("sessions {}+{}", query.offset, query.limit));
        Ok(self.sessions.iter().skip(query.offset).take(query.limit).cloned().collect())
    }

    fn session_rows(&self, query: &SessionsQuery) -> Result<Option<SessionDetail>, QueryError> {
        let session = query.filter.session.map(|(visitor, session)| (visitor.0, session.0));
        self.asked.borrow_mut().push(format!("rows {}+{} of {session:?}", query.offset, query.limit));
        Ok(self.detail.clone())
    }
}

/// The unit, the group and what the filter consists of, in short.
pub(crate) fn describe(query: &Query) -> String {
    use hitstone_engine::query::Group;
    let group = match &query.group {
        Group::All => "all".to_owned(),
        Group::Buckets(edges) => format!("{} buckets", edges.len() - 1),
        Group::Clock(clock) => format!("{} slots", clock.slot_count),
        Group::Columns(columns) => format!("{columns:?}"),
        Group::Entry(title) => format!("entry {title}"),
        Group::Exit(title) => format!("exit {title}"),
        Group::Pairs(column, part) => format!("{column:?} {part:?}"),
    };
    let filter = &query.filter;
    let mut parts = Vec::new();
    parts.extend(filter.attributes.iter().map(|(column, _)| format!("{column:?}")));
    parts.extend(filter.entry_path.iter().map(|_| "entry".to_owned()));
    parts.extend(filter.exit_path.iter().map(|_| "exit".to_owned()));
    parts.extend(filter.events.iter().map(|test| format!("event {}", test.passes != Occurrence::DidNot)));
    parts.extend(filter.rows.iter().map(|(column, _)| format!("{column:?}")));
    parts.extend(filter.tags.iter().map(|_| "tag".to_owned()));
    format!("{:?} by {group} where {}", query.unit, parts.join("+"))
}

/// A row with keys.
pub(crate) fn row(keys: &[&str], metrics: Metrics) -> GroupRow {
    GroupRow { keys: keys.iter().map(|key| (*key).to_owned()).collect(), metrics, meta_keys: Vec::new() }
}

/// Visitors, sessions, views, bounces.
pub(crate) fn counts(visitors: u64, sessions: u64, views: u64, bounces: u64) -> Metrics {
    Metrics { visitors, sessions, views, bounces, ..Metrics::default() }
}
