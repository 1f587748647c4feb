//! SegmentStream's tracking API: `/track` and `/track/batch` for backends, which have a token, and `/collect` for the
//! script in pages, which names the site.

mod message;
mod personal;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hitstone_engine::units::TimestampMs;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, Request};

use crate::api::browser::{self, Browser};
use crate::api::cors::{self, Sharing};
use crate::api::json::Json;
use crate::api::refused::Refused;
use crate::api::taken::{self, BATCH_ITEMS_MAX};
use crate::app::{App, IngestError};
use crate::event_ids;
use crate::hit::Hit;
use crate::http::body::{self, BodyError};
use crate::http::lanes;
use crate::http::respond::{self, Answer};
use crate::sites::LiveSite;

pub use self::message::{Sender, read};

/// Bytes of a single call.
const TRACK_BYTES_MAX: usize = 64 << 10;
/// The method of all routes.
const METHOD: &str = "POST";
/// How to show the token.
const CHALLENGE: &str = "Basic realm=\"Hitstone\"";
/// What the body of a single call is.
const JSON: &str = "application/json";
/// What lines of JSON are called.
const JSON_LINES: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// The call that is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `/track`
    Track,
    /// `/track/batch`
    Batch,
    /// `/collect`
    Collect,
}

/// Answers a request from `peer`, whatever its method.
pub async fn answer(app: &Arc<App>, peer: IpAddr, route: Route, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    if route != Route::Collect {
        return track(app, peer, route, &head, body).await.unwrap_or_else(Refused::answer);
    }
    if let Some(answer) = cors::preflight(Sharing::WithCredentials, &head.method, &head.headers, METHOD) {
        return answer;
    }
    let answer = collect(app, peer, &head, body).await.unwrap_or_else(Refused::answer);
    cors::open(Sharing::WithCredentials, answer, &head.headers)
}

/// Takes what a backend sends.
async fn track(
    app: &Arc<App>,
    peer: IpAddr,
    route: Route,
    head: &Parts,
    body: Incoming,
) -> Result<Answer, Refused> {
    check_method(&head.method)?;
    let site = site_of_token(app, &head.headers)?;
    check_media_type(route, &head.headers)?;
    let body = read_body(route, &head.headers, body).await?;
    let browser = Browser::of(browser::address(app, peer, &head.headers), &head.headers);
    let filters_bots = site.track_bot_filter;
    let now = app.clock.now_ms();
    let hits = if route == Route::Batch {
        lanes::work_on(body, move |body| {
            read_batch(body, &Sender::Backend { browser: &browser, filters_bots }, now)
        })
        .await?
    } else {
        let sender = Sender::Backend { browser: &browser, filters_bots };
        vec![named(read(parse(&body)?, &sender, now)?, &head.headers)?]
    };
    ingest(app, &site, hits, route, &head.headers).await
}

/// Takes what the script in a page sends.
async fn collect(app: &Arc<App>, peer: IpAddr, head: &Parts, body: Incoming) -> Result<Answer, Refused> {
    check_method(&head.method)?;
    let body = read_body(Route::Collect, &head.headers, body).await?;
    let message = parse(&body)?;
    let project = message.member("projectId").map_or("", Json::text);
    let site = app.state.view().site_of_public_id(project).cloned();
    let site = site.ok_or_else(|| Refused::unauthorized("projectId is that of no site"))?;
    let browser = Browser::of(browser::address(app, peer, &head.headers), &head.headers);
    let hit = named(read(message, &Sender::Page(&browser), app.clock.now_ms())?, &head.headers)?;
    ingest(app, &site, vec![hit], Route::Collect, &head.headers).await
}

fn check_method(method: &Method) -> Result<(), Refused> {
    if method == Method::POST { Ok(()) } else { Err(Refused::method(METHOD)) }
}

/// The site whose token is the name of Basic authentication; its password is empty, and is not looked at.
fn site_of_token(app: &App, headers: &HeaderMap) -> Result<Arc<LiveSite>, Refused> {
    let site = basic_name(headers).and_then(|token| app.state.view().site_of_track_token(&token).cloned());
    site.ok_or_else(|| Refused::unauthorized("the API token is missing or unknown").challenging(CHALLENGE))
}

fn basic_name(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let credentials = BASE64_STANDARD.decode(credentials.trim()).ok()?;
    let (name, _) = std::str::from_utf8(&credentials).ok()?.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| name.to_owned())
}

fn check_media_type(route: Route, headers: &HeaderMap) -> Result<(), Refused> {
    let said = browser::media_type(headers);
    if said == JSON || (route == Route::Batch && JSON_LINES.contains(&said.as_str())) {
        return Ok(());
    }
    Err(Refused::bad(format!("the content type is not {JSON}")))
}

async fn read_body(route: Route, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refused> {
    if route != Route::Track {
        return body::read_parts(headers, body, body::BYTES_MAX).await.map_err(Refused::body);
    }
    body::read_parts(headers, body, TRACK_BYTES_MAX).await.map_err(|error| match error {
        // Not 413: that is how it is documented.
        BodyError::TooLarge { .. } => Refused::bad(error.to_string()),
        error => Refused::body(error),
    })
}

fn parse(body: &[u8]) -> Result<Json<'_>, Refused> {
    Json::parse(body).map_err(|error| Refused::bad(error.to_string()))
}

fn read_batch(body: &[u8], sender: &Sender<'_>, now: TimestampMs) -> Result<Vec<Hit>, Refused> {
    let read = |(index, message)| read(message, sender, now).map_err(|refused| refused.in_item(index));
    messages(body)?.into_iter().enumerate().map(read).collect()
}

/// The messages of a batch: a list, or one a line.
fn messages(body: &[u8]) -> Result<Vec<Json<'_>>, Refused> {
    let messages = if body.trim_ascii_start().starts_with(b"[") {
        let Json::List(messages) = parse(body)? else {
            return Err(Refused::bad("expected a JSON array"));
        };
        messages
    } else {
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let parse = |(index, line)| parse(line).map_err(|refused| refused.in_item(index));
        lines.take(BATCH_ITEMS_MAX + 1).enumerate().map(parse).collect::<Result<_, _>>()?
    };
    if messages.len() > BATCH_ITEMS_MAX {
        return Err(Refused::bad(format!("a batch has at most {BATCH_ITEMS_MAX} items")));
    }
    Ok(messages)
}

/// An event without an id of its own has that of the header.
fn named(hit: Hit, headers: &HeaderMap) -> Result<Hit, Refused> {
    if !hit.event_id.is_empty() {
        return Ok(hit);
    }
    let event_id = taken::event_id(headers).map_err(|error| Refused::bad(error.to_string()))?;
    Ok(Hit { event_id: event_id.unwrap_or_default(), ..hit })
}

async fn ingest(
    app: &Arc<App>,
    site: &Arc<LiveSite>,
    mut hits: Vec<Hit>,
    route: Route,
    headers: &HeaderMap,
) -> Result<Answer, Refused> {
    let request_key = taken::request_key(headers).map_err(|error| Refused::bad(error.to_string()))?;
    hits.iter_mut().for_each(|hit| hit.complete_url(&site.hostname));
    let names = if route == Route::Collect { event_ids::Sender::Anyone } else { event_ids::Sender::Known };
    let ingested = app.ingest(site, names, hits, request_key).await.map_err(|error| match error {
        IngestError::Refused { index, .. } if route == Route::Batch => Refused::ingest(error).in_item(index),
        error => Refused::ingest(error),
    })?;
    let tells_reasons = route != Route::Collect || browser::asks_for_reasons(headers);
    Ok(taken::tell(respond::no_content(), &ingested, tells_reasons))
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn the_token_is_the_name_of_basic_authentication() {
        let table = [
            ("Basic YWJjMTIzOg==", Some("abc123")),
            ("basic  YWJjMTIzOg== ", Some("abc123")),
            ("Basic YWJjMTIzOnB3", Some("abc123")),
            ("Basic Og==", Some("")),
            ("Basic YWJjMTIz", None),
            ("Basic YWJjMTIzOg", None),
            ("Basic /w==", None),
            ("Basic", None),
            ("Bearer YWJjMTIzOg==", None),
            ("", None),
        ];
        for (value, wanted) in table {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            assert_eq!(basic_name(&headers).as_deref(), wanted, "{value}");
        }
        assert_eq!(basic_name(&HeaderMap::new()), None);
    }

    #[test]
    fn a_batch_is_a_list_or_lines() {
        let count = |body: &str| messages(body.as_bytes()).map(|messages| messages.len());
        let table = [
            ("[]", Ok(0)),
            (" \n[{},\n{}]", Ok(2)),
            ("{}", Ok(1)),
            ("{}\n\n{}\r\n {} \n", Ok(3)),
            ("", Ok(0)),
        ];
        for (body, wanted) in table {
            assert_eq!(count(body), wanted, "{body:?}");
        }
        for (body, wanted) in [("{}\n\n{\n", "item 1: "), ("[{}", "not JSON"), ("[{}] {}", "not JSON")] {
            let refused = format!("{:?}", count(body).unwrap_err());
            assert!(refused.contains(wanted), "{body:?}: {refused}");
        }
        let lines = |count: usize| "{}\n".repeat(count);
        assert_eq!(count(&lines(BATCH_ITEMS_MAX)), Ok(BATCH_ITEMS_MAX));
        assert!(count(&lines(BATCH_ITEMS_MAX + 1)).unwrap_err().is_bad_request());
    }
}
