//! Columns that go together: a session or row has one code for the combination of their values.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::columns::Widening;
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::layout::{FileWriter, Tag};

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

/// The site's codes of the columns of a combination, unused places 0.
pub(super) type Members = [u32; MEMBERS_MAX];

/// The combinations of some columns that were met, and the code of each session or row.
#[derive(Debug, Default)]
pub(super) struct Combinations {
    numbers: HashMap<Members, u32>,
    met: Vec<Members>,
    codes: Widening,
}

impl Combinations {
    pub fn push(&mut self, members: Members) {
        let next = self.met.len() as u32;
        let code = *self.numbers.entry(members).or_insert(next);
        if code == next {
            self.met.push(members);
        }
        self.codes.push(code);
    }

    /// What one member is in each combination.
    pub fn member(&self, at: usize) -> impl Iterator<Item = u32> + '_ {
        self.met.iter().map(move |members| members.get(at).copied().unwrap_or(0))
    }

    /// Numbers the combinations in the order of their members: those that begin alike are neighbours, so that a test of
    /// their first columns is one of ranges, and the combination of nothing is the first.
    pub fn sort(&mut self) {
        let mut order: Vec<(Members, u32)> = self.met.iter().copied().zip(0..).collect();
        order.sort_unstable();
        let mut renamed = vec![0; order.len()];
        for (new, &(_, old)) in (0..).zip(&order) {
            renamed.get_mut(old as usize).into_iter().for_each(|name| *name = new);
        }
        let renamed = |code: u32| renamed.get(code as usize).copied().unwrap_or(0);
        self.codes = Widening::of((0..self.codes.len()).map(|at| renamed(self.codes.get(at))));
        self.numbers.values_mut().for_each(|number| *number = renamed(*number));
        self.met = order.into_iter().map(|(members, _)| members).collect();
    }

    /// The codes without those that are 0, when that is smaller.
    fn ranked(&self) -> Option<Ranked> {
        let len = self.codes.len();
        let others = (0..len).filter(|&at| self.codes.get(at) != 0).count();
        let bytes = len.div_ceil(64) * (size_of::<u64>() + size_of::<u32>()) + others * size_of::<u16>();
        if others == 0 || self.met.len() > 1 << 16 || bytes >= len * self.codes.width() {
            return None;
        }
        let mut ranked = Ranked { words: vec![0; len.div_ceil(64)], ranks: Vec::new(), codes: Vec::new() };
        for at in 0..len {
            if at % 64 == 0 {
                ranked.ranks.push(ranked.codes.len() as u32);
            }
            let code = self.codes.get(at);
            if code != 0 {
                ranked.words[at / 64] |= 1 << (at % 64);
                ranked.codes.push(code as u16);
            }
        }
        Some(ranked)
    }

    /// Writes the codes of the combinations, and for each column the site codes that occur and a local code for each
    /// combination.
    pub fn write(&self, out: &mut FileWriter, number: usize, columns: &[Column]) {
        match self.ranked() {
            Some(ranked) if number < OF_SESSIONS.len() => {
                ranked.write(out, number, self.met.len() as u32);
            }
            _ => self.codes.write(out, Tag::combinations(number), self.met.len() as u32),
        }
        for (at, &column) in columns.iter().enumerate() {
            let site_codes: BTreeSet<u32> = self.member(at).chain([0]).collect();
            if site_codes.len() == 1 {
                continue; // nothing but the empty string
            }
            let site_codes: Vec<u32> = site_codes.into_iter().collect();
            let local = |site_code: u32| site_codes.partition_point(|&known| known < site_code) as u32;
            Widening::of(self.member(at).map(local)).write(out, Tag::codes(column), 0);
            out.block(Tag::site_codes(column), site_codes.last().copied().unwrap_or(0), &site_codes);
        }
    }
}

/// Codes of which most are 0.
struct Ranked {
    words: Vec<u64>,
    ranks: Vec<u32>,
    codes: Vec<u16>,
}

impl Ranked {
    fn write(&self, out: &mut FileWriter, number: usize, count: u32) {
        out.block(Tag::combinations(number), count, &self.codes);
        out.block(Tag::present(number), 0, &self.words);
        out.block(Tag::ranks(number), 0, &self.ranks);
    }
}

const _: () = assert!(COLUMN_COUNT < u16::MAX as usize);
