//! Aggregates of the engine, without a server: stores the rows of the files named, makes the aggregates of all sealed
//! segments, and prints their sizes and what unfiltered questions take with and without them.
//!
//! ```text
//! cargo bench --bench aggregates -- FILE... [--seal ROWS] [--zone NAME]       # events in the order of their times
//! ```

#![allow(missing_docs, clippy::expect_used, reason = "a program of its own")]

mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hitstone_engine::aggregate::{Aggregate, LocalDays};
use hitstone_engine::query::{Group, Measures, Query, Unit};
use hitstone_engine::schema::Column;
use hitstone_engine::store::{CompactionSettings, Snapshot, Store, StoreOptions};
use hitstone_engine::vfs::{Bytes, OsFs, SharedFs};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use support::SITE;

const DAY_MS: i64 = 86_400_000;

fn main() {
    let mut files: Vec<PathBuf> = Vec::new();
    let (mut options, mut zone) = (StoreOptions::default(), TimeZone::UTC);
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seal" => options.seal_rows = arguments.next().expect("rows").parse().expect("a number"),
            "--zone" => zone = TimeZone::get(&arguments.next().expect("a zone")).expect("a known zone"),
            _ => files.push(argument.into()),
        }
    }
    if files.is_empty() {
        return println!("name the files to read: cargo bench --bench aggregates -- FILE...");
    }
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let fs: SharedFs = Arc::new(OsFs);
    let store = Store::open(fs.clone(), temporary.path(), options.clone()).expect("a store");
    let span = fill(&store, &fs, &files);
    store.close().expect("closing");
    let store = Store::open(fs, temporary.path(), options).expect("a store");
    let begun = Instant::now();
    store.start_compaction(settings()).expect("a thread");
    let done = store.compact(&mut |_| ()).expect("compacting");
    println!(
        "{} events in {} files of the lake in {:.1} s",
        done.rows,
        done.files,
        begun.elapsed().as_secs_f64()
    );
    let snapshot = store.snapshot();
    weigh(temporary.path());
    make(&snapshot, &zone);
    let days = local_days(&zone, &span);
    let year = days.edges[0]..days.edges[days.edges.len() - 1];
    println!("\n{:34} {:>9} {:>9} {:>9}", "over all days", "scan ms", "first ms", "median ms");
    for (what, unit, group, measures) in questions(&days) {
        ask(&snapshot, what, &year, unit, group, measures);
    }
    println!("{} bytes of counts in memory", snapshot.aggregates().cache_bytes());
}

/// Stores the rows of the files. Returns their span.
fn fill(store: &Store, fs: &SharedFs, files: &[PathBuf]) -> Range<i64> {
    let begun = Instant::now();
    let (mut first, mut end) = (i64::MAX, i64::MIN);
    let count = support::fill(store, fs, files, |event| {
        (first, end) = (first.min(event.time), end.max(event.time + 1));
    });
    println!("{count} events stored in {:.1} s", begun.elapsed().as_secs_f64());
    first..end
}

fn local_days(zone: &TimeZone, span: &Range<i64>) -> LocalDays {
    let at = |ms: i64| Timestamp::from_millisecond(ms).expect("a time");
    let start = |date: jiff::civil::Date| date.to_zoned(zone.clone()).expect("a day").timestamp();
    let shift = |ms: i64| i64::from(zone.to_offset(at(ms)).seconds()) * 1000 + 3 * DAY_MS;
    let mut date = zone.to_datetime(at(span.start)).date();
    let (mut edges, mut months) = (vec![start(date).as_millisecond()], Vec::new());
    while edges[edges.len() - 1] < span.end {
        months.push(date.year() as u32 * 12 + date.month() as u32);
        date = date.checked_add(1.day()).expect("a day");
        edges.push(start(date).as_millisecond());
    }
    let mut shifts = vec![(edges[0], shift(edges[0]))];
    let changes = zone.following(at(edges[0])).map(|change| change.timestamp().as_millisecond());
    shifts.extend(changes.take_while(|&ms| ms < span.end).map(|ms| (ms, shift(ms))));
    LocalDays { zone: zone.iana_name().unwrap_or("UTC").to_owned(), edges, months, shifts }
}

/// Compaction that makes no aggregates: they are made and weighed here.
fn settings() -> CompactionSettings {
    CompactionSettings {
        aggregate_rows_min: hitstone_engine::store::AGGREGATE_ROWS_MIN,
        host_of: Arc::new(|_| Some("example.com".into())),
        days_of: Arc::new(|_, _| None),
        clock: Arc::new(|| i64::MAX / 4),
        share: 1.0,
        tell: Arc::new(|_| ()),
    }
}

/// Prints what the folder's files weigh, by their kinds.
fn weigh(folder: &Path) {
    let mut sizes: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let meta = entry.metadata().expect("a file");
            if meta.is_dir() {
                folders.push(entry.path());
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind =
                if name.ends_with(".parquet") { "parquet" } else { name.split('-').next().unwrap_or("") };
            let size = sizes.entry(kind.to_owned()).or_default();
            (size.0, size.1) = (size.0 + meta.len(), size.1 + 1);
        }
    }
    for (kind, (bytes, count)) in sizes {
        println!("  {kind:12} {count:4} files {bytes:>12} bytes");
    }
}

/// Makes the aggregates of all files of the lake and prints what they weigh.
fn make(snapshot: &Snapshot, zone: &TimeZone) {
    let begun = Instant::now();
    let (mut rows, mut bytes, mut sessions, mut covered) = (0, 0, 0, 0);
    let mut sizes: BTreeMap<usize, (String, usize, usize, usize)> = BTreeMap::new();
    let lake = snapshot.lake().site(SITE).expect("files of the lake");
    for live in &lake.files {
        let span = snapshot.span_of(live).expect("a sound file");
        let days = local_days(zone, &span);
        let file = snapshot.build_aggregate(SITE, live.file.number(), &days, &|| None).expect("counting");
        let file = file.expect("an aggregate");
        let aggregate = Aggregate::of(Path::new("aggregate"), Bytes::from_vec(file)).expect("a sound file");
        rows += live.entry.rows as usize;
        bytes += aggregate.byte_count();
        sessions += aggregate.session_counts().0;
        covered += aggregate.session_counts().1;
        for (name, packed, plain) in aggregate.sizes() {
            let number = name.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
            let size = sizes.entry(number).or_insert((name, 0, 0, 0));
            (size.1, size.2, size.3) = (size.1 + packed, size.2 + plain, size.3 + 1);
        }
        snapshot.aggregates().register(aggregate);
    }
    let each = |bytes: usize| bytes as f64 / rows as f64;
    println!(
        "{} aggregates of {rows} rows in {:.1} s: {bytes} bytes, {:.4} a row; {covered} of {sessions} sessions covered",
        lake.files.len(),
        begun.elapsed().as_secs_f64(),
        each(bytes),
    );
    for (name, packed, plain, count) in sizes.values() {
        println!(
            "  {name:60} in {count:3}: {packed:>9} bytes, {:.4} a row ({plain} unpacked)",
            each(*packed)
        );
    }
}

type Asked = (&'static str, Unit, Group, Measures);

fn questions(days: &LocalDays) -> Vec<Asked> {
    let none = Measures::default();
    let durations = Measures { durations: true, ..none };
    let on_page = Measures { time_on_page: true, ..none };
    let by = |columns: &[Column]| Group::Columns(columns.to_vec());
    vec![
        ("totals", Unit::Sessions, Group::All, none),
        ("totals with durations", Unit::Sessions, Group::All, durations),
        ("visitors by day", Unit::Sessions, Group::Buckets(days.edges.clone()), none),
        ("time on page by day", Unit::PageViews, Group::Buckets(days.edges.clone()), on_page),
        ("hours", Unit::PageViews, clock(days, 24), none),
        ("weekdays", Unit::PageViews, clock(days, 168), none),
        ("countries", Unit::Sessions, by(&[Column::Country]), none),
        ("browsers and versions", Unit::Sessions, by(&[Column::Browser, Column::BrowserVersion]), none),
        ("referrer names", Unit::Sessions, by(&[Column::ReferrerName]), none),
        ("cities", Unit::Sessions, by(&[Column::City, Column::Country, Column::Region]), none),
        ("pages", Unit::PageViews, by(&[Column::Path]), none),
        ("pages with times", Unit::PageViews, by(&[Column::Path]), on_page),
        ("pages and titles", Unit::PageViews, by(&[Column::Path, Column::Title]), none),
        ("entry pages", Unit::PageViews, Group::Entry(false), none),
        ("exit pages", Unit::PageViews, Group::Exit(false), none),
    ]
}

fn clock(days: &LocalDays, slot_count: u16) -> Group {
    Group::Clock(hitstone_engine::query::Clock {
        pieces: days.shifts.clone(),
        slot_ms: 3_600_000,
        slot_count,
    })
}

fn ask(snapshot: &Snapshot, what: &str, span: &Range<i64>, unit: Unit, group: Group, measures: Measures) {
    let plain = Query::new(SITE, span.clone(), unit, group);
    let mut query = Query { measures, limit: Some(100), by_scan: true, ..plain };
    let answer = |query: &Query| {
        let begun = Instant::now();
        let report = snapshot.answer(query, &|| None).expect("an answer");
        (begun.elapsed().as_secs_f64() * 1000.0, report)
    };
    let median = |query: &Query| {
        let mut times: Vec<f64> = (0..9).map(|_| answer(query).0).collect();
        times.sort_by(f64::total_cmp);
        times[4]
    };
    let scanned = answer(&query).1;
    let scan = median(&query);
    query.by_scan = false;
    let (first, report) = answer(&query);
    assert_eq!(report, scanned, "{what}");
    println!("{what:34} {scan:>9.2} {first:>9.2} {:>9.2}", median(&query));
}
