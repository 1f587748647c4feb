//! What every question is checked for before it is worked on.

use super::{Filter, Source};
use crate::error::QueryError;

/// One more than the greatest time of an index, milliseconds.
const SECONDS_MAX_MS: i64 = (u32::MAX as i64 + 1) * 1000;

/// Refuses tests of columns that are not where the filter has them.
pub(super) fn filter(filter: &Filter) -> Result<(), QueryError> {
    if filter.attributes.iter().any(|(column, _)| !column.is_attribute()) {
        return invalid("only attributes of sessions can be tested as attributes");
    }
    if filter.rows.iter().any(|(column, _)| column.is_attribute()) {
        return invalid("attributes of sessions cannot be tested as texts of rows");
    }
    Ok(())
}

/// Refuses tables whose columns differ in length, and more sessions than one query counts.
pub(super) fn tables(sources: &[Source<'_>]) -> Result<(), QueryError> {
    let mut session_count = 0usize;
    for table in sources.iter().map(|source| &source.table) {
        if !table.lengths_agree() {
            return invalid("a segment's columns differ in length");
        }
        session_count = session_count.saturating_add(table.session_count());
    }
    if session_count >= u32::MAX as usize {
        return invalid("the site has too many sessions for one query");
    }
    Ok(())
}

/// Refuses times that are not whole seconds where an index is among the sources: it has whole seconds only.
pub(super) fn whole_seconds(
    sources: &[Source<'_>],
    times: impl IntoIterator<Item = i64>,
) -> Result<(), QueryError> {
    // An index has times of 1970 to 2106 only: it does not matter where before or after that a span ends.
    let matters = |time: &i64| (-SECONDS_MAX_MS..=SECONDS_MAX_MS).contains(time);
    let is_cut = |time: i64| time.rem_euclid(1000) != 0;
    let has_index = sources.iter().any(|source| source.table.times.are_seconds());
    if has_index && times.into_iter().filter(matters).any(is_cut) {
        return invalid("spans, buckets and clocks must be whole seconds");
    }
    Ok(())
}

fn invalid(what: &str) -> Result<(), QueryError> {
    Err(QueryError::Invalid(what.into()))
}
