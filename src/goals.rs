//! Conversion goals: what a site wants its visitors to do. Plain values: where they are kept is `state`'s business.

use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::pattern;

/// Goals that a site may have.
pub const GOALS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 200;
const EVENT_NAME_CHARS_MAX: usize = 200;
const META_KEY_CHARS_MAX: usize = 100;
const META_VALUE_CHARS_MAX: usize = 2_000;
const TAGS_MAX: usize = 20;
/// Characters of a tag: as many as its key and its value may have in a hit.
const TAG_CHARS_MAX: usize = 101;

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

impl MetricKind {
    /// The name that people give it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Float => "float",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Integer, Self::Float].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What a goal asks for, as people say it. A visit reaches it when it satisfies everything that is set: a page view
/// with a matching path and tags, an event with a matching name and metadata.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GoalSpec {
    /// What people call it.
    pub name: String,
    /// The path as people write it: `*` within a segment, `**` across segments; or a regular expression, which
    /// begins with `^` or `(?`.
    pub path_pattern: Option<String>,
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
    #[serde(rename = "custom_metric_type")]
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
}

/// A conversion goal: checked, and known by an id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// The public id.
    pub id: String,
    /// What it asks for.
    #[serde(flatten)]
    pub spec: GoalSpec,
    /// The regular expression made of the path, unanchored.
    pub pattern: Option<String>,
    /// When the goal was created.
    pub created: TimestampMs,
    /// When it was changed last.
    pub modified: TimestampMs,
    /// When it was seen to be reached.
    pub reached: Option<TimestampMs>,
}

impl std::ops::Deref for Goal {
    type Target = GoalSpec;

    fn deref(&self) -> &GoalSpec {
        &self.spec
    }
}

/// What is wrong with a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoalFault {
    /// The field at fault, named as in [`GoalSpec`].
    pub field: &'static str,
    /// The rest of a sentence that begins with the field.
    pub message: String,
}

impl GoalFault {
    fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

impl Goal {
    /// A new goal.
    ///
    /// # Errors
    /// The field that is missing or wrong.
    pub fn new(id: String, spec: GoalSpec, now: TimestampMs) -> Result<Self, GoalFault> {
        let spec = checked(spec)?;
        let pattern = spec.path_pattern.as_deref().map(compiled).transpose()?;
        Ok(Self { id, spec, pattern, created: now, modified: now, reached: None })
    }

    /// Replaces all that people say about the goal. It counts as not reached yet when that changes what it asks for.
    ///
    /// # Errors
    /// The field that is missing or wrong; the goal is as it was then.
    pub fn replace(&mut self, spec: GoalSpec, now: TimestampMs) -> Result<(), GoalFault> {
        let new = Self::new(self.id.clone(), spec, now)?;
        let reached = self.reached.filter(|_| self.asks_for_the_same(&new));
        *self = Self { created: self.created, modified: now.max(self.modified), reached, ..new };
        Ok(())
    }

    fn asks_for_the_same(&self, other: &Self) -> bool {
        let GoalSpec { name, delete_reached, email_reached, .. } = self.spec.clone();
        self.spec == GoalSpec { name, delete_reached, email_reached, ..other.spec.clone() }
    }
}

/// The regular expression for a path with wildcards: `*` is any text within a segment, `**` any text at all. Upper
/// and lower case are the same.
pub fn wildcards_to_pattern(path: &str) -> String {
    let mut pattern = String::from("(?i)^");
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**") {
            pattern.push_str(".*");
            rest = after;
            continue;
        }
        match first {
            '*' => pattern.push_str("[^/]*"),
            '\\' | '.' | '+' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => {
                pattern.push('\\');
                pattern.push(first);
            }
            plain => pattern.push(plain),
        }
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
    }
    pattern.push('$');
    pattern
}

/// Whether a path is written as a regular expression. No path begins like that.
fn is_pattern(path: &str) -> bool {
    path.starts_with('^') || path.starts_with("(?")
}

/// The regular expression for a path as goals have it.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence that begins with its name.
pub fn path_pattern(path: &str) -> Result<String, String> {
    check_begin(path).and_then(|()| compiled(path)).map_err(|fault| fault.message)
}

fn check_begin(path: &str) -> Result<(), GoalFault> {
    if path.starts_with(['/', '*']) || is_pattern(path) {
        return Ok(());
    }
    let message = "must begin with / or *, as paths do, or with ^ or (? as a regular expression";
    Err(GoalFault::new("path_pattern", message))
}

fn compiled(path: &str) -> Result<String, GoalFault> {
    let text = if is_pattern(path) { path.to_owned() } else { wildcards_to_pattern(path) };
    match pattern::compile(&text) {
        Ok(_) => Ok(text),
        Err(message) => Err(GoalFault::new("path_pattern", format!("{message} (made into a pattern)"))),
    }
}

/// The goal as it is stored, when it makes sense.
fn checked(spec: GoalSpec) -> Result<GoalSpec, GoalFault> {
    let name = text("name", Some(spec.name.trim().to_owned()), NAME_CHARS_MAX)?
        .ok_or_else(|| GoalFault::new("name", "is required"))?;
    let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
    let path_pattern = text("path_pattern", trimmed(spec.path_pattern), pattern::BYTES_MAX)?;
    if let Some(path) = &path_pattern {
        check_begin(path)?;
    }
    let spec = GoalSpec {
        name,
        path_pattern,
        tags: checked_tags(spec.tags)?,
        event_name: text("event_name", trimmed(spec.event_name), EVENT_NAME_CHARS_MAX)?,
        event_meta_key: text("event_meta_key", spec.event_meta_key, META_KEY_CHARS_MAX)?,
        event_meta_value: text("event_meta_value", spec.event_meta_value, META_VALUE_CHARS_MAX)?,
        custom_metric_key: text("custom_metric_key", spec.custom_metric_key, META_KEY_CHARS_MAX)?,
        visitor_goal: spec.visitor_goal.filter(|visitors| *visitors > 0),
        cr_goal: number("cr_goal", spec.cr_goal)?,
        custom_metric_total_goal: number("custom_metric_total_goal", spec.custom_metric_total_goal)?,
        custom_metric_avg_goal: number("custom_metric_avg_goal", spec.custom_metric_avg_goal)?,
        ..spec
    };
    check_together(&spec)?;
    let custom_metric_kind =
        spec.custom_metric_key.is_some().then(|| spec.custom_metric_kind.unwrap_or_default());
    Ok(GoalSpec { custom_metric_kind, ..spec })
}

/// What fields demand of each other.
fn check_together(spec: &GoalSpec) -> Result<(), GoalFault> {
    let has_event = spec.event_name.is_some() || spec.event_meta_key.is_some();
    let fault = if spec.event_meta_value.is_some() && spec.event_meta_key.is_none() {
        ("event_meta_key", "is required with event_meta_value")
    } else if spec.path_pattern.is_none() && !has_event && spec.tags.is_empty() {
        ("path_pattern", "is required, unless an event or tags are given")
    } else if spec.custom_metric_key.is_some() && !has_event {
        ("event_name", "is required with custom_metric_key: the metric is read from events")
    } else if spec.custom_metric_key.is_none()
        && (spec.custom_metric_total_goal.is_some() || spec.custom_metric_avg_goal.is_some())
    {
        ("custom_metric_key", "is required with a goal for the custom metric")
    } else if spec.cr_goal.is_some_and(|percent| percent > 100.0) {
        ("cr_goal", "must be a percentage: at most 100")
    } else {
        return Ok(());
    };
    Err(GoalFault::new(fault.0, fault.1))
}

fn text(field: &'static str, text: Option<String>, chars_max: usize) -> Result<Option<String>, GoalFault> {
    let text = text.filter(|text| !text.is_empty());
    match &text {
        Some(long) if long.chars().count() > chars_max => {
            Err(GoalFault::new(field, format!("is longer than {chars_max} characters")))
        }
        _ => Ok(text),
    }
}

fn number(field: &'static str, number: Option<f64>) -> Result<Option<f64>, GoalFault> {
    match number {
        Some(number) if !number.is_finite() || number < 0.0 => {
            Err(GoalFault::new(field, "must be a number from 0"))
        }
        _ => Ok(number.filter(|number| *number > 0.0)),
    }
}

fn checked_tags(tags: Vec<String>) -> Result<Vec<String>, GoalFault> {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags {
        let Some(tag) = text("tags", Some(tag.trim().to_owned()), TAG_CHARS_MAX)? else { continue };
        if tag.starts_with('=') {
            return Err(GoalFault::new("tags", "must each be a key, or key=value"));
        }
        if !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    if kept.len() > TAGS_MAX {
        return Err(GoalFault::new("tags", format!("are more than {TAGS_MAX}")));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
