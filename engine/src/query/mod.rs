//! Queries: the model of a question and its exact evaluation over a snapshot.

mod model;

pub use model::*;

use crate::error::QueryError;
use crate::store::Snapshot;

/// Tells a running query to stop. Checked about every ten thousand sessions.
pub type Cancelled<'a> = &'a (dyn Fn() -> Option<&'static str> + Sync);

/// Answers `query` from `snapshot`.
///
/// # Errors
/// [`QueryError::Invalid`] for a query without meaning, [`QueryError::Cancelled`] when `cancelled` gives a reason.
pub fn run(snapshot: &Snapshot, query: &Query, cancelled: Cancelled<'_>) -> Result<Report, QueryError> {
    let _ = (snapshot, query, cancelled);
    Err(QueryError::Invalid("not there yet".into()))
}
