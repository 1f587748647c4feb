//! The overview of a site: its last thirty days against the thirty before, whatever the filter.

use hitstone_engine::error::QueryError;
use hitstone_engine::units::TimestampMs;
use jiff::tz::TimeZone;

use super::numbers::growth;
use super::period::{Period, local_date, plus_days};
use super::selection::Selection;
use super::series::{self, Daily};
use super::{Ask, Line, Page, Question};

/// Days that an overview is about, today included.
const DAYS: i64 = 30;

/// What an overview shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overview {
    /// The whole period.
    pub total: Line,
    /// Growth of the visitors against the period before.
    pub visitors_growth: f64,
    /// Growth of the views.
    pub views_growth: f64,
    /// Each day.
    pub days: Vec<Line>,
}

/// The overview of the site that the question is about; of the question only the site counts.
///
/// # Errors
/// As [`Ask::ask`].
pub fn overview<A: Ask>(
    question: &Question<'_, A>,
    zone: TimeZone,
    now_ms: TimestampMs,
) -> Result<Overview, QueryError> {
    let today = local_date(&zone, now_ms);
    let period = Period::days(zone, plus_days(today, 1 - DAYS), today);
    let selection = Selection::default();
    let page = Page { offset: 0, limit: None };
    let question = Question {
        selection: &selection,
        period: &period,
        page,
        scale: Default::default(),
        search: None,
        custom: None,
        ..*question
    };
    let total = question.total()?;
    let before = Question { period: &period.previous(now_ms), ..question }.total()?;
    let growth = |number: fn(&Line) -> u64| growth(number(&total) as f64, number(&before) as f64);
    Ok(Overview {
        visitors_growth: growth(|line| line.metrics.visitors),
        views_growth: growth(|line| line.metrics.views),
        total,
        days: series::by_unit(&question, Daily::Counts)?,
    })
}
