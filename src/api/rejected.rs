//! `GET /api/v1/rejected`: what was left out of the client's site in the last thirty days, by day and reason.

use std::sync::Arc;

use hyper::header::HeaderMap;
use hyper::{StatusCode, Uri};

use crate::admin::{Request, Response};
use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::manage;
use crate::app::App;
use crate::http::respond::{self, Answer};

/// Answers with an array, the oldest day first. `id` may be left out: a token is one site's.
///
/// # Errors
/// 401, 403, 404.
pub async fn answer(app: &Arc<App>, uri: &Uri, headers: &HeaderMap) -> Result<Answer, ApiError> {
    let site = access::to_read(app, headers)?;
    if let Some(id) = manage::query(uri, "id") {
        access::check_domain(&site, &id)?;
    }
    let response = manage::administer(app, Request::Rejected { site: Some(site.id.clone()) }).await?;
    let Response::Rejected(rows) = response else { return Err(manage::failed()) };
    let body = serde_json::to_string(&rows).map_err(|_| manage::failed())?;
    Ok(respond::json(StatusCode::OK, body))
}
