//! Appending to a log: frames gather in memory, a commit writes and syncs them all.

use std::path::{Path, PathBuf};

use super::frame::{CLOSE, FIRST_SEQUENCE, HEADER_BYTES, encode_frame, encode_header};
use super::log_path;
use crate::error::StorageError;
use crate::limits::FRAME_BYTES_MAX;
use crate::vfs::{File, Fs};

/// Memory of the buffer that is kept from one commit to the next.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// The end of a log, for its one writer.
///
/// After the first failed write or sync nobody knows what is on disk, so it writes nothing more: every later call
/// gives [`StorageError::Latched`]. Dropping it loses the frames that were not committed.
pub struct LogWriter {
    file: Box<dyn File>,
    path: PathBuf,
    generation: u64,
    next_sequence: u64,
    /// Where the buffer will be written: all before it is on disk.
    synced_end: u64,
    buffer: Vec<u8>,
    /// The first failure, in words.
    failed: Option<String>,
}

impl LogWriter {
    /// Makes the log of a new generation, durable with its name.
    ///
    /// # Errors
    /// The failed operation; the name may be there then, with a header that is not whole.
    pub fn create(fs: &dyn Fs, dir: &Path, generation: u64) -> Result<Self, StorageError> {
        let path = log_path(dir, generation);
        let mut file = fs.create_new(&path, false)?;
        file.append(&encode_header(generation))?;
        file.sync_data()?;
        fs.sync_dir(dir)?;
        Ok(Self::at(file, path, generation, HEADER_BYTES as u64, FIRST_SEQUENCE))
    }

    /// Goes on with a log where its replay ended. What lies behind that, a torn tail or the closing frame, is cut;
    /// a log of which not even the header was whole is begun anew.
    ///
    /// Everything replayed is synced first: it may have been read from memory that never reached the disk.
    ///
    /// # Errors
    /// The failed operation; [`StorageError::Corrupt`] when the file is shorter than what was replayed.
    pub fn resume(
        fs: &dyn Fs,
        dir: &Path,
        generation: u64,
        replayed_end: u64,
        next_sequence: u64,
    ) -> Result<Self, StorageError> {
        let path = log_path(dir, generation);
        let mut file = fs.open(&path)?;
        let len = file.len()?;
        if len < replayed_end {
            return Err(StorageError::corrupt(
                &path,
                len,
                format!("it had {replayed_end} bytes a moment ago"),
            ));
        }
        if len > replayed_end {
            file.truncate(replayed_end)?;
        }
        if replayed_end == 0 {
            file.append(&encode_header(generation))?;
        }
        file.sync_data()?;
        fs.sync_dir(dir)?;
        Ok(Self::at(file, path, generation, replayed_end.max(HEADER_BYTES as u64), next_sequence))
    }

    fn at(file: Box<dyn File>, path: PathBuf, generation: u64, synced_end: u64, next_sequence: u64) -> Self {
        Self { file, path, generation, next_sequence, synced_end, buffer: Vec::new(), failed: None }
    }

    /// Adds a frame to what the next commit writes, and gives the offset where it will end. `kind` is not [`CLOSE`].
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] for a payload over [`FRAME_BYTES_MAX`], [`StorageError::Latched`] after a failure.
    pub fn push(&mut self, kind: u8, payload: &[u8]) -> Result<u64, StorageError> {
        debug_assert_ne!(kind, CLOSE, "only `close` writes closing frames");
        self.add(kind, payload)
    }

    fn add(&mut self, kind: u8, payload: &[u8]) -> Result<u64, StorageError> {
        self.check()?;
        if payload.len() > FRAME_BYTES_MAX {
            let what = format!("a log frame of {} bytes, {FRAME_BYTES_MAX} at most", payload.len());
            return Err(StorageError::TooLarge { what });
        }
        let numbers = (self.next_sequence, self.synced_end);
        encode_frame(&mut self.buffer, self.generation, numbers, kind, payload);
        self.next_sequence += 1;
        Ok(self.end())
    }

    /// Bytes that the next commit writes.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Writes all frames that were pushed, in one write and one sync. Without any it does nothing.
    ///
    /// # Errors
    /// The failed write or sync; [`StorageError::Latched`] ever after.
    pub fn commit(&mut self) -> Result<(), StorageError> {
        self.check()?;
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.append(&self.buffer).and_then(|()| self.file.sync_data()) {
            self.failed = Some(error.to_string());
            return Err(error);
        }
        self.synced_end += self.buffer.len() as u64;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }

    /// Commits what was pushed, then ends the log with a closing frame, synced too. The closing frame comes second
    /// so that it vouches for every byte before it.
    ///
    /// # Errors
    /// As [`LogWriter::commit`].
    pub fn close(mut self) -> Result<(), StorageError> {
        self.commit()?;
        self.add(CLOSE, &[])?;
        self.commit()
    }

    /// The log's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log's generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The sequence of the next frame.
    pub fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Where the log ends with what the next commit writes.
    pub fn end(&self) -> u64 {
        self.synced_end + self.buffered_bytes() as u64
    }

    /// Everything before this offset is on disk.
    pub fn synced_end(&self) -> u64 {
        self.synced_end
    }

    fn check(&self) -> Result<(), StorageError> {
        self.failed.as_ref().map_or(Ok(()), |reason| Err(StorageError::Latched { reason: reason.clone() }))
    }
}
