//! Evaluates a query: checks it, prepares each source, has the runs counted, makes the report.

use std::cell::RefCell;
use std::ops::Range;

use super::check;
use super::filter::{Prepared, Touched, prepare, row_columns, touched_runs};
use super::groups::{Groups, KEY_COLUMNS_MAX, Label};
use super::guard::Guard;
use super::keys::{ClockKey, Edge, KeyColumn, Place, SourceKey, TimeKey};
use super::known::{Known, Placing, Uncounted};
use super::metadata::{KeySets, MetaKeys};
use super::numbers::{self, NumberColumn, SharedSums, Sum};
use super::portions::{self, Means, Portion};
use super::report::{self, Grouping};
use super::verdicts::Verdicts;
use super::walk::{Counted, Part, Walk, What};
use super::{Cancelled, Clock, Group, PairsColumn, Query, Recurring, Report, Source, Unit};
use crate::error::QueryError;
use crate::event::Kind;
use crate::scan::buckets::Buckets;
use crate::scan::codetest::CodeTest;
use crate::scan::count::{Counter, Extras, SessionColumns};
use crate::scan::distinct::Distinct;
use crate::schema::Column;
use crate::segment::table::{Dictionary, FLAG_BOUNCE, ROW_KIND_MASK, SiteTable};

/// Answers `query` from the sources of its site. `recurring` must have been found for these sources in this order.
///
/// Time on page is measured for the page views among the rows counted, so with [`Unit::Sessions`] it is zero; the
/// seconds of custom events are measured with [`Unit::Events`] only.
///
/// # Errors
/// [`QueryError::Invalid`] for a query without meaning, [`QueryError::Cancelled`] when `cancelled` gives a reason,
/// [`QueryError::TooManyGroups`] beyond [`GROUPS_MAX`](crate::limits::GROUPS_MAX).
pub fn execute(
    sources: &[Source<'_>],
    recurring: &Recurring,
    query: &Query,
    cancelled: Cancelled<'_>,
) -> Result<Report, QueryError> {
    execute_within(&Means::default(), sources, recurring, &[], query, cancelled)
}

/// As [`execute`], without counting those sessions whose counts are known, on up to so many threads.
///
/// # Errors
/// As [`execute`].
pub fn execute_with(
    sources: &[Source<'_>],
    recurring: &Recurring,
    known: &[Known<'_>],
    query: &Query,
    threads: usize,
    cancelled: Cancelled<'_>,
) -> Result<Report, QueryError> {
    let means = Means { threads, ..Means::default() };
    execute_within(&means, sources, recurring, known, query, cancelled)
}

/// As [`execute_with`], with other means.
pub(super) fn execute_within(
    means: &Means,
    sources: &[Source<'_>],
    recurring: &Recurring,
    known: &[Known<'_>],
    query: &Query,
    cancelled: Cancelled<'_>,
) -> Result<Report, QueryError> {
    let unit = query.counted_unit();
    check(query, unit)?;
    check::tables(sources)?;
    check::whole_seconds(sources, moments(query))?;
    if recurring.source_count() != sources.len() {
        return Err(QueryError::Invalid("recurring visitors were found for other sources".into()));
    }
    let dictionaries: Vec<_> = sources.iter().map(|source| key_dictionaries(&source.table, query)).collect();
    let nowhere = Recurring::nowhere(sources.len());
    let recurring = if query.sums_only { &nowhere } else { recurring };
    let groups_max = means.groups_max;
    let count = Count { means, sources, dictionaries: &dictionaries, recurring, query };
    let portions = portions::of(sources, &dictionaries, known, query, means);
    let CountedGroups { counter, mut groups, key_sets, sums } =
        count.portions(&portions, known, cancelled)?;
    let mut counts = counter.finish();
    let mut guard = Guard::new(cancelled);
    for known in known {
        known.add_to((&mut counts, &mut groups), &dictionaries, query, &mut guard)?;
    }
    if groups.len() > groups_max {
        return Err(QueryError::TooManyGroups(groups_max));
    }
    if query.sums_only {
        counts.keep_sums();
    }
    let grouping = Grouping {
        groups: &groups,
        dictionaries: &dictionaries,
        key_sets: &key_sets,
        pairs: pairs_columns(&query.group),
        sums: &sums,
    };
    report::make(query, &counts, fixed_group_count(&query.group), &grouping, &mut guard)
}

/// What was counted, for each group.
pub(super) struct CountedGroups<'a> {
    pub counter: Counter,
    pub groups: Groups<'a>,
    key_sets: KeySets<'a>,
    sums: Vec<Sum>,
}

impl<'a> CountedGroups<'a> {
    /// Adds what was counted of other runs.
    fn absorb(&mut self, other: CountedGroups<'a>, dictionaries: &[Vec<Dictionary<'a>>], query: &Query) {
        let placing = Placing::of(query);
        let group_count = fixed_group_count(&query.group).unwrap_or(other.groups.len());
        let places = (0..group_count).map(|group| match other.groups.label(group) {
            Some(Label::Codes { source, local }) => {
                placing.group(&mut self.groups, dictionaries, *source as usize, *local)
            }
            Some(Label::Text(text)) => self.groups.of_text(text),
            None => group as u32,
        });
        let places: Vec<u32> = places.collect();
        self.counter.absorb(other.counter, &places);
        self.key_sets.absorb(other.key_sets, &places);
        numbers::absorb(&mut self.sums, &other.sums, &places);
    }
}

/// What is counted of what.
pub(super) struct Count<'c, 'a> {
    pub means: &'c Means,
    pub sources: &'c [Source<'a>],
    /// Those of the key's columns of each source.
    pub dictionaries: &'c [Vec<Dictionary<'a>>],
    pub recurring: &'c Recurring,
    pub query: &'c Query,
}

impl<'a> Count<'_, 'a> {
    /// Counts all portions, each on a thread of its own, without the sessions whose counts are known.
    fn portions(
        &self,
        portions: &[Portion],
        known: &[Known<'_>],
        cancelled: Cancelled<'_>,
    ) -> Result<CountedGroups<'a>, QueryError> {
        let uncounted: Vec<_> = known.iter().map(|known| (known.source, &known.sessions)).collect();
        let uncounted = uncounted.as_slice();
        let [own @ .., last] = portions else {
            return self.portion(&portions::EVERYTHING, uncounted, cancelled);
        };
        std::thread::scope(|scope| {
            let count = |portion| scope.spawn(move || self.portion(portion, uncounted, cancelled));
            let others: Vec<_> = own.iter().map(count).collect();
            let mut counted = self.portion(last, uncounted, cancelled);
            for other in others {
                let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                counted = counted.and_then(|mut counted| {
                    counted.absorb(other?, self.dictionaries, self.query);
                    Ok(counted)
                });
            }
            counted
        })
    }

    fn portion(
        &self,
        portion: &Portion,
        uncounted: &[(usize, &Uncounted)],
        cancelled: Cancelled<'_>,
    ) -> Result<CountedGroups<'a>, QueryError> {
        let Query { span, filter, .. } = self.query;
        let unit = self.query.counted_unit();
        let mut guard = Guard::new(cancelled);
        let (mut prepared, mut verdicts) = (Vec::new(), Verdicts::default());
        for (number, source) in self.sources.iter().enumerate() {
            let uncounted = uncounted.iter().find(|(source, _)| *source == number).map(|(_, own)| *own);
            if let Some(Uncounted::AllBut(rest)) = uncounted {
                if portion.contains(&portions::whole(number)) && !rest.is_empty() {
                    guard.spend(rest.len())?;
                    prepared.push(Prepared::listed(source, number, rest, filter, &mut verdicts, &mut guard)?);
                }
                continue;
            }
            let runs = touched_in(source, number, span, portion);
            let mut part = prepare(source, number, runs, filter, unit, &mut verdicts, &mut guard)?;
            if let (Some(part), Some(Uncounted::These(sessions))) = (&mut part, uncounted) {
                part.leave_out(sessions);
            }
            prepared.extend(part);
        }
        self.prepared(&prepared, *portion == portions::EVERYTHING, &mut guard)
    }

    /// Counts what is left of the sources. `is_all`: nothing else is counted.
    pub fn prepared(
        &self,
        prepared: &[Prepared<'a>],
        is_all: bool,
        guard: &mut Guard<'_>,
    ) -> Result<CountedGroups<'a>, QueryError> {
        let Self { query, sources, dictionaries, .. } = *self;
        let unit = query.counted_unit();
        let buckets = match &query.group {
            Group::Buckets(edges) => Some(Buckets::new(edges)),
            _ => None,
        };
        let groups = RefCell::new(Groups::default());
        let key_sets = RefCell::new(KeySets::default());
        let sums = SharedSums::default();
        let shared = Shared {
            query,
            unit,
            buckets: buckets.as_ref(),
            groups: &groups,
            key_sets: &key_sets,
            sums: &sums,
            dictionaries,
            groups_max: self.means.groups_max,
        };
        let measures = query.measures;
        let has_extras = measures.durations || measures.time_on_page || unit == Unit::Events;
        let visitors = Distinct::new(self.recurring.visitor_count(), self.means.set_bytes_max);
        let counter = Counter::new(fixed_group_count(&query.group).unwrap_or(0), has_extras, visitors);
        let parts = parts(prepared, sources, self.recurring, &shared);
        let counter = Walk::new(parts, query.span.clone(), counter).finish(is_all, guard)?;
        let (groups, key_sets, sums) = (groups.into_inner(), key_sets.into_inner(), sums.into_inner());
        Ok(CountedGroups { counter, groups, key_sets, sums })
    }
}

/// The runs of a source that are in the portion and can hold something within the span.
fn touched_in(source: &Source<'_>, number: usize, span: &Range<i64>, portion: &Portion) -> Vec<Touched> {
    let mut runs = touched_runs(source.table.runs, span, source.table.session_count());
    runs.retain(|run| portion.contains(&(number, run.run.first_session)));
    runs
}

/// The number of groups that are in the report even when nothing was counted; `None`: those that occur.
pub(super) fn fixed_group_count(group: &Group) -> Option<usize> {
    match group {
        Group::All => Some(1),
        Group::Buckets(edges) => Some(edges.len() - 1),
        Group::Clock(clock) => Some(usize::from(clock.slot_count)),
        _ => None,
    }
}

pub(super) fn check(query: &Query, unit: Unit) -> Result<(), QueryError> {
    let invalid = |what: &str| Err(QueryError::Invalid(what.into()));
    check::filter(&query.filter)?;
    if query.number.is_some() && unit != Unit::Events {
        return invalid("numbers are read from custom events only");
    }
    if query.sums_only && fixed_group_count(&query.group).is_none() {
        return invalid("groups of texts are counted, not only summed");
    }
    match &query.group {
        Group::Buckets(edges) if edges.len() < 2 || !edges.is_sorted() => {
            invalid("bucket edges must be sorted and at least two")
        }
        Group::Clock(Clock { pieces, slot_ms, slot_count })
            if pieces.is_empty()
                || !pieces.is_sorted_by_key(|piece| piece.0)
                || *slot_ms < 1
                || *slot_count < 1 =>
        {
            invalid("a clock needs sorted pieces and slots")
        }
        Group::Columns(columns) if columns.is_empty() || columns.len() > KEY_COLUMNS_MAX => {
            invalid("groups are made by one to three columns")
        }
        Group::Columns(columns) if unit == Unit::Sessions && columns.iter().any(|c| !c.is_attribute()) => {
            invalid("texts of rows can group rows only, not sessions")
        }
        Group::Pairs(PairsColumn::EventMeta, _) if unit != Unit::Events => {
            invalid("metadata can group custom events only")
        }
        Group::Pairs(PairsColumn::Tags, _) if unit == Unit::Sessions => {
            invalid("tags can group rows only, not sessions")
        }
        _ => Ok(()),
    }
}

/// All times and lengths that the query names.
fn moments(query: &Query) -> Vec<i64> {
    let mut moments = vec![query.span.start, query.span.end];
    match &query.group {
        Group::Buckets(edges) => moments.extend(edges),
        Group::Clock(clock) => {
            moments.push(clock.slot_ms);
            clock.pieces.iter().for_each(|&(start, shift)| moments.extend([start, shift]));
        }
        _ => {}
    }
    moments
}

/// What the keys of all sources have in common.
struct Shared<'q, 'a> {
    query: &'q Query,
    unit: Unit,
    buckets: Option<&'q Buckets>,
    groups: &'q RefCell<Groups<'a>>,
    key_sets: &'q RefCell<KeySets<'a>>,
    sums: &'q SharedSums,
    /// For each source, the dictionaries of the key's columns.
    dictionaries: &'q [Vec<Dictionary<'a>>],
    groups_max: usize,
}

impl Shared<'_, '_> {
    /// The number of a column of the key, when a source has no site codes of it.
    fn by_text(&self, column: usize) -> Option<usize> {
        let mut dictionaries = self.dictionaries.iter().filter_map(|columns| columns.get(column));
        dictionaries.any(|dictionary| !dictionary.has_site_codes()).then_some(column)
    }
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
    let part = |prepared: &'q Prepared<'a>| {
        let table = &prepared.table;
        let meta_keys = shared.query.measures.meta_keys.then(|| {
            let codes = table.codes(Column::EventMeta);
            MetaKeys::new(table.kinds, codes, table.dictionary(Column::EventMeta), shared.key_sets)
        });
        let number = shared.query.number.as_ref().map(|number| {
            let codes = table.codes(Column::EventMeta);
            NumberColumn::new(number, codes, table.dictionary(Column::EventMeta), shared.sums)
        });
        let kind = match shared.unit {
            Unit::Sessions | Unit::Rows => None,
            Unit::PageViews => Some(Kind::PageView),
            Unit::Events => Some(Kind::Event),
        };
        let of_kind = kind.map(|kind| CodeTest::of_kinds(table.kinds, ROW_KIND_MASK, kind as u8));
        Part {
            tests: CodeTest::merged(of_kind.into_iter().chain(prepared.row_tests.iter().cloned())),
            tests_views: !prepared.row_tests.is_empty(),
            prepared,
            sessions: session_columns(table, recurring, prepared.source, stamps[prepared.source]),
            rows: row_columns(table),
            counted: counted(table, shared),
            key: source_key(prepared, shared),
            groups_max: shared.groups_max,
            meta_keys,
            number,
        }
    };
    prepared.iter().map(part).collect()
}

fn counted<'a>(table: &SiteTable<'a>, shared: &Shared<'_, '_>) -> Counted<'a> {
    let what = if shared.unit == Unit::Sessions { What::Sessions } else { What::Rows };
    let measures = shared.query.measures;
    let event_seconds = (shared.unit == Unit::Events).then_some(table.event_duration);
    let time_on_page = measures.time_on_page && matches!(shared.unit, Unit::PageViews | Unit::Rows);
    let extras = Extras { durations: measures.durations, event_seconds };
    let sums_only = shared.query.sums_only;
    Counted { what, view: time_on_page.then_some(Kind::PageView as u8), sums_only, extras }
}

fn session_columns<'a>(
    table: &SiteTable<'a>,
    recurring: &'a Recurring,
    source: usize,
    stamp_first: u32,
) -> SessionColumns<'a> {
    SessionColumns {
        visitors: table.visitors,
        times: table.times,
        states: table.states,
        bounce: FLAG_BOUNCE,
        recurring: recurring.numbers_of(source),
        stamp_first,
    }
}

/// The columns of the group's key, and where they are read.
fn key_columns<'a>(table: &SiteTable<'a>, group: &Group) -> Vec<(Column, Place<'a>)> {
    let edge = |with_title: bool, edge: Edge| {
        let columns = if with_title { &[Column::Path, Column::Title][..] } else { &[Column::Path] };
        columns.iter().map(|&column| (column, edge.place(&table.states))).collect()
    };
    match group {
        Group::Columns(columns) => {
            let place = |c: Column| if c.is_attribute() { Place::Session } else { Place::Row };
            columns.iter().map(|&column| (column, place(column))).collect()
        }
        Group::Entry(with_title) => edge(*with_title, Edge::Entry),
        Group::Exit(with_title) => edge(*with_title, Edge::Exit),
        Group::All | Group::Buckets(_) | Group::Clock(_) | Group::Pairs(..) => Vec::new(),
    }
}

/// Which columns of the key hold pairs.
fn pairs_columns(group: &Group) -> Vec<bool> {
    match group {
        Group::Columns(columns) => columns.iter().map(|column| column.holds_pairs()).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn key_dictionaries<'a>(table: &SiteTable<'a>, query: &Query) -> Vec<Dictionary<'a>> {
    key_columns(table, &query.group).into_iter().map(|(column, _)| table.dictionary(column)).collect()
}

fn source_key<'q, 'a>(prepared: &Prepared<'a>, shared: &Shared<'q, 'a>) -> SourceKey<'q, 'a> {
    let table = &prepared.table;
    match (&shared.query.group, shared.buckets) {
        (Group::Buckets(_), Some(buckets)) => SourceKey::Time(TimeKey::Buckets(buckets)),
        (Group::Clock(clock), _) => SourceKey::Time(TimeKey::Clock(ClockKey::new(clock))),
        (Group::Pairs(column, part), _) => {
            let column = match column {
                PairsColumn::EventMeta => Column::EventMeta,
                PairsColumn::Tags => Column::Tags,
            };
            SourceKey::of_pairs(part, table.codes(column), table.dictionary(column), shared.groups)
        }
        (Group::Columns(_) | Group::Entry(_) | Group::Exit(_), _) => {
            let column = |(at, (column, place))| KeyColumn {
                by_text: shared.by_text(at),
                place,
                codes: table.codes(column),
                dictionary: table.dictionary(column),
                row_count: table.row_count(),
            };
            let columns =
                key_columns(table, &shared.query.group).into_iter().enumerate().map(column).collect();
            SourceKey::of_columns(columns, prepared.source as u32, shared.groups)
        }
        (Group::All | Group::Buckets(_), _) => SourceKey::One,
    }
}
