//! Requests from pages of other origins.
//!
//! It knows nothing of which origins are whose: what it opens is open to all, and carries no credentials.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, StatusCode};

use crate::http::respond::{self, Answer};

/// A browser need not ask again for so many seconds: a day, of which each takes as much as it likes.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const ASKED: HeaderValue =
    HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers, Origin");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The answer when the request asks whether it may be made: everyone may, with `methods` and any headers.
pub fn preflight(method: &Method, headers: &HeaderMap, methods: &'static str) -> Option<Answer> {
    if method != Method::OPTIONS || !comes_from_a_page(headers) {
        return None;
    }
    headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut answer = respond::empty();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let answered = answer.headers_mut();
    answered.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    answered.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
    answered.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    answered.insert(VARY, ASKED);
    if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answered.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(answer)
}

/// Lets the page that made the request read the answer, with all of its headers.
pub fn open(mut answer: Answer, headers: &HeaderMap) -> Answer {
    if comes_from_a_page(headers) {
        answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, ANY);
    }
    answer
}

fn comes_from_a_page(headers: &HeaderMap) -> bool {
    headers.get(ORIGIN).is_some_and(|origin| !origin.is_empty())
}
