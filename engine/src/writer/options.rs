//! Settings of the writer, and what it reports of a batch.

use std::time::Duration;

use crate::limits;

/// Settings of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// A session ends when nothing happens for this long.
    pub session_window: Duration,
    /// Rows of the open segment at which it is sealed.
    pub seal_rows: usize,
    /// Event ids that are remembered at most; beyond it those of the oldest hour go.
    pub event_ids_max: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            session_window: Duration::from_secs(30 * 60),
            seal_rows: limits::SEAL_ROWS,
            event_ids_max: limits::EVENT_IDS_MAX,
        }
    }
}

/// What became of a batch that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Rows stored (an event that opens a session on a page stores a page view too).
    pub rows: usize,
    /// Items stored: neither left out nor repeats.
    pub stored: usize,
    /// Sessions that they opened.
    pub sessions: usize,
    /// Pings left out because their visitor has no live session.
    pub pings_without_session: usize,
    /// Items that had come before, by their ids: nothing of them was stored again.
    pub repeated: usize,
}
