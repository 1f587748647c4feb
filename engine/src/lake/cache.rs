//! What was read of files, kept for the next query: one cache for all files, bounded in bytes.

use std::any::Any;
use std::collections::BTreeMap;
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use crate::error::StorageError;
use crate::limits::COLUMN_CACHE_BYTES;
use crate::schema::Column;
use crate::segment::cold::ColdNumber;
use crate::units::SegmentId;

/// Columns of files, the ones used last. What has been given out lives on while it is in use, also when it has left the
/// cache.
pub struct ColumnCache {
    cap: usize,
    state: Mutex<State>,
}

/// What of a file is kept: a column, whole or of a row group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Footer,
    Visitors(usize),
    Times(usize),
    Texts(Column),
    Numbers(ColdNumber),
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub file: SegmentId,
    pub part: Part,
}

type Value = Arc<dyn Any + Send + Sync>;

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// When each was last used, by a clock that counts uses.
    uses: BTreeMap<u64, Key>,
    clock: u64,
    bytes: usize,
}

struct Entry {
    value: Value,
    bytes: usize,
    used: u64,
}

/// What the cache itself needs for an entry, roughly.
const ENTRY_BYTES: usize = 2 * (size_of::<Key>() + size_of::<Entry>());

impl Default for ColumnCache {
    fn default() -> Self {
        Self::new(COLUMN_CACHE_BYTES)
    }
}

impl ColumnCache {
    /// A cache of `cap` bytes at most. What is larger by itself is given out and not kept.
    pub fn new(cap: usize) -> Self {
        Self { cap, state: Mutex::default() }
    }

    /// Bytes that are kept.
    pub fn byte_count(&self) -> usize {
        self.lock().bytes
    }

    /// The part as it is kept, or else as `read` reads it, with how many bytes that has. Two that ask at once may
    /// both read.
    pub(super) fn get_or_read<T: Send + Sync + 'static>(
        &self,
        key: Key,
        read: impl FnOnce() -> Result<(T, usize), StorageError>,
    ) -> Result<Arc<T>, StorageError> {
        let kept = self.lock().take_use(key);
        if let Some(value) = kept.and_then(|value| value.downcast::<T>().ok()) {
            return Ok(value);
        }
        let (value, bytes) = read()?;
        let value = Arc::new(value);
        let bytes = bytes.saturating_add(ENTRY_BYTES);
        if bytes <= self.cap {
            let dropped = self.lock().insert(key, value.clone(), bytes, self.cap);
            // Only now, when others may use the cache again.
            drop(dropped);
        }
        Ok(value)
    }

    /// Lets go of all parts of a file.
    pub(super) fn forget(&self, file: SegmentId) {
        let mut state = self.lock();
        let keys: Vec<Key> = state.entries.keys().filter(|key| key.file == file).copied().collect();
        let dropped: Vec<_> = keys.into_iter().map(|key| state.remove(key)).collect();
        drop(state);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_use(&mut self, key: Key) -> Option<Value> {
        let entry = self.entries.get_mut(&key)?;
        self.clock += 1;
        self.uses.remove(&entry.used);
        self.uses.insert(self.clock, key);
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    fn remove(&mut self, key: Key) -> Option<Value> {
        let entry = self.entries.remove(&key)?;
        self.uses.remove(&entry.used);
        self.bytes -= entry.bytes;
        Some(entry.value)
    }

    /// Gives back what had to go for it.
    fn insert(&mut self, key: Key, value: Value, bytes: usize, cap: usize) -> Vec<Option<Value>> {
        let mut dropped = vec![self.remove(key)];
        while self.bytes + bytes > cap {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            dropped.push(self.remove(oldest));
        }
        self.clock += 1;
        self.uses.insert(self.clock, key);
        self.bytes += bytes;
        self.entries.insert(key, Entry { value, bytes, used: self.clock });
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(file: u64, group: usize) -> Key {
        Key { file: SegmentId(file), part: Part::Times(group) }
    }

    /// Whether it had to be read.
    fn ask(cache: &ColumnCache, key: Key, bytes: usize) -> bool {
        let mut was_read = false;
        let value = cache.get_or_read(key, || {
            was_read = true;
            Ok((key, bytes))
        });
        assert_eq!(*value.unwrap(), key);
        was_read
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let each = 1_000;
        let cache = ColumnCache::new(3 * (each + ENTRY_BYTES));
        assert!((0..3).all(|group| ask(&cache, key(1, group), each)));
        assert!(!ask(&cache, key(1, 0), each), "it is kept");
        assert!(ask(&cache, key(1, 3), each));
        assert!(!ask(&cache, key(1, 0), each) && !ask(&cache, key(1, 2), each));
        assert!(ask(&cache, key(1, 1), each), "that one went");
        assert_eq!(cache.byte_count(), 3 * (each + ENTRY_BYTES));
    }

    #[test]
    fn what_is_larger_than_the_cache_is_not_kept() {
        let cache = ColumnCache::new(2_000);
        assert!(ask(&cache, key(1, 0), 100));
        assert!(ask(&cache, key(1, 1), 2_000) && ask(&cache, key(1, 1), 2_000));
        assert!(!ask(&cache, key(1, 0), 100), "and nothing goes for it");
    }

    #[test]
    fn a_file_is_forgotten_alone() {
        let cache = ColumnCache::default();
        assert!(ask(&cache, key(1, 0), 10) && ask(&cache, key(2, 0), 10));
        cache.forget(SegmentId(1));
        assert!(ask(&cache, key(1, 0), 10) && !ask(&cache, key(2, 0), 10));
    }

    #[test]
    fn what_is_in_use_outlives_the_cache_and_faults_are_not_kept() {
        let cache = ColumnCache::new(1_000);
        let held = cache.get_or_read(key(1, 0), || Ok((vec![7u8; 500], 500))).unwrap();
        cache.get_or_read(key(1, 1), || Ok((vec![8u8; 800], 800))).unwrap();
        assert_eq!(*held, vec![7; 500]);
        let fault = cache.get_or_read::<u8>(key(1, 2), || Err(StorageError::Closed));
        assert!(matches!(fault, Err(StorageError::Closed)));
        assert!(ask(&cache, key(1, 2), 1));
    }
}
