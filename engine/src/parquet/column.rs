//! Reads a file column by column, row group by row group, and nothing of it that is not asked for.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetStatisticsPolicy;
use parquet::file::reader::ChunkReader;

use super::columns::{Values, values, with_views};
use super::read::{find_columns, guard};
use super::schema::{COLUMNS, Content};
use crate::error::ParquetError;

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 8_192;

/// A file's footer: where its columns are.
pub(crate) struct ColumnFile {
    path: PathBuf,
    found: ArrowReaderMetadata,
    /// Where each of [`COLUMNS`] is in the file.
    places: [Option<usize>; COLUMNS.len()],
    /// The first row of each row group, and the end.
    first_rows: Vec<u32>,
}

/// Rows of a column that follow each other.
pub(crate) struct ColumnRows<'a> {
    first_row: u32,
    len: usize,
    values: &'a Values,
}

impl ColumnFile {
    /// Reads the footer; `path` is for messages.
    ///
    /// # Errors
    /// As [`super::Reader::open`].
    pub fn open<I: ChunkReader>(path: &Path, input: &I) -> Result<Self, ParquetError> {
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let found = guard(path, || ArrowReaderMetadata::load(input, options.clone()))?;
        let places = find_columns(path, found.schema())?;
        let found = guard(path, || {
            let schema = Arc::new(with_views(found.schema()));
            ArrowReaderMetadata::try_new(found.metadata().clone(), options.with_schema(schema))
        })?;
        let mut first_rows = vec![0u32];
        for group in found.metadata().row_groups() {
            let before = first_rows.last().copied().unwrap_or(0);
            let end = u32::try_from(group.num_rows()).ok().and_then(|rows| before.checked_add(rows));
            first_rows.push(end.ok_or_else(|| damaged(path, "it has a number of rows that makes no sense"))?);
        }
        Ok(Self { path: path.to_path_buf(), found, places, first_rows })
    }

    /// How many row groups there are.
    pub fn group_count(&self) -> usize {
        self.first_rows.len() - 1
    }

    /// How many rows there are.
    pub fn row_count(&self) -> u32 {
        self.first_rows.last().copied().unwrap_or(0)
    }

    /// The rows of a row group.
    pub fn rows_of(&self, group: usize) -> Range<u32> {
        let at = |group: usize| self.first_rows.get(group).copied().unwrap_or_else(|| self.row_count());
        at(group)..at(group + 1)
    }

    /// The row groups that have some of the rows.
    pub fn groups_of(&self, rows: &Range<u32>) -> Range<usize> {
        if rows.is_empty() {
            return 0..0;
        }
        let start = self.first_rows.partition_point(|&first| first <= rows.start).saturating_sub(1);
        start..self.first_rows.partition_point(|&first| first < rows.end).min(self.group_count())
    }

    /// Bytes of memory that the footer takes.
    pub fn byte_count(&self) -> usize {
        self.found.metadata().memory_size() + size_of_val(self.first_rows.as_slice())
    }

    /// Where a column of a row group lies in the file: one chunk, two of a column of pairs.
    ///
    /// # Errors
    /// [`ParquetError::Damaged`] when the file has no such column, or has it at no place.
    pub fn chunks(&self, content: Content, group: usize) -> Result<Vec<Range<u64>>, ParquetError> {
        let place = self.place(content)?;
        guard(&self.path, || {
            let metadata = self.found.metadata();
            let group = metadata.row_groups().get(group).ok_or("it has fewer row groups")?;
            let schema = self.found.parquet_schema();
            let of_column = |leaf: &usize| schema.get_column_root_idx(*leaf) == place;
            let leaves = (0..group.num_columns().min(schema.num_columns())).filter(of_column);
            let range = |leaf| {
                let (start, len) = group.column(leaf).byte_range();
                start..start.saturating_add(len)
            };
            Ok::<_, &str>(leaves.map(range).collect())
        })
    }

    /// Reads a column of a row group. `take` is given rows batch by batch and says what is wrong with them.
    ///
    /// # Errors
    /// [`ParquetError::Damaged`], also when `take` says so.
    pub fn read<I: ChunkReader + Clone + 'static>(
        &self,
        input: &I,
        content: Content,
        group: usize,
        take: &mut dyn FnMut(&ColumnRows<'_>) -> Result<(), String>,
    ) -> Result<(), ParquetError> {
        let place = self.place(content)?;
        let mut batches = self.batches(input, place, group)?;
        let rows = self.rows_of(group);
        let mut next = rows.start;
        while let Some(batch) = guard(&self.path, || batches.next().transpose())? {
            let array = batch.columns().first().ok_or_else(|| damaged(&self.path, "a column is missing"))?;
            let found = guard(&self.path, || values(content, array).ok_or("a column has another type"))?;
            let taken = ColumnRows { first_row: next, len: batch.num_rows(), values: &found };
            next = u32::try_from(batch.num_rows())
                .ok()
                .and_then(|len| next.checked_add(len))
                .unwrap_or(u32::MAX);
            if next > rows.end {
                break;
            }
            take(&taken)
                .map_err(|what| damaged(&self.path, format!("its column {} {what}", name(content))))?;
        }
        if next == rows.end {
            Ok(())
        } else {
            Err(damaged(&self.path, "a column has too few rows, or too many"))
        }
    }

    fn batches<I: ChunkReader + Clone + 'static>(
        &self,
        input: &I,
        place: usize,
        group: usize,
    ) -> Result<ParquetRecordBatchReader, ParquetError> {
        guard(&self.path, || {
            let mask = ProjectionMask::roots(self.found.parquet_schema(), [place]);
            ParquetRecordBatchReaderBuilder::new_with_metadata(input.clone(), self.found.clone())
                .with_projection(mask)
                .with_row_groups(vec![group])
                .with_batch_size(BATCH_ROWS)
                .build()
        })
    }

    fn place(&self, content: Content) -> Result<usize, ParquetError> {
        let at = COLUMNS.iter().position(|column| column.content == content);
        let place = at.and_then(|at| self.places.get(at).copied().flatten());
        place.ok_or_else(|| damaged(&self.path, format!("it has no column {}", name(content))))
    }
}

impl ColumnRows<'_> {
    /// The number of each row.
    ///
    /// # Errors
    /// A row has none.
    pub fn all_numbers(&self) -> Result<&[i64], &'static str> {
        self.values.all_numbers().ok_or("is null")
    }

    /// Calls `take` for each row that has a number.
    ///
    /// # Errors
    /// What `take` says.
    pub fn each_number(&self, take: &mut dyn FnMut(u32, i64) -> Result<(), String>) -> Result<(), String> {
        (self.first_row..).zip(0..self.len).try_for_each(|(row, at)| match self.values.number(at) {
            Some(number) => take(row, number),
            None => Ok(()),
        })
    }

    /// Calls `take` for each row that has a text; pairs are encoded.
    ///
    /// # Errors
    /// What `take` says, and what is wrong with a text.
    pub fn each_text(
        &self,
        take: &mut dyn FnMut(u32, &str) -> Result<(), &'static str>,
    ) -> Result<(), String> {
        let mut pairs = String::new();
        (self.first_row..).zip(0..self.len).try_for_each(|(row, at)| {
            if let Some(text) = self.values.text(at)? {
                return Ok(take(row, text)?);
            }
            self.values.encode_pairs(at, &mut pairs)?;
            if pairs.is_empty() { Ok(()) } else { Ok(take(row, &pairs)?) }
        })
    }
}

fn name(content: Content) -> &'static str {
    COLUMNS.iter().find(|column| column.content == content).map_or("", |column| column.name)
}

fn damaged(path: &Path, what: impl Into<String>) -> ParquetError {
    ParquetError::Damaged { path: path.to_path_buf(), what: what.into() }
}
