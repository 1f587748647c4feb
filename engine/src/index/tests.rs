//! Damage: whatever is wrong with an index, reading it gives an error or something sound, and never panics.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::event::Kind;
use crate::query::testdata::{PlainRow, PlainSession, SiteCodes, TextMap};
use crate::query::testindex::{PlainCold, index_builder, index_bytes};
use crate::query::{Group, Measures, Query, Recurring, Source, Unit, execute};
use crate::schema::Column;
use crate::segment::cold::ColdColumns;
use crate::segment::layout::{FileWriter, read_directory};
use crate::units::{DAY_MS, SessionId, SiteId, VisitorId};
use crate::vfs::Bytes;

const DAY_FIRST: u32 = 19_000;

fn sessions() -> Vec<PlainSession> {
    let mut sessions: Vec<PlainSession> = (0..700u32).map(session).collect();
    sessions.sort_by_key(|session| (session.id >> 16, session.visitor.cast_signed(), session.id));
    sessions
}

fn session(n: u32) -> PlainSession {
    let day = DAY_FIRST + n % 3;
    let row = |at: u32| PlainRow {
        time: i64::from(day) * DAY_MS + i64::from(n * 10_007 + at * 3_500),
        kind: if (n + at) % 5 == 4 { Kind::Event } else { Kind::PageView },
        texts: TextMap::from([(Column::Path, format!("/{}", (n + at) % 300)), (Column::Title, "t".into())]),
        meta: Vec::new(),
        tags: Vec::new(),
        event_duration: None,
    };
    let texts =
        TextMap::from([(Column::Country, format!("c{}", n % 7)), (Column::City, format!("{}", n % 90))]);
    PlainSession::numbered(n, day, 290, texts, (0..1 + n % 4).map(row).collect())
}

fn open(bytes: Vec<u8>) -> Result<Index, crate::error::StorageError> {
    Index::open(Path::new("(test)"), Bytes::from_vec(bytes))
}

/// Asks all that touches an index; answers do not matter.
fn use_it(bytes: Vec<u8>, cold: &PlainCold, codes: &SiteCodes) {
    let Ok(index) = open(bytes) else { return };
    let Ok(loaded) = Loaded::load(&index, &Needs::nothing(i64::MIN..i64::MAX), cold) else { return };
    let Ok(table) = index.table(codes, cold, &loaded) else { return };
    let source = Source { table, hidden: None };
    let Ok(recurring) = Recurring::find(&[source]) else { return };
    for (unit, group) in [
        (Unit::Sessions, Group::Columns(vec![Column::Country, Column::City])),
        (Unit::PageViews, Group::Columns(vec![Column::Path])),
        (Unit::Rows, Group::Columns(vec![Column::EventName])),
        (Unit::Sessions, Group::Exit(true)),
    ] {
        let measures = Measures { durations: true, time_on_page: true, meta_keys: true };
        let query = Query { measures, ..Query::new(SiteId(1), 0..i64::MAX, unit, group) };
        let _ = execute(&[source], &recurring, &query, &|| None);
    }
    let first = &cold.sessions[0];
    let (visitor, id) = (VisitorId(first.visitor), SessionId(first.id));
    let _ = index.find_session(cold, visitor, id);
    let _ = index.sessions_of(cold, visitor, first.rows[0].time, 1_800_000, |_, _, _, _| {});
}

#[test]
fn sessions_are_found() {
    let sessions = sessions();
    for share in [1, 1_000_000] {
        let index = open(index_bytes(&sessions, &mut SiteCodes::new(1), share)).unwrap();
        let cold = PlainCold::new(sessions.clone());
        for (at, session) in sessions.iter().enumerate() {
            let (visitor, id) = (VisitorId(session.visitor), SessionId(session.id));
            assert_eq!(index.find_session(&cold, visitor, id).unwrap(), Some(at as u32));
            assert_eq!(index.find_session(&cold, visitor, SessionId(session.id + 1_000)).unwrap(), None);
            let (start, last) = (session.rows[0].time, session.rows[session.rows.len() - 1].time);
            let mut found = Vec::new();
            index
                .sessions_of(&cold, visitor, last, 1_000, |index, id, extent, rows| {
                    found.push((index, id, extent.start, extent.last, rows));
                })
                .unwrap();
            assert!(found.contains(&(at as u32, id, start, last, session.rows.len())));
        }
        assert_eq!(index.parquet_file().unwrap().checksums, [1, 2]);
        assert!(cold.visitors(0..1).is_ok());
    }
}

#[test]
fn sessions_that_do_not_fit_are_refused() {
    let row = IndexRow { time: -1, kind: 0, texts: [0; 4] };
    let state = crate::segment::build::SessionState {
        start: 0,
        last: 0,
        views: 0,
        entry_row: 0,
        exit_row: 0,
        bounced: false,
    };
    let session = |visitor: u64, rows| IndexSession {
        visitor,
        session: SessionId(DAY_FIRST << 16),
        given_id: false,
        attributes: Default::default(),
        state,
        rows,
    };
    let mut builder = index_builder(3, 4);
    let (early, late) = ([row], [IndexRow { time: i64::from(u32::MAX) * 1000 + 1000, ..row }]);
    let rows = [IndexRow { time: 0, ..row }];
    let (two, three) = ([rows[0]; 2], [rows[0]; 3]);
    assert_eq!(builder.push(&session(1, &[])), Err(Unfit::Rows));
    assert_eq!(builder.push(&session(1, &early)), Err(Unfit::Time));
    assert_eq!(builder.push(&session(1, &late)), Err(Unfit::Time));
    assert_eq!(builder.push(&session(u64::MAX, &rows)), Ok(()));
    assert_eq!(builder.push(&session(1, &rows)), Ok(()));
    assert_eq!(builder.push(&session(1, &rows)), Err(Unfit::Order));
    assert_eq!((builder.session_count(), builder.row_count()), (2, 2));
    assert_eq!(builder.push(&session(2, &three)), Err(Unfit::Size), "more rows than there is room for");
    assert_eq!(builder.push(&session(2, &two)), Ok(()));
    assert_eq!(builder.push(&session(3, &rows)), Err(Unfit::Size), "more sessions than there is room for");
    assert_eq!((builder.session_count(), builder.row_count()), (3, 4));
}

#[test]
fn cut_files_are_refused() {
    let bytes = index_bytes(&sessions(), &mut SiteCodes::new(1), 16);
    for len in (0..bytes.len()).step_by(97) {
        assert!(open(bytes[..len].to_vec()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bytes_are_found(at in any::<prop::sample::Index>(), bits in 1..=255u8) {
        let mut codes = SiteCodes::new(1);
        let cold = PlainCold::new(sessions());
        let mut bytes = index_bytes(&cold.sessions, &mut codes, 16);
        let at = at.index(bytes.len());
        bytes[at] ^= bits;
        use_it(bytes, &cold, &codes);
    }

    /// Blocks that are wrong under a right checksum.
    #[test]
    fn wrong_blocks_make_no_panic(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in 0..3usize,
        share in prop_oneof![Just(1usize), Just(1_000_000)],
    ) {
        let mut codes = SiteCodes::new(1);
        let cold = PlainCold::new(sessions());
        let bytes = index_bytes(&cold.sessions, &mut codes, share);
        let directory = read_directory(Path::new("(test)"), &bytes).unwrap();
        let entry = &directory.sites[0];
        let mut out = FileWriter::new(directory.id);
        out.begin_site(entry.site, entry.session_count as usize, entry.row_count as usize);
        let changed = which.index(entry.blocks.len());
        for (number, block) in entry.blocks.iter().enumerate() {
            let mut content = bytes[block.offset as usize..(block.offset + block.len) as usize].to_vec();
            let mut block = *block;
            if number == changed {
                let wild = changes[0].1;
                let len = content.len();
                for (at, byte) in changes.iter().filter(|_| len > 0) {
                    let at = at.index(len);
                    content[at] = *byte;
                }
                match cut {
                    1 => content.truncate(content.len() / 2),
                    2 => (block.value, block.width) = (wild.into(), u16::from(wild % 5)),
                    _ => {}
                }
            }
            if cut != 1 || number != changed || !content.is_empty() {
                out.raw_block(block, &content);
            }
        }
        use_it(out.finish(), &cold, &codes);
    }
}
