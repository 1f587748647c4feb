//! Sealed segments go to the lake while events arrive, and the disk is crashed at every operation.

use std::path::Path;
use std::sync::Arc;

use hitstone_engine::compaction::{CompactionJob, Situation};
use hitstone_engine::error::{CompactionError, StorageError};
use hitstone_engine::event::Event;
use hitstone_engine::lake::Compacted;
use hitstone_engine::store::StoreOptions;
use hitstone_engine::units::{DayUtc, SiteId};
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::{Core, SealJob};

use crate::dump::{Content, assert_same, of_model, of_snapshot};
use crate::model::Model;
use crate::workload::{SITES, Workload};

const SEAL_ROWS: usize = 24;

fn open(fs: &SimFs) -> Result<Core, StorageError> {
    let options = StoreOptions { seal_rows: SEAL_ROWS, ..StoreOptions::default() };
    Core::open(Arc::new(fs.clone()), Path::new("/data"), options)
}

fn host(site: SiteId) -> Option<String> {
    Some(format!("site{}.example", site.0))
}

/// Writes the file that most rows wait for.
pub fn compact(core: &mut Core) -> Result<Option<Compacted>, StorageError> {
    let snapshot = core.snapshot();
    let situation = Situation::of(&snapshot, &host, i64::MAX);
    let Some(step) = situation.next_step(DayUtc(20_000), true) else { return Ok(None) };
    let numbers = core.take_numbers();
    let name = host(step.site).unwrap();
    let job = CompactionJob::new(core.lake_context(), &snapshot, step, name, numbers, i64::MAX);
    match job.run(&mut || Ok(())) {
        Ok(made) => Ok(Some(made)),
        Err(CompactionError::Storage(error)) => Err(error),
        Err(CompactionError::Parquet(hitstone_engine::error::ParquetError::Storage(error))) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

/// Appends batches; seals and compactions end some batches after they began, so that sessions leave what is written.
fn drive(core: &mut Core, batches: &[Vec<Event>], acknowledged: &mut usize) -> Result<u64, StorageError> {
    let mut sealing: Option<(SealJob, usize)> = None;
    let mut compacting: Option<(Compacted, usize)> = None;
    let mut compacted = 0;
    for (at, batch) in batches.iter().enumerate() {
        core.append_events(batch)?;
        core.commit()?;
        *acknowledged += 1;
        if let Some((job, _)) = sealing.take_if(|(_, until)| *until <= at) {
            let file = job.run()?;
            core.finish_seal(file)?;
        }
        if let Some((made, _)) = compacting.take_if(|(_, until)| *until <= at) {
            core.publish_compacted(made)?;
            compacted += 1;
        }
        if at % 11 == 7 {
            core.request_seal();
        }
        if sealing.is_none() && core.wants_seal() {
            sealing = Some((core.begin_seal()?, at + 1 + at % 4));
        }
        if compacting.is_none() && at % 3 == 1 {
            compacting = compact(core)?.map(|made| (made, at + at % 3));
        }
    }
    if let Some((job, _)) = sealing {
        let file = job.run()?;
        core.finish_seal(file)?;
    }
    if let Some((made, _)) = compacting {
        core.publish_compacted(made)?;
    }
    Ok(compacted)
}

fn script(seed: u64, count: usize) -> Vec<Vec<Event>> {
    let mut workload = Workload::new(seed, 4);
    (0..count).map(|_| workload.batch()).collect()
}

fn model_of(batches: &[Vec<Event>]) -> Content {
    let mut model = Model::default();
    batches.iter().flatten().for_each(|event| model.append(event));
    of_model(&model)
}

fn content(core: &mut Core) -> Content {
    of_snapshot(&core.snapshot(), &SITES)
}

#[test]
fn the_lake_and_the_rest_hold_what_the_model_does() {
    for seed in 1..=20 {
        let batches = script(seed, 60);
        let fs = SimFs::new(seed);
        let mut core = open(&fs).unwrap();
        let compacted = drive(&mut core, &batches, &mut 0).unwrap();
        assert!(compacted > 5, "seed {seed}: only {compacted} files were written");
        assert_same(&content(&mut core), &model_of(&batches), &format!("seed {seed}"));
        while let Some(made) = compact(&mut core).unwrap() {
            core.publish_compacted(made).unwrap();
        }
        assert_same(&content(&mut core), &model_of(&batches), &format!("seed {seed}, all compacted"));
        drop(core);
        let mut core = open(&fs.kill()).unwrap();
        assert_same(&content(&mut core), &model_of(&batches), &format!("seed {seed}, opened again"));
    }
}

/// Which prefix of the batches the store holds: all acknowledged ones, and perhaps the one that was under way.
fn recovered_prefix(core: &mut Core, batches: &[Vec<Event>], acknowledged: usize, context: &str) -> usize {
    let found = content(core);
    let under_way = (acknowledged + 1).min(batches.len());
    if found == model_of(&batches[..under_way]) {
        return under_way;
    }
    assert_same(&found, &model_of(&batches[..acknowledged]), context);
    acknowledged
}

fn check_after_crash(fs: &SimFs, batches: &[Vec<Event>], acknowledged: usize, context: &str) {
    let mut core = open(fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    core.snapshot().verify().unwrap();
    let prefix = recovered_prefix(&mut core, batches, acknowledged, context);
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    assert_same(&content(&mut core), &model_of(&batches[..prefix]), &format!("{context}, opened again"));
    drive(&mut core, &batches[prefix..], &mut 0).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_same(&content(&mut core), &model_of(batches), &format!("{context}, at the end"));
}

fn run_until(seed: u64, at: Option<u64>, batches: &[Vec<Event>]) -> (SimFs, usize) {
    let fs = SimFs::new(seed);
    if let Some(at) = at {
        fs.set_crash_at(at);
    }
    let mut acknowledged = 0;
    if let Ok(mut core) = open(&fs) {
        let _ = drive(&mut core, batches, &mut acknowledged);
    }
    (fs, acknowledged)
}

#[test]
fn a_crash_at_any_operation_loses_nothing_and_doubles_nothing() {
    let seeds = std::env::var("HITSTONE_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for seed in 1..=seeds {
        let batches = script(seed, 24);
        let (fs, _) = run_until(seed, None, &batches);
        let operations = fs.operation_count();
        for at in 0..operations {
            let (fs, acknowledged) = run_until(seed, Some(at), &batches);
            let context = format!("seed {seed}, crash at operation {at} of {operations}");
            check_after_crash(&fs.crash(seed ^ at), &batches, acknowledged, &context);
        }
        println!("seed {seed}: {operations} crash points");
    }
}
