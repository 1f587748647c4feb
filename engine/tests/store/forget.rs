//! Sites that are forgotten: what is stored of them goes for good, from everywhere, whatever is under way and wherever a
//! crash comes; others keep all they have.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use hitstone_engine::error::{ImportError, StorageError};
use hitstone_engine::event::Event;
use hitstone_engine::lake::lake_folder;
use hitstone_engine::manifest::Manifest;
use hitstone_engine::store::Store;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;
use hitstone_engine::writer::import::{Loader, SegmentSize, Taken};

use crate::compaction::compact;
use crate::crash::{content, script};
use crate::crashes::{Crash, at_every_operation, open};
use crate::dump::{Content, assert_same, of_model};
use crate::model::Model;
use crate::setup::{FOLDER, view};
use crate::workload::SITES;

const GONE: u32 = SITES[0];
const BATCHES: usize = 24;

fn gone() -> BTreeSet<SiteId> {
    BTreeSet::from([SiteId(GONE)])
}

fn model_of(batches: &[Vec<Event>], without: Option<u32>) -> Content {
    let mut model = Model::default();
    let kept = |event: &&Event| Some(event.site.0) != without;
    batches.iter().flatten().filter(kept).for_each(|event| model.append(event));
    of_model(&model)
}

fn store(core: &mut Core, batch: &[Event]) -> Result<(), StorageError> {
    core.append_events(batch)?;
    core.commit()
}

fn seal(core: &mut Core) -> Result<(), StorageError> {
    core.request_seal();
    if core.wants_seal() {
        let file = core.begin_seal()?.run()?;
        core.finish_seal(file)?;
    }
    Ok(())
}

fn compact_all(core: &mut Core) -> Result<(), StorageError> {
    while let Some(made) = compact(core)? {
        core.publish_compacted(made)?;
    }
    Ok(())
}

/// Data in the lake, in segments and in the log.
fn fill(core: &mut Core, batches: &[Vec<Event>]) -> Result<(), StorageError> {
    for (at, batch) in batches.iter().enumerate() {
        store(core, batch)?;
        if at % 5 == 4 {
            seal(core)?;
        }
        if at == BATCHES / 2 {
            compact_all(core)?;
        }
    }
    Ok(())
}

/// Names below a folder.
fn names(fs: &SimFs, folder: &Path) -> Vec<String> {
    let names = fs.list(folder).unwrap_or_default();
    let below = names.iter().flat_map(|name| {
        let deeper = names_below(fs, &folder.join(name));
        std::iter::once(name.clone()).chain(deeper)
    });
    below.collect()
}

fn names_below(fs: &SimFs, folder: &Path) -> Vec<String> {
    if fs.list(folder).is_ok() { names(fs, folder) } else { Vec::new() }
}

fn parquet_files(fs: &SimFs, site: u32) -> usize {
    let folder = lake_folder(Path::new(FOLDER)).join(format!("site=site{site}.example"));
    names_below(fs, &folder).iter().filter(|name| name.contains(".parquet")).count()
}

/// Every file of the folder is one that the manifest names.
fn assert_no_orphans(fs: &SimFs, context: &str) {
    let manifest = Manifest::read(fs, Path::new(FOLDER)).unwrap().unwrap();
    let count = |prefix: &str| {
        fs.list(Path::new(FOLDER)).unwrap().iter().filter(|name| name.starts_with(prefix)).count()
    };
    let files: usize = manifest.lake.values().map(|site| site.files.len()).sum();
    let dictionaries = manifest.lake.values().filter(|site| site.dictionary.is_some()).count();
    let found = ["segment-", "index-", "dictionary-"].map(count);
    assert_eq!(found, [manifest.segments.len(), files, dictionaries], "{context}");
}

#[test]
fn nothing_is_left_and_others_keep_what_they_have() {
    let batches = script(11, BATCHES);
    let fs = SimFs::new(11);
    let mut core = open(&fs).unwrap();
    fill(&mut core, &batches).unwrap();
    assert!(parquet_files(&fs, GONE) > 0 && parquet_files(&fs, SITES[1]) > 0);
    core.forget_sites(&gone()).unwrap();
    let wanted = model_of(&batches, Some(GONE));
    assert_same(&content(&mut core), &wanted, "forgotten");
    assert_eq!(parquet_files(&fs, GONE), 0);
    assert_no_orphans(&fs, "forgotten");
    // What comes for it all the same is not stored.
    let late = &script(12, 1)[0];
    let receipt = core.append_events(&late.iter().filter(|e| e.site.0 == GONE).cloned().collect::<Vec<_>>());
    assert_eq!(receipt.unwrap().stored, 0);
    // Once it is sealed nothing of it is in the logs either.
    seal(&mut core).unwrap();
    core.forget_sites(&gone()).unwrap();
    assert_same(&content(&mut core), &wanted, "sealed");
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    assert_same(&content(&mut core), &wanted, "opened again");
    compact_all(&mut core).unwrap();
    assert_same(&content(&mut core), &wanted, "compacted");
    let segments: Vec<SiteId> =
        Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap().lake.into_keys().collect();
    assert_eq!(segments, [SiteId(SITES[1])]);
}

#[test]
fn segments_of_nobody_else_go() {
    let fs = SimFs::new(5);
    let mut core = open(&fs).unwrap();
    let batches = script(5, BATCHES);
    for batch in &batches {
        let own: Vec<Event> = batch.iter().filter(|event| event.site.0 == GONE).cloned().collect();
        store(&mut core, &own).unwrap();
    }
    seal(&mut core).unwrap();
    assert!(!Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap().segments.is_empty());
    core.forget_sites(&gone()).unwrap();
    assert!(Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap().segments.is_empty());
    assert_no_orphans(&fs, "forgotten");
    let operations = fs.operation_count();
    core.forget_sites(&gone()).unwrap();
    assert_eq!(fs.operation_count(), operations, "there is nothing left to do");
}

/// Forgetting begins, ends or crashes while a seal and a compaction are under way.
#[test]
fn what_is_under_way_comes_to_nothing() {
    for seed in 1..=6 {
        let batches = script(seed, BATCHES);
        let fs = SimFs::new(seed);
        let mut core = open(&fs).unwrap();
        fill(&mut core, &batches).unwrap();
        seal(&mut core).unwrap();
        let made = compact(&mut core).unwrap().expect("something waits");
        let is_gone = made.site.0 == GONE;
        let more = script(seed + 100, 6);
        more.iter().for_each(|batch| store(&mut core, batch).unwrap());
        let all = [batches, more].concat();
        core.request_seal();
        let job = core.begin_seal().unwrap();
        core.forget_sites(&gone()).unwrap();
        assert_eq!(core.publish_compacted(made).unwrap(), !is_gone, "seed {seed}");
        core.finish_seal(job.run().unwrap()).unwrap();
        let wanted = model_of(&all, Some(GONE));
        assert_same(&content(&mut core), &wanted, &format!("seed {seed}"));
        compact_all(&mut core).unwrap();
        assert_same(&content(&mut core), &wanted, &format!("seed {seed}, compacted"));
        assert_eq!(parquet_files(&fs, GONE), 0, "seed {seed}");
        drop(core);
        let fs = fs.kill();
        let mut core = open(&fs).unwrap();
        core.forget_sites(&gone()).unwrap();
        assert_same(&content(&mut core), &wanted, &format!("seed {seed}, opened again"));
        assert_no_orphans(&fs, &format!("seed {seed}"));
    }
}

#[test]
fn an_import_that_is_under_way_is_given_up() {
    let fs = SimFs::new(21);
    let mut core = open(&fs).unwrap();
    let other = SiteId(SITES[1]);
    for (site, is_refused) in [(SiteId(GONE), true), (other, false)] {
        let base = core.begin_import(site).unwrap().unwrap();
        let size = SegmentSize { rows: 8, sessions: 8 };
        let mut loader = Loader::new(base, size, false).unwrap();
        for n in 0..20 {
            let event = Event { site, ..view(n, 20_000 * 86_400_000, "/imported") };
            assert_eq!(loader.push_event(&event).unwrap(), Taken::Stored);
        }
        core.forget_sites(&gone()).unwrap();
        let file = loader.finish().unwrap();
        let published = core.publish_import(file, [7; 32], false).unwrap();
        assert_eq!(matches!(published, Err(ImportError::GivenUp(_))), is_refused);
        drop((published, loader));
        core.end_import();
    }
    assert!(matches!(core.begin_import(SiteId(GONE)).unwrap(), Err(ImportError::GivenUp(_))));
    assert!(core.has_imported(other, &[7; 32]) && !core.has_imported(SiteId(GONE), &[7; 32]));
    let sites: Vec<u32> = content(&mut core).keys().map(|(site, ..)| *site).collect();
    assert_eq!(sites, vec![other.0; 20]);
    assert_no_orphans(&fs, "given up");
    // What was imported before goes.
    core.forget_sites(&BTreeSet::from([other])).unwrap();
    assert!(content(&mut core).is_empty() && !core.has_imported(other, &[7; 32]));
    assert_no_orphans(&fs, "forgotten");
}

/// Whether there was something to forget.
fn run(fs: &SimFs, batches: &[Vec<Event>]) -> bool {
    let Ok(mut core) = open(fs) else { return false };
    if fill(&mut core, batches).is_err() {
        return false;
    }
    let _ = core.forget_sites(&gone()).and_then(|()| seal(&mut core));
    true
}

fn check(crash: &Crash<bool>, batches: &[Vec<Event>]) {
    let (fs, context) = (crash.disk(), &crash.context);
    let mut core = open(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
    core.snapshot().verify().unwrap();
    let found = content(&mut core);
    if found != model_of(batches, None) {
        // It has begun: all that is left is in the log.
        assert!(core.snapshot().lake().site(SiteId(GONE)).is_none(), "{context}");
        assert_eq!(parquet_files(&fs, GONE), 0, "{context}");
        assert_no_orphans(&fs, context);
    }
    let wanted = model_of(batches, Some(GONE));
    let others = found.into_iter().filter(|((site, ..), _)| *site != GONE).collect();
    assert_same(&others, &wanted, context);
    // Each start has it forgotten again.
    core.forget_sites(&gone()).unwrap();
    assert_same(&content(&mut core), &wanted, &format!("{context}, forgotten again"));
    assert_eq!(parquet_files(&fs, GONE), 0, "{context}");
    assert_no_orphans(&fs, context);
    seal(&mut core).unwrap();
    compact_all(&mut core).unwrap();
    drop(core);
    let mut core = open(&fs.kill()).unwrap();
    assert_same(&content(&mut core), &wanted, &format!("{context}, at the end"));
    assert_eq!(core.snapshot().damage().count(), 0, "{context}");
}

#[test]
fn a_crash_at_any_operation_leaves_a_site_that_can_be_forgotten_and_others_whole() {
    let batches = script(3, BATCHES);
    let mut in_recovery = 0;
    let all = at_every_operation(
        3,
        |fs| run(fs, &batches),
        |crash| {
            // Before that there is nothing to forget.
            if crash.done {
                check(crash, &batches);
                in_recovery += crash.in_recovery(|crash| check(crash, &batches));
            }
        },
    );
    assert!(all && in_recovery > 0);
}

/// A site that was deleted and one that has its host name since: until now both had their files in one folder, and the
/// newer one's had taken the place of the older one's.
#[test]
fn files_that_another_site_has_in_the_same_folder_stay() {
    let fs = SimFs::new(8);
    let batches = script(8, BATCHES);
    let mut core = open(&fs).unwrap();
    fill(&mut core, &batches).unwrap();
    seal(&mut core).unwrap();
    compact_all(&mut core).unwrap();
    drop(core);
    // As the program of before left it: the manifest says that both sites have the host of the second one.
    let mut manifest = Manifest::read(&fs, Path::new(FOLDER)).unwrap().unwrap();
    let host = manifest.lake[&SiteId(SITES[1])].host.clone();
    manifest.lake.get_mut(&SiteId(GONE)).unwrap().host = host;
    manifest.write(&fs, Path::new(FOLDER)).unwrap();
    let count = parquet_files(&fs, SITES[1]);
    let store = Store::open(Arc::new(fs.kill()), Path::new(FOLDER), Default::default()).unwrap();
    store.forget_sites(&gone()).unwrap();
    assert!(store.snapshot().lake().site(SiteId(GONE)).is_none());
    drop(store);
    let fs = fs.kill();
    let mut core = open(&fs).unwrap();
    core.forget_sites(&gone()).unwrap();
    assert_same(&content(&mut core), &model_of(&batches, Some(GONE)), "the other site");
    assert_eq!(parquet_files(&fs, SITES[1]), count);
    assert_eq!(core.snapshot().damage().count(), 0);
}
