//! A data folder of each format that was ever released, or ready to be, as the program of its time wrote it: opened, held
//! against what was in it, and written on. `content.txt` is what it holds in words.
//!
//! A new one is made by `HITSTONE_WRITE_FIXTURE=NAME cargo test -p hitstone-engine --all-features --test store frozen`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hitstone_engine::compaction::{CompactionJob, Situation};
use hitstone_engine::error::StorageError;
use hitstone_engine::event::Event;
use hitstone_engine::store::StoreOptions;
use hitstone_engine::units::{DayUtc, SiteId};
use hitstone_engine::vfs::OsFs;
use hitstone_engine::writer::Core;

use crate::dump::of_snapshot;
use crate::ids::batch_of;
use crate::workload::{SITES, Workload};

/// Folders under `tests/fixtures` that this test opens.
const FROZEN: &[&str] = &["lake-1", "lake-2"];
const SEAL_ROWS: usize = 24;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn open(folder: &Path) -> Core {
    let options = StoreOptions { seal_rows: SEAL_ROWS, ..StoreOptions::default() };
    Core::open(Arc::new(OsFs), folder, options).unwrap()
}

fn words(core: &mut Core) -> String {
    let content = of_snapshot(&core.snapshot(), &SITES);
    content.iter().map(|(key, session)| format!("{key:?} {session:?}\n")).collect()
}

fn seal(core: &mut Core) {
    core.request_seal();
    if core.wants_seal() {
        let file = core.begin_seal().unwrap().run().unwrap();
        core.finish_seal(file).unwrap();
    }
}

/// Brings one file into the lake; whether there was one.
fn compact(core: &mut Core) -> bool {
    let snapshot = core.snapshot();
    let host = |site: SiteId| Some(format!("site{}.example", site.0));
    let situation = Situation::of(&snapshot, &host, i64::MAX);
    let Some(step) = situation.next_step(DayUtc(20_000), true) else { return false };
    let (numbers, name) = (core.take_numbers(), host(step.site).unwrap());
    let job = CompactionJob::new(core.lake_context(), &snapshot, step, name, numbers, i64::MAX);
    core.publish_compacted(job.run(&mut || Ok(())).unwrap()).unwrap();
    true
}

/// Files of the lake, segments beside them, an open log, event ids.
fn write(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut workload = Workload::new(2026, 4);
    let mut core = open(folder);
    for at in 0..30u64 {
        let batch: Vec<Event> = workload.batch();
        let items = batch.into_iter().zip(at * 100..).collect();
        core.append(&batch_of(items, 1_728_000_000_000)).unwrap();
        core.commit().unwrap();
        if at % 6 == 5 && at < 28 {
            seal(&mut core);
            assert!(compact(&mut core));
        }
    }
    std::fs::write(folder.join("content.txt"), words(&mut core)).unwrap();
    drop(core);
    // Large, and never read again.
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("open-") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn folders_of_every_format_are_opened_and_written_on() {
    if let Ok(name) = std::env::var("HITSTONE_WRITE_FIXTURE") {
        write(&folder(&name));
    }
    for name in FROZEN {
        let temporary = tempfile::tempdir().unwrap();
        copy(&folder(name), temporary.path());
        let wanted = std::fs::read_to_string(temporary.path().join("content.txt")).unwrap();
        assert!(temporary.path().join("lake").exists(), "{name} has no lake");
        let mut core = open(temporary.path());
        core.snapshot().verify().unwrap();
        assert!(words(&mut core) == wanted, "{name} holds something else than when it was written");
        seal(&mut core);
        while compact(&mut core) {}
        assert!(words(&mut core) == wanted, "{name} changed when it was compacted");
        core.append_events(&Workload::new(1, 4).batch()).unwrap();
        core.commit().unwrap();
        assert!(words(&mut core) != wanted, "{name} takes no more events");
    }
}

/// Every file below a folder but the lock, with its bytes.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(content(&path));
        } else if !path.ends_with("lock") {
            files.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    files
}

/// Indexes and dictionaries of a newer format had let the start go on, and each statistic then failed. A newer file whose
/// checksum lies elsewhere had been called damaged.
#[test]
fn a_newer_version_in_any_file_stops_the_start_and_nothing_is_changed() {
    // Containers say their version at their end, too.
    for (kind, at_end) in [
        ("manifest", false),
        ("log-", false),
        ("ids/", false),
        ("segment-", false),
        ("segment-", true),
        ("index-", false),
        ("index-", true),
        ("dictionary-", false),
        ("dictionary-", true),
    ] {
        let temporary = tempfile::tempdir().unwrap();
        copy(&folder("lake-1"), temporary.path());
        let named = |path: &&PathBuf| {
            path.strip_prefix(temporary.path()).unwrap().to_str().unwrap().starts_with(kind)
        };
        let path = content(temporary.path()).keys().find(named).expect(kind).clone();
        let mut bytes = std::fs::read(&path).unwrap();
        let at = if at_end { bytes.len() - 16 } else { 8 };
        bytes[at] += 90;
        std::fs::write(&path, bytes).unwrap();
        let before = content(temporary.path());
        for read_only in [false, true] {
            let fs = Arc::new(OsFs);
            let error = if read_only {
                Core::read(fs, temporary.path()).map(drop)
            } else {
                Core::open(fs, temporary.path(), StoreOptions::default()).map(drop)
            };
            let error = error.expect_err(kind);
            assert!(matches!(&error, StorageError::Version { path: named, .. } if *named == path), "{error}");
            let told = error.to_string();
            assert!(told.contains("newer hitstone") && told.contains(path.to_str().unwrap()), "{told}");
        }
        assert!(content(temporary.path()) == before, "{kind}: the folder was changed");
    }
}
