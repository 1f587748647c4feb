//! Checksums of a file's blocks, which another file keeps: made while the file is written, checked before what is read
//! of it is used. A damaged block spoils what lies in it and nothing else.

use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes as SharedBytes;
use parquet::errors::{ParquetError as LibraryError, Result as LibraryResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::checksum::{crc32c, crc32c_append};
use crate::error::StorageError;
use crate::vfs::Bytes;

/// Bytes of a block. The last of a file may have fewer.
pub const BLOCK_BYTES: usize = 64 << 10;

const BLOCK: u64 = BLOCK_BYTES as u64;

/// A file's length and the CRC-32C of each of its blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockChecksums {
    len: u64,
    sums: Box<[u32]>,
}

impl BlockChecksums {
    /// What [`BlockChecksumsBuilder::finish`] gave. `None` when there is not one checksum for each block.
    pub fn new(len: u64, sums: &[u32]) -> Option<Self> {
        (len.div_ceil(BLOCK) == sums.len() as u64).then(|| Self { len, sums: sums.into() })
    }

    /// Those of a file in memory.
    pub fn of(bytes: &[u8]) -> Self {
        let mut builder = BlockChecksumsBuilder::default();
        builder.push(bytes);
        builder.finish()
    }

    /// The file's length in bytes.
    pub fn file_len(&self) -> u64 {
        self.len
    }

    /// The checksums in the order of the blocks.
    pub fn sums(&self) -> &[u32] {
        &self.sums
    }
}

/// Takes a file's bytes as they are written.
#[derive(Debug, Default)]
pub struct BlockChecksumsBuilder {
    len: u64,
    sums: Vec<u32>,
    crc: u32,
}

impl BlockChecksumsBuilder {
    /// More bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = (BLOCK - self.len % BLOCK) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.crc = crc32c_append(self.crc, now);
            self.len += now.len() as u64;
            if self.len.is_multiple_of(BLOCK) {
                self.sums.push(std::mem::take(&mut self.crc));
            }
            bytes = later;
        }
    }

    /// The file is whole.
    pub fn finish(mut self) -> BlockChecksums {
        if !self.len.is_multiple_of(BLOCK) {
            self.sums.push(self.crc);
        }
        BlockChecksums { len: self.len, sums: self.sums.into() }
    }
}

/// A file's bytes with the checksums that they must have. A block is checked when it is first read, and once only if
/// it is sound. Clones share what was checked.
#[derive(Clone)]
pub struct CheckedBytes(Arc<Content>);

struct Content {
    path: PathBuf,
    mapped: Bytes,
    /// The same, as others take them.
    bytes: SharedBytes,
    checksums: BlockChecksums,
    /// A bit for each block that was found sound.
    sound: Box<[AtomicU64]>,
}

impl CheckedBytes {
    /// Takes the bytes of the file at `path`, usually mapped. Nothing is read yet.
    pub fn new(path: &Path, bytes: Bytes, checksums: BlockChecksums) -> Self {
        let words = checksums.sums.len().div_ceil(64);
        let sound = (0..words).map(|_| AtomicU64::new(0)).collect();
        let (mapped, bytes) = (bytes.clone(), SharedBytes::from_owner(bytes));
        Self(Arc::new(Content { path: path.to_path_buf(), mapped, bytes, checksums, sound }))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The length that the file must have.
    pub fn file_len(&self) -> u64 {
        self.0.checksums.len
    }

    /// Checks the blocks that a range of bytes touches.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when one of them is damaged, when the file has another length than it must have, or
    /// when the range goes beyond it.
    pub fn check(&self, range: Range<u64>) -> Result<(), StorageError> {
        let Content { path, bytes, checksums, .. } = &*self.0;
        if bytes.len() as u64 != checksums.len {
            let what = format!("it has {} bytes, not {}", bytes.len(), checksums.len);
            return Err(StorageError::corrupt(path, checksums.len.min(bytes.len() as u64), what));
        }
        if range.start > range.end || range.end > checksums.len {
            return Err(StorageError::corrupt(path, range.start, "it points behind its end"));
        }
        if range.is_empty() {
            return Ok(());
        }
        let blocks = (range.start / BLOCK) as usize..range.end.div_ceil(BLOCK) as usize;
        // Blocks that are known to be sound may have left memory since.
        self.0.mapped.fetch(blocks.start * BLOCK_BYTES..(blocks.end * BLOCK_BYTES).min(bytes.len()));
        blocks.into_iter().try_for_each(|block| self.check_block(block))
    }

    /// The bytes of a range, checked.
    ///
    /// # Errors
    /// As [`CheckedBytes::check`].
    pub fn read(&self, range: Range<u64>) -> Result<SharedBytes, StorageError> {
        self.check(range.clone())?;
        Ok(self.0.bytes.slice(range.start as usize..range.end as usize))
    }

    fn check_block(&self, block: usize) -> Result<(), StorageError> {
        let Content { path, bytes, checksums, sound, .. } = &*self.0;
        let (word, bit) = (sound.get(block / 64), 1u64 << (block % 64));
        // The bit says something about bytes that never change, so there is nothing to put in order.
        if word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0) {
            return Ok(());
        }
        let start = block * BLOCK_BYTES;
        let content = bytes.get(start..bytes.len().min(start + BLOCK_BYTES)).unwrap_or_default();
        if checksums.sums.get(block) != Some(&crc32c(content)) {
            let what = format!("the checksum of block {block} does not match");
            return Err(StorageError::corrupt(path, start as u64, what));
        }
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Length for CheckedBytes {
    fn len(&self) -> u64 {
        self.file_len()
    }
}

impl ChunkReader for CheckedBytes {
    type T = From;

    fn get_read(&self, start: u64) -> LibraryResult<From> {
        Ok(From { file: self.clone(), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> LibraryResult<SharedBytes> {
        let end = start.saturating_add(length as u64);
        self.read(start..end).map_err(|error| LibraryError::External(Box::new(error)))
    }
}

/// Reads on from some place, checking only what is asked for.
pub struct From {
    file: CheckedBytes,
    at: u64,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.file.file_len().saturating_sub(self.at);
        let count = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let found = self.file.read(self.at..self.at + count as u64).map_err(io::Error::other)?;
        buffer.get_mut(..count).unwrap_or_default().copy_from_slice(&found);
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
    }

    fn checked(bytes: &[u8], checksums: &BlockChecksums) -> CheckedBytes {
        CheckedBytes::new(Path::new("file"), Bytes::copy_of(bytes), checksums.clone())
    }

    proptest! {
        #[test]
        fn pieces_count_as_one_file(len in 0usize..200_000, cuts in prop::collection::vec(0usize..200_000, 0..6)) {
            let bytes = bytes(len);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(len)).chain([0, len]).collect();
            cuts.sort_unstable();
            let mut builder = BlockChecksumsBuilder::default();
            cuts.windows(2).for_each(|cut| builder.push(&bytes[cut[0]..cut[1]]));
            let sums: Vec<u32> = bytes.chunks(BLOCK_BYTES).map(crc32c).collect();
            let built = builder.finish();
            prop_assert_eq!(Some(built.clone()), BlockChecksums::new(len as u64, &sums));
            prop_assert!(checked(&bytes, &built).check(0..len as u64).is_ok());
        }
    }

    #[test]
    fn damage_spoils_its_block_alone() {
        let mut bytes = bytes(3 * BLOCK_BYTES + 17);
        let checksums = BlockChecksums::of(&bytes);
        bytes[BLOCK_BYTES + 5] ^= 4;
        let file = checked(&bytes, &checksums);
        let end = bytes.len() as u64;
        for _ in 0..2 {
            for (range, is_sound) in [
                (0..BLOCK, true),
                (2 * BLOCK..end, true),
                (BLOCK..BLOCK, true),
                (BLOCK - 1..BLOCK + 1, false),
                (2 * BLOCK - 1..2 * BLOCK, false),
                (0..end, false),
                (end..end + 1, false),
                (end..end, true),
                (0..u64::MAX, false),
            ] {
                assert_eq!(file.check(range.clone()).is_ok(), is_sound, "{range:?}");
            }
        }
        let error = file.check(0..end).unwrap_err();
        assert!(matches!(error, StorageError::Corrupt { offset: BLOCK, .. }), "{error}");
    }

    #[test]
    fn another_length_spoils_all() {
        let bytes = bytes(BLOCK_BYTES + 9);
        let checksums = BlockChecksums::of(&bytes);
        assert!(checked(&bytes[..BLOCK_BYTES], &checksums).check(0..1).is_err());
        assert!(checked(&[], &checksums).check(0..0).is_err());
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(checked(&longer, &checksums).check(0..1).is_err());
        assert_eq!(BlockChecksums::new(BLOCK + 9, &[0]), None);
        assert_eq!(BlockChecksums::new(0, &[]), Some(BlockChecksums::of(&[])));
    }
}
