//! Site tables from plain sessions, for tests. Written for clarity; sorts, codes and lists everything itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Source;
use crate::event::{Kind, encode_pairs};
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::table::{
    Codes, Dictionary, FLAG_BOUNCE, FLAG_GIVEN_ID, FirstRows, Kinds, MilliTimes, NO_ROW, Postings, Run,
    SiteStrings, SiteTable, StateColumns, States, Times, U64s, Visitors,
};
use crate::segment::verdicts::{VerdictMemory, Verdicts};
use crate::units::SegmentId;

/// The texts of a session or a row; a column that is not there is empty.
pub type TextMap = BTreeMap<Column, String>;

/// A row as a person would write it down.
#[derive(Debug, Clone)]
pub struct PlainRow {
    pub time: i64,
    pub kind: Kind,
    pub texts: TextMap,
    pub meta: Vec<(String, String)>,
    pub tags: Vec<(String, String)>,
    pub event_duration: Option<u64>,
}

impl PlainRow {
    pub fn text(&self, column: Column) -> String {
        match column {
            Column::EventMeta => encode_pairs(&self.meta),
            Column::Tags => encode_pairs(&self.tags),
            column => self.texts.get(&column).cloned().unwrap_or_default(),
        }
    }
}

/// A session with its rows in order; never empty.
#[derive(Debug, Clone)]
pub struct PlainSession {
    pub visitor: u64,
    pub id: u32,
    pub given: bool,
    pub bounced: bool,
    pub texts: TextMap,
    pub rows: Vec<PlainRow>,
}

impl PlainSession {
    /// Session `n` on a day, by one of so many visitors, whose numbers have both signs. Every 50th has an id that the
    /// site gave, every second bounced.
    pub fn numbered(n: u32, day: u32, visitors: u32, texts: TextMap, rows: Vec<PlainRow>) -> Self {
        Self {
            visitor: u64::from(n % visitors).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            id: day << 16 | n,
            given: n.is_multiple_of(50),
            bounced: n.is_multiple_of(2),
            texts,
            rows,
        }
    }

    pub fn text(&self, column: Column) -> String {
        self.texts.get(&column).cloned().unwrap_or_default()
    }

    pub fn entry(&self) -> Option<usize> {
        self.rows.iter().position(|row| row.kind == Kind::PageView)
    }

    pub fn exit(&self) -> Option<usize> {
        self.rows.iter().rposition(|row| !row.text(Column::Path).is_empty())
    }

    pub fn views(&self) -> usize {
        self.rows.iter().filter(|row| row.kind == Kind::PageView).count()
    }
}

/// Puts all row numbers and codes of a source out of bounds.
pub fn damage<'a>(source: &mut Source<'a>, first_rows: &'a [u32], wild: &'a [u32]) {
    source.table.first_rows = FirstRows::All(first_rows);
    let States::Columns(states) = &mut source.table.states else { unreachable!() };
    (states.entry_row, states.exit_row) = (wild, wild);
    for column in Column::ALL {
        source.table.codes[column.index()] = Codes::U32(wild);
    }
}

/// The site's codes of all strings, given as strings appear.
pub struct SiteCodes {
    numbers: HashMap<(Column, String), u32>,
    verdicts: VerdictMemory,
    /// Codes are multiples of this, so that tests reach large ones.
    pub stride: u32,
}

impl SiteCodes {
    pub fn new(stride: u32) -> Self {
        Self { numbers: HashMap::new(), verdicts: VerdictMemory::default(), stride }
    }

    /// The code of a text, a new one when it is new.
    pub fn of(&mut self, column: Column, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let next = self.numbers.len() as u32 + 1;
        *self.numbers.entry((column, text.to_owned())).or_insert(next) * self.stride
    }
}

impl SiteStrings for SiteCodes {
    fn get(&self, column: Column, site_code: u32) -> &str {
        let is_it = |((known, _), number): &(&(Column, String), &u32)| {
            *known == column && **number * self.stride == site_code
        };
        self.numbers.iter().find(is_it).map_or("", |((_, text), _)| text)
    }

    fn find(&self, column: Column, text: &str) -> Option<u32> {
        self.numbers.get(&(column, text.to_owned())).map(|number| number * self.stride)
    }

    fn verdicts(&self, column: Column, test: &str) -> Option<Arc<Verdicts>> {
        let greatest = self.numbers.len() as u32 / 2;
        Some(self.verdicts.of(SegmentId(1), column, test, greatest))
    }
}

#[derive(Default, Clone)]
struct PlainDictionary {
    offsets: Vec<u32>,
    bytes: Vec<u8>,
    site_codes: Vec<u32>,
}

enum PlainCodes {
    Constant(u32),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

/// A table that owns its columns.
#[derive(Default)]
pub struct OwnedTable {
    runs: Vec<Run>,
    visitor: Vec<u64>,
    session_id: Vec<u32>,
    start: Vec<i64>,
    last: Vec<i64>,
    first_row: Vec<u32>,
    views: Vec<u32>,
    entry_row: Vec<u32>,
    exit_row: Vec<u32>,
    flags: Vec<u8>,
    gap: Vec<u32>,
    kind: Vec<u8>,
    event_duration: Vec<u64>,
    codes: Vec<PlainCodes>,
    dictionaries: Vec<PlainDictionary>,
    postings: Vec<Option<(Vec<u32>, Vec<u8>)>>,
    /// Superseded sessions.
    pub hidden: RoaringBitmap,
}

impl OwnedTable {
    /// A table of these sessions, each with whether it is superseded. `width` (in bytes) is the least width of codes.
    pub fn new(sessions: &[(PlainSession, bool)], site_codes: &mut SiteCodes, width: usize) -> Self {
        let mut sessions: Vec<_> = sessions.to_vec();
        sessions.sort_by_key(|(session, _)| (session.id >> 16, session.visitor, session.id));
        let mut table = Self::default();
        for (at, (session, hidden)) in sessions.iter().enumerate() {
            table.push(session);
            if *hidden {
                table.hidden.insert(at as u32);
            }
        }
        table.first_row.push(table.gap.len() as u32);
        for column in Column::ALL {
            let texts: Vec<String> = if column.is_attribute() {
                sessions.iter().map(|(session, _)| session.text(column)).collect()
            } else {
                sessions.iter().flat_map(|(s, _)| s.rows.iter().map(|row| row.text(column))).collect()
            };
            table.push_column(column, &texts, site_codes, width);
        }
        table
    }

    fn push(&mut self, session: &PlainSession) {
        let first = self.gap.len() as u32;
        let place = |row: Option<usize>| row.map_or(NO_ROW, |row| first + row as u32);
        let (start, last) = (session.rows[0].time, session.rows[session.rows.len() - 1].time);
        let day = session.id >> 16;
        if self.runs.last().is_none_or(|run| run.day != day) {
            let first_session = self.visitor.len() as u32;
            self.runs.push(Run {
                min_time: start,
                max_time: last,
                first_session,
                session_count: 0,
                day,
                reserved: 0,
            });
        }
        if let Some(run) = self.runs.last_mut() {
            run.session_count += 1;
            run.min_time = run.min_time.min(start);
            run.max_time = run.max_time.max(last);
        }
        self.visitor.push(session.visitor);
        self.session_id.push(session.id);
        self.start.push(start);
        self.last.push(last);
        self.first_row.push(first);
        self.views.push(session.views() as u32);
        self.entry_row.push(place(session.entry()));
        self.exit_row.push(place(session.exit()));
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        self.flags.push(flag(session.bounced, FLAG_BOUNCE) | flag(session.given, FLAG_GIVEN_ID));
        for row in &session.rows {
            self.gap.push((row.time - start) as u32);
            self.kind.push(row.kind as u8);
            self.event_duration.push(row.event_duration.map_or(0, |seconds| seconds + 1));
        }
    }

    fn push_column(&mut self, column: Column, texts: &[String], site_codes: &mut SiteCodes, width: usize) {
        let mut distinct: BTreeSet<&str> = texts.iter().map(String::as_str).collect();
        distinct.insert("");
        let mut dictionary = PlainDictionary { offsets: vec![0], ..PlainDictionary::default() };
        for text in &distinct {
            dictionary.bytes.extend_from_slice(text.as_bytes());
            dictionary.offsets.push(dictionary.bytes.len() as u32);
            dictionary.site_codes.push(site_codes.of(column, text));
        }
        let numbers: HashMap<&str, u32> = distinct.iter().copied().zip(0..).collect();
        let codes: Vec<u32> = texts.iter().map(|text| numbers[text.as_str()]).collect();
        self.postings.push(column.has_postings().then(|| self.lists(column, &codes, distinct.len())));
        self.dictionaries.push(dictionary);
        self.codes.push(match (distinct.len(), width) {
            (1, _) => PlainCodes::Constant(0),
            (..=256, 1) => PlainCodes::U8(codes.iter().map(|&code| code as u8).collect()),
            (..=65_536, 1..=2) => PlainCodes::U16(codes.iter().map(|&code| code as u16).collect()),
            _ => PlainCodes::U32(codes),
        });
    }

    fn lists(&self, column: Column, codes: &[u32], code_count: usize) -> (Vec<u32>, Vec<u8>) {
        let mut lists = vec![RoaringBitmap::new(); code_count];
        for (at, &code) in codes.iter().enumerate() {
            let session = if column.is_attribute() {
                at
            } else {
                self.first_row.partition_point(|&first| first as usize <= at) - 1
            };
            lists[code as usize].insert(session as u32);
        }
        let (mut offsets, mut bytes) = (vec![0, 0], Vec::new());
        for list in &lists[1..] {
            list.serialize_into(&mut bytes).unwrap();
            offsets.push(bytes.len() as u32);
        }
        (offsets, bytes)
    }

    /// The table as slices.
    pub fn table(&self) -> SiteTable<'_> {
        SiteTable {
            runs: &self.runs,
            visitors: Visitors::All(&self.visitor),
            states: States::Columns(StateColumns {
                session_id: &self.session_id,
                views: &self.views,
                entry_row: &self.entry_row,
                exit_row: &self.exit_row,
                flags: &self.flags,
            }),
            first_rows: FirstRows::All(&self.first_row),
            starts: None,
            times: Times::Millis(MilliTimes { start: &self.start, last: &self.last, gap: &self.gap }),
            kinds: Kinds::Bytes(&self.kind),
            user_key: U64s::Zero,
            event_duration: U64s::Values(&self.event_duration),
            status: U64s::Zero,
            received: U64s::Zero,
            codes: std::array::from_fn::<_, COLUMN_COUNT, _>(|at| match &self.codes[at] {
                PlainCodes::Constant(code) => Codes::Constant(*code),
                PlainCodes::U8(codes) => Codes::U8(codes),
                PlainCodes::U16(codes) => Codes::U16(codes),
                PlainCodes::U32(codes) => Codes::U32(codes),
            }),
            dictionaries: std::array::from_fn::<_, COLUMN_COUNT, _>(|at| {
                let PlainDictionary { offsets, bytes, site_codes } = &self.dictionaries[at];
                Dictionary::own(offsets, bytes, site_codes)
            }),
            postings: std::array::from_fn::<_, COLUMN_COUNT, _>(|at| {
                self.postings[at].as_ref().map(|(offsets, bytes)| Postings { offsets, bytes })
            }),
            cold: None,
        }
    }

    /// The visitors of the sessions.
    pub fn visitors(&self) -> &[u64] {
        &self.visitor
    }

    /// The table as a source.
    pub fn source(&self) -> Source<'_> {
        Source { table: self.table(), hidden: (!self.hidden.is_empty()).then_some(&self.hidden) }
    }
}
