//! Writes the sessions of a site's sources as Parquet files, one for each month of their opening days.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::properties::WriterProperties;

use super::batch::{Piece, record_batch};
use super::merge::Merge;
use super::month::Month;
use super::properties::writer_properties;
use super::schema::arrow_schema;
use crate::error::{ParquetError, StorageError};
use crate::query::Source;
use crate::schema::Column;
use crate::segment::table::SiteTable;
use crate::units::{SessionId, TimestampMs};

/// Rows that are turned into columns at once.
const BATCH_ROWS: usize = 8_192;
/// Bytes of texts in those, at most.
const BATCH_BYTES: usize = 64 << 20;

/// Takes files as they are written, one after the other.
pub trait Target {
    /// A file begins.
    fn begin(&mut self, month: Month) -> Result<(), StorageError>;
    /// More bytes of it.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;
    /// The file is whole. A file that is begun and not ended must not be taken for one.
    fn end(&mut self) -> Result<(), StorageError>;
}

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

/// Told now and then how far it is; a reason stops the writing.
pub type Watch<'w> = &'w mut dyn FnMut(&Written) -> Result<(), &'static str>;

/// Writes the live sessions of the sources whose last activity is in the span. `site` is the host name that the
/// column of this name holds.
///
/// # Errors
/// [`ParquetError::Storage`] when the target failed, [`ParquetError::Stopped`] when `watch` gave a reason.
pub fn write(
    sources: &[Source<'_>],
    site: &str,
    span: Range<TimestampMs>,
    target: &mut dyn Target,
    watch: Watch<'_>,
) -> Result<Written, ParquetError> {
    let mut output = Output::new(target, watch)?;
    let row_bytes: Vec<usize> = sources.iter().map(|source| longest_row(&source.table)).collect();
    let mut pending = Pending::default();
    let mut month = None;
    for place in Merge::new(sources, span) {
        let (Some(source), Some(&bytes)) = (sources.get(place.source), row_bytes.get(place.source)) else {
            continue;
        };
        let opened = source.table.states.session_id(place.session).map(|id| Month::of(SessionId(id).day()));
        if opened != month {
            output.write(site, &mut pending)?;
            output.end_file()?;
            month = opened;
            month.map_or(Ok(()), |month| output.begin_file(month))?;
        }
        let mut rows = source.table.rows(place.session);
        while !rows.is_empty() {
            let end = rows.end.min(rows.start + pending.room(bytes));
            pending.add(Piece::new(source, place.session, rows.start..end), bytes);
            rows.start = end;
            if pending.room(0) == 0 {
                output.write(site, &mut pending)?;
            }
        }
        output.written.sessions += 1;
    }
    output.write(site, &mut pending)?;
    output.end_file()?;
    (output.watch)(&output.written).map_err(ParquetError::Stopped)?;
    Ok(output.written)
}

/// Rows that wait to be turned into columns.
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
    Column::ALL.iter().map(|&column| table.dictionary(column).longest()).sum()
}

/// The file that is being written, and those before it.
struct Output<'t, 'w> {
    target: &'t mut dyn Target,
    watch: Watch<'w>,
    schema: Arc<Schema>,
    properties: WriterProperties,
    file: Option<ArrowWriter<Vec<u8>>>,
    written: Written,
}

impl<'t, 'w> Output<'t, 'w> {
    fn new(target: &'t mut dyn Target, watch: Watch<'w>) -> Result<Self, ParquetError> {
        let properties = writer_properties().map_err(fault)?;
        Ok(Self {
            target,
            watch,
            schema: arrow_schema(),
            properties,
            file: None,
            written: Written::default(),
        })
    }

    fn begin_file(&mut self, month: Month) -> Result<(), ParquetError> {
        let options = ArrowWriterOptions::new()
            .with_properties(self.properties.clone())
            .with_skip_arrow_metadata(true)
            .with_schema_root("hitstone".into());
        self.target.begin(month)?;
        let file = ArrowWriter::try_new_with_options(Vec::new(), self.schema.clone(), options);
        self.file = Some(file.map_err(fault)?);
        Ok(())
    }

    fn write<'a>(&mut self, site: &str, pending: &mut Pending<'a>) -> Result<(), ParquetError> {
        let taken = std::mem::take(pending);
        let Some(file) = self.file.as_mut().filter(|_| taken.rows > 0) else { return Ok(()) };
        let batch = record_batch(&self.schema, site, &taken.pieces);
        file.write(&batch.map_err(fault)?).map_err(fault)?;
        file.sync().map_err(fault)?;
        let bytes = std::mem::take(file.inner_mut());
        self.hand_on(&bytes)?;
        self.written.rows += taken.rows as u64;
        (self.watch)(&self.written).map_err(ParquetError::Stopped)
    }

    fn end_file(&mut self) -> Result<(), ParquetError> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let rest = file.into_inner().map_err(fault)?;
        self.hand_on(&rest)?;
        self.target.end()?;
        self.written.files += 1;
        Ok(())
    }

    fn hand_on(&mut self, bytes: &[u8]) -> Result<(), ParquetError> {
        if !bytes.is_empty() {
            self.target.append(bytes)?;
            self.written.bytes += bytes.len() as u64;
        }
        Ok(())
    }
}

fn fault(error: impl std::fmt::Display) -> ParquetError {
    ParquetError::Write(error.to_string())
}
