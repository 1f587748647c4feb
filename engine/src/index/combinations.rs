//! Columns that go together: a session or row has one code for the combination of their values.

use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::columns;
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::layout::{FileWriter, Tag};
use crate::segment::sink::Sink;
use crate::vfs::{AppendColumn, Full};

/// Columns in a combination at most.
pub(super) const MEMBERS_MAX: usize = 6;

/// The combinations of sessions.
pub(super) const OF_SESSIONS: [&[Column]; 4] = [
    &[Column::Country, Column::Region, Column::City, Column::Language],
    &[
        Column::Os,
        Column::OsVersion,
        Column::Browser,
        Column::BrowserVersion,
        Column::Platform,
        Column::ScreenClass,
    ],
    &[Column::Referrer, Column::ReferrerName, Column::Channel],
    &[Column::UtmSource, Column::UtmMedium, Column::UtmCampaign, Column::UtmContent, Column::UtmTerm],
];
/// The combinations of rows; the second one has the kind of the row beside.
pub(super) const OF_ROWS: [&[Column]; 2] =
    [&[Column::Hostname, Column::Path, Column::Title], &[Column::EventName]];
/// The number of the combination of a row's page.
pub(super) const PAGE: usize = OF_SESSIONS.len();
/// The number of the combination of a row's kind and event name.
pub(super) const EVENT: usize = PAGE + 1;

/// All combinations: their numbers, and their columns.
pub(super) fn all() -> impl Iterator<Item = (usize, &'static [Column])> {
    OF_SESSIONS.into_iter().chain(OF_ROWS).enumerate()
}

/// The combinations of some columns that were met, and which each session or row has.
#[derive(Debug)]
pub(super) struct Combinations {
    /// Columns in each.
    width: usize,
    /// The site's codes of each combination's columns, one combination after the other.
    met: Vec<u32>,
    /// Numbers by combination.
    by_members: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// The number of each session's or row's combination, in the order in which they were met.
    numbers: AppendColumn<u32>,
    /// The combinations in the order of their members, and the place of each in it: its code.
    order: Vec<u32>,
    codes: Vec<u32>,
}

impl Combinations {
    /// None yet, of so many columns, at least one; `numbers` has room for all sessions or rows.
    pub fn new(width: usize, numbers: AppendColumn<u32>) -> Self {
        Self {
            width,
            met: Vec::new(),
            by_members: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            numbers,
            order: Vec::new(),
            codes: Vec::new(),
        }
    }

    /// Adds the combination of a session or row.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn push(&mut self, members: &[u32]) -> Result<(), Full> {
        debug_assert_eq!(members.len(), self.width);
        let (width, met) = (self.width, &self.met);
        let is = |number: &u32| members_of(met, width, *number) == members;
        let hash = |number: &u32| self.hasher.hash_one(members_of(met, width, *number));
        let number = match self.by_members.entry(self.hasher.hash_one(members), is, hash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let number = (self.met.len() / width) as u32;
                place.insert(number);
                self.met.extend_from_slice(members);
                number
            }
        };
        self.numbers.push(number)
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.met.len() / self.width
    }

    /// What one member is in each combination, once they are sorted.
    pub fn member(&self, at: usize) -> impl Iterator<Item = u32> + '_ {
        let members = |number| members_of(&self.met, self.width, number);
        self.order.iter().map(move |&number| members(number).get(at).copied().unwrap_or(0))
    }

    /// Gives the combinations codes in the order of their members: those that begin alike are neighbours, so that a test of
    /// their first columns is one of ranges, and the combination of nothing is the first. None is added after this.
    pub fn sort(&mut self) {
        self.by_members = HashTable::new();
        let members = |number: u32| members_of(&self.met, self.width, number);
        let mut order: Vec<u32> = (0..self.count() as u32).collect();
        order.sort_unstable_by(|&a, &b| members(a).cmp(members(b)));
        self.codes = vec![0; order.len()];
        for (place, &number) in (0..).zip(&order) {
            self.codes.get_mut(number as usize).into_iter().for_each(|code| *code = place);
        }
        self.order = order;
    }

    /// The code of each session's or row's combination, once they are sorted.
    fn codes(&self) -> impl Iterator<Item = u32> + '_ {
        self.numbers.as_slice().iter().map(|&number| self.codes.get(number as usize).copied().unwrap_or(0))
    }

    /// The codes without those that are 0, when that is smaller.
    fn ranked(&self) -> Option<Ranked> {
        let len = self.numbers.len();
        let others = self.codes().filter(|&code| code != 0).count();
        let width = columns::width(self.count().saturating_sub(1) as u32);
        let bytes = len.div_ceil(64) * (size_of::<u64>() + size_of::<u32>()) + others * size_of::<u16>();
        if others == 0 || self.count() > 1 << 16 || bytes >= len * width {
            return None;
        }
        let mut ranked = Ranked { words: vec![0; len.div_ceil(64)], ranks: Vec::new(), codes: Vec::new() };
        for (at, code) in self.codes().enumerate() {
            if at % 64 == 0 {
                ranked.ranks.push(ranked.codes.len() as u32);
            }
            if code != 0 {
                ranked.words[at / 64] |= 1 << (at % 64);
                ranked.codes.push(code as u16);
            }
        }
        Some(ranked)
    }

    /// Writes the codes of the combinations, and for each column the site codes that occur and a local code for each
    /// combination.
    pub fn write<S: Sink>(&self, out: &mut FileWriter<S>, number: usize, members: &[Column]) {
        let ranked = if number < OF_SESSIONS.len() { self.ranked() } else { None };
        match ranked {
            Some(ranked) => ranked.write(out, number, self.count() as u32),
            None => {
                // Each combination is somebody's.
                let bounds = self.count().checked_sub(1).map(|last| (0, last as u32));
                columns::write(out, (Tag::combinations(number), self.count() as u32), bounds, self.codes());
            }
        }
        for (at, &column) in members.iter().enumerate() {
            let mut site_codes: Vec<u32> = self.member(at).chain([0]).collect();
            site_codes.sort_unstable();
            site_codes.dedup();
            if site_codes.len() == 1 {
                continue; // nothing but the empty string
            }
            let local = |site_code: u32| site_codes.partition_point(|&known| known < site_code) as u32;
            let bounds = columns::bounds(self.member(at));
            let bounds = bounds.map(|(least, greatest)| (local(least), local(greatest)));
            columns::write(out, (Tag::codes(column), 0), bounds, self.member(at).map(local));
            out.block(Tag::site_codes(column), site_codes.last().copied().unwrap_or(0), &site_codes);
        }
    }
}

fn members_of(met: &[u32], width: usize, number: u32) -> &[u32] {
    let start = number as usize * width;
    met.get(start..start + width).unwrap_or_default()
}

/// Codes of which most are 0.
struct Ranked {
    words: Vec<u64>,
    ranks: Vec<u32>,
    codes: Vec<u16>,
}

impl Ranked {
    fn write<S: Sink>(&self, out: &mut FileWriter<S>, number: usize, count: u32) {
        out.block(Tag::combinations(number), count, &self.codes);
        out.block(Tag::present(number), 0, &self.words);
        out.block(Tag::ranks(number), 0, &self.ranks);
    }
}

const _: () = assert!(COLUMN_COUNT < u16::MAX as usize);
