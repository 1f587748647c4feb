//! Filters of sites.

use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use super::{AdminError, Response, site, site_mut};
use crate::auth;
use crate::clock::rfc3339;
use crate::filters::{FILTERS_MAX, Filter, FilterSpec};
use crate::state::State;

/// A filter as commands show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the fields of `Filter`")]
pub struct FilterInfo {
    pub id: String,
    pub site: String,
    pub kind: String,
    pub value: String,
    pub created: String,
}

impl FilterInfo {
    fn of(filter: &Filter, site: &str) -> Self {
        Self {
            id: filter.id.clone(),
            site: site.to_owned(),
            kind: filter.spec.kind().to_owned(),
            value: filter.spec.value().to_owned(),
            created: rfc3339(filter.created),
        }
    }
}

pub(super) fn create(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    spec: FilterSpec,
) -> Result<Response, AdminError> {
    let site = site_mut(state, host)?;
    if site.filters.len() >= FILTERS_MAX {
        return Err(AdminError::Refused(format!("a site has at most {FILTERS_MAX} filters: delete some")));
    }
    let spec = spec.checked().map_err(AdminError::Refused)?;
    spec.leaves_something(&site.hostname, &site.alternative_hosts).map_err(AdminError::Refused)?;
    if site.filters.iter().any(|known| known.spec == spec) {
        let (kind, value) = (spec.kind(), spec.value());
        return Err(AdminError::Refused(format!("the site has a filter for the {kind} {value} already")));
    }
    let filter = Filter { id: auth::random_text(auth::FILTER_ID_CHARS)?, spec, created: now };
    let answer = Response::Filter(FilterInfo::of(&filter, &site.hostname));
    site.filters.push(filter);
    Ok(answer)
}

pub(super) fn list(state: &State, host: Option<&str>) -> Result<Response, AdminError> {
    let only = host.map(|host| site(state, host).map(|site| site.number)).transpose()?;
    let wanted = state.sites.iter().filter(|site| only.is_none_or(|number| site.number == number));
    let all =
        wanted.flat_map(|site| site.filters.iter().map(|filter| FilterInfo::of(filter, &site.hostname)));
    Ok(Response::Filters(all.collect()))
}

pub(super) fn delete(state: &mut State, id: &str) -> Result<Response, AdminError> {
    for site in &mut state.sites {
        if let Some(at) = site.filters.iter().position(|filter| filter.id == id) {
            site.filters.remove(at);
            return Ok(Response::Deleted { deleted: id.to_owned() });
        }
    }
    Err(AdminError::NotFound(format!("there is no filter {id}")))
}
