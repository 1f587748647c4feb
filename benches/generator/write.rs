//! Rows as Parquet files that `hitstone import` takes, a million rows a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::types::{ArrowDictionaryKeyType, UInt16Type, UInt32Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Int32Array, Int64Array, PrimitiveArray, RecordBatch,
    StringArray, TimestampMillisecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::Row;
use super::world::{NONE, Values, World};

const ROWS_OF_BATCH: usize = 65_536;
const ROWS_OF_FILE: usize = 1 << 20;

/// Writes rows in the order they come in.
pub struct Writer<'a> {
    world: &'a World,
    host: String,
    folder: PathBuf,
    pending: Vec<Row>,
    file: Option<ArrowWriter<File>>,
    file_rows: usize,
    file_count: usize,
}

impl<'a> Writer<'a> {
    pub fn new(world: &'a World, host: &str, folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder for the files");
        Self {
            world,
            host: host.to_owned(),
            folder: folder.to_path_buf(),
            pending: Vec::with_capacity(ROWS_OF_BATCH),
            file: None,
            file_rows: 0,
            file_count: 0,
        }
    }

    pub fn add(&mut self, row: &Row) {
        self.pending.push(*row);
        if self.pending.len() == ROWS_OF_BATCH {
            self.flush();
        }
    }

    pub fn finish(mut self) {
        self.flush();
        self.close();
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let batch = batch(self.world, &self.host, &self.pending);
        let file = self.file.get_or_insert_with(|| {
            let path = self.folder.join(format!("events-{:05}.parquet", self.file_count));
            let level = ZstdLevel::try_new(1).expect("a level");
            let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
            let file = File::create(path).expect("a file");
            ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a Parquet file")
        });
        file.write(&batch).expect("writing rows");
        self.file_rows += self.pending.len();
        self.pending.clear();
        if self.file_rows >= ROWS_OF_FILE {
            self.close();
        }
    }

    fn close(&mut self) {
        if let Some(file) = self.file.take() {
            file.close().expect("the end of a Parquet file");
            self.file_count += 1;
            self.file_rows = 0;
        }
    }
}

fn batch(world: &World, host: &str, rows: &[Row]) -> RecordBatch {
    let World { pages, places, devices, referrers, campaigns, events, .. } = world;
    let page = |values: &Values| coded(values, rows, |row| row.page);
    let campaign = |values: &Values, at: usize| coded(values, rows, |row| row.session.campaign[at]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "time",
            Arc::new(
                TimestampMillisecondArray::from_iter_values(rows.iter().map(|row| row.time))
                    .with_timezone("UTC"),
            ),
        ),
        ("kind", named(rows, |row| Some(if row.event.is_some() { "event" } else { "page_view" }))),
        ("visitor_id", whole(rows, |row| row.session.visitor)),
        ("session_id", whole(rows, |row| row.session.id)),
        ("hostname", named(rows, |_| Some(host))),
        ("path", page(&pages.paths)),
        ("title", page(&pages.titles)),
        ("referrer", coded(&referrers.urls, rows, |row| row.session.referrer)),
        (
            "referrer_name",
            coded(&referrers.names.values, rows, |row| referrers.name_of[row.session.referrer as usize]),
        ),
        ("channel", named(rows, |row| Some(row.session.channel))),
        ("language", coded(&places.languages.values, rows, |row| row.session.language)),
        ("country", coded(&places.codes, rows, |row| row.session.country)),
        ("region", coded(&places.regions.values, rows, |row| row.session.place.region)),
        ("city", coded(&places.cities.values, rows, |row| row.session.place.city)),
        ("os", coded(&devices.os.values, rows, |row| row.session.device.os)),
        ("os_version", coded(&devices.os_versions.values, rows, |row| row.session.device.os_version)),
        ("browser", coded(&devices.browsers.values, rows, |row| row.session.device.browser)),
        (
            "browser_version",
            coded(&devices.browser_versions.values, rows, |row| row.session.device.browser_version),
        ),
        ("platform", coded(&devices.platforms.values, rows, |row| row.session.device.platform)),
        ("screen_class", named(rows, |row| Some(row.session.screen).filter(|screen| !screen.is_empty()))),
        ("utm_source", campaign(&campaigns.sources, 0)),
        ("utm_medium", campaign(&campaigns.mediums, 1)),
        ("utm_campaign", campaign(&campaigns.campaigns, 2)),
        ("utm_content", campaign(&campaigns.contents, 3)),
        ("utm_term", campaign(&campaigns.terms, 4)),
        ("event_name", coded(&events.names, rows, |row| row.event.map_or(NONE, |event| event.name))),
        ("event_duration", Arc::new(rows.iter().map(|row| row.event?.duration).collect::<Int32Array>())),
        ("event_meta", metadata(world, rows)),
        (
            "non_interactive",
            Arc::new(rows.iter().map(|row| Some(row.event?.is_quiet)).collect::<BooleanArray>()),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .expect("columns of one length")
}

fn whole(rows: &[Row], number: impl Fn(&Row) -> u64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| number(row).cast_signed())))
}

/// A column of few values.
fn named<'r>(rows: &'r [Row], text: impl Fn(&'r Row) -> Option<&'r str>) -> ArrayRef {
    Arc::new(rows.iter().map(text).collect::<DictionaryArray<UInt16Type>>())
}

/// A column of values that have codes; the empty text is none.
fn coded(values: &Values, rows: &[Row], code: impl Fn(&Row) -> u32) -> ArrayRef {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(values));
    dictionary::<UInt32Type>(
        texts,
        rows.iter().map(|row| {
            let code = code(row);
            values.get(code as usize).filter(|text| !text.is_empty()).map(|_| code)
        }),
    )
}

fn dictionary<K: ArrowDictionaryKeyType>(
    texts: ArrayRef,
    codes: impl Iterator<Item = Option<K::Native>>,
) -> ArrayRef
where
    PrimitiveArray<K>: FromIterator<Option<K::Native>>,
{
    Arc::new(DictionaryArray::<K>::try_new(codes.collect(), texts).expect("codes of the texts"))
}

fn metadata(world: &World, rows: &[Row]) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut map = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        if let Some(event) = row.event {
            for (&key, &code) in world.events.keys_of[event.name as usize].iter().zip(&event.values) {
                if code != NONE {
                    map.keys().append_value(&world.events.keys[key]);
                    map.values().append_value(&world.events.values[key][code as usize]);
                }
            }
        }
        map.append(row.event.is_some()).expect("as many keys as values");
    }
    Arc::new(map.finish())
}
