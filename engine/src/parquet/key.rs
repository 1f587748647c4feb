//! What one file of the lake holds: the sessions that were opened in a month or, of busy sites, on a day.

use std::fmt;
use std::ops::RangeInclusive;

use super::month::{Month, date, day_of};
use crate::units::DayUtc;

/// The opening days of a file's sessions, and the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A whole month: `YYYY-MM`.
    Month(Month),
    /// One UTC day: `YYYY-MM-DD`.
    Day(DayUtc),
}

/// How a month is cut into files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyBy {
    /// All of it is one file.
    Month,
    /// Each day is one.
    Day,
}

impl Key {
    /// The key that holds a day.
    pub fn of(day: DayUtc, by: KeyBy) -> Self {
        match by {
            KeyBy::Month => Key::Month(Month::of(day)),
            KeyBy::Day => Key::Day(day),
        }
    }

    /// How its month is cut.
    pub fn by(self) -> KeyBy {
        match self {
            Key::Month(_) => KeyBy::Month,
            Key::Day(_) => KeyBy::Day,
        }
    }

    /// The month that it is, or is in.
    pub fn month(self) -> Month {
        match self {
            Key::Month(month) => month,
            Key::Day(day) => Month::of(day),
        }
    }

    /// Whether sessions opened on the day are its.
    pub fn contains(self, day: DayUtc) -> bool {
        self == Key::of(day, self.by())
    }

    /// The days whose sessions are its.
    pub fn days(self) -> RangeInclusive<DayUtc> {
        match self {
            Key::Month(month) => month.days(),
            Key::Day(day) => day..=day,
        }
    }

    /// Reads `YYYY-MM` or `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let key = match text.get(7..) {
            Some(day) if !day.is_empty() => {
                let month = Month::parse(text.get(..7)?)?;
                Key::Day(day_of(month, day.strip_prefix('-')?.parse().ok()?)?)
            }
            _ => Key::Month(Month::parse(text)?),
        };
        (key.to_string() == text).then_some(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Month(month) => month.fmt(f),
            Key::Day(day) => {
                let (month, of_month) = date(*day);
                write!(f, "{month}-{of_month:02}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_days_and_months_are_read_back() {
        let mut before = Month::of(DayUtc(0));
        for day in (0..=u16::MAX).map(DayUtc) {
            for by in [KeyBy::Month, KeyBy::Day] {
                let key = Key::of(day, by);
                assert_eq!(Key::parse(&key.to_string()), Some(key));
                assert!(key.contains(day) && key.by() == by && key.month() == Month::of(day), "{key}");
                let next = DayUtc(day.0.wrapping_add(1));
                assert_eq!(key.contains(next), by == KeyBy::Month && Month::of(next) == Month::of(day));
            }
            let begins = Month::of(day) != before || day.0 == 0;
            assert_eq!(Key::Day(day).to_string().ends_with("-01"), begins, "{day:?}");
            before = Month::of(day);
        }
    }

    #[test]
    fn only_whole_names_are_keys() {
        assert_eq!(Key::parse("2026-11-01"), Some(Key::Day(DayUtc(20_758))));
        for text in
            ["2026-11-", "2026-11-0", "2026-11-00", "2026-11-31", "2026-11-+1", "2026-02-29", "2150-01-01"]
        {
            assert_eq!(Key::parse(text), None, "{text:?}");
        }
        for text in ["2026-1", "2026-11-001", "1969-12-31", "", "2026-11é"] {
            assert_eq!(Key::parse(text), None, "{text:?}");
        }
    }
}
