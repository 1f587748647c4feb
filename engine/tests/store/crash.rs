//! A scripted workload is crashed at every operation on the simulated disk, also during recovery.
//!
//! After each crash: every acknowledged batch is there, none half, none invented; opening again changes nothing; the
//! store takes the rest of the workload and equals the model.

use std::path::Path;
use std::sync::Arc;

use hitstone_engine::error::StorageError;
use hitstone_engine::event::Event;
use hitstone_engine::store::StoreOptions;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::{Core, SealJob};

use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::workload::{SITES, Workload};

const SEAL_ROWS: usize = 24;

fn open(fs: &SimFs) -> Result<Core, StorageError> {
    let options = StoreOptions { seal_rows: SEAL_ROWS, ..StoreOptions::default() };
    Core::open(Arc::new(fs.clone()), Path::new("/data"), options)
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

/// Appends events without ids.
fn plain(core: &mut Core, batch: &impl AsRef<[Event]>) -> Result<(), StorageError> {
    core.append_events(batch.as_ref()).map(drop)
}

fn script(seed: u64, count: usize) -> Vec<Vec<Event>> {
    let mut workload = Workload::new(seed, 4);
    (0..count).map(|_| workload.batch()).collect()
}

fn model_of(batches: &[Vec<Event>]) -> Model {
    let mut model = Model::default();
    batches.iter().flatten().for_each(|event| model.append(event));
    model
}

/// Which prefix of the batches the store holds: all acknowledged ones, and perhaps the one that was under way.
fn recovered_prefix(core: &mut Core, batches: &[Vec<Event>], acknowledged: usize, context: &str) -> usize {
    let found = of_snapshot(&core.snapshot(), &SITES);
    let under_way = (acknowledged + 1).min(batches.len());
    if found == of_model(&model_of(&batches[..under_way])) {
        return under_way;
    }
    assert_same(&found, &of_model(&model_of(&batches[..acknowledged])), context);
    acknowledged
}

fn check_after_crash(fs: &SimFs, batches: &[Vec<Event>], acknowledged: usize, context: &str) {
    let mut core = open(fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    core.snapshot().verify().unwrap();
    let prefix = recovered_prefix(&mut core, batches, acknowledged, context);
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    let again = of_snapshot(&core.snapshot(), &SITES);
    assert_same(&again, &of_model(&model_of(&batches[..prefix])), &format!("{context}, opened again"));
    let mut more = 0;
    drive(&mut core, &batches[prefix..], &mut more, plain)
        .unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = of_snapshot(&core.snapshot(), &SITES);
    assert_same(&found, &of_model(&model_of(batches)), &format!("{context}, at the end"));
}

/// Runs the script on a disk that dies at operation `at`; returns the disk and how many batches were acknowledged.
fn run_until(seed: u64, at: Option<u64>, batches: &[Vec<Event>]) -> (SimFs, usize) {
    let fs = SimFs::new(seed);
    if let Some(at) = at {
        fs.set_crash_at(at);
    }
    let mut acknowledged = 0;
    if let Ok(mut core) = open(&fs) {
        let _ = drive(&mut core, batches, &mut acknowledged, plain);
    }
    (fs, acknowledged)
}

fn crash_points(seed: u64, batch_count: usize, recovery_every: u64) -> (u64, u64) {
    let batches = script(seed, batch_count);
    let (fs, _) = run_until(seed, None, &batches);
    let operations = fs.operation_count();
    let mut in_recovery = 0;
    for at in 0..operations {
        let (fs, acknowledged) = run_until(seed, Some(at), &batches);
        let after = fs.crash(seed ^ at);
        let context = format!("seed {seed}, crash at operation {at} of {operations}");
        check_after_crash(&after, &batches, acknowledged, &context);
        if at % recovery_every == 0 {
            let again = fs.crash(seed ^ at);
            in_recovery += crash_recovery(&again, &batches, acknowledged, &context);
        }
    }
    (operations, in_recovery)
}

/// Crashes the recovery of a crashed disk at each of its operations.
fn crash_recovery(crashed: &SimFs, batches: &[Vec<Event>], acknowledged: usize, context: &str) -> u64 {
    let whole = crashed.kill();
    let before = whole.operation_count();
    drop(open(&whole).unwrap());
    let operations = whole.operation_count() - before;
    for at in 0..operations {
        let fs = crashed.kill();
        fs.set_crash_at(fs.operation_count() + at);
        drop(open(&fs));
        let context = format!("{context}, then recovery at operation {at} of {operations}");
        check_after_crash(&fs.crash(at), batches, acknowledged, &context);
    }
    operations
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    let seeds = std::env::var("HITSTONE_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    for seed in 1..=seeds {
        let (operations, in_recovery) = crash_points(seed, 40, 7);
        println!("seed {seed}: {operations} crash points, {in_recovery} more during recovery");
    }
}

#[test]
fn the_first_failed_operation_is_reported_and_the_rest_is_safe() {
    let batches = script(77, 30);
    let (fs, _) = run_until(77, None, &batches);
    for at in 0..fs.operation_count() {
        for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::Other] {
            let fs = SimFs::new(at);
            fs.fail_at(at, kind);
            let mut acknowledged = 0;
            let Ok(mut core) = open(&fs) else { continue };
            let result = drive(&mut core, &batches, &mut acknowledged, plain);
            drop(core);
            assert!(result.is_err(), "operation {at} failed and nobody noticed");
            let context = format!("{kind:?} at operation {at}");
            check_after_crash(&fs.crash(at), &batches, acknowledged, &context);
        }
    }
}
