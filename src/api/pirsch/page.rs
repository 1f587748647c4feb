//! `GET /hit`, `POST /event`, `POST /session`: what tags and the web client of the SDK send from pages, which name the
//! site by its identification code. Some say everything in the query, others in a body.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use url::form_urlencoded;

use crate::api::browser::{self, Browser};
use crate::api::cors::{self, Sharing};
use crate::api::json::Json;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::hit::{self, Call};
use crate::api::pirsch::track;
use crate::api::{limit, taken};
use crate::app::App;
use crate::event_ids::Sender;
use crate::hit::Hit;
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::sites::LiveSite;

/// What a query calls the identification code.
const CODES: [&str; 2] = ["code", "identification_code"];

/// Answers a request from `peer`, whatever its method.
pub async fn answer(app: &Arc<App>, peer: IpAddr, call: Call, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    // Beacons, which browsers send with credentials, are among the calls.
    let sharing = Sharing::WithCredentials;
    if let Some(answer) = cors::preflight(sharing, &head.method, &head.headers, method(call)) {
        return answer;
    }
    let answer = limited(app, peer, call, &head, body).await;
    respond::uncached(cors::open(sharing, answer, &head.headers))
}

fn method(call: Call) -> &'static str {
    if call == Call::Hit { "GET" } else { "POST" }
}

async fn limited(app: &Arc<App>, peer: IpAddr, call: Call, head: &Parts, body: Incoming) -> Answer {
    if head.method != method(call) {
        return ApiError::method_not_allowed(method(call));
    }
    let ip = browser::address(app, peer, &head.headers);
    let allowance = match limit::take(app, ip) {
        Ok(allowance) => allowance,
        Err(limited) => return ApiError::from(limited).answer(),
    };
    let answer = take(app, ip, call, head, body).await.unwrap_or_else(|error| error.answer());
    limit::tell(answer, allowance)
}

async fn take(
    app: &Arc<App>,
    ip: IpAddr,
    call: Call,
    head: &Parts,
    body: Incoming,
) -> Result<Answer, ApiError> {
    let body = if call == Call::Hit {
        Bytes::new()
    } else {
        body::read_parts(&head.headers, body, body::BYTES_MAX).await?
    };
    let browser = Browser::of(ip, &head.headers);
    let (site, mut hit) = read(app, call, browser, head, &body)?;
    hit.complete_url(&site.hostname);
    if hit.event_id.is_empty() {
        hit.event_id = taken::event_id(&head.headers)?.unwrap_or_default();
    }
    let request_key = taken::request_key(&head.headers)?;
    let ingested = app.ingest(&site, Sender::Anyone, vec![hit], request_key).await;
    let ingested = ingested.map_err(|error| track::api_error(error, false))?;
    Ok(taken::tell(respond::empty(), &ingested, browser::asks_for_reasons(&head.headers)))
}

/// Whose page it is, and what happened there.
fn read(
    app: &App,
    call: Call,
    browser: Browser,
    head: &Parts,
    body: &[u8],
) -> Result<(Arc<LiveSite>, Hit), ApiError> {
    let query = || form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let code = CODES.iter().find_map(|code| query().find(|(name, value)| name == code && !value.is_empty()));
    let code = code.map_or(Cow::Borrowed(""), |(_, code)| code);
    if body.is_empty() {
        return Ok((site_of(app, &code)?, hit::read_query(browser, call, query())?));
    }
    let body = Json::parse(body)?;
    let named = body.member("identification_code").map_or("", Json::text);
    let site = site_of(app, if named.is_empty() { &code } else { named })?;
    Ok((site, hit::read_from(browser, call, body)?))
}

fn site_of(app: &App, code: &str) -> Result<Arc<LiveSite>, ApiError> {
    let site = app.state.view().site_of_code(code).cloned();
    site.ok_or_else(|| {
        ApiError::new(StatusCode::UNAUTHORIZED, "the identification code is missing or unknown")
    })
}
