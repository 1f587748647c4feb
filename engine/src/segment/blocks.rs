//! One site's blocks in a mapped file as arrays of numbers.

use std::path::Path;

use super::codes::Narrow;
use super::layout::{Block, SiteEntry, Tag};
use crate::checksum::crc32c;
use crate::error::StorageError;

/// The blocks of one site.
#[derive(Clone, Copy)]
pub(crate) struct Blocks<'a> {
    pub path: &'a Path,
    pub bytes: &'a [u8],
    pub entry: &'a SiteEntry,
}

impl<'a> Blocks<'a> {
    /// The block with this tag.
    pub fn block(&self, tag: Tag) -> Option<&'a Block> {
        self.entry.block(tag)
    }

    /// Damage in a block.
    pub fn corrupt(&self, block: &Block, what: &str) -> StorageError {
        StorageError::corrupt(self.path, block.offset, what)
    }

    /// A block's bytes.
    pub fn content(&self, block: &Block) -> &'a [u8] {
        self.bytes.get(block.offset as usize..(block.offset + block.len) as usize).unwrap_or_default()
    }

    /// Compares all blocks with their checksums.
    pub fn check_sums(&self) -> Result<(), StorageError> {
        self.entry.blocks.iter().try_for_each(|block| self.check_sum(block))
    }

    /// Compares a block with its checksum.
    pub fn check_sum(&self, block: &Block) -> Result<(), StorageError> {
        if block.width != 0 && crc32c(self.content(block)) != block.crc {
            return Err(self.corrupt(block, "a block's checksum does not match"));
        }
        Ok(())
    }

    /// A block as numbers; it must have `count` of them.
    pub fn numbers<T: bytemuck::Pod>(&self, tag: Tag, count: usize) -> Result<&'a [T], StorageError> {
        let Some(block) = self.block(tag) else {
            return if count == 0 {
                Ok(&[])
            } else {
                Err(StorageError::corrupt(self.path, 0, "a block is missing"))
            };
        };
        let numbers = self.all_numbers(block)?;
        if numbers.len() == count {
            Ok(numbers)
        } else {
            Err(self.corrupt(block, "a block has the wrong length"))
        }
    }

    /// A block as numbers, as many as it has.
    pub fn all_numbers<T: bytemuck::Pod>(&self, block: &Block) -> Result<&'a [T], StorageError> {
        bytemuck::try_cast_slice(self.content(block))
            .map_err(|_| self.corrupt(block, "a block has the wrong length"))
    }

    /// A block as codes of its width; zeros when it is not there.
    pub fn narrow(&self, tag: Tag, count: usize) -> Result<Narrow<'a>, StorageError> {
        let Some(block) = self.block(tag) else { return Ok(Narrow::Constant(0)) };
        Ok(match block.width {
            0 => Narrow::Constant(block.value),
            1 => Narrow::U8(self.numbers(tag, count)?),
            2 => Narrow::U16(self.numbers(tag, count)?),
            4 => Narrow::U32(self.numbers(tag, count)?),
            _ => return Err(self.corrupt(block, "codes of an unknown width")),
        })
    }
}
