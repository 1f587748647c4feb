//! A file of the operator's that may be replaced while the program runs.
//!
//! It knows nothing of what the file holds.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// By what one file differs from another at the same path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// Tells when the file at a path is another one than before.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    seen: Mutex<Option<Stamp>>,
}

impl Watched {
    /// Watches `path`. To be called before the file is read, so that no change is missed.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), seen: Mutex::new(stamp_of(path)) }
    }

    /// The watched path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file has changed since the last call. A file that is gone is being replaced: no change yet.
    pub fn has_changed(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp_of(&self.path);
        let changed = stamp.is_some() && stamp != *seen;
        if changed {
            *seen = stamp;
        }
        changed
    }
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Stamp { modified: metadata.modified().ok(), len: metadata.len(), inode: metadata.ino() })
}
