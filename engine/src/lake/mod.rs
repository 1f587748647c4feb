//! The lake: each site's data as Parquet files that any engine reads in place, each with an index that queries use.
//!
//! [`Lake`] is what there is, [`Compacted`] what is to be in it next. A file is mapped when it is needed; its Parquet is checked block by block ([`CheckedBytes`]) before anything is made of its bytes. Columns
//! that an index has not are decoded when a query needs them and kept in a cache that all files share ([`ColumnCache`]).

mod blocks;
mod cache;
mod cold;
mod compacted;
mod file;
mod live;
mod opened;
mod orphans;
mod paths;
mod rebuilt;
mod search;
#[cfg(test)]
mod tests;
mod texts;
mod together;

pub use blocks::{BLOCK_BYTES, BlockChecksums, BlockChecksumsBuilder, CheckedBytes};
pub use cache::ColumnCache;
pub use cold::ParquetColumns;
pub use compacted::{Compacted, Taken};
pub use file::{LakeContext, LakeFile, OpenFile, OpenFiles, end_crc};
pub use live::{Lake, LakeDictionary, LiveFile, LiveSite};
pub use orphans::{remove_temporaries, remove_unnamed};
pub use paths::{
    DICTIONARY_PREFIX, GATHERING_PREFIX, INDEX_PREFIX, dictionary_path, gathering_path, index_path,
    is_temporary, lake_folder, parquet_path, temporary_path,
};
pub use rebuilt::{Rebuilt, RebuiltFile};
pub use search::{Found, Near};
pub use together::open_together;
