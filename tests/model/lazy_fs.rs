//! The system's files, but for the open segment's: its space is reserved in memory page by page as it is used. To
//! reserve a hundred megabytes on a file system in memory writes them, and takes longer than all else.

use std::path::Path;

use hitstone_engine::error::StorageError;
use hitstone_engine::vfs::{Bytes, File, Fs, Lock, OsFs, Scratch};

pub struct LazyFs;

impl Fs for LazyFs {
    fn scratch(&self, path: &Path, len: usize) -> Result<Scratch, StorageError> {
        if OsFs.exists(path)? {
            OsFs.remove(path)?;
        }
        // Whoever removes the file later finds one.
        drop(OsFs.create_new(path, true)?);
        Ok(Scratch::in_memory(path, len).unwrap())
    }

    fn create_dir_all(&self, dir: &Path) -> Result<(), StorageError> {
        OsFs.create_dir_all(dir)
    }

    fn create_new(&self, path: &Path, private: bool) -> Result<Box<dyn File>, StorageError> {
        OsFs.create_new(path, private)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>, StorageError> {
        OsFs.open(path)
    }

    fn open_to_read(&self, path: &Path) -> Result<Box<dyn File>, StorageError> {
        OsFs.open_to_read(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, StorageError> {
        OsFs.exists(path)
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        OsFs.read(path)
    }

    fn map(&self, path: &Path) -> Result<Bytes, StorageError> {
        OsFs.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        OsFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        OsFs.remove(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        OsFs.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), StorageError> {
        OsFs.sync_dir(dir)
    }

    fn lock(&self, dir: &Path) -> Result<Box<dyn Lock>, StorageError> {
        OsFs.lock(dir)
    }
}
