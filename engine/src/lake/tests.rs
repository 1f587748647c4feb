//! Cold columns against what the sources say, and over damaged files.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use roaring::RoaringBitmap;

use super::{BLOCK_BYTES, BlockChecksums, BlockChecksumsBuilder, CheckedBytes, ColumnCache, ParquetColumns};
use crate::error::StorageError;
use crate::event::encode_pairs;
use crate::parquet::column::ColumnFile;
use crate::parquet::schema::Content;
use crate::parquet::{Exporter, Key, Month, Target};
use crate::query::Source;
use crate::schema::Column;
use crate::segment::Segment;
use crate::segment::build::{ColumnContent, TableContent, write_site};
use crate::segment::cold::{ColdColumns, ColdNumber, ColdTexts};
use crate::segment::layout::FileWriter;
use crate::units::{DayUtc, SegmentId, SessionId, SiteId};
use crate::vfs::Bytes;

const SITE: SiteId = SiteId(3);
const DAY: u16 = 20_000;
const PATH: &str = "2024-10.parquet";
const TEXTS: [Column; 4] = [Column::EventMeta, Column::Tags, Column::EventId, Column::Source];
const NUMBERS: [ColdNumber; 4] =
    [ColdNumber::EventDuration, ColdNumber::Status, ColdNumber::Received, ColdNumber::UserKey];

#[derive(Debug, Clone)]
struct Row {
    time: i64,
    /// Duration plus one, status, received.
    numbers: [u64; 3],
    texts: [String; 4],
}

#[derive(Debug, Clone)]
struct Session {
    day: u16,
    visitor: u64,
    n: u16,
    user_key: u64,
    hidden: bool,
    rows: Vec<Row>,
}

fn pairs() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(String::new()),
        1 => vec(("[a-c:1]{0,3}", "[x-zß:2]{0,4}"), 1..4).prop_map(|pairs| encode_pairs(&pairs)),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let number = |max: u64| prop_oneof![2 => Just(0u64), 1 => 1..=max];
    let texts =
        (pairs(), pairs(), "[a-f]{0,2}", prop_oneof![Just("log".to_owned()), Just("script".to_owned())]);
    let received = prop_oneof![2 => Just(0i64), 1 => -9_000_000_000_000i64..9_000_000_000_000];
    // More than the file holds is cut, so that is not asked for here.
    (-5_000_000_000_000i64..5_000_000_000_000, number(1 << 31), number(599), received, texts).prop_map(
        |(time, duration, status, received, (meta, tags, id, source))| {
            let received = if received == time { 0 } else { received };
            Row {
                time,
                numbers: [duration, status, received.cast_unsigned()],
                texts: [meta, tags, id, source],
            }
        },
    )
}

fn session() -> impl Strategy<Value = Session> {
    let visitor = prop_oneof![any::<u64>(), 0u64..4, u64::MAX - 3..=u64::MAX];
    let user_key = prop_oneof![Just(0u64), any::<u64>()];
    (DAY..DAY + 3, visitor, user_key, prop::bool::weighted(0.2), vec(row(), 1..6)).prop_map(
        |(day, visitor, user_key, hidden, mut rows)| {
            // Gaps are milliseconds in 32 bits.
            let start = rows.iter().map(|row| row.time).min().unwrap_or(0);
            rows.iter_mut().for_each(|row| row.time = start + (row.time - start) % 86_400_000);
            rows.iter_mut()
                .filter(|row| row.numbers[2].cast_signed() == row.time)
                .for_each(|row| row.numbers[2] = 0);
            rows.sort_by_key(|row| row.time);
            Session { day, visitor, n: 0, user_key, hidden, rows }
        },
    )
}

/// Some sources; each session is in one of them.
fn sources(sessions: usize) -> impl Strategy<Value = Vec<Vec<Session>>> {
    vec(vec(session(), 1..sessions), 1..4).prop_map(|mut sources| {
        let all = sources.iter_mut().flatten();
        all.zip(0u16..).for_each(|(session, n)| session.n = n);
        for sessions in &mut sources {
            sessions.sort_by_key(|session| (session.day, session.visitor, session.n));
        }
        sources
    })
}

fn column(texts: &[&str]) -> ColumnContent {
    let mut codes: BTreeMap<&str, u32> = texts.iter().map(|text| (*text, 0)).chain([("", 0)]).collect();
    let mut content = ColumnContent { offsets: vec![0], strings: vec![], site_codes: vec![], codes: vec![] };
    for ((text, code), at) in codes.iter_mut().zip(0..) {
        *code = at;
        content.strings.extend_from_slice(text.as_bytes());
        content.offsets.push(content.strings.len() as u32);
        content.site_codes.push(at);
    }
    content.codes = texts.iter().map(|text| codes[text]).collect();
    content
}

fn segment(sessions: &[Session]) -> Segment {
    let rows: Vec<&Row> = sessions.iter().flat_map(|session| &session.rows).collect();
    let number = |at: usize| rows.iter().map(|row| row.numbers[at]).collect();
    let id = |session: &Session| SessionId::new(DayUtc(session.day), session.n).0;
    let mut first_row = vec![0];
    for session in sessions {
        first_row.push(first_row[first_row.len() - 1] + session.rows.len() as u32);
    }
    let content = TableContent {
        visitor: sessions.iter().map(|session| session.visitor).collect(),
        session_id: sessions.iter().map(id).collect(),
        user_key: sessions.iter().map(|session| session.user_key).collect(),
        given_id: sessions.iter().map(|session| session.user_key != 0).collect(),
        first_row,
        time: rows.iter().map(|row| row.time).collect(),
        kind: vec![0; rows.len()],
        event_duration: number(0),
        status: number(1),
        received: number(2),
    };
    let texts = |of: Column| match TEXTS.iter().position(|&text| text == of) {
        Some(at) => column(&rows.iter().map(|row| row.texts[at].as_str()).collect::<Vec<_>>()),
        None => column(&vec!["/"; if of.is_attribute() { sessions.len() } else { rows.len() }]),
    };
    let mut out = FileWriter::new(SegmentId(1));
    write_site(&mut out, SITE, &content, texts, true);
    Segment::open(Path::new("segment"), Bytes::from_vec(out.finish())).unwrap()
}

#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    checksums: BlockChecksumsBuilder,
}

impl Target for Memory {
    fn begin(&mut self, _: Month) -> Result<(), StorageError> {
        assert!(self.bytes.is_empty(), "one month alone");
        Ok(())
    }
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.bytes.extend_from_slice(bytes);
        self.checksums.push(bytes);
        Ok(())
    }
    fn end(&mut self) -> Result<(), StorageError> {
        Ok(())
    }
}

/// The file, its checksums, and the sessions that it holds, in order.
fn file(sources: &[Vec<Session>]) -> (Vec<u8>, BlockChecksums, Vec<&Session>) {
    let segments: Vec<Segment> = sources.iter().map(|sessions| segment(sessions)).collect();
    let hidden: Vec<RoaringBitmap> = sources
        .iter()
        .map(|sessions| {
            (0u32..).zip(sessions).filter(|(_, session)| session.hidden).map(|(at, _)| at).collect()
        })
        .collect();
    let tables: Vec<Source<'_>> = segments
        .iter()
        .zip(&hidden)
        .map(|(segment, hidden)| Source {
            table: segment.table(SITE).unwrap().unwrap(),
            hidden: Some(hidden),
        })
        .collect();
    let mut memory = Memory::default();
    let mut watch = |_: &_| Ok(());
    let mut exporter = Exporter::new("example.com", i64::MIN..i64::MAX, &mut memory, &mut watch);
    let months: BTreeSet<Month> =
        tables.iter().flat_map(|source| source.table.runs).map(|run| Month::of(run.day_utc())).collect();
    months.into_iter().for_each(|month| exporter.add(&tables, Key::Month(month)).unwrap());
    exporter.finish().unwrap();
    let mut sessions: Vec<&Session> = sources.iter().flatten().filter(|session| !session.hidden).collect();
    sessions.sort_by_key(|session| (session.day, session.visitor.cast_signed(), session.n));
    (memory.bytes, memory.checksums.finish(), sessions)
}

fn columns(bytes: &[u8], checksums: &BlockChecksums, cache: &Arc<ColumnCache>) -> ParquetColumns {
    let bytes = Bytes::copy_of(bytes);
    ParquetColumns::new(
        Path::new(PATH),
        SegmentId(9),
        bytes,
        checksums.clone(),
        cache.clone(),
        Arc::default(),
    )
}

fn plain_texts(texts: &ColdTexts, rows: u32) -> Vec<(u32, String)> {
    let text = |code: u32| {
        let range = texts.offsets[code as usize] as usize..texts.offsets[code as usize + 1] as usize;
        String::from_utf8(texts.bytes[range].to_vec()).unwrap()
    };
    let all: Vec<String> = (0..texts.offsets.len() as u32 - 1).map(text).collect();
    assert!(all.is_sorted_by(|a, b| a < b) && all.first().is_none_or(|first| !first.is_empty()));
    let text =
        |row: u32| texts.code(row as usize).checked_sub(1).map(|number| (row, all[number as usize].clone()));
    (0..rows).filter_map(text).collect()
}

fn assert_same(columns: &ParquetColumns, sessions: &[&Session], ranges: &[Range<u32>]) {
    let rows: Vec<(&Session, &Row)> =
        sessions.iter().flat_map(|session| session.rows.iter().map(move |row| (*session, row))).collect();
    for range in ranges {
        let wanted = &rows[range.start as usize..range.end as usize];
        let (visitors, times) =
            (columns.visitors(range.clone()).unwrap(), columns.times(range.clone()).unwrap());
        for (&row, (session, wanted)) in range.clone().collect::<Vec<_>>().iter().zip(wanted) {
            assert_eq!(visitors.values[(row - visitors.first_row) as usize], session.visitor);
            assert_eq!(times.values[(row - times.first_row) as usize], wanted.time);
        }
    }
    for (at, column) in TEXTS.into_iter().enumerate() {
        let texts = (0..).zip(rows.iter().map(|(_, row)| row.texts[at].clone()));
        let wanted: Vec<(u32, String)> = texts.filter(|(_, text)| !text.is_empty()).collect();
        assert_eq!(plain_texts(&columns.texts(column).unwrap(), rows.len() as u32), wanted, "{column:?}");
    }
    for (at, number) in NUMBERS.into_iter().enumerate() {
        let of = |(session, row): &(&Session, &Row)| row.numbers.get(at).copied().unwrap_or(session.user_key);
        let found = columns.numbers(number).unwrap();
        let found = (0..rows.len()).map(|row| found.get(row));
        assert!(found.eq(rows.iter().map(of)), "{number:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_what_the_sources_say(sources in sources(30), cut in 0f64..1.0, small in any::<bool>()) {
        let (bytes, checksums, sessions) = file(&sources);
        prop_assume!(!sessions.is_empty());
        prop_assert_eq!(&checksums, &BlockChecksums::of(&bytes));
        let cache = Arc::new(ColumnCache::new(if small { 0 } else { 1 << 20 }));
        let columns = columns(&bytes, &checksums, &cache);
        let count: u32 = sessions.iter().map(|session| session.rows.len() as u32).sum();
        prop_assert_eq!(columns.groups().unwrap(), vec![0..count]);
        let middle = (f64::from(count) * cut) as u32;
        for _ in 0..2 {
            assert_same(&columns, &sessions, &[0..count, middle..count, 0..middle, 0..0, count..count]);
        }
        prop_assert!(columns.visitors(0..count + 1).is_err());
        prop_assert!(columns.texts(Column::Path).is_err());
        drop(columns);
        prop_assert_eq!(cache.byte_count(), 0, "a file that is gone is forgotten");
    }
}

/// As [`sources`], so many sessions, all alike but for what does not compress.
fn large(sessions: u32) -> Vec<Vec<Session>> {
    let mix = |n: u32| u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(n % 64);
    let session = |n: u32| {
        let rows = (0..2).map(|row| Row {
            time: i64::from(DAY) * 86_400_000 + (mix(n) % 80_000_000) as i64 + row * 1_234,
            numbers: [mix(n) % 7, mix(n) % 3 * 200, mix(n + 1) >> 20],
            texts: [
                if n.is_multiple_of(5) {
                    encode_pairs(&[("key", format!("{:x}", mix(n)))])
                } else {
                    String::new()
                },
                if n.is_multiple_of(3) { encode_pairs(&[("a", "b")]) } else { String::new() },
                format!("{:016x}{:016x}", mix(n ^ 0x5555), mix(n) ^ row as u64),
                "script".to_owned(),
            ],
        });
        let rows = rows.collect();
        Session {
            day: DAY + (n >> 16) as u16,
            visitor: mix(n),
            n: n as u16,
            user_key: mix(n) % 2 * mix(n ^ 7),
            hidden: false,
            rows,
        }
    };
    let mut sessions: Vec<Session> = (0..sessions).map(session).collect();
    sessions.sort_by_key(|session| (session.day, session.visitor, session.n));
    vec![sessions]
}

#[test]
fn rows_of_several_groups_are_joined() {
    let sources = large(140_000);
    let (bytes, checksums, sessions) = file(&sources);
    let cache = Arc::new(ColumnCache::default());
    let columns = columns(&bytes, &checksums, &cache);
    let border = 256 << 10;
    assert_eq!(columns.groups().unwrap(), [0..border, border..280_000]);
    columns.verify().unwrap();
    let ranges = [0..280_000, border - 1..border + 1, 0..border, border..border + 5, border - 73..border + 1];
    assert_same(&columns, &sessions, &ranges);
    let (one, other) = (columns.visitors(5..9).unwrap(), columns.visitors(border - 3..border).unwrap());
    assert!(Arc::ptr_eq(&one, &other), "rows of a group are shared");
    let apart = columns.times(border - 2..border + 2).unwrap();
    assert_eq!((apart.first_row, apart.values.len()), (border - 2, 4));
}

/// What a read says of a damaged file, column by column.
fn outcomes(columns: &ParquetColumns) -> Vec<(Content, Result<(), StorageError>)> {
    let mut all = vec![
        (Content::VisitorId, columns.visitors(0..1).map(drop)),
        (Content::Time, columns.times(0..1).map(drop)),
    ];
    for column in TEXTS {
        let content = if column.holds_pairs() { Content::Pairs(column) } else { Content::Text(column) };
        all.push((content, columns.texts(column).map(drop)));
    }
    let contents = [Content::EventDuration, Content::Status, Content::Received, Content::UserKey];
    all.extend(contents.into_iter().zip(NUMBERS.map(|number| columns.numbers(number).map(drop))));
    all
}

#[test]
fn a_flipped_byte_spoils_what_lies_in_its_block() {
    let sources = large(9_000);
    let (bytes, checksums, _) = file(&sources);
    let cache = Arc::new(ColumnCache::new(0));
    let footer = ColumnFile::open(
        Path::new(PATH),
        &CheckedBytes::new(Path::new(PATH), Bytes::copy_of(&bytes), checksums.clone()),
    );
    let footer = footer.unwrap();
    let blocks = bytes.len().div_ceil(BLOCK_BYTES);
    assert!(blocks > 5, "{blocks} blocks");
    let touches = |chunk: &Range<u64>, block: usize| {
        (chunk.start as usize / BLOCK_BYTES..(chunk.end as usize).div_ceil(BLOCK_BYTES)).contains(&block)
    };
    let tail: [u8; 4] = bytes[bytes.len() - 8..][..4].try_into().unwrap();
    let tail = bytes.len() as u64 - 8 - u64::from(u32::from_le_bytes(tail))..bytes.len() as u64;
    let mut spared = 0;
    for block in 0..blocks {
        for at in [block * BLOCK_BYTES, block * BLOCK_BYTES + 777, (block + 1) * BLOCK_BYTES - 1] {
            let mut damaged = bytes.clone();
            damaged[at.min(bytes.len() - 1)] ^= 0x20;
            let columns = columns(&damaged, &checksums, &cache);
            assert!(columns.verify().is_err());
            for (content, outcome) in outcomes(&columns) {
                let chunks = footer.chunks(content, 0).unwrap();
                let wanted = touches(&tail, block) || chunks.iter().any(|chunk| touches(chunk, block));
                assert_eq!(outcome.is_err(), wanted, "{content:?}, byte {at}: {outcome:?}");
                spared += usize::from(!wanted);
                if let Err(error) = outcome {
                    let offset = (block * BLOCK_BYTES) as u64;
                    assert!(
                        matches!(error, StorageError::Corrupt { offset: o, .. } if o == offset),
                        "{error}"
                    );
                    assert!(error.to_string().contains(PATH));
                }
            }
        }
    }
    assert!(spared > 10, "damage spoils everything");
}

#[test]
fn a_file_of_another_length_is_refused() {
    let sources = large(50);
    let (bytes, checksums, _) = file(&sources);
    let cache = Arc::new(ColumnCache::default());
    for len in [0, 7, bytes.len() / 2, bytes.len() - 1] {
        let columns = columns(&bytes[..len], &checksums, &cache);
        assert!(outcomes(&columns).iter().all(|(_, outcome)| outcome.is_err()));
        // Even when its checksums say that it is what was written.
        let columns = self::columns(&bytes[..len], &BlockChecksums::of(&bytes[..len]), &cache);
        assert!(outcomes(&columns).iter().all(|(_, outcome)| outcome.is_err()));
    }
    let longer = [bytes.as_slice(), b"PAR1"].concat();
    let columns = columns(&longer, &checksums, &cache);
    assert!(outcomes(&columns).iter().all(|(_, outcome)| outcome.is_err()));
}

/// Checksums of a file that was damaged before they were made: the library is left to find out.
#[test]
fn nonsense_with_sound_checksums_never_panics() {
    let mut runner = TestRunner::deterministic();
    let tree = sources(20).new_tree(&mut runner).unwrap();
    let sources = tree.current();
    let (bytes, _, _) = file(&sources);
    let cache = Arc::new(ColumnCache::new(0));
    let mut refused = 0;
    let step = (bytes.len() / 700).max(1);
    for at in (0..bytes.len()).step_by(step) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let checksums = BlockChecksums::of(&damaged);
        let columns = columns(&damaged, &checksums, &cache);
        for (_, outcome) in outcomes(&columns) {
            refused += usize::from(outcome.is_err());
            assert!(outcome.is_ok() || matches!(outcome, Err(StorageError::Corrupt { .. })), "{outcome:?}");
        }
    }
    assert!(refused > 0);
}
