//! Counts that are known before a query runs.
//!
//! Known counts may be added to those of a scan when their visitors occur nowhere else, neither among the sessions
//! that are scanned nor in other known counts of the same group. Whoever hands them in answers for that.

use std::sync::Arc;

use super::groups::{Groups, KEY_COLUMNS_MAX, KeyCodes};
use super::guard::Guard;
use super::{Group, Query, Unit};
use crate::error::QueryError;
use crate::scan::bits::Bits;
use crate::scan::count::{Counts, Numbers};
use crate::segment::table::Dictionary;

/// What a group is, in one source: its place among groups of time, or the local codes of its texts. Unused places
/// are 0.
pub type Key = [u32; KEY_COLUMNS_MAX];

/// Takes the numbers of one group.
pub type Take<'t> = &'t mut dyn FnMut(Key, &Numbers) -> Result<(), QueryError>;

/// Which sessions of a source need not be counted.
pub enum Uncounted {
    /// These.
    These(Bits),
    /// All but these, ascending. For a query that has no filter, and whose span the whole source lies in.
    AllBut(Arc<[u32]>),
}

/// Sessions of a source that need not be counted, as their counts are known. There is one of a source at most.
pub struct Known<'k> {
    /// The number of the source among those of the query.
    pub source: usize,
    /// The sessions.
    pub sessions: Uncounted,
    /// Gives their counts, piece by piece; a group may come several times, also with numbers that take off.
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
        (self.counts)(&mut |key, numbers| {
            guard.spend(1)?;
            let group = placing.group(groups, dictionaries, self.source, key);
            counts.add(group as usize, &asked(query, numbers));
            Ok(())
        })
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
fn asked(query: &Query, numbers: &Numbers) -> Numbers {
    let mut asked = *numbers;
    if !query.measures.durations {
        (asked.duration_seconds, asked.duration_count) = (0, 0);
    }
    if !query.measures.time_on_page {
        (asked.page_seconds, asked.page_count) = (0, 0);
    }
    if query.counted_unit() != Unit::Events {
        asked.event_seconds = 0;
    }
    asked
}
