//! Requests from pages of other origins.
//!
//! It knows nothing of which origins are whose: what it opens is open to all. There is nothing behind credentials: no
//! route goes by cookies.

use hyper::Method;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use crate::http::respond::{self, Answer};

/// A browser need not ask again for so many seconds: a day, of which each takes as much as it likes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const ASKED: HeaderValue =
    HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers, Origin");
const ANY: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");
/// What `*` stands for where it may not be said.
const OWN_HEADERS: HeaderValue = HeaderValue::from_static(
    "Retry-After, X-Hitstone-Rejected, X-Hitstone-Repeated, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset",
);

/// How a route is open to pages of other origins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// To requests without credentials.
    Plain,
    /// Also to requests that browsers send with credentials, as they do all beacons: the origin is named then, for `*` is
    /// not enough for them.
    WithCredentials,
}

/// The answer when the request asks whether it may be made: everyone may, with `methods` and any headers.
pub fn preflight(
    sharing: Sharing,
    method: &Method,
    headers: &HeaderMap,
    methods: &'static str,
) -> Option<Answer> {
    let origin = page_origin(headers).filter(|_| method == Method::OPTIONS)?;
    headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut answer = respond::no_content();
    let answered = answer.headers_mut();
    allow(sharing, origin, answered);
    answered.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    answered.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    answered.insert(VARY, ASKED);
    if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answered.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(answer)
}

/// Lets the page that made the request read the answer, with the headers that are there to be read.
pub fn open(sharing: Sharing, mut answer: Answer, headers: &HeaderMap) -> Answer {
    if let Some(origin) = page_origin(headers) {
        let answered = answer.headers_mut();
        allow(sharing, origin, answered);
        let exposed = if sharing == Sharing::Plain { ANY } else { OWN_HEADERS };
        answered.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    answer
}

fn allow(sharing: Sharing, origin: &HeaderValue, answered: &mut HeaderMap) {
    if sharing == Sharing::Plain {
        answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        return;
    }
    answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    answered.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    answered.insert(VARY, HeaderValue::from_static("Origin"));
}

/// The origin of the page that makes the request.
fn page_origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ORIGIN).filter(|origin| !origin.is_empty())
}
