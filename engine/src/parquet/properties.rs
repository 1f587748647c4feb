//! How files are encoded: settings that every reader knows, chosen by measuring (see storage-format.md).

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError as LibraryError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::{ColumnDescPtr, ColumnPath};

use super::texts::TextSettings;

/// What a file says of who wrote it.
pub const CREATED_BY: &str = concat!("hitstone version ", env!("CARGO_PKG_VERSION"));
/// Rows of a row group: other engines give each group to a thread. Each has dictionaries of its own.
pub(super) const ROW_GROUP_ROWS: usize = 256 << 10;
/// Bytes of a row group, so that long texts do not fill the memory.
pub(super) const ROW_GROUP_BYTES: usize = 64 << 20;
/// Rows of a page of numbers, so that few are read for some rows.
const PAGE_ROWS: usize = 32 << 10;
/// Rows of a page of texts: these are read whole, and compress better so.
const TEXT_PAGE_ROWS: usize = 64 << 10;
/// Level 6 gains 1.5 % more for a quarter more work, level 9 2 % for half as much again.
pub(super) const ZSTD_LEVEL: i32 = 4;
/// How often a bloom filter may say yes in vain. Filters are made smaller by halves until this is met.
const BLOOM_FALSE_YES: f64 = 0.1;

/// The settings of all columns that the library encodes. Version 1.0 encodings only: dictionary, plain, and binary
/// deltas for times. Visitors follow each other in order, so zstd finds their repetitions in plain numbers; codes of a
/// dictionary as large as the column hide them. In deltas of times it finds nothing. Statistics of pages are of use in
/// the columns that follow the order of rows; in others they are all alike.
pub(super) fn writer_properties() -> Result<WriterProperties, LibraryError> {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.into())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(compression()?)
        .set_column_compression(column("time"), Compression::UNCOMPRESSED)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_bloom_filter_enabled(column("visitor_id"), true)
        .set_column_bloom_filter_fpp(column("visitor_id"), BLOOM_FALSE_YES)
        .set_column_bloom_filter_max_ndv(column("visitor_id"), ROW_GROUP_ROWS as u64);
    for ordered in ["time", "visitor_id", "session_id"] {
        properties = properties.set_column_statistics_enabled(column(ordered), EnabledStatistics::Page);
    }
    for time in ["time", "received"] {
        properties = properties
            .set_column_dictionary_enabled(column(time), false)
            .set_column_encoding(column(time), Encoding::DELTA_BINARY_PACKED);
    }
    for id in ["visitor_id", "user_key"] {
        properties = properties.set_column_dictionary_enabled(column(id), false);
    }
    Ok(properties.build())
}

/// How a column of texts is encoded.
pub(super) fn text_settings(column: ColumnDescPtr) -> Result<TextSettings, LibraryError> {
    let bloom_filter = (column.name() == "path").then_some(BLOOM_FALSE_YES);
    Ok(TextSettings { column, compression: compression()?, page_rows: TEXT_PAGE_ROWS, bloom_filter })
}

fn compression() -> Result<Compression, LibraryError> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
}
