//! What the headers of a browser's request say of the browser and its user.

use std::borrow::Cow;
use std::net::IpAddr;

use hyper::header::{
    ACCEPT_LANGUAGE, AsHeaderName, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER,
    UPGRADE_INSECURE_REQUESTS, USER_AGENT,
};

use crate::app::App;
use crate::hit::ClientHints;

// Names that the library does not know; as constants they are not taken apart for each request.
const UA: HeaderName = HeaderName::from_static("sec-ch-ua");
const MOBILE: HeaderName = HeaderName::from_static("sec-ch-ua-mobile");
const PLATFORM: HeaderName = HeaderName::from_static("sec-ch-ua-platform");
const PLATFORM_VERSION: HeaderName = HeaderName::from_static("sec-ch-ua-platform-version");
const WIDTH: HeaderName = HeaderName::from_static("sec-ch-width");
const VIEWPORT_WIDTH: HeaderName = HeaderName::from_static("sec-ch-viewport-width");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEBUG: HeaderName = HeaderName::from_static("x-hitstone-debug");
const WISHES: [HeaderName; 2] = [HeaderName::from_static("dnt"), HeaderName::from_static("sec-gpc")];
const PURPOSES: [HeaderName; 4] = [
    HeaderName::from_static("sec-purpose"),
    HeaderName::from_static("purpose"),
    HeaderName::from_static("x-purpose"),
    HeaderName::from_static("x-moz"),
];

/// A browser that made a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Browser {
    /// Its address.
    pub ip: IpAddr,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `Accept-Language` header.
    pub accept_language: String,
    /// Client hints.
    pub hints: ClientHints,
    /// Its user asks not to be tracked: Do Not Track or Global Privacy Control.
    pub dnt: bool,
    /// It fetches what nobody has asked for yet.
    pub prefetch: bool,
}

impl Browser {
    /// The browser that sent these headers from `ip`.
    pub fn of(ip: IpAddr, headers: &HeaderMap) -> Self {
        let owned = |name: HeaderName| text(headers, name).into_owned();
        Self {
            ip,
            user_agent: owned(USER_AGENT),
            accept_language: owned(ACCEPT_LANGUAGE),
            hints: ClientHints {
                ua: owned(UA),
                mobile: owned(MOBILE),
                platform: owned(PLATFORM),
                platform_version: owned(PLATFORM_VERSION),
                width: owned(WIDTH),
                viewport_width: owned(VIEWPORT_WIDTH),
                contradictory: contradict(headers),
            },
            dnt: WISHES.iter().any(|name| text(headers, name) == "1"),
            prefetch: PURPOSES.iter().any(|name| is_prefetch(&text(headers, name))),
        }
    }
}

/// Whether headers contradict each other as no browser's do. What proxies add, drop or change is not looked at.
fn contradict(headers: &HeaderMap) -> bool {
    let is = |name: HeaderName, value: &str| text(headers, name).eq_ignore_ascii_case(value);
    // Nobody led a visitor here, and somebody did.
    let from_nowhere =
        is(FETCH_SITE, "none") && (headers.contains_key(ORIGIN) || headers.contains_key(REFERER));
    // Only what is to be shown as a page is asked for safely; scripts and pictures never are.
    let is_page = is(FETCH_MODE, "") || is(FETCH_MODE, "navigate");
    from_nowhere || (is(UPGRADE_INSECURE_REQUESTS, "1") && !is_page)
}

/// `prefetch`, `prefetch;prerender`, `preview`.
fn is_prefetch(purpose: &str) -> bool {
    let first = purpose.split([';', ',']).next().unwrap_or_default().trim();
    ["prefetch", "prerender", "preview"].iter().any(|word| first.eq_ignore_ascii_case(word))
}

/// The client's address: the peer's, or what a trusted proxy says.
pub fn address(app: &App, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let values = headers.get_all(app.proxies.header.as_str());
    app.proxies.client(peer, values.iter().filter_map(|value| value.to_str().ok()))
}

/// Whether the sender wants to know why something is left out.
pub fn asks_for_reasons(headers: &HeaderMap) -> bool {
    text(headers, DEBUG) == "1"
}

/// What the body is said to be, lower case and without parameters; empty when nothing is said.
pub fn media_type(headers: &HeaderMap) -> String {
    let said = text(headers, CONTENT_TYPE);
    said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A header's text, trimmed; empty when there is none. Browsers send characters up to U+00FF as one byte each, others
/// send UTF-8.
pub fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Cow<'_, str> {
    let bytes = headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text.trim()),
        Err(_) => {
            Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect::<String>().trim().to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &[u8])]) -> HeaderMap {
        let value = |bytes| HeaderValue::from_bytes(bytes).unwrap();
        list.iter().map(|(name, bytes)| (HeaderName::from_static(name), value(bytes))).collect()
    }

    #[test]
    fn texts_are_utf_8_or_latin_1() {
        let table: [(&[u8], &str); 4] =
            [(b" a ", "a"), ("caf\u{e9}".as_bytes(), "café"), (b"caf\xe9", "café"), (b"", "")];
        for (bytes, wanted) in table {
            assert_eq!(text(&headers(&[("x", bytes)]), "x"), wanted);
        }
        assert_eq!(text(&HeaderMap::new(), "x"), "");
    }

    #[test]
    fn wishes_and_purposes() {
        let of = |name: &'static str, value: &str| {
            Browser::of(IpAddr::from([192, 0, 2, 1]), &headers(&[(name, value.as_bytes())]))
        };
        for (name, value, wanted) in
            [("dnt", "1", true), ("dnt", "0", false), ("sec-gpc", "1", true), ("sec-gpc", "?1", false)]
        {
            assert_eq!(of(name, value).dnt, wanted, "{name}: {value}");
        }
        for (name, value, wanted) in [
            ("sec-purpose", "prefetch", true),
            ("sec-purpose", "prefetch;prerender", true),
            ("purpose", "prefetch", true),
            ("x-moz", "Prefetch", true),
            ("x-purpose", "preview", true),
            ("sec-purpose", "", false),
            ("purpose", "speed", false),
        ] {
            assert_eq!(of(name, value).prefetch, wanted, "{name}: {value}");
        }
    }

    #[test]
    fn no_browser_contradicts_itself() {
        for (list, wanted) in [
            (&[][..], false),
            (
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors"), ("origin", "https://a.test")],
                false,
            ),
            (&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")], false),
            (&[("sec-fetch-site", "none"), ("origin", "https://a.test")], true),
            (&[("sec-fetch-site", "None"), ("referer", "https://a.test/")], true),
            (&[("upgrade-insecure-requests", "1"), ("sec-fetch-mode", "navigate")], false),
            (&[("upgrade-insecure-requests", "1"), ("sec-fetch-mode", "cors")], true),
        ] {
            let list: Vec<(&str, &[u8])> =
                list.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            let hints = Browser::of(IpAddr::from([192, 0, 2, 1]), &headers(&list)).hints;
            assert_eq!(hints.contradictory, wanted, "{list:?}");
        }
    }
}
