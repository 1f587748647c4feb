//! Decoded entries, those used last, under a cap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::entries::Entries;
use crate::units::{SegmentId, SiteId};

/// Source, site, number of the grouping.
pub(super) type EntriesKey = (SegmentId, SiteId, u8);

/// Entries by what they are of.
pub(super) struct Cache {
    bytes_max: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    entries: HashMap<EntriesKey, (Arc<Entries>, u64)>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

impl Cache {
    /// An empty cache of so many bytes at most.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, held: Mutex::default() }
    }

    pub fn get(&self, key: EntriesKey) -> Option<Arc<Entries>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.clock += 1;
        let now = held.clock;
        let (entries, used) = held.entries.get_mut(&key)?;
        *used = now;
        Some(entries.clone())
    }

    /// Puts entries in; what was used longest ago goes. What is larger than the whole cache is not kept.
    pub fn put(&self, key: EntriesKey, entries: &Arc<Entries>) {
        let bytes = entries.byte_count();
        if bytes > self.bytes_max {
            return;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(|other| *other == key);
        while held.bytes + bytes > self.bytes_max {
            let Some(oldest) = held.entries.iter().min_by_key(|entry| entry.1.1).map(|entry| *entry.0) else {
                break;
            };
            held.remove(|other| *other == oldest);
        }
        held.clock += 1;
        let now = held.clock;
        held.bytes += bytes;
        held.entries.insert(key, (entries.clone(), now));
    }

    /// Drops the entries of a site in a source.
    pub fn drop_source(&self, source: SegmentId, site: SiteId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(|key| (key.0, key.1) == (source, site));
    }

    /// Bytes that are held.
    pub fn byte_count(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

impl Held {
    fn remove(&mut self, which: impl Fn(&EntriesKey) -> bool) {
        let mut freed = 0;
        self.entries.retain(|key, (entries, _)| {
            let goes = which(key);
            freed += if goes { entries.byte_count() } else { 0 };
            !goes
        });
        self.bytes -= freed;
    }
}
