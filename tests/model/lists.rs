//! Lists: groups of sessions or rows, ordered, searched and cut.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::request::{Filter, Request};
use crate::units::{Hit, Scope, Tally, share, tally};

const LINES_MAX: usize = 100;

/// A line of a list.
pub struct Line {
    /// What the line is about: breaks ties.
    pub keys: Vec<String>,
    /// What `search` looks at.
    pub searched: Vec<String>,
    pub members: Map<String, Value>,
}

/// What a member of a line shows.
pub fn number_members(names: &[&str], tally: Tally, whole: Tally) -> Map<String, Value> {
    let value = |name: &str| match name {
        "visitors" => json!(tally.visitors),
        "views" | "count" => json!(tally.views),
        "sessions" => json!(tally.sessions),
        "bounces" => json!(tally.bounces),
        "bounce_rate" => json!(share(tally.bounces, tally.sessions)),
        "relative_visitors" | "cr" => json!(share(tally.visitors, whole.visitors)),
        "relative_views" => json!(share(tally.views, whole.views)),
        _ => panic!("{name} is no number of a tally"),
    };
    names.iter().map(|name| ((*name).to_owned(), value(name))).collect()
}

/// Hits by their key; a hit may have several keys or none.
pub fn groups<'a>(
    hits: &[Hit<'a>],
    keys: impl Fn(&Hit<'a>) -> Vec<Vec<String>>,
) -> BTreeMap<Vec<String>, Vec<Hit<'a>>> {
    let mut groups: BTreeMap<Vec<String>, Vec<Hit<'a>>> = BTreeMap::new();
    for hit in hits {
        for key in keys(hit) {
            groups.entry(key).or_default().push(*hit);
        }
    }
    groups
}

/// Searches, orders and cuts a list. `number` is what it is ordered by unless the request says otherwise.
pub fn finish(mut lines: Vec<Line>, number: &str, request: &Request) -> Value {
    let codes = matches!(request.endpoint, "language" | "country");
    if let Some(search) = &request.search {
        let found =
            |text: &String| if codes { is_code(&search.text, text) } else { like(&search.text, text) };
        lines.retain(|line| line.searched.iter().any(found) != search.not);
    }
    lines.sort_by(|a, b| {
        let member = measured(request.sort.as_deref().unwrap_or(number));
        let (a_value, b_value) = (&a.members[member], &b.members[member]);
        let order = compare(a_value, b_value);
        let descending = request.descending.unwrap_or(a_value.is_number());
        let order = if descending { order.reverse() } else { order };
        order.then_with(|| a.keys.cmp(&b.keys))
    });
    let limit = request.limit.filter(|limit| *limit > 0).unwrap_or(LINES_MAX).min(LINES_MAX);
    let kept = lines.into_iter().skip(request.offset.unwrap_or(0)).take(limit);
    Value::Array(kept.map(|line| Value::Object(line.members)).collect())
}

/// Rates are ordered by what they are rates of: those above 1 are all shown as 1.
fn measured(member: &str) -> &str {
    match member {
        "relative_visitors" | "cr" => "visitors",
        "relative_views" => "views",
        "entry_rate" => "entries",
        "exit_rate" => "exits",
        member => member,
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()),
    }
}

fn is_code(list: &str, code: &str) -> bool {
    list.split(',').any(|wanted| wanted.trim().to_lowercase() == code)
}

/// Whether a part of the text looks like the pattern: `%` is any text, `_` any character.
pub fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = format!("%{}%", pattern.to_lowercase()).chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    like_from(&pattern, &text)
}

fn like_from(pattern: &[char], text: &[char]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, rest) => rest.is_none(),
        (Some(('%', after)), _) => (0..=text.len()).any(|skipped| like_from(after, &text[skipped..])),
        (Some(('_', after)), Some((_, rest))) => like_from(after, rest),
        (Some((wanted, after)), Some((found, rest))) => wanted == found && like_from(after, rest),
        (Some(_), None) => false,
    }
}

/// A list of session attributes: what it groups by, in the order of its keys, and where each is shown.
fn attributes_of(endpoint: &str) -> Option<&'static [&'static str]> {
    Some(match endpoint {
        "channel" => &["channel"],
        "language" => &["language"],
        "country" => &["country"],
        "region" => &["region", "country"],
        "city" => &["city", "country", "region"],
        "os" => &["os"],
        "os/version" => &["os", "os_version"],
        "browser" => &["browser"],
        "browser/version" => &["browser", "browser_version"],
        "screen" => &["screen_class"],
        "utm/source" => &["utm_source"],
        "utm/medium" => &["utm_medium"],
        "utm/campaign" => &["utm_campaign"],
        "utm/content" => &["utm_content"],
        "utm/term" => &["utm_term"],
        _ => return None,
    })
}

/// The list of that name, when it is one of attributes.
pub fn by_attributes(scope: &Scope<'_>, request: &Request) -> Option<Value> {
    let attributes = attributes_of(request.endpoint)?;
    let whole = scope.whole();
    let key = |hit: &Hit<'_>| {
        let mut key: Vec<String> =
            attributes.iter().map(|name| hit.visit.attribute(name).to_owned()).collect();
        // What is not known is one line, whatever country it lies in.
        if attributes.contains(&"region") && key[0].is_empty() {
            key.iter_mut().for_each(String::clear);
        }
        vec![key]
    };
    let numbers: &[&str] = match request.endpoint {
        "channel" => &[
            "visitors",
            "views",
            "sessions",
            "relative_visitors",
            "relative_views",
            "bounces",
            "bounce_rate",
        ],
        _ => &["visitors", "relative_visitors"],
    };
    let lines = groups(&scope.sessions(), key).into_iter().map(|(keys, hits)| {
        let mut members = number_members(numbers, tally(&hits), whole);
        for (name, text) in attributes.iter().zip(&keys) {
            if *name == "country" {
                members.insert("country_code".into(), json!(text));
            }
            if *name != "country" || request.endpoint == "country" {
                members.insert((*name).to_owned(), json!(text));
            }
        }
        Line { searched: vec![keys[0].clone()], keys, members }
    });
    Some(finish(lines.collect(), "visitors", request))
}

/// Referrers by name; by name and URL when the filter is about referrers.
pub fn referrers(scope: &Scope<'_>, request: &Request) -> Value {
    let asked = |filter: &Filter| !filter.of("referrer").is_empty() || !filter.of("referrer_name").is_empty();
    let by_url = scope.filters.iter().any(asked);
    let whole = scope.whole();
    let key = |hit: &Hit<'_>| {
        let url = if by_url { hit.visit.attribute("referrer") } else { "" };
        vec![vec![hit.visit.attribute("referrer_name").to_owned(), url.to_owned()]]
    };
    let numbers = ["visitors", "sessions", "relative_visitors", "bounces", "bounce_rate"];
    let lines = groups(&scope.sessions(), key).into_iter().map(|(keys, hits)| {
        let mut members = number_members(&numbers, tally(&hits), whole);
        // Of a name's URLs the least one is shown.
        let urls = hits.iter().map(|hit| hit.visit.attribute("referrer")).filter(|url| !url.is_empty());
        members.insert("referrer".into(), json!(urls.min().unwrap_or_default()));
        members.insert("referrer_name".into(), json!(keys[0]));
        members.insert("referrer_icon".into(), json!(""));
        Line { searched: keys[..=usize::from(by_url)].to_vec(), keys, members }
    });
    finish(lines.collect(), "visitors", request)
}

/// Page views by host name.
pub fn hostnames(scope: &Scope<'_>, request: &Request) -> Value {
    let whole = scope.whole();
    let numbers =
        ["visitors", "views", "sessions", "bounces", "relative_visitors", "relative_views", "bounce_rate"];
    let key = |hit: &Hit<'_>| vec![vec![hit.row().hostname.clone()]];
    let lines = groups(&scope.views(), key).into_iter().map(|(keys, hits)| {
        let mut members = number_members(&numbers, tally(&hits), whole);
        members.insert("hostname".into(), json!(keys[0]));
        Line { searched: keys.clone(), keys, members }
    });
    finish(lines.collect(), "visitors", request)
}

/// Page views by the keys of their tags, or by the values of one key.
pub fn tags(scope: &Scope<'_>, request: &Request, of_key: Option<&str>) -> Value {
    let whole = scope.whole();
    let numbers = ["visitors", "views", "relative_visitors", "relative_views"];
    let key = |hit: &Hit<'_>| {
        let tags = &hit.row().tags;
        match of_key {
            Some(key) => tags.get(key).map(|value| vec![value.clone()]).into_iter().collect(),
            None => tags.keys().map(|key| vec![key.clone()]).collect::<Vec<_>>(),
        }
    };
    let lines = groups(&scope.views(), key).into_iter().map(|(keys, hits)| {
        let mut members = number_members(&numbers, tally(&hits), whole);
        members.insert("key".into(), json!(of_key.unwrap_or(&keys[0])));
        members.insert("value".into(), json!(if of_key.is_some() { &keys[0] } else { "" }));
        Line { searched: keys.clone(), keys, members }
    });
    finish(lines.collect(), "visitors", request)
}
