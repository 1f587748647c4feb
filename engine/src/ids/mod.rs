//! The event ids of the last two days, by which a repeat is known.
//!
//! Ids of the open log are in memory; those of logs that are sealed away are in mapped files, one or a few for each
//! hour, with a filter each in memory. Time is when the server took an id, cut to hours: an id is known until
//! [`limits::EVENT_ID_HOURS`] after its hour.
//!
//! Invariants:
//! - An id of a file was in a synced log when the file was written: whoever finds it may answer at once.
//! - An id is in a synced file before the log that it came with is given up.
//! - A file is never changed. Doubles, which a crash can leave between a merge and its end, mean nothing.
//! - A damaged file is left where it is, named, and not read: its ids are forgotten, nothing else happens.
//!
//! It knows nothing of events, of sites, or of what the ids were before they were hashed.

pub mod file;
mod filter;
mod recent;
mod seal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::StorageError;
use crate::limits;
use crate::units::{EventHash, TimestampMs};
use crate::vfs::{Fs, SharedFs};

use file::{IdFile, Name};
use filter::Probe;
use recent::Recent;
pub use seal::{IdSeal, SealedIds};

/// The folder of the id files.
const FOLDER: &str = "ids";
const TEMPORARY: &str = ".tmp";
const HOUR_MS: i64 = 3_600_000;

/// The hour of a time, from 1970 on.
pub fn hour_of(time: TimestampMs) -> u32 {
    time.div_euclid(HOUR_MS).clamp(0, u32::MAX.into()) as u32
}

/// Whether an id of `hour` is forgotten at `now`. One from far ahead, where a wrong clock was, is too.
fn is_over(hour: u32, now: u32) -> bool {
    hour.abs_diff(now) > limits::EVENT_ID_HOURS
}

/// Refuses a data folder in which a newer program has left ids; of each file only the head is read.
///
/// # Errors
/// [`StorageError::Version`], or the folder could not be listed.
pub fn check_versions(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    let dir = folder.join(FOLDER);
    if !fs.exists(&dir)? {
        return Ok(());
    }
    let names = fs.list(&dir)?;
    names.iter().filter_map(|name| Name::parse(name)).try_for_each(|name| {
        let path = name.path(&dir);
        file::KIND.check_file(fs, &path)
    })
}

/// A file that could not be read.
struct Damaged {
    hour: u32,
    path: PathBuf,
    error: StorageError,
}

/// The ids, for their one writer.
pub struct RememberedIds {
    fs: SharedFs,
    dir: PathBuf,
    /// How many are remembered at most.
    max: u64,
    /// Those of the open log.
    recent: Recent,
    /// Those of the log that is being sealed away.
    frozen: Option<Arc<Recent>>,
    /// The latest hour first.
    files: Vec<Arc<IdFile>>,
    /// Ids in all the files.
    filed: u64,
    damaged: Vec<Damaged>,
    next_number: u64,
    /// The hour when it was looked after last.
    looked_after: Option<u32>,
    dropped_early: u64,
}

impl RememberedIds {
    /// None, and nothing is looked for in the data folder.
    pub fn none(fs: &SharedFs, folder: &Path, max: u64) -> Self {
        Self {
            fs: Arc::clone(fs),
            dir: folder.join(FOLDER),
            max,
            recent: Recent::default(),
            frozen: None,
            files: Vec::new(),
            filed: 0,
            damaged: Vec::new(),
            next_number: 1,
            looked_after: None,
            dropped_early: 0,
        }
    }

    /// Opens the files of a data folder.
    ///
    /// # Errors
    /// [`StorageError::Version`] or a failed operation on the folder. Damage is no error: see [`Self::damage`].
    pub fn open(fs: &SharedFs, folder: &Path, max: u64) -> Result<Self, StorageError> {
        let mut ids = Self::none(fs, folder, max);
        fs.create_dir_all(&ids.dir)?;
        for name in fs.list(&ids.dir)? {
            if name.ends_with(TEMPORARY) {
                fs.remove(&ids.dir.join(name))?;
            } else if let Some(name) = Name::parse(&name) {
                ids.open_file(name)?;
            }
        }
        ids.put_in_order();
        Ok(ids)
    }

    fn open_file(&mut self, name: Name) -> Result<(), StorageError> {
        self.next_number = self.next_number.max(name.number.saturating_add(1));
        match IdFile::open(&*self.fs, &self.dir, name) {
            Ok(file) => self.files.push(Arc::new(file)),
            Err(error @ StorageError::Version { .. }) => return Err(error),
            Err(error) => {
                self.damaged.push(Damaged { hour: name.hour, path: name.path(&self.dir), error });
            }
        }
        Ok(())
    }

    /// To be called when files have come or gone.
    fn put_in_order(&mut self) {
        self.filed = self.files.iter().map(|file| file.hashes().len() as u64).sum();
        self.files.sort_by_key(|file| std::cmp::Reverse((file.hour(), file.number())));
    }

    /// Whether the id is known at `hour`.
    pub fn knows(&self, hash: &EventHash, hour: u32) -> bool {
        let in_memory = [Some(&self.recent), self.frozen.as_deref()];
        let held = |recent: &Recent| recent.hour_of(hash).is_some_and(|arrived| !is_over(arrived, hour));
        in_memory.into_iter().flatten().any(held) || self.is_in_a_file(hash, hour)
    }

    fn is_in_a_file(&self, hash: &EventHash, hour: u32) -> bool {
        let probe = Probe::of(hash);
        self.files.iter().any(|file| !is_over(file.hour(), hour) && file.holds_probed(&probe))
    }

    /// Remembers an id that arrived in `hour` and goes into the open log.
    pub fn remember(&mut self, hash: EventHash, hour: u32) {
        self.recent.insert(hash, hour);
    }

    /// Forgets, once an hour, what is over at `now`, and what is too much. While a log is sealed away it does
    /// nothing: what is over is not known anyway.
    ///
    /// # Errors
    /// A file could not be removed.
    pub fn look_after(&mut self, now: TimestampMs) -> Result<(), StorageError> {
        if self.frozen.is_some() {
            return Ok(());
        }
        let hour = hour_of(now);
        if self.looked_after != Some(hour) {
            self.looked_after = Some(hour);
            self.forget(&|other| is_over(other, hour))?;
        }
        self.keep_bound()
    }

    /// As [`Self::look_after`] for ids that are read back: only memory counts.
    pub fn look_after_read_back(&mut self, now: TimestampMs) {
        let hour = hour_of(now);
        if self.looked_after != Some(hour) {
            self.looked_after = Some(hour);
            self.recent.forget(|other| is_over(other, hour));
        }
    }

    fn keep_bound(&mut self) -> Result<(), StorageError> {
        while self.count() > self.max {
            let hours = self.recent.hours().chain(self.files.iter().map(|file| file.hour()));
            let Some(oldest) = hours.min() else { return Ok(()) };
            self.dropped_early += self.forget(&|hour| hour == oldest)?;
        }
        Ok(())
    }

    /// Forgets some hours; how many ids those had.
    fn forget(&mut self, goes: &dyn Fn(u32) -> bool) -> Result<u64, StorageError> {
        let mut gone = self.recent.forget(goes);
        let (over, kept) = std::mem::take(&mut self.files).into_iter().partition(|file| goes(file.hour()));
        self.files = kept;
        self.put_in_order();
        let over: Vec<Arc<IdFile>> = over;
        for file in over {
            gone += file.hashes().len() as u64;
            self.remove(file.path())?;
        }
        while let Some(at) = self.damaged.iter().position(|damaged| goes(damaged.hour)) {
            let damaged = self.damaged.swap_remove(at);
            self.remove(&damaged.path)?;
        }
        Ok(gone)
    }

    /// Removes a file, which the operator may have moved away if it was damaged.
    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        if self.fs.exists(path)? { self.fs.remove(path) } else { Ok(()) }
    }

    /// The open log is to be sealed away: its ids go to files. [`Self::finish_seal`] takes what the job made.
    pub fn begin_seal(&mut self) -> IdSeal {
        let frozen = Arc::new(std::mem::take(&mut self.recent));
        let first_number = self.next_number;
        self.next_number += frozen.hours().count() as u64;
        self.frozen = Some(Arc::clone(&frozen));
        IdSeal::new(&self.fs, &self.dir, frozen, self.files.clone(), first_number)
    }

    /// Takes the files that a seal wrote in the place of what they hold. To be called once the log is given up.
    ///
    /// # Errors
    /// A file could not be removed.
    pub fn finish_seal(&mut self, sealed: SealedIds) -> Result<(), StorageError> {
        self.frozen = None;
        self.files.retain(|file| !sealed.merged.contains(&file.number()));
        self.files.extend(sealed.files);
        self.put_in_order();
        for path in sealed.merged_paths {
            self.remove(&path)?;
        }
        self.looked_after = None;
        self.keep_bound()
    }

    /// Ids of the open log.
    pub fn open_count(&self) -> usize {
        self.recent.len()
    }

    /// All ids.
    pub fn count(&self) -> u64 {
        let frozen = self.frozen.as_ref().map_or(0, |frozen| frozen.len());
        (self.recent.len() + frozen) as u64 + self.filed
    }

    /// Ids that were forgotten before their time since the start, because there were too many.
    pub fn dropped_early(&self) -> u64 {
        self.dropped_early
    }

    /// Files that could not be read.
    pub fn damage(&self) -> impl Iterator<Item = &StorageError> {
        self.damaged.iter().map(|damaged| &damaged.error)
    }
}

#[cfg(test)]
mod tests;
