//! Reading a log back, up to where a crash tore it.
//!
//! A frame that is damaged is a *torn tail* when nothing says that its bytes had ever been synced. If any frame after
//! it is sound and carries a synced end beyond the damage, or the log was closed in order, synced data is damaged, and
//! that is an error.

use std::path::Path;

use super::frame::{
    CLOSE, FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES, decode_frame_header, frame_is_sound,
    header_is_sound,
};
use crate::error::StorageError;
use crate::vfs::Fs;

/// Where a replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayEnd {
    /// After the last frame that counts; a closing frame does not.
    pub end_offset: u64,
    /// The sequence of the next frame.
    pub next_sequence: u64,
    /// Bytes of a torn tail after the end.
    pub torn_bytes: u64,
    /// Whether the log was closed in order.
    pub closed: bool,
}

/// Takes each frame of a log: kind, sequence, payload.
pub type Visit<'a> = &'a mut dyn FnMut(u8, u64, &[u8]) -> Result<(), StorageError>;

/// Replays a log.
///
/// # Errors
/// [`StorageError::Corrupt`] with file and offset when synced bytes are damaged, [`StorageError::Version`] for a newer
/// format, what `visit` returned, or a failed read.
pub fn replay(
    fs: &dyn Fs,
    path: &Path,
    generation: u64,
    visit: Visit<'_>,
) -> Result<ReplayEnd, StorageError> {
    let bytes = fs.map(path)?;
    replay_bytes(path, &bytes, generation, visit)
}

/// Replays the bytes of a log; `path` is for messages.
///
/// # Errors
/// As [`replay`].
pub fn replay_bytes(
    path: &Path,
    bytes: &[u8],
    generation: u64,
    visit: Visit<'_>,
) -> Result<ReplayEnd, StorageError> {
    if !header_is_sound(path, bytes, generation)? {
        return torn_header(path, bytes, generation);
    }
    let mut end =
        ReplayEnd { end_offset: HEADER_BYTES as u64, next_sequence: 1, torn_bytes: 0, closed: false };
    let mut at = HEADER_BYTES;
    while let Some((header, frame)) = sound_frame(bytes, at, generation) {
        if header.sequence != end.next_sequence {
            return Err(StorageError::corrupt(path, at as u64, "a frame is missing before this one"));
        }
        at += frame.len();
        if header.kind == CLOSE {
            end.closed = true;
            break;
        }
        visit(header.kind, header.sequence, &frame[FRAME_HEADER_BYTES..])?;
        end.end_offset = at as u64;
        end.next_sequence += 1;
    }
    if at == bytes.len() {
        return Ok(end);
    }
    if end.closed {
        return Err(StorageError::corrupt(path, at as u64, "bytes after the end of a closed log"));
    }
    if let Some(later) = proof_of_sync(bytes, at, generation, end.next_sequence) {
        let what = format!("a damaged frame that had been synced (the frame at byte {later} says so)");
        return Err(StorageError::corrupt(path, at as u64, what));
    }
    end.torn_bytes = (bytes.len() - at) as u64;
    Ok(end)
}

/// A log whose header never reached the disk holds nothing that was acknowledged.
fn torn_header(path: &Path, bytes: &[u8], generation: u64) -> Result<ReplayEnd, StorageError> {
    if proof_of_sync(bytes, 0, generation, 1).is_some() {
        return Err(StorageError::corrupt(path, 0, "the log's header is damaged"));
    }
    Ok(ReplayEnd { end_offset: 0, next_sequence: 1, torn_bytes: bytes.len() as u64, closed: false })
}

fn sound_frame(bytes: &[u8], at: usize, generation: u64) -> Option<(FrameHeader, &[u8])> {
    let rest = bytes.get(at..)?;
    let header = decode_frame_header(rest)?;
    let frame = rest.get(..FRAME_HEADER_BYTES + header.len as usize)?;
    frame_is_sound(header, frame, generation).then_some((header, frame))
}

/// Looks behind the damage at `damage` for a sound frame of this log that shows the damaged bytes had been synced;
/// returns where it is. Frames have no alignment, so every offset is tried; the cheap tests come first.
fn proof_of_sync(bytes: &[u8], damage: usize, generation: u64, next_sequence: u64) -> Option<usize> {
    let last_start = bytes.len().checked_sub(FRAME_HEADER_BYTES)?;
    (damage + 1..=last_start).find(|&at| {
        let Some(header) = decode_frame_header(&bytes[at..]) else { return false };
        let plausible = header.sequence >= next_sequence
            && header.sequence - next_sequence <= (bytes.len() / FRAME_HEADER_BYTES) as u64
            && header.synced_end > damage as u64
            && header.synced_end <= at as u64;
        plausible && sound_frame(bytes, at, generation).is_some()
    })
}
