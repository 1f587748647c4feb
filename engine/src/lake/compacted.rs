//! What a compaction made, ready to be published.

use std::path::PathBuf;

use crate::manifest::LakeEntry;
use crate::parquet::Key;
use crate::units::{SegmentId, SiteId};

/// Where sessions of one source went: (its session, the new file's), ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The source: a sealed segment, or the index of the file before.
    pub source: SegmentId,
    /// The sessions that were live when the compaction began, all of which are in the new file.
    pub sessions: Vec<(u32, u32)>,
}

/// A file of the lake that is written and synced, under a name that nobody reads.
#[derive(Debug, Clone)]
pub struct Compacted {
    /// The site.
    pub site: SiteId,
    /// The host name of its folder.
    pub host: String,
    /// Which file.
    pub key: Key,
    /// What the manifest is to say of it; nothing of it is superseded yet.
    pub entry: LakeEntry,
    /// The site's new dictionary, when there is one.
    pub dictionary: Option<(SegmentId, u64)>,
    /// What went into it.
    pub taken: Vec<Taken>,
    /// The Parquet file under its temporary name.
    pub temporary: PathBuf,
    /// The name that it takes.
    pub parquet: PathBuf,
    /// Rows of it that came from segments.
    pub new_rows: u64,
}

impl Compacted {
    /// Bytes of all that was written.
    pub fn bytes(&self) -> u64 {
        let dictionary = self.dictionary.map_or(0, |(_, len)| len);
        self.entry.parquet_len + self.entry.index_len + dictionary
    }
}
