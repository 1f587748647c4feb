//! What an aggregate knows of a query's answer.

use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::covered::{leave_out_spans, leave_out_stale, sessions_near};
use super::entries::{Columns, Entries, Period};
use super::file::Aggregate;
use super::specs::{By, Counted, Spec};
use crate::error::QueryError;
use crate::limits::GROUPS_MAX;
use crate::query::{Cancelled, Group, Keys, Known, Piece, Query, Source, Take, Uncounted, passing, tally};
use crate::scan::bits::Bits;
use crate::segment::table::SiteTable;
use crate::units::TimestampMs;

/// One source of a query that has an aggregate.
pub(super) struct Part<'p, 'a> {
    /// Its number among the query's sources.
    pub number: usize,
    pub source: &'p Source<'a>,
    /// Its sessions of visitors that recur now.
    pub recurring: Option<&'p Bits>,
    pub aggregate: &'p Aggregate,
    pub entries: Arc<Entries>,
}

/// How a period lies to what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Within it, and within this bucket, if there are any.
    Within(u32),
    /// Apart from it.
    Outside,
    /// Only a part of it is asked for, or goes into one bucket.
    Cut,
}

/// The known counts of a part; `None` when they are of no use.
pub(super) fn known(
    part: &Part<'_, '_>,
    spec: &'static Spec,
    query: &Query,
    cancelled: Cancelled<'_>,
) -> Result<Option<Known<'static>>, QueryError> {
    let entries = part.entries.clone();
    let places: Vec<Place> = entries.periods.iter().map(|period| place(part, query, period)).collect();
    if !places.iter().any(|place| matches!(place, Place::Within(_))) {
        return Ok(None);
    }
    let Some(passes) = Passes::new(part.source, spec, query, cancelled)? else { return Ok(None) };
    let of_time = is_of_time(query);
    if of_time && !passes.leave_one_group() {
        return Ok(None);
    }
    if let Some(rest) = all_but(part, spec, query, &places) {
        let counts = move |take: Take<'_>| {
            give(&entries, &places, spec, (of_time, &passes), &Columns::default(), take)
        };
        let sessions = Uncounted::AllBut(rest);
        return Ok(Some(Known { source: part.number, sessions, counts: Box::new(counts) }));
    }
    let mut sessions = part.aggregate.covered(spec).of_range(sessions_near(&part.source.table, &query.span));
    if sessions.is_empty() {
        return Ok(None);
    }
    let cut: Vec<Range<TimestampMs>> = entries
        .periods
        .iter()
        .zip(&places)
        .filter(|(_, place)| **place == Place::Cut)
        .map(|(period, _)| period.span.clone())
        .collect();
    leave_out_spans(&part.source.table, &mut sessions, &cut);
    let recurring = part.recurring.filter(|_| spec.counted == Counted::All);
    let stale = leave_out_stale(part.source, &mut sessions, recurring);
    let off =
        if stale.is_empty() { Vec::new() } else { tally(part.source, &stale, query, GROUPS_MAX, cancelled)? };
    let off = Columns::negated(&off, spec);
    let counts = move |take: Take<'_>| give(&entries, &places, spec, (of_time, &passes), &off, take);
    let sessions = Uncounted::These(sessions);
    Ok(Some(Known { source: part.number, sessions, counts: Box::new(counts) }))
}

/// Whether known counts of a source are of use. To look for rows in what they leave takes as long as to look for them
/// everywhere, unless they leave few sessions.
pub(super) fn are_of_use(source: &Source<'_>, aggregate: &Aggregate, spec: &Spec, query: &Query) -> bool {
    let leave_few = || aggregate.rest(spec).is_some() && lies_within(&source.table, &query.span);
    !is_of_time(query) || query.filter.rows.is_empty() || leave_few()
}

/// Whether all of a source lies within a span.
fn lies_within(table: &SiteTable<'_>, span: &Range<TimestampMs>) -> bool {
    table.runs.iter().all(|run| span.start <= run.min_time && run.max_time < span.end)
}

/// The sessions that must be counted where all that is covered is asked for and nothing of it is stale.
fn all_but(part: &Part<'_, '_>, spec: &Spec, query: &Query, places: &[Place]) -> Option<Arc<[u32]>> {
    let rest = part.aggregate.rest(spec)?;
    let Source { table, hidden } = part.source;
    let covered = part.aggregate.covered(spec);
    let recurs = |recurring: &Bits| covered.intersects(recurring);
    let hides = |hidden: &RoaringBitmap| hidden.iter().any(|session| covered.contains(session as usize));
    let is_whole = query.filter.tests_texts_only()
        && places.iter().all(|place| matches!(place, Place::Within(_)))
        && lies_within(table, &query.span)
        && !hidden.is_some_and(hides)
        && !(spec.counted == Counted::All && part.recurring.is_some_and(recurs));
    is_whole.then(|| rest.clone())
}

/// Gives the entries of the periods that are asked for, then what is taken off.
fn give(
    entries: &Entries,
    places: &[Place],
    spec: &Spec,
    (of_time, passes): (bool, &Passes),
    off: &Columns,
    take: Take<'_>,
) -> Result<(), QueryError> {
    let mut give =
        |bucket: Option<u32>, columns: &Columns, own: Range<usize>, passes: &[Option<Vec<bool>>]| {
            let codes = columns.keys(own.clone());
            let keys = bucket.map_or(Keys::Codes(codes), |bucket| Keys::One(bucket, codes));
            take(&Piece { keys, passes, numbers: columns.numbers(own, spec.sums) })
        };
    let bucket = |bucket: u32| of_time.then_some(bucket);
    match all_within(places) {
        Some(all) if entries.periods.len() > 1 => {
            let whole = entries.whole();
            give(bucket(all), whole, 0..whole.len(), &passes.0)?;
        }
        _ => {
            for (period, place) in entries.periods.iter().zip(places) {
                let Place::Within(own) = *place else { continue };
                give(bucket(own), &entries.columns, period.entries.clone(), &passes.0)?;
            }
        }
    }
    give(None, off, 0..off.len(), &[])
}

/// The bucket that all periods lie in.
fn all_within(places: &[Place]) -> Option<u32> {
    let Some(&Place::Within(bucket)) = places.first() else { return None };
    places.iter().all(|place| *place == Place::Within(bucket)).then_some(bucket)
}

fn place(part: &Part<'_, '_>, query: &Query, period: &Period) -> Place {
    let own = &period.span;
    match lies(own, &query.span) {
        Place::Within(_) => {}
        other => return other,
    }
    match &query.group {
        Group::Buckets(edges) => bucket(own, edges),
        Group::Clock(clock) if !part.aggregate.days().agrees(clock, own) => Place::Cut,
        _ => Place::Within(0),
    }
}

fn lies(own: &Range<TimestampMs>, span: &Range<TimestampMs>) -> Place {
    if span.start <= own.start && own.end <= span.end {
        Place::Within(0)
    } else if own.end <= span.start || span.end <= own.start {
        Place::Outside
    } else {
        Place::Cut
    }
}

/// Edges may repeat: empty buckets hold nothing.
fn bucket(own: &Range<TimestampMs>, edges: &[TimestampMs]) -> Place {
    let next = edges.partition_point(|&edge| edge <= own.start);
    match (next.checked_sub(1), edges.get(next)) {
        (Some(bucket), Some(&end)) if own.end <= end => Place::Within(bucket as u32),
        (Some(_), None) => Place::Outside,
        (None, Some(&first)) if own.end <= first => Place::Outside,
        _ => Place::Cut,
    }
}

fn is_of_time(query: &Query) -> bool {
    matches!(query.group, Group::All | Group::Buckets(_))
}

/// Which groups the filter lets pass: for each column of the key the codes that do.
struct Passes(Vec<Option<Vec<bool>>>);

impl Passes {
    /// `None` when the grouping does not have what the filter wants.
    fn new(
        source: &Source<'_>,
        spec: &Spec,
        query: &Query,
        cancelled: Cancelled<'_>,
    ) -> Result<Option<Self>, QueryError> {
        let mut passes: Vec<Option<Vec<bool>>> = vec![None; spec.columns().len()];
        for (column, test) in query.filter.attributes.iter().chain(&query.filter.rows) {
            let codes = passing(source.table.dictionary(*column), test, cancelled)?;
            if matches!(spec.by, By::Absent(_)) {
                // Only what is kept may pass: the empty text, and no other.
                if codes.first() != Some(&true) || codes.iter().skip(1).any(|&passes| passes) {
                    return Ok(None);
                }
                continue;
            }
            let Some(place) = spec.columns().iter().position(|own| own == column) else { return Ok(None) };
            match &mut passes[place] {
                Some(known) => known.iter_mut().zip(codes).for_each(|(known, passes)| *known &= passes),
                none => *none = Some(codes),
            }
        }
        Ok(Some(Self(passes)))
    }

    /// Whether one group passes at most. Visitors and sessions of several may be the same, so these do not add up.
    fn leave_one_group(&self) -> bool {
        let is_one = |codes: &Vec<bool>| codes.iter().filter(|passes| **passes).count() <= 1;
        self.0.iter().all(|passes| passes.as_ref().is_some_and(is_one))
    }
}
