//! Followed files: how far each was taken is stored with the events up to there, so that after any crash going on from
//! there stores everything once.

use std::path::Path;
use std::sync::Arc;

use hitstone_engine::error::StorageError;
use hitstone_engine::event::{Batch, Event, FileIdentity, Position};
use hitstone_engine::limits::POSITIONS_MAX;
use hitstone_engine::store::Store;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::crashes::{Crash, acknowledged, at_every_operation, drive, open};
use crate::dump::{assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::setup::FOLDER;
use crate::workload::{SITES, Workload};

/// A file that was rotated, and the one that came after it.
const FILES: [FileIdentity; 2] = [[1; 16], [2; 16]];

/// What a follower sends: the lines of the first file, then those of the second. Each line is one byte long here; now
/// and then all lines of a batch are ignored.
fn script(seed: u64, count: usize) -> Vec<Batch> {
    let mut workload = Workload::new(seed, 4);
    let mut offsets = [0; 2];
    let batch = |at: usize| {
        let file = usize::from(at * 3 > count * 2);
        let events: Vec<Event> = if at % 9 == 5 { Vec::new() } else { workload.batch() };
        offsets[file] += events.len().max(1) as u64;
        let position = Position { identity: FILES[file], offset: offsets[file] };
        Batch { position: Some(position), ..Batch::from(events) }
    };
    (0..count).map(batch).collect()
}

fn append(core: &mut Core, batch: &Batch) -> Result<(), StorageError> {
    core.append(batch).map(drop)
}

fn model_of(batches: &[Batch]) -> Model {
    let mut model = Model::default();
    let items = batches.iter().flat_map(|batch| &batch.items);
    items.filter_map(|item| item.event.as_ref()).for_each(|event| model.append(event));
    model
}

/// How many batches are stored as far as the positions say.
fn taken(core: &mut Core, batches: &[Batch]) -> usize {
    let snapshot = core.snapshot();
    let is_taken = |batch: &&Batch| {
        let Position { identity, offset } = batch.position.unwrap();
        snapshot.offset_of(&identity).is_some_and(|taken| taken >= offset)
    };
    batches.iter().take_while(is_taken).count()
}

fn assert_stored(core: &mut Core, batches: &[Batch], context: &str) {
    assert_same(&of_snapshot(&core.snapshot(), &SITES), &of_model(&model_of(batches)), context);
}

#[test]
fn after_a_crash_at_any_operation_each_line_is_stored_once() {
    for seed in 1..=2 {
        let batches = script(seed, 36);
        let all = at_every_operation(
            seed,
            |fs| acknowledged(fs, |core, count| drive(core, &batches, count, append)),
            |crash| check_after_crash(crash, &batches),
        );
        assert_eq!(all, batches.len());
    }
}

fn check_after_crash(crash: &Crash<usize>, batches: &[Batch]) {
    let (fs, context) = (crash.disk(), &crash.context);
    let mut core = open(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    let prefix = taken(&mut core, batches);
    assert!(prefix == crash.done || prefix == crash.done + 1, "{context}: {prefix}");
    assert_stored(&mut core, &batches[..prefix], context);
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    assert_eq!(taken(&mut core, batches), prefix, "{context}, opened again");
    drive(&mut core, &batches[prefix..], &mut 0, append).unwrap();
    assert_stored(&mut core, batches, &format!("{context}, at the end"));
    assert_eq!(taken(&mut core, batches), batches.len(), "{context}, at the end");
}

#[test]
fn seals_and_orderly_ends_carry_positions_on_and_readers_see_them() {
    let fs = SimFs::new(3);
    let batches = script(3, 60);
    let mut core = open(&fs).unwrap();
    drive(&mut core, &batches, &mut 0, append).unwrap();
    let file = core.begin_seal().unwrap().run().unwrap();
    core.finish_seal(file).unwrap();
    core.close().unwrap();
    let wanted = FILES.map(|identity| {
        let offsets = batches.iter().filter_map(|batch| batch.position);
        offsets.filter(|position| position.identity == identity).map(|position| position.offset).max()
    });
    let snapshot = Store::read(Arc::new(fs.clone()), Path::new(FOLDER)).unwrap();
    assert_eq!(FILES.map(|identity| snapshot.offset_of(&identity)), wanted);
    assert_eq!(snapshot.offset_of(&[3; 16]), None);
    let core = &mut open(&fs).unwrap();
    assert_eq!(FILES.map(|identity| core.snapshot().offset_of(&identity)), wanted);
}

#[test]
fn positions_are_bounded_also_over_a_seal() {
    let fs = SimFs::new(4);
    let mut core = open(&fs).unwrap();
    let identity = |file: u32| {
        let mut identity = [0; 16];
        identity[..4].copy_from_slice(&file.to_le_bytes());
        identity
    };
    let last = POSITIONS_MAX as u32 + 10;
    for file in 0..=last {
        let position = Some(Position { identity: identity(file), offset: u64::from(file) });
        core.append(&Batch { position, ..Batch::default() }).unwrap();
    }
    core.commit().unwrap();
    let file = core.begin_seal().unwrap().run().unwrap();
    core.finish_seal(file).unwrap();
    drop(core);
    let snapshot = open(&fs).unwrap().snapshot();
    let known = (0..=last).filter(|&file| snapshot.offset_of(&identity(file)) == Some(u64::from(file)));
    assert_eq!(known.collect::<Vec<_>>(), (11..=last).collect::<Vec<_>>());
}
