//! Goals: the total under the filter and what the goal asks for.

use hitstone::goals::{Goal, MetricKind};
use serde_json::{Map, Value, json};

use crate::request::{Filter, Is, Metric, Request};
use crate::units::{Scope, metric_of, share, tally};

/// What a goal asks for, as a filter.
fn filter_of(goal: &Goal) -> Filter {
    let text = |text: &String| if text.is_empty() { Is::Null } else { Is::Text(text.clone()) };
    let mut filter = Filter::default();
    filter.pattern.extend(goal.pattern.clone().map(|pattern| (true, pattern)));
    for tag in &goal.tags {
        match tag.split_once('=') {
            Some((key, value)) => {
                filter.tag_values.insert(key.to_owned(), vec![text(&value.to_owned())]);
            }
            None => filter.tag.push(Is::Text(tag.clone())),
        }
    }
    filter.texts.extend(goal.event_name.as_ref().map(|name| ("event", vec![text(name)])));
    filter.event_meta_key.extend(goal.event_meta_key.clone().map(Is::Text));
    if let (Some(key), Some(value)) = (&goal.event_meta_key, &goal.event_meta_value) {
        filter.meta.insert(key.clone(), vec![text(value)]);
    }
    filter
}

/// The statistics of each goal, in order of creation.
pub fn stats(scope: &Scope<'_>, request: &Request) -> Vec<(Goal, Map<String, Value>)> {
    let one = |goal: &Goal| {
        let filter = filter_of(goal);
        let with_goal = scope.also(filter.clone());
        let counted = tally(&with_goal.sessions());
        let (average, total) = match &goal.custom_metric_key {
            Some(key) => {
                let integer = goal.custom_metric_kind.map(|kind| kind == MetricKind::Integer);
                metric_of(&with_goal.events(), &Metric { key: key.clone(), integer })
            }
            None => crate::series::metric(&with_goal, request),
        };
        let stats = json!({
            "visitors": counted.visitors,
            "views": counted.views,
            "cr": share(counted.visitors, scope.whole().visitors),
            "custom_metric_avg": average,
            "custom_metric_total": total,
        });
        (goal.clone(), stats.as_object().unwrap().clone())
    };
    scope.world.goals.iter().map(one).collect()
}

/// The goals with their statistics.
pub fn goals(scope: &Scope<'_>, request: &Request) -> Value {
    let line = |(goal, stats): (Goal, Map<String, Value>)| json!({ "page_goal": { "id": goal.id }, "stats": stats });
    Value::Array(stats(scope, request).into_iter().map(line).collect())
}
