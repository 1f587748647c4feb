//! The page that shows an owner what to put into a site's pages, and whether events arrive.
//!
//! The page itself is the same for everyone and says nothing of any site: its script asks the API, with a token that it
//! gets for the id and secret of a client. It is one file that loads nothing, and its policy allows nothing else.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use sha2::{Digest, Sha256};

use crate::http::respond::{self, Answer};
use crate::scripts;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let page = include_str!("page.html").replace("@integrity@", &scripts::HITSTONE.integrity());
    page.replace("@style@", STYLE).replace("@script@", SCRIPT)
});

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let (script, style) = (source(SCRIPT), source(STYLE));
    format!(
        "default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
});

/// The page.
pub fn page() -> Answer {
    let answer = respond::content(StatusCode::OK, "text/html; charset=utf-8", PAGE.as_str());
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (CACHE_CONTROL, "no-cache"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (OPENER_POLICY, "same-origin"),
    ];
    headers.into_iter().fold(answer, |answer, (name, value)| respond::with_header(answer, name, value))
}

/// What a policy says of a text that stands in the page.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_loads_nothing() {
        let page = PAGE.as_str();
        for left in ["@integrity@", "@style@", "@script@", "<link", "@import", "url(", "innerHTML"] {
            assert!(!page.contains(left), "{left}");
        }
        assert!(
            page.contains(&format!("<script>{SCRIPT}</script>"))
                && page.contains(&format!("<style>{STYLE}</style>"))
        );
        assert!(page.contains(&scripts::HITSTONE.integrity()));
        // A text that ended these elements would not be what the policy has the hash of.
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
    }
}
