//! The facade: open a data folder, append events, take snapshots, close.
//!
//! One writer thread owns the state; a second thread writes segments while it goes on. Queries work on snapshots and
//! never wait for either.

mod aggregator;
mod background;
mod compactor;
mod complaints;
mod mender;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvError, Sender, TrySendError, bounded, never, select};

use crate::error::{CompactionError, StorageError};
use crate::event::{Batch, Item};
use crate::lake::LakeContext;
use crate::limits;
use crate::rebuild::{look_for_damage, wanted};
pub use crate::snapshot::Snapshot;
use crate::units::SiteId;
use crate::vfs::{Fs, SharedFs};
use crate::writer::{Core, Leavings, SealJob, SealedFile, Spare};
pub use crate::writer::{Receipt, StoreOptions};
pub use aggregator::AGGREGATE_ROWS_MIN;
use background::{Leisure, Patience};
pub use compactor::{CompactionFigures, CompactionProgress, CompactionSettings, DaysOf};
use compactor::{Compactor, Counters};
pub use complaints::Tell;

/// Figures about a store, for health and metrics.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Why the store refuses writes, if it does.
    pub latched: Option<String>,
    /// Sealed segments.
    pub segments: usize,
    /// Rows in sealed segments, superseded ones included.
    pub sealed_rows: u64,
    /// Rows in the open segment.
    pub open_rows: u64,
    /// Batches waiting for the writer.
    pub queued_batches: usize,
    /// Bytes of the torn tail that was cut from the log at the start.
    pub torn_tail_bytes: u64,
    /// Event ids that are remembered.
    pub event_ids: u64,
    /// Event ids that were forgotten before their time since the start, because there were too many.
    pub event_ids_dropped_early: u64,
    /// Files of event ids that could not be read at the start.
    pub damaged_id_files: Vec<String>,
    /// Files of the lake.
    pub lake_files: usize,
    /// Rows in them, superseded ones included.
    pub lake_rows: u64,
    /// Sealed segments, files of the lake and dictionaries that were found damaged so far.
    pub damaged_files: usize,
    /// What compaction has done.
    pub compaction: CompactionFigures,
}

/// Called once with what became of a batch.
pub type Done = Box<dyn FnOnce(Result<Receipt, StorageError>) + Send>;

/// Work on the writer's state that must not fall between two of its steps. A failure latches the store, so what can
/// fail without harm is to be told by other means. It gives what is to be called once snapshots show what it did.
type Task = Box<dyn FnOnce(&mut Core) -> (Result<(), StorageError>, Box<dyn FnOnce() + Send>) + Send>;

/// A way to the writer's thread.
#[derive(Clone)]
pub(crate) struct WriterTasks {
    tasks: Sender<Task>,
    shared: Arc<Shared>,
}

impl WriterTasks {
    /// Has something done on the writer's thread, between two groups of batches, and waits for it. What it changed is
    /// seen by snapshots once this returns. An error latches the store: the state may be anything.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Core) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let (report, outcome) = bounded(1);
        let task = move |core: &mut Core| {
            let result = task(core);
            let failed = result.as_ref().err().cloned();
            let report = move || {
                // Who waits has not gone away: it waits below.
                let _ = report.send(result);
            };
            (failed.map_or(Ok(()), Err), Box::new(report) as Box<dyn FnOnce() + Send>)
        };
        self.tasks.send(Box::new(task)).map_err(|_| StorageError::Closed)?;
        outcome.recv().unwrap_or_else(|_| Err(self.shared.latched().unwrap_or(StorageError::Closed)))
    }
}

struct Waiting {
    batch: Batch,
    bytes: usize,
    done: Done,
}

struct Shared {
    snapshot: ArcSwap<Snapshot>,
    latched: Mutex<Option<StorageError>>,
    queued_bytes: AtomicUsize,
    event_ids: AtomicU64,
    event_ids_dropped_early: AtomicU64,
    compaction: Counters,
}

impl Shared {
    fn latched(&self) -> Option<StorageError> {
        self.latched.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first failure closes the store to writing.
    fn latch(&self, error: &StorageError) -> StorageError {
        let mut latched = self.latched.lock().unwrap_or_else(PoisonError::into_inner);
        let reason = error.to_string();
        latched.get_or_insert(StorageError::Latched { reason }).clone()
    }

    fn count_ids(&self, core: &Core) {
        self.event_ids.store(core.ids().count(), Ordering::Relaxed);
        self.event_ids_dropped_early.store(core.ids().dropped_early(), Ordering::Relaxed);
    }
}

/// An open data folder.
pub struct Store {
    shared: Arc<Shared>,
    queue: Option<Sender<Waiting>>,
    tasks: Option<WriterTasks>,
    compactor: Mutex<Option<Compactor>>,
    lake: LakeContext,
    writer: Option<JoinHandle<Result<(), StorageError>>>,
    torn_tail_bytes: u64,
    damaged_id_files: Vec<String>,
}

impl Store {
    /// Opens (or makes) the store in `folder`, takes the folder's lock and recovers what was acknowledged.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has it, [`StorageError::Corrupt`] when damage is found.
    pub fn open(fs: SharedFs, folder: &Path, options: StoreOptions) -> Result<Self, StorageError> {
        let mut core = Core::open(fs, folder, options)?;
        let torn_tail_bytes = core.torn_tail_bytes();
        let lake = core.lake_context().clone();
        let damaged_id_files = core.ids().damage().map(ToString::to_string).collect();
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(core.snapshot()),
            latched: Mutex::new(None),
            queued_bytes: AtomicUsize::new(0),
            event_ids: AtomicU64::new(0),
            event_ids_dropped_early: AtomicU64::new(0),
            compaction: Counters::default(),
        });
        shared.count_ids(&core);
        let (sender, receiver) = bounded(limits::QUEUE_BATCHES_MAX);
        let (tasks, task_receiver) = bounded(1);
        let writer_shared = shared.clone();
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || Writer::new(core, writer_shared).run(&receiver, task_receiver))
            .map_err(|error| StorageError::io("start the writer thread of", folder, &error))?;
        let (queue, writer) = (Some(sender), Some(writer));
        let tasks = Some(WriterTasks { tasks, shared: shared.clone() });
        let compactor = Mutex::new(None);
        Ok(Self { shared, queue, tasks, compactor, lake, writer, torn_tail_bytes, damaged_id_files })
    }

    /// What a folder holds, without opening a store on it or changing anything in it. The folder's lock is taken
    /// meanwhile; what was read is whole when this returns.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn read(fs: SharedFs, folder: &Path) -> Result<Snapshot, StorageError> {
        Core::read(fs, folder)
    }

    /// Refuses a folder of which a newer program wrote a file, without changing anything in it: for those who work on
    /// the folder's small files only. They have its lock.
    ///
    /// # Errors
    /// [`StorageError::Version`], [`StorageError::Corrupt`] of the manifest, or a failed operation.
    pub fn check_versions(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
        Core::check_versions(fs, folder)
    }

    /// Whether something that the snapshot sees is damaged and can be made anew ([`Store::mend`]). Looks at every index.
    pub fn wants_mending(snapshot: &Snapshot) -> bool {
        look_for_damage(snapshot);
        !wanted(snapshot).is_empty()
    }

    /// Queues a batch, which is stored whole or not at all. `done` is called on the writer's thread once the batch
    /// is synced and visible, or has failed; it must not block. Of an item that repeats one which is remembered nothing
    /// is stored; the receipt counts it, and is given only once the first one is synced too.
    ///
    /// # Errors
    /// [`StorageError::Busy`], [`StorageError::Latched`], [`StorageError::TooLarge`]: nothing was queued and `done`
    /// is not called.
    pub fn append(&self, batch: impl Into<Batch>, done: Done) -> Result<(), StorageError> {
        let batch = batch.into();
        if let Some(latched) = self.shared.latched() {
            return Err(latched);
        }
        let events = batch.items.iter().filter_map(|item| item.event.as_ref());
        let bytes: usize = events.map(|event| event.texts.byte_count()).sum();
        let count = batch.items.len();
        if count > limits::BATCH_EVENTS_MAX || bytes > limits::BATCH_BYTES_MAX {
            let what = format!("{count} events with {bytes} bytes of texts");
            return Err(StorageError::TooLarge { what });
        }
        let bytes = bytes + count * size_of::<Item>();
        let queue = self.queue.as_ref().ok_or(StorageError::Closed)?;
        if self.shared.queued_bytes.load(Ordering::Relaxed) > limits::QUEUE_BYTES_MAX {
            return Err(StorageError::Busy);
        }
        self.shared.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        queue.try_send(Waiting { batch, bytes, done }).map_err(|refused| {
            self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            match refused {
                TrySendError::Full(_) => StorageError::Busy,
                TrySendError::Disconnected(_) => StorageError::Closed,
            }
        })
    }

    /// Has something done on the writer's thread: see [`WriterTasks::run`].
    pub(crate) fn on_writer<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Core) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.tasks.as_ref().ok_or(StorageError::Closed)?.run(task)
    }

    /// Brings what is sealed into the lake from now on, in the background.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn start_compaction(&self, settings: CompactionSettings) -> Result<(), StorageError> {
        let tasks = self.tasks.clone().ok_or(StorageError::Closed)?;
        let compactor = Compactor::start(self.shared.clone(), tasks, self.lake.clone(), settings)?;
        *self.compactor.lock().unwrap_or_else(PoisonError::into_inner) = Some(compactor);
        Ok(())
    }

    /// Brings everything that is stored into the lake, and returns when it is there. [`Store::start_compaction`] must
    /// have been called.
    ///
    /// # Errors
    /// See [`CompactionError`]; what is not in the lake stays in segments.
    pub fn compact(
        &self,
        progress: &mut dyn FnMut(CompactionProgress),
    ) -> Result<CompactionProgress, CompactionError> {
        let compactor = self.compactor.lock().unwrap_or_else(PoisonError::into_inner);
        compactor.as_ref().ok_or(StorageError::Closed)?.everything(progress)
    }

    /// Forgets sites, for good: nothing of them is served, compacted or stored from here on, their files in the lake are
    /// removed, and so is what else has nothing but data of theirs. Doing it again changes nothing. A crash may undo it
    /// in part: it is to be done at each start for all sites that are no more.
    ///
    /// # Errors
    /// The store is closed or takes nothing.
    pub fn forget_sites(&self, sites: &BTreeSet<SiteId>) -> Result<(), StorageError> {
        let sites = sites.clone();
        self.on_writer(move |core| core.forget_sites(&sites))
    }

    /// Looks at every index and dictionary and makes those anew that are damaged; returns when that is done. What cannot
    /// be made stays set aside. [`Store::start_compaction`] must have been called.
    ///
    /// # Errors
    /// [`StorageError::Closed`].
    pub fn mend(&self) -> Result<(), StorageError> {
        let compactor = self.compactor.lock().unwrap_or_else(PoisonError::into_inner);
        compactor.as_ref().ok_or(StorageError::Closed)?.mend()
    }

    /// What a query sees now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Figures about the store.
    pub fn status(&self) -> Status {
        let snapshot = self.snapshot();
        let (segments, sealed_rows) = snapshot.sealed_counts();
        let (lake_files, lake_rows) = snapshot.lake().counts();
        Status {
            latched: self.shared.latched().map(|error| error.to_string()),
            segments,
            sealed_rows,
            open_rows: snapshot.open_rows(),
            queued_batches: self.queue.as_ref().map_or(0, Sender::len),
            torn_tail_bytes: self.torn_tail_bytes,
            event_ids: self.shared.event_ids.load(Ordering::Relaxed),
            event_ids_dropped_early: self.shared.event_ids_dropped_early.load(Ordering::Relaxed),
            damaged_id_files: self.damaged_id_files.clone(),
            lake_files,
            lake_rows,
            damaged_files: snapshot.damage().count(),
            compaction: self.shared.compaction.figures(),
        }
    }

    /// Writes what is queued, syncs, ends the log and releases the folder.
    ///
    /// # Errors
    /// The first failed write or sync.
    pub fn close(mut self) -> Result<(), StorageError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), StorageError> {
        // The compactor ends first: it needs the writer.
        drop(self.compactor.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        drop(self.tasks.take());
        drop(self.queue.take());
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(StorageError::Closed),
            None => Ok(()),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A failure was latched and reported to those who waited; there is nobody left to tell.
        let _ = self.stop();
    }
}

type SealResult = Result<SealedFile, StorageError>;

/// The writer thread's loop.
struct Writer {
    core: Core,
    shared: Arc<Shared>,
    /// Brings the result of the seal that is under way.
    sealed: Option<Receiver<SealResult>>,
    /// Until somebody waits for it.
    patience: Option<Patience>,
    /// Removes what the seal before has left, or makes ready what the next one needs.
    spare: Option<JoinHandle<Option<Spare>>>,
    /// It was tried since the last seal.
    spare_tried: bool,
}

/// From so many batches in a group on the next ones are expected to come together, too.
const CROWD_BATCHES: usize = 4;
/// So long a group of a crowd is waited for. Each group costs a write, a sync and some wake-ups, whatever is in it.
const GATHER: Duration = Duration::from_micros(500);

impl Writer {
    fn new(core: Core, shared: Arc<Shared>) -> Self {
        Self { core, shared, sealed: None, patience: None, spare: None, spare_tried: false }
    }

    fn run(mut self, queue: &Receiver<Waiting>, mut tasks: Receiver<Task>) -> Result<(), StorageError> {
        loop {
            let sealed = self.sealed.clone().unwrap_or_else(never);
            select! {
                recv(tasks) -> task => match task {
                    Ok(task) => self.perform(task),
                    Err(_) => tasks = never(),
                },
                recv(queue) -> waiting => match waiting {
                    Ok(first) => self.take(first, queue),
                    Err(_) => break,
                },
                recv(sealed) -> result => self.end_seal(result),
            }
        }
        self.wait_for_seal();
        self.wait_for_spare();
        match self.shared.latched() {
            Some(latched) => Err(latched),
            None => self.core.close(),
        }
    }

    /// Does a task; what it changed is seen by snapshots from then on.
    fn perform(&mut self, task: Task) {
        if self.shared.latched().is_some() {
            return; // Whoever waits for its outcome learns by its being dropped.
        }
        let (result, report) = task(&mut self.core);
        match result {
            Ok(()) => self.publish(),
            Err(error) => {
                self.shared.latch(&error);
            }
        }
        report();
        self.seal_when_full();
    }

    /// Stores the first batch and all that wait behind it with one write and one sync. After the group of a crowd it
    /// pauses, so that the next one is large, too; whoever comes alone never waits.
    fn take(&mut self, first: Waiting, queue: &Receiver<Waiting>) {
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(waiting) = next {
            self.shared.queued_bytes.fetch_sub(waiting.bytes, Ordering::Relaxed);
            let result = match self.shared.latched() {
                Some(latched) => Err(latched),
                None => self.core.append(&waiting.batch).map_err(|error| self.shared.latch(&error)),
            };
            group.push((waiting.done, result));
            let enough = self.core.wants_seal() || self.core.uncommitted_bytes() >= limits::GROUP_BYTES_MAX;
            next = if enough { None } else { queue.try_recv().ok() };
        }
        let is_crowd = group.len() >= CROWD_BATCHES;
        self.acknowledge(group);
        self.seal_when_full();
        self.prepare_seal();
        if is_crowd && queue.len() < CROWD_BATCHES {
            std::thread::sleep(GATHER);
        }
    }

    fn acknowledge(&mut self, group: Vec<(Done, Result<Receipt, StorageError>)>) {
        let failed = match self.shared.latched() {
            Some(latched) => Some(latched),
            None => self.core.commit().err().map(|error| self.shared.latch(&error)),
        };
        if failed.is_none() {
            self.publish();
        }
        for (done, result) in group {
            done(match &failed {
                Some(error) => Err(error.clone()),
                None => result,
            });
        }
    }

    fn publish(&mut self) {
        self.shared.snapshot.store(Arc::new(self.core.snapshot()));
        self.shared.count_ids(&self.core);
    }

    fn seal_when_full(&mut self) {
        while self.shared.latched().is_none() && self.core.wants_seal() {
            if self.sealed.is_some() {
                // The segment before is still being written: events wait in the queue, which is bounded.
                self.wait_for_seal();
                continue;
            }
            // It also removes the logs before: what this seal leaves over must not be among them.
            self.wait_for_spare();
            if self.shared.latched().is_some() {
                return;
            }
            self.spare_tried = false;
            match self.core.begin_seal() {
                Ok(job) => self.start(job),
                Err(error) => {
                    self.shared.latch(&error);
                    return;
                }
            }
            self.publish();
        }
    }

    /// Has made ready what the next seal needs, when it is near.
    fn prepare_seal(&mut self) {
        if self.spare.as_ref().is_some_and(JoinHandle::is_finished) {
            self.wait_for_spare();
        }
        let may = !self.spare_tried && self.spare.is_none() && self.shared.latched().is_none();
        if may && self.core.wants_spare() {
            let job = self.core.spare_job();
            // Should it fail, the seal tries again and says why; until then it is left alone.
            self.spare_tried = true;
            self.spare = background::spawn("opener", move || job.run().ok()).ok();
        }
    }

    fn start(&mut self, job: SealJob) {
        let (report, sealed) = bounded(1);
        self.sealed = Some(sealed);
        let job = Arc::new(job);
        let (on_thread, report_on_thread) = (job.clone(), report.clone());
        let (mut leisure, patience) = Leisure::new();
        self.patience = Some(patience).filter(|_| !job.is_awaited());
        let spawned = background::spawn("sealer", move || {
            let _ = report_on_thread.send(on_thread.run_resting(&mut || leisure.rest()));
        });
        if spawned.is_err() {
            let _ = report.send(job.run());
        }
    }

    fn wait_for_seal(&mut self) {
        self.patience = None;
        if let Some(sealed) = &self.sealed {
            let result = sealed.recv();
            self.end_seal(result);
        }
    }

    /// Takes a seal's result; there is none when its thread ended without one.
    fn end_seal(&mut self, result: Result<SealResult, RecvError>) {
        self.sealed = None;
        if self.shared.latched().is_some() {
            return;
        }
        let result = result
            .unwrap_or_else(|_| Err(StorageError::Latched { reason: "the sealing thread is gone".into() }));
        match result.and_then(|file| self.core.end_seal(file)) {
            Ok(leavings) => {
                self.publish();
                self.remove(leavings);
            }
            Err(error) => {
                self.shared.latch(&error);
            }
        }
    }

    fn remove(&mut self, leavings: Leavings) {
        let shared = self.shared.clone();
        let work = move || leavings.remove().inspect_err(|error| drop(shared.latch(error))).ok().flatten();
        // Nobody has wanted a spare since the seal began. Without a thread they stay until the next start.
        self.spare = background::spawn("remover", work).ok();
    }

    fn wait_for_spare(&mut self) {
        if let Some(making) = self.spare.take() {
            // It does not panic; if it did, the next start would remove what is left.
            let spare = making.join().ok().flatten();
            if let Err(error) = self.core.keep(spare) {
                self.shared.latch(&error);
            }
        }
    }
}
