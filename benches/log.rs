//! What storing costs: frames of the log, whole batches of events through the writer, replay when a store is opened:
//! `cargo bench --bench log`. Commits wait for the disk of the temporary folder.

#![allow(missing_docs, clippy::expect_used, reason = "a program of its own")]

mod generator;
#[path = "support/quick.rs"]
mod quick;
mod support;

use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use hitstone_engine::limits::FRAME_BYTES_MAX;
use hitstone_engine::log::{LogWriter, log_path, replay};
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::vfs::OsFs;

const GENERATION: u64 = 1;
const KIND: u8 = 1;
const PAYLOAD: [u8; 300] = [7; 300];
const EVENTS_OF_BATCH: usize = 100;

fn push(log: &mut LogWriter, count: u64) {
    for _ in 0..count {
        log.push(KIND, &PAYLOAD).expect("a frame");
    }
}

fn frames(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut log = LogWriter::create(&OsFs, folder.path(), GENERATION).expect("a log");
    let mut group = criterion.benchmark_group("log");
    for count in [1, 100] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(format!("commit of {count} frames"), |bencher| {
            bencher.iter(|| {
                push(&mut log, count);
                log.commit().expect("a commit");
            });
        });
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let count = support::scaled(100_000, 1_000);
    let mut log = LogWriter::create(&OsFs, folder.path(), GENERATION).expect("a log");
    push(&mut log, count);
    log.close().expect("the end of the log");
    let path = log_path(folder.path(), GENERATION);
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Elements(count));
    group.bench_function("replay of frames", |bencher| {
        bencher.iter(|| {
            let mut bytes = 0;
            let take = &mut |_: u8, _: u64, payload: &[u8]| {
                bytes += payload.len();
                Ok(())
            };
            replay(&OsFs, &path, GENERATION, FRAME_BYTES_MAX, take).expect("a sound log");
            bytes
        });
    });
    group.finish();
}

fn store(criterion: &mut Criterion) {
    let events = support::events(support::scaled(50_000, 1_000));
    let mut group = criterion.benchmark_group("store");
    let (_folder, store) = support::store();
    let mut batches = events.chunks(EVENTS_OF_BATCH).cycle();
    group.throughput(Throughput::Elements(EVENTS_OF_BATCH as u64));
    group.bench_function("append of 100 events, synced", |bencher| {
        let batch = || batches.next().map(<[_]>::to_vec).unwrap_or_default();
        bencher.iter_batched(batch, |batch| support::append(&store, batch), BatchSize::SmallInput);
    });
    drop(store);

    let (folder, store) = support::store();
    events.chunks(EVENTS_OF_BATCH * 10).for_each(|batch| support::append(&store, batch.to_vec()));
    drop(store);
    group.throughput(Throughput::Elements(events.len() as u64));
    group.sample_size(10);
    group.bench_function("open, replaying all events", |bencher| {
        bencher
            .iter(|| Store::open(Arc::new(OsFs), folder.path(), StoreOptions::default()).expect("a store"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = quick::criterion();
    targets = frames, reading, store
}
criterion_main!(benches);
