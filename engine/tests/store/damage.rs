//! Damaged files: named, set aside, never served; the rest goes on.

use std::path::Path;

use hitstone_engine::error::StorageError;
use hitstone_engine::units::{DAY_MS as DAY, SiteId};
use hitstone_engine::vfs::Fs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::setup::{self, FOLDER, seal, view};
use crate::workload::{SITES, Workload};

fn open(fs: &SimFs) -> Result<Core, StorageError> {
    setup::open(fs, 30)
}

/// A folder with a few segments and a log.
fn filled() -> SimFs {
    let fs = SimFs::new(5);
    let mut core = open(&fs).unwrap();
    let mut workload = Workload::new(5, 6);
    for _ in 0..60 {
        core.append_events(&workload.batch()).unwrap();
        core.commit().unwrap();
        if core.wants_seal() {
            seal(&mut core);
        }
    }
    drop(core);
    fs.kill()
}

fn names(fs: &SimFs, prefix: &str) -> Vec<String> {
    fs.list(Path::new(FOLDER)).unwrap().into_iter().filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn a_flipped_bit_in_a_segment_is_never_served() {
    let fs = filled();
    let segments = names(&fs, "segment-");
    assert!(segments.len() > 2, "{segments:?}");
    let path = Path::new(FOLDER).join(&segments[1]);
    let len = fs.read(&path).unwrap().len() as u64;
    for offset in (0..len).step_by(37) {
        let fs = fs.kill();
        assert!(fs.flip_bits(&path, offset, 0x10));
        let mut core = open(&fs).unwrap();
        let snapshot = core.snapshot();
        let damage = SITES.iter().find_map(|&site| snapshot.incomplete(SiteId(site), &(i64::MIN..i64::MAX)));
        let harmless = snapshot.verify().is_ok();
        assert!(harmless || damage.is_some(), "byte {offset} of {len}: nobody is told");
        if let Some(damage) = damage {
            assert!(damage.contains(&segments[1]), "byte {offset}: {damage}");
            // It is told to the operator, too, wherever in the file it is.
            assert_eq!(snapshot.damage().count(), 1, "byte {offset}");
        }
        // Writing goes on.
        core.append_events(&Workload::new(9, 6).batch()).unwrap();
        core.commit().unwrap();
    }
}

#[test]
fn a_cut_or_missing_segment_is_named() {
    let fs = filled();
    let segments = names(&fs, "segment-");
    let path = Path::new(FOLDER).join(&segments[0]);
    let cut = fs.kill();
    let mut file = cut.open(&path).unwrap();
    let len = file.len().unwrap();
    file.truncate(len / 2).unwrap();
    drop(file);
    let mut core = open(&cut).unwrap();
    let damage: Vec<String> = core.snapshot().damage().map(|damage| damage.to_string()).collect();
    assert_eq!(damage.len(), 1);
    assert!(damage[0].contains(&segments[0]), "{damage:?}");
    // The next seal keeps the damaged segment's place: a repaired file is served again.
    drop(core);
    let gone = fs.kill();
    gone.remove(&path).unwrap();
    let error = open(&gone).err().expect("a missing segment stops the start").to_string();
    assert!(error.contains(&segments[0]), "{error}");
}

/// A segment under another's name (a backup put back by hand) had been served, and the next manifest named its number.
#[test]
fn a_segment_under_the_name_of_another_is_not_served() {
    let fs = SimFs::new(6);
    let mut core = open(&fs).unwrap();
    for day in 20_000..20_004 {
        core.append_events(&[view(1, day * 86_400_000, &format!("/{day}"))]).unwrap();
        core.commit().unwrap();
        let file = core.begin_seal().unwrap().run().unwrap();
        core.finish_seal(file).unwrap();
    }
    drop(core);
    let segments = names(&fs, "segment-");
    let path = |name: &String| Path::new(FOLDER).join(name);
    let sizes: Vec<usize> = segments.iter().map(|name| fs.read(&path(name)).unwrap().len()).collect();
    let same =
        (0..sizes.len()).flat_map(|a| (0..a).map(move |b| (a, b))).find(|&(a, b)| sizes[a] == sizes[b]);
    let (a, b) = same.expect("two segments of one length");
    let (bytes, target) = (fs.read(&path(&segments[a])).unwrap(), path(&segments[b]));
    fs.remove(&target).unwrap();
    let mut file = fs.create_new(&target, false).unwrap();
    file.append(&bytes).unwrap();
    drop(file);
    let mut core = open(&fs.kill()).unwrap();
    let damage: Vec<String> = core.snapshot().damage().map(|damage| damage.to_string()).collect();
    assert_eq!(damage.len(), 1);
    assert!(damage[0].contains(&segments[b]), "{damage:?}");
}

#[test]
fn damage_in_the_synced_part_of_a_log_stops_the_start() {
    let fs = filled();
    let log = names(&fs, "log-").remove(0);
    let path = Path::new(FOLDER).join(&log);
    let fs = fs.kill();
    assert!(fs.flip_bits(&path, 60, 1));
    let error = open(&fs).err().expect("a damaged log").to_string();
    assert!(error.contains(&log), "{error}");
}

#[test]
fn a_missing_manifest_beside_data_stops_the_start() {
    let fs = filled().kill();
    fs.remove(&Path::new(FOLDER).join("manifest")).unwrap();
    let error = open(&fs).err().expect("no manifest").to_string();
    assert!(error.contains("manifest"), "{error}");
}

#[test]
fn a_second_process_is_refused() {
    let fs = filled();
    let _first = open(&fs).unwrap();
    assert!(matches!(open(&fs), Err(StorageError::Locked { .. })));
}

/// Each kind of file has its own advice: what is made anew needs none, a segment that is moved away stops the start.
#[test]
fn what_helps_is_said_by_kind() {
    for (name, wanted) in [
        ("index-0000000000000001", "made anew from the Parquet files"),
        ("dictionary-0000000000000002", "made anew from the Parquet files"),
        ("segment-0000000000000003", "leave it in its place"),
        ("lake/site=a/month=2025-01/2025-01.parquet", "put the very file back from a backup"),
        ("log-0000000000000001", "restore the folder from a backup"),
        ("manifest", "restore the folder from a backup"),
        ("tokens", "restore it from a backup or move it away"),
    ] {
        let told = StorageError::corrupt(&Path::new("data").join(name), 7, "something is wrong").to_string();
        assert!(told.contains(name) && told.contains("byte 7: something is wrong; "), "{told}");
        assert!(told.contains(wanted), "{told}");
        assert_eq!(told.contains("move it away"), name == "tokens", "{told}");
    }
}

/// A segment of which the days can be read concerns these; one of which nothing can be read concerns all.
#[test]
fn damage_of_a_segment_concerns_its_days() {
    let (far, near) = (DAY * 3_000, DAY * 20_000);
    let fs = SimFs::new(6);
    let mut core = open(&fs).unwrap();
    core.append_events(&[view(1, far, "/a"), view(2, far, "/b")]).unwrap();
    // What is under way stays in the log, so the segment has the others only.
    core.append_events(&[view(1, near, "/c")]).unwrap();
    core.commit().unwrap();
    seal(&mut core);
    drop(core);
    let fs = fs.kill();
    let segments = names(&fs, "segment-");
    let path = Path::new(FOLDER).join(&segments[0]);
    let len = fs.read(&path).unwrap().len() as u64;
    let (mut of_its_days, mut of_all) = (0, 0);
    for offset in 0..len {
        let fs = fs.kill();
        assert!(fs.flip_bits(&path, offset, 0x10));
        let Ok(mut core) = open(&fs) else { continue };
        let snapshot = core.snapshot();
        let is_told = |time: i64| snapshot.incomplete(SiteId(1), &(time..time + 1)).is_some();
        if !is_told(far) {
            assert!(!is_told(near), "byte {offset}");
            continue;
        }
        assert!(is_told(far - DAY) && is_told(far + DAY), "byte {offset}");
        if is_told(near) { of_all += 1 } else { of_its_days += 1 }
    }
    assert!(of_its_days > 50 && of_all > 50, "{of_its_days} of its days, {of_all} of all");
}
