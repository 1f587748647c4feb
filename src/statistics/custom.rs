//! Custom metrics: a number that events carry in their metadata, such as a price.
//!
//! Over custom events that carry the key and that the filter wants. Without a filter that wants events there is no
//! custom metric: a price of all events together means nothing.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, MetaNumber, Metrics, Query, Unit};

use super::{Ask, Question};
use crate::goals::MetricKind;

/// Billionths in one.
const BILLION: f64 = 1e9;
/// Billionths of a number at most: a sum of ten billion such numbers can be counted, in whatever order it is made.
const BILLIONTHS_MAX: i128 = 10_i128.pow(28);

/// Which number is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomMetric {
    /// The metadata key.
    pub key: String,
    /// How its values are read.
    pub kind: MetricKind,
}

/// The sum of a custom metric, and of how many events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Custom {
    sum: i128,
    count: u64,
}

impl Custom {
    /// That of a group.
    pub fn of(metrics: &Metrics) -> Self {
        Self { sum: metrics.number_sum, count: metrics.number_count }
    }

    /// The sum.
    pub fn total(self) -> f64 {
        self.sum as f64 / BILLION
    }

    /// The sum by the number of events; 0 without events.
    pub fn average(self) -> f64 {
        self.total() / self.count.max(1) as f64
    }
}

impl CustomMetric {
    fn number(&self) -> MetaNumber {
        let kind = self.kind;
        MetaNumber { key: self.key.clone(), read: Box::new(move |text| read(kind, text.trim())) }
    }
}

/// The billionths of a text; what is no number counts as 0.
fn read(kind: MetricKind, text: &str) -> i128 {
    match kind {
        MetricKind::Integer => text.parse::<i64>().map_or(0, |number| i128::from(number) * 1_000_000_000),
        MetricKind::Float => {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite()).unwrap_or(0.0);
            ((number * BILLION).round() as i128).clamp(-BILLIONTHS_MAX, BILLIONTHS_MAX)
        }
    }
}

/// The custom metric of each group of `group`, in the order of the report; empty when there is none.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_group<A: Ask>(question: &Question<'_, A>, group: Group) -> Result<Vec<Custom>, QueryError> {
    let Some(custom) = question.custom.filter(|_| question.selection.has_wanted_event()) else {
        return Ok(Vec::new());
    };
    let query = Query { number: Some(custom.number()), ..question.query(Unit::Events, group) };
    Ok(question.ask.ask(&query)?.rows.iter().map(|row| Custom::of(&row.metrics)).collect())
}

/// The custom metric of the whole period.
///
/// # Errors
/// As [`Ask::ask`].
pub fn of_all<A: Ask>(question: &Question<'_, A>) -> Result<Custom, QueryError> {
    Ok(by_group(question, Group::All)?.first().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_numbers() {
        for (kind, text, want) in [
            (MetricKind::Integer, "42", 42.0),
            (MetricKind::Integer, "-7", -7.0),
            (MetricKind::Integer, "4.5", 0.0),
            (MetricKind::Float, "34.56", 34.56),
            (MetricKind::Float, "1e3", 1000.0),
            (MetricKind::Float, "NaN", 0.0),
            (MetricKind::Float, "inf", 0.0),
            (MetricKind::Float, "12 EUR", 0.0),
            (MetricKind::Float, "", 0.0),
        ] {
            assert_eq!(Custom { sum: read(kind, text), count: 1 }.total(), want, "{text}");
        }
        assert_eq!(Custom { sum: 3_000_000_000, count: 2 }.average(), 1.5);
        assert_eq!(Custom::default().average(), 0.0);
        for (text, want) in [("1e300", BILLIONTHS_MAX), ("-1e300", -BILLIONTHS_MAX)] {
            assert_eq!(read(MetricKind::Float, text), want, "{text}");
        }
    }
}
