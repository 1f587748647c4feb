//! How files are encoded: settings that every reader knows, chosen by measuring (see storage-format.md).

use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError as LibraryError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// What a file says of who wrote it.
pub const CREATED_BY: &str = concat!("hitstone version ", env!("CARGO_PKG_VERSION"));
/// Rows of a row group: other engines give each group to a thread.
const ROW_GROUP_ROWS: usize = 128 << 10;
/// Bytes of a row group, so that long texts do not fill the memory.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// Rows of a page: four of them in a row group. Smaller ones compress worse.
const PAGE_ROWS: usize = ROW_GROUP_ROWS / 4;
/// Level 9 gains 0.3 % more, level 3 loses 2 %.
const ZSTD_LEVEL: i32 = 6;
/// How often a bloom filter may say yes in vain.
const BLOOM_FALSE_YES: f64 = 0.05;

/// The writer's settings. Version 1.0 encodings only: dictionary, plain, and binary deltas for times. Visitors follow
/// each other in order, so zstd finds their repetitions in plain numbers; codes of a dictionary as large as the column
/// hide them.
pub(super) fn writer_properties() -> Result<WriterProperties, LibraryError> {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.into())
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page);
    for time in ["time", "received"] {
        properties = properties
            .set_column_dictionary_enabled(column(time), false)
            .set_column_encoding(column(time), Encoding::DELTA_BINARY_PACKED);
    }
    for id in ["visitor_id", "user_key"] {
        properties = properties.set_column_dictionary_enabled(column(id), false);
    }
    for searched in ["visitor_id", "path"] {
        properties = properties
            .set_column_bloom_filter_enabled(column(searched), true)
            .set_column_bloom_filter_fpp(column(searched), BLOOM_FALSE_YES);
    }
    Ok(properties.build())
}
