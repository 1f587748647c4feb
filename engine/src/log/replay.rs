//! Reading a log back, frame by frame, in bounded memory, and telling a torn tail from corruption.

use std::path::Path;

use super::frame::{
    CLOSE, FIRST_SEQUENCE, FORMAT_VERSION, FRAME_HEAD_BYTES, FrameHead, HEADER_BYTES, check_header,
};
use crate::error::StorageError;
use crate::vfs::{File, Fs};

/// Bytes read at once; more for a frame that is longer.
const READ_BYTES: usize = 1 << 20;

/// Where a replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayEnd {
    /// Behind the last frame that was replayed: where the log goes on. 0 when not even the header was whole.
    /// A closing frame lies behind it, since it goes when the log is written to again.
    pub end_offset: u64,
    /// The sequence of the next frame.
    pub next_sequence: u64,
    /// Bytes of the torn tail behind the end.
    pub torn_bytes: u64,
    /// Whether the log was closed in order.
    pub closed: bool,
    /// The version that the header says; the newest when it was not whole.
    pub version: u32,
}

/// Takes each frame: kind, sequence, payload. Its error ends the replay.
pub type Visit<'a> = &'a mut dyn FnMut(u8, u64, &[u8]) -> Result<(), StorageError>;

/// Replays the log at `path`. `payload_bytes_max` bounds the memory that a damaged length can ask for; it is what the
/// log was written with, [`crate::limits::FRAME_BYTES_MAX`].
///
/// The frames before damage are visited before the damage is seen, so an error means that what `visit` built must be
/// thrown away.
///
/// # Errors
/// [`StorageError::Corrupt`] when bytes that had been synced are damaged, [`StorageError::Version`] when a newer
/// program wrote the log, the failed read, or what `visit` gave.
pub fn replay(
    fs: &dyn Fs,
    path: &Path,
    expected_generation: u64,
    payload_bytes_max: usize,
    visit: Visit<'_>,
) -> Result<ReplayEnd, StorageError> {
    let file = fs.open_to_read(path)?;
    let mut window = Window::new(&*file)?;
    let mut frames = Frames { window: &mut window, generation: expected_generation, payload_bytes_max };
    match frames.header_version(path)? {
        Some(version) => Ok(ReplayEnd { version, ..frames.replay(path, visit)? }),
        None => frames.without_header(path),
    }
}

/// Cuts the torn tail that a replay found, durably. Without one it does nothing.
///
/// # Errors
/// The failed operation.
pub fn cut_tail(fs: &dyn Fs, path: &Path, end: &ReplayEnd) -> Result<(), StorageError> {
    if end.torn_bytes == 0 {
        return Ok(());
    }
    let mut file = fs.open(path)?;
    file.truncate(end.end_offset)?;
    file.sync_data()
}

/// A part of a file in memory, moved along it.
struct Window<'a> {
    file: &'a dyn File,
    file_end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn File) -> Result<Self, StorageError> {
        Ok(Self { file, file_end: file.len()?, start: 0, bytes: Vec::new() })
    }

    /// The `len` bytes at `offset`; `None` when the file ends before them.
    fn get(&mut self, offset: u64, len: usize) -> Result<Option<&[u8]>, StorageError> {
        let left = self.file_end.saturating_sub(offset);
        if left < len as u64 {
            return Ok(None);
        }
        if offset < self.start || offset + len as u64 > self.start + self.bytes.len() as u64 {
            let read_bytes = left.min(len.max(READ_BYTES) as u64) as usize;
            self.bytes.clear();
            self.bytes.resize(read_bytes, 0);
            self.start = offset;
            self.file.read_at(offset, &mut self.bytes)?;
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.get(from..from + len))
    }
}

/// The frames of one file.
struct Frames<'a, 'file> {
    window: &'a mut Window<'file>,
    generation: u64,
    payload_bytes_max: usize,
}

impl Frames<'_, '_> {
    fn header_version(&mut self, path: &Path) -> Result<Option<u32>, StorageError> {
        match self.window.get(0, HEADER_BYTES)? {
            Some(header) => check_header(path, header, self.generation),
            None => Ok(None),
        }
    }

    /// The header is synced before any frame is written: with a frame behind it, it was whole once.
    fn without_header(&mut self, path: &Path) -> Result<ReplayEnd, StorageError> {
        if self.frame_that_vouches(0, FIRST_SEQUENCE)?.is_some() {
            return Err(StorageError::corrupt(path, 0, "the log's header does not check"));
        }
        Ok(ReplayEnd {
            end_offset: 0,
            next_sequence: FIRST_SEQUENCE,
            torn_bytes: self.window.file_end,
            closed: false,
            version: FORMAT_VERSION,
        })
    }

    fn replay(&mut self, path: &Path, visit: Visit<'_>) -> Result<ReplayEnd, StorageError> {
        let (mut offset, mut sequence) = (HEADER_BYTES as u64, FIRST_SEQUENCE);
        let file_end = self.window.file_end;
        while let Some((head, frame)) =
            self.frame_at(offset, |head| head.sequence == sequence && head.synced_end <= offset)?
        {
            let frame_end = offset + frame.len() as u64;
            if head.kind == CLOSE {
                if frame_end < file_end {
                    return Err(StorageError::corrupt(
                        path,
                        frame_end,
                        "bytes behind the end of a closed log",
                    ));
                }
                return Ok(ReplayEnd {
                    end_offset: offset,
                    next_sequence: sequence,
                    torn_bytes: 0,
                    closed: true,
                    version: FORMAT_VERSION,
                });
            }
            visit(head.kind, head.sequence, &frame[FRAME_HEAD_BYTES..])?;
            offset = frame_end;
            sequence += 1;
        }
        if let Some(witness) = self.frame_that_vouches(offset, sequence)? {
            let what = format!(
                "frame {sequence} does not check, though it was on disk when byte {witness} was written"
            );
            return Err(StorageError::corrupt(path, offset, what));
        }
        Ok(ReplayEnd {
            end_offset: offset,
            next_sequence: sequence,
            torn_bytes: file_end - offset,
            closed: false,
            version: FORMAT_VERSION,
        })
    }

    /// The frame at `offset`, if there is a whole one that checks and whose head is `plausible`. The checksum, which
    /// is the costly part, comes last.
    fn frame_at(
        &mut self,
        offset: u64,
        plausible: impl FnOnce(&FrameHead) -> bool,
    ) -> Result<Option<(FrameHead, &[u8])>, StorageError> {
        let Some(bytes) = self.window.get(offset, FRAME_HEAD_BYTES)? else { return Ok(None) };
        let Ok(head) = FrameHead::decode(bytes) else { return Ok(None) };
        if head.payload_bytes as usize > self.payload_bytes_max || !plausible(&head) {
            return Ok(None);
        }
        let frame = self.window.get(offset, head.frame_bytes())?;
        Ok(frame.filter(|frame| head.checks(self.generation, frame)).map(|frame| (head, frame)))
    }

    /// Looks from `damage` on, where frame `sequence` was due, for a frame which says that the bytes there were on
    /// disk. Gives its offset.
    ///
    /// Frames begin anywhere, so every offset is tried. A file of this length can hold only so many frames and so
    /// many synced bytes; with these bounds few places get as far as the checksum. A frame at `damage` itself counts
    /// when it belongs further on: bytes before it are missing.
    fn frame_that_vouches(&mut self, damage: u64, sequence: u64) -> Result<Option<u64>, StorageError> {
        let file_end = self.window.file_end;
        let sequences = sequence..=FIRST_SEQUENCE + file_end / FRAME_HEAD_BYTES as u64;
        for offset in damage..file_end {
            let found = self.frame_at(offset, |head| {
                head.synced_end > damage && head.synced_end <= file_end && sequences.contains(&head.sequence)
            })?;
            if found.is_some() {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }
}
