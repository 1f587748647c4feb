//! Sessions themselves instead of counts: the latest ones, and what was seen and done in one of them.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{LISTED_MAX, SessionDetail, SessionRow, SessionsQuery};

use super::{Ask, Question};

/// The sessions that the selection lets pass and that are placed in the period (when it selects pages: those that
/// saw such a page in it), the latest activity first.
///
/// # Errors
/// As [`Ask::ask`].
pub fn latest<A: Ask>(question: &Question<'_, A>) -> Result<Vec<SessionRow>, QueryError> {
    question.ask.sessions(&query(question))
}

/// The session that the selection names with its page views and custom events of the period. `None` when none of
/// them passes.
///
/// # Errors
/// As [`Ask::ask`]. The selection must name a session.
pub fn one<A: Ask>(question: &Question<'_, A>) -> Result<Option<SessionDetail>, QueryError> {
    question.ask.session_rows(&query(question))
}

fn query<A: Ask>(question: &Question<'_, A>) -> SessionsQuery {
    SessionsQuery {
        site: question.site,
        span: question.period.span(),
        filter: question.selection.filter(),
        offset: question.page.offset,
        limit: question.page.limit.unwrap_or(LISTED_MAX),
    }
}
