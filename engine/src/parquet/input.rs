//! A file of our file system as the Parquet library reads it.

use std::io::{self, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError as LibraryError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::error::StorageError;
use crate::vfs::File;

/// Bytes read ahead of what is asked for.
const AHEAD: usize = 64 << 10;

/// A file open for reading. It is read, not mapped: others may cut it short meanwhile.
#[derive(Clone)]
pub(super) struct Input {
    file: Arc<Mutex<Box<dyn File>>>,
    len: u64,
}

impl Input {
    pub fn new(file: Box<dyn File>) -> std::result::Result<Self, StorageError> {
        let len = file.len()?;
        Ok(Self { file: Arc::new(Mutex::new(file)), len })
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads on from some place.
pub(super) struct From {
    input: Input,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.input.len.saturating_sub(self.at)).unwrap_or(0));
        let wanted = buffer.get_mut(..count).unwrap_or_default();
        self.input.lock().read_at(self.at, wanted).map_err(io::Error::other)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Length for Input {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Input {
    type T = BufReader<From>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::with_capacity(AHEAD, From { input: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.len) {
            return Err(LibraryError::EOF("it points behind its end".into()));
        }
        let mut buffer = vec![0; length];
        self.lock().read_at(start, &mut buffer).map_err(|error| LibraryError::External(Box::new(error)))?;
        Ok(buffer.into())
    }
}
