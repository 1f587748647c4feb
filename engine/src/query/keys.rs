//! How the group of a session or a row is found in one source.
//!
//! Each source has a table from its local codes to groups, filled when a code first occurs. A code past the
//! dictionary's end counts as 0, the absent value.

use std::cell::RefCell;
use std::ops::Range;

use hashbrown::HashMap;

use super::groups::{Groups, KEY_COLUMNS_MAX, KeyCodes, UNSET};
use super::{Clock, PairsPart};
use crate::event::Pairs;
use crate::scan::batch::{Batch, NO_GROUP, map_codes};
use crate::scan::buckets::Buckets;
use crate::scan::divisor::Divisor;
use crate::segment::table::{Codes, Dictionary, NO_ROW, Narrow, ShapedStates, States};

/// Combinations of local codes up to which groups are looked up in an array.
const COMBINATIONS_MAX: usize = 1 << 20;

/// Which row or session a key column is read from.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The session's attribute.
    Session,
    /// The row's own text.
    Row,
    /// The text of the row that this column of the session table names.
    RowIn(&'a [u32]),
    /// The text of the session's entry or exit page.
    RowOf(Edge, ShapedStates<'a>),
}

/// One of the pages of a session that the session table names.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub(super) enum Edge {
    Entry,
    Exit,
}

impl Edge {
    /// Where its texts are read.
    pub fn place<'a>(self, states: &States<'a>) -> Place<'a> {
        match (states, self) {
            (States::Columns(columns), Self::Entry) => Place::RowIn(columns.entry_row),
            (States::Columns(columns), Self::Exit) => Place::RowIn(columns.exit_row),
            (States::Shapes(shapes), edge) => Place::RowOf(edge, *shapes),
        }
    }

    /// Its row, or [`NO_ROW`].
    #[inline]
    pub fn row(self, states: &States<'_>, session: usize) -> u32 {
        match self {
            Self::Entry => states.entry_row(session),
            Self::Exit => states.exit_row(session),
        }
    }
}

impl Place<'_> {
    /// The row of a page that the session table names, if there is one.
    #[inline]
    fn row(&self, session: usize) -> Option<usize> {
        let row = match self {
            Self::RowIn(rows) => rows.get(session).copied().unwrap_or(NO_ROW),
            Self::RowOf(edge, shapes) => edge.row(&States::Shapes(*shapes), session),
            Self::Session | Self::Row => NO_ROW,
        };
        (row != NO_ROW).then_some(row as usize)
    }
}

/// One column of a key in one source.
#[derive(Clone, Copy)]
pub(super) struct KeyColumn<'a> {
    pub place: Place<'a>,
    pub codes: Codes<'a>,
    pub dictionary: Dictionary<'a>,
    pub row_count: usize,
    /// Its number among the key's columns, when a source has no site codes of it, so that texts are compared.
    pub by_text: Option<usize>,
}

impl<'a> KeyColumn<'a> {
    #[inline]
    fn code(&self, session: usize, row: usize) -> Option<u32> {
        let code = match self.place {
            Place::Session => self.codes.get(session),
            Place::Row => self.codes.get(row),
            Place::RowIn(_) | Place::RowOf(..) => {
                self.codes.get(self.place.row(session).filter(|&row| row < self.row_count)?)
            }
        };
        Some(self.within_dictionary(code))
    }

    fn within_dictionary(&self, code: u32) -> u32 {
        if (code as usize) < self.dictionary.len() { code } else { 0 }
    }

    /// What is equal for equal texts in all sources.
    fn site_code(&self, local: u32, groups: &mut Groups<'a>) -> u32 {
        match self.by_text {
            Some(column) => groups.number_of(column, self.dictionary.get(local)),
            None => self.dictionary.site_codes.get(local as usize).copied().unwrap_or(0),
        }
    }
}

/// The groups of all sources of one query.
pub(super) type SharedGroups<'q, 'a> = &'q RefCell<Groups<'a>>;

/// Groups of time.
pub(super) enum TimeKey<'q> {
    Buckets(&'q Buckets),
    Clock(ClockKey<'q>),
}

/// Slots of a clock. Remembers the piece it found last: times come almost in order.
pub(super) struct ClockKey<'q> {
    clock: &'q Clock,
    /// When the piece found last holds, and its shift.
    holds: Range<i64>,
    shift: i64,
    slot_ms: Divisor,
    slot_count: Divisor,
}

impl<'q> ClockKey<'q> {
    pub fn new(clock: &'q Clock) -> Self {
        let slot_ms = Divisor::new(clock.slot_ms.unsigned_abs());
        let slot_count = Divisor::new(u64::from(clock.slot_count));
        Self { clock, holds: 0..0, shift: 0, slot_ms, slot_count }
    }

    #[inline]
    fn slot(&mut self, time: i64) -> u32 {
        if !self.holds.contains(&time) {
            self.find_piece(time);
        }
        let local = time.wrapping_add(self.shift);
        match u64::try_from(local) {
            Ok(local) => self.slot_count.divide(self.slot_ms.divide(local).0).1 as u32,
            Err(_) => self.slot_before_1970(local),
        }
    }

    #[cold]
    fn find_piece(&mut self, time: i64) {
        let pieces = &self.clock.pieces;
        let next = pieces.partition_point(|piece| piece.0 <= time).max(1);
        let (start, shift) = pieces.get(next - 1).copied().unwrap_or_default();
        // The first piece holds before it begins, too.
        let start = if next == 1 { i64::MIN } else { start };
        let end = pieces.get(next).map_or(i64::MAX, |piece| piece.0);
        (self.holds, self.shift) = (start..end, shift);
    }

    #[cold]
    fn slot_before_1970(&self, local: i64) -> u32 {
        local.div_euclid(self.clock.slot_ms).rem_euclid(i64::from(self.clock.slot_count)) as u32
    }
}

/// A table from codes to groups: from those of one column, or from those of the combinations that columns share.
pub(super) struct LocalTable<'q, 'a> {
    columns: Vec<KeyColumn<'a>>,
    codes: Codes<'a>,
    /// Whether `codes` are of combinations.
    shared: bool,
    source: u32,
    groups: SharedGroups<'q, 'a>,
    local: Vec<u32>,
}

impl<'q, 'a> LocalTable<'q, 'a> {
    /// `None` when the columns neither are one nor share combinations.
    fn new(columns: &[KeyColumn<'a>], source: u32, groups: SharedGroups<'q, 'a>) -> Option<Self> {
        let (codes, shared, count) = match (columns, shared_codes(columns)) {
            (_, Some((codes, count))) => (codes.into(), true, count),
            ([column], None) => (column.codes, false, column.dictionary.len()),
            _ => return None,
        };
        let local = vec![UNSET; count.max(1)];
        Some(Self { columns: columns.to_vec(), codes, shared, source, groups, local })
    }

    #[inline]
    fn group(&mut self, code: u32) -> u32 {
        match self.local.get(code as usize) {
            Some(&group) if group != UNSET => group,
            _ => self.meet(code),
        }
    }

    #[cold]
    fn meet(&mut self, code: u32) -> u32 {
        let code = if (code as usize) < self.local.len() { code } else { 0 };
        let (mut local, mut site) = (KeyCodes::default(), KeyCodes::default());
        let mut groups = self.groups.borrow_mut();
        for ((local, site), column) in local.iter_mut().zip(&mut site).zip(&self.columns) {
            *local = column.within_dictionary(match column.codes {
                Codes::Combined { table, .. } if self.shared => table.get(code as usize),
                Codes::Constant(constant) => constant,
                _ => code,
            });
            *site = column.site_code(*local, &mut groups);
        }
        let group = match self.columns.len() {
            1 => groups.of_code(site[0], self.source, local[0]),
            _ => groups.of_tuple(site, self.source, local),
        };
        drop(groups);
        self.local[code as usize] = group;
        group
    }

    /// Sets the groups of these sessions or rows.
    fn set_groups(&mut self, places: &[u32], groups: &mut [u32]) {
        map_codes(self.codes, places, groups, |code| self.group(code));
    }
}

/// The codes of the combinations that all columns share, and how many combinations there are. Columns that have one
/// code for all share any.
fn shared_codes<'a>(columns: &[KeyColumn<'a>]) -> Option<(Narrow<'a>, usize)> {
    let mut shared = None;
    for column in columns {
        match (column.codes, shared) {
            (Codes::Constant(_), _) => {}
            (Codes::Combined { codes, table }, None) => shared = Some((codes, table.code_count()?)),
            (Codes::Combined { codes, table }, Some((others, count))) => {
                if !codes.is_same(&others) || table.code_count() != Some(count) {
                    return None;
                }
            }
            _ => return None,
        }
    }
    shared
}

/// The texts of a page that sessions began or ended with.
pub(super) struct EdgeKey<'q, 'a> {
    place: Place<'a>,
    row_count: usize,
    table: LocalTable<'q, 'a>,
}

impl EdgeKey<'_, '_> {
    fn set_groups(&mut self, sessions: &[u32], groups: &mut [u32]) {
        let (mut before, mut known) = (u32::MAX, NO_GROUP);
        for (group, &session) in groups.iter_mut().zip(sessions) {
            if session != before {
                before = session;
                known = match self.place.row(session as usize) {
                    Some(row) if row < self.row_count => self.table.group(self.table.codes.get(row)),
                    _ => NO_GROUP,
                };
            }
            *group = known;
        }
    }
}

/// Where the groups of combined codes are looked up.
enum Combined {
    Array(Vec<u32>),
    Map(HashMap<KeyCodes, u32>),
}

/// Up to three columns, each from its place.
pub(super) struct TupleKey<'q, 'a> {
    columns: Vec<KeyColumn<'a>>,
    source: u32,
    groups: SharedGroups<'q, 'a>,
    combined: Combined,
}

impl<'q, 'a> TupleKey<'q, 'a> {
    fn new(columns: Vec<KeyColumn<'a>>, source: u32, groups: SharedGroups<'q, 'a>) -> Self {
        let sizes = columns.iter().map(|column| column.dictionary.len().max(1));
        let combinations = sizes.fold(1usize, usize::saturating_mul);
        let combined = if combinations <= COMBINATIONS_MAX {
            Combined::Array(vec![UNSET; combinations])
        } else {
            Combined::Map(HashMap::new())
        };
        Self { columns, source, groups, combined }
    }

    #[cold]
    fn meet(&self, local: KeyCodes) -> u32 {
        let mut groups = self.groups.borrow_mut();
        let mut site = KeyCodes::default();
        for ((site, column), &code) in site.iter_mut().zip(&self.columns).zip(&local) {
            *site = column.site_code(code, &mut groups);
        }
        groups.of_tuple(site, self.source, local)
    }
}

impl TupleKey<'_, '_> {
    fn group(&mut self, session: u32, row: u32) -> Option<u32> {
        let mut local = KeyCodes::default();
        let mut at = 0usize;
        for (code, column) in local.iter_mut().zip(&self.columns) {
            *code = column.code(session as usize, row as usize)?;
            at = at.wrapping_mul(column.dictionary.len().max(1)).wrapping_add(*code as usize);
        }
        let known = match &self.combined {
            Combined::Array(array) => array.get(at).copied().unwrap_or(UNSET),
            Combined::Map(map) => map.get(&local).copied().unwrap_or(UNSET),
        };
        if known != UNSET {
            return Some(known);
        }
        let group = self.meet(local);
        match &mut self.combined {
            Combined::Array(array) => array.get_mut(at).into_iter().for_each(|place| *place = group),
            Combined::Map(map) => _ = map.insert(local, group),
        }
        Some(group)
    }
}

/// Parts of pairs: each row is in as many groups as its pairs give.
pub(super) struct PairsKey<'q, 'a> {
    part: &'q PairsPart,
    codes: Codes<'a>,
    dictionary: Dictionary<'a>,
    groups: SharedGroups<'q, 'a>,
    /// For each local code where its groups lie in `lists`.
    local: Vec<Option<(u32, u32)>>,
    lists: Vec<u32>,
    picked: Batch,
}

impl PairsKey<'_, '_> {
    fn list(&mut self, row: u32) -> Range<usize> {
        let code = self.codes.get(row as usize);
        let code = if (code as usize) < self.local.len() { code } else { 0 };
        let (start, end) = match self.local.get(code as usize) {
            Some(Some(known)) => *known,
            _ => self.meet(code),
        };
        start as usize..end as usize
    }

    #[cold]
    fn meet(&mut self, code: u32) -> (u32, u32) {
        let start = self.lists.len();
        let pairs = Pairs(self.dictionary.get(code));
        let mut groups = self.groups.borrow_mut();
        match self.part {
            PairsPart::Keys => self.lists.extend(pairs.iter().map(|pair| groups.of_text(pair.0))),
            PairsPart::Values => self.lists.extend(pairs.iter().map(|pair| groups.of_text(pair.1))),
            PairsPart::ValueOf(key) => self.lists.extend(pairs.get(key).map(|value| groups.of_text(value))),
        }
        let mut own = self.lists.split_off(start);
        own.sort_unstable();
        own.dedup();
        self.lists.append(&mut own);
        let list = (start as u32, self.lists.len() as u32);
        self.local.get_mut(code as usize).into_iter().for_each(|place| *place = Some(list));
        list
    }

    /// Repeats each pick for each of its groups.
    fn spread(&mut self, batch: &mut Batch) {
        std::mem::swap(&mut self.picked, batch);
        batch.clear();
        for at in 0..self.picked.rows.len() {
            let (session, row) = (self.picked.sessions[at], self.picked.rows[at]);
            for place in self.list(row) {
                batch.sessions.push(session);
                batch.rows.push(row);
                batch.page_seconds.extend(self.picked.page_seconds.get(at));
                batch.groups.push(self.lists[place]);
            }
        }
    }
}

/// The key of one source.
pub(super) enum SourceKey<'q, 'a> {
    /// Everything is one group.
    One,
    Time(TimeKey<'q>),
    /// Attributes of the session.
    Session(LocalTable<'q, 'a>),
    /// Texts of the row.
    Row(LocalTable<'q, 'a>),
    /// Texts of an end of the session.
    Edge(EdgeKey<'q, 'a>),
    Tuple(TupleKey<'q, 'a>),
    Pairs(PairsKey<'q, 'a>),
}

impl<'q, 'a> SourceKey<'q, 'a> {
    /// The key of up to three columns.
    pub fn of_columns(columns: Vec<KeyColumn<'a>>, source: u32, groups: SharedGroups<'q, 'a>) -> Self {
        debug_assert!(columns.len() <= KEY_COLUMNS_MAX);
        let Some(first) = columns.first().copied() else { return Self::One };
        let is_of_rows = |column: &KeyColumn<'_>| matches!(column.place, Place::Row);
        let is_of_sessions = |column: &KeyColumn<'_>| matches!(column.place, Place::Session);
        match LocalTable::new(&columns, source, groups) {
            Some(table) if columns.iter().all(is_of_sessions) => Self::Session(table),
            Some(table) if columns.iter().all(is_of_rows) => Self::Row(table),
            // The columns of an end of a session are those of its page.
            Some(table) if !columns.iter().any(|column| is_of_rows(column) || is_of_sessions(column)) => {
                Self::Edge(EdgeKey { place: first.place, row_count: first.row_count, table })
            }
            _ => Self::Tuple(TupleKey::new(columns, source, groups)),
        }
    }

    /// Parts of a column of pairs.
    pub fn of_pairs(
        part: &'q PairsPart,
        codes: Codes<'a>,
        dictionary: Dictionary<'a>,
        groups: SharedGroups<'q, 'a>,
    ) -> Self {
        let local = vec![None; dictionary.len().max(1)];
        let (lists, picked) = Default::default();
        Self::Pairs(PairsKey { part, codes, dictionary, groups, local, lists, picked })
    }

    /// Whether groups are found by time.
    pub fn needs_times(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// Whether neighbouring rows of a session are often in the same group.
    pub fn repeats(&self) -> bool {
        match self {
            Self::One | Self::Time(_) | Self::Session(_) | Self::Edge(_) => true,
            Self::Row(_) | Self::Pairs(_) => false,
            Self::Tuple(key) => key.columns.iter().all(|column| !matches!(column.place, Place::Row)),
        }
    }

    /// How many groups have been met in all sources; 0 for groups that are known beforehand.
    pub fn group_count(&self) -> usize {
        match self {
            Self::One | Self::Time(_) => 0,
            Self::Session(key) | Self::Row(key) => key.groups.borrow().len(),
            Self::Edge(key) => key.table.groups.borrow().len(),
            Self::Tuple(key) => key.groups.borrow().len(),
            Self::Pairs(key) => key.groups.borrow().len(),
        }
    }

    /// Finds the group of each pick of a batch; picks may be repeated or dropped.
    pub fn set_groups(&mut self, batch: &mut Batch) {
        if let Self::Pairs(key) = self {
            return key.spread(batch);
        }
        let Batch { sessions, rows, times, groups, .. } = batch;
        groups.resize(sessions.len(), 0);
        let places = groups.iter_mut().zip(times.iter());
        match self {
            Self::One | Self::Pairs(_) => {}
            Self::Time(TimeKey::Buckets(buckets)) => {
                places.for_each(|(group, &time)| *group = buckets.find(time).unwrap_or(NO_GROUP));
            }
            Self::Time(TimeKey::Clock(clock)) => {
                places.for_each(|(group, &time)| *group = clock.slot(time));
            }
            Self::Session(key) => key.set_groups(sessions, groups),
            Self::Row(key) => key.set_groups(rows, groups),
            Self::Edge(key) => key.set_groups(sessions, groups),
            Self::Tuple(key) => {
                for (at, (group, &session)) in groups.iter_mut().zip(sessions.iter()).enumerate() {
                    let row = rows.get(at).copied().unwrap_or(u32::MAX);
                    *group = key.group(session, row).unwrap_or(NO_GROUP);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_what_plain_arithmetic_does() {
        let times = [i64::MIN, -10_000_000, -3_600_001, -1, 0, 1, 3_599_999, 3_600_000, 5 << 40, i64::MAX];
        for (slot_ms, slot_count) in [(60_000, 60), (3_600_000, 168), (7, 5), (1, 1), (i64::MAX, u16::MAX)] {
            let pieces = vec![(-4_000_000, 3_600_000), (1, -3_600_000), (1, 37), (4_000_000, 0)];
            let clock = Clock { pieces, slot_ms, slot_count };
            let mut key = ClockKey::new(&clock);
            for time in times.into_iter().chain(times.into_iter().rev()) {
                let piece = clock.pieces.iter().rfind(|piece| piece.0 <= time).unwrap_or(&clock.pieces[0]);
                let slot = time.wrapping_add(piece.1).div_euclid(slot_ms).rem_euclid(slot_count.into());
                assert_eq!(i64::from(key.slot(time)), slot, "{time} of {slot_ms} ms");
            }
        }
    }
}
