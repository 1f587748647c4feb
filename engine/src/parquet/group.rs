//! A row group: an encoder for each column, fed with batches of rows.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{FieldRef, Schema};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::{ParquetError as LibraryError, Result};
use parquet::file::writer::SerializedFileWriter;
use zstd::bulk::Compressor;

use super::batch::{Piece, array, put_texts};
use super::properties::text_settings;
use super::schema::{COLUMNS, Content};
use super::texts::TextEncoder;

/// The row group that is being written.
pub(super) struct RowGroup {
    columns: Vec<ColumnEncoder>,
    /// Rows so far.
    pub rows: usize,
}

struct ColumnEncoder {
    content: Content,
    field: FieldRef,
    encoder: Encoder,
}

enum Encoder {
    Texts(Box<TextEncoder>),
    /// The library's, one for each leaf of the column.
    Arrays(Vec<ArrowColumnWriter>),
}

impl RowGroup {
    /// The next one of a file.
    pub fn new(file: &SerializedFileWriter<Vec<u8>>, schema: &Arc<Schema>) -> Result<Self> {
        let library = ArrowRowGroupWriterFactory::new(file, schema.clone())
            .create_column_writers(file.flushed_row_groups().len())?;
        let mut leaves = library.into_iter().zip(file.schema_descr().columns());
        let mut columns = Vec::with_capacity(COLUMNS.len());
        for (column, field) in COLUMNS.iter().zip(schema.fields()) {
            let encoder = match column.content {
                Content::Site | Content::Kind | Content::Text(_) => {
                    let (_, leaf) = leaves.next().ok_or_else(mismatch)?;
                    Encoder::Texts(Box::new(TextEncoder::new(text_settings(leaf.clone())?)))
                }
                Content::Pairs(_) => Encoder::Arrays(leaves.by_ref().take(2).map(|leaf| leaf.0).collect()),
                _ => Encoder::Arrays(leaves.by_ref().take(1).map(|leaf| leaf.0).collect()),
            };
            columns.push(ColumnEncoder { content: column.content, field: field.clone(), encoder });
        }
        Ok(Self { columns, rows: 0 })
    }

    /// Bytes it will have, about.
    pub fn estimated_bytes(&self) -> usize {
        self.columns.iter().map(ColumnEncoder::estimated_bytes).sum()
    }

    /// Adds rows. Columns are shared out among as many threads as there are compressors.
    pub fn add(
        &mut self,
        site: &str,
        pieces: &[Piece<'_>],
        compressors: &mut [Compressor<'static>],
    ) -> Result<()> {
        self.rows += pieces.iter().map(|piece| piece.rows.len()).sum::<usize>();
        let queue = Mutex::new(self.columns.iter_mut());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = |compressor: &mut Compressor<'static>| {
            std::iter::from_fn(next).try_for_each(|column| column.add(site, pieces, compressor))
        };
        let Some((own, others)) = compressors.split_first_mut() else { return Err(mismatch()) };
        std::thread::scope(|scope| {
            let others: Vec<_> =
                others.iter_mut().map(|compressor| scope.spawn(|| work(compressor))).collect();
            let done = work(own);
            others
                .into_iter()
                .fold(done, |done, other| done.and(other.join().unwrap_or_else(|_| Err(mismatch()))))
        })
    }

    /// Appends it to the file.
    pub fn finish(
        self,
        file: &mut SerializedFileWriter<Vec<u8>>,
        compressor: &mut Compressor<'static>,
    ) -> Result<()> {
        let mut group = file.next_row_group()?;
        for column in self.columns {
            match column.encoder {
                Encoder::Texts(encoder) => {
                    let chunk = encoder.finish(compressor)?;
                    group.append_column(&chunk.bytes, chunk.close)?;
                }
                Encoder::Arrays(leaves) => {
                    for leaf in leaves {
                        leaf.close()?.append_to_row_group(&mut group)?;
                    }
                }
            }
        }
        group.close()?;
        Ok(())
    }
}

impl ColumnEncoder {
    fn estimated_bytes(&self) -> usize {
        match &self.encoder {
            Encoder::Texts(encoder) => encoder.estimated_bytes(),
            Encoder::Arrays(leaves) => leaves.iter().map(ArrowColumnWriter::get_estimated_total_bytes).sum(),
        }
    }

    fn add(&mut self, site: &str, pieces: &[Piece<'_>], compressor: &mut Compressor<'_>) -> Result<()> {
        let writers = match &mut self.encoder {
            Encoder::Texts(encoder) => return put_texts(self.content, site, pieces, encoder, compressor),
            Encoder::Arrays(writers) => writers,
        };
        let leaves = compute_leaves(&self.field, &array(self.content, &self.field, pieces)?)?;
        writers.iter_mut().zip(&leaves).try_for_each(|(writer, leaf)| writer.write(leaf))
    }
}

fn mismatch() -> LibraryError {
    LibraryError::General("the columns are not those of the schema".into())
}
