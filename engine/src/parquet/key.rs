//! Which sessions a file of the lake holds, and how it is named: those opened in a month or, where there are very many,
//! on a day.

use std::fmt;

use super::month::Month;
use crate::units::DayUtc;

/// Whole months come before the days of a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// All sessions opened in a month: `YYYY-MM`.
    Month(Month),
    /// All sessions opened on a day: `YYYY-MM-DD`.
    Day(DayUtc),
}

impl Key {
    /// The month that holds it.
    pub fn month(self) -> Month {
        match self {
            Key::Month(month) => month,
            Key::Day(day) => Month::of(day),
        }
    }

    /// Whether sessions opened on this day belong to it.
    pub fn holds(self, day: DayUtc) -> bool {
        match self {
            Key::Month(month) => Month::of(day) == month,
            Key::Day(known) => known == day,
        }
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        match Month::parse(text) {
            Some(month) => Some(Key::Month(month)),
            None => Some(Key::Day(Month::parse(text.get(..7)?)?.day(text.get(7..)?.strip_prefix('-')?)?)),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Month(month) => month.fmt(f),
            Key::Day(day) => {
                let month = Month::of(*day);
                write!(f, "{month}-{:02}", day.0 - month.first_day().0 + 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_back_from_its_name() {
        for day in (0..=u16::MAX).map(DayUtc) {
            let keys = [Key::Month(Month::of(day)), Key::Day(day)];
            for key in keys {
                assert_eq!(Key::parse(&key.to_string()), Some(key));
                assert!(key.holds(day));
                assert_eq!(key.month(), Month::of(day));
            }
        }
        assert_eq!(Key::Day(DayUtc(20_758)).to_string(), "2026-11-01");
        assert!(!Key::Day(DayUtc(5)).holds(DayUtc(6)));
    }

    #[test]
    fn other_names_are_no_keys() {
        for text in
            ["", "2026", "2026-11-31", "2026-11-00", "2026-11-1", "2026-11-001", "2026-11x01", "2026-11-+1"]
        {
            assert_eq!(Key::parse(text), None, "{text}");
        }
    }
}
