//! The store with its threads: what queries see while others write, and that it always can be closed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use hitstone_engine::error::StorageError;
use hitstone_engine::event::Event;
use hitstone_engine::index::Needs;
use hitstone_engine::schema::Column;
use hitstone_engine::store::{Receipt, Snapshot, Store, StoreOptions};
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::sim::SimFs;

use crate::setup::view;
use crate::workload::{Rng, SITES, Workload};

const MINUTE: i64 = 60_000;
const NOON: i64 = 20_000 * 86_400_000 + 43_200_000;
const WRITERS: usize = 3;
const BATCHES: usize = 120;

fn open(fs: &SimFs, seal_rows: usize) -> Result<Store, StorageError> {
    let options = StoreOptions { seal_rows, ..StoreOptions::default() };
    Store::open(Arc::new(fs.clone()), Path::new("/data"), options)
}

/// Appends a batch and waits for its answer.
fn append(store: &Store, batch: Vec<Event>) -> Result<Receipt, StorageError> {
    let (done, answer) = mpsc::channel();
    store.append(batch, Box::new(move |result| done.send(result).unwrap()))?;
    answer.recv_timeout(Duration::from_secs(30)).expect("the writer answers")
}

/// Two page views of two visitors on two sites, both with the batch's path.
fn marked_batch(rng: &mut Rng, writer: usize, batch: usize) -> Vec<Event> {
    SITES
        .iter()
        .map(|&site| {
            // Some are late, and join sessions that are sealed or are being sealed.
            let time = NOON + batch as i64 * MINUTE - rng.below(90) as i64 * MINUTE;
            let visitor = rng.below(4);
            Event {
                site: SiteId(site),
                received: Some(NOON + batch as i64 * MINUTE),
                ..view(visitor, time, &format!("{writer}/{batch}"))
            }
        })
        .collect()
}

/// How often each path occurs in a snapshot.
fn paths(snapshot: &Snapshot) -> HashMap<String, usize> {
    let mut found = HashMap::new();
    for site in SITES {
        let sources = snapshot.sources(SiteId(site), &Needs::everything()).unwrap();
        assert_eq!(sources.incomplete, None);
        for source in sources.tables(SiteId(site)).unwrap() {
            let table = source.table;
            let dictionary = table.dictionary(Column::Path);
            for session in 0..table.session_count() {
                if source.hidden.as_ref().is_some_and(|hidden| hidden.contains(session as u32)) {
                    continue;
                }
                for row in table.rows(session) {
                    let path = dictionary.get(table.codes(Column::Path).get(row)).to_owned();
                    *found.entry(path).or_default() += 1;
                }
            }
        }
    }
    found
}

/// Every batch is there whole or not at all, and those acknowledged before are there.
fn check(snapshot: &Snapshot, acknowledged: &[usize]) {
    let found = paths(snapshot);
    for (path, &count) in &found {
        assert_eq!(count, SITES.len(), "batch {path} is there in part or twice");
    }
    for (writer, &batches) in acknowledged.iter().enumerate() {
        for batch in 0..batches {
            let path = format!("{writer}/{batch}");
            assert!(found.contains_key(&path), "batch {path} was acknowledged and is not seen");
        }
    }
}

fn counts(acknowledged: &[AtomicUsize]) -> Vec<usize> {
    acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect()
}

/// Writers append while readers check snapshots, also ones that they took a while ago.
fn concurrent_history(seed: u64, seal_rows: usize) {
    let fs = SimFs::new(seed);
    let store = open(&fs, seal_rows).unwrap();
    let acknowledged: [AtomicUsize; WRITERS] = Default::default();
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut older: Option<(Arc<Snapshot>, Vec<usize>)> = None;
                while !finished.load(Ordering::SeqCst) {
                    let before = counts(&acknowledged);
                    let snapshot = store.snapshot();
                    check(&snapshot, &before);
                    if let Some((old, seen)) = older.replace((snapshot, before)) {
                        let again = paths(&old);
                        check(&old, &seen);
                        assert_eq!(paths(&old), again, "a snapshot never changes");
                    }
                }
            });
        }
        let writers: Vec<_> = acknowledged
            .iter()
            .enumerate()
            .map(|(writer, acknowledged)| {
                let store = &store;
                scope.spawn(move || {
                    let mut rng = Rng::new(seed * 31 + writer as u64);
                    for batch in 0..BATCHES {
                        append(store, marked_batch(&mut rng, writer, batch)).unwrap();
                        acknowledged.store(batch + 1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let results: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        finished.store(true, Ordering::SeqCst);
        results.into_iter().for_each(|result| result.unwrap());
    });
    assert!(store.status().segments > 1, "it was sealed meanwhile");
    store.close().unwrap();
    let store = open(&fs.kill(), seal_rows).unwrap();
    check(&store.snapshot(), &counts(&acknowledged));
}

#[test]
fn a_snapshot_has_whole_batches_and_all_that_was_acknowledged() {
    for seed in 1..=4 {
        concurrent_history(seed, 8 + 20 * seed as usize);
    }
}

/// A seal that failed had been waited for again when the store was closed, for ever. A failed seal is over.
#[test]
fn a_store_can_be_closed_whatever_failed() {
    let script = |store: &Store| {
        let mut workload = Workload::new(3, 4);
        (0..40).try_for_each(|_| append(store, workload.batch()).map(drop))
    };
    let whole = SimFs::new(3);
    let store = open(&whole, 24).unwrap();
    script(&store).unwrap();
    store.close().unwrap();
    for at in 0..whole.operation_count() {
        let fs = SimFs::new(at);
        fs.fail_at(at, std::io::ErrorKind::StorageFull);
        let Ok(store) = open(&fs, 24) else { continue };
        let _ = script(&store);
        let (closed, end) = mpsc::channel();
        std::thread::spawn(move || closed.send(store.close().is_err()));
        let end = end.recv_timeout(Duration::from_secs(30));
        end.unwrap_or_else(|_| panic!("operation {at} failed and the store does not close"));
    }
}
