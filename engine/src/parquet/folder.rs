//! A folder of files, one for each month: `month=YYYY-MM/YYYY-MM.parquet`.
//!
//! A file is written under a temporary name beside its own, synced and renamed, so that what has a file's name is
//! whole. Files of an earlier export are replaced, and those that the new one has not are removed at its end; anything
//! else in the folder stops the export before it changes a thing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::month::Month;
use super::read::Reader;
use super::write::Target;
use crate::error::{ParquetError, StorageError};
use crate::vfs::{File, Fs, SharedFs};

const MONTH_PREFIX: &str = "month=";
const EXTENSION: &str = ".parquet";
const TEMPORARY: &str = ".tmp";
/// What files of any version say of who wrote them.
const OURS: &str = "hitstone ";

/// Where files go.
pub struct Folder {
    fs: SharedFs,
    path: PathBuf,
    /// Months of files that were there before and have not been replaced.
    stale: BTreeSet<Month>,
    current: Option<Current>,
}

struct Current {
    month: Month,
    file: Box<dyn File>,
}

impl Folder {
    /// A folder to write to; it is made when the first file is. What an earlier export left may be in it.
    ///
    /// # Errors
    /// [`ParquetError::Foreign`] when there is anything else, or a failed operation.
    pub fn open(fs: SharedFs, path: &Path) -> Result<Self, ParquetError> {
        let stale = if fs.exists(path)? { months(&fs, path)? } else { BTreeSet::new() };
        Ok(Self { fs, path: path.to_path_buf(), stale, current: None })
    }

    /// Removes the files of months that the new export has nothing of. Call it when all is written.
    ///
    /// # Errors
    /// The failed operation.
    pub fn finish(mut self) -> Result<(), StorageError> {
        for month in std::mem::take(&mut self.stale) {
            self.fs.remove(&self.file(month))?;
            self.fs.sync_dir(&self.month_folder(month))?;
        }
        Ok(())
    }

    fn month_folder(&self, month: Month) -> PathBuf {
        self.path.join(format!("{MONTH_PREFIX}{month}"))
    }

    fn file(&self, month: Month) -> PathBuf {
        self.month_folder(month).join(format!("{month}{EXTENSION}"))
    }

    fn temporary(&self, month: Month) -> PathBuf {
        self.month_folder(month).join(format!("{month}{EXTENSION}{TEMPORARY}"))
    }
}

impl Target for Folder {
    fn begin(&mut self, month: Month) -> Result<(), StorageError> {
        self.fs.create_dir_all(&self.month_folder(month))?;
        let temporary = self.temporary(month);
        if self.fs.exists(&temporary)? {
            self.fs.remove(&temporary)?;
        }
        self.current = Some(Current { month, file: self.fs.create_new(&temporary, false)? });
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let current = self.current.as_mut().ok_or(StorageError::Closed)?;
        current.file.append(bytes)
    }

    fn end(&mut self) -> Result<(), StorageError> {
        let Current { month, mut file } = self.current.take().ok_or(StorageError::Closed)?;
        file.sync_data()?;
        drop(file);
        self.fs.rename(&self.temporary(month), &self.file(month))?;
        self.stale.remove(&month);
        self.fs.sync_dir(&self.month_folder(month))
    }
}

impl Drop for Folder {
    /// Removes what was begun and not ended.
    fn drop(&mut self) {
        if let Some(Current { month, .. }) = self.current.take() {
            // The export has failed already, and the next one removes it, too.
            let _ = self.fs.remove(&self.temporary(month));
        }
    }
}

/// The months that an earlier export has files of.
fn months(fs: &SharedFs, path: &Path) -> Result<BTreeSet<Month>, ParquetError> {
    let mut found = BTreeSet::new();
    for name in fs.list(path)? {
        let folder = path.join(&name);
        let month = name.strip_prefix(MONTH_PREFIX).and_then(Month::parse);
        let month = month.ok_or_else(|| ParquetError::Foreign { path: folder.clone() })?;
        for name in fs.list(&folder)? {
            let (file, wanted) = (folder.join(&name), format!("{month}{EXTENSION}"));
            let is_ours = name == wanted && is_ours(fs, &file)?;
            if !is_ours && name.strip_suffix(TEMPORARY) != Some(&wanted) {
                return Err(ParquetError::Foreign { path: file });
            }
            if is_ours {
                found.insert(month);
            }
        }
    }
    Ok(found)
}

/// Whether a file says that Hitstone wrote it.
fn is_ours(fs: &SharedFs, path: &Path) -> Result<bool, ParquetError> {
    match Reader::created_by(&**fs as &dyn Fs, path) {
        Ok(writer) => Ok(writer.starts_with(OURS)),
        Err(ParquetError::Storage(error)) => Err(error.into()),
        Err(_) => Ok(false),
    }
}
