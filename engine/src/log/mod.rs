//! The log's file layer: batches of frames, each batch one write and one sync.
//!
//! A file `log-<generation as 16 hex digits>` is a header and then frames, end to end. Numbers are little-endian.
//!
//! | Header | Bytes | Meaning |
//! |---|---|---|
//! | 0 | 8 | `HITSLOG1` |
//! | 8 | 4 | format version; this program reads up to [`FORMAT_VERSION`] |
//! | 12 | 4 | zero |
//! | 16 | 8 | generation, the number in the file's name |
//! | 24 | 4 | zero |
//! | 28 | 4 | CRC-32C of bytes 0 to 27; stays here in every version |
//!
//! | Frame | Bytes | Meaning |
//! |---|---|---|
//! | 0 | 4 | length of the payload |
//! | 4 | 4 | CRC-32C of the generation (8 bytes), bytes 0 to 3, bytes 8 to 24, and the payload |
//! | 8 | 8 | sequence: 1 in a file's first frame, then one more each |
//! | 16 | 8 | synced end: all before this offset was known to be on disk when the frame was written |
//! | 24 | 1 | kind; [`CLOSE`] ends a log that was closed in order, the others are the caller's |
//! | 25 | | payload |
//!
//! Invariants:
//! - What [`LogWriter::commit`] returned from is replayed after any crash, in order.
//! - A frame is replayed whole or not at all, and only if all before it are.
//! - A frame of another file never passes: its checksum covers the generation.
//! - After a failed write or sync a writer writes nothing more.
//!
//! **Damage.** Replay stops at the first frame that does not check. If a sound frame further on has a synced end
//! beyond that place, the bytes there had been on disk: the log is corrupt, an error that names file and offset.
//! Otherwise it is a torn tail, never acknowledged (or the very last batch, for which nothing vouches until the next
//! frame): it is reported, and cut before the log is written to again. After a closing frame there is nothing; bytes
//! there are corruption. A damaged header without a sound frame behind it is a file whose creation was interrupted.
//!
//! It knows nothing of events, nor of which generations are live.

mod frame;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

use std::path::{Path, PathBuf};

use crate::error::StorageError;
use crate::vfs::{self, Fs};

pub use frame::{CLOSE, FORMAT_VERSION, KIND_OF_FILE};
use frame::{HEADER_BYTES, encode_header};
pub use replay::{ReplayEnd, Visit, cut_tail, replay};
pub use writer::LogWriter;

/// Bytes that are copied at once.
const COPY_BYTES: u64 = 1 << 20;
/// What log files' names begin with.
pub(crate) const NAME_PREFIX: &str = "log-";

/// The log file of `generation` in `dir`.
pub fn log_path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("{NAME_PREFIX}{generation:016x}"))
}

/// The generation in a log file's name; `None` for any other name.
pub fn generation_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(NAME_PREFIX)?;
    let is_ours = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_ours { u64::from_str_radix(digits, 16).ok() } else { None }
}

/// Writes the first `end_offset` bytes of a log anew, over its name, under a header of today's version. After a failed sync the system may hold bytes as
/// clean that never reached the disk; a log that was not closed in order is therefore not trusted to be on disk only
/// because it can be read.
///
/// # Errors
/// The failed operation.
pub fn rewrite(fs: &dyn Fs, path: &Path, generation: u64, end_offset: u64) -> Result<(), StorageError> {
    let old = fs.open(path)?;
    vfs::replace_with(fs, path, false, &mut |file| {
        let mut offset = 0;
        if end_offset >= HEADER_BYTES as u64 {
            file.append(&encode_header(generation))?;
            offset = HEADER_BYTES as u64;
        }
        let mut chunk = Vec::new();
        while offset < end_offset {
            chunk.resize(COPY_BYTES.min(end_offset - offset) as usize, 0);
            old.read_at(offset, &mut chunk)?;
            file.append(&chunk)?;
            offset += chunk.len() as u64;
        }
        Ok(())
    })
}
