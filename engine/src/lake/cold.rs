//! The columns of one Parquet file of the lake that its index has not.
//!
//! A file is ours, written by [`crate::parquet::write_file`], but what is on a disk may be anything: what is read is checked
//! first, and what decoding it says against it is an error that names the file.

use std::mem::size_of_val;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::blocks::{BlockChecksums, CheckedBytes};
use super::cache::{ColumnCache, Key, Part};
use super::texts::TextsBuilder;
use crate::error::{ParquetError, StorageError};
use crate::parquet::column::{ColumnFile, ColumnRows};
use crate::parquet::schema::Content;
use crate::schema::Column;
use crate::segment::cold::{ColdColumns, ColdNumber, ColdNumbers, ColdRows, ColdTexts};
use crate::segment::verdicts::{VerdictMemory, Verdicts};
use crate::units::SegmentId;
use crate::vfs::Bytes;

/// Bytes at a file's end: the footer's length, then what says that it is Parquet.
const TAIL_BYTES: u64 = 8;

/// A Parquet file of the lake. Only the chunks of columns that are asked for are read, and the footer once.
pub struct ParquetColumns {
    number: SegmentId,
    file: CheckedBytes,
    cache: Arc<ColumnCache>,
    verdicts: Arc<VerdictMemory>,
}

impl ParquetColumns {
    /// Takes the mapped bytes of the file at `path`, and the checksums that its index has of it. Nothing is read yet.
    /// `number` tells the file from all others in the cache, also from those of the same path before and after it.
    pub fn new(
        path: &Path,
        number: SegmentId,
        bytes: Bytes,
        checksums: BlockChecksums,
        cache: Arc<ColumnCache>,
        verdicts: Arc<VerdictMemory>,
    ) -> Self {
        Self { number, file: CheckedBytes::new(path, bytes, checksums), cache, verdicts }
    }

    /// The rows of each row group. Who reads visitors or times of many rows asks for them group by group: rows of one
    /// group are shared, those of several are copied together.
    ///
    /// # Errors
    /// The footer is damaged.
    pub fn groups(&self) -> Result<Vec<Range<u32>>, StorageError> {
        let footer = self.footer()?;
        Ok((0..footer.group_count()).map(|group| footer.rows_of(group)).collect())
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self) -> Result<(), StorageError> {
        self.file.check(0..self.file.file_len())
    }

    fn corrupt(&self, what: impl Into<String>) -> StorageError {
        StorageError::corrupt(self.file.path(), 0, what)
    }

    fn storage_error(&self, error: ParquetError) -> StorageError {
        match error {
            ParquetError::Storage(error) => error,
            ParquetError::Damaged { what, .. } => self.corrupt(what),
            other => self.corrupt(other.to_string()),
        }
    }

    fn get_or_read<T: Send + Sync + 'static>(
        &self,
        part: Part,
        read: impl FnOnce() -> Result<(T, usize), StorageError>,
    ) -> Result<Arc<T>, StorageError> {
        self.cache.get_or_read(Key { file: self.number, part }, read)
    }

    fn footer(&self) -> Result<Arc<ColumnFile>, StorageError> {
        self.get_or_read(Part::Footer, || {
            // The footer's blocks are checked here, so that damage is told as what it is and where it is.
            let end = self.file.file_len();
            let tail = self.file.read(end.saturating_sub(TAIL_BYTES)..end)?;
            let len = tail.first_chunk().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
            self.file.check(end.saturating_sub(len.saturating_add(TAIL_BYTES))..end)?;
            let footer = ColumnFile::open(self.file.path(), &self.file);
            let footer = footer.map_err(|error| self.storage_error(error))?;
            let bytes = footer.byte_count();
            Ok((footer, bytes))
        })
    }

    /// Reads a column of some row groups, batch by batch.
    fn read(
        &self,
        footer: &ColumnFile,
        content: Content,
        groups: Range<usize>,
        take: &mut dyn FnMut(&ColumnRows<'_>) -> Result<(), String>,
    ) -> Result<(), StorageError> {
        for group in groups {
            let chunks = footer.chunks(content, group).map_err(|error| self.storage_error(error))?;
            chunks.into_iter().try_for_each(|chunk| self.file.check(chunk))?;
            footer.read(&self.file, content, group, take).map_err(|error| self.storage_error(error))?;
        }
        Ok(())
    }

    /// A column without absent values, of one row group.
    fn read_group<T: Copy + Send + Sync + 'static>(
        &self,
        footer: &ColumnFile,
        part: Part,
        content: Content,
        group: usize,
        convert: fn(i64) -> T,
    ) -> Result<Arc<ColdRows<T>>, StorageError> {
        self.get_or_read(part, || {
            let rows = footer.rows_of(group);
            let mut values = Vec::with_capacity(rows.len());
            self.read(footer, content, group..group + 1, &mut |batch| {
                values.extend(batch.all_numbers()?.iter().map(|&number| convert(number)));
                Ok(())
            })?;
            let bytes = size_of_val(values.as_slice());
            Ok((ColdRows { first_row: rows.start, values: values.into() }, bytes))
        })
    }

    /// Such a column of some rows: that of their row group, or a copy when there are several.
    fn read_rows<T: Copy + Send + Sync + 'static>(
        &self,
        rows: Range<u32>,
        part: fn(usize) -> Part,
        content: Content,
        convert: fn(i64) -> T,
    ) -> Result<Arc<ColdRows<T>>, StorageError> {
        let footer = self.footer()?;
        if rows.end > footer.row_count() {
            let what = format!("it has {} rows, its index has {} at least", footer.row_count(), rows.end);
            return Err(self.corrupt(what));
        }
        let groups = footer.groups_of(&rows);
        if groups.len() == 1 {
            return self.read_group(&footer, part(groups.start), content, groups.start, convert);
        }
        let mut values = Vec::with_capacity(rows.len());
        for group in groups {
            let found = self.read_group(&footer, part(group), content, group, convert)?;
            let start = rows.start.saturating_sub(found.first_row) as usize;
            let end = (rows.end.saturating_sub(found.first_row) as usize).min(found.values.len());
            values.extend_from_slice(found.values.get(start..end).unwrap_or_default());
        }
        Ok(Arc::new(ColdRows { first_row: rows.start, values: values.into() }))
    }

    fn read_texts(&self, content: Content) -> Result<(ColdTexts, usize), StorageError> {
        let footer = self.footer()?;
        let mut texts = TextsBuilder::default();
        self.read(&footer, content, 0..footer.group_count(), &mut |batch| {
            batch.each_text(&mut |row, text| texts.push(row, text))
        })?;
        let texts = texts.finish(footer.row_count() as usize);
        let bytes = texts.byte_count();
        Ok((texts, bytes))
    }

    fn read_numbers(&self, number: ColdNumber) -> Result<(ColdNumbers, usize), StorageError> {
        let content = match number {
            ColdNumber::EventDuration => Content::EventDuration,
            ColdNumber::Status => Content::Status,
            ColdNumber::Received => Content::Received,
            ColdNumber::UserKey => Content::UserKey,
        };
        let footer = self.footer()?;
        let mut numbers = ColdNumbers::default();
        self.read(&footer, content, 0..footer.group_count(), &mut |batch| {
            batch.each_number(&mut |row, found| {
                let value =
                    stored(number, found).ok_or_else(|| format!("has {found}, which is out of range"))?;
                numbers.push(row, value);
                Ok(())
            })
        })?;
        let numbers = numbers.finish(footer.row_count() as usize);
        let bytes = numbers.byte_count();
        Ok((numbers, bytes))
    }
}

/// The number that tables have for one that a file has.
fn stored(number: ColdNumber, found: i64) -> Option<u64> {
    match number {
        ColdNumber::EventDuration => u64::try_from(found).ok()?.checked_add(1),
        ColdNumber::Status => u64::try_from(found).ok(),
        ColdNumber::Received | ColdNumber::UserKey => Some(found.cast_unsigned()),
    }
}

impl Drop for ParquetColumns {
    fn drop(&mut self) {
        self.cache.forget(self.number);
    }
}

impl ColdColumns for ParquetColumns {
    fn verdicts(&self, column: Column, test: &str, greatest: u32) -> Option<Arc<Verdicts>> {
        Some(self.verdicts.of(self.number, column, test, greatest))
    }

    fn visitors(&self, rows: Range<u32>) -> Result<Arc<ColdRows<u64>>, StorageError> {
        self.read_rows(rows, Part::Visitors, Content::VisitorId, i64::cast_unsigned)
    }

    fn times(&self, rows: Range<u32>) -> Result<Arc<ColdRows<i64>>, StorageError> {
        self.read_rows(rows, Part::Times, Content::Time, |time| time)
    }

    fn texts(&self, column: Column) -> Result<Arc<ColdTexts>, StorageError> {
        let content = match column {
            Column::EventMeta | Column::Tags => Content::Pairs(column),
            Column::EventId | Column::Source => Content::Text(column),
            _ => {
                let kind = std::io::ErrorKind::InvalidInput;
                return Err(StorageError::io(
                    "read a column that indices have from",
                    self.file.path(),
                    &kind.into(),
                ));
            }
        };
        self.get_or_read(Part::Texts(column), || self.read_texts(content))
    }

    fn numbers(&self, number: ColdNumber) -> Result<Arc<ColdNumbers>, StorageError> {
        self.get_or_read(Part::Numbers(number), || self.read_numbers(number))
    }
}
