//! The thread that brings sealed segments into the lake, one file at a time.
//!
//! It works on a snapshot and hands what it made to the writer's thread. A failure costs nothing but the attempt: the
//! segments keep what they have, and the thread tries again later.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::complaints::{Complaints, Tell};
use super::mender::{Mender, Schedule};
use super::{Shared, WriterTasks, aggregator, background};
use crate::aggregate::LocalDays;
use crate::compaction::{CompactionJob, Situation, Step};
use crate::error::{CompactionError, StorageError};
use crate::lake::{LakeContext, remove_temporaries};
use crate::rebuild::{Extent, look_for_damage};
use crate::units::{DayUtc, SiteId, TimestampMs};

/// How often it looks whether something was sealed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it looks whether a month is over.
const LOOK_AT_TIME_EVERY: Duration = Duration::from_secs(60);
/// How long it leaves a failure alone.
const RETRY_AFTER: Duration = Duration::from_secs(300);
/// How often damage that turns up on demand is mended, should there be ever more.
const MEND_TURNS: usize = 3;
/// How often it asks whether a seal, or an import, is over.
const SEAL_POLL: Duration = Duration::from_millis(10);
/// How long it waits for these before it says so.
const SILENCE: Duration = Duration::from_secs(1);

/// Gives the local days that hold a span.
pub type DaysOf = Arc<dyn Fn(SiteId, &Range<TimestampMs>) -> Option<LocalDays> + Send + Sync>;

/// What compaction needs to know of the world.
#[derive(Clone)]
pub struct CompactionSettings {
    /// The host name of a site: its folder's name when its first file is written. A site without one waits.
    pub host_of: Arc<dyn Fn(SiteId) -> Option<String> + Send + Sync>,
    /// The local days of a site's zone that hold a span; `None` for a site that is gone.
    pub days_of: DaysOf,
    /// What time it is, milliseconds.
    pub clock: Arc<dyn Fn() -> TimestampMs + Send + Sync>,
    /// Files of the lake with so many rows are counted beforehand; usually [`super::AGGREGATE_ROWS_MIN`].
    pub aggregate_rows_min: u64,
    /// The share of a processor that it takes in the background, more than 0, at most 1.
    pub share: f64,
    /// Is told what was made anew because it was damaged, and why something could not be done.
    pub tell: Tell,
}

/// What compaction has done since the start.
#[derive(Debug, Clone, Default)]
pub struct CompactionFigures {
    /// Files of the lake that were written.
    pub files: u64,
    /// Rows that came from segments.
    pub new_rows: u64,
    /// Rows that were written, those that were in the lake before included.
    pub written_rows: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Indexes and dictionaries that were made anew because they were damaged.
    pub rebuilt: u64,
}

/// How far a compaction on demand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CompactionProgress {
    /// Files that are written.
    pub files: u64,
    /// Rows that came from segments.
    pub rows: u64,
    /// Rows that still wait in segments.
    pub waiting_rows: u64,
    /// What it waits for, when that has taken a while.
    pub waits_for: Option<&'static str>,
}

/// Counters that others read while the thread works.
#[derive(Default)]
pub(super) struct Counters {
    files: AtomicU64,
    new_rows: AtomicU64,
    written_rows: AtomicU64,
    written_bytes: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) rebuilt: AtomicU64,
}

impl Counters {
    pub(super) fn figures(&self) -> CompactionFigures {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CompactionFigures {
            files: of(&self.files),
            new_rows: of(&self.new_rows),
            written_rows: of(&self.written_rows),
            written_bytes: of(&self.written_bytes),
            failures: of(&self.failures),
            rebuilt: of(&self.rebuilt),
        }
    }
}

/// What the thread is told.
enum Command {
    /// Bring everything into the lake.
    Everything(Sender<Report>),
    /// Make anew what is damaged and can be.
    Mend(Sender<()>),
}

/// What whoever asked for everything is told.
enum Report {
    Progress(CompactionProgress),
    Done(Result<CompactionProgress, CompactionError>),
}

/// A handle on the thread, which ends when this is dropped.
pub(super) struct Compactor {
    commands: Option<Sender<Command>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Compactor {
    pub(super) fn start(
        shared: Arc<Shared>,
        tasks: WriterTasks,
        context: LakeContext,
        settings: CompactionSettings,
    ) -> Result<Self, StorageError> {
        let (commands, received) = unbounded();
        let stopping = Arc::new(AtomicBool::new(false));
        let folder = context.folder.clone();
        let window_ms = tasks.run(|core| Ok(core.session_window_ms()))?;
        let complaints = Complaints::new(settings.tell.clone());
        let mender = Mender {
            shared: shared.clone(),
            tasks: tasks.clone(),
            context: context.clone(),
            tell: settings.tell.clone(),
            complaints: complaints.clone(),
            stopping: stopping.clone(),
        };
        let work = Work {
            shared,
            tasks,
            context,
            settings,
            window_ms,
            stopping: stopping.clone(),
            mender,
            complaints,
        };
        let thread = background::spawn("compactor", move || work.run(&received))
            .map_err(|error| StorageError::io("start the compacting thread of", &folder, &error))?;
        Ok(Self { commands: Some(commands), stopping, thread: Some(thread) })
    }

    /// Makes anew what is damaged and can be.
    pub(super) fn mend(&self) -> Result<(), StorageError> {
        let (done, is_done) = bounded(1);
        let commands = self.commands.as_ref().ok_or(StorageError::Closed)?;
        commands.send(Command::Mend(done)).map_err(|_| StorageError::Closed)?;
        is_done.recv().map_err(|_| StorageError::Closed)
    }

    /// Brings everything into the lake, and tells how far it is.
    pub(super) fn everything(
        &self,
        progress: &mut dyn FnMut(CompactionProgress),
    ) -> Result<CompactionProgress, CompactionError> {
        let (report, reports) = bounded(1);
        let commands = self.commands.as_ref().ok_or(StorageError::Closed)?;
        commands.send(Command::Everything(report)).map_err(|_| StorageError::Closed)?;
        loop {
            match reports.recv() {
                Ok(Report::Progress(so_far)) => progress(so_far),
                Ok(Report::Done(result)) => return result,
                Err(_) => return Err(StorageError::Closed.into()),
            }
        }
    }
}

impl Drop for Compactor {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            // It has no result; a panic in it was told by its message.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Work {
    shared: Arc<Shared>,
    tasks: WriterTasks,
    context: LakeContext,
    settings: CompactionSettings,
    window_ms: i64,
    stopping: Arc<AtomicBool>,
    mender: Mender,
    complaints: Arc<Complaints>,
}

impl Work {
    fn run(self, commands: &Receiver<Command>) {
        let removed = remove_temporaries(&*self.context.fs, &self.context.folder);
        if let Err(error) = removed {
            // They cost nothing but room; the next start tries again.
            self.shared.compaction.failures.fetch_add(1, Ordering::Relaxed);
            self.complaints.note::<()>("remove what a crash has left in the lake", Err(&error.into()));
        }
        aggregator::take_all(&self.context, &self.shared.snapshot.load(), &self.settings);
        let (mut looked_at, mut look_at) = (None, Instant::now());
        let mut mending = Schedule::default();
        loop {
            match commands.recv_timeout(LOOK_EVERY) {
                Ok(Command::Everything(report)) => {
                    let result = self.everything(&report);
                    // Whoever asked may have gone away.
                    let _ = report.send(Report::Done(result));
                }
                Ok(Command::Mend(done)) => {
                    look_for_damage(&self.shared.snapshot.load());
                    self.mender.mend(&mut || ());
                    // Whoever asked may have gone away.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    let mut pace = Pace::new(self.settings.share);
                    self.mender.look(&mut mending, &mut || pace.rest());
                    let newest = self.shared.snapshot.load().newest_segment();
                    if looked_at == Some(newest) && Instant::now() < look_at {
                        continue;
                    }
                    let pause = match self.due(commands) {
                        Ok(()) => LOOK_AT_TIME_EVERY,
                        Err(_) => RETRY_AFTER,
                    };
                    (looked_at, look_at) = (Some(newest), Instant::now() + pause);
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes what is due, until nothing is or somebody asks for more.
    fn due(&self, commands: &Receiver<Command>) -> Result<(), CompactionError> {
        while commands.is_empty() && !self.stopping.load(Ordering::Relaxed) {
            let now = (self.settings.clock)();
            let settled = now.saturating_sub(self.window_ms);
            let situation = Situation::of(&self.shared.snapshot.load(), &*self.settings.host_of, settled);
            let Some(step) = situation.next_step(DayUtc::of(now), false) else { return self.aggregate() };
            let mut pace = Pace::new(self.settings.share);
            match self.write(step, settled, &mut || pace.rest()) {
                Err(error) if !self.is_no_more(&step) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Seals what is open and writes all that waits.
    fn everything(&self, report: &Sender<Report>) -> Result<CompactionProgress, CompactionError> {
        self.tasks.run(|core| {
            core.request_seal();
            Ok(())
        })?;
        self.wait(report)?;
        let (mut progress, mut mend_turns) = (CompactionProgress::default(), MEND_TURNS);
        look_for_damage(&self.shared.snapshot.load());
        self.mender.mend(&mut || ());
        loop {
            let snapshot = self.shared.snapshot.load();
            let situation = Situation::of(&snapshot, &*self.settings.host_of, TimestampMs::MAX);
            drop(snapshot);
            progress.waiting_rows = situation.waiting_rows();
            let today = DayUtc::of((self.settings.clock)());
            let Some(step) = situation.next_step(today, true) else {
                self.aggregate()?;
                // Damage that turned up while files were written.
                let is_mended = mend_turns > 0 && self.mender.mend(&mut || ()).sites > 0;
                if is_mended {
                    mend_turns -= 1;
                    continue;
                }
                let damage = self.shared.snapshot.load().damage().next();
                return damage.map_or(Ok(progress), |damage| Err(damage.into()));
            };
            // Whoever asked may have gone away; the work is worth doing all the same.
            let _ = report.send(Report::Progress(progress));
            match self.write(step, TimestampMs::MAX, &mut || ()) {
                Ok(rows) => progress.rows += rows,
                // Damage of one file concerns no other, nor does the end of a site.
                Err(_) if self.is_no_more(&step) => continue,
                Err(error) => return Err(error),
            }
            progress.files += 1;
        }
    }

    /// Waits for a seal, and for an import: what one has published is left alone until it has ended.
    fn wait(&self, report: &Sender<Report>) -> Result<(), CompactionError> {
        let (began, mut is_told) = (Instant::now(), false);
        // Each question makes a new snapshot.
        while let Some(what) =
            self.tasks.run(|core| Ok(in_the_way(core.is_importing(), core.is_sealing())))?
        {
            if self.stopping.load(Ordering::Relaxed) {
                return Err(StorageError::Closed.into());
            }
            if !is_told && began.elapsed() >= SILENCE {
                is_told = true;
                let progress = CompactionProgress { waits_for: Some(what), ..Default::default() };
                // Whoever asked may have gone away; the work is worth doing all the same.
                let _ = report.send(Report::Progress(progress));
            }
            std::thread::sleep(SEAL_POLL);
        }
        Ok(())
    }

    /// Whether the step is none any more: its site is gone, or damage keeps its file from being written.
    fn is_no_more(&self, step: &Step) -> bool {
        let snapshot = self.shared.snapshot.load();
        self.is_gone(step.site)
            || snapshot.lake().site(step.site).is_some_and(|lake| lake.is_stuck(|key| key == step.key))
    }

    fn is_gone(&self, site: SiteId) -> bool {
        (self.settings.host_of)(site).is_none()
    }

    /// Makes the aggregates that are missing.
    fn aggregate(&self) -> Result<(), CompactionError> {
        let snapshot = self.shared.snapshot.load_full();
        let stopped = || self.stopping.load(Ordering::Relaxed).then_some("the store is being closed");
        let result = aggregator::keep(&self.context, &snapshot, &self.settings, &stopped);
        let counter = if result.is_ok() {
            &self.shared.compaction.written_bytes
        } else {
            &self.shared.compaction.failures
        };
        counter.fetch_add(*result.as_ref().unwrap_or(&1), Ordering::Relaxed);
        self.complaints.note("count what is in the lake beforehand", result.as_ref());
        result.map(drop)
    }

    /// Writes and publishes one file; gives the rows that came from segments.
    fn write(
        &self,
        step: Step,
        settled: TimestampMs,
        rest: &mut dyn FnMut(),
    ) -> Result<u64, CompactionError> {
        let result = match self.try_write(step, settled, rest) {
            Err(CompactionError::Codes(site)) => {
                let rebuilt = self.mender.rebuild(site, Extent::Everything, rest);
                rebuilt.and_then(|_| self.try_write(step, settled, rest))
            }
            result => result,
        };
        if result.is_err() && !self.is_gone(step.site) {
            self.shared.compaction.failures.fetch_add(1, Ordering::Relaxed);
        }
        // Damage that keeps a file from being written is told when it is found, and is not tried again; nor is a site that is gone.
        if result.is_ok() || !self.is_no_more(&step) {
            let host = (self.settings.host_of)(step.site).unwrap_or_default();
            let what = format!("write {} of {host} into the lake", step.key);
            self.complaints.note(&what, result.as_ref());
        }
        result
    }

    fn try_write(
        &self,
        step: Step,
        settled: TimestampMs,
        rest: &mut dyn FnMut(),
    ) -> Result<u64, CompactionError> {
        let host = (self.settings.host_of)(step.site).ok_or(CompactionError::NoHost(step.site))?;
        let numbers = self.tasks.run(|core| Ok(core.take_numbers()))?;
        let snapshot = self.shared.snapshot.load_full();
        if snapshot.importing == Some(step.site) {
            return Ok(0); // It began just now.
        }
        let job = CompactionJob::new(&self.context, &snapshot, step, host, numbers, settled);
        let mut watch = || {
            rest();
            if self.is_gone(step.site) {
                return Err("the site has been deleted");
            }
            if self.stopping.load(Ordering::Relaxed) { Err("the store is being closed") } else { Ok(()) }
        };
        let made = job.run(&mut watch)?;
        drop(snapshot);
        let counters = &self.shared.compaction;
        let new_rows = made.new_rows;
        counters.files.fetch_add(1, Ordering::Relaxed);
        counters.new_rows.fetch_add(new_rows, Ordering::Relaxed);
        counters.written_rows.fetch_add(made.entry.rows, Ordering::Relaxed);
        counters.written_bytes.fetch_add(made.bytes(), Ordering::Relaxed);
        let is_published = self.tasks.run(move |core| core.publish_compacted(made))?;
        Ok(if is_published { new_rows } else { 0 })
    }
}

/// What everything has to wait for, in words.
fn in_the_way(is_importing: bool, is_sealing: bool) -> Option<&'static str> {
    if is_importing { Some("an import to end") } else { is_sealing.then_some("a segment to be written") }
}

/// Rests as long as it takes to keep to a share of a processor.
struct Pace {
    share: f64,
    began: Instant,
}

impl Pace {
    fn new(share: f64) -> Self {
        Self { share: share.clamp(0.01, 1.0), began: Instant::now() }
    }

    fn rest(&mut self) {
        let pause = self.began.elapsed().mul_f64((1.0 - self.share) / self.share);
        std::thread::sleep(pause.min(Duration::from_secs(1)));
        self.began = Instant::now();
    }
}
