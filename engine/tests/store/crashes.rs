//! Scripts that are crashed at each of their operations on the simulated disk, and those of the recovery after it.

use hitstone_engine::error::StorageError;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::{Core, SealJob};

use crate::setup;

/// Small segments, so that a short script seals often.
pub const SEAL_ROWS: usize = 24;

pub fn open(fs: &SimFs) -> Result<Core, StorageError> {
    setup::open(fs, SEAL_ROWS)
}

/// What a crash left.
pub struct Crash<D> {
    left: SimFs,
    /// What the script had done by then.
    pub done: D,
    /// At which operation it was crashed.
    pub at: u64,
    /// Where that was, for messages.
    pub context: String,
}

/// Runs a script undisturbed, and then on disks that die at each of its operations in turn, `check` looking at each.
/// Returns what it did undisturbed.
pub fn at_every_operation<D: Copy>(
    seed: u64,
    run: impl Fn(&SimFs) -> D,
    mut check: impl FnMut(&Crash<D>),
) -> D {
    let whole = SimFs::new(seed);
    let all = run(&whole);
    let operations = whole.operation_count();
    for at in 0..operations {
        let fs = SimFs::new(seed);
        fs.set_crash_at(at);
        let done = run(&fs);
        let context = format!("seed {seed}, crash at operation {at} of {operations}");
        check(&Crash::new(fs.crash(seed ^ at), done, at, context));
    }
    println!("seed {seed}: {operations} crash points");
    all
}

impl<D: Copy> Crash<D> {
    pub fn new(left: SimFs, done: D, at: u64, context: String) -> Self {
        Self { left, done, at, context }
    }

    /// The disk as the crash left it, each time anew.
    pub fn disk(&self) -> SimFs {
        self.left.kill()
    }

    /// Crashes the recovery, too, at each of its operations. Returns how many it has.
    pub fn in_recovery(&self, check: impl Fn(&Self)) -> u64 {
        let whole = self.disk();
        drop(open(&whole).unwrap());
        let operations = whole.operation_count();
        for at in 0..operations {
            let fs = self.disk();
            fs.set_crash_at(at);
            drop(open(&fs));
            let context = format!("{}, then recovery at operation {at} of {operations}", self.context);
            check(&Self::new(fs.crash(at), self.done, at, context));
        }
        operations
    }
}

/// Opens the store of a disk and drives it as far as that goes. Returns how many batches were acknowledged.
pub fn acknowledged<T>(
    fs: &SimFs,
    drive: impl FnOnce(&mut Core, &mut usize) -> Result<T, StorageError>,
) -> usize {
    let mut acknowledged = 0;
    if let Ok(mut core) = open(fs) {
        let _ = drive(&mut core, &mut acknowledged);
    }
    acknowledged
}

/// Appends batches, sealing when full; a seal ends one to four batches after it began, so that sessions leave it while
/// it is written. Counts the acknowledged.
pub fn drive<B>(
    core: &mut Core,
    batches: &[B],
    acknowledged: &mut usize,
    append: impl Fn(&mut Core, &B) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    let mut sealing: Option<(SealJob, usize)> = None;
    for (at, batch) in batches.iter().enumerate() {
        append(core, batch)?;
        core.commit()?;
        *acknowledged += 1;
        if let Some((job, _)) = sealing.take_if(|(_, until)| *until <= at) {
            let file = job.run()?;
            core.finish_seal(file)?;
        }
        if sealing.is_none() && core.wants_seal() {
            sealing = Some((core.begin_seal()?, at + 1 + at % 4));
        }
    }
    if let Some((job, _)) = sealing {
        let file = job.run()?;
        core.finish_seal(file)?;
    }
    Ok(())
}
