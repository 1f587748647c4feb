//! How long salts live, and that they are on disk before they are used.

use hitstone_engine::vfs::OsFs;
use proptest::prelude::*;

use super::*;

const HOUR_MS: i64 = 3_600_000;
/// Noon of day 20,000.
const NOON: TimestampMs = 20_000 * DAY_MS + 12 * HOUR_MS;

fn open(folder: &Path, now: TimestampMs) -> Result<Salts, StorageError> {
    Salts::open(Arc::new(OsFs), folder, now)
}

fn utc(day: i32) -> SaltDay {
    SaltDay { day, offset_ms: 0 }
}

#[test]
fn a_day_has_one_salt_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let salts = open(folder.path(), NOON).unwrap();
    let today = salts.of_day(utc(20_000), NOON).unwrap();
    assert_eq!(today.previous, None);
    assert_eq!(salts.of_day(utc(20_000), NOON + HOUR_MS).unwrap(), today);
    drop(salts);
    let salts = open(folder.path(), NOON + HOUR_MS).unwrap();
    assert_eq!(salts.of_day(utc(20_000), NOON + HOUR_MS).unwrap(), today);
    let tomorrow = salts.of_day(utc(20_001), NOON + DAY_MS).unwrap();
    assert_ne!(tomorrow.current, today.current);
    assert_eq!(tomorrow.previous, Some(today.current));
}

#[test]
fn salts_of_today_and_two_days_before_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let salts = open(folder.path(), NOON).unwrap();
    let first = salts.of_day(utc(20_000), NOON).unwrap().current;
    let last_moment = 20_003 * DAY_MS - 1;
    salts.expire(last_moment).unwrap();
    assert_eq!(salts.of_day(utc(20_000), last_moment).unwrap().current, first);
    salts.expire(last_moment + 1).unwrap();
    assert_eq!(salts.count(), 0);
    assert_ne!(salts.of_day(utc(20_000), last_moment + 1).unwrap().current, first);
}

#[test]
fn a_salt_past_its_end_is_not_used_even_before_the_timer() {
    let folder = tempfile::tempdir().unwrap();
    let salts = open(folder.path(), NOON).unwrap();
    let first = salts.of_day(utc(20_000), NOON).unwrap().current;
    let late = NOON + 9 * DAY_MS;
    assert_ne!(salts.of_day(utc(20_000), late).unwrap().current, first);
    let next = salts.of_day(utc(20_000), NOON).unwrap();
    assert_ne!(next.current, first, "time does not run back");
    drop(salts);
    let salts = open(folder.path(), NOON).unwrap();
    assert_eq!(salts.of_day(utc(20_000), NOON).unwrap(), next, "nor over a restart");
}

#[test]
fn the_zone_that_is_last_to_end_a_day_decides() {
    let folder = tempfile::tempdir().unwrap();
    let salts = open(folder.path(), NOON).unwrap();
    let west = SaltDay { day: 20_000, offset_ms: -8 * HOUR_MS };
    let first = salts.of_day(utc(20_000), NOON).unwrap().current;
    assert_eq!(salts.of_day(west, NOON).unwrap().current, first);
    salts.expire(20_003 * DAY_MS + 7 * HOUR_MS).unwrap();
    assert_eq!(salts.count(), 1);
    salts.expire(20_003 * DAY_MS + 8 * HOUR_MS).unwrap();
    assert_eq!(salts.count(), 0);
}

#[test]
fn an_older_day_s_salt_ends_a_day_after_its_last_use() {
    let folder = tempfile::tempdir().unwrap();
    let salts = open(folder.path(), NOON).unwrap();
    let old = salts.of_day(utc(19_000), NOON).unwrap().current;
    assert_eq!(salts.of_day(utc(19_000), NOON + 20 * HOUR_MS).unwrap().current, old);
    salts.expire(NOON + 43 * HOUR_MS).unwrap();
    assert_eq!(salts.of_day(utc(19_001), NOON + 43 * HOUR_MS).unwrap().previous, Some(old));
    salts.expire(NOON + 43 * HOUR_MS + 25 * HOUR_MS).unwrap();
    assert_eq!(salts.count(), 0);
}

#[test]
fn what_cannot_be_written_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    std::fs::create_dir(&inner).unwrap();
    let salts = open(&inner, NOON).unwrap();
    std::fs::remove_dir(&inner).unwrap();
    assert!(salts.of_day(utc(20_000), NOON).is_err());
    assert_eq!(salts.count(), 0);
    std::fs::create_dir(&inner).unwrap();
    let made = salts.of_day(utc(20_000), NOON).unwrap();
    assert_eq!(open(&inner, NOON).unwrap().of_day(utc(20_000), NOON).unwrap(), made);
}

#[test]
fn the_file_is_private_and_damage_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    open(folder.path(), NOON).unwrap().of_day(utc(20_000), NOON).unwrap();
    let path = folder.path().join("salts");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let sound = std::fs::read(&path).unwrap();
    for at in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&path, &damaged).unwrap();
        let error = open(folder.path(), NOON).err().unwrap();
        assert!(error.to_string().contains("salts"), "{error}");
        std::fs::write(&path, &sound[..at]).unwrap();
        assert!(open(folder.path(), NOON).is_err(), "cut to {at}");
    }
    let newer = [b"HSSALTS2".as_slice(), &sound[8..]].concat();
    std::fs::write(&path, newer).unwrap();
    assert!(matches!(open(folder.path(), NOON), Err(StorageError::Version { found: 2, supported: 1, .. })));
}

#[test]
fn many_threads_get_one_salt() {
    let folder = tempfile::tempdir().unwrap();
    let salts = open(folder.path(), NOON).unwrap();
    let got = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| salts.of_day(utc(20_000), NOON).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(got.iter().all(|one| one == &got[0]));
}

proptest! {
    #[test]
    fn states_survive_the_file(newest_time in any::<i64>(), ends in prop::collection::btree_map(any::<i32>(), any::<(i64, Salt)>(), 0..40)) {
        let entries = ends.into_iter().map(|(day, (ends, salt))| Entry { day, ends, salt }).collect();
        let state = State { newest_time, entries };
        prop_assert_eq!(decode(Path::new("salts"), &encode(&state)).unwrap(), state);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Path::new("salts"), &bytes);
        let mut headed = MAGIC.to_vec();
        headed.push(VERSION);
        headed.extend_from_slice(&bytes);
        let checksum = crc32c(&headed);
        headed.extend_from_slice(&checksum.to_le_bytes());
        let _ = decode(Path::new("salts"), &headed);
    }
}
