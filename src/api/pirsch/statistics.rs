//! Pirsch's statistics: from a request's path and query string to its JSON answer.
//!
//! Knows the spelling; what the numbers mean is in [`crate::statistics`]. The caller has authenticated the request
//! and found the site that `id` names.

mod bodies;
mod endpoints;
mod render;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Cancelled, PairsPart};
use hitstone_engine::schema::Column;
use hitstone_engine::store::Snapshot;
use jiff::civil::Weekday;
use serde::Serialize;

use crate::sites::{Site, WeekStart};
use crate::statistics::active::active;
use crate::statistics::growth::compare;
use crate::statistics::options::Options;
use crate::statistics::overview::overview;
use crate::statistics::period::{self, Period};
use crate::statistics::platforms::platforms;
use crate::statistics::sort::{Search, SortBy};
use crate::statistics::{
    Ask, Line, Page, Question, SnapshotAsk, events, goals, list, options, pages, referrers, series, tags,
};

use super::filter::{self, Defaults, Filter, Heeded, Invalid, Scale};
use bodies::{ActiveBody, GrowthBody, OverviewBody, PlatformsBody, goal_bodies};
use endpoints::{Endpoint, OptionsOf, Statistic};
use render::{Lines, OneLine};

/// What a request is answered from.
pub struct StatisticsContext<'a> {
    /// What the queries see.
    pub snapshot: Arc<Snapshot>,
    /// The site that the request's `id` names.
    pub site: &'a Site,
    /// Now.
    pub now_ms: i64,
    /// Gives a reason once the queries shall stop.
    pub cancelled: Cancelled<'a>,
}

/// An answer: a status and a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatisticsAnswer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
    /// What the operator is to be told, when the data could not be read.
    pub failure: Option<String>,
    /// Why data of the time that was asked about is missing, when damage was found.
    pub incomplete: Option<String>,
}

/// Answers a statistic. `path` is what follows `/api/v1/statistics/`, `query` the raw query string.
pub fn answer(path: &str, query: &str, ctx: &StatisticsContext<'_>) -> StatisticsAnswer {
    let ask = SnapshotAsk::new(&ctx.snapshot, ctx.cancelled);
    let answer = answer_from(&ask, path, query, ctx.site, ctx.now_ms);
    // Asked last: damage may turn up while the answer is made.
    StatisticsAnswer { incomplete: ask.incomplete(), ..answer }
}

/// As [`answer`], whoever answers the queries.
pub(crate) fn answer_from<A: Ask>(
    ask: &A,
    path: &str,
    query: &str,
    site: &Site,
    now_ms: i64,
) -> StatisticsAnswer {
    let Some(endpoint) = endpoints::find(path) else {
        return failure(404, BTreeMap::new(), "there is no such statistic");
    };
    let answered =
        filter::parse(query, heeded(endpoint.statistic), Defaults { zone: &site.timezone, now_ms })
            .map_err(Refusal::from)
            .and_then(|filter| compute(ask, endpoint, &filter, site, now_ms));
    match answered {
        Ok(body) => StatisticsAnswer { status: 200, body, failure: None, incomplete: None },
        Err(Refusal::Invalid(invalid)) => {
            let all: Vec<_> =
                invalid.fields.iter().map(|(field, message)| format!("{field} {message}")).collect();
            failure(400, invalid.fields, &all.join("; "))
        }
        Err(Refusal::Query(QueryError::Cancelled(reason))) => {
            failure(503, BTreeMap::new(), &format!("the query was cancelled: {reason}"))
        }
        // What a damaged file is called concerns the operator, not the reader.
        Err(Refusal::Query(QueryError::Storage(error))) => StatisticsAnswer {
            failure: Some(error.to_string()),
            ..failure(500, BTreeMap::new(), "the data could not be read: see the server's log")
        },
        Err(Refusal::Query(error @ QueryError::TooManyGroups(_))) => {
            failure(400, BTreeMap::new(), &error.to_string())
        }
        Err(Refusal::Query(QueryError::Invalid(reason))) => failure(500, BTreeMap::new(), &reason),
        Err(Refusal::Json(error)) => failure(500, BTreeMap::new(), &error.to_string()),
    }
}

/// Why there is no answer.
enum Refusal {
    Invalid(Invalid),
    Query(QueryError),
    Json(serde_json::Error),
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

impl From<serde_json::Error> for Refusal {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Asks the statistic's question and writes the answer.
fn compute<A: Ask>(
    ask: &A,
    endpoint: Endpoint,
    filter: &Filter,
    site: &Site,
    now_ms: i64,
) -> Result<Vec<u8>, Refusal> {
    let Endpoint { statistic, fields } = endpoint;
    let (period, page) = scope(statistic, filter, site, now_ms)?;
    let search = filter.search.as_deref().map(|text| search(statistic, text));
    let question = Question {
        ask,
        site: site.site_id(),
        selection: &filter.selection,
        period: &period,
        page,
        with_title: filter.with_title.unwrap_or(site.group_by_title),
        with_time: filter.with_time,
        scale: scale(filter.scale, site.week_start),
        sort_by: sort_by(endpoint, filter)?,
        ascending: filter.ascending,
        search: search.as_ref(),
        custom: filter.custom.as_ref(),
    };
    let line = |line: &Line| json(&OneLine { line, fields, scale: Scale::Day });
    let lines = match statistic {
        Statistic::Total => return line(&question.total()?),
        Statistic::Growth => return json(&GrowthBody::from(compare(&question, now_ms)?)),
        Statistic::Platforms => return json(&PlatformsBody::from(platforms(&question)?)),
        Statistic::Active => return json(&ActiveBody::of(&active(&question)?, fields)),
        Statistic::Overview => {
            let overview = overview(&question, filter.zone.clone(), now_ms)?;
            return json(&OverviewBody::of(&overview));
        }
        Statistic::Goals => {
            let lines = goals::goals(&question, &site.goals)?;
            return json(&goal_bodies(site, &lines, fields));
        }
        Statistic::Options(of) => {
            return json(&options::options(&question, &options_of(of, filter)?)?);
        }
        Statistic::Sessions => return json(&sessions::list(&question)?),
        Statistic::SessionDetails => return json(&sessions::details(&question, filter)?),
        Statistic::List(list) => list::lines(&question, list)?,
        Statistic::Referrers => referrers::referrers(&question)?,
        Statistic::Pages => pages::pages(&question)?,
        Statistic::Ends(end) => pages::ends(&question, end)?,
        Statistic::Events => events::by_name(&question)?,
        Statistic::EventMeta => match event_and_key(filter)? {
            Some((name, key)) => events::by_meta_value(&question, name, key)?,
            None => Vec::new(),
        },
        Statistic::EventList => events::by_metadata(&question)?,
        Statistic::EventPages if filter.selection.event.is_empty() => Vec::new(),
        Statistic::EventPages => pages::event_pages(&question)?,
        Statistic::Tags => tags::keys(&question)?,
        Statistic::TagDetails => match filter.selection.one_tag() {
            Some(key) => tags::values(&question, key)?,
            None => Vec::new(),
        },
        Statistic::Nothing => Vec::new(),
        Statistic::Days(daily) => series::by_unit(&question, daily)?,
        Statistic::Clock(cycle) => series::by_clock(&question, cycle)?,
    };
    json(&Lines { lines: &lines, fields, scale: filter.scale })
}

/// Which parameters have a meaning: options and the overview ignore filters, active visitors have their own span of
/// time, and only lists have an order to choose and lines to search.
fn heeded(statistic: Statistic) -> Heeded {
    match statistic {
        Statistic::Overview => Heeded::Only(&["id", "tz"]),
        Statistic::Options(_) => Heeded::Only(&[
            "id",
            "from",
            "to",
            "from_time",
            "to_time",
            "start",
            "tz",
            "limit",
            "offset",
            "search",
            "tag",
            "event_meta_key",
        ]),
        Statistic::Active => Heeded::AllBut(&["from", "to", "from_time", "to_time", "scale"]),
        _ if is_list(statistic) => Heeded::All,
        _ => Heeded::AllBut(&["sort", "direction", "search"]),
    }
}

fn is_list(statistic: Statistic) -> bool {
    !matches!(
        statistic,
        Statistic::Total
            | Statistic::Growth
            | Statistic::Platforms
            | Statistic::Overview
            | Statistic::Days(_)
            | Statistic::Clock(_)
            | Statistic::Options(_)
            | Statistic::Sessions
            | Statistic::SessionDetails
            | Statistic::Nothing
    )
}

/// The span of time and the part of the list that a request means. Active visitors have a window of their own, the
/// overview a period.
fn scope(statistic: Statistic, filter: &Filter, site: &Site, now_ms: i64) -> Result<(Period, Page), Invalid> {
    let page = match statistic {
        Statistic::Days(_) | Statistic::Clock(_) => filter.series_page(),
        Statistic::Options(_) => filter.options_page(),
        _ => filter.list_page(),
    };
    if matches!(statistic, Statistic::Active | Statistic::Overview) {
        let seconds = filter.start.unwrap_or(site.active_visitors_seconds);
        return Ok((Period::last_seconds(filter.zone.clone(), seconds, now_ms), page));
    }
    Ok((filter.period(now_ms)?, page))
}

fn scale(scale: Scale, week_start: WeekStart) -> period::Scale {
    match (scale, week_start) {
        (Scale::Day, _) => period::Scale::Day,
        (Scale::Week, WeekStart::Monday) => period::Scale::Week(Weekday::Monday),
        (Scale::Week, WeekStart::Sunday) => period::Scale::Week(Weekday::Sunday),
        (Scale::Month, _) => period::Scale::Month,
        (Scale::Year, _) => period::Scale::Year,
    }
}

fn search(statistic: Statistic, text: &str) -> Arc<Search> {
    let columns = match statistic {
        Statistic::List(list) => list.columns,
        _ => &[],
    };
    let is_code = matches!(columns, [Column::Language | Column::Country]);
    Arc::new(if is_code { Search::codes(text) } else { Search::text(text) })
}

/// What a list is ordered by; series and single objects have no order to choose.
fn sort_by(endpoint: Endpoint, filter: &Filter) -> Result<Option<SortBy>, Invalid> {
    let Some(name) = filter.sort.as_deref() else { return Ok(None) };
    let fields = match endpoint.statistic {
        Statistic::Goals if name == "name" => return Ok(Some(SortBy::Key(0))),
        _ => endpoint.fields,
    };
    let field = fields.iter().find(|field| field.0 == name);
    match field.and_then(|field| field.1.sort_by()) {
        Some(by) => Ok(Some(by)),
        None => Err(Invalid::new("sort", "is no member that this list can be ordered by")),
    }
}

fn options_of(of: OptionsOf, filter: &Filter) -> Result<Options, Invalid> {
    Ok(match of {
        OptionsOf::Attribute(column) => Options::Attribute(column),
        OptionsOf::Page(column) => Options::Page(column),
        OptionsOf::Event => Options::Event,
        OptionsOf::MetadataKeys => Options::Metadata(PairsPart::Keys),
        OptionsOf::Metadata => Options::Metadata(match &filter.event_meta_key {
            Some(key) => PairsPart::ValueOf(key.clone()),
            None => PairsPart::Values,
        }),
        OptionsOf::Tag => Options::Tags(PairsPart::Keys),
        OptionsOf::TagValue => match filter.selection.one_tag() {
            Some(key) => Options::Tags(PairsPart::ValueOf(key.to_owned())),
            None => return Err(Invalid::new("tag", "must be the one tag whose values are wanted")),
        },
    })
}

/// The one event and the key that its breakdown needs; `None` when either is not given.
fn event_and_key(filter: &Filter) -> Result<Option<(&str, &str)>, Invalid> {
    let Some(key) = filter.event_meta_key.as_deref() else { return Ok(None) };
    if filter.selection.event.is_empty() {
        return Ok(None);
    }
    match filter.selection.event.one_wanted() {
        Some(name) => Ok(Some((name, key))),
        None => Err(Invalid::new("event", "must be the name of one event to be broken down by metadata")),
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    validation: BTreeMap<String, String>,
    error: [&'a str; 1],
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Refusal> {
    Ok(serde_json::to_vec(value)?)
}

fn failure(status: u16, validation: BTreeMap<String, String>, error: &str) -> StatisticsAnswer {
    let body = serde_json::to_vec(&ErrorBody { validation, error: [error] }).unwrap_or_default();
    StatisticsAnswer { status, body, failure: None, incomplete: None }
}
