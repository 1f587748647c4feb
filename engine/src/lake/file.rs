//! One file of the lake: an index that queries use, and the Parquet file that it was made with.
//!
//! Both are mapped when they are first needed, so that neither a start nor thousands of small sites cost mappings; of
//! those that are mapped only some stay so (see [`OpenFiles`]). Whoever uses one keeps it by an `Arc`.

use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use super::blocks::BlockChecksums;
use super::cache::ColumnCache;
use super::cold::ParquetColumns;
use super::opened::Opened;
use super::paths::{gathering_path, index_path, parquet_path, temporary_path};
use crate::checksum::crc32c;
use crate::error::StorageError;
use crate::index::{Index, IndexBuilder, IndexSize};
use crate::manifest::{LakeEntry, PARQUET_END_BYTES};
use crate::parquet::Key;
use crate::segment::filter::VisitorFilter;
use crate::segment::table::Run;
use crate::segment::verdicts::VerdictMemory;
use crate::session;
use crate::units::{DayUtc, SegmentId, SiteId, TimestampMs, VisitorId};
use crate::vfs::{Bytes, SharedFs};

/// Files that stay mapped, unless they are in use.
const OPEN_FILES_MAX: usize = 256;

/// What all files of a folder's lake share.
#[derive(Clone)]
pub struct LakeContext {
    /// The file system.
    pub fs: SharedFs,
    /// The data folder.
    pub folder: PathBuf,
    /// Columns that were read.
    pub cache: Arc<ColumnCache>,
    /// Files that are mapped.
    pub open_files: Arc<OpenFiles>,
    /// What tests have said of sites' strings.
    pub verdicts: Arc<VerdictMemory>,
    /// How often damage was found.
    pub damage_count: Arc<AtomicU64>,
}

impl LakeContext {
    /// Of a data folder, nothing read and nothing mapped.
    pub fn new(fs: &SharedFs, folder: &Path) -> Self {
        let (cache, open_files) = (Arc::new(ColumnCache::default()), Arc::default());
        let (verdicts, damage_count) = Default::default();
        Self { fs: fs.clone(), folder: folder.to_path_buf(), cache, open_files, verdicts, damage_count }
    }

    /// Begins the index with a number. What is gathered for it lies in a file that has no name while it is used, and goes
    /// with it: of a large month that is more than there may be memory.
    ///
    /// # Errors
    /// There is no space for that file.
    pub fn begin_index(&self, number: SegmentId, size: IndexSize) -> Result<IndexBuilder, StorageError> {
        let path = gathering_path(&self.folder, number);
        let mut scratch = self.fs.scratch(&path, IndexBuilder::scratch_bytes(size))?;
        self.fs.remove(&path)?;
        IndexBuilder::new(&mut scratch, size)
    }
}

/// A file that is mapped.
pub struct OpenFile {
    /// The index.
    pub index: Index,
    /// The columns that the index has not.
    pub columns: ParquetColumns,
    /// For each run, once somebody has asked: which visitors may be in it.
    filters: Vec<OnceLock<VisitorFilter>>,
}

impl OpenFile {
    /// The runs of these days that may hold the visitor; the others do not.
    ///
    /// # Errors
    /// The file is damaged or could not be read.
    pub fn runs_of(
        &self,
        visitor: VisitorId,
        days: impl Fn(DayUtc) -> bool,
    ) -> Result<Vec<&Run>, StorageError> {
        let mut found = Vec::new();
        for (run, filter) in self.index.runs()?.iter().zip(&self.filters) {
            if !days(run.day_utc()) {
                continue;
            }
            if filter.get().is_none() {
                let visitors = self.index.visitors_of(&self.columns, run)?;
                // Should another thread have been faster, its filter is the same.
                let _ = filter.set(VisitorFilter::of(&visitors));
            }
            if filter.get().is_some_and(|filter| filter.may_hold(visitor.0)) {
                found.push(run);
            }
        }
        Ok(found)
    }
}

/// A live file of the lake, mapped or not.
pub struct LakeFile {
    context: LakeContext,
    site: SiteId,
    index: SegmentId,
    index_len: u64,
    /// On which its sessions were opened.
    days: RangeInclusive<DayUtc>,
    parquet: PathBuf,
    parquet_len: u64,
    parquet_end_crc: u32,
    opened: Opened<OpenFile>,
    /// The time of its rows, once it was mapped.
    span: OnceLock<Range<TimestampMs>>,
    used: AtomicBool,
    /// A visitor's sessions in it could not be looked for, once at least.
    was_unreadable: AtomicBool,
    /// Its bytes are found no more under their names once they are let go.
    is_replaced: AtomicBool,
}

impl LakeFile {
    /// The file that an entry of the manifest names.
    pub fn new(context: &LakeContext, site: SiteId, host: &str, key: Key, entry: &LakeEntry) -> Arc<Self> {
        Arc::new(Self {
            context: context.clone(),
            site,
            index: entry.index,
            index_len: entry.index_len,
            days: key.days(),
            parquet: parquet_path(&context.folder, host, key),
            parquet_len: entry.parquet_len,
            parquet_end_crc: entry.parquet_end_crc,
            opened: Opened::new(&context.damage_count),
            span: OnceLock::new(),
            used: AtomicBool::new(false),
            was_unreadable: AtomicBool::new(false),
            is_replaced: AtomicBool::new(false),
        })
    }

    /// The number of its index, which no other file has.
    pub fn number(&self) -> SegmentId {
        self.index
    }

    /// Whether rows of it may lie in the span. To tell it, no more of the file is read than the times of its days.
    pub fn may_touch(&self, span: &Range<TimestampMs>) -> bool {
        if self.span.get().is_none() && session::may_have_rows(&self.days, span) {
            // What keeps it from being read is told to those who open it.
            let _ = self.look_at_span();
        }
        match self.span.get() {
            Some(own) => own.start < span.end && span.start < own.end,
            None => session::may_have_rows(&self.days, span),
        }
    }

    fn look_at_span(&self) -> Result<(), StorageError> {
        let path = self.index_path();
        let bytes = self.map_existing(&path)?;
        bytes.read_in_pieces();
        let span = span_of(self.index_over(&path, bytes)?.runs_alone()?);
        self.span.get_or_init(|| span);
        Ok(())
    }

    /// Notes that somebody could not look for sessions in it, be it damaged or an operation failed.
    pub(super) fn note_unreadable(&self) {
        self.was_unreadable.store(true, Ordering::Relaxed);
    }

    /// Whether somebody could not look for sessions in it. It stays so, as whoever asks did so earlier.
    pub(super) fn was_unreadable(&self) -> bool {
        self.was_unreadable.load(Ordering::Relaxed) || self.damage().is_some()
    }

    /// A session has left it, and nobody could find it there to say so: the index is to be made anew, which finds out.
    pub fn distrust_index(&self) {
        if self.damage().is_none() {
            let what = "it could not be read when a session moved";
            self.set_aside(StorageError::corrupt(&self.index_path(), 0, what));
        }
    }

    /// Notes that it is damaged, so that nothing of it is served until its index is made anew or the next start.
    pub fn set_aside(&self, damage: StorageError) {
        self.opened.set_aside(damage);
    }

    /// Whether damage that names this path is its own.
    pub fn is_at(&self, path: &Path) -> bool {
        path == self.parquet || path == self.index_path()
    }

    /// Whether nobody has opened it yet, or it was let go since.
    pub(super) fn is_closed(&self) -> bool {
        !self.opened.is_open() && self.damage().is_none()
    }

    /// Whether damage was found in its index, so that it is to be made anew from the Parquet file.
    pub fn wants_index(&self) -> bool {
        let damage = self.damage();
        damage.is_some_and(
            |damage| matches!(damage, StorageError::Corrupt { path, .. } if path == self.index_path()),
        )
    }

    /// The Parquet file's place.
    pub fn parquet(&self) -> &Path {
        &self.parquet
    }

    /// The file, mapped.
    ///
    /// # Errors
    /// It is damaged, which stays so until its index is made anew or the next start; a failed operation is tried again.
    pub fn open(self: &Arc<Self>) -> Result<Arc<OpenFile>, StorageError> {
        self.used.store(true, Ordering::Relaxed);
        let (file, is_new) = self.opened.get_or_open(|| self.map())?;
        if is_new {
            self.context.open_files.note(self);
        }
        Ok(file)
    }

    /// Whether the Parquet file waits under its temporary name to take its place.
    ///
    /// # Errors
    /// A failed operation.
    pub fn is_waiting(&self) -> Result<bool, StorageError> {
        let temporary = temporary_path(&self.parquet);
        let fs = &self.context.fs;
        Ok(fs.exists(&temporary)? && self.is_it(&fs.map(&temporary)?))
    }

    fn index_path(&self) -> PathBuf {
        index_path(&self.context.folder, self.index)
    }

    /// Its index, mapped and checked, whatever is known of the Parquet file.
    ///
    /// # Errors
    /// It is damaged or could not be read.
    pub fn read_index(&self) -> Result<Index, StorageError> {
        let path = self.index_path();
        let index = self.index_over(&path, self.map_existing(&path)?)?;
        index.runs()?;
        Ok(index)
    }

    /// Its index over these bytes, of which the outline is checked.
    fn index_over(&self, path: &Path, bytes: Bytes) -> Result<Index, StorageError> {
        if self.index_len == 0 {
            let what = "sessions have moved since it was found damaged, or its Parquet file was";
            return Err(StorageError::corrupt(path, 0, what));
        }
        if bytes.len() as u64 != self.index_len {
            let what = format!("the file has {} bytes, the manifest says {}", bytes.len(), self.index_len);
            return Err(StorageError::corrupt(path, 0, what));
        }
        let index = Index::open(path, bytes)?;
        if index.id() != self.index || index.site() != self.site {
            return Err(StorageError::corrupt(path, 0, "it is the index of another file"));
        }
        Ok(index)
    }

    /// The checksums of the Parquet file, from its index: those blocks of it are sound, though others may not be.
    pub fn known_checksums(&self) -> Option<BlockChecksums> {
        let path = self.index_path();
        let index = Index::open(&path, self.map_existing(&path).ok()?).ok()?;
        if index.id() != self.index || index.site() != self.site {
            return None;
        }
        let of_file = index.parquet_file_alone().ok()?;
        BlockChecksums::new(of_file.len, &of_file.checksums)
            .filter(|known| known.file_len() == self.parquet_len)
    }

    fn map(&self) -> Result<OpenFile, StorageError> {
        let index = self.read_index()?;
        let of_file = index.parquet_file()?;
        let checksums = BlockChecksums::new(of_file.len, &of_file.checksums).ok_or_else(|| {
            StorageError::corrupt(&self.index_path(), 0, "it has not one checksum for each block")
        })?;
        let parquet = self.map_parquet()?;
        // A query needs a few columns of it at most.
        parquet.read_in_pieces();
        let (cache, verdicts) = (self.context.cache.clone(), self.context.verdicts.clone());
        let columns = ParquetColumns::new(&self.parquet, self.index, parquet, checksums, cache, verdicts);
        let runs = index.runs()?;
        let filters = runs.iter().map(|_| OnceLock::new()).collect();
        self.span.get_or_init(|| span_of(runs));
        Ok(OpenFile { index, columns, filters })
    }

    /// The Parquet file, mapped. It is in its place, or still beside it when a crash, or another thread, has not moved
    /// it yet.
    ///
    /// # Errors
    /// It is another file, or could not be mapped.
    pub fn map_parquet(&self) -> Result<Bytes, StorageError> {
        let fs = &self.context.fs;
        for path in [&self.parquet, &temporary_path(&self.parquet)] {
            if fs.exists(path)? {
                let bytes = fs.map(path)?;
                if self.is_it(&bytes) {
                    return Ok(bytes);
                }
            }
        }
        Err(StorageError::corrupt(&self.parquet, 0, "it is missing, or not the file that was written here"))
    }

    fn map_existing(&self, path: &Path) -> Result<Bytes, StorageError> {
        if self.context.fs.exists(path)? {
            return self.context.fs.map(path);
        }
        Err(StorageError::corrupt(path, 0, "the file is missing"))
    }

    fn is_it(&self, parquet: &Bytes) -> bool {
        parquet.fetch(parquet.len().saturating_sub(PARQUET_END_BYTES)..parquet.len());
        parquet.len() as u64 == self.parquet_len && end_crc(parquet) == self.parquet_end_crc
    }

    /// Lets go of the maps, unless it was used since the last time. What is known of damage stays known.
    fn rest(&self) -> bool {
        if self.is_replaced.load(Ordering::Relaxed) {
            return true;
        }
        if self.used.swap(false, Ordering::Relaxed) {
            return false;
        }
        self.opened.close();
        true
    }

    /// Another file takes its place: maps it, if it is not, and keeps it so for the snapshots that know it.
    pub fn keep_open(self: &Arc<Self>) {
        self.is_replaced.store(true, Ordering::Relaxed);
        // Damage is told to whoever asks for it.
        let _ = self.open();
    }

    /// The damage that was found in it so far.
    pub fn damage(&self) -> Option<StorageError> {
        self.opened.damage()
    }
}

/// From the first row of these runs to the last.
fn span_of(runs: &[Run]) -> Range<TimestampMs> {
    let first = runs.iter().map(|run| run.min_time).min().unwrap_or_default();
    let last = runs.iter().map(|run| run.max_time).max();
    first..last.map_or(first, |last| last.saturating_add(1))
}

/// The checksum that tells a Parquet file from others.
pub fn end_crc(parquet: &[u8]) -> u32 {
    crc32c(&parquet[parquet.len().saturating_sub(PARQUET_END_BYTES)..])
}

/// The files that are mapped, in a queue: the first one that was not used since it came to the front is let go.
#[derive(Default)]
pub struct OpenFiles {
    queue: Mutex<VecDeque<Weak<LakeFile>>>,
}

impl OpenFiles {
    /// How many files are mapped.
    pub fn mapped(&self) -> usize {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let files: Vec<Arc<LakeFile>> = queue.iter().filter_map(Weak::upgrade).collect();
        drop(queue);
        files.iter().filter(|file| file.opened.is_open()).count()
    }

    fn note(&self, file: &Arc<LakeFile>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(Arc::downgrade(file));
        let mut turns = 2 * queue.len();
        while queue.len() > OPEN_FILES_MAX && turns > 0 {
            turns -= 1;
            let Some(first) = queue.pop_front() else { break };
            // A file is never asked to rest while its own lock is held: `note` is called after it was given back.
            if let Some(file) = first.upgrade().filter(|file| !file.rest()) {
                queue.push_back(Arc::downgrade(&file));
            }
        }
    }
}
