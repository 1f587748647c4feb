//! The limit of events that the browsers of one address may send, as answers tell it.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use hyper::header::HeaderName;

use crate::app::App;
use crate::http::respond::{self, Answer};
use crate::rate::Allowance;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// There were too many: to be answered 429, in the interface's own shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Too Many Requests")]
pub struct Limited {
    /// Seconds after which to try again.
    pub retry_after: u64,
}

/// Counts one event of a browser.
///
/// # Errors
/// It is one too many.
pub fn take(app: &App, ip: IpAddr) -> Result<Option<Allowance>, Limited> {
    app.browser_events.take(ip, app.clock.now_ms()).map_err(|retry_after| {
        app.counters.limited.fetch_add(1, Ordering::Relaxed);
        Limited { retry_after }
    })
}

/// Says what is left.
pub fn tell(answer: Answer, allowance: Option<Allowance>) -> Answer {
    let Some(allowance) = allowance else { return answer };
    let told = [
        (LIMIT, allowance.max.into()),
        (REMAINING, allowance.remaining.into()),
        (RESET, allowance.resets_in),
    ];
    told.into_iter().fold(answer, |answer, (name, number)| respond::with_number(answer, name, number))
}
