//! The bytes of a log's header and of one frame, as the tables in the head of [`crate::log`] say.

use std::path::Path;

use crate::checksum::{crc32c, crc32c_of_parts};
use crate::codec::{Malformed, Reader, Writer};
use crate::error::StorageError;
use crate::version::Kind;

/// How a log begins.
pub const KIND_OF_FILE: Kind = Kind { magic: *b"HITSLOG1", version: FORMAT_VERSION };
/// The newest version of the log's format that this program knows.
pub const FORMAT_VERSION: u32 = 3;
/// The kind of the frame that ends a log which was closed in order.
pub const CLOSE: u8 = 0xff;

pub(super) const HEADER_BYTES: usize = 32;
/// Bytes of a frame before its payload.
pub(super) const FRAME_HEAD_BYTES: usize = 25;
/// The sequence of a file's first frame. Not 0, so that zeroed bytes are no frame.
pub(super) const FIRST_SEQUENCE: u64 = 1;

const HEADER_CHECKED_BYTES: usize = 28;
const GENERATION_OFFSET: u64 = 16;
const FRAME_CRC_END: usize = 8;

/// A log's header.
pub(super) fn encode_header(generation: u64) -> Vec<u8> {
    let mut header = Writer::new();
    header.raw(&KIND_OF_FILE.magic);
    header.u32(FORMAT_VERSION);
    header.u32(0);
    header.u64(generation);
    header.u32(0);
    header.u32(crc32c(header.as_slice()));
    header.into_vec()
}

/// The version in a header; `None` when it is not whole. One of a newer version, and a whole one of another generation,
/// is an error.
pub(super) fn check_header(path: &Path, header: &[u8], generation: u64) -> Result<Option<u32>, StorageError> {
    KIND_OF_FILE.check(path, header)?;
    let Ok((version, found)) = decode_header(header) else { return Ok(None) };
    if found != generation {
        let what = format!("it is the log of generation {found}, not {generation}");
        return Err(StorageError::corrupt(path, GENERATION_OFFSET, what));
    }
    Ok(Some(version))
}

/// The version and the generation in a whole header.
fn decode_header(header: &[u8]) -> Result<(u32, u64), Malformed> {
    let mut reader = Reader::new(header);
    let checked = Reader::new(header).raw(HEADER_CHECKED_BYTES)?;
    if reader.raw(KIND_OF_FILE.magic.len())? != KIND_OF_FILE.magic {
        return Err(reader.malformed("not a log"));
    }
    let version = reader.u32()?;
    reader.u32()?;
    let generation = reader.u64()?;
    reader.u32()?;
    if reader.u32()? != crc32c(checked) {
        return Err(reader.malformed("checksum differs"));
    }
    Ok((version, generation))
}

/// A frame before its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) payload_bytes: u32,
    pub(super) crc: u32,
    pub(super) sequence: u64,
    pub(super) synced_end: u64,
    pub(super) kind: u8,
}

impl FrameHead {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            payload_bytes: reader.u32()?,
            crc: reader.u32()?,
            sequence: reader.u64()?,
            synced_end: reader.u64()?,
            kind: reader.u8()?,
        })
    }

    pub(super) fn frame_bytes(&self) -> usize {
        FRAME_HEAD_BYTES + self.payload_bytes as usize
    }

    /// Whether `frame`, the whole of it, has the checksum that the head says.
    pub(super) fn checks(&self, generation: u64, frame: &[u8]) -> bool {
        frame_crc(generation, frame) == Some(self.crc)
    }
}

fn frame_crc(generation: u64, frame: &[u8]) -> Option<u32> {
    let length = frame.get(..4)?;
    let rest = frame.get(FRAME_CRC_END..)?;
    Some(crc32c_of_parts(&[&generation.to_le_bytes(), length, rest]))
}

/// Appends a frame to `out`. The payload is shorter than 4 GiB.
pub(super) fn encode_frame(
    out: &mut Vec<u8>,
    generation: u64,
    (sequence, synced_end): (u64, u64),
    kind: u8,
    payload: &[u8],
) {
    let start = out.len();
    let mut frame = Writer::after(std::mem::take(out));
    frame.u32(payload.len() as u32);
    frame.u32(0);
    frame.u64(sequence);
    frame.u64(synced_end);
    frame.u8(kind);
    frame.raw(payload);
    *out = frame.into_vec();
    let crc = frame_crc(generation, &out[start..]).unwrap_or_default();
    out[start + 4..start + FRAME_CRC_END].copy_from_slice(&crc.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_documented() {
        assert_eq!(encode_header(1).len(), HEADER_BYTES);
        let mut frame = vec![9];
        encode_frame(&mut frame, 1, (1, 32), 7, b"");
        assert_eq!(frame.len(), 1 + FRAME_HEAD_BYTES);
    }

    #[test]
    fn a_frame_of_another_generation_does_not_check() {
        let mut frame = Vec::new();
        encode_frame(&mut frame, 1, (5, 32), 7, b"payload");
        let head = FrameHead::decode(&frame).unwrap();
        assert_eq!((head.sequence, head.synced_end, head.kind, head.frame_bytes()), (5, 32, 7, frame.len()));
        assert!(head.checks(1, &frame));
        assert!(!head.checks(2, &frame));
    }

    #[test]
    fn every_bit_of_a_frame_and_a_header_counts() {
        let mut frame = Vec::new();
        encode_frame(&mut frame, 1, (5, 32), 7, b"payload");
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!FrameHead::decode(&damaged).unwrap().checks(1, &damaged), "bit {bit}");
        }
        let header = encode_header(1);
        let path = Path::new("log");
        for bit in 0..header.len() * 8 {
            let mut damaged = header.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = check_header(path, &damaged, 1);
            // The version is believed: another layout has its checksum elsewhere.
            let is_newer = (64..96).contains(&bit) && damaged[8..12] > header[8..12];
            let as_wanted = matches!(found, Err(StorageError::Version { .. })) == is_newer;
            assert!(as_wanted && !matches!(found, Ok(Some(_))), "bit {bit}");
        }
        assert!(matches!(check_header(path, &header, 1), Ok(Some(FORMAT_VERSION))));
        assert!(matches!(check_header(path, &header, 2), Err(StorageError::Corrupt { offset: 16, .. })));
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut header = encode_header(1);
        header[8] = FORMAT_VERSION as u8 + 1;
        let other_checksum = header.clone();
        let crc = crc32c(&header[..HEADER_CHECKED_BYTES]);
        header[HEADER_CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
        for header in [header, other_checksum] {
            let error = check_header(Path::new("log"), &header, 1).unwrap_err();
            assert!(matches!(error, StorageError::Version { found: 4, supported: FORMAT_VERSION, .. }));
        }
    }
}
