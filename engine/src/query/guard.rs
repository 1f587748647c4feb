//! Asks now and then whether a query should stop.

use super::Cancelled;
use crate::error::QueryError;

/// Work between two questions, in sessions (or bytes of texts that are tested).
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

    /// Notes that these texts are about to be tested. A test may take long for each byte.
    pub fn spend_on(&mut self, texts: &[&str]) -> Result<(), QueryError> {
        self.spend(texts.iter().map(|text| 1 + text.len()).sum())
    }
}
