//! `GET /api/v1/statistics/...`: who asks, for which site; the rest is `statistics`' business.

use std::sync::Arc;

use hyper::header::{HeaderMap, HeaderName};
use hyper::{StatusCode, Uri};

use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::manage;
use crate::api::pirsch::statistics::{self, StatisticsContext};
use crate::app::{App, BUSY_QUERIES};
use crate::http::respond::{self, Answer};
use crate::sites::{LiveSite, Site};

/// On answers from which damaged data is missing, with the reason.
const INCOMPLETE: HeaderName = HeaderName::from_static("x-hitstone-incomplete");

/// Answers the statistic at `path`, the part after `/api/v1/statistics/`.
///
/// # Errors
/// 400, 401, 403, 404, 503.
pub async fn statistic(
    app: &Arc<App>,
    path: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Answer, ApiError> {
    let id = manage::query(uri, "id");
    let site = match in_public(app, path, uri, headers) {
        Some(site) => site,
        None => access::to_read(app, headers)?,
    };
    check_id(&site, id.as_deref())?;
    let query = uri.query().unwrap_or_default().to_owned();
    let (path, now_ms, site) = (path.to_owned(), app.clock.now_ms(), Arc::clone(&site));
    let teller = Arc::clone(app);
    let answer = app.query(site.site_id(), move |snapshot, cancelled| {
        let context = StatisticsContext { snapshot: Arc::clone(&snapshot), site: &site, now_ms, cancelled };
        let answer = statistics::answer(&path, &query, &context);
        if answer.incomplete.is_some() || answer.failure.is_some() {
            teller.tell_met(&snapshot, site.site_id(), answer.failure.as_deref());
        }
        answer
    });
    let unavailable = |reason| ApiError::unavailable(reason, (reason == BUSY_QUERIES).then_some(1));
    let answer = answer.await.map_err(unavailable)?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let response = respond::json(status, answer.body);
    Ok(match answer.incomplete {
        Some(reason) => respond::with_header(response, INCOMPLETE, &reason),
        None => response,
    })
}

/// The site whose statistics everyone may read, when the request has no token. Single visits are nobody's business.
fn in_public(app: &App, path: &str, uri: &Uri, headers: &HeaderMap) -> Option<Arc<LiveSite>> {
    if path.starts_with("session/") || names_a_visit(uri) {
        return None;
    }
    access::to_read_in_public(app, headers, &manage::query(uri, "id")?)
}

/// Whether the filter picks a single visit.
fn names_a_visit(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    let picks = |name: &str| matches!(name.strip_suffix("[]").unwrap_or(name), "visitor_id" | "session_id");
    url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| picks(&name))
}

fn check_id(site: &Site, id: Option<&str>) -> Result<(), ApiError> {
    match id {
        None => Err(ApiError::field("id", "is required: the id of the domain, see /api/v1/domain")),
        Some(id) => access::check_domain(site, id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_must_be_the_client_s_own() {
        let site = Site::new(1, "example.com".into(), 0).unwrap();
        assert!(check_id(&site, Some(&site.id)).is_ok());
        assert_eq!(check_id(&site, None).unwrap_err().status, 400);
        assert_eq!(check_id(&site, Some("other")).unwrap_err().status, 404);
    }
}
