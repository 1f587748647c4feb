//! Goals: the total under the filter and what the goal asks for.

use hitstone::goals::{Goal, MetricKind};
use serde_json::{Map, Value, json};

use crate::lists::{Line, finish};
use crate::request::{Filter, Is, Metric, Request};
use crate::series::wants_events;
use crate::sessions::time;
use crate::units::{Scope, metric_of, share, tally};
use crate::world::SITE_ID;

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
        // A metric is read from the events of whoever names it.
        let asked = &scope.filters[0];
        let (average, total) = match (&goal.custom_metric_key, &request.metric) {
            (Some(key), _) => {
                let integer = goal.custom_metric_kind.map(|kind| kind == MetricKind::Integer);
                metric_of(&with_goal.events_of(&filter), &Metric { key: key.clone(), integer })
            }
            (None, Some(metric)) if wants_events(asked) => metric_of(&with_goal.events_of(asked), metric),
            (None, Some(metric)) if wants_events(&filter) => metric_of(&with_goal.events_of(&filter), metric),
            _ => (0.0, 0.0),
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

/// The goals with their statistics, in order of creation unless another is asked for.
pub fn goals(scope: &Scope<'_>, request: &Request) -> Value {
    let lines = stats(scope, request).into_iter().map(|(goal, stats)| {
        let mut members = Map::new();
        members.insert("page_goal".into(), json_of(&goal));
        members.insert("stats".into(), Value::Object(stats.clone()));
        // What a list can be ordered by.
        members.extend(stats);
        members.insert("name".into(), json!(goal.name));
        members.insert("".into(), json!(""));
        let name = goal.spec.name.clone();
        let keys = if request.sort.is_some() { vec![name.clone(), goal.id] } else { vec![goal.id] };
        Line { keys, searched: vec![name], members }
    });
    let mut list = finish(lines.collect(), "", request);
    for line in list.as_array_mut().unwrap() {
        line.as_object_mut().unwrap().retain(|name, _| name == "page_goal" || name == "stats");
    }
    list
}

fn json_of(goal: &Goal) -> Value {
    let path = |text: &Option<String>| text.clone().unwrap_or_default();
    json!({
        "id": goal.id,
        "def_time": time(goal.created),
        "mod_time": time(goal.modified),
        "domain_id": SITE_ID,
        "name": goal.name,
        "path_pattern": path(&goal.path_pattern),
        "pattern": path(&goal.pattern),
        "tags": goal.tags,
        "event_name": goal.event_name,
        "event_meta_key": goal.event_meta_key,
        "event_meta_value": goal.event_meta_value,
        "custom_metric_key": goal.custom_metric_key,
        "custom_metric_type": goal.custom_metric_kind.map(|kind| match kind {
            MetricKind::Integer => "integer",
            MetricKind::Float => "float",
        }),
        "visitor_goal": goal.visitor_goal,
        "cr_goal": goal.cr_goal,
        "custom_metric_total_goal": goal.custom_metric_total_goal,
        "custom_metric_avg_goal": goal.custom_metric_avg_goal,
        "delete_reached": goal.delete_reached,
        "email_reached": goal.email_reached,
    })
}
