//! One file of the lake: the sessions of its key and no others, each where the observer was told, however many threads
//! encode it.

use std::num::NonZero;
use std::path::Path;

use hitstone_engine::error::{ParquetError, StorageError};
use hitstone_engine::index::Needs;
use hitstone_engine::parquet::{Key, KeyBy, Observer, Placed, Reader, Written, write_file};
use hitstone_engine::query::Source;
use hitstone_engine::snapshot::{SiteSources, Snapshot};
use hitstone_engine::store::StoreOptions;
use hitstone_engine::units::{SessionId, SiteId};
use hitstone_engine::vfs::OsFs;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::workload::Workload;

const SITE: SiteId = SiteId(1);

/// A store of several segments.
fn snapshot(seed: u64) -> Snapshot {
    let disk = SimFs::new(seed);
    let options = StoreOptions { seal_rows: 60, ..StoreOptions::default() };
    let mut core = Core::open(disk.shared(), Path::new("/data"), options).unwrap();
    let mut workload = Workload::new(seed, 12);
    for _ in 0..120 {
        core.append_events(&workload.batch()).unwrap();
        core.commit().unwrap();
        if core.wants_seal() {
            let job = core.begin_seal().unwrap();
            core.finish_seal(job.run().unwrap()).unwrap();
        }
    }
    core.snapshot()
}

fn tables(data: &SiteSources) -> Vec<Source<'_>> {
    let parts = data.segments.iter();
    let tables = parts.map(|part| (part.segment.table(SITE).unwrap(), part.hidden.as_deref()));
    tables.filter_map(|(table, hidden)| table.map(|table| Source { table, hidden })).collect()
}

#[derive(Default)]
struct Told {
    sessions: Vec<Placed>,
    last: Written,
    stop_at: Option<u64>,
}

impl Observer for Told {
    fn session(&mut self, placed: &Placed) -> Result<(), ParquetError> {
        self.sessions.push(placed.clone());
        Ok(())
    }

    fn progress(&mut self, written: &Written) -> Result<(), ParquetError> {
        assert!(
            written.rows - self.last.rows <= 8_192,
            "not told for {} rows",
            written.rows - self.last.rows
        );
        self.last = *written;
        match self.stop_at {
            Some(rows) if written.rows >= rows => Err(ParquetError::Stopped("enough")),
            _ => Ok(()),
        }
    }
}

fn file(
    sources: &[Source<'_>],
    key: Key,
    threads: usize,
    told: &mut Told,
) -> Result<(Vec<u8>, Written), ParquetError> {
    let mut bytes = Vec::new();
    let mut sink = |more: &[u8]| {
        bytes.extend_from_slice(more);
        Ok(())
    };
    let written = write_file(sources, "x", key, NonZero::new(threads).unwrap(), &mut sink, told)?;
    Ok((bytes, written))
}

/// (visitor, session id, time) of each row.
fn rows_of(bytes: &[u8]) -> Vec<(u64, i64, i64)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.parquet");
    std::fs::write(&path, bytes).unwrap();
    let (mut reader, mut rows) = (Reader::open(&OsFs, &path).unwrap(), Vec::new());
    while let Some(batch) = reader.next_batch().unwrap() {
        rows.extend((0..batch.len()).map(|row| {
            let row = batch.row(row).unwrap();
            (row.visitor.0, row.session.unwrap(), row.time)
        }));
    }
    rows
}

#[test]
fn a_file_has_the_sessions_of_its_key_where_the_observer_was_told() {
    for seed in 1..6 {
        let snapshot = snapshot(seed);
        let data = snapshot.sources(SITE, &Needs::everything()).unwrap();
        let sources = tables(&data);
        let live: u64 = sources
            .iter()
            .map(|source| {
                source.table.session_count() as u64 - source.hidden.map_or(0, |hidden| hidden.len())
            })
            .sum();
        for by in [KeyBy::Month, KeyBy::Day] {
            let days = sources.iter().flat_map(|source| source.table.runs).map(|run| run.day_utc());
            let keys: std::collections::BTreeSet<Key> = days.map(|day| Key::of(day, by)).collect();
            let mut sessions = 0;
            for key in keys {
                let mut told = Told::default();
                let (bytes, written) = file(&sources, key, 1, &mut told).unwrap();
                assert_eq!(file(&sources, key, 3, &mut Told::default()).unwrap().0, bytes, "{key}: threads");
                let rows = rows_of(&bytes);
                let counts = (rows.len() as u64, told.sessions.len() as u64, bytes.len() as u64);
                assert_eq!((written.rows, written.sessions, written.bytes), counts, "{key}");
                assert_eq!((told.last, written.files), (written, 1), "{key}");
                let mut next = 0;
                for placed in &told.sessions {
                    assert_eq!(placed.rows.start, next, "{key}: rows follow each other");
                    next = placed.rows.end;
                    let table = &sources[placed.source].table;
                    let id = table.states.session_id(placed.session).unwrap();
                    assert!(key.contains(SessionId(id).day()), "{key}: {id}");
                    for (at, row) in table.rows(placed.session).enumerate() {
                        let time = table.times.of_row(placed.session, row);
                        let wanted = (table.visitors.get(placed.session).unwrap(), i64::from(id), time);
                        assert_eq!(rows[placed.rows.start as usize + at], wanted, "{key}");
                    }
                }
                assert_eq!(next, written.rows);
                sessions += written.sessions;
            }
            assert_eq!(sessions, live, "seed {seed}, {by:?}: every session is in one file");
        }
    }
}

#[test]
fn an_observer_or_a_sink_ends_it() {
    let snapshot = snapshot(9);
    let data = snapshot.sources(SITE, &Needs::everything()).unwrap();
    let sources = tables(&data);
    let day = sources[0].table.runs[0].day_utc();
    let key = Key::of(day, KeyBy::Month);
    let mut told = Told { stop_at: Some(1), ..Told::default() };
    let stopped = file(&sources, key, 2, &mut told);
    assert!(matches!(stopped, Err(ParquetError::Stopped("enough"))), "{stopped:?}");
    let mut sink = |_: &[u8]| Err(StorageError::Closed);
    let refused = write_file(&sources, "x", key, NonZero::<usize>::MIN, &mut sink, &mut Told::default());
    assert!(matches!(refused, Err(ParquetError::Storage(StorageError::Closed))), "{refused:?}");
    let (bytes, written) = file(&[], key, 1, &mut Told::default()).unwrap();
    assert_eq!((rows_of(&bytes), written.rows, written.sessions), (Vec::new(), 0, 0), "a file without rows");
}
