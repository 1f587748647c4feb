//! A page's URL, taken apart: host, path and the query's parameters. Invariants: the host is lower case and in ASCII
//! form; the path begins with `/`, is percent-decoded where that gives text, has no control characters, and is otherwise
//! as sent.
//!
//! It knows nothing of sites.

use url::{Host, Url, form_urlencoded};

use super::plain::{Plain, is_plain_host};

/// Bytes of a URL; longer ones are refused.
pub const URL_BYTES_MAX: usize = 8 << 10;

/// Why a text is not a page's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It has more than [`URL_BYTES_MAX`] bytes.
    #[error("longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// It is not an absolute URL with a host.
    #[error("not an absolute URL such as https://example.com/path")]
    Malformed,
}

/// A page's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageUrl {
    /// The host, without port.
    pub host: String,
    /// The decoded path, without query and fragment; `/` when the URL has none.
    pub path: String,
    query: Vec<(String, String)>,
}

impl PageUrl {
    /// Takes `text` apart.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        if text.len() > URL_BYTES_MAX {
            return Err(BadUrl::TooLong);
        }
        let text = text.trim();
        if let Some(plain) = Plain::of(text) {
            return Ok(Self::of_plain(&plain));
        }
        let url = Url::parse(text).map_err(|_| BadUrl::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadUrl::Malformed);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(BadUrl::Malformed)?;
        let query = url.query_pairs().map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        Ok(Self { host: host.strip_suffix('.').unwrap_or(host).to_owned(), path: decoded_path(text), query })
    }

    fn of_plain(plain: &Plain<'_>) -> Self {
        let path = if plain.path.is_empty() { "/" } else { plain.path };
        let query = form_urlencoded::parse(plain.query().as_bytes());
        let query = query.map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
        Self { host: plain.host.to_owned(), path: path.to_owned(), query }
    }

    /// The first value of a query parameter, trimmed; empty when there is none.
    pub fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The first of these parameters that is not empty.
    pub fn first_parameter(&self, names: &[&str]) -> &str {
        names.iter().map(|name| self.parameter(name)).find(|value| !value.is_empty()).unwrap_or("")
    }
}

/// The path as the URL spells it, so that neither slashes nor dots nor case are changed.
fn decoded_path(text: &str) -> String {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path_start = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
    let path = &after_scheme[path_start..];
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    let mut path = if path.is_empty() { "/".to_owned() } else { percent_decode(path) };
    // No page has them in its name; they only upset those who read the statistics.
    path.retain(|char| !char.is_control());
    path
}

/// Decodes `%XX`. A text that would not be UTF-8 then stays as it is.
pub fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = if byte == b'%' { hex_pair(bytes.get(at + 1..at + 3)) } else { None };
        decoded.push(escape.unwrap_or(byte));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

fn hex_pair(digits: Option<&[u8]>) -> Option<u8> {
    let [high, low] = digits? else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(*high)? << 4 | digit(*low)?) as u8)
}

/// A host name as URLs carry it: lower case, ASCII form, without port. `None` when it is no host name.
pub fn canonical_host(name: &str) -> Option<String> {
    let name = name.trim();
    if is_plain_host(name) {
        return Some(name.to_owned());
    }
    let without_port = match name.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.contains(':') => host,
        _ => name,
    };
    Host::parse(without_port).ok().map(|host| host.to_string())
}

/// Ports may be left out after the colon. What is no port stays, and makes the name none.
fn is_port(text: &str) -> bool {
    text.is_empty() || (text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

/// `host` without a leading `www.`, when a whole domain remains.
pub fn without_www(host: &str) -> &str {
    host.strip_prefix("www.").filter(|rest| rest.contains('.')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_otherwise_kept() {
        let table = [
            ("https://example.com", "/"),
            ("https://example.com?x=/y", "/"),
            ("https://example.com#/y", "/"),
            ("https://example.com/", "/"),
            ("https://example.com/Foo//bar/", "/Foo//bar/"),
            ("https://example.com/a/../b/./c", "/a/../b/./c"),
            ("https://example.com/caf%C3%A9?x=1#y", "/café"),
            ("https://example.com/café", "/café"),
            ("https://example.com/a%2Fb%20c", "/a/b c"),
            ("https://example.com/%FF%C3%A9", "/%FF%C3%A9"),
            ("https://example.com/100%", "/100%"),
            ("https://example.com/%zz%4", "/%zz%4"),
            ("https://example.com/a+b", "/a+b"),
            ("https://example.com/?q=https://other.com/z", "/"),
            ("  https://example.com/x ", "/x"),
            ("https://example.com/a%00b%0d%0Ac%7F", "/abc"),
            ("https://example.com/a\nb\u{9b}", "/ab"),
        ];
        for (url, wanted) in table {
            assert_eq!(PageUrl::parse(url).unwrap().path, wanted, "{url}");
        }
    }

    #[test]
    fn hosts_are_canonical() {
        let table = [
            ("https://EXAMPLE.com:8443/", "example.com"),
            ("https://user:pw@www.example.com/", "www.example.com"),
            ("https://bücher.example/", "xn--bcher-kva.example"),
            ("https://example.com./", "example.com"),
            ("http://127.0.0.1:80/x", "127.0.0.1"),
            ("http://[::1]:80/x", "[::1]"),
        ];
        for (url, wanted) in table {
            assert_eq!(PageUrl::parse(url).unwrap().host, wanted, "{url}");
        }
        assert_eq!(canonical_host("Bücher.example:8080").as_deref(), Some("xn--bcher-kva.example"));
        for name in ["a b", "example.com:65536", "example.com:99999", "example.com:x"] {
            assert_eq!(canonical_host(name), None, "{name}");
        }
        assert_eq!(canonical_host("example.com:65535").as_deref(), Some("example.com"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "/path",
            "example.com/path",
            "https://",
            "mailto:a@b.c",
            "ftp://example.com/",
            "http://a b/",
            "http://[::1",
        ] {
            assert_eq!(PageUrl::parse(text), Err(BadUrl::Malformed), "{text}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX));
        assert_eq!(PageUrl::parse(&long), Err(BadUrl::TooLong));
    }

    #[test]
    fn parameters_are_trimmed_and_the_first_counts() {
        let url = PageUrl::parse("https://e.com/?a=%20x+y%20&a=2&b=&ref=r").unwrap();
        assert_eq!(url.parameter("a"), "x y");
        assert_eq!(url.parameter("b"), "");
        assert_eq!(url.first_parameter(&["none", "b", "ref"]), "r");
    }

    #[test]
    fn www_falls_only_before_a_whole_domain() {
        for (host, wanted) in [("www.a.com", "a.com"), ("www.com", "www.com"), ("wwww.a.com", "wwww.a.com")] {
            assert_eq!(without_www(host), wanted);
        }
    }
}
