//! A bounded memory of what user agents are, because few of them send nearly all requests.
//!
//! Each shard has two generations: a full young one becomes the old one, and what is found in the old one moves to
//! the young one. So what is in use stays, and a flood of made-up user agents pushes out only what is not.
//! Invariant: a hit compares the whole text, never a hash alone.
//!
//! It knows nothing of what it keeps.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

const SHARD_COUNT: usize = 16;
/// Entries of one generation of one shard: 32 k entries in all.
const GENERATION_ENTRIES_MAX: usize = 1024;

type Generation<T> = HashMap<Box<str>, Arc<T>, RandomState>;

struct Shard<T> {
    young: Generation<T>,
    old: Generation<T>,
}

/// Keeps a value for each of the texts that came last.
pub struct AgentCache<T> {
    shards: Vec<Mutex<Shard<T>>>,
    hasher: RandomState,
}

impl<T> Default for AgentCache<T> {
    fn default() -> Self {
        let hasher = RandomState::default();
        let generation = || Generation::with_hasher(hasher.clone());
        let shard = || Mutex::new(Shard { young: generation(), old: generation() });
        Self { shards: (0..SHARD_COUNT).map(|_| shard()).collect(), hasher }
    }
}

impl<T> AgentCache<T> {
    /// The value of `text`, made by `make` when it is not remembered. No lock is held meanwhile.
    pub fn get_or_make(&self, text: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.shard(text).find(text) {
            return found;
        }
        let value = Arc::new(make());
        self.shard(text).keep(text.into(), Arc::clone(&value));
        value
    }

    /// Entries that are remembered now.
    #[cfg(test)]
    fn entry_count(&self) -> usize {
        self.shards.iter().map(|shard| locked(shard)).map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    fn shard(&self, text: &str) -> MutexGuard<'_, Shard<T>> {
        // The top bits: the map uses the others.
        let at = (self.hasher.hash_one(text) >> 56) as usize % SHARD_COUNT;
        locked(&self.shards[at])
    }
}

/// A panic elsewhere leaves a cache as good as it was.
fn locked<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Shard<T> {
    fn find(&mut self, text: &str) -> Option<Arc<T>> {
        if let Some(found) = self.young.get(text) {
            return Some(Arc::clone(found));
        }
        let (key, value) = self.old.remove_entry(text)?;
        self.keep(key, Arc::clone(&value));
        Some(value)
    }

    fn keep(&mut self, key: Box<str>, value: Arc<T>) {
        if self.young.len() >= GENERATION_ENTRIES_MAX {
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_stays_and_the_size_is_bounded() {
        let cache = AgentCache::<usize>::default();
        let bound = SHARD_COUNT * GENERATION_ENTRIES_MAX * 2;
        let mut made_again = 0;
        for n in 0..bound * 2 {
            assert_eq!(*cache.get_or_make(&format!("agent {n}"), || n), n);
            let kept = cache.get_or_make("the one", || {
                made_again += 1;
                7
            });
            assert_eq!(*kept, 7);
        }
        assert_eq!(made_again, 1);
        assert!(cache.entry_count() <= bound && cache.entry_count() > bound / 4, "{}", cache.entry_count());
    }
}
