//! The bytes of a log file.
//!
//! ```text
//! header  32 bytes  magic "HITSLOG1", version u32, zero u32, generation u64, zero u32, CRC32C u32 of the 28 before
//! frame             payload length u32, CRC32C u32, sequence u64, synced end u64, kind u8, payload
//! ```
//!
//! A frame's CRC32C covers the log's generation (u64), then sequence, synced end, kind and payload: a frame of another
//! log never passes. Sequences go up by one from 1. The synced end is the offset up to which the file was known to be
//! on disk when the frame was written.

use std::path::Path;

use crate::checksum::{crc32c, crc32c_of_parts};
use crate::codec::{Reader, Writer};
use crate::error::StorageError;
use crate::limits::FRAME_BYTES_MAX;

/// The newest format version, written by this program.
pub const VERSION: u32 = 1;
/// Bytes of the file's header.
pub const HEADER_BYTES: usize = 32;
/// Bytes of a frame without its payload.
pub const FRAME_HEADER_BYTES: usize = 25;
/// The kind of the frame that ends a log which was closed in order.
pub const CLOSE: u8 = 0xff;

const MAGIC: &[u8; 8] = b"HITSLOG1";
/// Where the part of a frame starts that its checksum covers.
const CHECKED_FROM: usize = 8;

/// The fixed part of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the payload.
    pub len: u32,
    /// The checksum.
    pub crc: u32,
    /// Its number.
    pub sequence: u64,
    /// Up to where the file was known synced.
    pub synced_end: u64,
    /// What the payload is.
    pub kind: u8,
}

/// A log's header.
pub fn encode_header(generation: u64) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(MAGIC);
    out.u32(VERSION);
    out.u32(0);
    out.u64(generation);
    out.u32(0);
    let crc = crc32c(out.as_slice());
    out.u32(crc);
    out.into_vec()
}

/// Whether the header is whole and of this generation.
///
/// # Errors
/// [`StorageError::Version`] for a newer format.
pub fn header_is_sound(path: &Path, bytes: &[u8], generation: u64) -> Result<bool, StorageError> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return Ok(false);
    }
    let header = &bytes[..HEADER_BYTES];
    if crc32c(&header[..28]).to_le_bytes() != header[28..] {
        return Ok(false);
    }
    let mut input = Reader::new(&header[8..]);
    let version = input.u32().unwrap_or(0);
    if version > VERSION {
        return Err(StorageError::Version { path: path.to_path_buf(), found: version, supported: VERSION });
    }
    Ok(header == encode_header(generation))
}

/// Appends a frame to `out`.
pub fn encode_frame(
    out: &mut Vec<u8>,
    generation: u64,
    sequence: u64,
    synced_end: u64,
    kind: u8,
    payload: &[u8],
) {
    let start = out.len();
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&synced_end.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(payload);
    let crc = crc32c_of_parts(&[&generation.to_le_bytes(), &out[start + CHECKED_FROM..]]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the fixed part of a frame; `None` when the bytes are too short or say an impossible length.
pub fn decode_frame_header(bytes: &[u8]) -> Option<FrameHeader> {
    let mut input = Reader::new(bytes);
    let header = FrameHeader {
        len: input.u32().ok()?,
        crc: input.u32().ok()?,
        sequence: input.u64().ok()?,
        synced_end: input.u64().ok()?,
        kind: input.u8().ok()?,
    };
    (header.len as usize <= FRAME_BYTES_MAX && header.sequence > 0).then_some(header)
}

/// Whether `bytes`, a whole frame, has the checksum it says.
pub fn frame_is_sound(header: FrameHeader, bytes: &[u8], generation: u64) -> bool {
    let checked = bytes.get(CHECKED_FROM..).unwrap_or_default();
    crc32c_of_parts(&[&generation.to_le_bytes(), checked]) == header.crc
}
