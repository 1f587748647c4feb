//! What every question is checked for before it is worked on.

use super::{Filter, Source};
use crate::error::QueryError;
use crate::segment::table::SiteTable;

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
            return invalid("a segment's columns differ in length");
        }
        session_count = session_count.saturating_add(count);
    }
    if session_count >= u32::MAX as usize {
        return invalid("the site has too many sessions for one query");
    }
    Ok(())
}

fn invalid(what: &str) -> Result<(), QueryError> {
    Err(QueryError::Invalid(what.into()))
}
