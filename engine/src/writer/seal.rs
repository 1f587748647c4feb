//! Sealing: the open segment becomes a file while a new one takes the events.
//!
//! Order, and what a crash leaves at each point:
//! 1. Log g+1 is made with the sessions that are carried over, synced. Crash: the manifest still starts at g; replay
//!    of g and then g+1 voids the older copies of the carried sessions.
//! 2. The segment and the files of event ids are written and synced, on another thread. Crash: the segment is an orphan,
//!    removed at the next start; the ids are in the files and in the log, which is no harm.
//! 3. The manifest names the segment, what has left it since, and g+1 as the first log. Crash before: as 2.
//!    Crash after: log g is an orphan.
//! 4. Log g and the id files that were merged are unlinked. The scratch file, which nobody reads after a crash, is kept
//!    for the open segment after the next.

use std::path::PathBuf;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::index::Known;
use super::sealed::{Lane, Sealed};
use super::{Core, Frozen, OpenSegment, SEAL_TEXT_BYTES};
use crate::codec::Writer;
use crate::error::StorageError;
use crate::ids::{IdSeal, SealedIds};
use crate::log::{LogWriter, log_path};
use crate::manifest::{Manifest, SegmentEntry, Superseded, segment_path};
use crate::open::{ArenaCapacity, ArenaReader, Watermark};
use crate::record::FRAME_CARRIED;
use crate::segment::Segment;
use crate::segment::sink::{FileSink, Sink};
use crate::units::{SegmentId, SessionKey};
use crate::vfs::SharedFs;

/// The carried sessions hold at most one in this many of the rows, and of the strings and their bytes, at which the
/// open segment is sealed.
const CARRIED_SHARE: usize = 8;
/// Rows that they hold at most: events wait meanwhile. Of the other sessions those that go on are moved when they do.
const CARRIED_ROWS_MAX: usize = 512;
/// Frames of carried sessions are about this long.
const CARRIED_FRAME_BYTES: usize = 1 << 20;

/// The part of a seal that needs no state of the writer's: sort and write the file.
pub struct SealJob {
    fs: SharedFs,
    reader: Arc<ArenaReader>,
    watermark: Watermark,
    left_out: RoaringBitmap,
    id: SegmentId,
    path: PathBuf,
    ids: IdSeal,
    lane: Lane,
    awaited: bool,
}

/// What a [`SealJob`] made.
pub struct SealedFile {
    /// The segment, checked; `None` when there was nothing to write.
    segment: Option<Segment>,
    ids: SealedIds,
    lane: Lane,
}

/// What nothing names any more once a seal has ended: to be removed. To give up files of this size takes the time of many
/// events, so whoever has another thread does it there. What a crash leaves of it the next start removes.
#[must_use]
pub struct Leavings {
    fs: SharedFs,
    paths: Vec<PathBuf>,
    open: Option<OpenSegment>,
    capacity: ArenaCapacity,
}

/// An empty open segment for the next seal: to make one then would take the time of many events.
pub struct Spare(pub(super) OpenSegment);

/// Makes a [`Spare`], on any thread.
pub struct SpareJob {
    fs: SharedFs,
    folder: PathBuf,
    name: u64,
    capacity: ArenaCapacity,
    texts: usize,
    sessions: usize,
}

impl SpareJob {
    /// Makes it.
    ///
    /// # Errors
    /// The failed operation.
    pub fn run(&self) -> Result<Spare, StorageError> {
        let made = OpenSegment::create(&self.fs, &self.folder, self.name, self.capacity)
            .and_then(|open| open.warmed(self.texts, self.sessions, self.capacity));
        if made.is_err() {
            // What it has taken of the disk others need.
            let _ = self.fs.remove(&super::scratch_path(&self.folder, self.name));
        }
        made.map(Spare)
    }
}

impl Leavings {
    /// Removes them. What was sealed is made empty and kept, unless a query still reads it.
    ///
    /// # Errors
    /// The failed operation.
    pub fn remove(self) -> Result<Option<Spare>, StorageError> {
        self.paths.iter().try_for_each(|path| self.fs.remove(path))?;
        let Some(open) = self.open else { return Ok(None) };
        let scratch = open.scratch.clone();
        let emptied = open.emptied(self.capacity);
        if emptied.is_none() {
            self.fs.remove(&scratch)?;
        }
        Ok(emptied.map(Spare))
    }
}

/// Calls somebody after each piece that was written.
struct Restful<'r> {
    file: FileSink,
    rest: &'r mut dyn FnMut(),
}

impl Sink for Restful<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.file.put(bytes);
        (self.rest)();
    }
}

impl SealJob {
    /// Whether somebody asked for the seal and waits for it.
    pub fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// Writes and syncs the segment and the event ids.
    ///
    /// # Errors
    /// The failed operation.
    pub fn run(&self) -> Result<SealedFile, StorageError> {
        self.run_resting(&mut || ())
    }

    /// The same; calls `rest` now and then.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_resting(&self, rest: &mut dyn FnMut()) -> Result<SealedFile, StorageError> {
        let (ids, lane) = (self.ids.run()?, self.lane.clone());
        let file = FileSink::new(self.fs.clone(), self.path.clone());
        let out = Restful { file, rest };
        let Some(out) = self.reader.seal(self.id, self.watermark, &self.left_out, out) else {
            return Ok(SealedFile { segment: None, ids, lane });
        };
        let len = out.file.finish()?;
        self.fs.sync_dir(self.path.parent().unwrap_or(&self.path))?;
        let segment = Segment::open(&self.path, self.fs.map(&self.path)?)?;
        if segment.byte_count() != len {
            let what = "the segment is shorter than what was written";
            return Err(StorageError::corrupt(&self.path, len, what));
        }
        // What the writer would else look at before its next event.
        segment.prepare();
        lane.fill(&segment);
        Ok(SealedFile { segment: Some(segment), ids, lane })
    }
}

impl Core {
    /// Whether a seal is under way; another cannot begin.
    pub fn is_sealing(&self) -> bool {
        self.frozen.is_some()
    }

    /// Begins a seal: freezes the open segment, starts a new log and a new open segment with the carried sessions.
    /// The caller runs the job anywhere and hands its result to [`Self::finish_seal`].
    ///
    /// # Errors
    /// Any error leaves the state unfit for more: latch.
    pub fn begin_seal(&mut self) -> Result<SealJob, StorageError> {
        let whole = std::mem::take(&mut self.seal_requested);
        let carried = if whole { Vec::new() } else { self.carried_sessions() };
        let generation = self.generation + 1;
        let mut log = LogWriter::create(&*self.fs, &self.folder, generation)?;
        let mut frames = Vec::new();
        let mut frame = Writer::new();
        for &ordinal in &carried {
            self.open.operation(ordinal).encode(&mut frame);
            if frame.len() >= CARRIED_FRAME_BYTES {
                frames.push(std::mem::take(&mut frame).into_vec());
            }
        }
        frames.push(frame.into_vec());
        for payload in frames.iter().filter(|payload| !payload.is_empty()) {
            log.push(FRAME_CARRIED, payload)?;
            log.commit()?;
        }
        let next = match self.spare.take() {
            Some(spare) => spare.0,
            None => OpenSegment::create(&self.fs, &self.folder, generation, self.capacity())?,
        };
        let full = std::mem::replace(&mut self.open, next);
        self.log = Some(log);
        self.generation = generation;
        let id = SegmentId(self.next_segment);
        self.next_segment += 1;
        self.frozen = Some(Frozen { open: full, left_out: RoaringBitmap::new() });
        let path = log_path(&self.folder, generation);
        for payload in &frames {
            self.apply_all(FRAME_CARRIED, payload, &path)?;
        }
        Ok(self.seal_job(id, whole))
    }

    fn capacity(&self) -> ArenaCapacity {
        ArenaCapacity::for_seal_rows(self.options.seal_rows)
    }

    /// Whether a seal is near that would have to make its open segment first.
    pub fn wants_spare(&self) -> bool {
        self.spare.is_none() && self.frozen.is_none() && self.open.fresh_rows >= self.options.seal_rows / 2
    }

    /// What makes the open segment of the next seal, to be kept by [`Self::keep`] before that begins.
    pub fn spare_job(&self) -> SpareJob {
        SpareJob {
            fs: self.fs.clone(),
            folder: self.folder.clone(),
            name: self.generation + 1,
            capacity: self.capacity(),
            // It is asked for when the segment is half full.
            texts: 2 * self.open.arena.text_count(),
            sessions: 2 * self.open.arena.watermark().sessions,
        }
    }

    fn seal_job(&mut self, id: SegmentId, awaited: bool) -> SealJob {
        let open = self.frozen.as_ref().map_or(&self.open, |frozen| &frozen.open);
        let job = SealJob {
            fs: self.fs.clone(),
            reader: open.arena.reader(),
            watermark: open.arena.watermark(),
            left_out: (*open.moved).clone(),
            id,
            path: segment_path(&self.folder, id),
            ids: self.ids.begin_seal(),
            lane: self.sealed.take_lane(),
            awaited,
        };
        if let Some(frozen) = &mut self.frozen {
            frozen.left_out = job.left_out.clone();
        }
        job
    }

    /// Live sessions, the latest first, up to an eighth of an open segment that is full, and few enough.
    fn carried_sessions(&self) -> Vec<u32> {
        let window = i64::try_from(self.options.session_window.as_millis()).unwrap_or(i64::MAX / 4);
        let mut live: Vec<_> = self
            .open
            .index
            .all()
            .filter(|&(ordinal, known)| {
                known.rows > 0 && !self.open.moved.contains(ordinal) && known.extent.last > self.now - window
            })
            .collect();
        let mut rows_left = (self.options.seal_rows / CARRIED_SHARE).min(CARRIED_ROWS_MAX);
        let order = |&(ordinal, known): &(u32, Known)| (std::cmp::Reverse(known.extent.last), ordinal);
        // Each has a row at least.
        if live.len() > rows_left {
            live.select_nth_unstable_by_key(rows_left, order);
            live.truncate(rows_left);
        }
        live.sort_unstable_by_key(order);
        let mut texts_left = self.seal_texts() / CARRIED_SHARE;
        let mut bytes_left = SEAL_TEXT_BYTES / CARRIED_SHARE;
        let mut carried = Vec::new();
        for (ordinal, known) in live {
            if known.rows as usize > rows_left {
                break;
            }
            let (texts, bytes) = self.open.operation(ordinal).texts();
            if texts > texts_left || bytes > bytes_left {
                break;
            }
            rows_left -= known.rows as usize;
            texts_left -= texts;
            bytes_left -= bytes;
            carried.push(ordinal);
        }
        carried
    }

    /// Ends a seal, and removes what it leaves: [`Self::end_seal`] for those who have no other thread.
    ///
    /// # Errors
    /// As there.
    pub fn finish_seal(&mut self, file: SealedFile) -> Result<(), StorageError> {
        let spare = self.end_seal(file)?.remove()?;
        self.keep(spare)
    }

    /// Keeps what is left of a seal for the next one.
    ///
    /// # Errors
    /// The failed operation.
    pub fn keep(&mut self, spare: Option<Spare>) -> Result<(), StorageError> {
        match spare {
            Some(unused) if self.spare.is_some() => self.fs.remove(&unused.0.scratch),
            Some(spare) => {
                self.spare = Some(spare);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Ends a seal: publishes the segment with all that has left it meanwhile, and gives up the log it came from. What
    /// was appended must have been committed: the manifest must not void a copy whose successor is not on disk.
    ///
    /// # Errors
    /// Any error leaves the state unfit for more: latch.
    pub fn end_seal(&mut self, file: SealedFile) -> Result<Leavings, StorageError> {
        let (fs, capacity) = (self.fs.clone(), self.capacity());
        let mut leavings = Leavings { fs, paths: Vec::new(), open: None, capacity };
        let Some(frozen) = self.frozen.take() else { return Ok(leavings) };
        match file.segment {
            Some(segment) => {
                let superseded = Arc::new(superseded_since(&frozen, &segment));
                self.sealed.push_filled(Sealed { segment: Arc::new(segment), superseded }, file.lane);
                self.sealed_views = None;
            }
            None => self.sealed.give_back(file.lane),
        }
        self.first_generation = self.generation;
        self.taken.retain(|taken| taken.generation >= self.generation);
        self.manifest().write(&*self.fs, &self.folder)?;
        self.ids.finish_seal(file.ids)?;
        leavings.paths = self.old_logs()?;
        leavings.open = Some(frozen.open);
        Ok(leavings)
    }

    /// The manifest of what is live. What is being sealed is in its log until then.
    pub(super) fn manifest(&self) -> Manifest {
        let segments = self.sealed.iter().map(|sealed| SegmentEntry {
            id: sealed.segment.id(),
            len: sealed.segment.byte_count(),
            superseded: (*sealed.superseded).clone(),
        });
        Manifest {
            first_generation: self.first_generation,
            next_segment: self.next_segment,
            segments: segments.collect(),
            lake: self.lake.entries(),
            imports: self.imports.clone(),
            positions: self.positions.in_order(),
            taken: self.taken.clone(),
        }
    }

    fn old_logs(&self) -> Result<Vec<PathBuf>, StorageError> {
        let generations = super::recover::log_generations(&*self.fs, &self.folder)?;
        let old = generations.into_iter().filter(|&generation| generation < self.generation);
        Ok(old.map(|generation| log_path(&self.folder, generation)).collect())
    }
}

/// Sessions that left the frozen segment after its job began, as indices in the sealed one.
fn superseded_since(frozen: &Frozen, segment: &Segment) -> Superseded {
    let mut superseded = Superseded::new();
    let reader = frozen.open.arena.reader();
    for ordinal in (&*frozen.open.moved - &frozen.left_out).iter() {
        let key: SessionKey = reader.key(ordinal);
        if let Some(session) = segment.find_session(key) {
            superseded.entry(key.site).or_default().insert(session);
        }
    }
    superseded
}
