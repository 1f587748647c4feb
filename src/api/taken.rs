//! What a tracking call may say of being sent again, and what its answer says of what was taken: headers that all
//! interfaces share.

use hyper::header::{HeaderMap, HeaderName};

use crate::app::Ingested;
use crate::http::respond::{self, Answer};

/// Items that a batch may have.
pub const BATCH_ITEMS_MAX: usize = 5_000;
/// Why something was left out.
pub const REJECTED: HeaderName = HeaderName::from_static("x-hitstone-rejected");
/// How many items were repeats.
pub const REPEATED: HeaderName = HeaderName::from_static("x-hitstone-repeated");

const EVENT_ID: HeaderName = HeaderName::from_static("x-event-id");
const REQUEST_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A header that names an event or a request is no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is not UTF-8")]
pub struct BadName(HeaderName);

/// The id that `X-Event-Id` gives a single event.
///
/// # Errors
/// It cannot be read, and its sender relies on it.
pub fn event_id(headers: &HeaderMap) -> Result<Option<String>, BadName> {
    name_in(headers, EVENT_ID)
}

/// The key that `Idempotency-Key` gives the whole request.
///
/// # Errors
/// As [`event_id`].
pub fn request_key(headers: &HeaderMap) -> Result<Option<String>, BadName> {
    name_in(headers, REQUEST_KEY)
}

/// `None` when there is no such header, or an empty one.
fn name_in(headers: &HeaderMap, header: HeaderName) -> Result<Option<String>, BadName> {
    let Some(value) = headers.get(&header) else { return Ok(None) };
    let Ok(text) = std::str::from_utf8(value.as_bytes()) else { return Err(BadName(header)) };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// Says how many items were repeats, if any, and why items were left out to those who are to know.
pub fn tell(answer: Answer, ingested: &Ingested, tells_reasons: bool) -> Answer {
    let answer = if tells_reasons { tell_reasons(answer, &ingested.left_out) } else { answer };
    match ingested.repeated {
        0 => answer,
        count => respond::with_header(answer, REPEATED, &count.to_string()),
    }
}

/// Says why items were left out, if any were.
pub fn tell_reasons(answer: Answer, reasons: &[&'static str]) -> Answer {
    if reasons.is_empty() { answer } else { respond::with_header(answer, REJECTED, &reasons.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_headers_are_trimmed_and_must_be_text() {
        let named = |value: &[u8]| {
            let value = hyper::header::HeaderValue::from_bytes(value).unwrap();
            event_id(&HeaderMap::from_iter([(EVENT_ID, value)]))
        };
        assert_eq!(named(b" a b ").unwrap().as_deref(), Some("a b"));
        assert_eq!(named("\u{fc}".as_bytes()).unwrap().as_deref(), Some("\u{fc}"));
        assert_eq!(named(b" ").unwrap(), None);
        assert_eq!(event_id(&HeaderMap::new()).unwrap(), None);
        assert_eq!(named(b"\xfc").unwrap_err().to_string(), "the header x-event-id is not UTF-8");
    }
}
