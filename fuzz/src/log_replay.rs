//! A whole log file: replay ends in order or with an error, and what it hands on decodes or is refused.

use hitstone_engine::limits::FRAME_BYTES_MAX;
use hitstone_engine::log::{LogWriter, log_path, replay};
use hitstone_engine::record::FRAME_EVENTS;
use hitstone_engine::vfs::{Fs, OsFs};

use super::folder::Folder;

const GENERATION: u64 = 3;

pub fn run(data: &[u8]) {
    let folder = Folder::new("log");
    let path = folder.0.join("log");
    std::fs::write(&path, data).expect("writing the log");
    let mut last = 0;
    let result = replay(&OsFs, &path, GENERATION, FRAME_BYTES_MAX, &mut |_, sequence, payload| {
        assert_eq!(sequence, last + 1, "frames come in order");
        last = sequence;
        super::log_record::run(payload);
        Ok(())
    });
    if let Ok(end) = result {
        assert_eq!(end.next_sequence, last + 1);
    }
}

/// A log of each length, as the writer writes it.
pub fn seeds() -> Vec<Vec<u8>> {
    let folder = Folder::new("log");
    let mut writer = LogWriter::create(&OsFs, &folder.0, GENERATION).expect("making a log");
    let path = log_path(&folder.0, GENERATION);
    let read = || OsFs.read(&path).expect("reading the log");
    let mut seeds = vec![read()];
    for payload in super::log_record::seeds() {
        writer.push(FRAME_EVENTS, &payload).expect("adding a frame");
        writer.commit().expect("writing the frame");
        seeds.push(read());
    }
    writer.close().expect("closing the log");
    seeds.push(read());
    seeds
}
