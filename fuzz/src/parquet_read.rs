//! A Parquet file: its rows are read, or it is refused.

use std::path::Path;

use hitstone_engine::event::{Event, Kind, Texts, encode_pairs};
use hitstone_engine::parquet::{Folder as Files, Reader};
use hitstone_engine::schema::Column;
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::units::{SiteId, VisitorId};
use hitstone_engine::vfs::OsFs;

use super::folder::Folder;

/// A file may say that it has billions of rows, and have them: so many are read.
const ROWS_MAX: usize = 50_000;

pub fn run(data: &[u8]) {
    let folder = Folder::new("parquet");
    let path = folder.0.join("file.parquet");
    std::fs::write(&path, data).expect("writing the file");
    let Ok(mut reader) = Reader::open(&OsFs, &path) else { return };
    let mut read = 0;
    while let Ok(Some(batch)) = reader.next_batch() {
        for row in 0..batch.len() {
            if let Ok(row) = batch.row(row) {
                let bytes: usize = Column::ALL.iter().map(|&column| row.text(column).len()).sum();
                assert!(bytes <= usize::MAX / 2, "texts are in memory");
            }
        }
        read += batch.len();
        if read > ROWS_MAX || batch.is_empty() {
            return;
        }
    }
    assert!(matches!(reader.next_batch(), Ok(None)), "after the end, or a failure, there is nothing");
}

/// What a store exports.
pub fn seeds() -> Vec<Vec<u8>> {
    [3, 400].map(exported).to_vec()
}

fn exported(count: i64) -> Vec<u8> {
    let folder = Folder::new("parquet");
    let fs = std::sync::Arc::new(OsFs);
    let store = Store::open(fs.clone(), &folder.0.join("data"), StoreOptions::default()).expect("a store");
    let (done, result) = std::sync::mpsc::channel();
    let done = Box::new(move |outcome| drop(done.send(outcome)));
    store.append((0..count).map(event).collect::<Vec<_>>(), done).expect("queueing events");
    result.recv().expect("an answer").expect("storing events");
    let out = folder.0.join("out");
    let mut files = Files::open(fs, &out).expect("a folder");
    let all = i64::MIN..i64::MAX;
    store.snapshot().export(SiteId(1), "example.com", all, &mut files, &mut |_| Ok(())).expect("exporting");
    std::fs::read(out.join(Path::new("month=2024-10/2024-10.parquet"))).expect("the file")
}

fn event(number: i64) -> Event {
    let mut texts = Texts::new();
    texts.set(Column::Path, &format!("/{}", number % 7));
    texts.set(Column::Country, "de");
    let amount = number.to_string();
    texts.set(Column::EventMeta, &encode_pairs(&[("amount", amount.as_str()), ("unit", "€")]));
    Event {
        site: SiteId(1),
        time: 20_000 * 86_400_000 + number * 60_000,
        received: (number % 3 == 0).then_some(20_001 * 86_400_000),
        kind: if number % 5 == 0 { Kind::Event } else { Kind::PageView },
        visitor: VisitorId((number % 9).cast_unsigned()),
        previous_visitor: None,
        user_key: (number % 9 == 0).then_some(1),
        event_duration: (number % 5 == 0).then_some(3),
        non_interactive: false,
        may_be_assumed: false,
        status: (number % 4 == 0).then_some(404),
        texts,
    }
}
