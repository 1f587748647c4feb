//! Web addresses of the plainest kind, which nearly all are, taken apart without the parser of all kinds.
//!
//! Invariant: what is plain the parser reads alike, and changes nothing of it but that an empty path becomes `/`.

/// A plain address: `http` or `https`, a host of ASCII labels in lower case, a path and a query without anything that
/// would have to be escaped or resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host; there is no port.
    pub host: &'a str,
    /// The path; empty when there is none.
    pub path: &'a str,
    /// Query and fragment, with `?` and `#`.
    pub tail: &'a str,
}

impl<'a> Plain<'a> {
    /// Takes `text` apart; `None` when it is not plain.
    pub fn of(text: &'a str) -> Option<Self> {
        let schemes = ["https", "http"].into_iter();
        let (scheme, rest) = schemes
            .filter_map(|scheme| Some((scheme, text.strip_prefix(scheme)?.strip_prefix("://")?)))
            .next()?;
        let bytes = rest.as_bytes();
        let host_end =
            bytes.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(bytes.len());
        let (host, behind_host) = rest.split_at_checked(host_end)?;
        let path_end =
            behind_host.bytes().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(behind_host.len());
        let (path, tail) = behind_host.split_at_checked(path_end)?;
        let is_plain = is_plain_host(host) && is_plain_path(path) && is_plain_tail(tail);
        is_plain.then_some(Self { scheme, host, path, tail })
    }

    /// The query, without `?`; empty when there is none.
    pub fn query(&self) -> &'a str {
        let tail = self.tail.split('#').next().unwrap_or_default();
        tail.strip_prefix('?').unwrap_or_default()
    }
}

/// Whether a host is a name of ASCII labels in lower case that is its own canonical form.
pub fn is_plain_host(host: &str) -> bool {
    let mut last = "";
    for label in host.split('.') {
        let bytes = label.as_bytes();
        let is_plain = !bytes.is_empty()
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
            // Labels such as `xn--` stand for something else.
            && bytes.get(2..4) != Some(b"--");
        if !is_plain {
            return false;
        }
        last = label;
    }
    // A host that ends in a number is an address.
    host.len() <= 253 && last.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_plain_path(path: &str) -> bool {
    let mut before = b'/';
    path.bytes().all(|byte| {
        let is_plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'/' | b'-' | b'_' | b'~')
            // Segments of dots lead elsewhere.
            || (byte == b'.' && before != b'/');
        before = byte;
        is_plain
    })
}

fn is_plain_tail(tail: &str) -> bool {
    tail.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"?#-._~!$&()*+,;=:@/%".contains(&byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn nearly_all_addresses_are_plain() {
        for (text, wanted) in [
            ("https://example.com", Some(("https", "example.com", "", ""))),
            (
                "http://a-b.example.com/x/y.html?a=%20b#c",
                Some(("http", "a-b.example.com", "/x/y.html", "?a=%20b#c")),
            ),
            ("https://localhost/", Some(("https", "localhost", "/", ""))),
            ("https://example.com:80/", None),
            ("https://Example.com/", None),
            ("https://1.2.3.4/", None),
            ("https://a.b.0x7/", None),
            ("https://xn--bcher-kva.example/", None),
            ("https://a..b/", None),
            ("https:///x", None),
            ("https://example.com/../x", None),
            ("https://example.com/.x", None),
            ("https://example.com/%2e%2e/x", None),
            ("https://example.com/a b", None),
            ("https://example.com/?'", None),
            ("ftp://example.com/", None),
            (" https://example.com/", None),
        ] {
            let found = Plain::of(text).map(|plain| (plain.scheme, plain.host, plain.path, plain.tail));
            assert_eq!(found, wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_parser_changes_nothing_of_what_is_plain(
            text in "https?://[a-z0-9.xn-]{1,12}(\\.[a-z]{1,3})?[/a-zA-Z0-9._~%-]{0,12}[?#]?[?#a-z=&%+/:@!'-]{0,8}"
        ) {
            if let Some(plain) = Plain::of(&text) {
                let url = Url::parse(&text).unwrap();
                let path = if plain.path.is_empty() { "/" } else { plain.path };
                prop_assert_eq!(url.as_str(), format!("{}://{}{path}{}", plain.scheme, plain.host, plain.tail));
                prop_assert_eq!(url.host_str(), Some(plain.host));
                prop_assert_eq!((url.port(), url.path()), (None, path));
                prop_assert_eq!(url.query().unwrap_or_default(), plain.query());
            }
        }
    }
}
