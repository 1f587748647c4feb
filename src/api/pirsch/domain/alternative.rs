//! `/api/v1/domain/alternative`: the other host names of the client's site.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
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
use crate::sites::{self, Site};

/// Lists, adds, replaces and removes names.
///
/// # Errors
/// 400, 401, 403, 404, 413, 429, 503.
pub async fn answer(app: &Arc<App>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let site = manage::caller(app, request.headers())?.site;
    let method = request.method().clone();
    if method == Method::DELETE {
        let id = manage::required_query(request.uri(), "id")?;
        let remove = AdminRequest::AlternativeRemove { site: site.id.clone(), id };
        manage::administer(app, remove).await?;
        return Ok(respond::empty());
    }
    if method != Method::POST && method != Method::PUT {
        access::check_domain(&site, &manage::required_query(request.uri(), "domain_id")?)?;
        let names = site.alternative_hosts.iter().map(|host| name_json(&site, host));
        return Ok(respond::json(StatusCode::OK, Value::Array(names.collect()).to_string()));
    }
    let body = body::read(request).await?;
    let members = Members::parse(&body)?;
    let change = if method == Method::PUT {
        if let Some(id) = members.text("domain_id")? {
            access::check_domain(&site, id)?;
        }
        let id = members.required("id")?.to_owned();
        let hostname = members.required("hostname")?.to_owned();
        AdminRequest::AlternativeReplace { site: site.id.clone(), id, hostname }
    } else {
        access::check_domain(&site, members.required("domain_id")?)?;
        let hostname = members.required("hostname")?.to_owned();
        AdminRequest::AlternativeAdd { site: site.id.clone(), hostname }
    };
    manage::administer(app, change).await?;
    let host = sites::normalise_alternative(members.required("hostname")?)
        .map_err(|message| ApiError::field("hostname", message))?;
    let site = manage::site_now(app, &site)?;
    Ok(respond::json(StatusCode::OK, name_json(&site, &host).to_string()))
}

/// Names have no times of their own: the site's stand for them.
fn name_json(site: &Site, host: &str) -> Value {
    json!({
        "id": site.alternative_id(host),
        "def_time": rfc3339(site.created),
        "mod_time": rfc3339(site.modified),
        "domain_id": site.id,
        "hostname": host,
    })
}
