//! All file access of Hitstone, through one small trait.
//!
//! The contract, which every implementation keeps and `vfs::contract` tests:
//! - What a `File` appended is on disk only after `sync_data`; before that a crash may lose it, keep it, or keep
//!   any part of it, in any order.
//! - A name made by `create_new`, `rename` or removed by `remove` is on disk only after `sync_dir` of its folder.
//! - Folders that `create_dir_all` made are on disk when it returns.
//! - `map` shows the file as it is at that moment. Mapped files are never truncated or overwritten, only unlinked.
//! - Errors carry the operation and the path.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StorageError;

#[cfg(test)]
mod contract;
mod map;
mod os;
#[cfg(any(test, feature = "sim"))]
pub mod sim;

pub use map::{ALIGNMENT, AppendColumn, Bytes, ColumnReader, Full, Scratch, Table};
pub use os::OsFs;

/// A file open for appending and reading.
#[allow(clippy::len_without_is_empty, reason = "the length is a question to the system, which can fail")]
pub trait File: Send {
    /// Appends all of `bytes` at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;
    /// Makes everything appended so far durable.
    fn sync_data(&mut self) -> Result<(), StorageError>;
    /// The file's length in bytes.
    fn len(&self) -> Result<u64, StorageError>;
    /// Fills `buffer` from `offset`; fails when the file is too short.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError>;
    /// Cuts the file to `len` bytes. Only for files that nobody has mapped.
    fn truncate(&mut self, len: u64) -> Result<(), StorageError>;
    /// The file's path.
    fn path(&self) -> &Path;
}

/// Holds a folder's lock until dropped.
pub trait Lock: Send + Sync {}

/// A file system.
pub trait Fs: Send + Sync + 'static {
    /// Makes a folder and those above it; fine when it is there.
    fn create_dir_all(&self, dir: &Path) -> Result<(), StorageError>;
    /// Makes a new file, mode 0600 when `private`; fails when the name is taken.
    fn create_new(&self, path: &Path, private: bool) -> Result<Box<dyn File>, StorageError>;
    /// Opens an existing file.
    fn open(&self, path: &Path) -> Result<Box<dyn File>, StorageError>;
    /// Opens an existing file that may be read only; nothing can be appended to it.
    fn open_to_read(&self, path: &Path) -> Result<Box<dyn File>, StorageError>;
    /// Whether the name exists.
    fn exists(&self, path: &Path) -> Result<bool, StorageError>;
    /// Reads a whole small file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError>;
    /// Maps a whole file read-only.
    fn map(&self, path: &Path) -> Result<Bytes, StorageError>;
    /// Makes (or remakes) a scratch file of `len` bytes, space reserved, mapped for writing. Its content does not
    /// survive a crash and need not: it is made anew.
    fn scratch(&self, path: &Path, len: usize) -> Result<Scratch, StorageError>;
    /// Renames a file over another, atomically.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> Result<(), StorageError>;
    /// Names of the files and folders in a folder, sorted.
    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> Result<(), StorageError>;
    /// Takes the folder's lock (a file `lock` in it), without waiting; [`StorageError::Locked`] when it is taken.
    fn lock(&self, dir: &Path) -> Result<Box<dyn Lock>, StorageError>;
}

/// Replaces `path` by `bytes`, atomically and durably: temporary file beside it, write, sync, rename, sync folder.
pub fn replace(fs: &dyn Fs, path: &Path, bytes: &[u8], private: bool) -> Result<(), StorageError> {
    replace_with(fs, path, private, &mut |file| file.append(bytes))
}

/// As [`replace`], by what `fill` appends.
pub fn replace_with(
    fs: &dyn Fs,
    path: &Path,
    private: bool,
    fill: &mut dyn FnMut(&mut dyn File) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    if fs.exists(&temporary)? {
        fs.remove(&temporary)?;
    }
    let mut file = fs.create_new(&temporary, private)?;
    fill(&mut *file)?;
    file.sync_data()?;
    drop(file);
    fs.rename(&temporary, path)?;
    fs.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// Makes a file, in the place of one that a failed attempt has left.
pub fn create_anew(fs: &dyn Fs, path: &Path) -> Result<Box<dyn File>, StorageError> {
    if fs.exists(path)? {
        fs.remove(path)?;
    }
    fs.create_new(path, false)
}

/// A shared file system.
pub type SharedFs = Arc<dyn Fs>;
