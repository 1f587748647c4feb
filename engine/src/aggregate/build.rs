//! Makes the aggregate of a source, by the kernels that answer queries.

use super::covered::Covered;
use super::days::LocalDays;
use super::entries;
use super::file::{self, Content, ENTRIES_BYTES_MAX};
use super::specs::{By, Counted, Grain, SPECS, Spec};
use super::titles;
use crate::error::QueryError;
use crate::query::{Cancelled, Filter, Group, Order, Query, Recurring, Source, TextTest, tally};
use crate::units::{SegmentId, SiteId};

/// Groups of a day at most; a grouping with more is left to the scan.
const DAY_GROUPS_MAX: usize = 1024;
/// Groups of a week or month at most.
const PERIOD_GROUPS_MAX: usize = 1 << 18;

/// What an aggregate is to be made of.
#[derive(Clone, Copy)]
pub struct Making<'m> {
    /// The number of the source, which names it for ever.
    pub number: SegmentId,
    /// The site.
    pub site: SiteId,
    /// The site's data in the source.
    pub source: Source<'m>,
    /// Visitors that recur, as they were found for a list of sources, and the place of this one in that list. What is
    /// found later is taken off again, so it need not be the whole list, but the fewer are found, the more is.
    pub recurring: (&'m Recurring, usize),
    /// The local days of the site's zone, from the source's first row to its last at least.
    pub days: &'m LocalDays,
}

/// The bytes of the aggregate's file; `None` when there is none of such a source: nothing is covered, or the days are
/// too many or not sound.
///
/// # Errors
/// [`QueryError::Cancelled`]; [`QueryError::Invalid`] for a table that is not sound.
pub fn build(making: &Making<'_>, cancelled: Cancelled<'_>) -> Result<Option<Vec<u8>>, QueryError> {
    if !making.days.is_sound() {
        return Ok(None);
    }
    let (recurring, at) = making.recurring;
    let covered = Covered::find(&making.source, recurring.of_source(at), making.days);
    let summed = Covered::find(&making.source, None, making.days);
    let mut groupings = Vec::new();
    for grain in [Grain::Day, Grain::Month, Grain::Week] {
        let mut counting = Counting::default();
        for (what, covered) in [(Counted::All, &covered), (Counted::SumsOnly, &summed)] {
            if SPECS.iter().any(|spec| (spec.counted, spec.grain) == (what, grain)) {
                counting.add_all(making, (what, covered), grain, cancelled)?;
            }
        }
        counting.encode_into(&mut groupings);
    }
    if groupings.is_empty() {
        return Ok(None);
    }
    let content = Content {
        source: making.number,
        site: making.site,
        days: making.days,
        covered: &covered.sessions,
        summed: &summed.sessions,
        groupings: &groupings,
    };
    Ok(file::encode(&content))
}

/// The periods of each grouping of a grain so far; `None` for those with too many groups.
struct Counting {
    periods: Vec<Option<Vec<entries::Counted>>>,
}

impl Default for Counting {
    fn default() -> Self {
        Self { periods: SPECS.iter().map(|_| Some(Vec::new())).collect() }
    }
}

impl Counting {
    /// Adds the entries of all groupings that have any, are not too large, and do not need one that is.
    fn encode_into(&self, groupings: &mut Vec<(u8, Vec<u8>)>) {
        for (spec, periods) in SPECS.iter().zip(&self.periods) {
            let is_kept = |other: &Spec| groupings.iter().any(|grouping| grouping.0 == other.id);
            let encoded = match (periods, spec.without_title()) {
                (None, _) => None,
                (Some(periods), _) if periods.is_empty() => None,
                (Some(periods), None) => Some(entries::encode(spec, periods)),
                (Some(periods), Some((plain, pages))) if is_kept(plain) && pages.is_none_or(is_kept) => {
                    let by_path = self.of(plain).unwrap_or_default();
                    titles::encode(spec, periods, by_path, pages.and_then(|pages| self.of(pages)))
                }
                _ => None,
            };
            groupings.extend(
                encoded.filter(|bytes| bytes.len() <= ENTRIES_BYTES_MAX).map(|bytes| (spec.id, bytes)),
            );
        }
    }

    fn of(&self, spec: &Spec) -> Option<&[entries::Counted]> {
        let at = SPECS.iter().position(|other| other.id == spec.id)?;
        self.periods.get(at)?.as_deref()
    }

    /// Counts all periods of a grain.
    fn add_all(
        &mut self,
        making: &Making<'_>,
        counted: (Counted, &Covered),
        grain: Grain,
        cancelled: Cancelled<'_>,
    ) -> Result<(), QueryError> {
        let period = |day: usize| making.days.period_of(day, grain);
        for days in counted.1.days().chunk_by(|&a, &b| period(a) == period(b)) {
            if let (Some(&first), Some(&last)) = (days.first(), days.last()) {
                self.add(making, counted, grain, (first, last), cancelled)?;
            }
        }
        Ok(())
    }

    /// Counts a period for all groupings of a grain.
    fn add(
        &mut self,
        making: &Making<'_>,
        (what, covered): (Counted, &Covered),
        grain: Grain,
        (first, last): (usize, usize),
        cancelled: Cancelled<'_>,
    ) -> Result<(), QueryError> {
        let sessions = covered.of_days(first, last);
        let groups_max = if grain == Grain::Day { DAY_GROUPS_MAX } else { PERIOD_GROUPS_MAX };
        for (spec, periods) in SPECS.iter().zip(&mut self.periods) {
            if (spec.counted, spec.grain) != (what, grain) || periods.is_none() {
                continue;
            }
            let query = question(spec, making);
            let mut tallies = match tally(&making.source, &sessions, &query, groups_max, cancelled) {
                Err(QueryError::TooManyGroups(_)) => {
                    *periods = None;
                    continue;
                }
                result => result?,
            };
            tallies.sort_unstable_by_key(|tally| tally.key);
            periods.iter_mut().for_each(|periods| periods.push((first, last, std::mem::take(&mut tallies))));
        }
        Ok(())
    }
}

/// The query whose answer a grouping keeps, over all times.
fn question(spec: &Spec, making: &Making<'_>) -> Query {
    let mut filter = Filter::default();
    let group = match spec.by {
        By::All => Group::All,
        By::Absent(column) => {
            filter.attributes.push((column, TextTest::one_of([""])));
            Group::All
        }
        By::Clock(slot_ms, slot_count) => Group::Clock(making.days.clock(slot_ms, slot_count)),
        By::Columns(columns) => Group::Columns(columns.to_vec()),
        By::Entry(with_title) => Group::Entry(with_title),
        By::Exit(with_title) => Group::Exit(with_title),
    };
    let plain = Query::new(making.site, i64::MIN..i64::MAX, spec.unit, group);
    let sums_only = spec.counted == Counted::SumsOnly;
    Query { filter, measures: spec.measured(), sums_only, order: Order::KEYS, by_scan: true, ..plain }
}
