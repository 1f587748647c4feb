//! Statistics by time: one line a day, an hour of the day, an hour of the week.
//!
//! A series is complete: days without anything have a line of zeros. The whole of a day is that day's; the whole
//! of an hour of the day is the period's.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Filter, Group, Measures, Metrics, Query, Unit};

use super::numbers::mean_rounded;
use super::{Ask, Line, Question};

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

/// Which cycle hours are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycle {
    /// 24 hours.
    Day,
    /// 168 hours, Monday from 00:00 first.
    Week,
}

/// One line a day; its key is the local date.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_day<A: Ask>(question: &Question<'_, A>, daily: Daily) -> Result<Vec<Line>, QueryError> {
    let days = question.period.day_buckets();
    let (unit, measures) = match daily {
        Daily::Counts => (Unit::Sessions, Measures::default()),
        Daily::SessionDuration => (Unit::Sessions, Measures { durations: true, ..Measures::default() }),
        Daily::TimeOnPage => (Unit::PageViews, Measures { time_on_page: true, ..Measures::default() }),
    };
    let query = Query { measures, ..question.query(unit, Group::Buckets(days.edges.clone())) };
    let rows = question.ask.ask(&query)?.rows;
    let whole = if daily == Daily::Counts && !question.selection.is_empty() {
        let group = Group::Buckets(days.edges);
        question.ask.ask(&Query { filter: Filter::default(), ..question.query(unit, group) })?.rows
    } else {
        rows.clone()
    };
    let numbers = |rows: &[hitstone_engine::query::GroupRow], bucket: Option<usize>| -> Metrics {
        bucket.and_then(|bucket| rows.get(bucket)).map(|row| row.metrics).unwrap_or_default()
    };
    let lines = days.dates.into_iter().map(|(date, bucket)| {
        let metrics = numbers(&rows, bucket);
        Line {
            keys: vec![date.to_string()],
            metrics,
            whole: numbers(&whole, bucket),
            seconds: seconds(daily, &metrics),
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

/// One line an hour of the cycle, over page views at their own time.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_hour<A: Ask>(question: &Question<'_, A>, cycle: Cycle) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    let hours = question.period.hour_buckets();
    let slot_count = match cycle {
        Cycle::Day => 24,
        Cycle::Week => 168,
    };
    let slots = hours.hours_of_week.iter().map(|hour| hour % slot_count).collect();
    let group = Group::Cycle { edges: hours.edges, slots, slot_count };
    let rows = question.ask.ask(&question.query(Unit::PageViews, group))?.rows;
    let lines = (0..slot_count).map(|slot| {
        let metrics = rows.get(usize::from(slot)).map(|row| row.metrics).unwrap_or_default();
        Line { slot, metrics, whole, ..Line::default() }
    });
    Ok(question.page.cut(lines.collect()))
}
