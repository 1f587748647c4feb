//! Pages, entry and exit pages, pages of events, events, and who is here now.

use serde_json::{Value, json};

use crate::calendar::Period;
use crate::lists::{Line, finish, groups, number_members};
use crate::request::{Filter, Request};
use crate::units::{Hit, Scope, Tally, mean_time_on_page, share, tally, visitors};
use crate::world::Row;

const PAGE_NUMBERS: &[&str] =
    &["visitors", "views", "sessions", "bounces", "relative_visitors", "relative_views", "bounce_rate"];

/// Whether pages are told apart by their titles too.
fn with_title(scope: &Scope<'_>, request: &Request) -> bool {
    request.include_title.unwrap_or(scope.world.group_by_title)
}

/// The path of a row, and its title or nothing.
fn page_key(row: &Row, with_title: bool) -> Vec<String> {
    vec![row.path.clone(), if with_title { row.title.clone() } else { String::new() }]
}

/// The average time on a path, whatever the title; 0 unless it is asked for.
fn time_on(path: &str, views: &[Hit<'_>], request: &Request) -> Value {
    let of_path: Vec<Hit<'_>> = views.iter().filter(|hit| hit.row().path == path).copied().collect();
    json!(if request.include_time == Some(true) { mean_time_on_page(&of_path) } else { 0 })
}

/// A list of pages: of page views, or of events.
fn pages_of(scope: &Scope<'_>, request: &Request, counted: &[Hit<'_>]) -> Value {
    let (whole, views, titled) = (scope.whole(), scope.views(), with_title(scope, request));
    let lines = groups(counted, |hit| vec![page_key(hit.row(), titled)]).into_iter().map(|(keys, hits)| {
        let mut members = number_members(PAGE_NUMBERS, tally(&hits), whole);
        members.insert("path".into(), json!(keys[0]));
        members.insert("title".into(), json!(keys[1]));
        members.insert("average_time_spent_seconds".into(), time_on(&keys[0], &views, request));
        Line { searched: keys.clone(), keys, members }
    });
    finish(lines.collect(), "visitors", request)
}

pub fn pages(scope: &Scope<'_>, request: &Request) -> Value {
    pages_of(scope, request, &scope.views())
}

/// The pages that events happened on.
pub fn event_pages(scope: &Scope<'_>, request: &Request) -> Value {
    if request.filter.of("event").is_empty() {
        return json!([]);
    }
    let mut events = scope.events();
    events.retain(|hit| !hit.row().path.is_empty());
    pages_of(scope, request, &events)
}

/// The same filter without what selects pages by path, pattern or tag.
fn of_any_page(filter: &Filter) -> Filter {
    let mut filter = filter.clone();
    filter.texts.remove("path");
    Filter { pattern: Vec::new(), tag: Vec::new(), tag_values: Default::default(), ..filter }
}

fn of_any_ends(filter: &Filter) -> Filter {
    let mut filter = filter.clone();
    filter.texts.remove("entry_path");
    filter.texts.remove("exit_path");
    filter
}

/// Entry or exit pages. The sessions of the group are the entries; visitors and sessions are those who saw the page.
pub fn ends(scope: &Scope<'_>, request: &Request) -> Value {
    let is_entry = request.endpoint == "page/entry";
    let (whole, titled) = (scope.whole(), with_title(scope, request));
    let with_ends = of_any_page(&request.filter);
    let seen = scope.filtered(&of_any_ends(&with_ends)).views();
    let timed = scope.filtered(&with_ends).views();
    let key = |hit: &Hit<'_>| {
        let end = if is_entry { hit.visit.entry() } else { hit.visit.exit() };
        end.map(|row| page_key(row, titled)).into_iter().collect()
    };
    let (count, rate) = if is_entry { ("entries", "entry_rate") } else { ("exits", "exit_rate") };
    let lines = groups(&scope.views(), key).into_iter().map(|(keys, hits)| {
        let entries = tally(&hits).sessions;
        let of_path: Vec<Hit<'_>> = seen.iter().filter(|hit| hit.row().path == keys[0]).copied().collect();
        let mut members = number_members(&["visitors", "sessions"], tally(&of_path), whole);
        members.insert("path".into(), json!(keys[0]));
        members.insert("title".into(), json!(keys[1]));
        members.insert(count.into(), json!(entries));
        members.insert(rate.into(), json!(share(entries, whole.sessions)));
        if is_entry {
            members.insert("average_time_spent_seconds".into(), time_on(&keys[0], &timed, request));
        } else {
            members.insert("exit_path".into(), json!(keys[0]));
        }
        Line { searched: keys.clone(), keys, members }
    });
    finish(lines.collect(), count, request)
}

fn event_line(hits: &[Hit<'_>], whole: Tally, name: &str, meta_value: &str, meta_keys: Vec<String>) -> Line {
    let mut members = number_members(&["count", "visitors", "views", "cr"], tally(hits), whole);
    let seconds: u64 = hits.iter().map(|hit| u64::from(hit.row().duration.unwrap_or(0))).sum();
    members.insert("name".into(), json!(name));
    members.insert("average_duration_seconds".into(), json!(seconds / hits.len() as u64));
    members.insert("meta_keys".into(), json!(meta_keys));
    members.insert("meta_value".into(), json!(meta_value));
    Line { keys: Vec::new(), searched: Vec::new(), members }
}

pub fn events(scope: &Scope<'_>, request: &Request) -> Value {
    let whole = scope.whole();
    let lines = groups(&scope.events(), |hit| vec![vec![hit.row().name.clone()]]).into_iter();
    let lines = lines.map(|(keys, hits)| {
        let mut meta_keys: Vec<String> = hits.iter().flat_map(|hit| hit.row().meta.keys().cloned()).collect();
        meta_keys.sort();
        meta_keys.dedup();
        let line = event_line(&hits, whole, &keys[0], "", meta_keys);
        Line { searched: keys.clone(), keys, ..line }
    });
    finish(lines.collect(), "visitors", request)
}

/// One event by the values of a metadata key; nothing without one name and one key.
pub fn event_meta(scope: &Scope<'_>, request: &Request) -> Value {
    let filter = &request.filter;
    let name = Filter::one_wanted(filter.of("event"));
    let (Some(name), Some(key)) = (name, Filter::one_wanted(&filter.event_meta_key)) else {
        return json!([]);
    };
    let whole = scope.whole();
    let value =
        |hit: &Hit<'_>| hit.row().meta.get(key).map(|value| vec![value.clone()]).into_iter().collect();
    let lines = groups(&scope.events(), value).into_iter().map(|(keys, hits)| {
        let line = event_line(&hits, whole, name, &keys[0], Vec::new());
        Line { searched: keys.clone(), keys, ..line }
    });
    finish(lines.collect(), "visitors", request)
}

/// Events by name and whole metadata.
pub fn event_list(scope: &Scope<'_>, request: &Request) -> Value {
    let key = |hit: &Hit<'_>| {
        let row = hit.row();
        let meta = row.meta.iter().flat_map(|(key, value)| [key.clone(), value.clone()]);
        vec![[row.name.clone()].into_iter().chain(meta).collect()]
    };
    let lines = groups(&scope.events(), key).into_iter().map(|(keys, hits)| {
        let mut members = number_members(&["visitors", "count"], tally(&hits), Tally::default());
        members.insert("name".into(), json!(keys[0]));
        members.insert("meta".into(), json!(hits[0].row().meta));
        Line { searched: vec![keys[0].clone()], keys, members }
    });
    finish(lines.collect(), "count", request)
}

/// Pages seen in the last minutes, who was active, and where.
pub fn active(scope: &Scope<'_>, request: &Request) -> Value {
    let seconds = request.start.unwrap_or(scope.world.active_seconds);
    let zone = request.zone.unwrap_or(scope.world.zone);
    let scope = scope.within(Period::last_seconds(zone, seconds, scope.world.now).span);
    let titled = with_title(&scope, request);
    let lines = groups(&scope.views(), |hit| vec![page_key(hit.row(), titled)]).into_iter();
    let lines = lines.map(|(keys, hits)| {
        let mut members = number_members(&["visitors"], tally(&hits), tally(&hits));
        members.insert("path".into(), json!(keys[0]));
        members.insert("title".into(), json!(keys[1]));
        Line { searched: keys.clone(), keys, members }
    });
    let stats = finish(lines.collect(), "visitors", request);
    let countries = countries(&scope, request);
    json!({ "stats": stats, "countries": countries, "visitors": visitors(&scope.activity()) })
}

fn countries(scope: &Scope<'_>, request: &Request) -> Value {
    let everyone = tally(&scope.filtered(&Filter::default()).activity());
    let key = |hit: &Hit<'_>| vec![vec![hit.visit.attribute("country").to_owned()]];
    let lines = groups(&scope.activity(), key).into_iter().map(|(keys, hits)| {
        let mut members = number_members(&["visitors", "relative_visitors"], tally(&hits), everyone);
        members.insert("country_code".into(), json!(keys[0]));
        members.insert("country".into(), json!(keys[0]));
        Line { searched: keys.clone(), keys, members }
    });
    // Sorting and searching are about the pages.
    let plain = Request { sort: None, descending: None, search: None, ..request.clone() };
    finish(lines.collect(), "visitors", &plain)
}
