//! A hash map in a mapped scratch file: what an import has to remember of every session and string, off the heap.
//!
//! Open addressing with linear probing, at most three quarters full. The file has no name while it is used.

use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use hashbrown::DefaultHashBuilder;

use crate::error::StorageError;
use crate::vfs::{Scratch, SharedFs, Table};

/// Slots of a new map.
const SLOTS_MIN: usize = 1 << 12;
/// Set in the value of a slot that is taken.
const PRESENT: u64 = 1 << 63;

/// A slot.
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Slot {
    key: [u64; 2],
    value: u64,
}

/// Numbers below 2^63 by keys of two numbers.
pub(super) struct KeyMap {
    fs: SharedFs,
    path: PathBuf,
    hasher: DefaultHashBuilder,
    slots: Table<Slot>,
    count: usize,
}

impl KeyMap {
    /// An empty map. `number` tells its scratch file from others that are made at the same time.
    pub(super) fn new(fs: &SharedFs, folder: &Path, number: u64) -> Result<Self, StorageError> {
        let path = folder.join(format!("import-{number:016x}"));
        let slots = slots(fs, &path, SLOTS_MIN)?;
        Ok(Self { fs: fs.clone(), path, hasher: DefaultHashBuilder::default(), slots, count: 0 })
    }

    /// The number of a key.
    pub(super) fn get(&self, key: [u64; 2]) -> Option<u64> {
        let slot = self.slots.get(self.place(key))?;
        (slot.value & PRESENT != 0).then_some(slot.value & !PRESENT)
    }

    /// Sets the number of a key.
    pub(super) fn insert(&mut self, key: [u64; 2], value: u64) -> Result<(), StorageError> {
        if (self.count + 1) * 4 > self.slots.len() * 3 {
            self.grow()?;
        }
        let at = self.place(key);
        if let Some(slot) = self.slots.get_mut(at) {
            self.count += usize::from(slot.value & PRESENT == 0);
            *slot = Slot { key, value: value | PRESENT };
        }
        Ok(())
    }

    /// Where the key is, or would be.
    fn place(&self, key: [u64; 2]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(key) as usize & mask;
        while self.slots.get(at).is_some_and(|slot| slot.value & PRESENT != 0 && slot.key != key) {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) -> Result<(), StorageError> {
        let wider = slots(&self.fs, &self.path, self.slots.len() * 2)?;
        let old = std::mem::replace(&mut self.slots, wider);
        for slot in old.iter().filter(|slot| slot.value & PRESENT != 0) {
            let at = self.place(slot.key);
            if let Some(place) = self.slots.get_mut(at) {
                *place = *slot;
            }
        }
        Ok(())
    }
}

fn slots(fs: &SharedFs, path: &Path, count: usize) -> Result<Table<Slot>, StorageError> {
    let mut scratch = fs.scratch(path, Scratch::column_bytes::<Slot>(count))?;
    fs.remove(path)?;
    scratch.table(count)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::vfs::OsFs;

    #[test]
    fn it_is_a_map_whatever_the_keys() {
        let folder = tempfile::tempdir().unwrap();
        let fs: SharedFs = Arc::new(OsFs);
        let mut map = KeyMap::new(&fs, folder.path(), 1).unwrap();
        let mut model = BTreeMap::new();
        for i in 0..30_000u64 {
            let key =
                [[i % 7_000, 0], [0, i << 40], [i.wrapping_mul(0x9e37_79b9_7f4a_7c15), i]][i as usize % 3];
            assert_eq!(map.get(key), model.get(&key).copied());
            map.insert(key, i).unwrap();
            model.insert(key, i);
        }
        assert!(model.iter().all(|(&key, &value)| map.get(key) == Some(value)));
        assert_eq!((map.count, map.get([u64::MAX, 1])), (model.len(), None));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its file has no name");
    }
}
