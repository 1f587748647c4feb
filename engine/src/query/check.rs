//! What every question is checked for before it is worked on.

use super::{Filter, Source};
use crate::error::QueryError;

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

fn invalid(what: &str) -> Result<(), QueryError> {
    Err(QueryError::Invalid(what.into()))
}
