//! `/api/v1/domain`: the client's site, in an array of one, and its identification code. Below it, its settings.

pub mod alternative;
pub mod setting;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, Uri};
use serde_json::{Value, json};

use crate::admin::Request as AdminRequest;
use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::manage;
use crate::api::pirsch::members::Members;
use crate::app::App;
use crate::clock::rfc3339;
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::sites::{Site, WeekStart};

/// Shows the site that the token belongs to, or gives it a new identification code.
///
/// # Errors
/// 400, 401, 403, 404, 413, 429, 503.
pub async fn answer(app: &Arc<App>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let method = request.method().clone();
    if method == Method::PUT {
        return new_code(app, request).await;
    }
    if method == Method::POST || method == Method::DELETE {
        manage::caller(app, request.headers())?;
        let message = "a site's client cannot make or delete sites: see `hitstone help site`";
        return Err(ApiError::new(StatusCode::FORBIDDEN, message));
    }
    // Clients ask for this at each start to get to know the id: it costs nothing and is not limited.
    let site = access::to_read(app, request.headers())?;
    let shown = if is_meant(&site, request.uri()) { vec![domain(&site)] } else { Vec::new() };
    Ok(respond::json(StatusCode::OK, Value::Array(shown).to_string()))
}

/// Whether the site is what the query looks for.
fn is_meant(site: &Site, uri: &Uri) -> bool {
    let is = |name: &str, fits: &dyn Fn(&str) -> bool| {
        manage::query(uri, name).is_none_or(|value| fits(&value.to_lowercase()))
    };
    manage::query(uri, "id").is_none_or(|id| id == site.id)
        && is("search", &|text| site.hostname.contains(text))
        && is("subdomain", &|text| subdomain(site) == text)
        && is("domain", &|host| site.hostname == host || site.alternative_hosts.iter().any(|own| own == host))
}

async fn new_code(app: &Arc<App>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let site = manage::caller(app, request.headers())?.site;
    let body = body::read(request).await?;
    access::check_domain(&site, Members::parse(&body)?.required("id")?)?;
    manage::administer(app, AdminRequest::SiteNewCode { host: site.id.clone() }).await?;
    let code = manage::site_now(app, &site)?.identification_code.clone();
    Ok(respond::json(StatusCode::OK, json!({ "identification_code": code }).to_string()))
}

/// Answers with the site as it is now.
fn shown(app: &App, site: &Site) -> Result<Answer, ApiError> {
    let site = manage::site_now(app, site)?;
    Ok(respond::json(StatusCode::OK, domain(&site).to_string()))
}

/// What stands before the first dot of the host name, `www.` aside.
fn subdomain(site: &Site) -> &str {
    let host = site.hostname.strip_prefix("www.").unwrap_or(&site.hostname);
    host.split('.').next().unwrap_or_default()
}

/// Clients decode the maps as text to text, so they stay empty; what a server of one's own does not have is empty or
/// null, as clients declare it. The last two members are our own.
fn domain(site: &Site) -> Value {
    json!({
        "id": site.id,
        "def_time": rfc3339(site.created),
        "mod_time": rfc3339(site.modified),
        "user_id": "",
        "organization_id": "",
        "hostname": site.hostname,
        "subdomain": subdomain(site),
        "identification_code": site.identification_code,
        "public": site.public,
        "google_user_id": null,
        "google_user_email": null,
        "gsc_domain": null,
        "new_owner": null,
        "user_role": "",
        "timezone": site.timezone,
        "group_by_title": site.group_by_title,
        "active_visitors_seconds": site.active_visitors_seconds,
        "disable_scripts": false,
        "statistics_start": null,
        "imported_statistics": false,
        "metadata": {},
        "theme_id": "",
        "theme": {},
        "custom_domain": null,
        "settings": {},
        "theme_settings": {},
        "display_name": null,
        "pinned": false,
        "free_trial": false,
        "subscription_active": true,
        "subscription_plus": false,
        "start_week_sunday": site.week_start == WeekStart::Sunday,
        "ignore_dnt": site.ignore_dnt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_picks_the_site_or_not() {
        let mut site = Site::new(1, "www.example.com".into(), 0).unwrap();
        site.alternative_hosts = vec!["shop.test".into()];
        let fits = |query: &str| is_meant(&site, &format!("/api/v1/domain?{query}").parse().unwrap());
        for query in
            ["", "id=", "search=EXAM", "subdomain=example", "domain=www.example.com", "domain=Shop.test"]
        {
            assert!(fits(query), "{query}");
        }
        assert!(fits(&format!("id={}&search=com", site.id)));
        for query in ["id=other", "search=other", "subdomain=www", "domain=example.com", "search=com&id=x"] {
            assert!(!fits(query), "{query}");
        }
    }

    #[test]
    fn has_every_key_of_the_first_document() {
        let site = Site::new(1, "www.example.com".into(), 1_780_000_000_123).unwrap();
        let domain = domain(&site);
        let keys = "id def_time mod_time user_id hostname subdomain identification_code public google_user_id \
                    google_user_email gsc_domain new_owner user_role";
        assert!(keys.split_whitespace().all(|key| domain.get(key).is_some()));
        assert_eq!(domain["subdomain"], "example");
        assert_eq!(domain["def_time"], "2026-05-28T20:26:40.123Z");
    }
}
