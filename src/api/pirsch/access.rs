//! Who calls: `Authorization: Bearer` with an access token, which reads and writes, or an access key, which writes.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::api::pirsch::error::ApiError;
use crate::app::App;
use crate::auth::ACCESS_KEY_PREFIX;
use crate::sites::{LiveSite, Site};

/// The site that the request may write to.
///
/// # Errors
/// 401.
pub fn to_write(app: &App, headers: &HeaderMap) -> Result<Arc<LiveSite>, ApiError> {
    let token = bearer(headers).ok_or_else(ApiError::unauthorized)?;
    if token.starts_with(ACCESS_KEY_PREFIX) {
        return app.state.view().site_of_access_key(token).cloned().ok_or_else(ApiError::unauthorized);
    }
    client_of_token(app, token).map(|caller| caller.site)
}

/// The site that the request may read.
///
/// # Errors
/// 401, or 403 for an access key.
pub fn to_read(app: &App, headers: &HeaderMap) -> Result<Arc<LiveSite>, ApiError> {
    client(app, headers).map(|caller| caller.site)
}

/// The site of this id when the request has no token and everyone may read that site's statistics.
pub fn to_read_in_public(app: &App, headers: &HeaderMap, id: &str) -> Option<Arc<LiveSite>> {
    if bearer(headers).is_some() {
        return None;
    }
    let view = app.state.view();
    let number = view.state.sites.iter().find(|site| site.public && site.id == id)?.number;
    view.site(number).cloned()
}

/// A client with an access token.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its id.
    pub client: String,
    /// The site it speaks for.
    pub site: Arc<LiveSite>,
}

/// The client that makes the request.
///
/// # Errors
/// 401, or 403 for an access key.
pub fn client(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let token = bearer(headers).ok_or_else(ApiError::unauthorized)?;
    if token.starts_with(ACCESS_KEY_PREFIX) {
        return match app.state.view().site_of_access_key(token) {
            Some(_) => Err(ApiError::new(StatusCode::FORBIDDEN, "an access key may only write")),
            None => Err(ApiError::unauthorized()),
        };
    }
    client_of_token(app, token)
}

/// `id` must name the caller's own site.
///
/// # Errors
/// 404.
pub fn check_domain(site: &Site, id: &str) -> Result<(), ApiError> {
    if id == site.id { Ok(()) } else { Err(no_domain()) }
}

/// 404: what the caller names is no site of its own.
pub fn no_domain() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "this client has no domain with this id")
}

fn client_of_token(app: &App, token: &str) -> Result<Caller, ApiError> {
    let client = app.tokens.client_of(token, app.clock.now_ms()).ok_or_else(ApiError::unauthorized)?;
    let view = app.state.view();
    let site = view.client(&client).and_then(|client| view.site(client.site));
    let site = site.cloned().ok_or_else(ApiError::unauthorized)?;
    Ok(Caller { client, site })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
