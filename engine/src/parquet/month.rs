//! A month of opening days: what a file holds and how it is named.

use std::fmt;
use std::ops::RangeInclusive;

use crate::units::DayUtc;

/// A month of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The year.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

impl Month {
    /// The month that holds a day.
    pub fn of(day: DayUtc) -> Self {
        date(day).0
    }

    /// Reads `YYYY-MM`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let month = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        ((1..=12).contains(&month.month) && month.to_string() == text).then_some(month)
    }

    /// Its days.
    pub fn days(self) -> RangeInclusive<DayUtc> {
        let first = day_of(self, 1).unwrap_or_default();
        let last = (first.0..=first.0.saturating_add(30)).rev().map(DayUtc);
        first..=last.into_iter().find(|day| Self::of(*day) == self).unwrap_or(first)
    }
}

/// A day's month and which day of it, from 1.
pub(super) fn date(day: DayUtc) -> (Month, u8) {
    // Years that begin in March, counted from 1 March of the year 0, so that a leap day is the last of its year.
    let days = u32::from(day.0) + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u32::from(month <= 2);
    let of_month = of_year - (153 * from_march + 2) / 5 + 1;
    (Month { year: year as u16, month: month as u8 }, of_month as u8)
}

/// The day of a month, counted from 1. `None` when the month has it not, or it is out of range.
pub(super) fn day_of(month: Month, of_month: u8) -> Option<DayUtc> {
    // Days ascend with their dates; there are few enough to look for one.
    let (mut low, mut high) = (0, u16::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if date(DayUtc(middle)) < (month, of_month) { low = middle + 1 } else { high = middle }
    }
    (date(DayUtc(low)) == (month, of_month)).then_some(DayUtc(low))
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_the_calendar() {
        let is_leap =
            |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let (mut year, mut month, mut left) = (1970u32, 1u8, 31u32);
        for day in 0..=u16::MAX {
            let wanted = Month { year: year as u16, month };
            assert_eq!(Month::of(DayUtc(day)), wanted, "day {day}");
            assert!(wanted.days().contains(&DayUtc(day)), "day {day}");
            let (first, last) = wanted.days().into_inner();
            assert!(Month::of(first) == wanted && Month::of(last) == wanted, "day {day}");
            left -= 1;
            if left == 0 {
                (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                left = match month {
                    2 if is_leap(year) => 29,
                    2 => 28,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
            }
        }
    }

    #[test]
    fn only_whole_names_are_months() {
        let month = Month { year: 2026, month: 11 };
        assert_eq!(Month::parse("2026-11"), Some(month));
        for text in ["2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "+2026-11", "2026-+1", ""] {
            assert_eq!(Month::parse(text), None, "{text:?}");
        }
    }
}
