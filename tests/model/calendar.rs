//! Days, hours and spans in a time zone, found by looking at the clock minute by minute.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::request::{Days, Request, Scale};
use crate::world::{Week, World};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

thread_local! {
    static ZONES: RefCell<HashMap<String, TimeZone>> = RefCell::default();
    static STARTS: RefCell<HashMap<(String, Date), i64>> = RefCell::default();
}

fn zone_named(name: &str) -> TimeZone {
    ZONES.with_borrow_mut(|zones| {
        zones.entry(name.to_owned()).or_insert_with(|| TimeZone::get(name).unwrap()).clone()
    })
}

/// What the clock shows.
pub fn clock(zone: &str, at: i64) -> DateTime {
    zone_named(zone).to_datetime(Timestamp::from_millisecond(at).unwrap())
}

pub fn plus_days(date: Date, days: i64) -> Date {
    date.checked_add(days.days()).unwrap()
}

/// Midnight of the date in UTC.
fn utc_midnight(date: Date) -> i64 {
    date.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond()
}

/// The first moment at which the clock shows this date or a later one: zones do skip dates.
pub fn day_start(zone: &str, date: Date) -> i64 {
    let key = (zone.to_owned(), date);
    if let Some(known) = STARTS.with_borrow(|starts| starts.get(&key).copied()) {
        return known;
    }
    let midnight = utc_midnight(date);
    let ahead = |at: i64| utc_of_clock(clock(zone, at)) - at;
    let mut at = midnight - ahead(midnight - DAY).max(ahead(midnight + DAY)) - 150 * MINUTE;
    assert!(clock(zone, at).date() < date, "the search for {date} in {zone} begins too late");
    while clock(zone, at).date() < date {
        at += MINUTE;
    }
    STARTS.with_borrow_mut(|starts| starts.insert(key, at));
    at
}

fn utc_of_clock(shown: DateTime) -> i64 {
    shown.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond()
}

/// Moments at which the clock is set.
pub fn clock_changes(zone: &str, from: i64, to: i64) -> Vec<i64> {
    let from = Timestamp::from_millisecond(from).unwrap();
    let zone = zone_named(zone);
    let moments = zone.following(from).map(|change| change.timestamp().as_millisecond());
    moments.take_while(|at| *at < to).collect()
}

/// A stretch of time that a request is about.
#[derive(Debug, Clone)]
pub struct Period {
    pub zone: String,
    pub first: Date,
    pub last: Date,
    pub span: Range<i64>,
    kind: PeriodKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeriodKind {
    /// Whole days.
    Days,
    /// A part of a day, between two times of the clock.
    Clock(Time, Time),
    /// Seconds up to now.
    Window,
}

/// A line of a series: the first date of its calendar unit, and which times belong to it.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub date: Date,
    pub span: Range<i64>,
}

impl Period {
    pub fn of(request: &Request, world: &World) -> Self {
        let zone = request.zone.unwrap_or(world.zone);
        if let Some(seconds) = request.start {
            return Self::last_seconds(zone, seconds, world.now);
        }
        let (first, last) = Self::days_of(request, world);
        let period = Self::days(zone, first, last);
        match request.times {
            Some(times) => period.between(times.0, times.1),
            None => period,
        }
    }

    /// First and last day: put in order, the last not later than tomorrow unless both are.
    pub fn days_of(request: &Request, world: &World) -> (Date, Date) {
        let Days { from, to, .. } = request.days;
        let tomorrow = plus_days(clock("UTC", world.now).date(), 1);
        let first = from.min(to);
        (first, from.max(to).min(tomorrow).max(first))
    }

    pub fn days(zone: &str, first: Date, last: Date) -> Self {
        let span = day_start(zone, first)..day_start(zone, plus_days(last, 1));
        Self { zone: zone.to_owned(), first, last, span, kind: PeriodKind::Days }
    }

    /// Seconds up to now, now included: whole seconds of the clock.
    pub fn last_seconds(zone: &str, seconds: u32, now: i64) -> Self {
        let now = now.div_euclid(1000) * 1000;
        Self::window(zone, now - i64::from(seconds) * 1000..now + 1000)
    }

    fn window(zone: &str, span: Range<i64>) -> Self {
        let (first, last) = (clock(zone, span.start).date(), clock(zone, span.end - 1).date());
        Self { zone: zone.to_owned(), first, last, span, kind: PeriodKind::Window }
    }

    /// From the first minute of the day whose clock shows `from` or later to the last that shows `to` or earlier.
    fn between(mut self, from: Option<Time>, to: Option<Time>) -> Self {
        let (from, to) = (from.unwrap_or(Time::midnight()), to.unwrap_or(Time::constant(23, 59, 0, 0)));
        let (from, to) = (from.min(to), from.max(to));
        let whole = self.span.start..day_start(&self.zone, plus_days(self.first, 1));
        let minutes: Vec<i64> = whole.clone().step_by(MINUTE as usize).collect();
        let day = self.first;
        let shown: Vec<(i64, DateTime)> = minutes.iter().map(|at| (*at, clock(&self.zone, *at))).collect();
        let of_day = || shown.iter().filter(|(_, shown)| shown.date() == day);
        let first = of_day().find(|(_, shown)| shown.time() >= from).map_or(whole.end, |(at, _)| *at);
        let end = of_day().rev().find(|(_, shown)| shown.time() <= to).map_or(first, |(at, _)| at + MINUTE);
        self.span = first..end.max(first);
        self.kind = PeriodKind::Clock(from, to);
        self
    }

    /// The calendar units that the days touch, each cut to the span.
    pub fn buckets(&self, scale: Scale, week: Week) -> Vec<Bucket> {
        let mut buckets = Vec::new();
        let mut date = unit_start(self.first, scale, week);
        while date <= self.last {
            let next = unit_start(unit_after(date, scale), scale, week);
            let start = day_start(&self.zone, date).clamp(self.span.start, self.span.end);
            let end = day_start(&self.zone, next).clamp(self.span.start, self.span.end);
            buckets.push(Bucket { date, span: start..end });
            date = next;
        }
        buckets
    }

    /// The period that growth compares with.
    pub fn previous(&self, now: i64) -> Self {
        match self.kind {
            PeriodKind::Window => {
                return Self::window(&self.zone, self.span.start - DAY..self.span.end - DAY);
            }
            PeriodKind::Clock(from, to) => {
                let day = plus_days(self.first, -1);
                return Self::days(&self.zone, day, day).between(Some(from), Some(to));
            }
            PeriodKind::Days => {}
        }
        if self.first < self.last {
            let days = i64::from((self.last - self.first).get_days()) + 1;
            return Self::days(&self.zone, plus_days(self.first, -days), plus_days(self.first, -1));
        }
        let day = plus_days(self.first, -7);
        let mut before = Self::days(&self.zone, day, day);
        let shown = clock(&self.zone, now);
        if shown.date() == self.first {
            let same = zone_named(&self.zone).to_ambiguous_timestamp(day.to_datetime(shown.time()));
            let end = same.compatible().unwrap().as_millisecond().div_euclid(1000) * 1000;
            before.span.end = end.clamp(before.span.start, before.span.end);
        }
        before
    }
}

fn unit_start(date: Date, scale: Scale, week: Week) -> Date {
    match scale {
        Scale::Day => date,
        Scale::Week => {
            let weekday = date.weekday();
            let since = match week {
                Week::FromMonday => weekday.to_monday_zero_offset(),
                Week::FromSunday => weekday.to_sunday_zero_offset(),
            };
            plus_days(date, -i64::from(since))
        }
        Scale::Month => date.first_of_month(),
        Scale::Year => date.first_of_year(),
    }
}

fn unit_after(date: Date, scale: Scale) -> Date {
    match scale {
        Scale::Day => plus_days(date, 1),
        Scale::Week => plus_days(date, 7),
        Scale::Month => plus_days(date.last_of_month(), 1),
        Scale::Year => plus_days(date.last_of_year(), 1),
    }
}
