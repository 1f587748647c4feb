//! Evaluates a query: checks it, prepares each source, walks the days, makes the report.

use std::cell::RefCell;

use super::filter::{Prepared, pieces, prepare};
use super::groups::{Groups, KEY_COLUMNS_MAX};
use super::guard::Guard;
use super::keys::{KeyColumn, OneKey, Place, SourceKey, TimeKey};
use super::metadata::{KeySets, MetaKeys};
use super::report::{self, Grouping};
use super::{Cancelled, Group, Query, Recurring, Report, Source, Unit};
use crate::error::QueryError;
use crate::event::Kind;
use crate::scan::buckets::Buckets;
use crate::scan::count::Counter;
use crate::scan::kernel::{
    Columns, EveryRow, Extras, Key, Piece, RowMasks, RowTest, count_rows, count_sessions,
};
use crate::scan::merge::{Head, next_stretch};
use crate::schema::Column;
use crate::segment::table::{Dictionary, FLAG_BOUNCE, ROW_KIND_MASK, SiteTable};

/// Answers `query` from the sources of its site. `recurring` must have been found for these sources in this order.
///
/// Time on page is measured for the page views among the rows counted, so with [`Unit::Sessions`] it is zero; the
/// seconds of custom events are measured with [`Unit::Events`] only.
///
/// # Errors
/// [`QueryError::Invalid`] for a query without meaning, [`QueryError::Cancelled`] when `cancelled` gives a reason.
pub fn execute(
    sources: &[Source<'_>],
    recurring: &Recurring,
    query: &Query,
    cancelled: Cancelled<'_>,
) -> Result<Report, QueryError> {
    let unit = match query.unit {
        Unit::Sessions if query.filter.selects_rows() => Unit::PageViews,
        unit => unit,
    };
    check(query, unit)?;
    check_sources(sources, recurring)?;
    let mut guard = Guard::new(cancelled);
    let mut prepared = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        prepared.extend(prepare(source, number, query, unit, &mut guard)?);
    }
    let buckets = match &query.group {
        Group::Buckets(edges) | Group::Cycle { edges, .. } => Some(Buckets::new(edges)),
        _ => None,
    };
    let groups = RefCell::new(Groups::default());
    let key_sets = RefCell::new(KeySets::default());
    let shared = Shared { query, buckets: buckets.as_ref(), groups: &groups, key_sets: &key_sets };
    let dictionaries: Vec<_> = sources.iter().map(|source| key_dictionaries(&source.table, query)).collect();
    let group_count = fixed_group_count(&query.group);
    let mut walk = Walk {
        query,
        unit,
        parts: parts(&prepared, sources, recurring, &shared),
        counter: Counter::new(group_count.unwrap_or(0)),
    };
    walk.days(&mut guard)?;
    let counts = walk.finish();
    let grouping =
        Grouping { groups: &groups.borrow(), dictionaries: &dictionaries, key_sets: &key_sets.borrow() };
    Ok(report::make(query, &counts, group_count, &grouping))
}

/// The number of groups that are in the report even when nothing was counted; `None`: those that occur.
fn fixed_group_count(group: &Group) -> Option<usize> {
    match group {
        Group::All => Some(1),
        Group::Buckets(edges) => Some(edges.len() - 1),
        Group::Cycle { slot_count, .. } => Some(usize::from(*slot_count)),
        _ => None,
    }
}

fn check(query: &Query, unit: Unit) -> Result<(), QueryError> {
    let invalid = |what: &str| Err(QueryError::Invalid(what.into()));
    if query.filter.attributes.iter().any(|(column, _)| !column.is_attribute()) {
        return invalid("only attributes of sessions can be tested as attributes");
    }
    if query.filter.rows.iter().any(|(column, _)| column.is_attribute()) {
        return invalid("attributes of sessions cannot be tested as texts of rows");
    }
    match &query.group {
        Group::Buckets(edges) | Group::Cycle { edges, .. } if edges.len() < 2 || !edges.is_sorted() => {
            invalid("bucket edges must be sorted and at least two")
        }
        Group::Cycle { edges, slots, slot_count }
            if slots.len() + 1 != edges.len() || slots.iter().any(|slot| slot >= slot_count) =>
        {
            invalid("each bucket needs a slot below the number of slots")
        }
        Group::Columns(columns) if columns.is_empty() || columns.len() > KEY_COLUMNS_MAX => {
            invalid("groups are made by one to three columns")
        }
        Group::Columns(columns) if unit == Unit::Sessions && columns.iter().any(|c| !c.is_attribute()) => {
            invalid("texts of rows can group rows only, not sessions")
        }
        Group::MetaValue(_) if unit != Unit::Events => invalid("metadata can group custom events only"),
        _ => Ok(()),
    }
}

fn check_sources(sources: &[Source<'_>], recurring: &Recurring) -> Result<(), QueryError> {
    let mut session_count = 0usize;
    for SiteTable {
        visitor,
        session_id,
        start,
        last,
        first_row,
        views,
        entry_row,
        exit_row,
        flags,
        kind,
        gap,
        ..
    } in sources.iter().map(|source| source.table)
    {
        let count = visitor.len();
        let lengths =
            [session_id.len(), start.len(), last.len(), views.len(), entry_row.len(), exit_row.len()];
        let agree = lengths.iter().all(|&length| length == count) && flags.len() == count;
        if !agree || first_row.len() != count + 1 || kind.len() != gap.len() {
            return Err(QueryError::Invalid("a segment's columns differ in length".into()));
        }
        session_count = session_count.saturating_add(count);
    }
    if session_count >= u32::MAX as usize {
        return Err(QueryError::Invalid("the site has too many sessions for one query".into()));
    }
    if recurring.source_count() != sources.len() {
        return Err(QueryError::Invalid("recurring visitors were found for other sources".into()));
    }
    Ok(())
}

/// What the keys of all sources have in common.
struct Shared<'q, 'a> {
    query: &'q Query,
    buckets: Option<&'q Buckets>,
    groups: &'q RefCell<Groups<'a>>,
    key_sets: &'q RefCell<KeySets<'a>>,
}

/// One source, ready to be walked.
struct Part<'q, 'a> {
    prepared: &'q Prepared<'a>,
    columns: Columns<'a>,
    recurring: Option<&'q crate::scan::bits::Bits>,
    key: SourceKey<'q, 'a>,
    row_test: Option<RowMasks<'a>>,
    stamp_first: u32,
}

fn parts<'q, 'a>(
    prepared: &'q [Prepared<'a>],
    sources: &[Source<'a>],
    recurring: &'q Recurring,
    shared: &Shared<'q, 'a>,
) -> Vec<Part<'q, 'a>> {
    let mut stamps = vec![1u32];
    for source in sources {
        stamps.push(stamps[stamps.len() - 1] + source.table.session_count() as u32);
    }
    let part = |prepared: &'q Prepared<'a>| Part {
        prepared,
        columns: columns(&prepared.table),
        recurring: recurring.of_source(prepared.source),
        key: source_key(prepared, shared),
        row_test: (!prepared.row_masks.is_empty()).then(|| RowMasks(prepared.row_masks.clone())),
        stamp_first: stamps[prepared.source],
    };
    prepared.iter().map(part).collect()
}

fn columns<'a>(table: &SiteTable<'a>) -> Columns<'a> {
    Columns {
        visitor: table.visitor,
        start: table.start,
        last: table.last,
        first_row: table.first_row,
        views: table.views,
        flags: table.flags,
        bounce: FLAG_BOUNCE,
        gap: table.gap,
        kind: table.kind,
        kind_mask: ROW_KIND_MASK,
        kind_view: Kind::PageView as u8,
        event_duration: table.event_duration,
    }
}

/// The columns of the group's key, and where they are read.
fn key_columns<'a>(table: &SiteTable<'a>, group: &Group) -> Vec<(Column, Place<'a>)> {
    let edge = |with_title: bool, rows: &'a [u32]| {
        let columns = if with_title { &[Column::Path, Column::Title][..] } else { &[Column::Path] };
        columns.iter().map(|&column| (column, Place::RowOf(rows))).collect()
    };
    match group {
        Group::Columns(columns) => {
            let place = |c: Column| if c.is_attribute() { Place::Session } else { Place::Row };
            columns.iter().map(|&column| (column, place(column))).collect()
        }
        Group::Entry(with_title) => edge(*with_title, table.entry_row),
        Group::Exit(with_title) => edge(*with_title, table.exit_row),
        Group::All | Group::Buckets(_) | Group::Cycle { .. } | Group::MetaValue(_) => Vec::new(),
    }
}

fn key_dictionaries<'a>(table: &SiteTable<'a>, query: &Query) -> Vec<Dictionary<'a>> {
    key_columns(table, &query.group).into_iter().map(|(column, _)| table.dictionary(column)).collect()
}

fn source_key<'q, 'a>(prepared: &Prepared<'a>, shared: &Shared<'q, 'a>) -> SourceKey<'q, 'a> {
    let table = &prepared.table;
    let meta = (table.codes(Column::EventMeta), table.dictionary(Column::EventMeta));
    let key = match (&shared.query.group, shared.buckets) {
        (Group::Buckets(_), Some(buckets)) => SourceKey::Time(TimeKey { buckets, slots: None }),
        (Group::Cycle { slots, .. }, Some(buckets)) => {
            SourceKey::Time(TimeKey { buckets, slots: Some(slots) })
        }
        (Group::MetaValue(key), _) => SourceKey::of_value(key, meta.0, meta.1, shared.groups),
        (Group::Columns(_) | Group::Entry(_) | Group::Exit(_), _) => {
            let column = |(column, place)| KeyColumn {
                place,
                codes: table.codes(column),
                dictionary: table.dictionary(column),
                row_count: table.row_count(),
            };
            let columns = key_columns(table, &shared.query.group).into_iter().map(column).collect();
            SourceKey::of_columns(columns, prepared.source as u32, shared.groups)
        }
        (Group::All | Group::Buckets(_) | Group::Cycle { .. }, _) => SourceKey::One(OneKey),
    };
    if shared.query.measures.meta_keys {
        let noting = MetaKeys::new(table.kind, meta.0, meta.1, shared.key_sets);
        return SourceKey::Noting(Box::new(key), noting);
    }
    key
}

/// The walk over the days.
struct Walk<'q, 'a> {
    query: &'q Query,
    unit: Unit,
    parts: Vec<Part<'q, 'a>>,
    counter: Counter,
}

/// A run of one part: the part's number and the run's.
type PartRun = (usize, usize);

impl Walk<'_, '_> {
    /// Counts all days, those of one source straight through and the others in merged visitor order.
    fn days(&mut self, guard: &mut Guard<'_>) -> Result<(), QueryError> {
        let mut runs: Vec<(u32, PartRun)> = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            for (run_at, run) in part.prepared.touched.iter().enumerate() {
                if part.prepared.any_in(run.sessions.clone()) {
                    runs.push((run.day, (at, run_at)));
                }
            }
        }
        runs.sort_unstable();
        let days: Vec<Vec<PartRun>> =
            runs.chunk_by(|a, b| a.0 == b.0).map(|day| day.iter().map(|run| run.1).collect()).collect();
        if days.len() < 2 {
            // Visitors cannot recur on another day: stamps alone are exact.
            self.parts.iter_mut().for_each(|part| part.recurring = None);
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
        Ok(())
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

    /// Counts neighbouring sessions of one run.
    fn stretch(
        &mut self,
        part: usize,
        run: usize,
        sessions: std::ops::Range<usize>,
        guard: &mut Guard<'_>,
    ) -> Result<(), QueryError> {
        let Self { query, unit, parts, counter } = self;
        let part = &mut parts[part];
        let span = (!part.prepared.touched[run].inside).then_some((query.span.start, query.span.end));
        for sessions in pieces(&sessions) {
            guard.spend(sessions.len())?;
            let piece = Piece {
                sessions,
                selected: part.prepared.selected.as_ref(),
                recurring: part.recurring,
                span,
                stamp_first: part.stamp_first,
            };
            let extras = Extras {
                durations: query.measures.durations,
                time_on_page: query.measures.time_on_page,
                event_seconds: *unit == Unit::Events,
            };
            let count = Count { columns: &part.columns, piece: &piece, extras, unit: *unit };
            count.by_key(&mut part.key, part.row_test.as_ref(), counter);
            counter.trim();
        }
        Ok(())
    }

    fn finish(self) -> Vec<(crate::scan::count::Slot, crate::scan::count::Extra)> {
        self.counter.finish()
    }
}

/// Picks the kernel for a piece.
struct Count<'p, 'a> {
    columns: &'p Columns<'a>,
    piece: &'p Piece<'p>,
    extras: Extras,
    unit: Unit,
}

impl Count<'_, '_> {
    fn by_key(&self, key: &mut SourceKey<'_, '_>, test: Option<&RowMasks<'_>>, counter: &mut Counter) {
        match key {
            SourceKey::One(key) => self.by_unit(key, test, counter),
            SourceKey::Time(key) => self.by_unit(key, test, counter),
            SourceKey::Session(key) => self.by_unit(key, test, counter),
            SourceKey::Row(key) => self.by_unit(key, test, counter),
            SourceKey::Tuple(key) => self.by_unit(key, test, counter),
            key @ (SourceKey::Value(_) | SourceKey::Noting(..)) => self.by_unit(key, test, counter),
        }
    }

    fn by_unit<K: Key>(&self, key: &mut K, test: Option<&RowMasks<'_>>, counter: &mut Counter) {
        match (self.unit, test) {
            (Unit::Sessions, _) => count_sessions(self.columns, self.piece, self.extras, key, counter),
            (_, None) => self.rows(&EveryRow, key, counter),
            (_, Some(masks)) => self.rows(masks, key, counter),
        }
    }

    fn rows<K: Key, T: RowTest>(&self, test: &T, key: &mut K, counter: &mut Counter) {
        let kind = match self.unit {
            Unit::Sessions | Unit::PageViews => Some(Kind::PageView as u8),
            Unit::Events => Some(Kind::Event as u8),
            Unit::Rows => None,
        };
        count_rows(self.columns, self.piece, kind, self.extras, test, key, counter);
    }
}
