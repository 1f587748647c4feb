//! Parquet files that are not part of the lake: left by a crash under their temporary names, or of sites that are gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::paths::{host_folder, is_parquet, is_temporary, lake_folder};
use crate::error::StorageError;
use crate::vfs::Fs;

/// Removes the files in the lake's folders that have not taken their place and never will. Those that wait to take it
/// must have done so, and nobody may be writing one. Gives how many there were.
///
/// # Errors
/// The failed operation.
pub fn remove_temporaries(fs: &dyn Fs, folder: &Path) -> Result<usize, StorageError> {
    let lake = lake_folder(folder);
    if !fs.exists(&lake)? {
        return Ok(0);
    }
    let mut removed = 0;
    for site in below(fs, &lake, "site=")? {
        for month in below(fs, &site, "month=")? {
            for name in fs.list(&month)?.iter().filter(|name| is_temporary(name)) {
                fs.remove(&month.join(name))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Removes the Parquet files of a host that are not among the `named`, durably. The folders stay.
///
/// # Errors
/// The failed operation.
pub fn remove_unnamed(
    fs: &dyn Fs,
    folder: &Path,
    host: &str,
    named: &BTreeSet<PathBuf>,
) -> Result<(), StorageError> {
    let site = host_folder(folder, host);
    if !fs.exists(&site)? {
        return Ok(());
    }
    for month in below(fs, &site, "month=")? {
        let files = fs.list(&month)?.into_iter().filter(|name| is_parquet(name)).map(|name| month.join(name));
        let mut is_changed = false;
        for file in files.filter(|file| !named.contains(file)) {
            fs.remove(&file)?;
            is_changed = true;
        }
        if is_changed {
            fs.sync_dir(&month)?;
        }
    }
    Ok(())
}

/// Folders in a folder whose names begin so.
fn below(fs: &dyn Fs, dir: &Path, prefix: &str) -> Result<Vec<PathBuf>, StorageError> {
    let names = fs.list(dir)?.into_iter().filter(|name| name.starts_with(prefix));
    Ok(names.map(|name| dir.join(name)).collect())
}
