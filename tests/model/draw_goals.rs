//! Goals at random.

use hitstone::goals::{Goal, GoalSpec, MetricKind};

use crate::dice::{chance, pick};
use crate::random::Random;
use crate::world::{Pairs, Row, World};

/// A few goals, mostly ones that something in the world reaches.
pub fn goals(random: &mut Random, world: &World) -> Vec<Goal> {
    let rows: Vec<&Row> = world.rows().collect();
    if rows.is_empty() {
        return Vec::new();
    }
    (0..random.below(4)).map(|number| goal(random, number, &rows)).collect()
}

fn goal(random: &mut Random, number: usize, rows: &[&Row]) -> Goal {
    let (page, other) = (*pick(random, rows), *pick(random, rows));
    let event = rows.iter().filter(|row| !row.name.is_empty()).nth(random.below(20)).copied();
    let by_page = chance(random, 60) || event.is_none();
    let by_event = !by_page || chance(random, 30);
    let event = event.filter(|_| by_event);
    let meta = event.and_then(|event| first_pair(random, &event.meta)).filter(|_| chance(random, 60));
    let value = meta.clone().filter(|_| chance(random, 60));
    let metric = event.is_some() && chance(random, 50);
    let pattern = format!("(?i)^{}$", regex::escape(&page.path));
    Goal {
        id: format!("goal-{number}"),
        spec: GoalSpec {
            name: (*pick(random, &["Buy", "buy more", "Über uns", "100%"])).to_owned(),
            path_pattern: by_page.then(|| page.path.clone()),
            tags: if chance(random, 30) { tags(random, &other.tags) } else { Vec::new() },
            event_name: event.map(|event| event.name.clone()),
            event_meta_key: meta.map(|pair| pair.0),
            event_meta_value: value.map(|pair| pair.1),
            custom_metric_key: metric.then(|| (*pick(random, &["amount", "k"])).to_owned()),
            custom_metric_kind: metric.then(|| *pick(random, &[MetricKind::Integer, MetricKind::Float])),
            visitor_goal: chance(random, 30).then_some(5),
            cr_goal: chance(random, 30).then_some(2.5),
            ..GoalSpec::default()
        },
        pattern: by_page.then_some(pattern),
        created: 1_700_000_000_000 + number as i64,
        modified: 1_700_000_000_000,
        reached: None,
    }
}

fn first_pair(random: &mut Random, pairs: &Pairs) -> Option<(String, String)> {
    // An empty value would be no value.
    let pairs: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
    (!pairs.is_empty()).then(|| pick(random, &pairs)).map(|(key, value)| ((*key).clone(), (*value).clone()))
}

fn tags(random: &mut Random, pairs: &Pairs) -> Vec<String> {
    let pair = first_pair(random, pairs);
    let with_value = chance(random, 50);
    pair.map(|(key, value)| if with_value { format!("{key}={value}") } else { key }).into_iter().collect()
}
