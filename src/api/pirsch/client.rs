//! `/api/v1/client`: the clients of the client's site. Secrets are shown when they are made and never again.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, Uri};
use serde_json::{Value, json};

use crate::admin::{NewClient, Request as AdminRequest, Response};
use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::manage;
use crate::api::pirsch::members::Members;
use crate::app::App;
use crate::clock::rfc3339;
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::sites::{Client, ClientKind, Site};

/// What a client with a token may do and an access key may not.
const READING_SCOPES: [&str; 2] = ["scope_statistics", "scope_domains"];
const WRITING_SCOPES: [&str; 3] = ["scope_hit", "scope_event", "scope_session"];

/// Lists, creates, describes and revokes clients.
///
/// # Errors
/// 400, 401, 403, 404, 413, 429, 503.
pub async fn answer(app: &Arc<App>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let site = manage::caller(app, request.headers())?.site;
    if request.method() == Method::DELETE {
        return revoke(app, &site, request.uri()).await;
    }
    if request.method() != Method::POST {
        return list(app, &site, request.uri());
    }
    let body = body::read(request).await?;
    let members = Members::parse(&body)?;
    match members.text("id")? {
        Some(id) => describe(app, &site, id, &members).await,
        None => create(app, &site, &members).await,
    }
}

fn list(app: &App, site: &Site, uri: &Uri) -> Result<Answer, ApiError> {
    access::check_domain(site, &manage::required_query(uri, "id")?)?;
    let view = app.state.view();
    let own = view.state.clients.iter().filter(|client| client.site == site.number);
    let clients: Vec<Value> = own.map(|client| client_json(client, &site.id)).collect();
    Ok(respond::json(StatusCode::OK, Value::Array(clients).to_string()))
}

async fn revoke(app: &Arc<App>, site: &Site, uri: &Uri) -> Result<Answer, ApiError> {
    let client_id = manage::required_query(uri, "id")?;
    manage::administer(app, AdminRequest::ClientRevoke { site: Some(site.id.clone()), client_id }).await?;
    Ok(respond::empty())
}

async fn describe(app: &Arc<App>, site: &Site, id: &str, members: &Members<'_>) -> Result<Answer, ApiError> {
    if let Some(id) = members.text("domain_id")? {
        access::check_domain(site, id)?;
    }
    let request = AdminRequest::ClientDescribe {
        site: site.id.clone(),
        client_id: id.to_owned(),
        description: members.text("description")?.unwrap_or_default().to_owned(),
    };
    manage::administer(app, request).await?;
    Ok(respond::json(StatusCode::OK, shown(app, site, id)?.to_string()))
}

async fn create(app: &Arc<App>, site: &Site, members: &Members<'_>) -> Result<Answer, ApiError> {
    access::check_domain(site, members.required("domain_id")?)?;
    let kind = match members.required("type")? {
        "oauth" => NewClient::Oauth,
        "token" => NewClient::WriteOnly,
        _ => return Err(ApiError::field("type", "must be oauth or token")),
    };
    if kind == NewClient::Oauth {
        check_scopes(members)?;
    }
    let request = AdminRequest::ClientCreate {
        site: site.id.clone(),
        kind,
        description: members.text("description")?.unwrap_or_default().to_owned(),
    };
    let (id, secret) = match manage::administer(app, request).await? {
        Response::ClientCreated { client_id, client_secret } => (client_id, client_secret),
        Response::AccessKeyCreated { client_id, access_key } => (client_id, access_key),
        _ => return Err(manage::failed()),
    };
    let mut shown = shown(app, site, &id)?;
    if let Value::Object(shown) = &mut shown {
        shown.insert("client_secret".into(), Value::String(secret));
    }
    Ok(respond::json(StatusCode::OK, shown.to_string()))
}

/// Nobody gets more than was asked for: a body that names scopes must name all that such a client has.
fn check_scopes(members: &Members<'_>) -> Result<(), ApiError> {
    let all = || WRITING_SCOPES.iter().chain(&READING_SCOPES);
    let mut missing = None;
    let mut any = false;
    for name in all() {
        match members.text(name)? {
            Some(_) => any = true,
            None => missing = missing.or(Some(*name)),
        }
    }
    match missing {
        Some(name) if any => {
            Err(ApiError::field(name, "cannot be left out: a client of type oauth has every scope"))
        }
        _ => Ok(()),
    }
}

fn shown(app: &App, site: &Site, id: &str) -> Result<Value, ApiError> {
    let view = app.state.view();
    let gone = || ApiError::new(StatusCode::NOT_FOUND, "the client was revoked meanwhile");
    Ok(client_json(view.client(id).ok_or_else(gone)?, &site.id))
}

fn client_json(client: &Client, site_id: &str) -> Value {
    let (kind, writes, reads) = match client.kind {
        ClientKind::Oauth { .. } => ("oauth", true, true),
        ClientKind::WriteOnly { .. } => ("token", true, false),
        // None of these calls takes its token.
        ClientKind::Basic { .. } => ("basic", false, false),
    };
    let scope = |has: bool, letter: &'static str| if has { letter } else { "" };
    let mut shown = json!({
        "id": client.id,
        "def_time": rfc3339(client.created),
        "mod_time": rfc3339(client.created.max(client.modified)),
        "domain_id": site_id,
        "client_id": client.id,
        "description": client.description,
        "type": kind,
        "scope_statistics": scope(reads, "r"),
        "scope_domains": scope(reads, "w"),
        "scope_organizations": "",
        "scope_themes": "",
        "scope_billing": "",
    });
    for name in WRITING_SCOPES {
        shown[name] = json!(scope(writes, "w"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_more_scopes_than_asked_for() {
        let check = |body: &str| check_scopes(&Members::parse(body.as_bytes()).unwrap());
        assert!(check("{}").is_ok());
        assert!(check(r#"{"scope_hit":"","scope_statistics":null}"#).is_ok());
        let all = r#"{"scope_hit":"w","scope_event":"w","scope_session":"w","scope_statistics":"r","scope_domains":"w"}"#;
        assert!(check(all).is_ok());
        let error = check(&all.replace(r#""scope_domains":"w""#, r#""scope_domains":"""#)).unwrap_err();
        assert!(error.validation.contains_key("scope_domains"), "{error:?}");
        assert!(check(r#"{"scope_statistics":"r"}"#).is_err());
        assert!(check(r#"{"scope_hit":1}"#).is_err());
    }
}
