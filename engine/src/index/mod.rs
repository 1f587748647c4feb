//! The compact index of a lake file: all that most queries need of one site's sessions of a month or a day, a few bytes
//! an event. Strings are in the site's dictionary; what few queries need is in the Parquet file.
//!
//! The order of sessions and rows is that of the Parquet file. Times are in whole seconds. See `storage-format.md`.

mod build;
mod columns;
mod combinations;
mod loaded;
mod read;

#[cfg(test)]
mod tests;

pub use build::{IndexBuilder, IndexRow, IndexSession, IndexSize, ParquetFile, ROW_COLUMNS, Unfit};
pub use loaded::{Loaded, Needs};
pub use read::Index;

/// Bytes of a Parquet file that one checksum is of; the last block may be shorter.
pub const CHECKSUM_BLOCK_BYTES: u64 = 64 << 10;
/// When more than one in so many sessions have visitors that recur, the index has the visitors of all.
const KNOWN_SHARE: usize = 16;
