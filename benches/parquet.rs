//! Parquet files in and out of the engine, without a server: reads the files named, stores their rows, exports them, and
//! prints rates and bytes an event. Rates are told by the clock and, which says more on a machine with other work, by
//! processor time (0 where there is no `/proc`). Then it reads single columns of the largest file that was exported, as
//! queries do of what their indices have not.
//!
//! ```text
//! cargo bench --bench parquet -- FILE... [--out DIR] [--data DIR]       # events in the order of their times
//! cargo bench --bench parquet -- --columns FILE                         # single columns of an exported file alone
//! ```
//!
//! A data folder that is named stays, and what is in it is exported as it is, without files to read.

#![allow(missing_docs, clippy::expect_used, reason = "a program of its own")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hitstone_engine::lake::{BlockChecksums, ColumnCache, ParquetColumns};
use hitstone_engine::parquet::Folder;
use hitstone_engine::schema::Column;
use hitstone_engine::segment::cold::{ColdColumns, ColdNumber};
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::units::SegmentId;
use hitstone_engine::vfs::{OsFs, SharedFs};
use support::{SITE, each_row};

fn main() {
    let mut files: Vec<PathBuf> = Vec::new();
    let (mut out, mut data) = (None, None);
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--out" {
            out = arguments.next().map(PathBuf::from);
        } else if argument == "--columns" {
            return cold(&(Arc::new(OsFs) as SharedFs), Path::new(&arguments.next().expect("a file")));
        } else if argument == "--data" {
            data = arguments.next().map(PathBuf::from);
        } else {
            files.push(argument.into());
        }
    }
    if files.is_empty() && data.is_none() {
        return println!("name the files to read: cargo bench --bench parquet -- FILE...");
    }
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let out = out.unwrap_or_else(|| temporary.path().join("export"));
    let fs: SharedFs = Arc::new(OsFs);
    read("read, time order", &fs, &files);
    let data = data.unwrap_or_else(|| temporary.path().join("data"));
    let store = Store::open(fs.clone(), &data, StoreOptions::default()).expect("a store");
    fill(&store, &fs, &files);
    export(&store, &fs, &out);
    let mut exported = Vec::new();
    for month in std::fs::read_dir(&out).expect("the export").flatten() {
        exported.extend(std::fs::read_dir(month.path()).expect("a month").flatten().map(|file| file.path()));
    }
    read("read, exported", &fs, &exported);
    let size = |file: &PathBuf| std::fs::metadata(file).map_or(0, |data| data.len());
    exported.sort_by_key(size);
    if let Some(file) = exported.last() {
        cold(&fs, file);
    }
}

/// Rates of reading single columns: from the disk's cache, nothing being kept or checked beforehand.
fn cold(fs: &SharedFs, file: &Path) {
    let checksums = BlockChecksums::of(&std::fs::read(file).expect("the file"));
    let open = || {
        let bytes = fs.map(file).expect("a map");
        ParquetColumns::new(file, SegmentId(1), bytes, checksums.clone(), Arc::new(ColumnCache::default()))
    };
    let rows = open().groups().expect("a footer").last().map_or(0, |group| group.end);
    println!("{}: {rows} rows, {} bytes", file.display(), checksums.file_len());
    let measure = |what: &str, read: &dyn Fn(&ParquetColumns) -> String| {
        let best = (0..5).map(|_| {
            let (columns, begun) = (open(), Instant::now());
            let said = read(&columns);
            (begun.elapsed(), said)
        });
        let (took, said) = best.min().expect("a run");
        println!("{what:20} {:>8.2} M rows/s {said}", f64::from(rows) / took.as_secs_f64() / 1e6);
    };
    measure("footer", &|columns| format!("{} row groups", columns.groups().expect("a footer").len()));
    measure("check all blocks", &|columns| columns.verify().map(|()| String::new()).expect("a sound file"));
    let groups = |columns: &ParquetColumns| columns.groups().expect("a footer");
    measure("visitors", &|columns| {
        groups(columns).into_iter().for_each(|rows| drop(columns.visitors(rows).expect("visitors")));
        String::new()
    });
    measure("times", &|columns| {
        groups(columns).into_iter().for_each(|rows| drop(columns.times(rows).expect("times")));
        String::new()
    });
    for column in [Column::EventMeta, Column::Tags, Column::EventId, Column::Source] {
        measure(&format!("{column:?}"), &|columns| {
            let texts = columns.texts(column).expect("texts");
            format!(
                "({} rows, {} texts, {} bytes)",
                texts.numbers.len(),
                texts.offsets.len() - 1,
                texts.bytes.len()
            )
        });
    }
    for number in [ColdNumber::EventDuration, ColdNumber::Status, ColdNumber::Received, ColdNumber::UserKey] {
        measure(&format!("{number:?}"), &|columns| {
            format!("({} rows)", columns.numbers(number).expect("numbers").count())
        });
    }
}

/// When something began, by the clock and by this process's time.
struct Begun(Instant, f64);

fn begin() -> Begun {
    Begun(Instant::now(), processor_seconds())
}

/// Ticks of a hundredth of a second, of the process and for it.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn report(what: &str, events: u64, begun: &Begun, more: &str) {
    let rate = |seconds: f64| if seconds > 0.0 { events as f64 / seconds / 1e6 } else { 0.0 };
    let (clock, busy) = (rate(begun.0.elapsed().as_secs_f64()), rate(processor_seconds() - begun.1));
    println!("{what:20} {events:>10} events {clock:>8.2} M events/s {busy:>8.2} M/s processor time {more}");
}

fn read(what: &str, fs: &SharedFs, files: &[PathBuf]) {
    let begun = begin();
    let mut bytes = 0;
    let count = each_row(fs, files, |row| bytes += row.text(Column::Path).len());
    report(what, count, &begun, &format!("({bytes} bytes of paths)"));
}

fn fill(store: &Store, fs: &SharedFs, files: &[PathBuf]) {
    let begun = begin();
    let count = support::fill(store, fs, files, |_| ());
    report("store", count, &begun, "");
}

fn export(store: &Store, fs: &SharedFs, out: &Path) {
    let begun = begin();
    let mut folder = Folder::open(fs.clone(), out).expect("a folder for the export");
    let all = i64::MIN..i64::MAX;
    let written = store.snapshot().export(SITE, "example.com", all, &mut folder, &mut |_| Ok(()));
    let written = written.expect("an export");
    folder.finish(&[]).expect("the end of an export");
    let more = format!(
        "{:.2} bytes an event, {} sessions, {} files",
        written.bytes as f64 / written.rows as f64,
        written.sessions,
        written.files
    );
    report("export", written.rows, &begun, &more);
}
