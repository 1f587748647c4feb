//! Spans of time in a time zone: days, hours, the period before.
//!
//! A day is whatever the zone calls one: 23 to 25 hours mostly, nothing at all where a zone skipped a date. Edges
//! are strictly increasing, so a date that did not happen has no bucket; only when nothing else was asked for there
//! are two equal edges, an empty bucket.

use std::ops::Range;

use hitstone_engine::query::Clock;
use hitstone_engine::units::TimestampMs;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS_A_WEEK: i64 = 7;

/// A span of time as a reader asked for it.
#[derive(Debug, Clone)]
pub struct Period {
    zone: TimeZone,
    first: Date,
    last: Date,
    span: Range<TimestampMs>,
    shape: Shape,
}

/// What a period is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Whole days.
    Days,
    /// The last seconds.
    Window,
    /// Some minutes of a day: the first and the last.
    Minutes(Time, Time),
}

/// What a series has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Days.
    #[default]
    Day,
    /// Weeks that begin on this day.
    Week(Weekday),
    /// Months.
    Month,
    /// Years.
    Year,
}

impl Scale {
    /// The first date of the unit that holds `date`.
    fn start(self, date: Date) -> Date {
        match self {
            Self::Day => date,
            Self::Week(first) => plus_days(date, -i64::from(first.until(date.weekday()))),
            Self::Month => date.first_of_month(),
            Self::Year => date.first_of_year(),
        }
    }

    /// The first date of the unit after the one that begins on `start`; stays within the calendar.
    fn next(self, start: Date) -> Date {
        match self {
            Self::Day => plus_days(start, 1),
            Self::Week(_) => plus_days(start, DAYS_A_WEEK),
            Self::Month => start.saturating_add(Span::new().months(1)),
            Self::Year => start.saturating_add(Span::new().years(1)),
        }
    }
}

/// The days (weeks, months, years) of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    /// The first date of each, with its bucket; `None` for a date that the zone skipped.
    pub dates: Vec<(Date, Option<usize>)>,
    /// The edges of the buckets.
    pub edges: Vec<TimestampMs>,
}

impl Period {
    /// The days from `first` to `last`, both included.
    pub fn days(zone: TimeZone, first: Date, last: Date) -> Self {
        let (first, last) = (first.min(last), first.max(last));
        let start = day_start(&zone, first);
        let span = start..day_start(&zone, plus_days(last, 1)).max(start);
        Self { zone, first, last, span, shape: Shape::Days }
    }

    /// The minutes of a day from `first` to `last`, both included, as the zone's clock shows them.
    pub fn minutes(zone: TimeZone, date: Date, first: Time, last: Time) -> Self {
        let (first, last) = (first.min(last), first.max(last));
        let day = day_start(&zone, date)..day_start(&zone, plus_days(date, 1));
        let start = earliest(&zone, date.to_datetime(first)).clamp(day.start, day.end);
        let end = match latest(&zone, date.to_datetime(last)) {
            (at, true) => at + MINUTE_MS,
            (at, false) => at,
        };
        let span = start..end.min(day.end).max(start);
        Self { zone, first: date, last: date, span, shape: Shape::Minutes(first, last) }
    }

    /// The last seconds up to now, now included. Begins and ends with whole seconds of the clock, as all periods: what
    /// is long past is known to the second only.
    pub fn last_seconds(zone: TimeZone, seconds: u32, now_ms: TimestampMs) -> Self {
        let now = whole_second(now_ms);
        Self::window(zone, now.saturating_sub(i64::from(seconds) * SECOND_MS)..now.saturating_add(SECOND_MS))
    }

    fn window(zone: TimeZone, span: Range<TimestampMs>) -> Self {
        let (first, last) = (local_date(&zone, span.start), local_date(&zone, span.end - 1));
        Self { zone, first, last, span, shape: Shape::Window }
    }

    /// The span itself, end excluded.
    pub fn span(&self) -> Range<TimestampMs> {
        self.span.clone()
    }

    /// The days (weeks, months, years), cut to the span.
    pub fn buckets(&self, scale: Scale) -> Days {
        let mut days = Days { dates: Vec::new(), edges: vec![self.span.start] };
        let (mut date, mut edge) = (scale.start(self.first), self.span.start);
        loop {
            let next = scale.next(date);
            let end = day_start(&self.zone, next).min(self.span.end);
            let bucket = (end > edge).then(|| {
                days.edges.push(end);
                days.edges.len() - 2
            });
            days.dates.push((date, bucket));
            edge = edge.max(end);
            if next > self.last || next <= date {
                break;
            }
            date = next;
        }
        if days.edges.len() < 2 {
            days.edges.push(self.span.end);
        }
        days
    }

    /// The zone's clock: slots of a cycle, of which the first begins at midnight (of a Monday, for a cycle of a week).
    pub fn clock(&self, slot_ms: i64, slot_count: u16) -> Clock {
        // 1970-01-01 was a Thursday, three days after a Monday; for shorter cycles whole days make no difference.
        let shift = |at| offset_ms(&self.zone, at) + 3 * DAY_MS;
        let mut pieces = vec![(self.span.start, shift(self.span.start))];
        let transitions = timestamp(self.span.start).into_iter().flat_map(|from| self.zone.following(from));
        for at in transitions.map(|transition| transition.timestamp().as_millisecond()) {
            if at >= self.span.end {
                break;
            }
            pieces.push((at, shift(at)));
        }
        Clock { pieces, slot_ms, slot_count }
    }

    /// The period that this one is compared with: as many days just before; of a single day the same weekday of
    /// the week before, and when that day is today only up to the same time of day; of a part of a day the same the
    /// day before.
    pub fn previous(&self, now_ms: TimestampMs) -> Self {
        match self.shape {
            Shape::Window => {
                return Self::window(self.zone.clone(), self.span.start - DAY_MS..self.span.end - DAY_MS);
            }
            Shape::Minutes(first, last) => {
                return Self::minutes(self.zone.clone(), plus_days(self.first, -1), first, last);
            }
            Shape::Days => {}
        }
        if self.first < self.last {
            let count = day_number(self.last) - day_number(self.first) + 1;
            return Self::days(self.zone.clone(), plus_days(self.first, -count), plus_days(self.first, -1));
        }
        let day = plus_days(self.first, -DAYS_A_WEEK);
        let mut before = Self::days(self.zone.clone(), day, day);
        if self.first == local_date(&self.zone, now_ms) {
            let same_time = whole_second(same_time_of_day(&self.zone, now_ms, day));
            before.span.end = same_time.clamp(before.span.start, before.span.end);
        }
        before
    }
}

/// The begin of the second that a moment is in.
fn whole_second(at: TimestampMs) -> TimestampMs {
    at.div_euclid(SECOND_MS).saturating_mul(SECOND_MS)
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
pub fn day_start(zone: &TimeZone, date: Date) -> TimestampMs {
    earliest(zone, date.at(0, 0, 0, 0))
}

/// The moment of `date` at which the zone's clock shows the same as at `now_ms`.
fn same_time_of_day(zone: &TimeZone, now_ms: TimestampMs, date: Date) -> TimestampMs {
    let time_of_day = (now_ms + offset_ms(zone, now_ms)).rem_euclid(DAY_MS);
    let time = timestamp(now_ms).map(|now| zone.to_datetime(now).time()).unwrap_or_default();
    zone.to_ambiguous_timestamp(date.to_datetime(time))
        .compatible()
        .map_or(day_start(zone, date) + time_of_day, |at| at.as_millisecond())
}

/// The first moment at which the zone's clock shows `time`, or passes over it.
fn earliest(zone: &TimeZone, time: DateTime) -> TimestampMs {
    let local = local_ms(time);
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            local - i64::from(offset.seconds()) * 1000
        }
        AmbiguousOffset::Gap { before, .. } => gap(zone, local - i64::from(before.seconds()) * 1000),
    }
}

/// The last moment at which the zone's clock shows `time`, and `true`; or when it passed over it, and `false`.
fn latest(zone: &TimeZone, time: DateTime) -> (TimestampMs, bool) {
    let local = local_ms(time);
    match zone.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => {
            (local - i64::from(offset.seconds()) * 1000, true)
        }
        AmbiguousOffset::Gap { before, .. } => (gap(zone, local - i64::from(before.seconds()) * 1000), false),
    }
}

/// When the clock was put forward, given a moment at or after that, before the next change.
fn gap(zone: &TimeZone, after: TimestampMs) -> TimestampMs {
    timestamp(after + 1)
        .and_then(|at| zone.preceding(at).next())
        .map_or(after, |transition| transition.timestamp().as_millisecond())
}

fn local_ms(time: DateTime) -> i64 {
    let midnight = day_number(time.date()) * DAY_MS;
    midnight + i64::from(time.hour()) * HOUR_MS + i64::from(time.minute()) * MINUTE_MS
}

fn offset_ms(zone: &TimeZone, at: TimestampMs) -> i64 {
    timestamp(at).map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1000)
}

fn timestamp(at: TimestampMs) -> Option<Timestamp> {
    Timestamp::from_millisecond(at).ok()
}

#[cfg(test)]
mod tests;
