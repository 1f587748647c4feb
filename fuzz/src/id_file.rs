//! A file of event ids: it opens and finds its own ids, or is refused as damaged.

use std::path::Path;

use hitstone_engine::checksum::crc32c_of_parts;
use hitstone_engine::ids::file::{HEADER_BYTES, IdFile, encode};
use hitstone_engine::units::EventHash;
use hitstone_engine::vfs::Bytes;

/// Reads the bytes as they are, and once more with the checksum made right.
pub fn run(data: &[u8]) {
    read(data);
    if let Some((header, ids)) = data.split_at_checked(HEADER_BYTES) {
        let mut repaired = header.to_vec();
        let crc = crc32c_of_parts(&[&repaired[..HEADER_BYTES - 4], ids]);
        repaired[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        repaired.extend_from_slice(ids);
        read(&repaired);
    }
}

fn read(data: &[u8]) {
    let Ok(file) = IdFile::of(Path::new("ids"), Bytes::copy_of(data)) else { return };
    assert!(file.hashes().iter().all(|id| file.holds(id)), "a file finds its own ids");
    for id in [EventHash([0; 16]), EventHash([0xff; 16])] {
        assert_eq!(file.holds(&id), file.hashes().contains(&id));
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    [0u8, 1, 50]
        .map(|count| {
            let ids: Vec<EventHash> = (0..count).map(|n| EventHash([n * 5; 16])).collect();
            encode(494_000, 3, &ids)
        })
        .to_vec()
}
