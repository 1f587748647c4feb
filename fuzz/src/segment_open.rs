//! A sealed segment file: it opens and can be read whole, or is refused as damaged.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hitstone_engine::event::{Event, Kind, Texts};
use hitstone_engine::schema::Column;
use hitstone_engine::segment::Segment;
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::units::{SiteId, VisitorId};
use hitstone_engine::vfs::{Bytes, OsFs};

pub fn run(data: &[u8]) {
    let Ok(segment) = Segment::open(Path::new("segment"), Bytes::copy_of(data)) else { return };
    let sound = segment.verify().is_ok();
    for site in segment.sites().collect::<Vec<_>>() {
        let table = segment.table(site);
        assert!(!sound || table.is_ok(), "a segment that verifies can be read");
        let _ = segment.site_code(site, Column::Path, "/1");
        segment.sessions_of(site, VisitorId(1), DAY * 86_400_000, 1_800_000, |_, _, _, _| {});
    }
}

const DAY: i64 = 20_000;

/// Segments that a store wrote.
pub fn seeds() -> Vec<Vec<u8>> {
    let folder = std::env::temp_dir().join(format!("hitstone-fuzz-{}", std::process::id()));
    let store = Store::open(
        Arc::new(OsFs),
        &folder,
        StoreOptions { session_window: Duration::from_secs(1_800), seal_rows: 40 },
    )
    .expect("opening a store");
    for batch in 0..30 {
        let (done, result) = mpsc::channel();
        let events = (0..5).map(|i| event(batch * 5 + i)).collect();
        let done = Box::new(move |outcome| drop(done.send(outcome)));
        store.append(events, done).expect("queueing events");
        result.recv().expect("an answer").expect("storing events");
    }
    store.close().expect("closing the store");
    let mut seeds = Vec::new();
    collect(&folder, &mut seeds);
    let _ = std::fs::remove_dir_all(&folder);
    assert!(!seeds.is_empty(), "the store sealed nothing");
    seeds
}

fn event(number: i64) -> Event {
    let mut texts = Texts::new();
    for (column, text) in [
        (Column::Path, format!("/{}", number % 7)),
        (Column::Country, "de".into()),
        (Column::Title, "x".into()),
    ] {
        texts.set(column, &text);
    }
    Event {
        site: SiteId(1),
        time: DAY * 86_400_000 + number * 3_600_000,
        received: None,
        kind: if number % 5 == 0 { Kind::Event } else { Kind::PageView },
        visitor: VisitorId(number as u64 % 9),
        previous_visitor: None,
        user_key: None,
        event_duration: None,
        non_interactive: false,
        status: None,
        texts,
    }
}

/// Files that open as a segment.
fn collect(folder: &Path, seeds: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), seeds);
        } else if let Ok(bytes) = std::fs::read(entry.path())
            && Segment::open(&entry.path(), Bytes::copy_of(&bytes)).is_ok()
        {
            seeds.push(bytes);
        }
    }
}
