//! Pirsch's statistics: from a request's path and query string to its JSON answer.
//!
//! Knows the spelling; what the numbers mean is in [`crate::statistics`]. The caller has authenticated the request
//! and found the site that `id` names.

mod endpoints;
mod render;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use hitstone_engine::error::QueryError;
use hitstone_engine::query::Cancelled;
use hitstone_engine::store::Snapshot;
use serde::Serialize;

use crate::sites::Site;
use crate::statistics::active::{Active, active};
use crate::statistics::growth::{Growth, compare};
use crate::statistics::period::Period;
use crate::statistics::platforms::{Platforms, platforms};
use crate::statistics::{Ask, Page, Question, SnapshotAsk, events, list, pages, referrers, series};

use super::filter::{self, Defaults, Filter, Invalid};
use endpoints::{Endpoint, Statistic};
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
}

/// Answers a statistic. `path` is what follows `/api/v1/statistics/`, `query` the raw query string.
pub fn answer(path: &str, query: &str, ctx: &StatisticsContext<'_>) -> StatisticsAnswer {
    let ask = SnapshotAsk { snapshot: &ctx.snapshot, cancelled: ctx.cancelled };
    answer_from(&ask, path, query, ctx.site, ctx.now_ms)
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
    let answered = filter::parse(query, Defaults { zone: &site.timezone, now_ms })
        .map_err(Refusal::from)
        .and_then(|filter| compute(ask, endpoint, &filter, site, now_ms));
    match answered {
        Ok(body) => StatisticsAnswer { status: 200, body },
        Err(Refusal::Invalid(invalid)) => {
            let all: Vec<_> =
                invalid.fields.iter().map(|(field, message)| format!("{field} {message}")).collect();
            failure(400, invalid.fields, &all.join("; "))
        }
        Err(Refusal::Query(QueryError::Cancelled(reason))) => {
            failure(503, BTreeMap::new(), &format!("the query was cancelled: {reason}"))
        }
        // What a damaged file is called concerns the operator, not the reader.
        Err(Refusal::Query(QueryError::Storage(_))) => {
            failure(500, BTreeMap::new(), "the data could not be read: see the server's log")
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
    let (period, page) = scope(endpoint.statistic, filter, site, now_ms)?;
    let question = Question {
        ask,
        site: site.site_id(),
        selection: &filter.selection,
        period: &period,
        page,
        with_title: filter.with_title.unwrap_or(site.group_by_title),
        with_time: filter.with_time,
    };
    let fields = endpoint.fields;
    let lines = match endpoint.statistic {
        Statistic::Total => return json(&OneLine { line: &question.total()?, fields }),
        Statistic::Growth => return json(&GrowthBody::from(compare(&question, now_ms)?)),
        Statistic::Platforms => return json(&PlatformsBody::from(platforms(&question)?)),
        Statistic::Active => {
            let Active { pages, visitors } = active(&question)?;
            return json(&ActiveBody { stats: Lines { lines: &pages, fields }, visitors });
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
        Statistic::Nothing => Vec::new(),
        Statistic::Days(daily) => series::by_day(&question, daily)?,
        Statistic::Hours(cycle) => series::by_hour(&question, cycle)?,
    };
    json(&Lines { lines: &lines, fields })
}

/// The span of time and the part of the list that a request means. Active visitors have a window of their own.
fn scope(statistic: Statistic, filter: &Filter, site: &Site, now_ms: i64) -> Result<(Period, Page), Invalid> {
    let page = match statistic {
        Statistic::Days(_) | Statistic::Hours(_) => filter.series_page(),
        _ => filter.list_page(),
    };
    if matches!(statistic, Statistic::Active) {
        let seconds = filter.start.unwrap_or(site.active_visitors_seconds);
        return Ok((Period::last_seconds(filter.zone.clone(), seconds, now_ms), page));
    }
    Ok((filter.period(now_ms)?, page))
}

/// The one event and the key that its breakdown needs; `None` when either is not given.
fn event_and_key(filter: &Filter) -> Result<Option<(&str, &str)>, Invalid> {
    let Some(key) = filter.event_meta_key.as_deref() else { return Ok(None) };
    if filter.selection.event.is_empty() {
        return Ok(None);
    }
    match filter.selection.event.exact() {
        Some(name) => Ok(Some((name, key))),
        None => Err(Invalid::new("event", "must be the name of one event to be broken down by metadata")),
    }
}

#[derive(Serialize)]
struct ActiveBody<'a> {
    stats: Lines<'a>,
    visitors: u64,
}

#[derive(Serialize)]
struct GrowthBody {
    visitors_growth: f64,
    views_growth: f64,
    sessions_growth: f64,
    bounces_growth: f64,
    time_spent_growth: f64,
    cr_growth: f64,
}

impl From<Growth> for GrowthBody {
    fn from(growth: Growth) -> Self {
        Self {
            visitors_growth: growth.visitors,
            views_growth: growth.views,
            sessions_growth: growth.sessions,
            bounces_growth: growth.bounces,
            time_spent_growth: growth.time_spent,
            cr_growth: growth.conversion,
        }
    }
}

#[derive(Serialize)]
struct PlatformsBody {
    platform_desktop: u64,
    platform_mobile: u64,
    platform_unknown: u64,
    relative_platform_desktop: f64,
    relative_platform_mobile: f64,
    relative_platform_unknown: f64,
}

impl From<Platforms> for PlatformsBody {
    fn from(platforms: Platforms) -> Self {
        Self {
            platform_desktop: platforms.desktop,
            platform_mobile: platforms.mobile,
            platform_unknown: platforms.unknown,
            relative_platform_desktop: platforms.relative_desktop,
            relative_platform_mobile: platforms.relative_mobile,
            relative_platform_unknown: platforms.relative_unknown,
        }
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
    StatisticsAnswer { status, body }
}
