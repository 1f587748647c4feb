//! Conversion goals: what a site wants its visitors to do. Plain values: where they are kept is `state`'s business.

use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

/// How a metadata value is read as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// A whole number.
    Integer,
    /// Any number.
    #[default]
    Float,
}

/// A conversion goal. A visit reaches it when it satisfies everything that is set: a page view with a matching path
/// and tags, an event with a matching name and metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The public id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The path as people write it: `*` within a segment, `**` across segments.
    pub path_pattern: Option<String>,
    /// The regular expression made of `path_pattern`, unanchored.
    pub pattern: Option<String>,
    /// Tags of the page view: `key`, or `key=value`.
    pub tags: Vec<String>,
    /// The event's name.
    pub event_name: Option<String>,
    /// A key that the event's metadata must have.
    pub event_meta_key: Option<String>,
    /// The value of that key.
    pub event_meta_value: Option<String>,
    /// The metadata key that the custom metric is read from.
    pub custom_metric_key: Option<String>,
    /// How the custom metric is read.
    pub custom_metric_kind: Option<MetricKind>,
    /// Visitors at which the goal is reached.
    pub visitor_goal: Option<u64>,
    /// Percentage of all visitors at which the goal is reached.
    pub cr_goal: Option<f64>,
    /// Total of the custom metric at which the goal is reached.
    pub custom_metric_total_goal: Option<f64>,
    /// Average of the custom metric at which the goal is reached.
    pub custom_metric_avg_goal: Option<f64>,
    /// The goal is deleted once it is reached.
    pub delete_reached: bool,
    /// Reaching the goal is announced.
    pub email_reached: bool,
    /// When the goal was created.
    pub created: TimestampMs,
    /// When it was changed last.
    pub modified: TimestampMs,
    /// When it was seen to be reached.
    pub reached: Option<TimestampMs>,
}
