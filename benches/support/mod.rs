//! A store of made-up traffic, without a server.

#![allow(dead_code, reason = "each benchmark uses a part of this")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hitstone::statistics::days::local_days;
use hitstone_engine::event::{Event, Texts};
use hitstone_engine::parquet::{LakeRow, Reader};
use hitstone_engine::schema::Column;
use hitstone_engine::store::{AGGREGATE_ROWS_MIN, CompactionSettings, Store, StoreOptions};
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::{OsFs, SharedFs};
use jiff::tz::TimeZone;
use tempfile::TempDir;

use crate::generator::{Settings, generate};

/// The site of all rows.
pub const SITE: SiteId = SiteId(1);
const BATCH: usize = 2_000;

/// `many` when it is measured, `few` when it is only tried.
pub fn scaled(many: u64, few: u64) -> u64 {
    if std::env::args().any(|argument| argument == "--bench") { many } else { few }
}

/// Made-up events of a month, as they are stored.
pub fn events(count: u64) -> Vec<Event> {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { events: count, days: 30, sites: 1, seed: 1, has_stable_ids: false };
    let hosts = generate(&settings, folder.path());
    let fs: SharedFs = Arc::new(OsFs);
    let mut events = Vec::new();
    for host in hosts {
        for file in files(&folder.path().join(host)) {
            let mut reader = Reader::open(&*fs, &file).expect("a sound file");
            while let Some(batch) = reader.next_batch().expect("sound rows") {
                events.extend((0..batch.len()).map(|row| event(&batch.row(row).expect("a sound row"))));
            }
        }
    }
    events
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn event(row: &LakeRow<'_>) -> Event {
    let mut texts = Texts::new();
    for column in Column::ALL {
        texts.set(column, row.text(column));
    }
    Event {
        site: SITE,
        time: row.time,
        received: row.received,
        kind: row.kind,
        visitor: row.visitor,
        previous_visitor: None,
        user_key: row.user_key,
        event_duration: row.event_duration,
        non_interactive: row.non_interactive,
        may_be_assumed: false,
        status: row.status,
        texts,
    }
}

/// An empty store; it lives as long as the folder.
pub fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(Arc::new(OsFs), folder.path(), StoreOptions::default()).expect("a store");
    (folder, store)
}

/// Stores events and waits until they are on disk.
pub fn append(store: &Store, events: Vec<Event>) {
    let (done, result) = std::sync::mpsc::channel();
    store.append(events, Box::new(move |outcome| drop(done.send(outcome)))).expect("queueing");
    result.recv().expect("an answer").expect("storing");
}

/// A store with all of the events in the lake, and aggregates of them.
pub fn compacted(events: &[Event]) -> (TempDir, Store) {
    let (folder, store) = store();
    events.chunks(BATCH).for_each(|batch| append(&store, batch.to_vec()));
    let settings = CompactionSettings {
        aggregate_rows_min: AGGREGATE_ROWS_MIN,
        host_of: Arc::new(|_| Some("example.com".into())),
        days_of: Arc::new(|_, span| Some(local_days(&TimeZone::UTC, "UTC", span))),
        clock: Arc::new(|| i64::MAX / 4),
        share: 1.0,
        tell: Arc::new(|_| ()),
    };
    store.start_compaction(settings).expect("a thread");
    store.compact(&mut |_| ()).expect("compacting");
    (folder, store)
}
