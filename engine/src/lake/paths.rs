//! Where the lake's files lie.
//!
//! `lake/site=HOST/month=YYYY-MM/KEY.parquet` is for everybody to read. What only Hitstone reads lies in the data folder
//! itself: `index-N` beside a Parquet file, `dictionary-N` of a site, `gathering-N` while an index is made.

use std::path::{Path, PathBuf};

use crate::parquet::Key;
use crate::units::SegmentId;

/// Files of indexes are named so, and a number.
pub const INDEX_PREFIX: &str = "index-";
/// Files of dictionaries are named so, and a number.
pub const DICTIONARY_PREFIX: &str = "dictionary-";
/// Scratch files in which an index is gathered are named so, and the number of the index.
pub const GATHERING_PREFIX: &str = "gathering-";
const FOLDER: &str = "lake";
const TEMPORARY: &str = "tmp";

/// The lake's folder.
pub fn lake_folder(folder: &Path) -> PathBuf {
    folder.join(FOLDER)
}

/// The folder of a host's Parquet files.
pub fn host_folder(folder: &Path, host: &str) -> PathBuf {
    lake_folder(folder).join(format!("site={host}"))
}

/// The Parquet file of a key.
pub fn parquet_path(folder: &Path, host: &str, key: Key) -> PathBuf {
    let mut path = host_folder(folder, host);
    path.extend([format!("month={}", key.month()), format!("{key}.parquet")]);
    path
}

/// Whether a name in a month's folder is that of a key's Parquet file.
pub fn is_parquet(name: &str) -> bool {
    name.strip_suffix(".parquet").and_then(Key::parse).is_some()
}

/// Where a Parquet file is written before it takes its place.
pub fn temporary_path(parquet: &Path) -> PathBuf {
    parquet.with_extension(format!("parquet.{TEMPORARY}"))
}

/// Whether a name in a month's folder is that of a file that has not taken its place.
pub fn is_temporary(name: &str) -> bool {
    name.ends_with(&format!(".parquet.{TEMPORARY}"))
}

/// The index with this number.
pub fn index_path(folder: &Path, number: SegmentId) -> PathBuf {
    folder.join(format!("{INDEX_PREFIX}{:016x}", number.0))
}

/// The scratch file in which the index with this number is gathered.
pub fn gathering_path(folder: &Path, number: SegmentId) -> PathBuf {
    folder.join(format!("{GATHERING_PREFIX}{:016x}", number.0))
}

/// The dictionary with this number.
pub fn dictionary_path(folder: &Path, number: SegmentId) -> PathBuf {
    folder.join(format!("{DICTIONARY_PREFIX}{:016x}", number.0))
}
