//! Reads a Parquet file back into rows: columns in any order, any subset that has `time`, `kind`, `visitor_id` and
//! `path`, in any physical type that converts without loss. Columns of other names are passed over.
//!
//! A damaged file is an error. The library that decodes it may also panic on one: that is caught here and is the same
//! error.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;

use super::columns::{Values, check_type, values, with_views};
use super::input::Input;
use super::marks::{Marker, Marks};
use super::row::{LakeRow, LazyTexts, Mark, RowFault};
use super::schema::{COLUMNS, Content, LakeColumn};
use crate::error::ParquetError;
use crate::event::Kind;
use crate::schema::{COLUMN_COUNT, Column};
use crate::units::VisitorId;
use crate::vfs::Fs;

/// Rows that are read at once.
pub(super) const BATCH_ROWS: usize = 8_192;

/// The last bytes of a file whose footer is encrypted.
const ENCRYPTED_END: &[u8; 4] = b"PARE";
/// By these the library tells its errors apart; they may be nested.
const LIBRARY_WORDS: [&str; 6] = [
    "Parquet argument error: ",
    "Parquet error: ",
    "Arrow: ",
    "External: ",
    "EOF: ",
    "Invalid argument error: ",
];
/// By this the library says, also through errors of others, that it lacks something.
const LACKING: &str = "NYI: ";
/// What to do about that.
const ANEW: &str =
    "write it anew, compressed with zstd, snappy or gzip, or as DuckDB and PyArrow do by themselves";

/// A Parquet file open for reading.
pub struct Reader {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    /// Where each of [`COLUMNS`] is in a batch.
    places: [Option<usize>; COLUMNS.len()],
    row_count: u64,
    rows_read: u64,
    marker: Marker,
    failed: bool,
}

impl Reader {
    /// Opens a file and checks that its columns can be read.
    ///
    /// # Errors
    /// [`ParquetError::Damaged`] for a file that is no sound Parquet file, [`ParquetError::Unsupported`] for one that
    /// cannot be read here, [`ParquetError::MissingColumn`], [`ParquetError::WrongType`], [`ParquetError::DoubleColumn`], or a failed operation.
    pub fn open(fs: &dyn Fs, path: &Path) -> Result<Self, ParquetError> {
        let (input, found) = metadata(fs, path)?;
        let row_count = u64::try_from(found.metadata().file_metadata().num_rows()).unwrap_or(0);
        let in_file = find_columns(path, found.schema())?;
        check_codecs(path, found.metadata(), &in_file)?;
        let mut wanted: Vec<usize> = in_file.iter().copied().flatten().collect();
        wanted.sort_unstable();
        let places = in_file.map(|at| at.and_then(|at| wanted.binary_search(&at).ok()));
        let batches = guard(path, || {
            let schema = Arc::new(with_views(found.schema()));
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(schema);
            let found = ArrowReaderMetadata::try_new(found.metadata().clone(), options)?;
            let mask = ProjectionMask::roots(found.parquet_schema(), wanted);
            ParquetRecordBatchReaderBuilder::new_with_metadata(input, found)
                .with_projection(mask)
                .with_batch_size(BATCH_ROWS)
                .build()
        })?;
        let (path, marker) = (path.to_path_buf(), Marker::new());
        Ok(Self { path, batches, places, row_count, rows_read: 0, marker, failed: false })
    }

    /// Who wrote a file, in its own words; "" when it does not say.
    ///
    /// # Errors
    /// [`ParquetError::Damaged`] for a file that is no sound Parquet file, or a failed operation.
    pub fn created_by(fs: &dyn Fs, path: &Path) -> Result<String, ParquetError> {
        let (_, found) = metadata(fs, path)?;
        Ok(found.metadata().file_metadata().created_by().unwrap_or_default().to_owned())
    }

    /// How many rows the file says it has.
    pub fn row_count(&self) -> u64 {
        self.row_count
    }

    /// Whether the file has a column.
    pub fn has_column(&self, name: &str) -> bool {
        COLUMNS.iter().zip(&self.places).any(|(column, place)| column.name == name && place.is_some())
    }

    /// The next rows; `None` after the last.
    ///
    /// # Errors
    /// [`ParquetError::Damaged`], after which nothing more is read.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, ParquetError> {
        if self.failed {
            return Ok(None);
        }
        let batches = &mut self.batches;
        let next = guard(&self.path, || batches.next().transpose());
        let batch = next.and_then(|batch| batch.map(|batch| self.batch(&batch)).transpose());
        self.failed = batch.is_err();
        batch
    }

    fn batch(&mut self, batch: &RecordBatch) -> Result<Batch, ParquetError> {
        let first_row = self.rows_read;
        self.rows_read += batch.num_rows() as u64;
        let mut columns = [const { Values::Absent }; COLUMNS.len()];
        for ((column, place), into) in COLUMNS.iter().zip(self.places).zip(&mut columns) {
            if let Some(array) = place.and_then(|place| batch.columns().get(place)) {
                let found = guard(&self.path, || Ok::<_, String>(values(column.content, array)))?;
                *into =
                    found.ok_or_else(|| wrong_type(&self.path, column, array.data_type().to_string(), ""))?;
            }
        }
        guard(&self.path, || {
            Ok::<_, String>(Batch::new(columns, &mut self.marker, first_row, batch.num_rows()))
        })
    }
}

/// Some rows of a file.
#[derive(Debug)]
pub struct Batch {
    number: u32,
    columns: [Values; COLUMNS.len()],
    /// Where the text columns are among the columns.
    places: [usize; COLUMN_COUNT],
    marks: [Marks; COLUMN_COUNT],
    /// What is wrong with texts of rows, if anything is.
    faults: BTreeMap<usize, RowFault>,
    /// Bytes of the longest texts of all columns together.
    longest: usize,
    first_row: u64,
    len: usize,
}

/// Numbers of batches.
static NEXT_BATCH: AtomicU32 = AtomicU32::new(0);

impl Batch {
    fn new(columns: [Values; COLUMNS.len()], marker: &mut Marker, first_row: u64, len: usize) -> Self {
        let number = NEXT_BATCH.fetch_add(1, Ordering::Relaxed);
        let (places, marks, faults) = ([0; COLUMN_COUNT], Default::default(), BTreeMap::new());
        let mut batch = Self { number, columns, places, marks, faults, longest: 0, first_row, len };
        for (place, (column, values)) in COLUMNS.iter().zip(&batch.columns).enumerate() {
            let (Content::Text(text) | Content::Pairs(text)) = column.content else { continue };
            let marks = values.marks(len, marker);
            let mut fault = |row: usize, what: &str| {
                let (number, what) = (first_row + row as u64 + 1, what.to_owned());
                batch.faults.entry(row).or_insert(RowFault { row: number, column: column.name, what });
            };
            values.check_texts(&marks, len, &mut fault);
            batch.longest += marks.longest;
            batch.places[text.index()] = place;
            batch.marks[text.index()] = marks;
        }
        batch
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A row of the batch.
    ///
    /// # Errors
    /// A value of it cannot be taken.
    pub fn row(&self, row: usize) -> Result<LakeRow<'_>, RowFault> {
        if let Some(fault) = self.faults.get(&row) {
            return Err(fault.clone());
        }
        let texts = LazyTexts { batch: self, row, event_meta: OnceCell::new(), tags: OnceCell::new() };
        let mut read = LakeRow {
            site: None,
            time: 0,
            received: None,
            kind: Kind::PageView,
            visitor: VisitorId(0),
            session: None,
            user_key: None,
            event_duration: None,
            non_interactive: false,
            status: None,
            texts,
        };
        for (column, values) in COLUMNS.iter().zip(&self.columns) {
            take(&mut read, column, values, row).map_err(|what| RowFault {
                row: self.first_row + row as u64 + 1,
                column: column.name,
                what,
            })?;
        }
        Ok(read)
    }

    fn values(&self, column: Column) -> &Values {
        self.places.get(column.index()).and_then(|&place| self.columns.get(place)).unwrap_or(&Values::Absent)
    }

    /// The text of a row; "" when there is none.
    pub(super) fn text(&self, column: Column, row: usize) -> &str {
        self.values(column).text(row).ok().flatten().unwrap_or_default()
    }

    /// The pairs of a row, encoded; "" when there are none.
    pub(super) fn pairs(&self, column: Column, row: usize) -> String {
        self.values(column).pairs(row).unwrap_or_default()
    }

    /// Stands for a row's text.
    pub(super) fn mark(&self, column: Column, row: usize) -> Option<Mark> {
        let number = self.marks.get(column.index())?.of(row)?;
        Some(Mark { batch: self.number, number })
    }

    /// Bytes of the longest texts of all columns together.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

/// Puts a column's value into the row. Texts were looked at before.
fn take<'a>(
    into: &mut LakeRow<'a>,
    column: &LakeColumn,
    values: &'a Values,
    row: usize,
) -> Result<(), String> {
    let needed = || values.number(row).ok_or_else(|| "is null".to_owned());
    match column.content {
        Content::Site => into.site = values.text(row)?,
        Content::Time => into.time = needed()?,
        Content::Kind => {
            let name = values.text(row)?.ok_or("is null")?;
            into.kind = Kind::from_name(name)
                .ok_or_else(|| format!("is {:?}, not page_view, event or ping", shortened(name)))?;
        }
        Content::VisitorId => into.visitor = VisitorId(needed()?.cast_unsigned()),
        Content::SessionId => into.session = values.number(row),
        Content::Text(_) | Content::Pairs(_) => {}
        Content::EventDuration => into.event_duration = small(values.number(row))?,
        Content::NonInteractive => into.non_interactive = values.is_true(row),
        Content::Status => into.status = small(values.number(row))?.filter(|&status| status != 0),
        Content::Received => into.received = values.number(row).filter(|&received| received != into.time),
        Content::UserKey => into.user_key = values.number(row).map(i64::cast_unsigned),
    }
    Ok(())
}

fn small<T: TryFrom<i64>>(number: Option<i64>) -> Result<Option<T>, String> {
    number
        .map(|number| T::try_from(number).map_err(|_| format!("is {number}, which is out of range")))
        .transpose()
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn metadata(fs: &dyn Fs, path: &Path) -> Result<(Input, ArrowReaderMetadata), ParquetError> {
    let file = fs.open_to_read(path)?;
    let mut end = [0; ENCRYPTED_END.len()];
    let len = file.len()?;
    if len >= end.len() as u64 {
        file.read_at(len - end.len() as u64, &mut end)?;
    }
    if end == *ENCRYPTED_END {
        let what = "it is encrypted; write it anew without encryption".to_owned();
        return Err(ParquetError::Unsupported { path: path.to_path_buf(), what });
    }
    let input = Input::new(file)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let found = guard(path, || ArrowReaderMetadata::load(&input, options))?;
    Ok((input, found))
}

/// Refuses a file with a column of ours that is compressed in a way that cannot be read.
fn check_codecs(
    path: &Path,
    metadata: &ParquetMetaData,
    places: &[Option<usize>; COLUMNS.len()],
) -> Result<(), ParquetError> {
    let schema = metadata.file_metadata().schema_descr();
    for group in metadata.row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let root = schema.get_column_root_idx(leaf);
            if chunk.compression() == Compression::LZO && places.contains(&Some(root)) {
                let column = schema.column(leaf).name().to_owned();
                let what =
                    format!("the column {column} is compressed with LZO, which cannot be read; {ANEW}");
                return Err(ParquetError::Unsupported { path: path.to_path_buf(), what });
            }
        }
    }
    Ok(())
}

/// Where each of [`COLUMNS`] is in the file.
pub(super) fn find_columns(
    path: &Path,
    schema: &SchemaRef,
) -> Result<[Option<usize>; COLUMNS.len()], ParquetError> {
    let mut places = [None; COLUMNS.len()];
    for (column, place) in COLUMNS.iter().zip(&mut places) {
        let mut found = schema.fields().iter().enumerate().filter(|(_, field)| field.name() == column.name);
        let Some((at, field)) = found.next() else {
            if column.is_needed() {
                return Err(ParquetError::MissingColumn { path: path.to_path_buf(), column: column.name });
            }
            continue;
        };
        if found.next().is_some() {
            return Err(ParquetError::DoubleColumn { path: path.to_path_buf(), column: column.name });
        }
        check_type(column.content, field.data_type())
            .map_err(|wanted| wrong_type(path, column, field.data_type().to_string(), wanted))?;
        *place = Some(at);
    }
    Ok(places)
}

fn wrong_type(path: &Path, column: &LakeColumn, found: String, wanted: &'static str) -> ParquetError {
    ParquetError::WrongType { path: path.to_path_buf(), column: column.name, found, wanted }
}

/// What the library says, without the names of its errors.
fn for_people(said: &str) -> String {
    let mut rest = said;
    while let Some(stripped) = LIBRARY_WORDS.iter().find_map(|words| rest.strip_prefix(words)) {
        rest = stripped;
    }
    format!("it cannot be decoded ({rest})")
}

/// Runs the library; its errors and its panics say that the file is damaged, or uses what the library lacks.
pub(super) fn guard<T, E: std::fmt::Display>(
    path: &Path,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, ParquetError> {
    let damaged = |what: String| ParquetError::Damaged { path: path.to_path_buf(), what };
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let said = error.to_string();
            if !said.contains(LACKING) {
                return Err(damaged(for_people(&said)));
            }
            let what = format!("it uses what cannot be read ({said}); {ANEW}");
            Err(ParquetError::Unsupported { path: path.to_path_buf(), what })
        }
        Err(_) => Err(damaged("its bytes make no sense".into())),
    }
}
