//! Rows of Parquet files, read and stored without a server.

use std::path::PathBuf;

use hitstone_engine::event::{Event, Texts};
use hitstone_engine::parquet::{LakeRow, Reader};
use hitstone_engine::schema::Column;
use hitstone_engine::store::Store;
use hitstone_engine::units::SiteId;
use hitstone_engine::vfs::SharedFs;

/// The site of all rows.
pub const SITE: SiteId = SiteId(1);
const BATCH: usize = 2_000;

/// Reads all rows of the files. Returns how many there are.
pub fn each_row(fs: &SharedFs, files: &[PathBuf], mut take: impl FnMut(&LakeRow<'_>)) -> u64 {
    let mut count = 0;
    for file in files {
        let mut reader = Reader::open(&**fs, file).expect("a sound file");
        while let Some(batch) = reader.next_batch().expect("sound rows") {
            (0..batch.len()).for_each(|row| take(&batch.row(row).expect("a sound row")));
            count += batch.len() as u64;
        }
    }
    count
}

/// Stores all rows of the files; `look` sees each before. Returns how many there are.
pub fn fill(store: &Store, fs: &SharedFs, files: &[PathBuf], mut look: impl FnMut(&Event)) -> u64 {
    let send = |batch: Vec<Event>| {
        let (done, result) = std::sync::mpsc::channel();
        store.append(batch, Box::new(move |outcome| drop(done.send(outcome)))).expect("queueing");
        result.recv().expect("an answer").expect("storing");
    };
    let mut batch = Vec::new();
    let count = each_row(fs, files, |row| {
        let event = event(row);
        look(&event);
        batch.push(event);
        if batch.len() == BATCH {
            send(std::mem::take(&mut batch));
        }
    });
    send(batch);
    count
}

fn event(row: &LakeRow<'_>) -> Event {
    let mut texts = Texts::new();
    for column in Column::ALL {
        texts.set(column, row.text(column));
    }
    Event {
        site: SITE,
        time: row.time,
        received: row.received,
        kind: row.kind,
        visitor: row.visitor,
        previous_visitor: None,
        user_key: row.user_key,
        event_duration: row.event_duration,
        non_interactive: row.non_interactive,
        may_be_assumed: false,
        status: row.status,
        texts,
    }
}
