//! `POST /api/v1/domain/...`: one setting of the client's site a call. What is on or off is turned to what the body
//! says, else over.

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;

use super::shown;
use crate::admin::{Request as AdminRequest, SiteChanges, SiteSwitch};
use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::manage;
use crate::api::pirsch::members::Members;
use crate::app::App;
use crate::http::body;
use crate::http::respond::Answer;
use crate::sites::WeekStart;

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// `timezone`
    TimeZone,
    /// `active`
    ActiveSeconds,
    /// `title`, `public`, `start-week-sunday`, `dnt`
    Switch(SiteSwitch),
}

impl Setting {
    /// The setting at a path below `/api/v1/domain/`.
    pub fn at(path: &str) -> Option<Self> {
        Some(match path {
            "timezone" => Self::TimeZone,
            "active" => Self::ActiveSeconds,
            "title" => Self::Switch(SiteSwitch::GroupByTitle),
            "public" => Self::Switch(SiteSwitch::Public),
            "start-week-sunday" => Self::Switch(SiteSwitch::StartWeekSunday),
            "dnt" => Self::Switch(SiteSwitch::IgnoreDnt),
            _ => return None,
        })
    }
}

/// Changes a setting; answers with the site as it is then.
///
/// # Errors
/// 400, 401, 403, 404, 413, 429, 503.
pub async fn change(
    app: &Arc<App>,
    setting: Setting,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let site = manage::caller(app, request.headers())?.site;
    let body = body::read(request).await?;
    let members = Members::parse(&body)?;
    access::check_domain(&site, members.required("domain_id")?)?;
    let done = manage::administer(app, asked(setting, site.id.clone(), &members)?).await;
    done.map_err(|error| error.renamed("active_visitors_seconds", "time"))?;
    shown(app, &site)
}

fn asked(setting: Setting, host: String, members: &Members<'_>) -> Result<AdminRequest, ApiError> {
    let nothing = SiteChanges::default();
    let changes = match setting {
        Setting::TimeZone => {
            SiteChanges { timezone: Some(members.required("timezone")?.to_owned()), ..nothing }
        }
        Setting::ActiveSeconds => {
            let seconds = members.whole("time")?.ok_or_else(|| ApiError::field("time", "is required"))?;
            // What does not fit is out of bounds all the same.
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            SiteChanges { active_visitors_seconds: Some(seconds), ..nothing }
        }
        Setting::Switch(switch) => match members.switch("value")?.or(members.switch(member(switch))?) {
            Some(on) => turned(switch, on),
            None => return Ok(AdminRequest::SiteToggle { host, switch }),
        },
    };
    Ok(AdminRequest::SiteSet { host, changes })
}

/// The member that says how a switch shall stand; also what the site's object calls it.
const fn member(switch: SiteSwitch) -> &'static str {
    match switch {
        SiteSwitch::GroupByTitle => "group_by_title",
        SiteSwitch::IgnoreDnt => "ignore_dnt",
        SiteSwitch::Public => "public",
        SiteSwitch::StartWeekSunday => "start_week_sunday",
    }
}

fn turned(switch: SiteSwitch, on: bool) -> SiteChanges {
    let nothing = SiteChanges::default();
    match switch {
        SiteSwitch::GroupByTitle => SiteChanges { group_by_title: Some(on), ..nothing },
        SiteSwitch::IgnoreDnt => SiteChanges { ignore_dnt: Some(on), ..nothing },
        SiteSwitch::Public => SiteChanges { public: Some(on), ..nothing },
        SiteSwitch::StartWeekSunday => {
            let day = if on { WeekStart::Sunday } else { WeekStart::Monday };
            SiteChanges { week_start: Some(day), ..nothing }
        }
    }
}
