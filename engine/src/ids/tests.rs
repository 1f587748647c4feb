//! Ids over the simulated disk: known for two days, over seals and restarts, within the bound.

use std::path::Path;

use super::*;
use crate::vfs::Fs;
use crate::vfs::sim::SimFs;

const FOLDER: &str = "/data";
const HOUR: i64 = HOUR_MS;

/// Numbers spread as hashes are.
pub(super) fn hash(number: u64) -> EventHash {
    let half = |seed: u64| {
        let mut mixed = number.wrapping_add(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_be_bytes()
    };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&half(0));
    bytes[8..].copy_from_slice(&half(1 << 40));
    EventHash(bytes)
}

fn open(fs: &SimFs, max: u64) -> RememberedIds {
    fs.create_dir_all(Path::new(FOLDER)).unwrap();
    RememberedIds::open(&fs.shared(), Path::new(FOLDER), max).unwrap()
}

fn seal(ids: &mut RememberedIds) {
    let sealed = ids.begin_seal().run().unwrap();
    ids.finish_seal(sealed).unwrap();
}

fn files(fs: &SimFs) -> Vec<String> {
    fs.list(&Path::new(FOLDER).join(FOLDER_NAME)).unwrap()
}

const FOLDER_NAME: &str = super::FOLDER;

#[test]
fn an_id_is_known_for_48_hours_wherever_it_is() {
    let fs = SimFs::new(1);
    let mut ids = open(&fs, 1000);
    ids.remember(hash(1), hour_of(100 * HOUR + 5));
    for _ in 0..2 {
        assert!(ids.knows(&hash(1), 100) && ids.knows(&hash(1), 148));
        assert!(!ids.knows(&hash(1), 149) && !ids.knows(&hash(2), 100));
        let job = ids.begin_seal();
        assert!(ids.knows(&hash(1), 148) && !ids.knows(&hash(1), 149), "while it is sealed away");
        let sealed = job.run().unwrap();
        ids.finish_seal(sealed).unwrap();
    }
    drop(ids);
    let mut ids = open(&fs.crash(3), 1000);
    assert!(ids.knows(&hash(1), 148) && !ids.knows(&hash(1), 149), "after the restart");
    ids.look_after(148 * HOUR + HOUR - 1).unwrap();
    assert_eq!(ids.count(), 1);
    ids.look_after(149 * HOUR).unwrap();
    assert_eq!(ids.count(), 0);
}

/// A clock that was wrong for a while neither keeps ids for ever nor stops new ones from being known.
#[test]
fn a_clock_that_jumps_does_no_lasting_harm() {
    let mut ids = open(&SimFs::new(1), 1000);
    ids.remember(hash(1), 1_000_000);
    ids.look_after(1_000_000 * HOUR).unwrap();
    ids.remember(hash(2), 100);
    ids.look_after(100 * HOUR).unwrap();
    assert!(ids.knows(&hash(2), 101) && !ids.knows(&hash(1), 101));
    assert_eq!(ids.count(), 1);
}

#[test]
fn hours_are_merged_and_removed_files_stay_away() {
    let fs = SimFs::new(1);
    let mut ids = open(&fs, 1_000_000);
    for round in 0..20u64 {
        for n in 0..100 {
            ids.remember(hash(round * 100 + n), 50 + (n % 2) as u32);
        }
        seal(&mut ids);
    }
    assert_eq!(files(&fs).len(), 2, "{:?}", files(&fs));
    assert_eq!(ids.count(), 2000);
    assert!((0..2000).all(|n| ids.knows(&hash(n), 60)));
    assert!((2000..4000).all(|n| !ids.knows(&hash(n), 60)));
    ids.look_after(99 * HOUR).unwrap();
    assert_eq!((files(&fs).len(), ids.count()), (1, 1000));
    assert_eq!(ids.dropped_early(), 0);
}

/// Of files that are much larger than what comes in only few are written anew.
#[test]
fn large_files_are_left_alone() {
    let fs = SimFs::new(1);
    let mut ids = open(&fs, 1_000_000);
    for (from, to) in [(0, 50_000), (50_000, 60_000), (60_000, 60_010), (60_010, 60_020)] {
        (from..to).for_each(|n| ids.remember(hash(n), 50));
        seal(&mut ids);
    }
    assert_eq!(files(&fs).len(), 3, "{:?}", files(&fs));
    assert!((0..60_020).all(|n| ids.knows(&hash(n), 50)));
}

#[test]
fn beyond_the_bound_the_oldest_hour_goes() {
    let fs = SimFs::new(1);
    let mut ids = open(&fs, 250);
    for hour in 0..4u32 {
        (0..100).for_each(|n| ids.remember(hash(u64::from(hour) * 100 + n), hour));
        if hour == 1 {
            seal(&mut ids);
        }
        ids.look_after(i64::from(hour) * HOUR).unwrap();
    }
    assert_eq!((ids.count(), ids.dropped_early()), (200, 200));
    assert!((0..200).all(|n| !ids.knows(&hash(n), 3)) && (200..400).all(|n| ids.knows(&hash(n), 3)));
    assert!(files(&fs).is_empty());
    // All of them in one hour: that one goes.
    (400..700).for_each(|n| ids.remember(hash(n), 3));
    ids.look_after(3 * HOUR).unwrap();
    assert_eq!((ids.count(), ids.dropped_early()), (0, 700));
}

#[test]
fn a_damaged_file_is_named_and_set_aside_until_its_time_is_over() {
    let fs = SimFs::new(1);
    let mut ids = open(&fs, 1000);
    ids.remember(hash(1), 50);
    ids.remember(hash(2), 51);
    seal(&mut ids);
    let name = files(&fs).remove(0);
    let path = Path::new(FOLDER).join(FOLDER_NAME).join(&name);
    for offset in [0, 12, 20, 30, 44, 50] {
        let fs = fs.kill();
        assert!(fs.flip_bits(&path, offset, 4));
        let mut ids = open(&fs, 1000);
        let damage: Vec<String> = ids.damage().map(ToString::to_string).collect();
        assert!(damage.len() == 1 && damage[0].contains(&name), "byte {offset}: {damage:?}");
        assert!(!ids.knows(&hash(1), 52) && ids.knows(&hash(2), 52));
        ids.remember(hash(1), 52);
        seal(&mut ids);
        assert!(files(&fs).contains(&name) && ids.knows(&hash(1), 52));
        // It may be moved away, as the message says.
        if offset == 0 {
            fs.remove(&path).unwrap();
        }
        ids.look_after(99 * HOUR).unwrap();
        assert!(!files(&fs).contains(&name) && ids.damage().count() == 0);
    }
}

#[test]
fn what_a_crash_leaves_half_written_is_removed() {
    let fs = SimFs::new(1);
    drop(open(&fs, 1000));
    let dir = Path::new(FOLDER).join(FOLDER_NAME);
    fs.create_new(&dir.join("00000032-0000000000000001.tmp"), true).unwrap();
    fs.create_new(&dir.join("notes"), false).unwrap();
    let ids = open(&fs.kill(), 1000);
    assert_eq!(ids.damage().count(), 0);
    drop(ids);
    let fs = fs.kill();
    drop(open(&fs, 1000));
    assert_eq!(files(&fs), ["notes"]);
}
