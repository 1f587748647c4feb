//! Has indexes and dictionaries that are damaged made anew, in the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::complaints::{Complaints, Tell};
use super::{Shared, WriterTasks};
use crate::error::{CompactionError, StorageError};
use crate::lake::LakeContext;
use crate::rebuild::{Extent, Means, RebuildJob, wanted};
use crate::units::SiteId;

/// How long it leaves a failure alone.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// How long it waits for an import, or for what came in between.
const WAIT: Duration = Duration::from_secs(1);

/// What it takes.
pub(super) struct Mender {
    pub shared: Arc<Shared>,
    pub tasks: WriterTasks,
    pub context: LakeContext,
    pub tell: Tell,
    pub complaints: Arc<Complaints>,
    pub stopping: Arc<AtomicBool>,
}

/// When it looks.
#[derive(Default)]
pub(super) struct Schedule {
    /// How often damage had been found when it looked last.
    seen: u64,
    /// When it tries again what it could not do.
    again: Option<Instant>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Mended {
    /// Sites of which something was made anew.
    pub sites: usize,
    /// When to try again.
    again: Option<Duration>,
}

impl Mender {
    /// Makes anew what was found damaged since the last time.
    pub fn look(&self, schedule: &mut Schedule, rest: &mut dyn FnMut()) {
        let found = self.context.damage_count.load(Ordering::Relaxed);
        let is_time = schedule.again.is_some_and(|again| Instant::now() >= again);
        if found == schedule.seen && !is_time {
            return;
        }
        schedule.seen = found;
        schedule.again = self.mend(rest).again.map(|wait| Instant::now() + wait);
    }

    /// Makes anew what was found damaged. What cannot be made stays set aside.
    pub fn mend(&self, rest: &mut dyn FnMut()) -> Mended {
        let mut mended = Mended::default();
        let snapshot = self.shared.snapshot.load_full();
        for (site, extent) in wanted(&snapshot) {
            if self.stopping.load(Ordering::Relaxed) {
                break;
            }
            let host = snapshot.lake().site(site).map_or("", |lake| lake.host.as_str());
            let what = format!("make what is damaged of {host} anew");
            let result = self.rebuild(site, extent, rest);
            self.complaints.note(&what, result.as_ref());
            let wait = match result {
                Ok(true) => {
                    mended.sites += 1;
                    continue;
                }
                Ok(false) => WAIT,
                Err(_) => {
                    self.shared.compaction.failures.fetch_add(1, Ordering::Relaxed);
                    RETRY_AFTER
                }
            };
            mended.again = Some(mended.again.map_or(wait, |known| known.min(wait)));
        }
        mended
    }

    /// Makes something of a site anew. Whether it was: something may be in the way now.
    ///
    /// # Errors
    /// It could not be done; all is as it was.
    pub fn rebuild(
        &self,
        site: SiteId,
        extent: Extent,
        rest: &mut dyn FnMut(),
    ) -> Result<bool, CompactionError> {
        match self.try_rebuild(site, extent, rest) {
            Err(CompactionError::Codes(_)) if extent == Extent::Indexes => {
                self.try_rebuild(site, Extent::Everything, rest)
            }
            result => result,
        }
    }

    fn try_rebuild(
        &self,
        site: SiteId,
        extent: Extent,
        rest: &mut dyn FnMut(),
    ) -> Result<bool, CompactionError> {
        // What the writer did before it knew of the damage is in snapshots after this.
        self.tasks.run(|_| Ok(()))?;
        let snapshot = self.shared.snapshot.load_full();
        if snapshot.importing == Some(site) {
            return Ok(false);
        }
        let Some(job) = RebuildJob::new(&self.context, &snapshot, site, extent) else { return Ok(false) };
        drop(snapshot);
        // Without its dictionary nothing of the site is answered: there is nobody to be considerate of.
        let mut rest = || {
            if extent == Extent::Indexes {
                rest()
            }
        };
        let mut means = Means {
            number: &mut || self.tasks.run(|core| Ok(core.take_number())),
            codes: &mut |column| {
                let codes = self.tasks.run(move |core| Ok(core.reserve_codes(site, column)))?;
                codes.ok_or(StorageError::Busy)
            },
            agree: &mut |dictionary| {
                self.tasks.run(move |core| {
                    core.begin_rebuild(dictionary);
                    Ok(())
                })?;
                Ok(self.shared.snapshot.load_full())
            },
            watch: &mut || {
                rest();
                if self.stopping.load(Ordering::Relaxed) { Err("the store is being closed") } else { Ok(()) }
            },
        };
        let made = job.run(&mut means);
        let made = made.inspect_err(|_| self.end())?;
        if made.files.is_empty() {
            self.end();
            return Ok(false);
        }
        let (count, words) = (made.count(), made.in_words());
        let is_published = self.tasks.run(move |core| core.publish_rebuilt(made))?;
        if is_published {
            self.shared.compaction.rebuilt.fetch_add(count, Ordering::Relaxed);
            (self.tell)(&words);
        }
        Ok(is_published)
    }

    /// Nothing came of it.
    fn end(&self) {
        // Should the store be closed, nobody needs to know.
        let _ = self.tasks.run(|core| {
            core.end_rebuild();
            Ok(())
        });
    }
}
