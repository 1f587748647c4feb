//! The contract of `vfs`, tested over every implementation, and what the simulated disk adds to it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::sim::SimFs;
use super::{Fs, OsFs, Scratch, replace};
use crate::error::StorageError;

/// Runs one test over all file systems, each in an empty folder.
fn over_all(test: fn(&dyn Fs, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&OsFs, folder.path());
    let sim = SimFs::new(1);
    sim.create_dir_all(Path::new("data")).unwrap();
    test(&sim, Path::new("data"));
}

fn kind<T>(result: Result<T, StorageError>) -> Option<ErrorKind> {
    match result {
        Err(StorageError::Io { kind, .. }) => Some(kind),
        _ => None,
    }
}

#[test]
fn appended_bytes_are_read_back() {
    over_all(|fs, dir| {
        let path = dir.join("file");
        let mut file = fs.create_new(&path, false).unwrap();
        assert_eq!(file.len().unwrap(), 0);
        file.append(b"hello ").unwrap();
        file.append(b"").unwrap();
        file.sync_data().unwrap();
        let mut again = fs.open(&path).unwrap();
        again.append(b"world").unwrap();
        assert_eq!((file.len().unwrap(), file.path()), (11, path.as_path()));
        let mut buffer = [0; 5];
        file.read_at(6, &mut buffer).unwrap();
        assert_eq!(&buffer, b"world");
        assert_eq!(kind(file.read_at(7, &mut buffer)), Some(ErrorKind::UnexpectedEof));
        assert_eq!(fs.read(&path).unwrap(), b"hello world");
    });
}

#[test]
fn a_cut_file_goes_on_at_the_cut() {
    over_all(|fs, dir| {
        let path = dir.join("file");
        let mut file = fs.create_new(&path, true).unwrap();
        file.append(b"0123456789").unwrap();
        assert_eq!(kind(file.truncate(11)), Some(ErrorKind::InvalidInput));
        file.truncate(4).unwrap();
        file.append(b"x").unwrap();
        assert_eq!(fs.read(&path).unwrap(), b"0123x");
    });
}

#[test]
fn names_are_made_moved_and_removed() {
    over_all(|fs, dir| {
        let [a, b] = ["a", "b"].map(|name| dir.join(name));
        fs.create_new(&a, false).unwrap().append(b"one").unwrap();
        assert_eq!(kind(fs.create_new(&a, false)), Some(ErrorKind::AlreadyExists));
        fs.create_new(&b, false).unwrap().append(b"two").unwrap();
        let mut open = fs.open(&b).unwrap();
        assert_eq!(fs.list(dir).unwrap(), ["a", "b"]);
        fs.rename(&a, &b).unwrap();
        fs.sync_dir(dir).unwrap();
        assert_eq!((fs.exists(&a).unwrap(), fs.exists(&b).unwrap()), (false, true));
        assert_eq!(fs.read(&b).unwrap(), b"one");
        open.append(b"!").unwrap();
        assert_eq!(open.len().unwrap(), 4, "an open file outlives its name");
        fs.remove(&b).unwrap();
        assert_eq!(fs.list(dir).unwrap(), [""; 0]);
    });
}

#[test]
fn folders_are_made_with_those_above() {
    over_all(|fs, dir| {
        let deep = dir.join("x").join("y");
        fs.create_dir_all(&deep).unwrap();
        fs.create_dir_all(&deep).unwrap();
        fs.create_new(&deep.join("file"), false).unwrap();
        assert_eq!(fs.list(dir).unwrap(), ["x"]);
        assert_eq!(fs.list(&deep).unwrap(), ["file"]);
        assert!(fs.exists(&deep).unwrap());
        assert!(kind(fs.create_dir_all(&deep.join("file"))).is_some());
    });
}

#[test]
fn what_is_missing_is_an_error_with_its_path() {
    over_all(|fs, dir| {
        let path = dir.join("none");
        let below = path.join("file");
        let missing = Some(ErrorKind::NotFound);
        assert_eq!(kind(fs.open(&path)), missing);
        assert_eq!(kind(fs.read(&path)), missing);
        assert_eq!(kind(fs.map(&path)), missing);
        assert_eq!(kind(fs.remove(&path)), missing);
        assert_eq!(kind(fs.rename(&path, &below)), missing);
        assert_eq!(kind(fs.list(&path)), missing);
        assert_eq!(kind(fs.sync_dir(&path)), missing);
        assert_eq!(kind(fs.create_new(&below, false)), missing);
        assert_eq!(kind(fs.lock(&path)), missing);
        assert_eq!(fs.exists(&path).ok(), Some(false));
        let message = fs.read(&path).unwrap_err().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
    });
}

#[test]
fn a_map_shows_the_file_and_outlives_its_name() {
    over_all(|fs, dir| {
        let [empty, full] = ["empty", "full"].map(|name| dir.join(name));
        fs.create_new(&empty, false).unwrap();
        assert!(fs.map(&empty).unwrap().is_empty());
        fs.create_new(&full, false).unwrap().append(&[7; 10_000]).unwrap();
        let map = fs.map(&full).unwrap();
        fs.remove(&full).unwrap();
        assert_eq!(*map.clone(), [7; 10_000]);
        assert_eq!(map.as_ptr() as usize % super::ALIGNMENT, 0);
    });
}

#[test]
fn a_scratch_is_zeroed_and_remade() {
    over_all(|fs, dir| {
        let path = dir.join("scratch");
        for _ in 0..2 {
            let len = Scratch::column_bytes::<u64>(1000);
            let mut scratch = fs.scratch(&path, len).unwrap();
            let mut column = scratch.column::<u64>(1000).unwrap();
            assert_eq!(kind(scratch.column::<u8>(len)), Some(ErrorKind::StorageFull));
            column.extend(&[u64::MAX; 1000]).unwrap();
            assert_eq!(column.reader().slice(1000), [u64::MAX; 1000]);
            assert!(fs.exists(&path).unwrap());
        }
        fs.scratch(&path, 0).unwrap();
    });
}

#[test]
fn a_lock_is_held_by_one_until_dropped() {
    over_all(|fs, dir| {
        let held = fs.lock(dir).unwrap();
        assert!(matches!(fs.lock(dir), Err(StorageError::Locked { path }) if path == dir));
        drop(held);
        drop(fs.lock(dir).unwrap());
        assert_eq!(fs.list(dir).unwrap(), ["lock"]);
    });
}

#[test]
fn replace_leaves_the_new_bytes_alone() {
    over_all(|fs, dir| {
        let path = dir.join("state");
        fs.create_new(&dir.join("state.tmp"), false).unwrap().append(b"left by a crash").unwrap();
        replace(fs, &path, b"one", true).unwrap();
        replace(fs, &path, b"two", true).unwrap();
        assert_eq!(fs.read(&path).unwrap(), b"two");
        assert_eq!(fs.list(dir).unwrap(), ["state"]);
    });
}

#[test]
fn a_private_file_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("salts");
    replace(&OsFs, &path, b"secret", true).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// A disk with the folder `data`.
fn disk() -> (SimFs, PathBuf) {
    let sim = SimFs::new(0);
    sim.create_dir_all(Path::new("data")).unwrap();
    (sim, PathBuf::from("data"))
}

proptest! {
    #[test]
    fn synced_bytes_survive_and_the_rest_is_any_set_of_sectors(
        synced in 0..3000usize, unsynced in 0..3000usize, seed: u64,
    ) {
        let (sim, dir) = disk();
        let path = dir.join("file");
        let mut file = sim.create_new(&path, false).unwrap();
        file.append(&vec![1; synced]).unwrap();
        file.sync_data().unwrap();
        sim.sync_dir(&dir).unwrap();
        file.append(&vec![2; unsynced]).unwrap();
        let found = sim.crash(seed).read(&path).unwrap();
        prop_assert!(found.len() >= synced && found.len() <= synced + unsynced);
        prop_assert!(found[..synced].iter().all(|&byte| byte == 1));
        for (at, pair) in found.windows(2).enumerate().skip(synced) {
            prop_assert!(pair[0] == pair[1] || (at + 1) % 512 == 0, "torn inside a sector at {at}");
        }
        prop_assert!(found[synced..].iter().all(|&byte| byte == 0 || byte == 2));
        prop_assert_eq!(sim.kill().read(&path).unwrap().len(), synced + unsynced);
    }

    #[test]
    fn a_replaced_file_is_old_or_new_after_a_crash_anywhere(crash_at in 0..8u64, seed: u64) {
        let (sim, dir) = disk();
        let path = dir.join("state");
        let [old, new] = [vec![1; 2000], vec![2; 3000]];
        replace(&sim, &path, &old, false).unwrap();
        sim.set_crash_at(sim.operation_count() + crash_at);
        let replaced = replace(&sim, &path, &new, false);
        prop_assert_eq!(replaced.is_err(), sim.has_crashed());
        let found = sim.crash(seed).read(&path).unwrap();
        prop_assert!(found == new || (replaced.is_err() && found == old));
    }

    #[test]
    fn a_failed_operation_leaves_the_later_ones_working(fail_at in 0..5u64, seed: u64) {
        let (sim, dir) = disk();
        let path = dir.join("state");
        replace(&sim, &path, &[1; 2000], false).unwrap();
        sim.fail_at(sim.operation_count() + fail_at, ErrorKind::StorageFull);
        let failed = replace(&sim, &path, &[2; 2000], false);
        prop_assert!(failed.is_err());
        replace(&sim, &path, &[3; 2000], false).unwrap();
        prop_assert_eq!(sim.crash(seed).read(&path).unwrap(), vec![3; 2000]);
    }
}

#[test]
fn unsynced_content_is_lost_kept_torn_and_reordered_by_some_seed() {
    let (sim, dir) = disk();
    let path = dir.join("file");
    let mut file = sim.create_new(&path, false).unwrap();
    sim.sync_dir(&dir).unwrap();
    file.append(&[2; 2048]).unwrap();
    let found: Vec<Vec<u8>> = (0..200).map(|seed| sim.crash(seed).read(&path).unwrap()).collect();
    assert!(found.iter().any(Vec::is_empty), "lost");
    assert!(found.iter().any(|bytes| *bytes == [2; 2048]), "kept");
    assert!(found.iter().any(|bytes| bytes.len() % 512 != 0), "cut anywhere");
    assert!(found.iter().any(|bytes| bytes.len() > 512 && bytes[0] == 0 && bytes[512] == 2), "reordered");
}

#[test]
fn unsynced_names_are_there_or_not_by_some_seed() {
    let (sim, dir) = disk();
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.join(name));
    for path in [&a, &b] {
        sim.create_new(path, false).unwrap();
    }
    sim.sync_dir(&dir).unwrap();
    sim.rename(&a, &c).unwrap();
    sim.remove(&b).unwrap();
    let mut seen: Vec<Vec<String>> = (0..200).map(|seed| sim.crash(seed).list(&dir).unwrap()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, [vec!["a"], vec!["a", "b"], vec!["b", "c"], vec!["c"]]);
    assert_eq!(sim.kill().list(&dir).unwrap(), ["c"]);
}

#[test]
fn every_operation_counts_and_nothing_works_after_a_crash() {
    let workload = |sim: &SimFs| -> Result<(), StorageError> {
        sim.create_dir_all(Path::new("data"))?;
        let mut file = sim.create_new(Path::new("data/a"), false)?;
        file.append(&[1; 100])?;
        file.sync_data()?;
        file.truncate(50)?;
        sim.rename(Path::new("data/a"), Path::new("data/b"))?;
        sim.scratch(Path::new("data/s"), 64)?;
        sim.sync_dir(Path::new("data"))?;
        sim.remove(Path::new("data/b"))
    };
    let sim = SimFs::new(3);
    workload(&sim).unwrap();
    assert_eq!(sim.operation_count(), 9);
    for operation in 0..9 {
        let sim = SimFs::new(operation);
        sim.set_crash_at(operation);
        assert!(workload(&sim).unwrap_err().to_string().contains("simulated crash"));
        assert!(sim.has_crashed());
        assert_eq!(sim.operation_count(), operation + 1);
        assert!(sim.exists(Path::new("data")).is_err());
        assert!(sim.create_dir_all(Path::new("data")).is_err());
        sim.crash(operation).create_dir_all(Path::new("data/more")).unwrap();
    }
}

#[test]
fn locks_vanish_with_the_process() {
    let (sim, dir) = disk();
    let _held = sim.lock(&dir).unwrap();
    assert!(sim.clone().lock(&dir).is_err());
    sim.kill().lock(&dir).unwrap();
    sim.crash(5).lock(&dir).unwrap();
}

#[test]
fn equal_seeds_give_equal_disks() {
    let after = |seed| {
        let (sim, dir) = disk();
        let mut file = sim.create_new(&dir.join("a"), false).unwrap();
        sim.sync_dir(&dir).unwrap();
        file.append(&[9; 5000]).unwrap();
        sim.crash(seed).read(&dir.join("a")).unwrap()
    };
    assert!((0..20).all(|seed| after(seed) == after(seed)));
}
