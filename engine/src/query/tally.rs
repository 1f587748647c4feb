//! The counts of some sessions of one source, group by group, as they can be kept and added to others later.

use super::check;
use super::execute::{check, count, fixed_group_count, key_dictionaries};
use super::filter::prepare;
use super::groups::KEY_COLUMNS_MAX;
use super::guard::Guard;
use super::known::Key;
use super::verdicts::Verdicts;
use super::{Cancelled, Group, Query, Recurring, Source};
use crate::error::QueryError;
use crate::limits;
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
/// As [`super::execute()`]; [`QueryError::Invalid`] for groups by pairs.
pub fn tally(
    source: &Source<'_>,
    sessions: &Bits,
    query: &Query,
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
    let Some(mut prepared) =
        prepare(&source, 0, &query.span, &query.filter, unit, &mut Verdicts::default(), &mut guard)?
    else {
        return Ok(Vec::new());
    };
    prepared.keep_only(sessions);
    let dictionaries = [key_dictionaries(&source.table, query)];
    let (prepared, sources, nowhere) = ([prepared], [source], Recurring::nowhere(1));
    let groups_max = limits::GROUPS_MAX;
    let counted = count(groups_max, &prepared, &sources, &dictionaries, &nowhere, query, &mut guard)?;
    let key = |group: usize| match fixed_group_count(&query.group) {
        Some(_) => [group as u32, 0, 0],
        None => counted.groups.codes(group).map_or([0; KEY_COLUMNS_MAX], |codes| codes.1),
    };
    let group_count = fixed_group_count(&query.group).unwrap_or(counted.groups.len());
    let all = (0..group_count).map(|group| Tally { key: key(group), numbers: counted.counts.numbers(group) });
    Ok(all.filter(|tally| tally.numbers.sessions > 0).collect())
}

/// Which codes of a column pass a test.
///
/// # Errors
/// [`QueryError::Cancelled`].
pub fn passing(
    dictionary: Dictionary<'_>,
    test: &dyn Fn(&str) -> bool,
    cancelled: Cancelled<'_>,
) -> Result<Vec<bool>, QueryError> {
    let mut guard = Guard::new(cancelled);
    let mut codes = Vec::with_capacity(dictionary.len());
    for code in 0..dictionary.len() {
        let text = dictionary.get(code as u32);
        guard.spend_on(&[text])?;
        codes.push(test(text));
    }
    Ok(codes)
}
