//! The log as a whole, over the simulated disk: what is committed stays, what is torn is cut, what rots is told.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::error::StorageError;
use crate::limits::FRAME_BYTES_MAX;
use crate::vfs::sim::SimFs;
use crate::vfs::{Fs, OsFs};

const DIR: &str = "data";
const GENERATION: u64 = 0x1f;

type Frame = (u8, Vec<u8>);

fn disk(seed: u64) -> SimFs {
    let sim = SimFs::new(seed);
    sim.create_dir_all(Path::new(DIR)).unwrap();
    sim
}

fn path() -> PathBuf {
    log_path(Path::new(DIR), GENERATION)
}

fn create(sim: &SimFs) -> LogWriter {
    LogWriter::create(sim, Path::new(DIR), GENERATION).unwrap()
}

fn read(fs: &dyn Fs) -> Result<(Vec<Frame>, ReplayEnd), StorageError> {
    let mut frames = Vec::new();
    let end = replay(fs, &path(), GENERATION, FRAME_BYTES_MAX, &mut |kind, sequence, payload| {
        frames.push((kind, payload.to_vec()));
        assert_eq!(sequence, frames.len() as u64);
        Ok(())
    })?;
    Ok((frames, end))
}

fn resume(fs: &dyn Fs, end: &ReplayEnd) -> LogWriter {
    LogWriter::resume(fs, Path::new(DIR), GENERATION, end.end_offset, end.next_sequence).unwrap()
}

/// Writes a file of these bytes, all on disk.
fn file_of(bytes: &[u8]) -> SimFs {
    let sim = disk(0);
    let mut file = sim.create_new(&path(), false).unwrap();
    file.append(bytes).unwrap();
    file.sync_data().unwrap();
    sim.sync_dir(Path::new(DIR)).unwrap();
    sim
}

/// Writes batches of frames, a commit each, and gives where each batch began.
fn write(writer: &mut LogWriter, batches: &[Vec<Frame>]) -> Result<Vec<u64>, StorageError> {
    let mut starts = Vec::new();
    for batch in batches {
        starts.push(writer.synced_end());
        for (kind, payload) in batch {
            writer.push(*kind, payload)?;
        }
        writer.commit()?;
    }
    Ok(starts)
}

fn batches() -> impl Strategy<Value = Vec<Vec<Frame>>> {
    let payload =
        prop_oneof![prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(0..3u8, 0..1500)];
    let frame = (0..CLOSE, payload);
    prop::collection::vec(prop::collection::vec(frame, 1..4), 1..6)
}

fn corrupt_offset<T>(result: Result<T, StorageError>) -> Option<u64> {
    match result {
        Err(StorageError::Corrupt { path: named, offset, .. }) if named == path() => Some(offset),
        _ => None,
    }
}

#[test]
fn names_and_generations_agree() {
    assert_eq!(path(), Path::new("data/log-000000000000001f"));
    assert_eq!(generation_of("log-000000000000001f"), Some(GENERATION));
    for name in
        ["log-1f", "log-000000000000001F", "log-+00000000000001f", "manifest", "log-000000000000001f.tmp"]
    {
        assert_eq!(generation_of(name), None);
    }
}

#[test]
fn an_empty_log_a_closed_log_and_one_that_goes_on() {
    let sim = disk(0);
    let writer = create(&sim);
    let empty =
        ReplayEnd { end_offset: 32, next_sequence: 1, torn_bytes: 0, closed: false, version: FORMAT_VERSION };
    assert_eq!(read(&sim).unwrap(), (vec![], empty));
    writer.close().unwrap();
    let (_, end) = read(&sim).unwrap();
    assert_eq!(end, ReplayEnd { closed: true, ..empty });
    let mut writer = resume(&sim, &end);
    assert_eq!(writer.push(3, b"one").unwrap(), 32 + 25 + 3);
    assert_eq!(writer.buffered_bytes(), 28);
    writer.commit().unwrap();
    writer.commit().unwrap();
    assert_eq!((writer.buffered_bytes(), writer.synced_end(), writer.next_sequence()), (0, 60, 2));
    writer.close().unwrap();
    let (frames, end) = read(&sim).unwrap();
    assert_eq!(frames, [(3, b"one".to_vec())]);
    assert_eq!(end, ReplayEnd { end_offset: 60, next_sequence: 2, closed: true, ..empty });
}

#[test]
fn a_real_disk_and_frames_longer_than_a_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::create(&OsFs, folder.path(), 1).unwrap();
    let lengths = [0, 3 << 20, 10, 1 << 20, (1 << 20) - 25, 5];
    for (kind, &len) in lengths.iter().enumerate() {
        writer.push(kind as u8, &vec![kind as u8; len]).unwrap();
    }
    writer.close().unwrap();
    let mut found = Vec::new();
    let end = replay(&OsFs, &log_path(folder.path(), 1), 1, FRAME_BYTES_MAX, &mut |kind, _, payload| {
        assert!(payload.iter().all(|&byte| byte == kind));
        found.push(payload.len());
        Ok(())
    });
    assert_eq!(found, lengths);
    assert!(end.unwrap().closed);
}

#[test]
fn a_payload_that_is_too_large_is_refused_and_nothing_else_suffers() {
    let sim = disk(0);
    let mut writer = create(&sim);
    let refused = writer.push(0, &vec![0; FRAME_BYTES_MAX + 1]);
    assert!(matches!(refused, Err(StorageError::TooLarge { .. })));
    writer.push(1, b"small").unwrap();
    writer.commit().unwrap();
    assert_eq!(read(&sim).unwrap().0, [(1, b"small".to_vec())]);
}

#[test]
fn a_failed_write_or_sync_latches() {
    for failing in 0..2 {
        let sim = disk(failing);
        let mut writer = create(&sim);
        sim.fail_at(sim.operation_count() + failing, ErrorKind::StorageFull);
        writer.push(0, &[1; 3000]).unwrap();
        assert!(matches!(writer.commit(), Err(StorageError::Io { kind: ErrorKind::StorageFull, .. })));
        assert!(matches!(writer.push(0, b""), Err(StorageError::Latched { .. })));
        assert!(
            matches!(writer.commit(), Err(StorageError::Latched { reason }) if reason.contains("simulated"))
        );
        assert!(matches!(writer.close(), Err(StorageError::Latched { .. })));
    }
}

#[test]
fn an_error_of_the_visitor_ends_the_replay() {
    let sim = disk(0);
    let mut writer = create(&sim);
    write(&mut writer, &[vec![(0, vec![]), (1, vec![])]]).unwrap();
    let mut calls = 0;
    let ended = replay(&sim, &path(), GENERATION, FRAME_BYTES_MAX, &mut |_, _, _| {
        calls += 1;
        Err(StorageError::Closed)
    });
    assert!(matches!(ended, Err(StorageError::Closed)));
    assert_eq!(calls, 1);
}

#[test]
fn a_frame_of_another_log_is_a_torn_tail() {
    let sim = disk(0);
    let mut other = LogWriter::create(&sim, Path::new(DIR), 1).unwrap();
    other.push(0, b"other").unwrap();
    other.commit().unwrap();
    let foreign = sim.read(other.path()).unwrap()[32..].to_vec();
    drop(create(&sim));
    sim.open(&path()).unwrap().append(&foreign).unwrap();
    let (frames, end) = read(&sim).unwrap();
    assert_eq!((frames.len(), end.end_offset, end.torn_bytes), (0, 32, foreign.len() as u64));
    let wrong = replay(&sim, &path(), 1, FRAME_BYTES_MAX, &mut |_, _, _| Ok(()));
    assert!(matches!(wrong, Err(StorageError::Corrupt { offset: 16, .. })));
}

#[test]
fn a_missing_frame_in_the_middle_is_corruption() {
    let sim = disk(0);
    let mut writer = create(&sim);
    let starts = write(&mut writer, &[vec![(0, vec![1])], vec![(0, vec![2])], vec![(0, vec![3])]]).unwrap();
    let mut bytes = sim.read(&path()).unwrap();
    bytes.drain(starts[0] as usize..starts[1] as usize);
    assert_eq!(corrupt_offset(read(&file_of(&bytes))), Some(starts[0]));
}

#[test]
fn anything_behind_a_closing_frame_is_corruption() {
    let sim = disk(0);
    create(&sim).close().unwrap();
    sim.open(&path()).unwrap().append(&[0]).unwrap();
    assert_eq!(corrupt_offset(read(&sim)), Some(32 + 25));
}

#[test]
fn an_interrupted_creation_is_an_empty_torn_log() {
    for crash_at in 0..4 {
        for seed in 0..20 {
            let sim = disk(seed);
            sim.set_crash_at(sim.operation_count() + crash_at);
            assert!(LogWriter::create(&sim, Path::new(DIR), GENERATION).is_err());
            let sim = sim.crash(seed);
            if !sim.exists(&path()).unwrap() {
                continue;
            }
            let (frames, end) = read(&sim).unwrap();
            assert!(frames.is_empty() && !end.closed && (end.end_offset == 0 || end.torn_bytes == 0));
            cut_tail(&sim, &path(), &end).unwrap();
            let mut writer = resume(&sim, &end);
            writer.push(0, b"first").unwrap();
            writer.commit().unwrap();
            assert_eq!(read(&sim.crash(seed)).unwrap().0, [(0, b"first".to_vec())]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_cut_anywhere_gives_a_prefix(batches in batches(), cut: prop::sample::Index) {
        let sim = disk(0);
        write(&mut create(&sim), &batches).unwrap();
        let bytes = sim.read(&path()).unwrap();
        let cut = cut.index(bytes.len() + 1);
        let sim = file_of(&bytes[..cut]);
        let (frames, end) = read(&sim).unwrap();
        let all: Vec<Frame> = batches.concat();
        prop_assert!(all.starts_with(&frames));
        prop_assert_eq!(end.end_offset + end.torn_bytes, cut as u64);
        prop_assert_eq!(end.next_sequence, frames.len() as u64 + 1);
        cut_tail(&sim, &path(), &end).unwrap();
        let expected = ReplayEnd { torn_bytes: 0, ..end };
        prop_assert_eq!(read(&sim).unwrap(), (frames, expected));
    }

    #[test]
    fn a_flipped_bit_is_corruption_if_vouched_for_and_else_a_torn_tail(
        batches in batches(), at: prop::sample::Index, bit in 0..8u8, closed: bool,
    ) {
        let sim = disk(0);
        let mut writer = create(&sim);
        let starts = write(&mut writer, &batches).unwrap();
        let frames_end = writer.synced_end();
        if closed {
            writer.close().unwrap();
        }
        // What the last frame's synced end vouches for.
        let vouched_end = if closed { frames_end } else { starts[starts.len() - 1] };
        let offset = at.index(frames_end as usize) as u64;
        prop_assert!(sim.flip_bits(&path(), offset, 1 << bit));
        let found = read(&sim);
        if (8..12).contains(&offset) {
            // The version: it must not have grown, or a newer program wrote the log.
            prop_assert!(found.is_err());
        } else if offset < vouched_end {
            let named = corrupt_offset(found);
            prop_assert!(named.is_some_and(|named| named <= offset), "{named:?} for {offset}");
        } else if offset >= 32 {
            let (frames, end) = found.unwrap();
            prop_assert!(batches.concat().starts_with(&frames));
            prop_assert!(end.end_offset <= offset && end.end_offset >= vouched_end && end.torn_bytes > 0);
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), whole_header: bool) {
        let sim = disk(0);
        drop(create(&sim));
        let mut content = if whole_header { sim.read(&path()).unwrap() } else { Vec::new() };
        content.extend_from_slice(&bytes);
        let (frames, end) = read(&file_of(&content)).unwrap();
        prop_assert!(frames.is_empty() && end.torn_bytes == bytes.len() as u64);
    }

    /// Writes, crashes anywhere, recovers, writes on, again and again: what was committed is never lost, and nothing
    /// comes back that was not pushed.
    #[test]
    fn what_was_committed_survives_every_crash(
        rounds in prop::collection::vec((batches(), 0..30u64, any::<u64>(), any::<bool>()), 1..5),
    ) {
        let mut sim = disk(1);
        drop(create(&sim));
        let mut committed: Vec<Frame> = Vec::new();
        for (batches, crash_after, seed, kill) in rounds {
            sim.set_crash_at(sim.operation_count() + crash_after);
            let mut pushed = committed.clone();
            let _ = run_round(&sim, &batches, &mut committed, &mut pushed);
            sim = if kill { sim.kill() } else { sim.crash(seed) };
            let (frames, end) = read(&sim).unwrap();
            prop_assert!(frames.starts_with(&committed), "{} of {}", frames.len(), committed.len());
            prop_assert!(pushed.starts_with(&frames));
            cut_tail(&sim, &path(), &end).unwrap();
            committed = frames;
            // Only syncing makes what a killed process left durable.
            drop(resume(&sim, &end));
        }
    }
}

/// Recovers and writes until the crash.
fn run_round(
    sim: &SimFs,
    batches: &[Vec<Frame>],
    committed: &mut Vec<Frame>,
    pushed: &mut Vec<Frame>,
) -> Result<(), StorageError> {
    let (_, end) = read(sim)?;
    cut_tail(sim, &path(), &end)?;
    let mut writer = LogWriter::resume(sim, Path::new(DIR), GENERATION, end.end_offset, end.next_sequence)?;
    for batch in batches {
        pushed.extend_from_slice(batch);
        write(&mut writer, std::slice::from_ref(batch))?;
        committed.extend_from_slice(batch);
    }
    writer.close()
}
