//! Addresses as Prisme takes them: absolute ones, of pages normalised.

use url::Url;

use crate::enrich::plain::Plain;
use crate::enrich::url::URL_BYTES_MAX;

/// An absolute address: a scheme and a host, `//HOST` meaning `http`. Names and passwords in it are dropped.
pub fn absolute(text: &str) -> Option<Url> {
    if text.len() > URL_BYTES_MAX || text.chars().any(char::is_control) {
        return None;
    }
    let (scheme, rest) = parts(text)?;
    // The parser would look for the host further on.
    if rest.starts_with(['/', '\\', '?', '#']) {
        return None;
    }
    let mut url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
    url.host_str().filter(|host| !host.is_empty())?;
    if !url.username().is_empty() || url.password().is_some() {
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
    }
    Some(url)
}

/// Whether the text is an absolute address.
pub fn is_absolute(text: &str) -> bool {
    (text.len() <= URL_BYTES_MAX && Plain::of(text).is_some()) || absolute(text).is_some()
}

/// The scheme and what is behind `://`.
fn parts(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix("//") {
        return Some(("http", rest));
    }
    let (scheme, rest) = text.split_once("://")?;
    let sound = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (sound && !scheme.is_empty()).then_some((scheme, rest))
}

/// A page that events happen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its address, over `http` or `https`, with a path without empty and dotted segments.
    pub address: String,
}

impl Page {
    /// Reads an absolute address. Apps have schemes of their own, which stand for `http`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(plain) = Plain::of(text)
            && text.len() <= URL_BYTES_MAX
            && !plain.path.contains("//")
        {
            let Plain { scheme, host, path, tail } = plain;
            let path = if path.is_empty() { "/" } else { path };
            return Some(Self { address: [scheme, "://", host, path, tail].concat() });
        }
        let (scheme, rest) = parts(text)?;
        let scheme = if scheme.eq_ignore_ascii_case("https") { "https" } else { "http" };
        let url = absolute(&format!("{scheme}://{rest}"))?;
        let behind_host = rest.find(['/', '?', '#']).map_or("", |at| &rest[at..]);
        let path_end = behind_host.find(['?', '#']).unwrap_or(behind_host.len());
        let (path, tail) = behind_host.split_at(path_end);
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        Some(Self { address: format!("{scheme}://{host}{port}{}{tail}", normal_path(path)) })
    }

    /// Whether a link leads to the same host and port.
    pub fn is_at_host_of(&self, target: &Url) -> bool {
        let same = |url: Url| (url.host_str(), url.port()) == (target.host_str(), target.port());
        absolute(&self.address).is_some_and(same)
    }
}

/// The path without empty segments, `.` and `..`. What is escaped in it stays so.
fn normal_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_slash = true;
    for segment in path.split('/') {
        let unescaped = segment.to_ascii_lowercase().replace("%2e", ".");
        ends_in_slash = matches!(unescaped.as_str(), "" | "." | "..");
        match unescaped.as_str() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(segment),
        }
    }
    let end = if ends_in_slash && !kept.is_empty() { "/" } else { "" };
    format!("/{}{end}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::enrich::url::PageUrl;

    #[test]
    fn what_is_not_absolute_is_none() {
        for text in [
            "",
            "not an url",
            "/a/b",
            "a/b",
            "mailto:x@y.z",
            "https://",
            "https:///x",
            "https://?x",
            "https:\\\\x",
            "://x",
            "ht tp://x/",
            "http://a b/",
            "http://x:99999/",
            "http://x\u{7}/",
            "http://x/\n",
            "http://[::1",
            "foo//bar",
            "javascript://",
        ] {
            assert_eq!(absolute(text), None, "{text:?}");
        }
    }

    #[test]
    fn absolute_addresses_are_normalised() {
        let table = [
            ("HTTPS://EXAMPLE.com", "https://example.com/"),
            ("//example.com/x", "http://example.com/x"),
            ("https://user:word@example.com:8443/x?y#z", "https://example.com:8443/x?y#z"),
            ("https://example.com/caf\u{e9} x", "https://example.com/caf%C3%A9%20x"),
            ("android-app://com.slack/", "android-app://com.slack/"),
            ("https://b\u{fc}cher.example/", "https://xn--bcher-kva.example/"),
        ];
        for (text, wanted) in table {
            assert_eq!(absolute(text).map(String::from).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn pages_have_a_clean_path_and_keep_their_escapes() {
        let table = [
            ("http://a.test", "http://a.test/"),
            ("http://a.test?x=//y/../", "http://a.test/?x=//y/../"),
            ("http://a.test///another/../another/foo?bar=baz#qux", "http://a.test/another/foo?bar=baz#qux"),
            ("https://A.test:8080/a//b/./c/%2e%2E/d/", "https://a.test:8080/a/b/d/"),
            ("https://a.test/../..", "https://a.test/"),
            ("https://a.test/caf%C3%A9/a%2Fb?utm_source=x", "https://a.test/caf%C3%A9/a%2Fb?utm_source=x"),
            ("https://u:p@a.test/x", "https://a.test/x"),
            ("app://a.test/x", "http://a.test/x"),
            ("//a.test/x/.", "http://a.test/x/"),
        ];
        for (text, wanted) in table {
            assert_eq!(Page::parse(text).unwrap().address, wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_page_that_is_taken_is_one_for_enrichment(
            text in "[a-z]{0,5}:?/{0,3}[a-zA-Z0-9.:@%\\[\\]é\\\\]{0,12}[/.%2eEé?#\\\\]{0,12}\\PC{0,8}"
        ) {
            if let Some(page) = Page::parse(&text) {
                let url = PageUrl::parse(&page.address);
                prop_assert!(url.is_ok(), "{text:?} -> {:?}: {url:?}", page.address);
                let again = Page::parse(&page.address).map(|page| page.address);
                prop_assert_eq!(again, Some(page.address));
            }
        }
    }

    #[test]
    fn links_within_the_host_are_told() {
        let page = Page::parse("http://a.test/x").unwrap();
        for (target, wanted) in [
            ("https://A.test/y", true),
            ("http://a.test:80/", true),
            ("http://a.test:81/", false),
            ("https://www.a.test/", false),
        ] {
            assert_eq!(page.is_at_host_of(&absolute(target).unwrap()), wanted, "{target}");
        }
    }
}
