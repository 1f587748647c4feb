//! Opening a folder: manifest, segments, orphans, replay.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sealed::{Sealed, SealedSegments};
use super::versions::refuse_newer;
use super::{Core, OpenSegment, StoreOptions, import, operations};
use crate::aggregate;
use crate::error::StorageError;
use crate::ids::{self, RememberedIds};
use crate::lake::{DICTIONARY_PREFIX, GATHERING_PREFIX, INDEX_PREFIX, Lake, LakeContext};
use crate::limits::FRAME_BYTES_MAX;
use crate::log::{self, LogWriter, ReplayEnd, generation_of, log_path};
use crate::manifest::{Manifest, SegmentEntry, segment_path};
use crate::open::{Arena, ArenaCapacity};
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::vfs::{Fs, Lock, SharedFs};

const FIRST_GENERATION: u64 = 1;
/// The manifest of a new folder.
const NEW: Manifest = Manifest {
    first_generation: FIRST_GENERATION,
    next_segment: 1,
    segments: Vec::new(),
    lake: BTreeMap::new(),
    imports: BTreeSet::new(),
    positions: Vec::new(),
    taken: Vec::new(),
};
const SEGMENT_PREFIX: &str = "segment-";
const SCRATCH_PREFIX: &str = "open-";
const IMPORT_PREFIX: &str = "import-";

impl Core {
    /// Opens a folder, making it when it is not there, and recovers all that was acknowledged. Returns with the
    /// open segment small enough to go on.
    ///
    /// # Errors
    /// [`StorageError::Locked`], [`StorageError::Corrupt`], [`StorageError::Version`], or a failed operation.
    pub fn open(fs: SharedFs, folder: &Path, options: StoreOptions) -> Result<Self, StorageError> {
        fs.create_dir_all(folder)?;
        let lock = fs.lock(folder)?;
        let mut manifest = read_or_make_manifest(&*fs, folder)?;
        refuse_newer(&*fs, folder, &manifest)?;
        remove_orphans(&*fs, folder, &manifest)?;
        let sealed = open_segments(&*fs, folder, &manifest)?;
        let generations = log_generations(&*fs, folder)?;
        check_generations(folder, &generations, &manifest)?;
        let last = generations.last().copied().unwrap_or(manifest.first_generation);
        if generations.is_empty() {
            drop(LogWriter::create(&*fs, folder, last)?);
        }
        let ids = RememberedIds::open(&fs, folder, options.event_ids_max)?;
        let capacity = capacity_for(&*fs, folder, manifest.first_generation..=last, &options)?;
        let open = OpenSegment::create(&fs, folder, last, capacity)?;
        let first = manifest.first_generation;
        let lake = open_lake(&fs, folder, &mut manifest)?;
        let mut core = Self::assemble(fs, folder, options, (manifest, sealed, lake), (last, open), ids, lock);
        core.settle_lake()?;
        core.replay_all(first, last)?;
        core.shrink()?;
        Ok(core)
    }

    /// What a folder holds, without changing anything in it; its lock is taken while this runs. A folder that no
    /// store was opened in holds nothing.
    ///
    /// # Errors
    /// As [`Core::open`].
    pub fn read(fs: SharedFs, folder: &Path) -> Result<Snapshot, StorageError> {
        let lock = fs.lock(folder)?;
        let mut manifest = read_manifest(&*fs, folder)?.unwrap_or(NEW);
        refuse_newer(&*fs, folder, &manifest)?;
        let first = manifest.first_generation;
        let sealed = open_segments(&*fs, folder, &manifest)?;
        let mut generations = log_generations(&*fs, folder)?;
        generations.retain(|&generation| generation >= first);
        check_generations(folder, &generations, &manifest)?;
        let last = generations.last().copied().unwrap_or(first);
        let options = StoreOptions { seal_rows: 0, ..StoreOptions::default() };
        let replayed = generations.first().copied().unwrap_or(last + 1)..=last;
        let capacity = capacity_for(&*fs, folder, replayed.clone(), &options)?;
        let open = OpenSegment::over(Arena::in_memory(folder, capacity)?, PathBuf::new());
        let ids = RememberedIds::none(&fs, folder, options.event_ids_max);
        let lake = open_lake(&fs, folder, &mut manifest)?;
        let mut core = Self::assemble(fs, folder, options, (manifest, sealed, lake), (last, open), ids, lock);
        for generation in replayed {
            let path = log_path(folder, generation);
            let end = core.replay_one(&path, generation)?;
            check_end(&path, &end, generation == last)?;
        }
        Ok(core.snapshot())
    }

    /// Refuses a folder of which a newer program wrote a file that its manifest names. Nothing in it is changed. Whoever
    /// asks has the folder's lock.
    ///
    /// # Errors
    /// [`StorageError::Version`], [`StorageError::Corrupt`] of the manifest, or a failed operation.
    pub fn check_versions(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
        read_manifest(fs, folder)?.map_or(Ok(()), |manifest| refuse_newer(fs, folder, &manifest))
    }

    fn assemble(
        fs: SharedFs,
        folder: &Path,
        options: StoreOptions,
        (manifest, sealed, lake): (Manifest, Vec<Sealed>, (Lake, LakeContext)),
        (generation, open): (u64, OpenSegment),
        ids: RememberedIds,
        lock: Box<dyn Lock>,
    ) -> Self {
        let sealed = SealedSegments::new(sealed, options.seal_rows);
        Self {
            fs,
            folder: folder.to_path_buf(),
            options,
            log: None,
            generation,
            open,
            spare: None,
            frozen: None,
            sealed,
            sealed_views: None,
            recurring: Default::default(),
            turns: Default::default(),
            aggregates: Default::default(),
            ids,
            lake: lake.0,
            lake_context: lake.1,
            first_generation: manifest.first_generation,
            imports: manifest.imports,
            positions: Arc::new(manifest.positions.into_iter().collect()),
            taken: manifest.taken,
            forgotten: BTreeSet::new(),
            importing: None,
            next_segment: manifest.next_segment,
            next_site_code: Default::default(),
            coming_dictionary: None,
            now: i64::MIN / 4,
            torn_tail_bytes: 0,
            seal_requested: false,
            _lock: lock,
        }
    }

    fn replay_all(&mut self, first: u64, last: u64) -> Result<(), StorageError> {
        for generation in first..=last {
            let path = log_path(&self.folder, generation);
            let end = self.replay_one(&path, generation)?;
            check_end(&path, &end, generation == last)?;
            if generation == last {
                self.torn_tail_bytes = end.torn_bytes;
                if !end.closed || end.version < log::FORMAT_VERSION {
                    log::rewrite(&*self.fs, &path, generation, end.end_offset)?;
                }
                let (offset, sequence) = (end.end_offset, end.next_sequence);
                self.log = Some(LogWriter::resume(&*self.fs, &self.folder, generation, offset, sequence)?);
            }
        }
        Ok(())
    }

    fn replay_one(&mut self, path: &Path, generation: u64) -> Result<ReplayEnd, StorageError> {
        let fs = self.fs.clone();
        let taken = import::taken_out(&self.taken, generation);
        log::replay(&*fs, path, generation, FRAME_BYTES_MAX, &mut |kind, sequence, payload| {
            let frame = operations(kind, payload, path, |operation| {
                let is_void = taken.get(&operation.key).is_some_and(|&last| sequence <= last);
                if is_void { Ok(()) } else { self.apply(&operation, path) }
            })?;
            self.remember(frame.position);
            if let Some(ids) = frame.ids {
                self.ids.look_after_read_back(ids.arrived);
                let hour = ids::hour_of(ids.arrived);
                ids.hashes.iter().for_each(|hash| self.ids.remember(*hash, hour));
            }
            Ok(())
        })
    }

    /// Seals at once what is already large enough (or spans several logs).
    fn shrink(&mut self) -> Result<(), StorageError> {
        if self.wants_seal() {
            let job = self.begin_seal()?;
            let file = job.run()?;
            drop(job);
            self.finish_seal(file)?;
        }
        Ok(())
    }
}

fn read_or_make_manifest(fs: &dyn Fs, folder: &Path) -> Result<Manifest, StorageError> {
    if let Some(manifest) = read_manifest(fs, folder)? {
        return Ok(manifest);
    }
    NEW.write(fs, folder)?;
    Ok(NEW)
}

/// The folder's manifest; `None` when no store was opened in it. A manifest that is lost does not make it a new one.
fn read_manifest(fs: &dyn Fs, folder: &Path) -> Result<Option<Manifest>, StorageError> {
    if let Some(manifest) = Manifest::read(fs, folder)? {
        return Ok(Some(manifest));
    }
    let is_data = |name: &&String| {
        let prefixes = [log::NAME_PREFIX, SEGMENT_PREFIX, INDEX_PREFIX, DICTIONARY_PREFIX];
        prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    match fs.list(folder)?.iter().find(is_data) {
        None => Ok(None),
        Some(name) => {
            let what = format!("the manifest is missing though {name} is there");
            Err(StorageError::corrupt(&Manifest::path(folder), 0, what))
        }
    }
}

/// Only the last log may break off.
fn check_end(path: &Path, end: &ReplayEnd, is_last: bool) -> Result<(), StorageError> {
    if is_last || end.torn_bytes == 0 {
        return Ok(());
    }
    Err(StorageError::corrupt(path, end.end_offset, "the log breaks off before the next one"))
}

fn open_lake(
    fs: &SharedFs,
    folder: &Path,
    manifest: &mut Manifest,
) -> Result<(Lake, LakeContext), StorageError> {
    let context = LakeContext::new(fs, folder);
    let lake = Lake::new(&context, &Manifest::path(folder), std::mem::take(&mut manifest.lake))?;
    Ok((lake, context))
}

/// Removes what a crash left: scratch files, logs before the first, and files that the manifest does not name.
fn remove_orphans(fs: &dyn Fs, folder: &Path, manifest: &Manifest) -> Result<(), StorageError> {
    for name in fs.list(folder)? {
        let orphan = if let Some(number) = number_after(&name, SEGMENT_PREFIX) {
            !manifest.segments.iter().any(|entry| entry.id.0 == number)
        } else if let Some(number) = number_after(&name, INDEX_PREFIX) {
            !manifest.lake.values().flat_map(|site| &site.files).any(|file| file.index.0 == number)
        } else if let Some(number) = number_after(&name, aggregate::PREFIX) {
            !manifest.lake.values().flat_map(|site| &site.files).any(|file| file.index.0 == number)
        } else if let Some(number) = number_after(&name, DICTIONARY_PREFIX) {
            let mut named = manifest.lake.values().filter_map(|site| site.dictionary);
            !named.any(|dictionary| dictionary.0.0 == number)
        } else if let Some(number) = generation_of(&name) {
            number < manifest.first_generation
        } else {
            let mut passing = [SCRATCH_PREFIX, IMPORT_PREFIX, GATHERING_PREFIX].into_iter();
            passing.any(|prefix| number_after(&name, prefix).is_some())
        };
        if orphan {
            fs.remove(&folder.join(name))?;
        }
    }
    Ok(())
}

fn open_segments(fs: &dyn Fs, folder: &Path, manifest: &Manifest) -> Result<Vec<Sealed>, StorageError> {
    manifest.segments.iter().map(|entry| open_segment(fs, folder, entry)).collect()
}

fn open_segment(fs: &dyn Fs, folder: &Path, entry: &SegmentEntry) -> Result<Sealed, StorageError> {
    let path = segment_path(folder, entry.id);
    let bytes = fs.map(&path)?;
    let segment = if bytes.len() as u64 == entry.len {
        Segment::open(&path, bytes)
    } else {
        let what = format!("the file has {} bytes, the manifest says {}", bytes.len(), entry.len);
        Err(StorageError::corrupt(&path, 0, what))
    };
    let segment = segment.and_then(|segment| {
        if segment.id() == entry.id {
            return Ok(segment);
        }
        Err(StorageError::corrupt(&path, 0, format!("it is segment {}", segment.id())))
    });
    let segment = match segment {
        Err(StorageError::Corrupt { what, offset, .. }) => {
            Segment::damaged(&path, entry.id, entry.len, StorageError::corrupt(&path, offset, what))
        }
        other => other?,
    };
    Ok(Sealed { segment: Arc::new(segment), superseded: Arc::new(entry.superseded.clone()) })
}

/// The log generations in a folder, ascending.
pub(super) fn log_generations(fs: &dyn Fs, folder: &Path) -> Result<Vec<u64>, StorageError> {
    let mut found: Vec<u64> = fs.list(folder)?.iter().filter_map(|name| generation_of(name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// The logs from the manifest's first on are all there. Only a folder that a crash left while it was made has none.
fn check_generations(folder: &Path, found: &[u64], manifest: &Manifest) -> Result<(), StorageError> {
    let first = manifest.first_generation;
    if found.is_empty() && first != FIRST_GENERATION {
        return Err(StorageError::corrupt(&log_path(folder, first), 0, "this log is missing"));
    }
    for (expected, &generation) in (first..).zip(found) {
        if generation != expected {
            return Err(StorageError::corrupt(&log_path(folder, expected), 0, "this log is missing"));
        }
    }
    Ok(())
}

/// Room for an open segment, and for all that the logs hold if that is more: they may have been written under a
/// larger setting, and there may be several.
fn capacity_for(
    fs: &dyn Fs,
    folder: &Path,
    generations: RangeInclusive<u64>,
    options: &StoreOptions,
) -> Result<ArenaCapacity, StorageError> {
    let mut held = ArenaCapacity { rows: 0, strings: 1, string_bytes: 0 };
    for generation in generations {
        let path = log_path(folder, generation);
        log::replay(fs, &path, generation, FRAME_BYTES_MAX, &mut |kind, _sequence, payload| {
            operations(kind, payload, &path, |operation| {
                let (texts, bytes) = operation.texts();
                held.rows += operation.rows.len().max(1);
                held.strings += texts;
                held.string_bytes += bytes;
                Ok(())
            })
            .map(drop)
        })?;
    }
    let usual = ArenaCapacity::for_seal_rows(options.seal_rows);
    Ok(ArenaCapacity {
        rows: usual.rows.max(held.rows),
        strings: usual.strings.max(held.strings),
        string_bytes: usual.string_bytes.max(held.string_bytes),
    })
}

fn number_after(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    if digits.len() != 16 {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}
