//! The local days of a site's zone, told to the engine, which knows no zones.

use std::ops::Range;

use hitstone_engine::aggregate::LocalDays;
use hitstone_engine::units::TimestampMs;
use jiff::tz::TimeZone;

use super::period::{Period, Scale, local_date};

/// The days that hold the span, in the zone of this name.
pub fn local_days(zone: &TimeZone, name: &str, span: &Range<TimestampMs>) -> LocalDays {
    let last = span.end.saturating_sub(1).max(span.start);
    let period = Period::days(zone.clone(), local_date(zone, span.start), local_date(zone, last));
    let days = period.buckets(Scale::Day);
    let happened = days.dates.iter().filter(|(_, bucket)| bucket.is_some());
    let month =
        |year: i16, month: i8| u32::from(year.max(0).unsigned_abs()) * 12 + u32::from(month.unsigned_abs());
    let months = happened.map(|(date, _)| month(date.year(), date.month())).collect();
    // A cycle of any length begins with the first Monday of all.
    let shifts = period.clock(1, 1).pieces;
    LocalDays { zone: name.to_owned(), edges: days.edges, months, shifts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::period::plus_days;
    use jiff::civil::date;

    #[test]
    fn days_are_those_of_questions() {
        for name in ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia"] {
            let zone = TimeZone::get(name).unwrap();
            let (first, last) = (date(2011, 12, 1), date(2012, 4, 1));
            let year = Period::days(zone.clone(), first, last);
            // From the middle of a day to the middle of another.
            let span = year.span().start + 40_000_000..year.span().end - 40_000_000;
            let days = local_days(&zone, name, &span);
            assert!(days.is_sound());
            assert_eq!(days.edges, year.buckets(Scale::Day).edges);
            assert_eq!(days.shifts, year.clock(3_600_000, 168).pieces);
            let months: std::collections::BTreeSet<_> = days.months.iter().collect();
            assert_eq!(months.len(), 5);
            let week =
                Period::days(zone.clone(), plus_days(first, 7), plus_days(first, 13)).buckets(Scale::Day);
            assert!(week.edges.iter().all(|edge| days.edges.contains(edge)));
        }
    }
}
