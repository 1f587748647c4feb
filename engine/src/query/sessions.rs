//! Sessions themselves instead of counts: the latest ones that pass a filter, and the rows of one of them.
//!
//! A list is gathered in a heap of bounded size. Runs are visited in the order of their greatest times, the latest
//! first, so that the first page of a list looks at few of them. Texts are decoded only for what is returned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::filter::{Prepared, Touched, pieces, prepare, touched_runs};
use super::guard::Guard;
use super::verdicts::Verdicts;
use super::{Cancelled, Filter, Source, Unit, check};
use crate::error::QueryError;
use crate::event::{Kind, decode_pairs};
use crate::scan::batch::whole_seconds;
use crate::schema::Column;
use crate::segment::table::{FLAG_BOUNCE, ROW_KIND_MASK, SiteTable};
use crate::units::{SessionId, SiteId, TimestampMs, VisitorId};

/// How far down a list can be read: `offset + limit` counts no further.
pub const LISTED_MAX: usize = 100_000;
/// Sessions that are gathered beyond twice those that are wanted before some are dropped.
const TRIM_SLACK: usize = 1_024;

/// A question for sessions, or for the rows of one session.
pub struct SessionsQuery {
    /// The site.
    pub site: SiteId,
    /// The span of time, end excluded.
    pub span: Range<TimestampMs>,
    /// Which sessions and rows count.
    pub filter: Filter,
    /// How many sessions (or rows) are left out at the start.
    pub offset: usize,
    /// How many come after that at most. Nothing past place [`LISTED_MAX`] is returned.
    pub limit: usize,
}

impl SessionsQuery {
    /// The places wanted.
    fn places(&self) -> Range<usize> {
        self.offset.min(LISTED_MAX)..self.offset.saturating_add(self.limit).min(LISTED_MAX)
    }
}

/// A page as a session shows it; both texts are empty when there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionPage {
    /// The path.
    pub path: String,
    /// The title.
    pub title: String,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionRow {
    /// The visitor.
    pub visitor: VisitorId,
    /// The session's id, unique with the visitor.
    pub session: SessionId,
    /// First row's time, milliseconds.
    pub start: TimestampMs,
    /// Last row's time, of whatever kind, milliseconds.
    pub last: TimestampMs,
    /// Page views.
    pub views: u32,
    /// Whether it bounced.
    pub bounced: bool,
    /// Signs of life.
    pub pings: u32,
    /// The page of the first page view.
    pub entry: SessionPage,
    /// The page of the last row that has one.
    pub exit: SessionPage,
    /// The texts of [`Column::attributes`], in that order.
    pub attributes: Vec<String>,
}

impl SessionRow {
    /// The text of an attribute; "" when it is absent, and for a column that is no attribute.
    pub fn attribute(&self, column: Column) -> &str {
        self.attributes.get(column.index()).map_or("", String::as_str)
    }

    /// How long the session lasted, in whole seconds of the clock.
    pub fn duration_seconds(&self) -> u64 {
        seconds_between(self.start, self.last)
    }
}

/// A page view or a custom event of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowDetail {
    /// When it happened, milliseconds.
    pub time: TimestampMs,
    /// Page view or custom event.
    pub kind: Kind,
    /// Seconds of the clock since the session's row before, of whatever kind; 0 for the first.
    pub seconds_since_previous: u64,
    /// The page's path.
    pub path: String,
    /// The page's title.
    pub title: String,
    /// The page's host.
    pub hostname: String,
    /// The name of a custom event.
    pub event_name: String,
    /// The metadata of a custom event, keys in byte order.
    pub meta: Vec<(String, String)>,
    /// The tags of a page view, keys in byte order.
    pub tags: Vec<(String, String)>,
    /// Seconds that a custom event lasted, when it says so.
    pub event_seconds: Option<u64>,
}

/// A session with rows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDetail {
    /// The session as a whole, whatever part of it the rows are.
    pub session: SessionRow,
    /// The rows asked for, in the order in which they happened; never empty.
    pub rows: Vec<RowDetail>,
}

/// Lists the sessions that pass the filter and are placed in the span, at their last activity. When the filter
/// selects rows: those with a page view in the span, at its own time, that passes.
///
/// The latest activity comes first, ties are in the order of visitors and then of session ids.
///
/// # Errors
/// [`QueryError::Invalid`] for a query without meaning, [`QueryError::Cancelled`] when `cancelled` gives a reason.
pub fn list_sessions(
    sources: &[Source<'_>],
    query: &SessionsQuery,
    cancelled: Cancelled<'_>,
) -> Result<Vec<SessionRow>, QueryError> {
    let mut guard = Guard::new(cancelled);
    let parts = prepare_all(sources, query, Unit::PageViews, &mut guard)?;
    let places = query.places();
    let mut latest = Latest::new(places.end, parts.iter().any(|part| part.table.times.are_seconds()));
    for (part, run) in latest_first(&parts) {
        // No session of this run, nor of those that follow, can be among the latest.
        if !latest.has_room_at(run.run.max_time) {
            break;
        }
        find_in_run(part, &parts[part], run, query, &mut latest, &mut guard)?;
        latest.trim();
    }
    let wanted = latest.into_order(&parts, &mut guard)?;
    let wanted = wanted.into_iter().take(places.end).skip(places.start);
    wanted.map(|found| session_row(&parts[found.part].table, found.session)).collect()
}

/// The page views and custom events, not the signs of life, of the session that the filter names, as far as they
/// are in the span and pass the tests of rows; `offset` and `limit` count them. `None` when there is no such
/// session, when the session does not pass the filter, or when no row is left.
///
/// # Errors
/// As [`list_sessions`]; [`QueryError::Invalid`] also when the filter names no session.
pub fn session_rows(
    sources: &[Source<'_>],
    query: &SessionsQuery,
    cancelled: Cancelled<'_>,
) -> Result<Option<SessionDetail>, QueryError> {
    if query.filter.session.is_none() {
        return Err(QueryError::Invalid("rows are listed of one session".into()));
    }
    let mut guard = Guard::new(cancelled);
    let parts = prepare_all(sources, query, Unit::Rows, &mut guard)?;
    for part in &parts {
        if let Some(session) = only_session(part)
            && let Some(detail) = session_detail(part, session, query)?
        {
            return Ok(Some(detail));
        }
    }
    Ok(None)
}

fn prepare_all<'a>(
    sources: &[Source<'a>],
    query: &SessionsQuery,
    unit: Unit,
    guard: &mut Guard<'_>,
) -> Result<Vec<Prepared<'a>>, QueryError> {
    check::filter(&query.filter)?;
    check::tables(sources)?;
    check::whole_seconds(sources, [query.span.start, query.span.end])?;
    let (mut parts, mut verdicts) = (Vec::new(), Verdicts::default());
    for (number, source) in sources.iter().enumerate() {
        let touched = touched_runs(source.table.runs, &query.span, source.table.session_count());
        parts.extend(prepare(source, number, touched, &query.filter, unit, &mut verdicts, guard)?);
    }
    Ok(parts)
}

// --- The list ---

/// A session that was found. The least is the first of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    /// Last activity, visitor, session id. While sessions are gathered from an index, the last activity is that of the
    /// full second before and the visitor 0.
    rank: (Reverse<TimestampMs>, u64, u32),
    part: usize,
    session: usize,
}

/// The first sessions of the list among those found so far; the last of them is on top.
///
/// Where an index is among the sources, times are known to the second only until the Parquet file is read. Then all
/// sessions of the last second that could be in the list are kept, and put in order at the end.
struct Latest {
    heap: BinaryHeap<Found>,
    capacity: usize,
    by_seconds: bool,
    /// How many are gathered before those of seconds too early are dropped.
    trim_at: usize,
}

impl Latest {
    fn new(capacity: usize, by_seconds: bool) -> Self {
        Self { heap: BinaryHeap::new(), capacity, by_seconds, trim_at: 2 * capacity + TRIM_SLACK }
    }

    /// Last activity as precise as it is compared.
    fn rounded(&self, last: TimestampMs) -> TimestampMs {
        if self.by_seconds { last.div_euclid(1000).saturating_mul(1000) } else { last }
    }

    /// Whether a session with this last activity could be among the first.
    fn has_room_at(&self, last: TimestampMs) -> bool {
        let last = self.rounded(last);
        self.capacity > 0
            && (self.heap.len() < self.capacity
                || self.heap.peek().is_some_and(|worst| Reverse(last) <= worst.rank.0))
    }

    fn add(&mut self, mut found: Found) {
        if self.by_seconds {
            found.rank = (Reverse(self.rounded(found.rank.0.0)), 0, 0);
            self.heap.push(found);
            if self.heap.len() >= self.trim_at {
                self.trim();
            }
        } else if self.heap.len() < self.capacity {
            self.heap.push(found);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && found < *worst
        {
            *worst = found;
        }
    }

    /// Drops the sessions of seconds that cannot be in the list any more.
    fn trim(&mut self) {
        if self.by_seconds && self.heap.len() > self.capacity {
            self.heap = self.first_seconds().into();
            self.trim_at = 2 * self.heap.len() + TRIM_SLACK;
        }
    }

    /// What was found, in order of seconds, up to the last second that could be in the list.
    fn first_seconds(&mut self) -> Vec<Found> {
        let mut kept = std::mem::take(&mut self.heap).into_sorted_vec();
        let bound = kept.get(self.capacity.saturating_sub(1)).or(kept.last()).map(|found| found.rank.0);
        kept.retain(|found| Some(found.rank.0) <= bound);
        kept
    }

    /// What was found, in the order of the list.
    fn into_order(mut self, parts: &[Prepared<'_>], guard: &mut Guard<'_>) -> Result<Vec<Found>, QueryError> {
        if self.by_seconds {
            let mut kept = self.first_seconds();
            for found in &mut kept {
                guard.spend(1)?;
                let table = &parts[found.part].table;
                let last = extent(table, found.session)?.1;
                let id = table.states.session_id(found.session).unwrap_or_default();
                found.rank = (Reverse(last), table.visitor(found.session)?, id);
            }
            self.heap = kept.into();
        }
        Ok(self.heap.into_sorted_vec())
    }
}

/// The touched runs of all parts, each with the number of its part.
fn latest_first<'p>(parts: &'p [Prepared<'_>]) -> Vec<(usize, &'p Touched)> {
    let of_part =
        |(number, part): (usize, &'p Prepared<'_>)| part.touched.iter().map(move |run| (number, run));
    let mut runs: Vec<_> = parts.iter().enumerate().flat_map(of_part).collect();
    runs.sort_by_key(|(_, run)| Reverse(run.run.max_time));
    runs
}

fn find_in_run(
    number: usize,
    part: &Prepared<'_>,
    run: &Touched,
    query: &SessionsQuery,
    latest: &mut Latest,
    guard: &mut Guard<'_>,
) -> Result<(), QueryError> {
    let table = &part.table;
    for piece in pieces(&run.sessions) {
        guard.spend(piece.len())?;
        if !part.any_in(piece.clone()) {
            continue;
        }
        for session in piece.filter(|&session| part.selects(session)) {
            let last = table.times.last(session).unwrap_or_default();
            if latest.has_room_at(last) && counts(part, session, last, query, guard)? {
                // Where visitors are not at hand, times are in seconds and the rank is found at the end.
                let visitor = table.visitors.get(session).unwrap_or_default();
                let id = table.states.session_id(session).unwrap_or_default();
                latest.add(Found { rank: (Reverse(last), visitor, id), part: number, session });
            }
        }
    }
    Ok(())
}

/// Whether a selected session belongs in the list.
fn counts(
    part: &Prepared<'_>,
    session: usize,
    last: TimestampMs,
    query: &SessionsQuery,
    guard: &mut Guard<'_>,
) -> Result<bool, QueryError> {
    if !query.filter.selects_rows() {
        return Ok(query.span.contains(&last));
    }
    let mut rows = part.table.rows(session);
    guard.spend(rows.len())?;
    let is_view = |row: usize| kind_of(&part.table, row) == Some(Kind::PageView);
    let in_span = |row: usize| query.span.contains(&part.table.times.of_row(session, row));
    Ok(rows.any(|row| is_view(row) && part.passes(row) && in_span(row)))
}

// --- Reading a table ---

fn kind_of(table: &SiteTable<'_>, row: usize) -> Option<Kind> {
    table.kinds.get(row).and_then(|kind| Kind::from_byte(kind & ROW_KIND_MASK))
}

/// The times of a session's first and last row, to the millisecond.
fn extent(table: &SiteTable<'_>, session: usize) -> Result<(TimestampMs, TimestampMs), QueryError> {
    if table.times.are_seconds() {
        let times = table.exact_times(session)?;
        return Ok((times.first().copied().unwrap_or_default(), times.last().copied().unwrap_or_default()));
    }
    let (start, last) = (table.times.start(session), table.times.last(session));
    Ok((start.unwrap_or_default(), last.unwrap_or_default()))
}

fn seconds_between(from: TimestampMs, to: TimestampMs) -> u64 {
    whole_seconds(from, to).max(0).cast_unsigned()
}

fn text<'a>(table: &SiteTable<'a>, column: Column, at: usize) -> &'a str {
    table.dictionary(column).get(table.codes(column).get(at))
}

fn pairs(table: &SiteTable<'_>, column: Column, row: usize) -> Vec<(String, String)> {
    decode_pairs(text(table, column, row)).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The page in a row that the session table names.
fn page(table: &SiteTable<'_>, row: u32) -> SessionPage {
    match Some(row as usize).filter(|&row| row < table.row_count()) {
        Some(row) => SessionPage {
            path: text(table, Column::Path, row).to_owned(),
            title: text(table, Column::Title, row).to_owned(),
        },
        None => SessionPage::default(),
    }
}

fn session_row(table: &SiteTable<'_>, session: usize) -> Result<SessionRow, QueryError> {
    let pings = table.rows(session).filter(|&row| kind_of(table, row) == Some(Kind::Ping)).count();
    let attribute = |&column: &Column| text(table, column, session).to_owned();
    let (start, last) = extent(table, session)?;
    Ok(SessionRow {
        visitor: VisitorId(table.visitor(session)?),
        session: SessionId(table.states.session_id(session).unwrap_or_default()),
        start,
        last,
        views: table.states.views(session),
        bounced: table.states.flags(session) & FLAG_BOUNCE != 0,
        pings: pings as u32,
        entry: page(table, table.states.entry_row(session)),
        exit: page(table, table.states.exit_row(session)),
        attributes: Column::attributes().iter().map(attribute).collect(),
    })
}

// --- The rows of one session ---

/// The session that is left when the filter names one.
fn only_session(part: &Prepared<'_>) -> Option<usize> {
    let mut left = None;
    for run in &part.touched {
        let selected = part.selected.iter();
        selected.for_each(|bits| bits.for_each_in(run.sessions.clone(), |session| left = Some(session)));
    }
    left
}

fn session_detail(
    part: &Prepared<'_>,
    session: usize,
    query: &SessionsQuery,
) -> Result<Option<SessionDetail>, QueryError> {
    let table = &part.table;
    let places = query.places();
    let times = table.exact_times(session)?;
    let rows: Vec<RowDetail> = table
        .rows(session)
        .zip(0..)
        .filter_map(|(row, at)| Some((row, at, kind_of(table, row).filter(|&kind| kind != Kind::Ping)?)))
        .filter(|&(row, at, _)| {
            part.passes(row) && times.get(at).is_some_and(|time| query.span.contains(time))
        })
        .skip(places.start)
        .take(places.len())
        .map(|(row, at, kind)| row_detail(table, row, kind, (at, &times)))
        .collect();
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(SessionDetail { session: session_row(table, session)?, rows }))
}

/// `at` is the row's place in its session, whose times are `times`.
fn row_detail(
    table: &SiteTable<'_>,
    row: usize,
    kind: Kind,
    (at, times): (usize, &[TimestampMs]),
) -> RowDetail {
    let time = |at: usize| times.get(at).copied().unwrap_or_default();
    let own = |column: Column| text(table, column, row).to_owned();
    RowDetail {
        time: time(at),
        kind,
        seconds_since_previous: seconds_between(time(at.saturating_sub(1)), time(at)),
        path: own(Column::Path),
        title: own(Column::Title),
        hostname: own(Column::Hostname),
        event_name: own(Column::EventName),
        meta: pairs(table, Column::EventMeta, row),
        tags: pairs(table, Column::Tags, row),
        event_seconds: table.event_duration.get(row).checked_sub(1),
    }
}
