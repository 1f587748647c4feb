//! What a compaction made, ready to be published.

use std::path::PathBuf;

use roaring::RoaringBitmap;

use crate::manifest::LakeEntry;
use crate::parquet::Key;
use crate::units::{SegmentId, SiteId};

/// Where sessions of one source went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The source: a sealed segment, or the index of the file before.
    pub source: SegmentId,
    sessions: RoaringBitmap,
    /// For each session of the source, up to the last that was taken, which session of the new file it is; of those
    /// that were not taken it says nothing.
    places: Vec<u32>,
}

impl Taken {
    /// Takes nothing yet of a source.
    pub fn nothing(source: SegmentId) -> Self {
        Self { source, sessions: RoaringBitmap::new(), places: Vec::new() }
    }

    /// Takes a session that is to be another one of the new file. Each is taken once.
    pub fn add(&mut self, session: u32, place: u32) {
        self.sessions.insert(session);
        let end = session as usize + 1;
        if self.places.len() < end {
            self.places.resize(end, 0);
        }
        if let Some(known) = self.places.get_mut(session as usize) {
            *known = place;
        }
    }

    /// The sessions that were live when the compaction began, all of which are in the new file.
    pub fn sessions(&self) -> &RoaringBitmap {
        &self.sessions
    }

    /// The new file's sessions that are some of the source's, of which each was taken.
    pub fn places<'t>(&'t self, sessions: &'t RoaringBitmap) -> impl Iterator<Item = u32> + 't {
        sessions.iter().filter_map(|session| self.places.get(session as usize).copied())
    }
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
