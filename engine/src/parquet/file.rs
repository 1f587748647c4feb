//! Writes one file: sessions in order, batch by batch, handed on as bytes.

use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::writer::SerializedFileWriter;
use zstd::bulk::Compressor;

use super::batch::Piece;
use super::group::RowGroup;
use super::merge::Place;
use super::properties::{ROW_GROUP_BYTES, ROW_GROUP_ROWS, ZSTD_LEVEL, writer_properties};
use super::schema::arrow_schema;
use crate::error::{ParquetError, StorageError};
use crate::query::Source;
use crate::schema::Column;
use crate::segment::table::SiteTable;

/// Rows that are encoded at once.
const BATCH_ROWS: usize = 8_192;
/// Bytes of texts in those, at most.
const BATCH_BYTES: usize = 64 << 20;

/// What has been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Sessions.
    pub sessions: u64,
    /// Files that are whole.
    pub files: u64,
    /// Bytes of files.
    pub bytes: u64,
}

/// Where a session of a source is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The source, counted from 0.
    pub source: usize,
    /// The session in the source's table.
    pub session: usize,
    /// Its rows in the file, counted from 0.
    pub rows: Range<u64>,
}

/// Follows the writing of a file; an error of it stops the writing.
pub trait Observer {
    /// A session goes into the file; they come in the file's order.
    ///
    /// # Errors
    /// What stops the writing; so for the other.
    fn session(&mut self, placed: &Placed) -> Result<(), ParquetError>;

    /// So much is written. Called at least every 8,192 rows, and at the end.
    ///
    /// # Errors
    /// [`ParquetError::Stopped`] to give up.
    fn progress(&mut self, written: &Written) -> Result<(), ParquetError>;
}

/// Takes a file's bytes, piece after piece.
pub type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> Result<(), StorageError>;

/// Writes the sessions as one file, its columns encoded by so many threads.
pub(super) fn write_sessions<'a>(
    sources: &'a [Source<'a>],
    site: &str,
    sessions: impl Iterator<Item = Place>,
    threads: NonZero<usize>,
    sink: Sink<'_>,
    observer: &mut dyn Observer,
) -> Result<Written, ParquetError> {
    let mut file = FileWriter::new(site, threads)?;
    file.add(sources, sessions, sink, observer)?;
    let written = file.finish(sink)?;
    observer.progress(&written)?;
    Ok(written)
}

/// Rows that wait to be encoded.
#[derive(Default)]
struct Pending<'a> {
    pieces: Vec<Piece<'a>>,
    rows: usize,
    bytes: usize,
}

impl<'a> Pending<'a> {
    /// How many more rows of so many bytes fit; one at least while there is any room.
    fn room(&self, row_bytes: usize) -> usize {
        let bytes = BATCH_BYTES.saturating_sub(self.bytes);
        let rows = BATCH_ROWS.saturating_sub(self.rows);
        if bytes == 0 { 0 } else { rows.min((bytes / row_bytes.max(1)).max(1)) }
    }

    fn add(&mut self, piece: Piece<'a>, row_bytes: usize) {
        self.rows += piece.rows.len();
        self.bytes += piece.rows.len().saturating_mul(row_bytes);
        self.pieces.push(piece);
    }
}

/// Bytes of a row's texts if it had the longest text of each column.
fn longest_row(table: &SiteTable<'_>) -> usize {
    let longest = |column: &Column| table.dictionary(*column).longest();
    Column::ALL.iter().map(longest).sum()
}

/// A file that is being written.
pub(super) struct FileWriter {
    site: String,
    schema: Arc<Schema>,
    file: SerializedFileWriter<Vec<u8>>,
    group: Option<RowGroup>,
    /// One for each thread.
    compressors: Vec<Compressor<'static>>,
    /// Rows of all sessions that were added.
    rows: u64,
    written: Written,
}

impl FileWriter {
    /// A file that begins. `site` and `threads` as for [`write_sessions`].
    pub fn new(site: &str, threads: NonZero<usize>) -> Result<Self, ParquetError> {
        let schema = arrow_schema();
        let found = ArrowSchemaConverter::new().schema_root("hitstone").convert(&schema).map_err(fault)?;
        let properties = Arc::new(writer_properties().map_err(fault)?);
        let file = SerializedFileWriter::new(Vec::new(), found.root_schema_ptr(), properties);
        let compressors = (0..threads.get()).map(|_| Compressor::new(ZSTD_LEVEL)).collect::<Result<_, _>>();
        Ok(Self {
            site: site.to_owned(),
            schema,
            file: file.map_err(fault)?,
            group: None,
            compressors: compressors.map_err(fault)?,
            rows: 0,
            written: Written::default(),
        })
    }

    /// Adds sessions, which come after those before. The sources are not needed any more afterwards.
    pub fn add<'a>(
        &mut self,
        sources: &'a [Source<'a>],
        sessions: impl Iterator<Item = Place>,
        sink: Sink<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), ParquetError> {
        let row_bytes: Vec<usize> = sources.iter().map(|source| longest_row(&source.table)).collect();
        let mut pending = Pending::default();
        for Place { source, session } in sessions {
            let (Some(data), Some(&bytes)) = (sources.get(source), row_bytes.get(source)) else { continue };
            let mut rows = data.table.rows(session);
            let placed = Placed { source, session, rows: self.rows..self.rows + rows.len() as u64 };
            observer.session(&placed)?;
            self.rows = placed.rows.end;
            while !rows.is_empty() {
                let end = rows.end.min(rows.start + pending.room(bytes).min(self.room(pending.rows)));
                let piece = Piece { table: &data.table, source, session, rows: rows.start..end };
                pending.add(piece, bytes);
                rows.start = end;
                if pending.room(0) == 0 || self.room(pending.rows) == 0 {
                    self.write(&mut pending, sink)?;
                    observer.progress(&self.written)?;
                }
            }
            self.written.sessions += 1;
        }
        self.write(&mut pending, sink)
    }

    /// How many more rows the row group takes when so many wait.
    fn room(&self, waiting: usize) -> usize {
        let rows = self.group.as_ref().map_or(0, |group| group.rows) + waiting;
        ROW_GROUP_ROWS.saturating_sub(rows)
    }

    fn write(&mut self, pending: &mut Pending<'_>, sink: Sink<'_>) -> Result<(), ParquetError> {
        let taken = std::mem::take(pending);
        if taken.rows == 0 {
            return Ok(());
        }
        let mut group = match self.group.take() {
            Some(group) => group,
            None => RowGroup::new(&self.file, &self.schema).map_err(fault)?,
        };
        group.add(&self.site, &taken.pieces, &mut self.compressors).map_err(fault)?;
        self.written.rows += taken.rows as u64;
        let is_full = group.rows >= ROW_GROUP_ROWS || group.estimated_bytes() >= ROW_GROUP_BYTES;
        self.group = Some(group);
        if is_full { self.end_group(sink) } else { Ok(()) }
    }

    fn end_group(&mut self, sink: Sink<'_>) -> Result<(), ParquetError> {
        if let (Some(group), Some(compressor)) = (self.group.take(), self.compressors.first_mut()) {
            group.finish(&mut self.file, compressor).map_err(fault)?;
        }
        self.hand_on(sink)
    }

    /// The file is whole.
    pub fn finish(mut self, sink: Sink<'_>) -> Result<Written, ParquetError> {
        self.end_group(sink)?;
        self.file.finish().map_err(fault)?;
        self.hand_on(sink)?;
        self.written.files = 1;
        Ok(self.written)
    }

    fn hand_on(&mut self, sink: Sink<'_>) -> Result<(), ParquetError> {
        self.file.flush().map_err(fault)?;
        let bytes = std::mem::take(self.file.inner_mut());
        self.written.bytes += bytes.len() as u64;
        if bytes.is_empty() { Ok(()) } else { Ok(sink(&bytes)?) }
    }
}

fn fault(error: impl std::fmt::Display) -> ParquetError {
    ParquetError::Write(error.to_string())
}
