//! Who calls: `Authorization: Bearer` with an access token, which reads and writes, or an access key, which writes.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::api::pirsch::error::ApiError;
use crate::app::App;
use crate::auth::ACCESS_KEY_PREFIX;
use crate::sites::LiveSite;

/// The site that the request may write to.
///
/// # Errors
/// 401.
pub fn to_write(app: &App, headers: &HeaderMap) -> Result<Arc<LiveSite>, ApiError> {
    let token = bearer(headers).ok_or_else(ApiError::unauthorized)?;
    if token.starts_with(ACCESS_KEY_PREFIX) {
        return app.state.view().site_of_access_key(token).cloned().ok_or_else(ApiError::unauthorized);
    }
    site_of_token(app, token)
}

/// The site that the request may read.
///
/// # Errors
/// 401, or 403 for an access key.
pub fn to_read(app: &App, headers: &HeaderMap) -> Result<Arc<LiveSite>, ApiError> {
    let token = bearer(headers).ok_or_else(ApiError::unauthorized)?;
    if token.starts_with(ACCESS_KEY_PREFIX) {
        return match app.state.view().site_of_access_key(token) {
            Some(_) => Err(ApiError::new(StatusCode::FORBIDDEN, "an access key may only write")),
            None => Err(ApiError::unauthorized()),
        };
    }
    site_of_token(app, token)
}

fn site_of_token(app: &App, token: &str) -> Result<Arc<LiveSite>, ApiError> {
    let client = app.tokens.client_of(token, app.clock.now_ms()).ok_or_else(ApiError::unauthorized)?;
    let view = app.state.view();
    let site = view.client(&client).and_then(|client| view.site(client.site));
    site.cloned().ok_or_else(ApiError::unauthorized)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
