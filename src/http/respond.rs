//! Answers: a status, a few headers, a body that is whole.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

const NO_STORE: HeaderValue =
    HeaderValue::from_static("no-store, no-cache, max-age=0, must-revalidate, proxy-revalidate");

/// Headers for which there is room from the start: what answers to events of browsers have.
const HEADERS_EXPECTED: usize = 10;

/// What every handler answers.
pub type Answer = Response<Full<Bytes>>;

/// A body of a media type.
pub fn content(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// JSON text.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    content(status, "application/json", body)
}

/// Plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    content(status, "text/plain; charset=utf-8", body)
}

/// 200 without a body.
pub fn empty() -> Answer {
    let mut answer = Response::new(Full::default());
    answer.headers_mut().reserve(HEADERS_EXPECTED);
    answer
}

/// 204.
pub fn no_content() -> Answer {
    let mut answer = empty();
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// Adds a header; a value that is none is left out.
pub fn with_header(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Adds a header with a number.
pub fn with_number(mut answer: Answer, name: HeaderName, number: u64) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from(number));
    answer
}

/// Says after how many seconds to try again.
pub fn retry_after(answer: Answer, seconds: u64) -> Answer {
    with_header(answer, RETRY_AFTER, &seconds.to_string())
}

/// Says which methods a path has.
pub fn allow(answer: Answer, methods: &str) -> Answer {
    with_header(answer, ALLOW, methods)
}

/// Ends the connection after this answer: the rest of the request is not read.
pub fn close(answer: Answer) -> Answer {
    with_header(answer, CONNECTION, "close")
}

/// Ends the connection after an answer to a body that was too large or too slow: the rest of it is still to come.
pub fn close_if_unread(answer: Answer) -> Answer {
    let is_unread = matches!(answer.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE);
    if is_unread { close(answer) } else { answer }
}

/// Nobody may keep this answer.
pub fn uncached(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    answer
}
