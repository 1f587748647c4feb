//! Growth: a period against the one before.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Measures, Metrics, Unit};

use super::custom::Custom;
use super::numbers::{growth, share};
use super::{Ask, Line, Question};

/// By which fraction each number exceeds that of the period before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Growth {
    pub visitors: f64,
    pub views: f64,
    pub sessions: f64,
    /// Of the bounce rate.
    pub bounces: f64,
    pub time_spent: f64,
    /// Of the share of all visitors.
    pub conversion: f64,
    /// Of the average of the custom metric.
    pub custom_average: f64,
    /// Of the total of the custom metric.
    pub custom_total: f64,
}

/// The numbers of one of the two periods.
struct Side {
    metrics: Metrics,
    whole: Metrics,
    custom: Custom,
    seconds: u64,
}

/// Compares the question's period with the one before it.
///
/// # Errors
/// As [`Ask::ask`].
pub fn compare<A: Ask>(question: &Question<'_, A>, now_ms: i64) -> Result<Growth, QueryError> {
    let before = question.period.previous(now_ms);
    let current = side(question)?;
    let previous = side(&Question { period: &before, ..*question })?;
    let of = |number: fn(&Side) -> f64| growth(number(&current), number(&previous));
    Ok(Growth {
        visitors: of(|side| side.metrics.visitors as f64),
        views: of(|side| side.metrics.views as f64),
        sessions: of(|side| side.metrics.sessions as f64),
        bounces: of(|side| share(side.metrics.bounces, side.metrics.sessions)),
        time_spent: of(|side| side.seconds as f64),
        conversion: of(|side| share(side.metrics.visitors, side.whole.visitors)),
        custom_average: of(|side| side.custom.average()),
        custom_total: of(|side| side.custom.total()),
    })
}

/// The time spent is the durations of events when the filter names events, the time on the page when it names a path,
/// else the durations of sessions.
fn side<A: Ask>(question: &Question<'_, A>) -> Result<Side, QueryError> {
    let of_events = question.selection.has_event();
    let of_pages = !of_events && !question.selection.path.is_empty();
    let durations = !of_events && !of_pages;
    let measures = Measures { durations, time_on_page: of_pages, meta_keys: false };
    let Line { metrics, whole, custom, .. } = question.measured(measures)?;
    let seconds = match (of_events, of_pages) {
        (true, _) => question.one(&question.query(Unit::Events, Group::All))?.event_seconds,
        (false, true) => metrics.page_seconds,
        (false, false) => metrics.duration_seconds,
    };
    Ok(Side { metrics, whole, custom, seconds })
}
