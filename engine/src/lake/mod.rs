//! The lake: each site's data as Parquet files that any engine reads in place, each with an index that queries use.
//!
//! [`plan`] says which file to write next.

mod compacted;
mod file;
mod live;
mod paths;
pub mod plan;

pub use compacted::{Compacted, Taken};
pub use file::{LakeContext, LakeFile, OpenFile, OpenFiles, end_crc};
pub use live::{Lake, LakeDictionary, LiveFile, LiveSite};
pub use paths::{
    DICTIONARY_PREFIX, INDEX_PREFIX, dictionary_path, index_path, is_temporary, lake_folder, parquet_path,
    temporary_path,
};
