//! Prisme's events API: what pages and backends that speak to Prisme send, answered as Prisme answers it.
//!
//! Each request goes through the same gates: a preflight is answered, the address's limit is counted, the origin must
//! be a registered site's, then the method must be right. What is refused says why in a few words.

mod call;
mod route;
mod url;

use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, SERVER};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use siphasher::sip::SipHasher24;

use crate::api::cors::{self, Sharing};
use crate::api::refused::Refused;
use crate::api::{browser, limit, taken};
use crate::app::{App, Ingested};
use crate::auth;
use crate::enrich::Reason;
use crate::event_ids::Sender;
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::rejections::ORIGIN;
use crate::sites::LiveSite;

use self::call::Call;
pub use self::route::{Route, find};

/// Methods that pages of other origins may use; those that may always be used are not named.
const CROSS_ORIGIN_METHODS: &str = "POST";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-prisme-request-id");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Bytes of a proxy's request id that is sent back.
const REQUEST_ID_BYTES_MAX: usize = 200;
/// A picture of one pixel.
const PIXEL: &[u8] =
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02L\x01\x00;";

/// Answers a request from `peer` on one of Prisme's routes, whatever its method.
pub async fn answer(app: &Arc<App>, peer: IpAddr, route: &Route, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let answer = match cors::preflight(Sharing::Plain, &head.method, &head.headers, CROSS_ORIGIN_METHODS) {
        Some(answer) => answer,
        None => cors::open(Sharing::Plain, limited(app, peer, route, &head, body).await, &head.headers),
    };
    let answer = if route.is_noscript() { respond::uncached(answer) } else { answer };
    signed(answer, app, peer, &head.headers)
}

async fn limited(app: &Arc<App>, peer: IpAddr, route: &Route, head: &Parts, body: Incoming) -> Answer {
    let ip = browser::address(app, peer, &head.headers);
    let allowance = match limit::take(app, ip) {
        Ok(allowance) => allowance,
        Err(limited) => return Refused::limited(limited).answer(),
    };
    let answer = match take(app, ip, route, head, body).await {
        Ok(answer) => answer,
        Err(refused) if route.is_pixel() && refused.is_bad_request() => refused.with_body(pixel),
        Err(refused) => refused.answer(),
    };
    limit::tell(answer, allowance)
}

async fn take(
    app: &Arc<App>,
    ip: IpAddr,
    route: &Route,
    head: &Parts,
    body: Incoming,
) -> Result<Answer, Refused> {
    let call = Call::new(head, route.is_noscript());
    let tells_reasons = browser::asks_for_reasons(&head.headers);
    let site = site_of(app, &call).map_err(|refused| refused.telling(ORIGIN, tells_reasons))?;
    if !route.takes(&head.method) {
        return Err(Refused::method(route.methods()));
    }
    let body = if route.is_noscript() {
        Bytes::new()
    } else {
        body::read_parts(&head.headers, body, body::BYTES_MAX).await.map_err(Refused::body)?
    };
    let read = call.read(route, &body, ip)?;
    // Who asks only for the head of a picture looks at no page.
    let ingested = if head.method == Method::HEAD {
        Ingested::default()
    } else {
        let key = taken::request_key(&head.headers).map_err(|error| Refused::bad(error.to_string()))?;
        app.ingest(&site, Sender::Anyone, vec![read.hit], key).await.map_err(Refused::ingest)?
    };
    let refusing = refusing_reason(&ingested, read.redirect.is_some());
    let answer = match (refusing, &read.redirect) {
        (Some(reason), _) => {
            return Err(Refused::bad(format!("not counted: {reason}")).telling(reason, tells_reasons));
        }
        (None, Some(target)) => redirect(target),
        (None, None) if route.is_pixel() => pixel(StatusCode::OK),
        (None, None) => respond::empty(),
    };
    Ok(taken::tell(answer, &ingested, tells_reasons))
}

/// The site whose page, or backend, the request comes from.
fn site_of(app: &App, call: &Call<'_>) -> Result<Arc<LiveSite>, Refused> {
    let site = call.origin().and_then(|host| app.state.view().site_named(&host).cloned());
    site.ok_or_else(|| {
        app.count_of_no_site(ORIGIN);
        Refused::bad("the origin is not registered")
    })
}

/// Why something that is left out is answered as a fault: Prisme refuses programs, and a site may refuse pages of other
/// hosts. Whoever follows a link gets there, program or not.
fn refusing_reason(ingested: &Ingested, is_redirect: bool) -> Option<&'static str> {
    let refused = |reason: &&str| {
        *reason == Reason::Hostname.as_str() || (*reason == Reason::Bot.as_str() && !is_redirect)
    };
    ingested.left_out.iter().copied().find(refused)
}

fn redirect(target: &str) -> Answer {
    let mut answer = respond::with_header(respond::empty(), LOCATION, target);
    *answer.status_mut() = StatusCode::FOUND;
    answer
}

/// A picture, for that is what the page has asked for.
fn pixel(status: StatusCode) -> Answer {
    let answer = respond::content(status, "image/gif", PIXEL);
    respond::with_header(answer, RESOURCE_POLICY, "cross-origin")
}

/// What Prisme's answers all carry.
fn signed(mut answer: Answer, app: &App, peer: IpAddr, headers: &HeaderMap) -> Answer {
    answer.headers_mut().insert(SERVER, HeaderValue::from_static("prisme"));
    match request_id(app, peer, headers) {
        Some(id) => respond::with_header(answer, REQUEST_ID, &id),
        None => answer,
    }
}

/// The id that a trusted proxy gave the request, else one of our own: a UUID of version 4.
fn request_id(app: &App, peer: IpAddr, headers: &HeaderMap) -> Option<String> {
    if app.proxies.trusts(peer) {
        let given = browser::text(headers, "x-request-id");
        if !given.is_empty() && given.len() <= REQUEST_ID_BYTES_MAX {
            return Some(given.into_owned());
        }
    }
    let mut bytes = new_id()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = auth::to_hex(&bytes);
    let groups = [hex.get(..8)?, hex.get(8..12)?, hex.get(12..16)?, hex.get(16..20)?, hex.get(20..)?];
    Some(groups.join("-"))
}

/// Sixteen bytes that nobody can foresee and that do not come again: a count, hashed under keys that are drawn once. Asking
/// the system each time would cost as much as reading the request.
fn new_id() -> Option<[u8; 16]> {
    static KEYS: OnceLock<Option<[[u8; 16]; 2]>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let draw = || Some([auth::random_bytes().ok()?, auth::random_bytes().ok()?]);
    let keys = (*KEYS.get_or_init(draw))?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut id = [0; 16];
    for (half, key) in id.chunks_exact_mut(8).zip(&keys) {
        let mut hasher = SipHasher24::new_with_key(key);
        hasher.write_u64(count);
        half.copy_from_slice(&hasher.finish().to_le_bytes());
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pixel_has_35_bytes() {
        assert_eq!(PIXEL.len(), 35);
        assert!(PIXEL.starts_with(b"GIF89a") && PIXEL.ends_with(b";"));
    }

    #[test]
    fn programs_are_refused_unless_they_follow_a_link() {
        let ingested =
            |reasons: &[&'static str]| Ingested { left_out: reasons.to_vec(), ..Ingested::default() };
        for (reasons, is_redirect, wanted) in [
            (&["bot"][..], false, Some("bot")),
            (&["bot"], true, None),
            (&["hostname"], false, Some("hostname")),
            (&["hostname"], true, Some("hostname")),
            (&["dnt"], false, None),
            (&["spam"], false, None),
            (&[], false, None),
        ] {
            assert_eq!(refusing_reason(&ingested(reasons), is_redirect), wanted, "{reasons:?}");
        }
    }
}
