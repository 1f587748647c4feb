//! A lake file written anew from its index and its cold columns, beside tables, is what tables alone give.

use super::{Exporter, Key, Month, Target};
use crate::error::StorageError;
use crate::event::Kind;
use crate::index::Needs;
use crate::query::Source;
use crate::query::testdata::{OwnedTable, PlainRow, PlainSession, SiteCodes, TextMap};
use crate::query::testindex::OwnedIndex;
use crate::schema::Column;
use crate::units::{DAY_MS, DayUtc};

#[derive(Default)]
struct Memory(Vec<u8>);

impl Target for Memory {
    fn begin(&mut self, _: Month) -> Result<(), StorageError> {
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
}

fn written(sources: &[Source<'_>]) -> Vec<u8> {
    let mut target = Memory::default();
    let mut watch = |_: &_| Ok(());
    let mut exporter = Exporter::new("example.com", i64::MIN..i64::MAX, &mut target, &mut watch);
    exporter.add(sources, Key::Month(Month::of(DayUtc(19_000)))).unwrap();
    let count = exporter.finish().unwrap();
    assert_eq!((count.sessions, count.files), (360, 1));
    target.0
}

fn session(n: u32) -> PlainSession {
    let day = 19_000 + n % 3;
    let row = |at: u32| {
        let is_event = (n + at) % 5 == 4;
        PlainRow {
            time: i64::from(day) * DAY_MS + i64::from(n * 10_007 + at * 3_501),
            kind: if is_event { Kind::Event } else { Kind::PageView },
            texts: TextMap::from([
                (Column::Path, format!("/{}", (n + at) % 30)),
                (Column::Source, format!("{}", n % 3)),
                (Column::EventId, if n.is_multiple_of(7) { format!("id{n}-{at}") } else { String::new() }),
            ]),
            meta: if is_event { vec![("key".into(), format!("{}", n % 9))] } else { Vec::new() },
            tags: if n.is_multiple_of(4) { vec![("tag".into(), "value".into())] } else { Vec::new() },
            event_duration: is_event.then_some(u64::from(n)),
        }
    };
    let texts = TextMap::from([(Column::Country, format!("c{}", n % 7))]);
    PlainSession::numbered(n, day, 170, texts, (0..1 + n % 4).map(row).collect())
}

#[test]
fn an_index_with_everything_at_hand_is_a_source_like_others() {
    let sessions: Vec<(PlainSession, bool)> = (0..400).map(|n| (session(n), n % 10 == 3)).collect();
    let (lake, sealed) = sessions.split_at(300);
    let mut codes = SiteCodes::new(1);
    let tables = [OwnedTable::new(lake, &mut codes, 1), OwnedTable::new(sealed, &mut codes, 1)];
    let mut index = OwnedIndex::new(lake, &mut codes, 16);
    index.load(&Needs::everything());
    let wanted = written(&[tables[0].source(), tables[1].source()]);
    assert!(written(&[index.source(&codes), tables[1].source()]) == wanted, "the files differ");
}
