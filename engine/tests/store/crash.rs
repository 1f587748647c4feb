//! A scripted workload is crashed at every operation on the simulated disk, also during recovery.
//!
//! After each crash: every acknowledged batch is there, none half, none invented; opening again changes nothing; the
//! store takes the rest of the workload and equals the model.

use std::path::Path;

use hitstone_engine::error::StorageError;
use hitstone_engine::event::Event;
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::crashes::{Crash, acknowledged, at_every_operation, drive, open};
use crate::dump::{Content, assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::setup::{FOLDER, seeds};
use crate::workload::{SITES, Workload};

/// Appends events without ids.
fn plain(core: &mut Core, batch: &impl AsRef<[Event]>) -> Result<(), StorageError> {
    core.append_events(batch.as_ref()).map(drop)
}

/// Seeded batches.
pub fn script(seed: u64, count: usize) -> Vec<Vec<Event>> {
    let mut workload = Workload::new(seed, 4).with_overtaken();
    (0..count).map(|_| workload.batch()).collect()
}

/// What a store of these batches holds.
pub fn model_of(batches: &[Vec<Event>]) -> Content {
    let mut model = Model::default();
    batches.iter().flatten().for_each(|event| model.append(event));
    of_model(&model)
}

/// What a store holds.
pub fn content(core: &mut Core) -> Content {
    of_snapshot(&core.snapshot(), &SITES)
}

/// Which prefix of the batches the store holds: all acknowledged ones, and perhaps the one that was under way.
fn recovered_prefix(core: &mut Core, batches: &[Vec<Event>], crash: &Crash<usize>) -> usize {
    let found = content(core);
    let under_way = (crash.done + 1).min(batches.len());
    if found == model_of(&batches[..under_way]) {
        return under_way;
    }
    assert_same(&found, &model_of(&batches[..crash.done]), &crash.context);
    crash.done
}

/// Checks what a crash left of these batches; `drive` appends the rest.
pub fn check_after_crash<T>(
    crash: &Crash<usize>,
    batches: &[Vec<Event>],
    drive: impl FnOnce(&mut Core, &[Vec<Event>]) -> Result<T, StorageError>,
) {
    let (fs, context) = (crash.disk(), &crash.context);
    let mut core = open(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    core.snapshot().verify().unwrap();
    let is_scratch = |name: &String| name.starts_with("gathering-");
    assert!(!fs.list(Path::new(FOLDER)).unwrap().iter().any(is_scratch), "{context}");
    let prefix = recovered_prefix(&mut core, batches, crash);
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    assert_same(&content(&mut core), &model_of(&batches[..prefix]), &format!("{context}, opened again"));
    drive(&mut core, &batches[prefix..]).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_same(&content(&mut core), &model_of(batches), &format!("{context}, at the end"));
}

fn run(fs: &SimFs, batches: &[Vec<Event>]) -> usize {
    acknowledged(fs, |core, count| drive(core, batches, count, plain))
}

fn check(crash: &Crash<usize>, batches: &[Vec<Event>]) {
    check_after_crash(crash, batches, |core, rest| drive(core, rest, &mut 0, plain));
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged() {
    for seed in seeds("HITSTONE_CRASH_SEEDS", 3) {
        let batches = script(seed, 40);
        let mut in_recovery = 0;
        let all = at_every_operation(
            seed,
            |fs| run(fs, &batches),
            |crash| {
                check(crash, &batches);
                if crash.at % 7 == 0 {
                    in_recovery += crash.in_recovery(|crash| check(crash, &batches));
                }
            },
        );
        assert_eq!(all, batches.len());
        println!("seed {seed}: {in_recovery} more crash points during recovery");
    }
}

#[test]
fn the_first_failed_operation_is_reported_and_the_rest_is_safe() {
    let batches = script(77, 30);
    let whole = SimFs::new(77);
    run(&whole, &batches);
    for at in 0..whole.operation_count() {
        for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::Other] {
            let fs = SimFs::new(at);
            fs.fail_at(at, kind);
            let mut acknowledged = 0;
            let Ok(mut core) = open(&fs) else { continue };
            let result = drive(&mut core, &batches, &mut acknowledged, plain);
            drop(core);
            assert!(result.is_err(), "operation {at} failed and nobody noticed");
            let context = format!("{kind:?} at operation {at}");
            check(&Crash::new(fs.crash(at), acknowledged, at, context), &batches);
        }
    }
}
