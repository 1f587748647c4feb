//! A sealed segment file: it opens and can be read whole, or is refused as damaged.

use std::path::Path;
use std::sync::{Arc, mpsc};

use hitstone_engine::checksum::{crc32c, crc32c_of_parts};
use hitstone_engine::event::{Event, Kind, Texts};
use hitstone_engine::schema::Column;
use hitstone_engine::segment::Segment;
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::units::SessionKey;
use hitstone_engine::units::{SiteId, VisitorId};
use hitstone_engine::vfs::{Bytes, OsFs};

use super::folder::Folder;

/// Reads the bytes as they are, and once more with all checksums made right: those keep out accidents, not what a
/// faulty writer would have written.
pub fn run(data: &[u8]) {
    read(data);
    if let Some(repaired) = repair(data) {
        read(&repaired);
    }
}

fn read(data: &[u8]) {
    let Ok(segment) = Segment::open(Path::new("segment"), Bytes::copy_of(data)) else { return };
    let sound = segment.verify().is_ok();
    for site in segment.sites().collect::<Vec<_>>() {
        let table = segment.table(site);
        assert!(!sound || table.is_ok(), "a segment that verifies can be read");
        for column in Column::ALL {
            let _ = segment.greatest_site_code(site, column);
            let _ = segment.site_code(site, column, "/1".into());
        }
        segment.sessions_of(site, VisitorId(1), DAY * 86_400_000, 1_800_000, |_, session, _, _| {
            let _ = segment.find_session(SessionKey { site, visitor: VisitorId(1), session });
        });
    }
}

/// Header, trailer and checksums of the blocks and of the whole, made to fit; `None` when there is no directory.
fn repair(data: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 64;
    const TRAILER: usize = 40;
    let mut file = data.to_vec();
    let trailer = file.len().checked_sub(TRAILER).filter(|at| *at >= HEADER)?;
    let directory = usize::try_from(number(&file, trailer, 8)?).ok()?;
    if !(HEADER..=trailer).contains(&directory) {
        return None;
    }
    let length = file.len() as u64;
    put(&mut file, 0, b"HITSSEG1\x01\0\0\0\0\0\0\0");
    put(&mut file, trailer + 8, &((trailer - directory) as u64).to_le_bytes());
    put(&mut file, trailer + 16, &length.to_le_bytes());
    put(&mut file, trailer + 24, &1u32.to_le_bytes());
    put(&mut file, trailer + 32, b"HITSSEGE");
    repair_blocks(&mut file, directory, trailer);
    let crc = crc32c_of_parts(&[&file[..HEADER], &file[directory..trailer], &file[trailer..trailer + 28]]);
    put(&mut file, trailer + 28, &crc.to_le_bytes());
    Some(file)
}

/// Walks the directory as far as it goes: sites of 16 bytes, each with blocks of 28.
fn repair_blocks(file: &mut [u8], directory: usize, trailer: usize) -> Option<()> {
    let mut at = directory + 12;
    for _ in 0..number(file, directory + 8, 4)? {
        let blocks = number(file, at + 12, 4)?;
        at += 16;
        for _ in 0..blocks {
            let offset = usize::try_from(number(file, at + 8, 8)?).ok()?;
            let length = usize::try_from(number(file, at + 16, 8)?).ok()?;
            if at + 28 > trailer {
                return None;
            }
            if let Some(content) = offset.checked_add(length).and_then(|end| file.get(offset..end)) {
                let crc = crc32c(content);
                put(file, at + 24, &crc.to_le_bytes());
            }
            at += 28;
        }
    }
    Some(())
}

fn number(file: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(file.get(at..at.checked_add(width)?)?);
    Some(u64::from_le_bytes(bytes))
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

const DAY: i64 = 20_000;

/// Segments that a store wrote.
pub fn seeds() -> Vec<Vec<u8>> {
    let folder = Folder::new("segment");
    let store =
        Store::open(Arc::new(OsFs), &folder.0, StoreOptions { seal_rows: 40, ..StoreOptions::default() })
            .expect("opening a store");
    for batch in 0..30 {
        let (done, result) = mpsc::channel();
        let events: Vec<Event> = (0..5).map(|i| event(batch * 5 + i)).collect();
        let done = Box::new(move |outcome| drop(done.send(outcome)));
        store.append(events, done).expect("queueing events");
        result.recv().expect("an answer").expect("storing events");
    }
    store.close().expect("closing the store");
    let mut seeds = Vec::new();
    collect(&folder.0, &mut seeds);
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
        may_be_assumed: false,
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
