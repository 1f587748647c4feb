//! The scripts that pages load. They lie in the program; what is served of them is their source without comments and
//! indentation.
//!
//! It knows nothing of what the scripts do.

use std::sync::LazyLock;

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};

use crate::auth;
use crate::http::respond::{self, Answer};

const ACCEPT_CH: HeaderName = HeaderName::from_static("accept-ch");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Characters of an entity tag.
const TAG_CHARS: usize = 20;

/// A script as it is served.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    text: String,
    /// In quotes; another text has another one.
    tag: String,
    /// The client hints that the script's server asks for; empty for none.
    hints: &'static str,
}

/// Prisme's tag; `m.js` is its old name.
static PRISME: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("prisme.js"), "Sec-CH-UA, Sec-CH-UA-Platform"));

/// The script at a path.
pub fn find(path: &str) -> Option<&'static Script> {
    match path {
        "/static/wa.js" | "/static/m.js" => Some(&PRISME),
        _ => None,
    }
}

impl Script {
    fn new(source: &str, hints: &'static str) -> Self {
        let lines = source.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        let tag = format!("\"{}\"", auth::derived_text(&[&text], TAG_CHARS));
        Self { text, tag, hints }
    }

    /// The script, for pages of any origin; or that it has not changed.
    pub fn answer(&self, headers: &HeaderMap) -> Answer {
        let answer = if self.is_known(headers) {
            let mut answer = respond::empty();
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            let text = self.text.as_str().to_owned();
            respond::content(StatusCode::OK, "text/javascript; charset=utf-8", text)
        };
        let always = [
            (ETAG, self.tag.as_str()),
            (CACHE_CONTROL, "public, max-age=3600"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (RESOURCE_POLICY, "cross-origin"),
            // With `integrity` browsers fetch it as another origin's.
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        let hints = (!self.hints.is_empty()).then_some((ACCEPT_CH, self.hints));
        let named = always.into_iter().chain(hints);
        named.fold(answer, |answer, (name, value)| respond::with_header(answer, name, value))
    }

    /// Whether the client has the script as it is.
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_lead_to_one_small_script() {
        let script = find("/static/wa.js").unwrap();
        assert_eq!(find("/static/m.js"), Some(script));
        assert_eq!(find("/static/x.js"), None);
        assert!(script.text.len() < 3_072, "{} bytes", script.text.len());
        assert!(script.text.starts_with("(() => {\n") && script.text.ends_with("})();"));
        assert!(!script.text.contains("\n//") && !script.text.contains("\n "));
        for banned in ["eval(", "new Function", "document.cookie", "setItem", "innerHTML", "createElement"] {
            assert!(!script.text.contains(banned), "{banned}");
        }
    }

    #[test]
    fn a_known_script_is_not_sent_again() {
        let script = Script::new("// x\n  a();\n", "");
        let status = |tag: &str| {
            let value = hyper::header::HeaderValue::from_str(tag).unwrap();
            script.answer(&HeaderMap::from_iter([(IF_NONE_MATCH, value)])).status().as_u16()
        };
        assert_eq!(script.text, "a();");
        assert_eq!(status(&script.tag), 304);
        assert_eq!(status(&format!("\"other\", W/{}", script.tag)), 304);
        assert_eq!((status("*"), status("\"other\"")), (304, 200));
        assert_eq!(script.answer(&HeaderMap::new()).status(), StatusCode::OK);
        assert_ne!(script.tag, Script::new("b();", "").tag);
    }
}
