//! Statistics by time, and those that are one object.

use serde_json::{Map, Value, json};

use crate::calendar::{Period, clock, plus_days};
use crate::lists::number_members;
use crate::request::{Filter, Is, Request, Scale};
use crate::units::{Hit, Scope, distinct, mean_duration, mean_time_on_page, share, tally, visitors};
use crate::world::Visit;

const COUNTS: &[&str] = &["visitors", "views", "sessions", "bounces", "bounce_rate", "cr"];

/// Whether the request's filter wants events, so that a custom metric has rows to be read from.
pub fn wants_events(filter: &Filter) -> bool {
    let wants = |is: &Is| matches!(is, Is::Text(_) | Is::Has(_) | Is::NotNull);
    filter.of("event").iter().any(wants) || filter.tests_meta()
}

pub fn metric(scope: &Scope<'_>, request: &Request) -> (f64, f64) {
    scope.metric(request.metric.as_ref(), scope.filters.iter().any(wants_events))
}

/// Adds the custom metric's members.
fn put_metric(members: &mut Map<String, Value>, (average, total): (f64, f64)) {
    members.insert("custom_metric_avg".into(), json!(average));
    members.insert("custom_metric_total".into(), json!(total));
}

/// Cut only when a limit is given.
fn cut(lines: Vec<Value>, request: &Request) -> Value {
    let Some(limit) = request.limit.filter(|limit| *limit > 0) else { return Value::Array(lines) };
    Value::Array(lines.into_iter().skip(request.offset.unwrap_or(0)).take(limit).collect())
}

/// The members of a line that say when it is.
fn dates(date: jiff::civil::Date, scale: Scale) -> Map<String, Value> {
    let names = [("day", Scale::Day), ("week", Scale::Week), ("month", Scale::Month), ("year", Scale::Year)];
    let value = |is| if is == scale { json!(format!("{date}T00:00:00Z")) } else { Value::Null };
    names.into_iter().map(|(name, is)| (name.to_owned(), value(is))).collect()
}

/// Whether a series of a scale is about averages of time, and which.
pub fn by_date(scope: &Scope<'_>, period: &Period, request: &Request) -> Value {
    let scale = request.scale.unwrap_or(Scale::Day);
    let lines = period.buckets(scale, scope.world.week).into_iter().map(|bucket| {
        let scope = scope.within(bucket.span);
        let mut members = dates(bucket.date, scale);
        let seconds = match request.endpoint {
            "duration/session" => mean_duration(&scope.sessions()),
            "duration/page" => mean_time_on_page(&scope.views()),
            _ => {
                members.append(&mut number_members(COUNTS, tally(&scope.sessions()), scope.whole()));
                put_metric(&mut members, metric(&scope, request));
                return Value::Object(members);
            }
        };
        members.insert("path".into(), json!(""));
        members.insert("title".into(), json!(""));
        members.insert("average_time_spent_seconds".into(), json!(seconds));
        Value::Object(members)
    });
    cut(lines.collect(), request)
}

/// Page views by what the clock shows: the hour, the minute, or the hour of the week.
pub fn by_clock(scope: &Scope<'_>, period: &Period, request: &Request) -> Value {
    let slot = |at: i64| {
        let shown = clock(&period.zone, at);
        let weekday = i64::from(shown.date().weekday().to_monday_zero_offset());
        match request.endpoint {
            "hours" => i64::from(shown.hour()),
            "minutes" => i64::from(shown.minute()),
            _ => weekday * 24 + i64::from(shown.hour()),
        }
    };
    let in_slot = |hits: Vec<Hit<'_>>| -> Vec<(i64, Vec<usize>)> {
        let mut slots: std::collections::BTreeMap<i64, Vec<usize>> = Default::default();
        for (index, hit) in hits.iter().enumerate() {
            slots.entry(slot(hit.time)).or_default().push(index);
        }
        slots.into_iter().collect()
    };
    let (views, events, whole) = (scope.views(), scope.events(), scope.whole());
    let (view_slots, event_slots) = (in_slot(views.clone()), in_slot(events.clone()));
    let of = |slots: &[(i64, Vec<usize>)], wanted: i64| -> Vec<usize> {
        slots.iter().find(|entry| entry.0 == wanted).map(|entry| entry.1.clone()).unwrap_or_default()
    };
    let count = match request.endpoint {
        "hours" => 24,
        "minutes" => 60,
        _ => 168,
    };
    let lines = (0..count).map(|at| {
        let hits: Vec<Hit<'_>> = of(&view_slots, at).into_iter().map(|index| views[index]).collect();
        let mut members = Map::new();
        if request.endpoint == "weekdays" {
            members.append(&mut number_members(&COUNTS[..4], tally(&hits), whole));
            members.insert("weekday".into(), json!(at / 24));
            members.insert("hour".into(), json!(at % 24));
            return Value::Object(members);
        }
        members.append(&mut number_members(COUNTS, tally(&hits), whole));
        members.insert(request.endpoint.trim_end_matches('s').to_owned(), json!(at));
        let of_slot: Vec<Hit<'_>> = of(&event_slots, at).into_iter().map(|index| events[index]).collect();
        let wanted = request.metric.as_ref().filter(|_| wants_events(&request.filter));
        put_metric(
            &mut members,
            wanted.map_or((0.0, 0.0), |metric| crate::units::metric_of(&of_slot, metric)),
        );
        Value::Object(members)
    });
    cut(lines.collect(), request)
}

pub fn total(scope: &Scope<'_>, request: &Request) -> Value {
    let mut members = number_members(COUNTS, tally(&scope.sessions()), scope.whole());
    put_metric(&mut members, metric(scope, request));
    Value::Object(members)
}

/// By which fraction one number exceeds the one before.
fn grown(current: f64, previous: f64) -> f64 {
    match (current == 0.0, previous == 0.0) {
        (true, true) => 0.0,
        (false, true) => 1.0,
        _ => (current - previous) / previous,
    }
}

/// The numbers that growth compares, each with the name of its member.
fn compared(scope: &Scope<'_>, request: &Request) -> Vec<(&'static str, f64)> {
    let hits = scope.sessions();
    let counted = tally(&hits);
    let (average, total) = metric(scope, request);
    let mut numbers = vec![
        ("visitors_growth", counted.visitors as f64),
        ("views_growth", counted.views as f64),
        ("sessions_growth", counted.sessions as f64),
        ("bounces_growth", share(counted.bounces, counted.sessions)),
        ("time_spent_growth", time_spent(scope, &request.filter, &hits) as f64),
        ("cr_growth", share(counted.visitors, scope.whole().visitors)),
    ];
    numbers.extend([("custom_metric_avg_growth", average), ("custom_metric_total_growth", total)]);
    numbers
}

/// Of events when the filter is about them, of pages when it names paths, else of sessions.
fn time_spent(scope: &Scope<'_>, filter: &Filter, hits: &[Hit<'_>]) -> i64 {
    if filter.tests_events() {
        return scope.events().iter().map(|hit| i64::from(hit.row().duration.unwrap_or(0))).sum();
    }
    if !filter.of("path").is_empty() {
        return scope.views().iter().filter_map(|hit| hit.row.map(|at| hit.visit.time_on_page(at))).sum();
    }
    distinct(hits).into_iter().map(Visit::seconds).sum()
}

pub fn growth(scope: &Scope<'_>, period: &Period, request: &Request) -> Value {
    let before = scope.within(period.previous(scope.world.now).span);
    let (current, previous) = (compared(scope, request), compared(&before, request));
    let grown = current.iter().zip(&previous).map(|(a, b)| (a.0.to_owned(), json!(grown(a.1, b.1))));
    Value::Object(grown.collect())
}

pub fn platforms(scope: &Scope<'_>) -> Value {
    let (hits, whole) = (scope.sessions(), scope.whole());
    let mut members = Map::new();
    for name in ["desktop", "mobile", "unknown"] {
        let is = |hit: &&Hit<'_>| match hit.visit.attribute("platform") {
            known @ ("desktop" | "mobile") => known == name,
            _ => name == "unknown",
        };
        let of_platform: Vec<Hit<'_>> = hits.iter().filter(is).copied().collect();
        let count = visitors(&of_platform);
        members.insert(format!("platform_{name}"), json!(count));
        members.insert(format!("relative_platform_{name}"), json!(share(count, whole.visitors)));
    }
    Value::Object(members)
}

/// The last thirty days against the thirty before.
pub fn overview(scope: &Scope<'_>, request: &Request) -> Value {
    let zone = request.zone.unwrap_or(scope.world.zone);
    let today = clock(zone, scope.world.now).date();
    let period = Period::days(zone, plus_days(today, -29), today);
    let before = Period::days(zone, plus_days(today, -59), plus_days(today, -30));
    let plain = Request {
        endpoint: "visitor",
        filter: Filter::default(),
        scale: None,
        limit: None,
        metric: None,
        ..request.clone()
    };
    let scope = scope.filtered(&Filter::default()).within(period.span.clone());
    let (current, previous) = (tally(&scope.sessions()), tally(&scope.within(before.span).sessions()));
    let visitors_growth = grown(current.visitors as f64, previous.visitors as f64);
    json!({
        "visitors": current.visitors,
        "views": current.views,
        "visitors_growth": visitors_growth,
        "visitor_growth": visitors_growth,
        "views_growth": grown(current.views as f64, previous.views as f64),
        "visitors_time_series": by_date(&scope, &period, &plain),
        "member": 1,
    })
}
