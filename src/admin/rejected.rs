//! What was left out.

use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use super::{AdminError, Response, site};
use crate::rejections::{Rejections, Row};
use crate::state::State;

/// A count as commands and the API show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RejectedInfo {
    /// The day in the site's zone.
    pub day: String,
    /// The site's host name; none where the request came from nobody's pages.
    pub site: Option<String>,
    /// Why.
    pub reason: String,
    /// What exactly told; empty where the reason says all.
    pub detail: String,
    /// How often.
    pub count: u64,
}

impl RejectedInfo {
    fn of(row: Row, site: Option<&str>) -> Self {
        let Row { day, reason, detail, count, .. } = row;
        Self { day: day.to_string(), site: site.map(str::to_owned), reason, detail, count }
    }
}

/// The counts of one site, or of all and of what is no site's. Sites that are gone are not shown.
pub(super) fn rows(
    state: &State,
    rejections: &Rejections,
    now: TimestampMs,
    host: Option<&str>,
) -> Result<Response, AdminError> {
    let only = host.map(|host| site(state, host).map(|site| site.number)).transpose()?;
    let name_of =
        |number| state.sites.iter().find(|site| site.number == number).map(|site| site.hostname.as_str());
    let rows = rejections.rows(only, now).into_iter().filter_map(|row| match name_of(row.site) {
        None if row.site != crate::rejections::NO_SITE => None,
        name => Some(RejectedInfo::of(row, name)),
    });
    Ok(Response::Rejected(rows.collect()))
}
