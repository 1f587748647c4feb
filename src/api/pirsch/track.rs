//! `POST /hit`, `/event`, `/session` and their batches: body -> hits -> store -> 200 without a body.
//!
//! Requests may be sent again: `event_id` in a body or `X-Event-Id` names one event, `Idempotency-Key` each item of the
//! request by its place. What has been taken under the same name within two days is answered alike and not stored again.

use std::sync::Arc;

use hyper::Request;
use hyper::StatusCode;
use hyper::body::Incoming;

use crate::api::json::Json;
use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::hit::{self, Call};
use crate::api::taken::{self, BATCH_ITEMS_MAX};
use crate::app::{App, IngestError};
use crate::event_ids::Sender;
use crate::hit::Hit;
use crate::http::body;
use crate::http::lanes;
use crate::http::respond::{self, Answer};

/// Takes one hit.
///
/// # Errors
/// 400, 401, 413, 503.
pub async fn single(app: &Arc<App>, call: Call, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let site = access::to_write(app, request.headers())?;
    let request_key = taken::request_key(request.headers())?;
    let event_id = taken::event_id(request.headers())?;
    let body = body::read(request).await?;
    let now = app.clock.now_ms();
    let read = move |body: &[u8]| hit::read(call, Json::parse(body)?, now, false);
    let mut hit = lanes::work_on(body, read).await?;
    hit.complete_url(&site.hostname);
    if hit.event_id.is_empty() {
        hit.event_id = event_id.unwrap_or_default();
    }
    let ingested = app
        .ingest(&site, Sender::Known, vec![hit], request_key)
        .await
        .map_err(|error| api_error(error, false))?;
    Ok(taken::tell(respond::empty(), &ingested, true))
}

/// Takes a batch, whole or not at all.
///
/// # Errors
/// 400, 401, 413, 503.
pub async fn batch(app: &Arc<App>, call: Call, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let site = access::to_write(app, request.headers())?;
    let request_key = taken::request_key(request.headers())?;
    let body = body::read(request).await?;
    let now = app.clock.now_ms();
    let mut hits = lanes::work_on(body, move |body| read_batch(call, body, now)).await?;
    hits.iter_mut().for_each(|hit| hit.complete_url(&site.hostname));
    let ingested =
        app.ingest(&site, Sender::Known, hits, request_key).await.map_err(|error| api_error(error, true))?;
    Ok(taken::tell(respond::empty(), &ingested, true))
}

fn read_batch(call: Call, body: &[u8], now: i64) -> Result<Vec<Hit>, ApiError> {
    let mut hits = Ok(Vec::new());
    let count = Json::each_item(body, BATCH_ITEMS_MAX, |index, item| {
        if index == 0 {
            hits = Ok(Vec::new());
        }
        if let Ok(read) = &mut hits {
            match hit::read(call, item, now, true) {
                Ok(hit) => read.push(hit),
                Err(error) => hits = Err(error.in_item(index)),
            }
        }
    })?;
    match count {
        None => Err(ApiError::bad("expected a JSON array")),
        Some(count) if count > BATCH_ITEMS_MAX => {
            Err(ApiError::bad(format!("a batch has at most {BATCH_ITEMS_MAX} items, not {count}")))
        }
        Some(_) => hits,
    }
}

/// Why hits were not taken, in Pirsch's shape.
pub(super) fn api_error(error: IngestError, in_batch: bool) -> ApiError {
    match error {
        IngestError::Refused { index, field, message } => {
            let error = ApiError::field(field, message);
            if in_batch { error.in_item(index) } else { error }
        }
        IngestError::Busy(message) => ApiError::unavailable(message, Some(IngestError::BUSY_SECONDS)),
        IngestError::Unavailable(message) => ApiError::unavailable(message, None),
        IngestError::TooLarge(message) => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_782_000_000_000;

    #[test]
    fn one_bad_item_is_named_and_rejects_all() {
        let good = r#"{"url":"https://example.com/","ip":"198.51.100.2","user_agent":"UA","time":"2026-06-01T00:00:00Z"}"#;
        let body = format!("[{good},{good},{{\"ip\":\"198.51.100.2\"}}]");
        let error = read_batch(Call::Hit, body.as_bytes(), NOW).unwrap_err();
        assert_eq!(error.validation["[2].url"], "is required");
        assert_eq!(error.error, ["item 2: url: is required"]);
        let error = read_batch(Call::Hit, format!("[{good},7]").as_bytes(), NOW).unwrap_err();
        assert_eq!(error.error, ["item 1: expected a JSON object"]);
        assert_eq!(read_batch(Call::Hit, format!("[{good}]").as_bytes(), NOW).unwrap().len(), 1);
        assert!(read_batch(Call::Hit, b"[]", NOW).unwrap().is_empty());
        assert!(read_batch(Call::Hit, good.as_bytes(), NOW).is_err());
        let many = format!("[{}0]", "0,".repeat(BATCH_ITEMS_MAX));
        assert!(read_batch(Call::Hit, many.as_bytes(), NOW).unwrap_err().error[0].contains("5000"));
    }
}
