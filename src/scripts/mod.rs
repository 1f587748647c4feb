//! The scripts that pages load. Beside each source lies what is served of it, made by `tests/scripts/minify.mjs`; the
//! tests of `clients` hold one against the other.
//!
//! It knows nothing of what the scripts do.

use std::io::Write;
use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap,
    HeaderName, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use sha2::{Digest, Sha384};

use crate::auth;
use crate::http::respond::{self, Answer};

const ACCEPT_CH: HeaderName = HeaderName::from_static("accept-ch");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Characters of an entity tag.
const TAG_CHARS: usize = 20;
/// What the name of a browser's system and its version need, where the user agent has them no more.
const HINTS: &str = "Sec-CH-UA, Sec-CH-UA-Platform";

/// A script as it is served.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    text: &'static str,
    /// The same, compressed.
    gzip: Bytes,
    /// In quotes; another text has another one.
    tag: String,
}

/// Our own tag.
pub static HITSTONE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("served/hitstone.js")));
/// Pirsch's tag.
pub static PIRSCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("served/pirsch.js")));
/// Prisme's tag; `m.js` is its old name.
pub static PRISME: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("served/prisme.js")));

/// The script at a path.
pub fn find(path: &str) -> Option<&'static Script> {
    match path {
        "/hs.js" => Some(&HITSTONE),
        "/pa.js" => Some(&PIRSCH),
        "/static/wa.js" | "/static/m.js" => Some(&PRISME),
        _ => None,
    }
}

impl Script {
    fn new(text: &'static str) -> Self {
        let tag = format!("\"{}\"", auth::derived_text(&[text], TAG_CHARS));
        Self { text, gzip: gzip(text), tag }
    }

    /// What `integrity` says of the script in a page.
    pub fn integrity(&self) -> String {
        format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(self.text)))
    }

    /// The script, for pages of any origin; or that it has not changed.
    pub fn answer(&self, headers: &HeaderMap) -> Answer {
        let answer = if self.is_known(headers) {
            let mut answer = respond::empty();
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            self.content(takes_gzip(headers) && !self.gzip.is_empty())
        };
        // Weak: the same script may be compressed or not.
        let tag = format!("W/{}", self.tag);
        let always = [
            (ETAG, tag.as_str()),
            (CACHE_CONTROL, "public, max-age=3600"),
            (VARY, "Accept-Encoding"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (RESOURCE_POLICY, "cross-origin"),
            // With `integrity` browsers fetch it as another origin's.
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (ACCEPT_CH, HINTS),
        ];
        always.into_iter().fold(answer, |answer, (name, value)| respond::with_header(answer, name, value))
    }

    fn content(&self, compressed: bool) -> Answer {
        let body = if compressed { self.gzip.clone() } else { Bytes::from_static(self.text.as_bytes()) };
        let answer = respond::content(StatusCode::OK, "text/javascript; charset=utf-8", body);
        if compressed { respond::with_header(answer, CONTENT_ENCODING, "gzip") } else { answer }
    }

    /// Whether the client has the script as it is.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag)
    }
}

/// Compressed as far as it goes; empty when that fails.
fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.map(Bytes::from).unwrap_or_default()
}

/// Whether the client reads gzip and does not refuse it with `q=0`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lists = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn paths_lead_to_small_scripts_that_keep_nothing() {
        let wa = find("/static/wa.js").unwrap();
        assert_eq!(find("/static/m.js"), Some(wa));
        assert_eq!(find("/static/x.js"), None);
        for (path, bytes_max, gzip_max) in
            [("/hs.js", 2_048, 1_000), ("/pa.js", 6_144, 2_560), ("/static/wa.js", 3_072, 1_200)]
        {
            let script = find(path).unwrap();
            let (bytes, compressed) = (script.text.len(), script.gzip.len());
            assert!(
                bytes < bytes_max && compressed < gzip_max,
                "{path}: {bytes} bytes, {compressed} with gzip"
            );
            let banned = [
                "eval(",
                "new Function",
                "document.cookie",
                "setItem",
                "innerHTML",
                "createElement",
                "indexedDB",
            ];
            for banned in banned {
                assert!(!script.text.contains(banned), "{path}: {banned}");
            }
        }
    }

    #[test]
    fn a_known_script_is_not_sent_again() {
        let script = Script::new("a();");
        let status = |tag: &str| {
            let value = HeaderValue::from_str(tag).unwrap();
            script.answer(&HeaderMap::from_iter([(IF_NONE_MATCH, value)])).status().as_u16()
        };
        assert_eq!(status(&script.tag), 304);
        assert_eq!(status(&format!("\"other\", W/{}", script.tag)), 304);
        assert_eq!((status("*"), status("\"other\"")), (304, 200));
        assert_eq!(script.answer(&HeaderMap::new()).status(), StatusCode::OK);
        assert_ne!(script.tag, Script::new("b();").tag);
    }

    #[test]
    fn the_integrity_is_that_of_the_text() {
        // printf 'a();' | openssl dgst -sha384 -binary | base64
        let wanted = "sha384-W5mm9sFRYqQh+WPUbdKKIUpu2ETGzymVrubrqqqkxXx/cw8DjzkA7uO5M2xOGb+X";
        assert_eq!(Script::new("a();").integrity(), wanted);
    }

    #[test]
    fn scripts_are_compressed_for_those_who_read_it() {
        let script = Script::new("a();");
        for (accepted, wanted) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false), ("x-gzip", false)]
        {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            let is_compressed = script.answer(&headers).headers().contains_key(CONTENT_ENCODING);
            assert_eq!(is_compressed, wanted, "{accepted}");
        }
    }
}
