//! What was made anew of a site, ready to be published.

use roaring::RoaringBitmap;

use crate::error::StorageError;
use crate::parquet::Key;
use crate::units::{SegmentId, SiteId};

/// Indexes of a site that are written and synced, under names that nobody reads.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// The site.
    pub site: SiteId,
    /// The host name of its folder.
    pub host: String,
    /// Number and length of its new dictionary; then the files are all of the site.
    pub dictionary: Option<(SegmentId, u64)>,
    /// The files.
    pub files: Vec<RebuiltFile>,
}

/// A file with its new index.
#[derive(Debug, Clone)]
pub struct RebuiltFile {
    /// Which file.
    pub key: Key,
    /// The number of the index before.
    pub before: SegmentId,
    /// The number of the new one.
    pub index: SegmentId,
    /// The new one's length, or what is wrong with the Parquet file, so that there is none.
    pub index_len: Result<u64, StorageError>,
    /// The numbers of all sessions in the file are below this.
    pub numbers_end: u32,
    /// Sessions of the file that are stored elsewhere.
    pub elsewhere: RoaringBitmap,
}

impl Rebuilt {
    /// How many indexes and dictionaries were made.
    pub fn count(&self) -> u64 {
        let indexes = self.files.iter().filter(|file| file.index_len.is_ok()).count();
        (indexes + usize::from(self.dictionary.is_some())) as u64
    }

    /// What was made anew, in words for the operator.
    pub fn in_words(&self) -> String {
        let made = self.files.iter().filter(|file| file.index_len.is_ok());
        let names: Vec<String> = made.map(|file| file.key.to_string()).collect();
        let what = if self.dictionary.is_some() { "the dictionary and the indexes" } else { "the index" };
        format!("made {what} of {} anew from the Parquet files of {}", self.host, names.join(", "))
    }
}
