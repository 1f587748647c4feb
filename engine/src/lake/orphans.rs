//! Parquet files that a crash has left under their temporary names.

use std::path::Path;

use super::paths::{is_temporary, lake_folder};
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
    let below = |dir: &Path, prefix: &str| -> Result<Vec<_>, StorageError> {
        let names = fs.list(dir)?.into_iter().filter(|name| name.starts_with(prefix));
        Ok(names.map(|name| dir.join(name)).collect())
    };
    for site in below(&lake, "site=")? {
        for month in below(&site, "month=")? {
            for name in fs.list(&month)?.iter().filter(|name| is_temporary(name)) {
                fs.remove(&month.join(name))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
