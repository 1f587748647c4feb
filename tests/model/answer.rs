//! The model's answer to a request.

use serde_json::{Value, json};

use crate::calendar::Period;
use crate::request::{Filter, Request};
use crate::units::Scope;
use crate::world::World;
use crate::{goals, lists, pages, series, sessions};

/// How lines, order and limits are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Can be sorted and searched.
    List,
    Series,
    Object,
    /// Sessions and their rows, and the goals: an order of their own.
    Fixed,
    Options,
}

/// Every statistic.
pub const ENDPOINTS: &[(&str, Shape)] = &[
    ("total", Shape::Object),
    ("visitor", Shape::Series),
    ("duration/session", Shape::Series),
    ("duration/page", Shape::Series),
    ("hours", Shape::Series),
    ("minutes", Shape::Series),
    ("weekdays", Shape::Series),
    ("growth", Shape::Object),
    ("platform", Shape::Object),
    ("overview", Shape::Object),
    ("active", Shape::List),
    ("page", Shape::List),
    ("page/entry", Shape::List),
    ("page/exit", Shape::List),
    ("event/page", Shape::List),
    ("events", Shape::List),
    ("event/meta", Shape::List),
    ("event/list", Shape::List),
    ("hostname", Shape::List),
    ("tags", Shape::List),
    ("tag/details", Shape::List),
    ("referrer", Shape::List),
    ("channel", Shape::List),
    ("language", Shape::List),
    ("country", Shape::List),
    ("region", Shape::List),
    ("city", Shape::List),
    ("os", Shape::List),
    ("os/version", Shape::List),
    ("browser", Shape::List),
    ("browser/version", Shape::List),
    ("screen", Shape::List),
    ("utm/source", Shape::List),
    ("utm/medium", Shape::List),
    ("utm/campaign", Shape::List),
    ("utm/content", Shape::List),
    ("utm/term", Shape::List),
    ("keywords", Shape::Fixed),
    ("session/list", Shape::Fixed),
    ("session/details", Shape::Fixed),
    ("goals", Shape::Fixed),
    ("options/hostname", Shape::Options),
    ("options/page", Shape::Options),
    ("options/referrer", Shape::Options),
    ("options/referrer/name", Shape::Options),
    ("options/channel", Shape::Options),
    ("options/event", Shape::Options),
    ("options/country", Shape::Options),
    ("options/region", Shape::Options),
    ("options/city", Shape::Options),
    ("options/language", Shape::Options),
    ("options/browser", Shape::Options),
    ("options/os", Shape::Options),
    ("options/metadata/keys", Shape::Options),
    ("options/metadata", Shape::Options),
    ("options/utm/source", Shape::Options),
    ("options/utm/medium", Shape::Options),
    ("options/utm/campaign", Shape::Options),
    ("options/utm/content", Shape::Options),
    ("options/utm/term", Shape::Options),
    ("options/tag", Shape::Options),
    ("options/tag/value", Shape::Options),
];

pub fn shape(endpoint: &str) -> Shape {
    ENDPOINTS.iter().find(|entry| entry.0 == endpoint).unwrap().1
}

/// The JSON that is expected; `None` when the request must be refused with 400.
pub fn expected(world: &World, request: &Request) -> Option<Value> {
    if is_refused(world, request) {
        return None;
    }
    let period = Period::of(request, world);
    let scope = &Scope::new(world, period.span.clone(), &request.filter);
    if let Some(list) = lists::by_attributes(scope, request) {
        return Some(list);
    }
    Some(match request.endpoint {
        "total" => series::total(scope, request),
        "visitor" | "duration/session" | "duration/page" => series::by_date(scope, &period, request),
        "hours" | "minutes" | "weekdays" => series::by_clock(scope, &period, request),
        "growth" => series::growth(scope, &period, request),
        "platform" => series::platforms(scope),
        "overview" => series::overview(scope, request),
        "active" => pages::active(scope, request),
        "page" => pages::pages(scope, request),
        "page/entry" | "page/exit" => pages::ends(scope, request),
        "event/page" => pages::event_pages(scope, request),
        "events" => pages::events(scope, request),
        "event/meta" => pages::event_meta(scope, request),
        "event/list" => pages::event_list(scope, request),
        "hostname" => lists::hostnames(scope, request),
        "tags" => lists::tags(scope, request, None),
        "tag/details" => match Filter::one_wanted(&request.filter.tag) {
            Some(key) => lists::tags(scope, request, Some(key)),
            None => json!([]),
        },
        "referrer" => lists::referrers(scope, request),
        "keywords" => json!([]),
        "session/list" => sessions::list(scope, request),
        "session/details" => sessions::details(scope, request),
        "goals" => goals::goals(scope, request),
        _ => sessions::options(scope, request),
    })
}

/// Nonsense is an error only where it would have a meaning: sorting where there is something to sort, filters where
/// they count.
fn is_refused(world: &World, request: &Request) -> bool {
    let is_list = shape(request.endpoint) == Shape::List || request.endpoint == "goals";
    let is_options = shape(request.endpoint) == Shape::Options;
    let heeded = |name| match request.endpoint {
        "overview" => ["colour", "tz"].contains(&name),
        "active" => !["from_time", "scale"].contains(&name),
        _ if is_options => ["colour", "tz", "limit", "offset", "start", "from_time"].contains(&name),
        _ => is_list || !["sort", "direction"].contains(&name),
    };
    let faulty = request.fault.is_some_and(|(name, _)| heeded(name));
    let Filter { tag, event_meta_key, session, .. } = &request.filter;
    let event = request.filter.of("event");
    let one = |list| Filter::one_wanted(list).is_some();
    let (first, last) = Period::days_of(request, world);
    faulty
        || (request.times.is_some() && first != last && !["overview", "active"].contains(&request.endpoint))
        || match request.endpoint {
            "options/tag/value" => !one(tag),
            "session/details" => session.is_none(),
            // One key of several events means nothing.
            "event/meta" => one(event_meta_key) && !event.is_empty() && !one(event),
            _ => false,
        }
}
