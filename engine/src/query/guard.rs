//! Asks now and then whether a query should stop.

use super::Cancelled;
use crate::error::QueryError;

/// Work between two questions, in sessions (or dictionary entries).
pub(super) const WORK_A_CHECK: usize = 8192;

/// Counts work and asks.
pub(super) struct Guard<'c> {
    cancelled: Cancelled<'c>,
    left: usize,
}

impl<'c> Guard<'c> {
    pub fn new(cancelled: Cancelled<'c>) -> Self {
        Self { cancelled, left: 0 }
    }

    /// Notes that this much work is about to be done.
    pub fn spend(&mut self, work: usize) -> Result<(), QueryError> {
        if let Some(left) = self.left.checked_sub(work) {
            self.left = left;
            return Ok(());
        }
        self.left = WORK_A_CHECK;
        (self.cancelled)().map_or(Ok(()), |reason| Err(QueryError::Cancelled(reason)))
    }
}
