//! How the group of a session or a row is found in one source.
//!
//! Each source has a table from its local codes to groups, filled when a code first occurs. A code past the
//! dictionary's end counts as 0, the absent value.

use std::cell::RefCell;

use hashbrown::HashMap;

use super::groups::{Groups, KEY_COLUMNS_MAX, KeyCodes, UNSET};
use crate::event::pair_value;
use crate::scan::batch::{Batch, NO_GROUP, map_codes};
use crate::scan::buckets::Buckets;
use crate::segment::table::{Codes, Dictionary, NO_ROW};

/// Combinations of local codes up to which groups are looked up in an array.
const COMBINATIONS_MAX: usize = 1 << 20;
/// A code that belongs to no group.
const LEFT_OUT: u32 = u32::MAX - 1;

/// Which row or session a key column is read from.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The session's attribute.
    Session,
    /// The row's own text.
    Row,
    /// The text of the row that this column of the session table names.
    RowOf(&'a [u32]),
}

/// One column of a key in one source.
#[derive(Clone, Copy)]
pub(super) struct KeyColumn<'a> {
    pub place: Place<'a>,
    pub codes: Codes<'a>,
    pub dictionary: Dictionary<'a>,
    pub row_count: usize,
}

impl KeyColumn<'_> {
    #[inline]
    fn code(&self, session: usize, row: usize) -> Option<u32> {
        let code = match self.place {
            Place::Session => self.codes.get(session),
            Place::Row => self.codes.get(row),
            Place::RowOf(rows) => match rows.get(session) {
                Some(&row) if row != NO_ROW && (row as usize) < self.row_count => {
                    self.codes.get(row as usize)
                }
                _ => return None,
            },
        };
        Some(if (code as usize) < self.dictionary.len() { code } else { 0 })
    }

    fn site_code(&self, local: u32) -> u32 {
        self.dictionary.site_codes.get(local as usize).copied().unwrap_or(0)
    }
}

/// The groups of all sources of one query.
pub(super) type SharedGroups<'q, 'a> = &'q RefCell<Groups<'a>>;

/// Groups of time: the bucket, or the slot of the bucket.
pub(super) struct TimeKey<'q> {
    pub buckets: &'q Buckets,
    pub slots: Option<&'q [u16]>,
}

impl TimeKey<'_> {
    #[inline]
    fn group(&self, time: i64) -> u32 {
        match (self.buckets.find(time), self.slots) {
            (Some(bucket), None) => bucket,
            (Some(bucket), Some(slots)) => slots.get(bucket as usize).map_or(NO_GROUP, |&slot| slot.into()),
            (None, _) => NO_GROUP,
        }
    }
}

/// A table from local codes to groups.
pub(super) struct LocalTable<'q, 'a> {
    column: KeyColumn<'a>,
    source: u32,
    groups: SharedGroups<'q, 'a>,
    local: Vec<u32>,
}

impl<'q, 'a> LocalTable<'q, 'a> {
    fn new(column: KeyColumn<'a>, source: u32, groups: SharedGroups<'q, 'a>) -> Self {
        Self { column, source, groups, local: vec![UNSET; column.dictionary.len().max(1)] }
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
        let site = self.column.site_code(code);
        let group = self.groups.borrow_mut().of_code(site, self.source, code);
        self.local[code as usize] = group;
        group
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
        let mut site = KeyCodes::default();
        for ((site, column), &code) in site.iter_mut().zip(&self.columns).zip(&local) {
            *site = column.site_code(code);
        }
        self.groups.borrow_mut().of_tuple(site, self.source, local)
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

/// The value of one metadata key; rows without the key are left out.
pub(super) struct ValueKey<'q, 'a> {
    key: &'q str,
    codes: Codes<'a>,
    dictionary: Dictionary<'a>,
    groups: SharedGroups<'q, 'a>,
    local: Vec<u32>,
}

impl ValueKey<'_, '_> {
    fn group(&mut self, code: u32) -> u32 {
        let code = if (code as usize) < self.local.len() { code } else { 0 };
        let Some(place) = self.local.get_mut(code as usize) else { return NO_GROUP };
        if *place == UNSET {
            *place = match pair_value(self.dictionary.get(code), self.key) {
                Some(value) => self.groups.borrow_mut().of_text(value),
                None => LEFT_OUT,
            };
        }
        if *place == LEFT_OUT { NO_GROUP } else { *place }
    }
}

/// The key of one source.
pub(super) enum SourceKey<'q, 'a> {
    /// Everything is one group.
    One,
    Time(TimeKey<'q>),
    /// One attribute of the session.
    Session(LocalTable<'q, 'a>),
    /// One text of the row.
    Row(LocalTable<'q, 'a>),
    Tuple(TupleKey<'q, 'a>),
    Value(ValueKey<'q, 'a>),
}

impl<'q, 'a> SourceKey<'q, 'a> {
    /// The key of up to three columns.
    pub fn of_columns(columns: Vec<KeyColumn<'a>>, source: u32, groups: SharedGroups<'q, 'a>) -> Self {
        debug_assert!(columns.len() <= KEY_COLUMNS_MAX);
        match columns.as_slice() {
            [column] if matches!(column.place, Place::Session) => {
                Self::Session(LocalTable::new(*column, source, groups))
            }
            [column] if matches!(column.place, Place::Row) => {
                Self::Row(LocalTable::new(*column, source, groups))
            }
            _ => Self::Tuple(TupleKey::new(columns, source, groups)),
        }
    }

    /// The value of a metadata key.
    pub fn of_value(
        key: &'q str,
        codes: Codes<'a>,
        dictionary: Dictionary<'a>,
        groups: SharedGroups<'q, 'a>,
    ) -> Self {
        let local = vec![UNSET; dictionary.len().max(1)];
        Self::Value(ValueKey { key, codes, dictionary, groups, local })
    }

    /// Whether groups are found by time.
    pub fn needs_times(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// Whether neighbouring rows of a session are often in the same group.
    pub fn repeats(&self) -> bool {
        match self {
            Self::One | Self::Time(_) | Self::Session(_) => true,
            Self::Row(_) | Self::Value(_) => false,
            Self::Tuple(key) => key.columns.iter().all(|column| !matches!(column.place, Place::Row)),
        }
    }

    /// How many groups have been met in all sources; 0 for groups that are known beforehand.
    pub fn group_count(&self) -> usize {
        match self {
            Self::One | Self::Time(_) => 0,
            Self::Session(key) | Self::Row(key) => key.groups.borrow().len(),
            Self::Tuple(key) => key.groups.borrow().len(),
            Self::Value(key) => key.groups.borrow().len(),
        }
    }

    /// Finds the group of each pick of a batch.
    pub fn set_groups(&mut self, batch: &mut Batch) {
        let Batch { sessions, rows, times, groups, .. } = batch;
        groups.resize(sessions.len(), 0);
        match self {
            Self::One => {}
            Self::Time(key) => {
                for (group, &time) in groups.iter_mut().zip(times.iter()) {
                    *group = key.group(time);
                }
            }
            Self::Session(key) => map_codes(key.column.codes, sessions, groups, |code| key.group(code)),
            Self::Row(key) => map_codes(key.column.codes, rows, groups, |code| key.group(code)),
            Self::Value(key) => map_codes(key.codes, rows, groups, |code| key.group(code)),
            Self::Tuple(key) => {
                for (at, (group, &session)) in groups.iter_mut().zip(sessions.iter()).enumerate() {
                    let row = rows.get(at).copied().unwrap_or(u32::MAX);
                    *group = key.group(session, row).unwrap_or(NO_GROUP);
                }
            }
        }
    }
}
