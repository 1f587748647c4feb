//! A whole log file: replay ends in order or with an error, and what it hands on decodes or is refused.

use std::path::Path;

use hitstone_engine::log::frame::{encode_frame, encode_header};
use hitstone_engine::log::replay_bytes;
use hitstone_engine::record::FRAME_EVENTS;

const GENERATION: u64 = 3;

pub fn run(data: &[u8]) {
    let mut end = 0;
    let result = replay_bytes(Path::new("log"), data, GENERATION, &mut |_, sequence, payload| {
        assert_eq!(sequence, end + 1, "frames come in order");
        end = sequence;
        super::log_record::run(payload);
        Ok(())
    });
    if let Ok(result) = result {
        assert_eq!(result.next_sequence, end + 1);
        assert!(result.end_offset <= data.len().max(32) as u64, "the end lies in the file");
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut log = encode_header(GENERATION);
    let mut seeds = vec![log.clone()];
    for (sequence, payload) in (1..).zip(super::log_record::seeds()) {
        let synced_end = log.len() as u64;
        encode_frame(&mut log, GENERATION, sequence, synced_end, FRAME_EVENTS, &payload);
        seeds.push(log.clone());
    }
    seeds
}
