//! The facade: open a data folder, append events, take snapshots, close.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::StorageError;
use crate::event::Event;
use crate::vfs::Fs;

/// Settings of a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// A session ends when nothing happens for this long.
    pub session_window: Duration,
    /// Rows of the open segment at which it is sealed.
    pub seal_rows: usize,
}

/// What became of a batch that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Rows stored (an event that opens a session on a page stores a page view too).
    pub rows: usize,
    /// Pings left out because their visitor has no live session.
    pub pings_without_session: usize,
}

/// Figures about a store, for health and metrics.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Why the store refuses writes, if it does.
    pub latched: Option<String>,
    /// Sealed segments.
    pub segments: usize,
    /// Rows in sealed segments, superseded ones included.
    pub sealed_rows: u64,
    /// Rows in the open segment.
    pub open_rows: u64,
    /// Batches waiting for the writer.
    pub queued_batches: usize,
    /// Bytes of the torn tail that was cut from the log at the start.
    pub torn_tail_bytes: u64,
}

/// What a query sees: all that was acknowledged when it was taken, and nothing later.
pub struct Snapshot {}

/// An open data folder.
pub struct Store {}

impl Store {
    /// Opens (or makes) the store in `folder`, takes the folder's lock and recovers what was acknowledged.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has it, [`StorageError::Corrupt`] when damage is found.
    pub fn open(fs: Arc<dyn Fs>, folder: &Path, options: StoreOptions) -> Result<Self, StorageError> {
        let _ = (fs, folder, options);
        Ok(Self {})
    }

    /// Queues a batch, which is stored whole or not at all. `done` is called on the writer's thread once the batch
    /// is synced and visible, or has failed; it must not block.
    ///
    /// # Errors
    /// [`StorageError::Busy`], [`StorageError::Latched`], [`StorageError::TooLarge`]: nothing was queued and `done`
    /// is not called.
    pub fn append(
        &self,
        batch: Vec<Event>,
        done: Box<dyn FnOnce(Result<Receipt, StorageError>) + Send>,
    ) -> Result<(), StorageError> {
        let _ = (batch, done);
        Err(StorageError::Closed)
    }

    /// What a query sees now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(Snapshot {})
    }

    /// Figures about the store.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// Writes what is queued, syncs, ends the log and releases the folder.
    ///
    /// # Errors
    /// The first failed write or sync.
    pub fn close(self) -> Result<(), StorageError> {
        Ok(())
    }
}
