//! `GET /api/v1/domain`: the client's site, in an array of one.

use hyper::StatusCode;
use hyper::header::HeaderMap;
use serde_json::{Value, json};

use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::app::App;
use crate::clock::rfc3339;
use crate::http::respond::{self, Answer};
use crate::sites::Site;

/// Answers with the site that the token belongs to.
///
/// # Errors
/// 401, 403.
pub fn list(app: &App, headers: &HeaderMap) -> Result<Answer, ApiError> {
    let site = access::to_read(app, headers)?;
    Ok(respond::json(StatusCode::OK, Value::Array(vec![domain(&site)]).to_string()))
}

/// Clients decode the maps as text to text, so they stay empty; what a server of one's own does not have is null.
fn domain(site: &Site) -> Value {
    let subdomain = site.hostname.strip_prefix("www.").unwrap_or(&site.hostname);
    json!({
        "id": site.id,
        "def_time": rfc3339(site.created),
        "mod_time": rfc3339(site.modified),
        "user_id": "",
        "organization_id": null,
        "hostname": site.hostname,
        "subdomain": subdomain.split('.').next().unwrap_or_default(),
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
        "imported_statistics": null,
        "metadata": {},
        "theme_id": null,
        "theme": {},
        "custom_domain": null,
        "settings": {},
        "theme_settings": {},
        "display_name": null,
        "pinned": false,
        "free_trial": false,
        "subscription_active": true,
        "subscription_plus": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
