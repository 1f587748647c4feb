//! A column chunk made page by page: what the library's own writers make, for columns that are encoded here.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError as LibraryError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::page_index::offset_index::{OffsetIndexMetaData, PageLocation};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

/// The pages of a chunk, compressed.
#[derive(Default)]
pub(super) struct Pages {
    bytes: Vec<u8>,
    locations: Vec<PageLocation>,
    /// How many pages have dictionary codes, and how many plain values.
    coded: i32,
    plain: i32,
    uncompressed: usize,
    rows: usize,
}

/// What belongs to a chunk beside its pages.
pub(super) struct ChunkEnd {
    pub column: ColumnDescPtr,
    pub compression: Compression,
    pub statistics: Statistics,
    pub bloom_filter: Option<Sbbf>,
}

/// A whole chunk, to be appended to a row group.
pub(super) struct Chunk {
    pub bytes: Bytes,
    pub close: ColumnCloseResult,
}

impl Pages {
    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a page of `rows` values, nulls included.
    pub fn add(
        &mut self,
        content: &[u8],
        rows: usize,
        is_plain: bool,
        compressor: &mut Compressor<'_>,
    ) -> Result<()> {
        let page = Page::DataPage {
            buf: compress(compressor, content)?,
            num_values: rows as u32,
            encoding: if is_plain { Encoding::PLAIN } else { Encoding::RLE_DICTIONARY },
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let offset = self.bytes.len();
        self.uncompressed += write_page(&mut self.bytes, page, content.len())?;
        self.locations.push(PageLocation {
            offset: offset as i64,
            compressed_page_size: (self.bytes.len() - offset) as i32,
            first_row_index: self.rows as i64,
        });
        self.rows += rows;
        *if is_plain { &mut self.plain } else { &mut self.coded } += 1;
        Ok(())
    }

    /// Puts the dictionary before the pages. Without pages of codes there is none.
    pub fn finish(
        mut self,
        dictionary: &[u8],
        entries: usize,
        end: ChunkEnd,
        compressor: &mut Compressor<'_>,
    ) -> Result<Chunk> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + dictionary.len() / 2);
        if self.coded > 0 {
            let page = Page::DictionaryPage {
                buf: compress(compressor, dictionary)?,
                num_values: entries as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            self.uncompressed += write_page(&mut bytes, page, dictionary.len())?;
        }
        let first_page = bytes.len() as i64;
        bytes.append(&mut self.bytes);
        self.locations.iter_mut().for_each(|location| location.offset += first_page);
        let metadata = self.metadata(&end, first_page, bytes.len())?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: end.bloom_filter,
            column_index: None,
            offset_index: Some(OffsetIndexMetaData {
                page_locations: self.locations,
                unencoded_byte_array_data_bytes: None,
            }),
        };
        Ok(Chunk { bytes: bytes.into(), close })
    }

    fn metadata(&self, end: &ChunkEnd, first_page: i64, compressed: usize) -> Result<ColumnChunkMetaData> {
        let stats = |page_type, encoding, count| PageEncodingStats { page_type, encoding, count };
        let mut pages = vec![
            stats(PageType::DICTIONARY_PAGE, Encoding::PLAIN, i32::from(self.coded > 0)),
            stats(PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, self.coded),
            stats(PageType::DATA_PAGE, Encoding::PLAIN, self.plain),
        ];
        pages.retain(|stats| stats.count > 0);
        let mut encodings = vec![Encoding::PLAIN, Encoding::RLE];
        encodings.extend((self.coded > 0).then_some(Encoding::RLE_DICTIONARY));
        ColumnChunkMetaData::builder(end.column.clone())
            .set_encodings(encodings)
            .set_page_encoding_stats(pages)
            .set_compression(end.compression)
            .set_total_compressed_size(compressed as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_dictionary_page_offset((first_page > 0).then_some(0))
            .set_data_page_offset(first_page)
            .set_statistics(end.statistics.clone())
            .build()
    }
}

fn compress(compressor: &mut Compressor<'_>, content: &[u8]) -> Result<Bytes> {
    compressor.compress(content).map(Bytes::from).map_err(|error| LibraryError::External(Box::new(error)))
}

/// Appends a page with its header. Gives its size if it were not compressed.
fn write_page(to: &mut Vec<u8>, page: Page, uncompressed: usize) -> Result<usize> {
    let mut sink = TrackedWrite::new(to);
    let written = SerializedPageWriter::new(&mut sink).write_page(CompressedPage::new(page, uncompressed))?;
    sink.into_inner()?;
    Ok(written.uncompressed_size)
}
