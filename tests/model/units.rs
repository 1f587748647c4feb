//! What is counted: sessions at their last activity, or rows at their own time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::matching::{event_passes, row_passes, visit_passes};
use crate::request::{Filter, Metric};
use crate::world::{Kind, Row, Visit, World};

/// A stretch of a world, seen through filters that must all pass.
#[derive(Clone)]
pub struct Scope<'a> {
    pub world: &'a World,
    pub span: Range<i64>,
    pub filters: Vec<Filter>,
}

/// Something that counts: a session, or a row of one.
#[derive(Clone, Copy)]
pub struct Hit<'a> {
    pub visit: &'a Visit,
    pub row: Option<usize>,
    pub time: i64,
}

impl<'a> Hit<'a> {
    /// The row that counts. Sessions have none.
    pub fn row(&self) -> &'a Row {
        &self.visit.rows[self.row.unwrap()]
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub visitors: u64,
    pub sessions: u64,
    pub views: u64,
    pub bounces: u64,
}

impl<'a> Scope<'a> {
    pub fn new(world: &'a World, span: Range<i64>, filter: &Filter) -> Self {
        Self { world, span, filters: vec![filter.clone()] }
    }

    pub fn within(&self, span: Range<i64>) -> Self {
        Self { span, ..self.clone() }
    }

    pub fn filtered(&self, filter: &Filter) -> Self {
        Self { filters: vec![filter.clone()], ..self.clone() }
    }

    pub fn also(&self, filter: Filter) -> Self {
        let mut scope = self.clone();
        scope.filters.push(filter);
        scope
    }

    pub fn tests_rows(&self) -> bool {
        self.filters.iter().any(Filter::tests_rows)
    }

    pub fn visits(&self) -> Vec<&'a Visit> {
        let passes = |visit: &&Visit| self.filters.iter().all(|filter| visit_passes(filter, visit));
        self.world.visits.iter().filter(passes).collect()
    }

    /// Sessions at their last activity; or page views, when rows are asked for.
    pub fn sessions(&self) -> Vec<Hit<'a>> {
        if self.tests_rows() {
            return self.views();
        }
        let hits = self.visits().into_iter().map(|visit| Hit { visit, row: None, time: visit.last() });
        hits.filter(|hit| self.span.contains(&hit.time)).collect()
    }

    fn rows(&self, counts: impl Fn(&Row) -> bool) -> Vec<Hit<'a>> {
        let mut hits = Vec::new();
        for visit in self.visits() {
            for (index, row) in visit.rows.iter().enumerate() {
                let passes = self.filters.iter().all(|filter| row_passes(filter, row));
                if counts(row) && passes && self.span.contains(&row.time) {
                    hits.push(Hit { visit, row: Some(index), time: row.time });
                }
            }
        }
        hits
    }

    pub fn views(&self) -> Vec<Hit<'a>> {
        self.rows(|row| row.kind == Kind::View)
    }

    pub fn events(&self) -> Vec<Hit<'a>> {
        let passes = |row: &Row| self.filters.iter().all(|filter| event_passes(filter, row));
        self.rows(|row| row.kind == Kind::Event && passes(row))
    }

    /// Events that one of the filters wants, in sessions that all of them want.
    pub fn events_of(&self, filter: &Filter) -> Vec<Hit<'a>> {
        self.rows(|row| row.kind == Kind::Event && event_passes(filter, row))
    }

    /// Rows of every kind that pass what tests rows.
    pub fn everything(&self) -> Vec<Hit<'a>> {
        self.rows(|_| true)
    }

    /// Activity of any kind; or page views, when rows are asked for.
    pub fn activity(&self) -> Vec<Hit<'a>> {
        if self.tests_rows() { self.views() } else { self.rows(|_| true) }
    }

    /// The whole of the period, whatever the filter.
    pub fn whole(&self) -> Tally {
        tally(&self.filtered(&Filter::default()).sessions())
    }

    /// Average and total of a custom metric over the events that the filter wants.
    pub fn metric(&self, metric: Option<&Metric>, wants_events: bool) -> (f64, f64) {
        match metric {
            Some(metric) if wants_events => metric_of(&self.events(), metric),
            _ => (0.0, 0.0),
        }
    }
}

pub fn metric_of(events: &[Hit<'_>], metric: &Metric) -> (f64, f64) {
    let texts: Vec<&String> = events.iter().filter_map(|hit| hit.row().meta.get(&metric.key)).collect();
    let number = |text: &&String| {
        if metric.integer == Some(true) {
            text.trim().parse::<i64>().map_or(0.0, |number| number as f64)
        } else {
            text.trim().parse::<f64>().unwrap_or(0.0)
        }
    };
    // A sum of nothing would be minus zero.
    let total = texts.iter().map(number).fold(0.0, |sum, number| sum + number);
    let average = if texts.is_empty() { 0.0 } else { total / texts.len() as f64 };
    (average, total)
}

pub fn tally(hits: &[Hit<'_>]) -> Tally {
    let visits = distinct(hits);
    let visitors: BTreeSet<u64> = visits.iter().map(|visit| visit.visitor).collect();
    let views = hits.iter().map(|hit| if hit.row.is_some() { 1 } else { hit.visit.views().count() });
    Tally {
        visitors: visitors.len() as u64,
        sessions: visits.len() as u64,
        views: views.sum::<usize>() as u64,
        bounces: visits.iter().filter(|visit| visit.bounced()).count() as u64,
    }
}

/// Each visit once.
pub fn distinct<'a>(hits: &[Hit<'a>]) -> Vec<&'a Visit> {
    let visits: BTreeMap<(u64, u32), &Visit> =
        hits.iter().map(|hit| ((hit.visit.visitor, hit.visit.id), hit.visit)).collect();
    visits.into_values().collect()
}

pub fn visitors(hits: &[Hit<'_>]) -> u64 {
    tally(hits).visitors
}

/// The mean of those that are not zero, rounded half to even.
pub fn mean(values: impl Iterator<Item = i64>) -> i64 {
    let values: Vec<i64> = values.filter(|value| *value > 0).collect();
    if values.is_empty() {
        return 0;
    }
    let (sum, count) = (values.iter().sum::<i64>(), values.len() as i64);
    let (floor, rest) = (sum / count, sum % count);
    match (2 * rest).cmp(&count) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + floor % 2,
    }
}

/// The average time on page of page views.
pub fn mean_time_on_page(views: &[Hit<'_>]) -> i64 {
    mean(views.iter().filter_map(|hit| hit.row.map(|index| hit.visit.time_on_page(index))))
}

pub fn mean_duration(hits: &[Hit<'_>]) -> i64 {
    mean(distinct(hits).into_iter().map(Visit::seconds))
}

/// `part` of `whole`, at most 1.
pub fn share(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64).min(1.0)
}
