//! What was read of files, kept for the next query: one cache for all files, bounded in bytes.

use std::any::Any;
use std::collections::BTreeMap;
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hashbrown::HashMap;

use crate::error::StorageError;
use crate::limits::COLUMN_CACHE_BYTES;
use crate::schema::Column;
use crate::segment::cold::ColdNumber;
use crate::units::SegmentId;

/// Columns of files, the ones used last. What is in use stays: letting go of it would free nothing. So a query that needs
/// more than there is room for finds most of it again the next time. What there was no room for lives on while it is in
/// use, and whoever asks for it meanwhile gets the same: nothing is there twice.
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
    /// What there was no room for.
    in_use: HashMap<Key, Weak<dyn Any + Send + Sync>>,
    /// What is being read: others wait for it.
    reading: HashMap<Key, Arc<Mutex<()>>>,
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

    /// The part as it is kept or in use, or else as `read` reads it, with how many bytes that has. Of those that ask at
    /// once one reads. `read` may ask for other parts, as long as these do not ask for this one.
    pub(super) fn get_or_read<T: Send + Sync + 'static>(
        &self,
        key: Key,
        read: impl FnOnce() -> Result<(T, usize), StorageError>,
    ) -> Result<Arc<T>, StorageError> {
        let turn = {
            let mut state = self.lock();
            if let Some(value) = state.take_use(key).and_then(|value| value.downcast::<T>().ok()) {
                return Ok(value);
            }
            Arc::clone(state.reading.entry(key).or_default())
        };
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
        let read_meanwhile = self.lock().take_use(key);
        if let Some(value) = read_meanwhile.and_then(|value| value.downcast::<T>().ok()) {
            return Ok(value);
        }
        let result = read().map(|(value, bytes)| (Arc::new(value), bytes.saturating_add(ENTRY_BYTES)));
        let mut state = self.lock();
        state.reading.remove(&key);
        let (value, bytes) = result?;
        let dropped = state.insert(key, value.clone(), bytes, self.cap);
        drop(state);
        // Only now, when others may use the cache again.
        drop(dropped);
        Ok(value)
    }

    /// Lets go of all parts of a file.
    pub(super) fn forget(&self, file: SegmentId) {
        let mut state = self.lock();
        let keys: Vec<Key> = state.entries.keys().filter(|key| key.file == file).copied().collect();
        let dropped: Vec<_> = keys.into_iter().map(|key| state.remove(key)).collect();
        state.in_use.retain(|key, _| key.file != file);
        drop(state);
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_use(&mut self, key: Key) -> Option<Value> {
        let Some(entry) = self.entries.get_mut(&key) else {
            return self.in_use.get(&key).and_then(Weak::upgrade);
        };
        self.clock += 1;
        self.uses.remove(&entry.used);
        self.uses.insert(self.clock, key);
        entry.used = self.clock;
        Some(entry.value.clone())
    }

    fn oldest_unused(&self) -> Option<Key> {
        let is_unused =
            |key: &Key| self.entries.get(key).is_some_and(|entry| Arc::strong_count(&entry.value) == 1);
        self.uses.values().copied().find(is_unused)
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
        self.in_use.retain(|_, value| value.strong_count() > 0);
        while self.bytes + bytes > cap {
            let oldest = if bytes > cap { None } else { self.oldest_unused() };
            let Some(oldest) = oldest else {
                self.in_use.insert(key, Arc::downgrade(&value));
                return dropped;
            };
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
    use std::sync::atomic::{AtomicUsize, Ordering};

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
    fn what_is_in_use_is_not_read_again() {
        let cache = ColumnCache::new(1_000);
        let read = |group: usize, bytes: usize| {
            let mut reads = 0;
            let value = cache.get_or_read(key(1, group), || {
                reads += 1;
                Ok((group, bytes))
            });
            (value.unwrap(), reads)
        };
        let (kept, _) = read(0, 400);
        let (large, _) = read(1, 2_000);
        let (late, reads) = read(2, 800);
        assert_eq!(reads, 1);
        assert_eq!((read(0, 400).1, read(1, 2_000).1, read(2, 800).1), (0, 0, 0), "all are in use");
        drop((large, late));
        assert_eq!((read(0, 400).1, read(1, 2_000).1, read(2, 800).1), (0, 1, 1), "only the first was kept");
        drop(kept);
        assert_eq!((read(2, 800).1, read(2, 800).1), (1, 0), "it takes the place of what is not in use");
        assert!(cache.lock().in_use.len() <= 2);
    }

    #[test]
    fn of_those_that_ask_at_once_one_reads() {
        let (cache, reads) = (ColumnCache::default(), AtomicUsize::new(0));
        let ask = || {
            cache.get_or_read(key(1, 0), || {
                reads.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(20));
                // Others wait for this one, too, should it fail.
                if reads.load(Ordering::Relaxed) == 1 { Err(StorageError::Closed) } else { Ok((7, 100)) }
            })
        };
        let found = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).count()
        });
        assert_eq!((found, reads.load(Ordering::Relaxed)), (7, 2));
        assert!(cache.lock().reading.is_empty());
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
