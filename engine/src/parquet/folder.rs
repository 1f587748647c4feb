//! A folder of files, one for each month: `month=YYYY-MM/YYYY-MM.parquet`.
//!
//! A file is written under a temporary name beside its own, synced and renamed, so that what has a file's name is
//! whole. Files of an earlier export are replaced, and those that the new one has not are removed, both at its end and
//! only where it lacks nothing: the earlier one may be the last sound copy. Anything else in the folder stops the export
//! before it changes a thing.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
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
    /// Months of files that an earlier export left.
    before: BTreeSet<Month>,
    /// Those of them whose new files are whole and wait under their temporary names.
    waiting: BTreeSet<Month>,
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
        let Found { months: before, leftovers } =
            if fs.exists(path)? { look(&fs, path)? } else { Found::default() };
        leftovers.iter().try_for_each(|leftover| fs.remove(leftover))?;
        Ok(Self { fs, path: path.to_path_buf(), before, waiting: BTreeSet::new(), current: None })
    }

    /// Puts the new files in the places of those before, and removes files of months that the new export has nothing of.
    /// Call it when all is written. Of months that could not be read wholly what was there stays; gives these.
    ///
    /// # Errors
    /// The failed operation.
    pub fn finish(mut self, unread: &[RangeInclusive<Month>]) -> Result<Vec<Month>, StorageError> {
        let mut kept = Vec::new();
        for month in std::mem::take(&mut self.before) {
            if unread.iter().any(|months| months.contains(&month)) {
                kept.push(month); // What waits is removed with `self`.
                continue;
            }
            if self.waiting.contains(&month) {
                self.fs.rename(&self.temporary(month), &self.file(month))?;
                self.waiting.remove(&month);
            } else {
                self.fs.remove(&self.file(month))?;
            }
            self.fs.sync_dir(&self.month_folder(month))?;
        }
        Ok(kept)
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
        if self.before.contains(&month) {
            self.waiting.insert(month);
            return Ok(());
        }
        self.fs.rename(&self.temporary(month), &self.file(month))?;
        self.fs.sync_dir(&self.month_folder(month))
    }
}

impl Drop for Folder {
    /// Removes what has not taken its place.
    fn drop(&mut self) {
        let begun = self.current.take().map(|current| current.month);
        for month in std::mem::take(&mut self.waiting).into_iter().chain(begun) {
            // Should this fail, the next export removes it.
            let _ = self.fs.remove(&self.temporary(month));
        }
    }
}

/// What earlier exports left.
#[derive(Default)]
struct Found {
    /// Months of their files.
    months: BTreeSet<Month>,
    /// What one had begun when it was broken off.
    leftovers: Vec<PathBuf>,
}

fn look(fs: &SharedFs, path: &Path) -> Result<Found, ParquetError> {
    let mut found = Found::default();
    for name in fs.list(path)? {
        let folder = path.join(&name);
        let month = name.strip_prefix(MONTH_PREFIX).and_then(Month::parse);
        let month = month.ok_or_else(|| ParquetError::Foreign { path: folder.clone() })?;
        for name in fs.list(&folder)? {
            let (file, wanted) = (folder.join(&name), format!("{month}{EXTENSION}"));
            if name == wanted && is_ours(fs, &file)? {
                found.months.insert(month);
            } else if name.strip_suffix(TEMPORARY) == Some(&wanted) {
                found.leftovers.push(file);
            } else {
                return Err(ParquetError::Foreign { path: file });
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
