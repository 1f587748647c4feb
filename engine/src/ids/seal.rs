//! Writing the ids of a log that is sealed away: sorted files, an hour each, merged with small ones of the same hour.
//! Runs beside the writer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{IdFile, Name};
use super::recent::Recent;
use crate::error::StorageError;
use crate::limits;
use crate::units::EventHash;
use crate::vfs::SharedFs;

/// Files of up to so many ids are always merged into the next one of their hour.
const SMALL_IDS: usize = 1 << 12;

/// The part of a seal that concerns ids.
pub struct IdSeal {
    fs: SharedFs,
    dir: PathBuf,
    ids: Arc<Recent>,
    files: Vec<Arc<IdFile>>,
    first_number: u64,
}

/// What an [`IdSeal`] made.
#[derive(Default)]
pub struct SealedIds {
    pub(super) files: Vec<Arc<IdFile>>,
    /// Numbers of the files whose ids are in the new ones.
    pub(super) merged: Vec<u64>,
    pub(super) merged_paths: Vec<PathBuf>,
}

impl IdSeal {
    pub(super) fn new(
        fs: &SharedFs,
        dir: &Path,
        ids: Arc<Recent>,
        files: Vec<Arc<IdFile>>,
        first_number: u64,
    ) -> Self {
        Self { fs: Arc::clone(fs), dir: dir.to_path_buf(), ids, files, first_number }
    }

    /// Writes and syncs the files.
    ///
    /// # Errors
    /// The failed operation.
    pub fn run(&self) -> Result<SealedIds, StorageError> {
        let mut sealed = SealedIds::default();
        for (number, (hour, mut hashes)) in (self.first_number..).zip(self.ids.by_hour()) {
            self.merge(hour, &mut hashes, &mut sealed);
            hashes.sort_unstable();
            hashes.dedup();
            let file = IdFile::write(&*self.fs, &self.dir, Name { hour, number }, &hashes)?;
            sealed.files.push(Arc::new(file));
        }
        Ok(sealed)
    }

    /// Adds the ids of files of the hour that are not much larger than what there is: so each id is written a few
    /// times only, and an hour has few files.
    fn merge(&self, hour: u32, hashes: &mut Vec<EventHash>, sealed: &mut SealedIds) {
        let mut files: Vec<&Arc<IdFile>> = self.files.iter().filter(|file| file.hour() == hour).collect();
        files.sort_by_key(|file| file.hashes().len());
        for file in files {
            let len = file.hashes().len();
            let wide = len > SMALL_IDS && len > 2 * hashes.len();
            if wide || hashes.len() + len > limits::ID_FILE_IDS_MAX {
                return;
            }
            hashes.extend_from_slice(file.hashes());
            sealed.merged.push(file.number());
            sealed.merged_paths.push(file.path().to_path_buf());
        }
    }
}
