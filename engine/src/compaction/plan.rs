//! What is compacted next: a pure function of what waits in segments and of what the lake has.
//!
//! A file of the lake is written anew as a whole, so it is not touched for little: only when what waits for it is at
//! least a quarter of what it has, which bounds what is written to five times what is stored. While its time goes on it
//! must be worth a file, too. Segments in excess of [`SEGMENTS_MAX`] are emptied, the oldest first, whatever it costs:
//! each of them is looked at by every query of its sites.

use std::collections::{BTreeMap, BTreeSet};

use crate::parquet::{Key, Month};
use crate::units::{DayUtc, SegmentId, SiteId};

/// Rows that are worth a file while more are to come.
pub const FILE_ROWS_MIN: u64 = 128 << 10;
/// A file is written anew for at least one in this many of its rows.
pub const GROWTH_SHARE: u64 = 4;
/// A month of which this many rows wait for each day that has any is kept by days.
pub const BUSY_DAY_ROWS: u64 = 256 << 10;
/// Live segments, beyond which the oldest is emptied.
pub const SEGMENTS_MAX: usize = 24;
/// Days after a key's last one until nothing more is expected for it.
const GRACE_DAYS: u16 = 1;

/// Live rows in segments that were opened on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub rows: u64,
    /// The oldest segment that has some of them.
    pub oldest: SegmentId,
}

/// What there is to choose from.
#[derive(Debug, Clone, Default)]
pub struct Situation {
    /// What waits.
    pub waiting: BTreeMap<(SiteId, DayUtc), Waiting>,
    /// The files of the lake, and how many rows each has.
    pub files: BTreeMap<(SiteId, Key), u64>,
    /// Live segments.
    pub segment_count: usize,
}

/// Why a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Somebody asked for everything.
    Demand,
    /// There are too many segments.
    Crowded,
    /// Enough waits.
    Full,
    /// The key's time is over.
    Over,
}

/// A file that is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The site.
    pub site: SiteId,
    /// Which of its files.
    pub key: Key,
    /// Rows that wait for it.
    pub rows: u64,
    /// Why.
    pub reason: Reason,
}

impl Situation {
    /// The file to write next; `None` when nothing is due. `everything`: whatever waits is due.
    pub fn next_step(&self, today: DayUtc, everything: bool) -> Option<Step> {
        let keys = self.keys();
        let crowded = (self.segment_count > SEGMENTS_MAX)
            .then(|| keys.values().map(|waiting| waiting.oldest).min())
            .flatten();
        let reason = |&(site, key): &(SiteId, Key), waiting: &Waiting| {
            let known = self.files.get(&(site, key)).copied();
            let grown = waiting.rows.saturating_mul(GROWTH_SHARE) >= known.unwrap_or(0);
            let over = is_over(key, today);
            if everything {
                Some(Reason::Demand)
            } else if crowded == Some(waiting.oldest) {
                Some(Reason::Crowded)
            } else if waiting.rows >= FILE_ROWS_MIN && grown {
                Some(Reason::Full)
            } else {
                (over && grown).then_some(Reason::Over)
            }
        };
        let due = keys.iter().filter_map(|(name, waiting)| {
            let reason = reason(name, waiting)?;
            Some(Step { site: name.0, key: name.1, rows: waiting.rows, reason })
        });
        // Of the same reason the most rows first: that is what shortens queries most.
        due.min_by_key(|step| (step.reason, std::cmp::Reverse(step.rows)))
    }

    /// Rows that are in segments only.
    pub fn waiting_rows(&self) -> u64 {
        self.waiting.values().map(|waiting| waiting.rows).sum()
    }

    /// What waits for each file.
    fn keys(&self) -> BTreeMap<(SiteId, Key), Waiting> {
        let by_days = self.months_by_days();
        let mut keys: BTreeMap<(SiteId, Key), Waiting> = BTreeMap::new();
        for (&(site, day), waiting) in &self.waiting {
            let month = Month::of(day);
            let key = if by_days.contains(&(site, month)) { Key::Day(day) } else { Key::Month(month) };
            let sum = keys.entry((site, key)).or_insert(Waiting { rows: 0, oldest: waiting.oldest });
            sum.rows += waiting.rows;
            sum.oldest = sum.oldest.min(waiting.oldest);
        }
        keys
    }

    /// The months that are kept by days: as their first file says, or as their traffic asks for.
    fn months_by_days(&self) -> BTreeSet<(SiteId, Month)> {
        let mut modes: BTreeMap<(SiteId, Month), bool> = BTreeMap::new();
        for (site, key) in self.files.keys() {
            modes.insert((*site, key.month()), matches!(key, Key::Day(_)));
        }
        let mut new: BTreeMap<(SiteId, Month), (u64, u64)> = BTreeMap::new();
        for ((site, day), waiting) in &self.waiting {
            let (rows, days) = new.entry((*site, Month::of(*day))).or_default();
            *rows += waiting.rows;
            *days += 1;
        }
        for (month, (rows, days)) in new {
            modes.entry(month).or_insert(rows >= days.saturating_mul(BUSY_DAY_ROWS));
        }
        modes.into_iter().filter(|(_, by_days)| *by_days).map(|(month, _)| month).collect()
    }
}

/// Nothing more is expected for the key.
fn is_over(key: Key, today: DayUtc) -> bool {
    let settled = DayUtc(today.0.saturating_sub(GRACE_DAYS));
    match key {
        Key::Month(month) => month < Month::of(settled),
        Key::Day(day) => day < settled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: SiteId = SiteId(1);
    /// 2026-11-01.
    const FIRST: u16 = 20_758;

    fn situation(rows: &[(u16, u64, u64)], files: &[(Key, u64)]) -> Situation {
        let waiting = |&(day, rows, oldest): &(u16, u64, u64)| {
            ((SITE, DayUtc(day)), Waiting { rows, oldest: SegmentId(oldest) })
        };
        Situation {
            waiting: rows.iter().map(waiting).collect(),
            files: files.iter().map(|&(key, rows)| ((SITE, key), rows)).collect(),
            segment_count: 3,
        }
    }

    fn month() -> Key {
        Key::Month(Month { year: 2026, month: 11 })
    }

    #[test]
    fn a_month_waits_for_rows_or_for_its_end() {
        let few = situation(&[(FIRST, 1_000, 1), (FIRST + 5, 2_000, 2)], &[]);
        assert_eq!(few.next_step(DayUtc(FIRST + 29), false), None);
        assert_eq!(few.next_step(DayUtc(FIRST + 30), false), None, "the day after still brings late events");
        let step = few.next_step(DayUtc(FIRST + 31), false);
        assert_eq!(step, Some(Step { site: SITE, key: month(), rows: 3_000, reason: Reason::Over }));
        assert_eq!(few.next_step(DayUtc(FIRST), true).map(|step| step.reason), Some(Reason::Demand));
        let many = situation(&[(FIRST, 100_000, 1), (FIRST + 5, 100_000, 2)], &[]);
        let step = many.next_step(DayUtc(FIRST + 6), false);
        assert_eq!(step, Some(Step { site: SITE, key: month(), rows: 200_000, reason: Reason::Full }));
    }

    #[test]
    fn a_file_is_not_written_anew_for_little() {
        let late = |rows| situation(&[(FIRST, rows, 1)], &[(month(), 4_000_000)]);
        assert_eq!(late(999_999).next_step(DayUtc(FIRST + 100), false), None);
        let step = late(1_000_000).next_step(DayUtc(FIRST + 1), false);
        assert_eq!(step.map(|step| step.reason), Some(Reason::Full));
    }

    #[test]
    fn a_crowd_of_segments_is_emptied_from_the_oldest() {
        let mut crowd = situation(&[(FIRST, 10, 7), (FIRST + 40, 20, 5)], &[(month(), 4_000_000)]);
        crowd.segment_count = SEGMENTS_MAX + 1;
        let step = crowd.next_step(DayUtc(FIRST + 41), false);
        let december = Key::Month(Month { year: 2026, month: 12 });
        assert_eq!(step, Some(Step { site: SITE, key: december, rows: 20, reason: Reason::Crowded }));
    }

    #[test]
    fn a_busy_month_is_kept_by_days_and_stays_so() {
        let busy = situation(&[(FIRST, 300_000, 1), (FIRST + 1, 250_000, 2)], &[]);
        let step = busy.next_step(DayUtc(FIRST + 1), false);
        assert_eq!(step.map(|step| step.key), Some(Key::Day(DayUtc(FIRST))));
        let quiet = situation(&[(FIRST + 3, 10, 1)], &[(Key::Day(DayUtc(FIRST)), 300_000)]);
        let step = quiet.next_step(DayUtc(FIRST + 5), false);
        assert_eq!(step.map(|step| step.key), Some(Key::Day(DayUtc(FIRST + 3))));
        let kept = situation(&[(FIRST + 3, 9_000_000, 1)], &[(month(), 10_000)]);
        assert_eq!(kept.next_step(DayUtc(FIRST + 5), false).map(|step| step.key), Some(month()));
    }
}
