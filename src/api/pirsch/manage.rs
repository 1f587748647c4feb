//! What calls that manage a site have in common: who may make them and how often, and how `admin` is asked.

use std::sync::Arc;

use hyper::header::HeaderMap;
use hyper::{StatusCode, Uri};

use crate::admin::{AdminError, Request, Response};
use crate::api::pirsch::access::{self, Caller};
use crate::api::pirsch::error::ApiError;
use crate::app::App;
use crate::sites::{LiveSite, Site};

/// Who manages: a client with an access token, which has so many calls a minute.
///
/// # Errors
/// 401, 403 for an access key, 429.
pub fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = access::client(app, headers)?;
    let taken = app.management.take(caller.client.clone(), app.clock.now_ms());
    taken.map_err(|seconds| {
        let message = "this client has made too many calls that manage its site within a minute";
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(seconds)
    })?;
    Ok(caller)
}

/// Does an administrative operation off the threads that serve connections; in force when it returns.
///
/// # Errors
/// 400, 404, 500, 503.
pub async fn administer(app: &Arc<App>, request: Request) -> Result<Response, ApiError> {
    let administering = Arc::clone(app);
    match tokio::task::spawn_blocking(move || administering.administer(request)).await {
        Ok(done) => done.map_err(api_error),
        Err(_) => Err(failed()),
    }
}

fn api_error(error: AdminError) -> ApiError {
    match error {
        AdminError::Refused(message) => ApiError::bad(message),
        AdminError::Invalid { field, message } => ApiError::field(field, message),
        AdminError::NotFound(message) => ApiError::new(StatusCode::NOT_FOUND, message),
        // Paths and the system's words concern the operator.
        AdminError::Storage(error) => {
            eprintln!("hitstone: {error}");
            ApiError::unavailable("the change could not be stored: see the server's log", None)
        }
        AdminError::Random(error) => {
            eprintln!("hitstone: {error}");
            failed()
        }
    }
}

/// 500.
pub fn failed() -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed on this request")
}

/// The site as it is after a change.
///
/// # Errors
/// 404: it was deleted meanwhile.
pub fn site_now(app: &App, site: &Site) -> Result<Arc<LiveSite>, ApiError> {
    app.state.view().site(site.number).cloned().ok_or_else(access::no_domain)
}

/// The last value of a query parameter; the empty one is as good as absent.
pub fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let values = pairs.filter(|(key, value)| key == name && !value.is_empty());
    values.map(|(_, value)| value.into_owned()).last()
}

/// A query parameter that must be given.
///
/// # Errors
/// 400.
pub fn required_query(uri: &Uri, name: &str) -> Result<String, ApiError> {
    query(uri, name).ok_or_else(|| ApiError::field(name, "is required"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_parameter_counts() {
        let uri: Uri = "/api/v1/goal?id=a&search=&id=b%20c&id=".parse().unwrap();
        assert_eq!(query(&uri, "id").as_deref(), Some("b c"));
        assert_eq!(query(&uri, "search"), None);
        assert_eq!(required_query(&uri, "search").unwrap_err().status, 400);
        assert_eq!(query(&"/api/v1/goal".parse().unwrap(), "id"), None);
    }

    #[test]
    fn faults_have_their_status() {
        let status = |error| api_error(error).status.as_u16();
        assert_eq!(status(AdminError::Refused("no".into())), 400);
        assert_eq!(status(AdminError::NotFound("no".into())), 404);
        let invalid = api_error(AdminError::Invalid { field: "name", message: "is required".into() });
        assert_eq!((invalid.status.as_u16(), invalid.validation["name"].as_str()), (400, "is required"));
    }
}
