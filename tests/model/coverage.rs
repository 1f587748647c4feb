//! What was drawn, how often.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::request::{Filter, Is, Request};

/// Counts by a name such as `filter country ~x`.
#[derive(Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<String, usize>,
    /// Answers that say anything at all.
    pub telling: usize,
    pub draws: usize,
}

impl Coverage {
    pub fn count(&self, name: &str) -> usize {
        self.counts.get(name).copied().unwrap_or(0)
    }

    pub fn add(&mut self, request: &Request, answer: Option<&Value>) {
        self.draws += 1;
        let telling = answer.is_some_and(says_anything);
        self.telling += usize::from(telling);
        let mut names = vec![format!("endpoint {}", request.endpoint)];
        if telling {
            names.push(format!("telling {}", request.endpoint));
        }
        let mut values = |name: &str, list: &[Is]| {
            names.extend(list.iter().map(|is| format!("filter {name} {}", is.form())));
            names.extend((list.len() > 1).then(|| format!("filter {name} several")));
        };
        let Filter { texts, pattern, event_meta_key, meta, tag, tag_values, session } = &request.filter;
        texts.iter().for_each(|(name, list)| values(name, list));
        meta.values().for_each(|list| values("meta_", list));
        tag_values.values().for_each(|list| values("tag_", list));
        values("event_meta_key", event_meta_key);
        values("tag", tag);
        let sign = |wanted: bool| if wanted { "x" } else { "!x" };
        names.extend(pattern.iter().map(|(wanted, _)| format!("filter pattern {}", sign(*wanted))));
        names.extend((pattern.len() > 1).then(|| "filter pattern several".to_owned()));
        names.extend(session.map(|_| "filter session_id x".to_owned()));
        names.extend(parameters(request).into_iter().map(|name| format!("parameter {name}")));
        for name in names {
            *self.counts.entry(name).or_default() += 1;
        }
    }

    /// The table, a few counts a line.
    pub fn print(&self) {
        let percent = 100 * self.telling / self.draws.max(1);
        println!("{} draws, {percent} % of the answers say something", self.draws);
        let mut group = "";
        let mut line = String::new();
        for (name, count) in &self.counts {
            let (first, rest) = name.split_once(' ').unwrap_or((name, ""));
            if first != group || line.len() > 100 {
                println!("{line}");
                line = format!("  {first:<9}");
                group = first;
            }
            line.push_str(&format!(" {rest}: {count};"));
        }
        println!("{line}");
    }
}

fn parameters(request: &Request) -> Vec<String> {
    let days = request.days;
    let given = [
        ("tz", request.zone.is_some()),
        ("from later than to", days.from > days.to),
        ("one day", days.from == days.to),
        ("iso dates", days.iso),
        ("from_time", request.times.is_some_and(|times| times.0.is_some())),
        ("to_time", request.times.is_some_and(|times| times.1.is_some())),
        ("start", request.start.is_some()),
        ("limit", request.limit.is_some()),
        ("offset", request.offset.is_some()),
        ("search", request.search.as_ref().is_some_and(|search| !search.not)),
        ("search !", request.search.as_ref().is_some_and(|search| search.not)),
        ("include_title", request.include_title.is_some()),
        ("include_avg_time_on_page", request.include_time.is_some()),
        ("custom_metric_key", request.metric.is_some()),
        ("custom_metric_type", request.metric.as_ref().is_some_and(|metric| metric.integer.is_some())),
        ("without days", request.style.without_days),
        ("[]", request.style.brackets),
    ];
    let mut names: Vec<String> =
        given.iter().filter(|(_, is)| *is).map(|(name, _)| (*name).to_owned()).collect();
    names.extend(request.scale.map(|scale| format!("scale {scale:?}")));
    names.extend(request.sort.as_ref().map(|member| format!("sort {member}")));
    names.extend(request.descending.map(|down| format!("direction {}", if down { "desc" } else { "asc" })));
    names.extend(request.ignored.map(str::to_owned));
    names.extend(request.fault.map(|fault| format!("fault {}", fault.0)));
    names
}

/// What series and single objects show whatever there is.
const EVER_PRESENT: &[&str] = &["hour", "minute", "weekday", "member", "day", "week", "month", "year"];

/// Whether there is any number but zero, or a text.
fn says_anything(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Array(items) => items.iter().any(says_anything),
        Value::Object(members) => {
            members.iter().any(|(name, value)| !EVER_PRESENT.contains(&name.as_str()) && says_anything(value))
        }
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Null => false,
    }
}
