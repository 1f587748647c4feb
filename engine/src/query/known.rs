//! Counts that are known before a query runs.
//!
//! Known counts may be added to those of a scan when their visitors occur nowhere else, neither among the sessions
//! that are scanned nor in other known counts of the same group. Whoever hands them in answers for that.

use std::sync::Arc;

use super::groups::{Groups, KEY_COLUMNS_MAX, KeyCodes};
use super::guard::Guard;
use super::{Group, Query, Unit};
use crate::error::QueryError;
use crate::scan::batch::NO_GROUP;
use crate::scan::bits::Bits;
use crate::scan::count::{Counts, NumberColumns};
use crate::segment::table::Dictionary;

/// What a group is, in one source: its place among groups of time, or the local codes of its texts. Unused places
/// are 0.
pub type Key = [u32; KEY_COLUMNS_MAX];

/// The groups that numbers are of.
pub enum Keys<'k> {
    /// All are of the group of time at this place; the codes are those that pass or not.
    One(u32, [&'k [u32]; KEY_COLUMNS_MAX]),
    /// For each column of the key the local code of each group, or the places of groups of time.
    Codes([&'k [u32]; KEY_COLUMNS_MAX]),
}

/// Some of the numbers that are known.
pub struct Piece<'k> {
    /// Their groups. One may come several times.
    pub keys: Keys<'k>,
    /// For each column of the key which of its codes pass; `None`: all. Groups that do not are left out.
    pub passes: &'k [Option<Vec<bool>>],
    /// The numbers, also such as take off: sums wrap around.
    pub numbers: NumberColumns<'k>,
}

/// Takes some numbers.
pub type Take<'t> = &'t mut dyn FnMut(&Piece<'_>) -> Result<(), QueryError>;

/// Which sessions of a source need not be counted.
pub enum Uncounted {
    /// These.
    These(Bits),
    /// All but these, ascending. For a query whose filter tests texts of sessions and rows only, and whose span the whole
    /// source lies in.
    AllBut(Arc<[u32]>),
}

/// Sessions of a source that need not be counted, as their counts are known. There is one of a source at most.
pub struct Known<'k> {
    /// The number of the source among those of the query.
    pub source: usize,
    /// The sessions.
    pub sessions: Uncounted,
    /// Gives their counts, piece by piece.
    #[allow(clippy::type_complexity, reason = "a name would say no more")]
    pub counts: Box<dyn Fn(Take<'_>) -> Result<(), QueryError> + 'k>,
}

impl Known<'_> {
    /// Adds the known counts to what was counted. `dictionaries` are those of the key's columns of each source.
    pub(super) fn add_to(
        &self,
        (counts, groups): (&mut Counts, &mut Groups<'_>),
        dictionaries: &[Vec<Dictionary<'_>>],
        query: &Query,
        guard: &mut Guard<'_>,
    ) -> Result<(), QueryError> {
        let placing = Placing::of(query);
        let columns = dictionaries.get(self.source).map_or(&[][..], Vec::as_slice);
        let mut places = Vec::new();
        (self.counts)(&mut |piece| {
            guard.spend(piece.numbers.sessions.len())?;
            piece.place(placing, (groups, columns, self.source as u32), &mut places);
            counts.reserve(groups.len());
            counts.add_columns(&places, &asked(query, piece.numbers));
            Ok(())
        })
    }
}

impl Piece<'_> {
    /// Sets `places` to the group of each of the numbers; [`NO_GROUP`] of those that are left out.
    fn place(
        &self,
        placing: Placing,
        (groups, columns, source): (&mut Groups<'_>, &[Dictionary<'_>], u32),
        places: &mut Vec<u32>,
    ) {
        places.clear();
        let passes = |column: usize, code: u32| match self.passes.get(column) {
            Some(Some(passes)) => passes.get(code as usize).copied().unwrap_or(false),
            _ => true,
        };
        let codes = match &self.keys {
            Keys::One(place, _) if self.passes.iter().all(Option::is_none) => {
                return places.resize(self.numbers.sessions.len(), *place);
            }
            Keys::One(place, codes) => {
                let is_in = |at: usize| {
                    let mut codes = codes.iter().enumerate();
                    codes.all(|(column, codes)| passes(column, codes.get(at).copied().unwrap_or(0)))
                };
                let all = 0..self.numbers.sessions.len();
                return places.extend(all.map(|at| if is_in(at) { *place } else { NO_GROUP }));
            }
            Keys::Codes(codes) => codes,
        };
        match (placing, columns) {
            (Placing::Code, [column, ..]) => places.extend(codes[0].iter().map(|&code| {
                let site = column.site_codes.get(code as usize).copied().unwrap_or(0);
                if passes(0, code) { groups.of_code(site, source, code) } else { NO_GROUP }
            })),
            (Placing::Fixed, _) => places.extend_from_slice(codes[0]),
            _ => places.extend((0..codes[0].len()).map(|at| {
                let key = codes.map(|codes| codes.get(at).copied().unwrap_or(0));
                let is_in = key.iter().zip(0..).all(|(&code, column)| passes(column, code));
                if is_in { groups.of_tuple(site_codes(columns, key), source, key) } else { NO_GROUP }
            })),
        }
    }
}

/// How a group is found by its key; as the keys of a scan do it.
#[derive(Clone, Copy)]
pub(super) enum Placing {
    Fixed,
    Code,
    Tuple,
}

impl Placing {
    pub fn of(query: &Query) -> Self {
        match &query.group {
            Group::Columns(columns) if columns.len() == 1 => Self::Code,
            Group::Entry(false) | Group::Exit(false) => Self::Code,
            Group::Columns(_) | Group::Entry(_) | Group::Exit(_) => Self::Tuple,
            Group::All | Group::Buckets(_) | Group::Clock(_) | Group::Pairs(..) => Self::Fixed,
        }
    }

    /// The group of a key of a source. `dictionaries` are those of the key's columns of each source.
    pub fn group(
        self,
        groups: &mut Groups<'_>,
        dictionaries: &[Vec<Dictionary<'_>>],
        source: usize,
        key: Key,
    ) -> u32 {
        let columns = dictionaries.get(source).map_or(&[][..], Vec::as_slice);
        match self {
            Self::Fixed => key[0],
            Self::Code => groups.of_code(site_codes(columns, key)[0], source as u32, key[0]),
            Self::Tuple => groups.of_tuple(site_codes(columns, key), source as u32, key),
        }
    }
}

fn site_codes(columns: &[Dictionary<'_>], key: Key) -> KeyCodes {
    let mut site = KeyCodes::default();
    for ((site, column), &code) in site.iter_mut().zip(columns).zip(&key) {
        *site = column.site_codes.get(code as usize).copied().unwrap_or(0);
    }
    site
}

/// The numbers without those that the query leaves zero.
fn asked<'n>(query: &Query, numbers: NumberColumns<'n>) -> NumberColumns<'n> {
    let mut asked = numbers;
    if !query.measures.durations {
        (asked.duration_seconds, asked.duration_count) = (&[], &[]);
    }
    if !query.measures.time_on_page {
        (asked.page_seconds, asked.page_count) = (&[], &[]);
    }
    if query.counted_unit() != Unit::Events {
        asked.event_seconds = &[];
    }
    asked
}
