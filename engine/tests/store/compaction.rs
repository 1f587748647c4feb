//! Sealed segments go to the lake while events arrive, and the disk is crashed at every operation.

use std::path::{Path, PathBuf};

use hitstone_engine::compaction::{CompactionJob, Situation};
use hitstone_engine::error::{CompactionError, StorageError};
use hitstone_engine::event::Event;
use hitstone_engine::lake::Compacted;
use hitstone_engine::units::{DayUtc, SiteId};
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::{Core, SealJob};

use crate::crash::{check_after_crash, content, model_of, script};
use crate::crashes::{acknowledged, at_every_operation, open};
use crate::dump::assert_same;
use crate::setup::{FOLDER, seeds};

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

/// The names of all files.
fn names(fs: &SimFs, folder: &Path) -> Vec<PathBuf> {
    let paths = fs.list(folder).unwrap_or_default().into_iter().map(|name| folder.join(name));
    paths.flat_map(|path| if fs.read(&path).is_ok() { vec![path] } else { names(fs, &path) }).collect()
}

#[test]
fn a_failed_compaction_leaves_nothing() {
    let fs = SimFs::new(3);
    let mut core = open(&fs).unwrap();
    let batches = script(3, 40);
    for batch in &batches {
        core.append_events(batch).unwrap();
        core.commit().unwrap();
        if core.wants_seal() {
            let file = core.begin_seal().unwrap().run().unwrap();
            core.finish_seal(file).unwrap();
        }
    }
    let names = |fs: &SimFs| names(fs, Path::new(FOLDER));
    let mut failures = 0;
    let made = loop {
        let before = names(&fs);
        fs.fail_at(fs.operation_count() + failures, std::io::ErrorKind::StorageFull);
        match compact(&mut core) {
            Err(_) => assert_eq!(names(&fs), before, "failure {failures}: files are left"),
            Ok(made) => break made.unwrap(),
        }
        failures += 1;
    };
    assert!(failures > 10, "{failures}");
    // The failure that was still to come.
    assert!((0..100).any(|_| fs.sync_dir(Path::new(FOLDER)).is_err()));
    core.publish_compacted(made).unwrap();
    assert_same(&content(&mut core), &model_of(&batches), "after failures");
    drop(core);
    assert_same(&content(&mut open(&fs.kill()).unwrap()), &model_of(&batches), "opened again");
}

#[test]
fn a_crash_at_any_operation_loses_nothing_and_doubles_nothing() {
    for seed in seeds("HITSTONE_CRASH_SEEDS", 1) {
        let batches = script(seed, 24);
        let all = at_every_operation(
            seed,
            |fs| acknowledged(fs, |core, count| drive(core, &batches, count)),
            |crash| check_after_crash(crash, &batches, |core, rest| drive(core, rest, &mut 0)),
        );
        assert_eq!(all, batches.len());
    }
}
