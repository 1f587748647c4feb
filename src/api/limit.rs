//! The limit of events that the browsers of one address may send, as answers tell it.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use hyper::StatusCode;
use hyper::header::HeaderName;

use crate::app::App;
use crate::http::respond::{self, Answer};
use crate::rate::Allowance;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts one event of a browser.
///
/// # Errors
/// 429 and when to try again.
#[expect(clippy::result_large_err, reason = "the error is the answer")]
pub fn take(app: &App, ip: IpAddr) -> Result<Option<Allowance>, Answer> {
    app.browser_events.take(ip, app.clock.now_ms()).map_err(|seconds| {
        app.counters.limited.fetch_add(1, Ordering::Relaxed);
        respond::retry_after(respond::text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"), seconds)
    })
}

/// Says what is left.
pub fn tell(answer: Answer, allowance: Option<Allowance>) -> Answer {
    let Some(allowance) = allowance else { return answer };
    let answer = respond::with_header(answer, LIMIT, &allowance.max.to_string());
    let answer = respond::with_header(answer, REMAINING, &allowance.remaining.to_string());
    respond::with_header(answer, RESET, &allowance.resets_in.to_string())
}
