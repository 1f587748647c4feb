//! Appending to a log: frames are buffered, a commit writes them at once and syncs.

use std::path::{Path, PathBuf};

use super::frame::{CLOSE, HEADER_BYTES, encode_frame, encode_header};
use super::log_path;
use super::replay::ReplayEnd;
use crate::error::StorageError;
use crate::limits::FRAME_BYTES_MAX;
use crate::vfs::{File, Fs};

/// The end of a log, open for appending.
///
/// After the first failed write or sync it writes nothing more: what is on disk is then not known.
pub struct LogWriter {
    file: Box<dyn File>,
    path: PathBuf,
    generation: u64,
    next_sequence: u64,
    synced_end: u64,
    buffer: Vec<u8>,
    failed: Option<String>,
}

impl LogWriter {
    /// Makes a new, empty log, durably.
    ///
    /// # Errors
    /// The failed operation; the name may then be there.
    pub fn create(fs: &dyn Fs, folder: &Path, generation: u64) -> Result<Self, StorageError> {
        let path = log_path(folder, generation);
        let mut file = fs.create_new(&path, false)?;
        file.append(&encode_header(generation))?;
        file.sync_data()?;
        fs.sync_dir(folder)?;
        Ok(Self::at(file, path, generation, 1, HEADER_BYTES as u64))
    }

    /// Goes on after a replay: what lies beyond the replay's end (a torn tail, a closing frame) is cut.
    ///
    /// # Errors
    /// The failed operation.
    pub fn resume(
        fs: &dyn Fs,
        folder: &Path,
        generation: u64,
        end: &ReplayEnd,
    ) -> Result<Self, StorageError> {
        let path = log_path(folder, generation);
        let mut file = fs.open(&path)?;
        if file.len()? > end.end_offset {
            file.truncate(end.end_offset)?;
        }
        if end.end_offset == 0 {
            file.append(&encode_header(generation))?;
        }
        // What was replayed may have been read from memory that never reached the disk: it is about to be served.
        file.sync_data()?;
        fs.sync_dir(folder)?;
        let synced_end = end.end_offset.max(HEADER_BYTES as u64);
        Ok(Self::at(file, path, generation, end.next_sequence, synced_end))
    }

    fn at(file: Box<dyn File>, path: PathBuf, generation: u64, next_sequence: u64, synced_end: u64) -> Self {
        Self { file, path, generation, next_sequence, synced_end, buffer: Vec::new(), failed: None }
    }

    /// Adds a frame to what the next commit writes.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] for a payload over [`FRAME_BYTES_MAX`], [`StorageError::Latched`] after a failure.
    pub fn push(&mut self, kind: u8, payload: &[u8]) -> Result<(), StorageError> {
        self.check()?;
        if payload.len() > FRAME_BYTES_MAX {
            let what = format!("a frame of {} bytes, at most {FRAME_BYTES_MAX} are allowed", payload.len());
            return Err(StorageError::TooLarge { what });
        }
        encode_frame(&mut self.buffer, self.generation, self.next_sequence, self.synced_end, kind, payload);
        self.next_sequence += 1;
        Ok(())
    }

    /// Writes what was pushed, and syncs. Without anything pushed it does nothing.
    ///
    /// # Errors
    /// The failed write or sync; [`StorageError::Latched`] from then on.
    pub fn commit(&mut self) -> Result<(), StorageError> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.file.append(&self.buffer).and_then(|()| self.file.sync_data());
        if let Err(error) = &result {
            self.failed = Some(error.to_string());
        }
        self.synced_end += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        result
    }

    /// Commits and ends the log with a closing frame.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn close(&mut self) -> Result<(), StorageError> {
        self.commit()?;
        self.push(CLOSE, &[])?;
        self.commit()
    }

    /// The log's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check(&self) -> Result<(), StorageError> {
        match &self.failed {
            Some(reason) => Err(StorageError::Latched { reason: reason.clone() }),
            None => Ok(()),
        }
    }
}

const BUFFER_BYTES_KEPT: usize = 1 << 20;
