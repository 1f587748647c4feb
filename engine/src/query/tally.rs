//! The counts of some sessions of one source, group by group, as they can be kept and added to others later.

use super::check;
use super::execute::{Count, CountedGroups, check, fixed_group_count, key_dictionaries};
use super::filter::{prepare, touched_runs};
use super::groups::KEY_COLUMNS_MAX;
use super::guard::Guard;
use super::known::Key;
use super::masks;
use super::portions::Means;
use super::verdicts::{TestOf, Verdicts};
use super::{Cancelled, Group, Query, Recurring, Source, TextTest};
use crate::error::QueryError;
use crate::scan::bits::Bits;
use crate::scan::count::Numbers;
use crate::segment::table::Dictionary;

/// The numbers of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The group.
    pub key: Key,
    /// Its numbers.
    pub numbers: Numbers,
}

/// Counts only these sessions of a source, hidden ones among them included, none of whose visitors may have sessions
/// in more than one run. Order, limit and `keep` of the query play no part; groups without anything are left out.
///
/// # Errors
/// As [`super::execute()`], with `groups_max` in place of its bound; [`QueryError::Invalid`] for groups by pairs.
pub fn tally(
    source: &Source<'_>,
    sessions: &Bits,
    query: &Query,
    groups_max: usize,
    cancelled: Cancelled<'_>,
) -> Result<Vec<Tally>, QueryError> {
    let source = Source { hidden: None, ..*source };
    check(query, query.counted_unit())?;
    check::tables(&[source])?;
    if matches!(query.group, Group::Pairs(..)) {
        return Err(QueryError::Invalid("groups by pairs have no codes".into()));
    }
    let mut guard = Guard::new(cancelled);
    let unit = query.counted_unit();
    let mut touched = touched_runs(source.table.runs, &query.span, source.table.session_count());
    touched.retain(|run| sessions.any_in(run.sessions.clone()));
    let Some(mut prepared) =
        prepare(&source, 0, touched, &query.filter, unit, &mut Verdicts::default(), &mut guard)?
    else {
        return Ok(Vec::new());
    };
    prepared.keep_only(sessions);
    let dictionaries = [key_dictionaries(&source.table, query)];
    let (sources, recurring) = ([source], Recurring::nowhere(1));
    let count = Count {
        means: &Means { groups_max, ..Means::default() },
        sources: &sources,
        dictionaries: &dictionaries,
        recurring: &recurring,
        query,
    };
    let CountedGroups { counter, groups, .. } = count.prepared(&[prepared], true, &mut guard)?;
    let mut counts = counter.finish();
    if query.sums_only {
        counts.keep_sums();
    }
    let key = |group: usize| match fixed_group_count(&query.group) {
        Some(_) => [group as u32, 0, 0],
        None => groups.codes(group).map_or([0; KEY_COLUMNS_MAX], |codes| codes.1),
    };
    let group_count = fixed_group_count(&query.group).unwrap_or(groups.len());
    let all = (0..group_count).map(|group| Tally { key: key(group), numbers: counts.numbers(group) });
    Ok(all.filter(|tally| tally.numbers != Numbers::default()).collect())
}

/// Which codes of a column pass a test.
///
/// # Errors
/// [`QueryError::Cancelled`].
pub fn passing(
    dictionary: Dictionary<'_>,
    test: &TextTest,
    cancelled: Cancelled<'_>,
) -> Result<Vec<bool>, QueryError> {
    let mut verdicts = Verdicts::default();
    let mut guard = Guard::new(cancelled);
    let mask = masks::of_all(dictionary, test, || verdicts.of(TestOf::Row(0)), &mut guard)?;
    Ok(mask.into_entries(dictionary.len()))
}
