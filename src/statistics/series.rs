//! Statistics by time: one line a day (week, month, year), or what the clock shows.
//!
//! A series is complete: days without anything have a line of zeros. The whole of a day is that day's; the whole
//! of an hour of the day is the period's.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Filter, Group, GroupRow, Measures, Metrics, Query, Unit};

use super::numbers::mean_rounded;
use super::{Ask, Line, Question, custom};

/// What a line of a day shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daily {
    /// The counts.
    Counts,
    /// The average duration of sessions.
    SessionDuration,
    /// The average time on page.
    TimeOnPage,
}

/// Which cycle of a clock is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycle {
    /// The 60 minutes of an hour.
    Hour,
    /// The 24 hours of a day.
    Day,
    /// The 168 hours of a week, Monday from 00:00 first.
    Week,
}

impl Cycle {
    fn slot(self) -> (i64, u16) {
        match self {
            Self::Hour => (60_000, 60),
            Self::Day => (3_600_000, 24),
            Self::Week => (3_600_000, 168),
        }
    }
}

/// One line a day (week, month, year); its key is the first date.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_unit<A: Ask>(question: &Question<'_, A>, daily: Daily) -> Result<Vec<Line>, QueryError> {
    let units = question.period.buckets(question.scale);
    let (unit, measures) = match daily {
        Daily::Counts => (Unit::Sessions, Measures::default()),
        Daily::SessionDuration => (Unit::Sessions, Measures { durations: true, ..Measures::default() }),
        Daily::TimeOnPage => (Unit::PageViews, Measures { time_on_page: true, ..Measures::default() }),
    };
    let group = || Group::Buckets(units.edges.clone());
    let sums_only = daily != Daily::Counts;
    let query = Query { measures, sums_only, ..question.query(unit, group()) };
    let rows = question.ask.ask(&query)?.rows;
    let (mut whole, mut customs) = (rows.clone(), Vec::new());
    if daily == Daily::Counts {
        if !question.selection.is_empty() {
            let unfiltered = Query { filter: Filter::default(), ..question.query(unit, group()) };
            whole = question.ask.ask(&unfiltered)?.rows;
        }
        customs = custom::by_group(question, group())?;
    }
    let numbers = |rows: &[GroupRow], bucket: Option<usize>| -> Metrics {
        bucket.and_then(|bucket| rows.get(bucket)).map(|row| row.metrics).unwrap_or_default()
    };
    let lines = units.dates.iter().map(|(date, bucket)| {
        let metrics = numbers(&rows, *bucket);
        Line {
            keys: vec![date.to_string()],
            metrics,
            whole: numbers(&whole, *bucket),
            seconds: seconds(daily, &metrics),
            custom: bucket.and_then(|bucket| customs.get(bucket)).copied().unwrap_or_default(),
            ..Line::default()
        }
    });
    Ok(question.page.cut(lines.collect()))
}

fn seconds(daily: Daily, metrics: &Metrics) -> u64 {
    match daily {
        Daily::Counts => 0,
        Daily::SessionDuration => mean_rounded(metrics.duration_seconds, metrics.duration_count),
        Daily::TimeOnPage => mean_rounded(metrics.page_seconds, metrics.page_count),
    }
}

/// One line a slot of the cycle, over page views at their own time.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_clock<A: Ask>(question: &Question<'_, A>, cycle: Cycle) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    let (slot_ms, slot_count) = cycle.slot();
    let group = || Group::Clock(question.period.clock(slot_ms, slot_count));
    let rows = question.ask.ask(&question.query(Unit::PageViews, group()))?.rows;
    let customs = custom::by_group(question, group())?;
    let lines = (0..slot_count).map(|slot| {
        let at = usize::from(slot);
        let metrics = rows.get(at).map(|row| row.metrics).unwrap_or_default();
        let custom = customs.get(at).copied().unwrap_or_default();
        Line { slot, metrics, whole, custom, ..Line::default() }
    });
    Ok(question.page.cut(lines.collect()))
}
