//! Sessions one by one, and the texts that a reader may choose from.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::lists::like;
use crate::request::{ATTRIBUTES, Filter, Request};
use crate::units::{Hit, Scope, distinct};
use crate::world::{Kind, Row, Visit, whole_seconds};

const SESSIONS_MAX: usize = 100;
const ROWS_MAX: usize = 1000;
const OPTIONS_MAX: usize = 200;

/// RFC 3339 in UTC with milliseconds.
pub fn time(at: i64) -> Value {
    json!(Timestamp::from_millisecond(at).unwrap().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

fn cut(lines: Vec<Value>, request: &Request, most: usize) -> Value {
    let limit = request.limit.filter(|limit| *limit > 0).unwrap_or(most).min(most);
    Value::Array(lines.into_iter().skip(request.offset.unwrap_or(0)).take(limit).collect())
}

/// The attributes of a visit as members.
fn attributes(visit: &Visit) -> Map<String, Value> {
    let mut members = Map::new();
    for name in ATTRIBUTES {
        let member = match *name {
            "platform" => continue,
            "country" => "country_code",
            name => name,
        };
        members.insert(member.into(), json!(visit.attribute(name)));
    }
    members.insert("referrer_icon".into(), json!(""));
    members.insert("desktop".into(), json!(visit.attribute("platform") == "desktop"));
    members.insert("mobile".into(), json!(visit.attribute("platform") == "mobile"));
    members
}

/// Sessions, the latest activity first.
pub fn list(scope: &Scope<'_>, request: &Request) -> Value {
    let mut visits = distinct(&scope.sessions());
    visits.sort_by_key(|visit| (-visit.last(), visit.visitor, visit.id));
    cut(visits.into_iter().map(|visit| Value::Object(session(visit))).collect(), request, SESSIONS_MAX)
}

fn session(visit: &Visit) -> Map<String, Value> {
    let (path, title) = (|row: Option<&Row>| json!(row.map_or("", |row| &row.path)), {
        |row: Option<&Row>| json!(row.map_or("", |row| &row.title))
    });
    let mut members = attributes(visit);
    let more = [
        ("visitor_id", json!(visit.visitor.to_string())),
        ("session_id", json!(visit.id)),
        ("time", time(visit.last())),
        ("start", time(visit.start())),
        ("duration_seconds", json!(visit.seconds())),
        ("entry_path", path(visit.entry())),
        ("exit_path", path(visit.exit())),
        ("entry_title", title(visit.entry())),
        ("exit_title", title(visit.exit())),
        ("page_views", json!(visit.views().count())),
        ("is_bounce", json!(visit.bounced())),
        ("extended", json!(visit.rows.iter().filter(|row| row.kind == Kind::Ping).count())),
    ];
    members.extend(more.map(|(name, value)| (name.to_owned(), value)));
    members
}

/// The page views and events of one session.
pub fn details(scope: &Scope<'_>, request: &Request) -> Value {
    let mut lines = Vec::new();
    for hit in scope.everything() {
        let (view, event) = match hit.row().kind {
            Kind::View => (Value::Object(detail(&hit)), Value::Null),
            Kind::Event => (Value::Null, Value::Object(detail(&hit))),
            Kind::Ping => continue,
        };
        lines.push(json!({ "page_view": view, "event": event }));
    }
    cut(lines, request, ROWS_MAX)
}

fn detail(hit: &Hit<'_>) -> Map<String, Value> {
    let (row, at) = (hit.row(), hit.row.unwrap());
    let is_view = row.kind == Kind::View;
    let mut members = attributes(hit.visit);
    let before = at.checked_sub(1).map_or(row.time, |before| hit.visit.rows[before].time);
    let seconds =
        if is_view { whole_seconds(before, row.time) } else { i64::from(row.duration.unwrap_or(0)) };
    let (pairs, keys, values) =
        if is_view { (&row.tags, "tag_keys", "tag_values") } else { (&row.meta, "meta_keys", "meta_values") };
    let more = [
        ("visitor_id", json!(hit.visit.visitor)),
        ("session_id", json!(hit.visit.id)),
        ("time", time(row.time)),
        ("duration_seconds", json!(seconds)),
        ("path", json!(row.path)),
        ("title", json!(row.title)),
        ("hostname", json!(row.hostname)),
        (keys, json!(pairs.keys().collect::<Vec<_>>())),
        (values, json!(pairs.values().collect::<Vec<_>>())),
    ];
    members.extend(more.map(|(name, value)| (name.to_owned(), value)));
    if !is_view {
        members.insert("name".into(), json!(row.name));
    }
    members
}

/// The texts of one kind that occur in the period, whatever the filter.
pub fn options(scope: &Scope<'_>, request: &Request) -> Value {
    let scope = scope.filtered(&Filter::default());
    let of_rows = |hits: Vec<Hit<'_>>, texts: &dyn Fn(&Row) -> Vec<String>| -> BTreeSet<String> {
        hits.iter().flat_map(|hit| texts(hit.row())).collect()
    };
    let kind = request.endpoint.strip_prefix("options/").unwrap();
    let meta_key = Filter::one_wanted(&request.filter.event_meta_key);
    let tag = Filter::one_wanted(&request.filter.tag);
    let found = match kind {
        "hostname" => of_rows(scope.views(), &|row| vec![row.hostname.clone()]),
        "page" => of_rows(scope.views(), &|row| vec![row.path.clone()]),
        "event" => of_rows(scope.events(), &|row| vec![row.name.clone()]),
        "metadata/keys" => of_rows(scope.events(), &|row| row.meta.keys().cloned().collect()),
        "metadata" => of_rows(scope.events(), &|row| {
            let wanted = row.meta.iter().filter(|(key, _)| meta_key.is_none_or(|wanted| *key == wanted));
            wanted.map(|(_, value)| value.clone()).collect()
        }),
        "tag" => of_rows(scope.views(), &|row| row.tags.keys().cloned().collect()),
        "tag/value" => {
            of_rows(scope.views(), &|row| row.tags.get(tag.unwrap()).cloned().into_iter().collect())
        }
        _ => {
            let attribute = match kind {
                "referrer/name" => "referrer_name".to_owned(),
                kind => kind.replace('/', "_"),
            };
            scope.sessions().iter().map(|hit| hit.visit.attribute(&attribute).to_owned()).collect()
        }
    };
    let shown = found.into_iter().filter(|text| {
        let passes = request.search.as_ref().is_none_or(|search| like(&search.text, text) != search.not);
        passes && !text.is_empty()
    });
    cut(shown.map(Value::String).collect(), request, OPTIONS_MAX)
}
