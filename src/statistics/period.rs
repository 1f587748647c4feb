//! Spans of time in a time zone: days, hours, the period before.
//!
//! A day is whatever the zone calls one: 23 to 25 hours mostly, nothing at all where a zone skipped a date. Edges
//! are strictly increasing, so a date that did not happen has no bucket.

use std::ops::Range;

use hitstone_engine::units::TimestampMs;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS_A_WEEK: i64 = 7;

/// A span of time as a reader asked for it.
#[derive(Debug, Clone)]
pub struct Period {
    zone: TimeZone,
    first: Date,
    last: Date,
    span: Range<TimestampMs>,
    /// A span that ends now and not at a day's edge.
    window: bool,
}

/// The days of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    /// Every date, with its bucket; `None` for a date that the zone skipped.
    pub dates: Vec<(Date, Option<usize>)>,
    /// The edges of the buckets.
    pub edges: Vec<TimestampMs>,
}

/// The hours of a period, each with its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// The edges of the buckets.
    pub edges: Vec<TimestampMs>,
    /// The hour of the local week of each bucket: 0 is Monday from 00:00, 167 Sunday from 23:00.
    pub hours_of_week: Vec<u16>,
}

impl Period {
    /// The days from `first` to `last`, both included.
    pub fn days(zone: TimeZone, first: Date, last: Date) -> Self {
        let (first, last) = (first.min(last), first.max(last));
        let start = day_start(&zone, first);
        let span = start..day_start(&zone, plus_days(last, 1)).max(start + 1);
        Self { zone, first, last, span, window: false }
    }

    /// The last seconds up to now, now included.
    pub fn last_seconds(zone: TimeZone, seconds: u32, now_ms: TimestampMs) -> Self {
        let start = now_ms.saturating_sub(i64::from(seconds) * 1000);
        Self::window(zone, start..now_ms.saturating_add(1))
    }

    fn window(zone: TimeZone, span: Range<TimestampMs>) -> Self {
        let (first, last) = (local_date(&zone, span.start), local_date(&zone, span.end - 1));
        Self { zone, first, last, span, window: true }
    }

    /// The span itself, end excluded.
    pub fn span(&self) -> Range<TimestampMs> {
        self.span.clone()
    }

    /// The days, cut to the span.
    pub fn day_buckets(&self) -> Days {
        let mut days = Days { dates: Vec::new(), edges: vec![self.span.start] };
        let (mut date, mut edge) = (self.first, self.span.start);
        loop {
            let next = plus_days(date, 1);
            let end = day_start(&self.zone, next).min(self.span.end);
            let bucket = (end > edge).then(|| {
                days.edges.push(end);
                days.edges.len() - 2
            });
            days.dates.push((date, bucket));
            edge = edge.max(end);
            if date >= self.last || next <= date {
                break;
            }
            date = next;
        }
        if days.edges.len() < 2 {
            days.edges.push(self.span.end);
        }
        days
    }

    /// The hours, cut to the span: a new bucket wherever the local clock begins an hour or is set.
    pub fn hour_buckets(&self) -> Hours {
        let mut hours = Hours { edges: vec![self.span.start], hours_of_week: Vec::new() };
        let mut at = self.span.start;
        while at < self.span.end {
            let offset_ms = offset_ms(&self.zone, at);
            let clock_set = timestamp(at)
                .and_then(|from| self.zone.following(from).next())
                .map_or(self.span.end, |transition| transition.timestamp().as_millisecond())
                .min(self.span.end);
            while at < clock_set {
                let local = at + offset_ms;
                hours.hours_of_week.push(hour_of_week(local));
                at = (at + HOUR_MS - local.rem_euclid(HOUR_MS)).min(clock_set);
                hours.edges.push(at);
            }
        }
        hours
    }

    /// The period that this one is compared with: as many days just before; of a single day the same weekday of
    /// the week before, and when that day is today only up to the same time of day; of a window the same the day
    /// before.
    pub fn previous(&self, now_ms: TimestampMs) -> Self {
        if self.window {
            return Self::window(self.zone.clone(), self.span.start - DAY_MS..self.span.end - DAY_MS);
        }
        if self.first < self.last {
            let count = day_number(self.last) - day_number(self.first) + 1;
            return Self::days(self.zone.clone(), plus_days(self.first, -count), plus_days(self.first, -1));
        }
        let day = plus_days(self.first, -DAYS_A_WEEK);
        let mut before = Self::days(self.zone.clone(), day, day);
        if self.first == local_date(&self.zone, now_ms) {
            let same_time = same_time_of_day(&self.zone, now_ms, day);
            before.span.end = same_time.clamp(before.span.start + 1, before.span.end);
        }
        before
    }
}

/// The date in the zone at a moment.
pub fn local_date(zone: &TimeZone, at: TimestampMs) -> Date {
    timestamp(at).map_or(Date::constant(1970, 1, 1), |at| zone.to_datetime(at).date())
}

/// `date` moved by a number of days; stays within the calendar.
pub fn plus_days(date: Date, days: i64) -> Date {
    date.saturating_add(jiff::SignedDuration::from_hours(days * 24))
}

/// Days since 1970-01-01.
pub fn day_number(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24
}

/// The first moment of a date in the zone; of a date that the zone skipped, the moment at which it was skipped.
fn day_start(zone: &TimeZone, date: Date) -> TimestampMs {
    let midnight = day_number(date) * DAY_MS;
    match zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            midnight - i64::from(offset.seconds()) * 1000
        }
        AmbiguousOffset::Gap { before, .. } => {
            let after_gap = midnight - i64::from(before.seconds()) * 1000;
            timestamp(after_gap + 1)
                .and_then(|at| zone.preceding(at).next())
                .map_or(after_gap, |transition| transition.timestamp().as_millisecond())
        }
    }
}

/// The moment of `date` at which the zone's clock shows the same as at `now_ms`.
fn same_time_of_day(zone: &TimeZone, now_ms: TimestampMs, date: Date) -> TimestampMs {
    let time_of_day = (now_ms + offset_ms(zone, now_ms)).rem_euclid(DAY_MS);
    let time = timestamp(now_ms).map(|now| zone.to_datetime(now).time()).unwrap_or_default();
    zone.to_ambiguous_timestamp(date.to_datetime(time))
        .compatible()
        .map_or(day_start(zone, date) + time_of_day, |at| at.as_millisecond())
}

fn hour_of_week(local_ms: i64) -> u16 {
    // 1970-01-01 was a Thursday, the fourth day of a week that starts on Monday.
    let day = (local_ms.div_euclid(DAY_MS) + 3).rem_euclid(DAYS_A_WEEK);
    (day * 24 + local_ms.rem_euclid(DAY_MS) / HOUR_MS) as u16
}

fn offset_ms(zone: &TimeZone, at: TimestampMs) -> i64 {
    timestamp(at).map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1000)
}

fn timestamp(at: TimestampMs) -> Option<Timestamp> {
    Timestamp::from_millisecond(at).ok()
}

#[cfg(test)]
mod tests;
