//! Indexes from plain sessions, and their cold columns, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Source;
use super::testdata::{PlainSession, SiteCodes};
use crate::error::StorageError;
use crate::index::{Index, IndexBuilder, IndexRow, IndexSession, IndexSize, Loaded, Needs, ParquetFile};
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::build::SessionState;
use crate::segment::cold::{ColdColumns, ColdNumber, ColdNumbers, ColdRows, ColdTexts};
use crate::segment::ranks::OwnedRanks;
use crate::segment::table::{NO_ROW, SiteStrings};
use crate::segment::verdicts::{VerdictMemory, Verdicts};
use crate::units::{SegmentId, SessionId, SiteId};
use crate::vfs::{Bytes, Scratch};

/// The cold columns of sessions in the order of a file.
pub struct PlainCold {
    verdicts: VerdictMemory,
    pub sessions: Vec<PlainSession>,
}

impl PlainCold {
    pub fn new(sessions: Vec<PlainSession>) -> Self {
        Self { verdicts: VerdictMemory::default(), sessions }
    }

    fn rows<T>(&self, value: impl Fn(&PlainSession, usize) -> T) -> Vec<T> {
        let value = &value;
        self.sessions.iter().flat_map(|s| (0..s.rows.len()).map(move |row| value(s, row))).collect()
    }
}

fn part<T: Copy>(all: &[T], rows: &Range<u32>) -> Arc<ColdRows<T>> {
    // A little more than what was asked for.
    let first = rows.start.saturating_sub(1);
    let end = (rows.end as usize + 1).min(all.len());
    Arc::new(ColdRows { first_row: first, values: all[first as usize..end].into() })
}

impl ColdColumns for PlainCold {
    fn verdicts(&self, column: Column, test: &str, greatest: u32) -> Option<Arc<Verdicts>> {
        Some(self.verdicts.of(SegmentId(1), column, test, greatest))
    }

    fn visitors(&self, rows: Range<u32>) -> Result<Arc<ColdRows<u64>>, StorageError> {
        Ok(part(&self.rows(|session, _| session.visitor), &rows))
    }

    fn times(&self, rows: Range<u32>) -> Result<Arc<ColdRows<i64>>, StorageError> {
        Ok(part(&self.rows(|session, row| session.rows[row].time), &rows))
    }

    fn texts(&self, column: Column) -> Result<Arc<ColdTexts>, StorageError> {
        let texts = self.rows(|session, row| session.rows[row].text(column));
        let distinct: BTreeSet<&str> =
            texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let numbers: BTreeMap<&str, u32> = distinct.iter().copied().zip(0..).collect();
        let there = || texts.iter().enumerate().filter(|(_, text)| !text.is_empty());
        let mut present = OwnedRanks::default();
        there().for_each(|(row, _)| assert!(present.push(row)));
        let ends = distinct.iter().scan(0, |end, text| {
            *end += text.len() as u32;
            Some(*end)
        });
        Ok(Arc::new(ColdTexts {
            present: present.finish(texts.len()),
            numbers: there().map(|(_, text)| numbers[text.as_str()]).collect(),
            offsets: [0].into_iter().chain(ends).collect(),
            bytes: distinct.iter().flat_map(|text| text.bytes()).collect(),
            ..ColdTexts::default()
        }))
    }

    fn numbers(&self, number: ColdNumber) -> Result<Arc<ColdNumbers>, StorageError> {
        let values = self.rows(|session, row| match number {
            ColdNumber::EventDuration => session.rows[row].event_duration.map_or(0, |seconds| seconds + 1),
            _ => 0,
        });
        let mut numbers = ColdNumbers::default();
        values.iter().zip(0u32..).for_each(|(&value, row)| numbers.push(row, value));
        Ok(Arc::new(numbers.finish(values.len())))
    }
}

/// An index and what belongs to it.
pub struct OwnedIndex {
    pub index: Index,
    pub cold: PlainCold,
    pub loaded: Loaded,
    pub hidden: RoaringBitmap,
}

/// One that gathers so much in memory.
pub fn index_builder(sessions: usize, rows: usize) -> IndexBuilder {
    let size = IndexSize { sessions, rows };
    let scratch = Scratch::in_memory(Path::new("(test)"), IndexBuilder::scratch_bytes(size));
    IndexBuilder::new(&mut scratch.unwrap(), size).unwrap()
}

/// The bytes of the index of these sessions, which are in the order of the file.
pub fn index_bytes(sessions: &[PlainSession], site_codes: &mut SiteCodes, known_share: usize) -> Vec<u8> {
    let rows = sessions.iter().map(|session| session.rows.len()).sum();
    let mut builder = index_builder(sessions.len(), rows);
    for session in sessions {
        let rows: Vec<IndexRow> = session
            .rows
            .iter()
            .map(|row| IndexRow {
                time: row.time,
                kind: row.kind as u8,
                texts: [Column::Hostname, Column::Path, Column::Title, Column::EventName]
                    .map(|column| site_codes.of(column, &row.text(column))),
            })
            .collect();
        let row = |row: Option<usize>| row.map_or(NO_ROW, |row| row as u32);
        let attributes: [u32; ATTRIBUTE_COUNT] = std::array::from_fn(|at| {
            let column = Column::attributes()[at];
            site_codes.of(column, &session.text(column))
        });
        builder
            .push(&IndexSession {
                visitor: session.visitor,
                session: SessionId(session.id),
                given_id: session.given,
                attributes,
                state: SessionState {
                    start: session.rows[0].time,
                    last: session.rows[session.rows.len() - 1].time,
                    views: session.views() as u32,
                    entry_row: row(session.entry()),
                    exit_row: row(session.exit()),
                    bounced: session.bounced,
                },
                rows: &rows,
            })
            .unwrap();
    }
    let parquet = ParquetFile { len: 70_000, checksums: vec![1, 2] };
    builder.finish_within(known_share, SiteId(1), SegmentId(7), &parquet, Vec::new())
}

impl OwnedIndex {
    /// The index of these sessions, each with whether it is superseded.
    pub fn new(sessions: &[(PlainSession, bool)], site_codes: &mut SiteCodes, known_share: usize) -> Self {
        let mut sessions = sessions.to_vec();
        sessions.sort_by_key(|(session, _)| (session.id >> 16, session.visitor.cast_signed(), session.id));
        let is_hidden = |(at, (_, hidden)): (u32, &(PlainSession, bool))| hidden.then_some(at);
        let hidden = (0u32..).zip(&sessions).filter_map(is_hidden).collect();
        let sessions: Vec<PlainSession> = sessions.into_iter().map(|(session, _)| session).collect();
        let bytes = index_bytes(&sessions, site_codes, known_share);
        let index = Index::open(Path::new("(test)"), Bytes::from_vec(bytes)).unwrap();
        Self { index, cold: PlainCold::new(sessions), loaded: Loaded::default(), hidden }
    }

    /// Has what is needed at hand.
    pub fn load(&mut self, needs: &Needs) {
        self.loaded = Loaded::load(&self.index, needs, &self.cold).unwrap();
    }

    /// The index as a source.
    pub fn source<'a>(&'a self, strings: &'a dyn SiteStrings) -> Source<'a> {
        let table = self.index.table(strings, &self.cold, &self.loaded).unwrap();
        Source { table, hidden: (!self.hidden.is_empty()).then_some(&self.hidden) }
    }
}
