//! A site's Parquet files as part of its data: reading of them what their indices have not.
//!
//! A file is mapped and checked block by block ([`CheckedBytes`]) before anything is made of its bytes. Columns are
//! decoded when a query needs them and kept in a cache that all files share ([`ColumnCache`]).

mod blocks;
mod cache;
mod cold;
#[cfg(test)]
mod tests;
mod texts;

pub use blocks::{BLOCK_BYTES, BlockChecksums, BlockChecksumsBuilder, CheckedBytes};
pub use cache::ColumnCache;
pub use cold::ParquetColumns;
