//! The schema as it is promised, and files of others: any order, any subset, other physical types, wrong ones, damage.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array,
    LargeStringArray, ListArray, NullArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt16Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields};
use hitstone_engine::error::ParquetError;
use hitstone_engine::event::{Kind, encode_pairs};
use hitstone_engine::parquet::{Folder, Reader};
use hitstone_engine::schema::Column;
use hitstone_engine::store::StoreOptions;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::vfs::{Fs, OsFs};
use hitstone_engine::writer::Core;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use parquet::file::metadata::ParquetMetaDataWriter;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::workload::{Rng, Workload};

/// Id, name, physical and logical type, null or not: what other programs rely on.
const SCHEMA: &str = "\
1 site REQUIRED BYTE_ARRAY String
2 time REQUIRED INT64 Timestamp(MICROS, UTC)
3 kind REQUIRED BYTE_ARRAY String
4 visitor_id REQUIRED INT64
5 session_id REQUIRED INT64
6 hostname OPTIONAL BYTE_ARRAY String
7 path OPTIONAL BYTE_ARRAY String
8 title OPTIONAL BYTE_ARRAY String
9 referrer OPTIONAL BYTE_ARRAY String
10 referrer_name OPTIONAL BYTE_ARRAY String
11 channel OPTIONAL BYTE_ARRAY String
12 language OPTIONAL BYTE_ARRAY String
13 country OPTIONAL BYTE_ARRAY String
14 region OPTIONAL BYTE_ARRAY String
15 city OPTIONAL BYTE_ARRAY String
16 os OPTIONAL BYTE_ARRAY String
17 os_version OPTIONAL BYTE_ARRAY String
18 browser OPTIONAL BYTE_ARRAY String
19 browser_version OPTIONAL BYTE_ARRAY String
20 platform OPTIONAL BYTE_ARRAY String
21 screen_class OPTIONAL BYTE_ARRAY String
22 utm_source OPTIONAL BYTE_ARRAY String
23 utm_medium OPTIONAL BYTE_ARRAY String
24 utm_campaign OPTIONAL BYTE_ARRAY String
25 utm_content OPTIONAL BYTE_ARRAY String
26 utm_term OPTIONAL BYTE_ARRAY String
27 event_name OPTIONAL BYTE_ARRAY String
28 event_duration OPTIONAL INT32
1001 event_meta.key_value.key REQUIRED BYTE_ARRAY String
1002 event_meta.key_value.value OPTIONAL BYTE_ARRAY String
1003 tags.key_value.key REQUIRED BYTE_ARRAY String
1004 tags.key_value.value OPTIONAL BYTE_ARRAY String
31 event_id OPTIONAL BYTE_ARRAY String
32 non_interactive REQUIRED BOOLEAN
33 status OPTIONAL INT32
34 received OPTIONAL INT64 Timestamp(MICROS, UTC)
35 source OPTIONAL BYTE_ARRAY String
36 user_key OPTIONAL INT64
";

/// A file of some hundred rows, as the store writes it.
fn written_file() -> Vec<u8> {
    let disk = SimFs::new(4);
    let mut core = Core::open(disk.shared(), Path::new("/data"), StoreOptions::default()).unwrap();
    let mut workload = Workload::new(4, 9);
    for _ in 0..100 {
        core.append_events(&workload.batch()).unwrap();
    }
    core.commit().unwrap();
    let mut folder = Folder::open(disk.shared(), Path::new("/out")).unwrap();
    let all = i64::MIN..i64::MAX;
    core.snapshot().export(SiteId(1), "x", all, &mut folder, &mut |_| Ok(())).unwrap();
    let month = disk.list(Path::new("/out")).unwrap().remove(0);
    let name = format!("/out/{month}/{}.parquet", month.trim_start_matches("month="));
    disk.read(Path::new(&name)).unwrap()
}

#[test]
fn the_schema_is_the_promised_one() {
    let file = SerializedFileReader::new(bytes::Bytes::from(written_file())).unwrap();
    let metadata = file.metadata().file_metadata();
    let mut found = String::new();
    for leaf in metadata.schema_descr().columns() {
        let (info, path) = (leaf.self_type().get_basic_info(), leaf.path().string());
        let logical = match info.logical_type_ref() {
            None => String::new(),
            Some(parquet::basic::LogicalType::String) => " String".into(),
            Some(other) => {
                let text = format!("{other:?}");
                let is_micros = text.contains("MICROS") && text.contains("is_adjusted_to_u_t_c: true");
                if is_micros { " Timestamp(MICROS, UTC)".into() } else { format!(" {text}") }
            }
        };
        let (id, repetition, physical) = (info.id(), info.repetition(), leaf.physical_type());
        found += &format!("{id} {path} {repetition} {physical}{logical}\n");
    }
    assert_eq!(found, SCHEMA);
    let maps = metadata.schema().get_fields().iter().filter(|field| field.is_group());
    let maps: Vec<_> = maps.map(|map| (map.name(), map.get_basic_info().id())).collect();
    assert_eq!(maps, [("event_meta", 29), ("tags", 30)]);
    assert_eq!(metadata.created_by(), Some(concat!("hitstone version ", env!("CARGO_PKG_VERSION"))));
    let page_indices = file.metadata().row_group(0).columns().iter();
    assert!(page_indices.clone().all(|column| column.statistics().is_some()), "statistics");
    assert!(page_indices.clone().all(|column| column.offset_index_range().is_some()), "where pages are");
    let in_order = page_indices.clone().filter(|column| column.column_index_range().is_some());
    let in_order: Vec<_> = in_order.map(|column| column.column_path().string()).collect();
    assert_eq!(in_order, ["time", "visitor_id", "session_id"], "page statistics");
    let filtered = page_indices.filter(|column| column.bloom_filter_length().is_some());
    let filtered: Vec<_> = filtered.map(|column| column.column_path().string()).collect();
    assert_eq!(filtered, ["visitor_id", "path"]);
}

fn file_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    compressed_file_of(columns, Compression::UNCOMPRESSED)
}

fn compressed_file_of(columns: Vec<(&str, ArrayRef)>, compression: Compression) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    );
    let batch = batch.unwrap();
    let mut out = Vec::new();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}

/// Opens what these bytes are as a file.
fn open(bytes: &[u8]) -> (tempfile::TempDir, Result<Reader, ParquetError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.parquet");
    std::fs::write(&path, bytes).unwrap();
    let reader = Reader::open(&OsFs, &path);
    (folder, reader)
}

fn least() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("time", Arc::new(TimestampMicrosecondArray::from(vec![1_000_999, -1]).with_timezone("UTC"))),
        ("kind", Arc::new(StringArray::from(vec!["page_view", "ping"]))),
        ("visitor_id", Arc::new(Int64Array::from(vec![-1, 2]))),
        ("path", Arc::new(StringArray::from(vec![Some("/ü"), None]))),
    ]
}

fn with(name: &'static str, array: ArrayRef) -> Vec<(&'static str, ArrayRef)> {
    let mut columns: Vec<_> = least().into_iter().filter(|column| column.0 != name).collect();
    columns.push((name, array));
    columns
}

/// Snappy is what most programs write unless told otherwise.
#[test]
fn every_usual_compression_is_read() {
    let (gzip, brotli, zstd) = (GzipLevel::default(), BrotliLevel::default(), ZstdLevel::default());
    let usual = [
        Compression::SNAPPY,
        Compression::GZIP(gzip),
        Compression::BROTLI(brotli),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(zstd),
    ];
    for compression in usual {
        let (_folder, reader) = open(&compressed_file_of(least(), compression));
        let batch = reader.unwrap().next_batch().unwrap().unwrap();
        assert_eq!(batch.row(0).unwrap().text(Column::Path), "/ü", "{compression}");
    }
}

#[test]
fn the_least_columns_are_enough() {
    let (_folder, reader) = open(&file_of(least()));
    let mut reader = reader.unwrap();
    assert_eq!((reader.row_count(), reader.has_column("path"), reader.has_column("title")), (2, true, false));
    let batch = reader.next_batch().unwrap().unwrap();
    let (first, second) = (batch.row(0).unwrap(), batch.row(1).unwrap());
    assert_eq!((first.time, first.visitor.0, first.text(Column::Path)), (1_000, u64::MAX, "/ü"));
    assert_eq!((first.kind, first.session, first.user_key, first.site), (Kind::PageView, None, None, None));
    assert_eq!((second.time, second.kind, second.text(Column::Path)), (-1, Kind::Ping, ""));
    assert!(reader.next_batch().unwrap().is_none());
}

#[test]
fn other_types_that_lose_nothing_are_taken() {
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, value) in [("b", Some("2")), ("a", None)] {
        tags.keys().append_value(key);
        tags.values().append_option(value);
    }
    tags.append(true).unwrap();
    tags.append(true).unwrap();
    let parts = Fields::from(vec![
        Field::new("key", DataType::Utf8, true),
        Field::new("value", DataType::LargeUtf8, true),
    ]);
    let pairs: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from(vec!["k"])), Arc::new(LargeStringArray::from(vec!["v"]))];
    let pairs = StructArray::new(parts.clone(), pairs, None);
    let item = Arc::new(Field::new("item", DataType::Struct(parts), true));
    let meta = ListArray::new(item, OffsetBuffer::from_lengths([1, 0]), Arc::new(pairs), None);
    let kinds: DictionaryArray<Int32Type> = ["event", "page_view"].into_iter().collect();
    let bytes = file_of(vec![
        ("unknown", Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef),
        ("tags", Arc::new(tags.finish())),
        ("event_meta", Arc::new(meta)),
        ("user_key", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ("status", Arc::new(UInt16Array::from(vec![404, 0]))),
        ("received", Arc::new(TimestampMillisecondArray::from(vec![Some(5), None]))),
        ("city", Arc::new(NullArray::new(2))),
        ("title", Arc::new(BinaryArray::from(vec![&b"t\xc3\xbc"[..], b"x"]))),
        ("path", Arc::new(LargeStringArray::from(vec!["/a", "/b"]))),
        ("session_id", Arc::new(Int32Array::from(vec![7, -7]))),
        ("visitor_id", Arc::new(UInt64Array::from(vec![u64::MAX, 1]))),
        ("kind", Arc::new(kinds)),
        ("non_interactive", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("time", Arc::new(TimestampNanosecondArray::from(vec![1_999_999, -1]))),
    ]);
    let (_folder, reader) = open(&bytes);
    let batch = reader.unwrap().next_batch().unwrap().unwrap();
    let (first, second) = (batch.row(0).unwrap(), batch.row(1).unwrap());
    assert_eq!((first.time, second.time), (1, -1));
    assert_eq!((first.visitor.0, first.user_key, first.session), (u64::MAX, Some(u64::MAX), Some(7)));
    assert_eq!((first.kind, first.non_interactive, first.status), (Kind::Event, true, Some(404)));
    assert_eq!((first.received, first.text(Column::Title), first.text(Column::City)), (Some(5), "tü", ""));
    assert_eq!(first.text(Column::Tags), encode_pairs(&[("a", ""), ("b", "2")]));
    assert_eq!(first.text(Column::EventMeta), encode_pairs(&[("k", "v")]));
    assert_eq!((second.session, second.status, second.text(Column::Tags)), (Some(-7), None, ""));
    assert_eq!((second.text(Column::EventMeta), second.non_interactive), ("", false));
}

#[test]
fn wrong_columns_are_named() {
    let numbers = || Arc::new(Float64Array::from(vec![1.0, 2.0])) as ArrayRef;
    let texts = || Arc::new(StringArray::from(vec!["1", "2"])) as ArrayRef;
    for (name, array) in [
        ("time", texts()),
        ("time", Arc::new(Int64Array::from(vec![1, 2]))),
        ("visitor_id", numbers()),
        ("visitor_id", texts()),
        ("path", numbers()),
        ("tags", texts()),
        ("non_interactive", texts()),
        ("event_duration", numbers()),
    ] {
        let found = array.data_type().to_string();
        let (_folder, reader) = open(&file_of(with(name, array)));
        match reader.map(drop) {
            Err(ParquetError::WrongType { column, .. }) => assert_eq!(column, name),
            other => panic!("{name} as {found}: {other:?}"),
        }
    }
    for (name, _) in least() {
        let others = least().into_iter().filter(|column| column.0 != name).collect();
        let (_folder, reader) = open(&file_of(others));
        match reader.map(drop) {
            Err(ParquetError::MissingColumn { column, .. }) => assert_eq!(column, name),
            other => panic!("without {name}: {other:?}"),
        }
    }
}

/// A value that cannot be taken costs its own row only.
#[test]
fn bad_values_are_named() {
    for (name, array) in [
        ("kind", Arc::new(StringArray::from(vec!["hit", "ping"])) as ArrayRef),
        ("kind", Arc::new(StringArray::from(vec![None, Some("ping")]))),
        ("time", Arc::new(TimestampMicrosecondArray::from(vec![None, Some(1)]))),
        ("visitor_id", Arc::new(Int64Array::from(vec![None, Some(1)]))),
        ("status", Arc::new(Int32Array::from(vec![70_000, 200]))),
        ("event_duration", Arc::new(Int64Array::from(vec![-1, 0]))),
        ("title", Arc::new(BinaryArray::from(vec![&b"\xff"[..], b"x"]))),
    ] {
        let (_folder, reader) = open(&file_of(with(name, array)));
        let batch = reader.unwrap().next_batch().unwrap().unwrap();
        let fault = batch.row(0).unwrap_err();
        assert_eq!((fault.row, fault.column), (1, name));
        assert!(batch.row(1).is_ok(), "{name}: {:?}", batch.row(1));
    }
}

/// The same file, its column chunks said to be compressed with LZO.
fn said_to_be_lzo(bytes: &[u8]) -> Vec<u8> {
    let file = SerializedFileReader::new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    let metadata = file.metadata();
    let groups = metadata.row_groups().iter().map(|group| {
        let chunks = group.columns().iter().map(|chunk| {
            let chunk = chunk.clone().into_builder().set_compression(Compression::LZO);
            chunk.set_column_index_offset(None).set_offset_index_offset(None).build().unwrap()
        });
        group.clone().into_builder().set_column_metadata(chunks.collect()).build().unwrap()
    });
    let said = metadata.clone().into_builder().set_row_groups(groups.collect()).build();
    let mut out = bytes.to_vec();
    let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap());
    out.truncate(bytes.len() - 8 - footer as usize);
    ParquetMetaDataWriter::new(&mut out, &said).finish().unwrap();
    out
}

/// A sound file that cannot be read here had been called damaged.
#[test]
fn what_is_not_supported_is_no_damage() {
    let sound = file_of(least());
    let mut encrypted = sound.clone();
    let len = encrypted.len();
    encrypted[len - 4..].copy_from_slice(b"PARE");
    for (bytes, wanted) in [(said_to_be_lzo(&sound), "compressed with LZO"), (encrypted, "encrypted")] {
        let (_folder, reader) = open(&bytes);
        let error = reader.map(drop).unwrap_err();
        assert!(matches!(error, ParquetError::Unsupported { .. }), "{error}");
        let told = error.without_path();
        assert!(told.contains(wanted) && told.contains("write it anew"), "{told}");
        assert!(!told.contains(".parquet") && error.to_string().ends_with(&told), "{error}");
    }
}

#[test]
fn damage_is_an_error() {
    let sound = written_file();
    let read = |bytes: &[u8]| -> Result<u64, ParquetError> {
        let (_folder, reader) = open(bytes);
        let (mut reader, mut rows) = (reader?, 0);
        while let Some(batch) = reader.next_batch()? {
            rows += (0..batch.len()).filter(|&row| batch.row(row).is_ok()).count() as u64;
        }
        Ok(rows)
    };
    let rows = read(&sound).unwrap();
    assert!(rows > 100);
    for len in [0, 3, 8, sound.len() / 2, sound.len() - 1] {
        let cut = read(&sound[..len]);
        assert!(matches!(cut, Err(ParquetError::Damaged { .. })), "cut to {len}: {cut:?}");
    }
    let mut rng = Rng::new(11);
    let mut seen = 0;
    for _ in 0..400 {
        let mut damaged = sound.clone();
        let at = rng.below(damaged.len() as u64) as usize;
        damaged[at] ^= 1 << rng.below(8);
        match read(&damaged) {
            Err(ParquetError::Damaged { .. } | ParquetError::Unsupported { .. }) => seen += 1,
            Err(ParquetError::WrongType { .. } | ParquetError::MissingColumn { .. }) => seen += 1,
            Err(other) => panic!("byte {at}: {other}"),
            Ok(_) => {}
        }
    }
    println!("{seen} of 400 flipped bits were seen");
    assert!(matches!(
        Reader::open(&OsFs, Path::new("/nonexistent")).map(drop),
        Err(ParquetError::Storage(_))
    ));
}
