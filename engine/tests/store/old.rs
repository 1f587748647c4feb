//! Data folders of older formats: opened, read, and written on. Logs of version 2 are made from today's.
//!
//! `tests/fixtures/log-v1-*` were written by the last program whose logs had version 1: the events of [`events`], a batch
//! and a commit each, sealed at 8 rows. One was closed in order, the other's process was killed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hitstone_engine::event::{Batch, Event, Position};
use hitstone_engine::store::StoreOptions;
use hitstone_engine::vfs::OsFs;
use hitstone_engine::writer::Core;

use crate::dump::{assert_same, of_model, of_snapshot};
use crate::ids::batch_of;
use crate::model::Model;
use crate::setup::view;

const NOON: i64 = 20_000 * 86_400_000 + 43_200_000;
const SEAL_ROWS: usize = 8;

fn open(folder: &Path) -> Core {
    let options = StoreOptions { seal_rows: SEAL_ROWS, ..StoreOptions::default() };
    Core::open(Arc::new(OsFs), folder, options).unwrap()
}

/// Two page views each of seven visitors.
fn events() -> Vec<Event> {
    (0..14).map(|n| view(n % 7, NOON + n as i64 * 60_000, &format!("/page/{n}"))).collect()
}

/// Gives a log's header another version. Of version 2 only a kind of frame was missing.
fn set_version(log: &Path, version: u8) {
    let mut bytes = std::fs::read(log).unwrap();
    bytes[8] = version;
    let crc = hitstone_engine::checksum::crc32c(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(log, bytes).unwrap();
}

#[test]
fn logs_of_version_2_are_read_and_written_on() {
    for closed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let events = [view(1, NOON, "/one"), view(1, NOON + 60_000, "/two")];
        let mut model = Model::default();
        events.iter().for_each(|event| model.append(event));
        let mut core = open(folder.path());
        core.append(&batch_of(vec![(events[0].clone(), 1)], NOON)).unwrap();
        core.commit().unwrap();
        if closed {
            core.close().unwrap();
        } else {
            drop(core);
        }
        let log = folder.path().join("log-0000000000000001");
        set_version(&log, 2);
        let mut core = open(folder.path());
        let position = Position { identity: [7; 16], offset: 99 };
        let batch = Batch { position: Some(position), ..batch_of(vec![(events[1].clone(), 2)], NOON) };
        core.append(&batch).unwrap();
        core.commit().unwrap();
        assert_eq!(std::fs::read(&log).unwrap()[8..12], [3, 0, 0, 0]);
        drop(core);
        let mut core = open(folder.path());
        assert_eq!(core.snapshot().offset_of(&[7; 16]), Some(99));
        assert_eq!(core.append(&batch).unwrap().repeated, 1);
        assert_same(&of_snapshot(&core.snapshot(), &[1]), &of_model(&model), "version 2");
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn logs_of_version_1_are_read_and_written_on() {
    for name in ["log-v1-closed", "log-v1-killed"] {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture(name)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let mut model = Model::default();
        events().iter().for_each(|event| model.append(event));
        let mut core = open(folder.path());
        assert_same(&of_snapshot(&core.snapshot(), &[1]), &of_model(&model), name);
        // Ids of events came with version 2: the log must say so from here on.
        let later = view(3, NOON + 20 * 60_000, "/later");
        let batch = batch_of(vec![(later.clone(), 1)], NOON);
        core.append(&batch).unwrap();
        core.commit().unwrap();
        model.append(&later);
        let log = std::fs::read(folder.path().join("log-0000000000000002")).unwrap();
        assert_eq!(log[8..12], [3, 0, 0, 0]);
        drop(core);
        let mut core = open(folder.path());
        assert_eq!(core.append(&batch).unwrap().repeated, 1);
        assert_same(&of_snapshot(&core.snapshot(), &[1]), &of_model(&model), name);
    }
}
