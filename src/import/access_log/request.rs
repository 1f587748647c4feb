//! A request's first line, and which paths are pages.

use std::borrow::Cow;

/// Extensions of paths that are no pages: styles and scripts, pictures, fonts, sound and film, data, documents and
/// archives to download. Upper and lower case are the same.
pub const ASSETS: &[&str] = &[
    "css",
    "js",
    "mjs",
    "map",
    "wasm", //
    "avif",
    "bmp",
    "cur",
    "gif",
    "ico",
    "jpeg",
    "jpg",
    "png",
    "svg",
    "svgz",
    "tif",
    "tiff",
    "webp", //
    "eot",
    "otf",
    "ttf",
    "woff",
    "woff2", //
    "aac",
    "avi",
    "flac",
    "m3u8",
    "m4a",
    "m4s",
    "m4v",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "oga",
    "ogg",
    "ogv",
    "opus",
    "ts",
    "wav",
    "webm",
    "vtt", //
    "atom",
    "csv",
    "json",
    "rss",
    "txt",
    "webmanifest",
    "xml",
    "yaml",
    "yml", //
    "7z",
    "apk",
    "bz2",
    "deb",
    "dmg",
    "doc",
    "docx",
    "epub",
    "exe",
    "gz",
    "iso",
    "jar",
    "msi",
    "ods",
    "odt",
    "pdf",
    "pkg",
    "ppt",
    "pptx",
    "rar",
    "rpm",
    "tar",
    "tgz",
    "xls",
    "xlsx",
    "xz",
    "zip",
    "zst",
];

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) method: Cow<'a, str>,
    /// As sent: path and query, or a whole URL.
    pub(super) target: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads `METHOD TARGET VERSION`; the version may be missing, blanks within the target are taken as sent. `None`
    /// for anything else.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let (method, rest) = line.split_once(' ')?;
        let is_method = !method.is_empty()
            && method.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
        let rest = rest.trim();
        let target = match rest.rsplit_once(' ') {
            Some((target, version)) if version.starts_with("HTTP/") => target.trim_end(),
            _ => rest,
        };
        let owned = |text: &str| Cow::Owned(text.to_owned());
        (is_method && !target.is_empty() && !target.starts_with("HTTP/"))
            .then(|| Request { method: owned(method), target: owned(target) })
    }

    /// The host, when a client that takes the server for a proxy names it, then path and query. `None` when the target
    /// has no path.
    pub(super) fn host_and_target(&self) -> Option<(Option<&str>, &str)> {
        let target = &*self.target;
        if target.starts_with('/') {
            return Some((None, target));
        }
        let (scheme, rest) = target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        match rest.find('/') {
            Some(at) => Some((Some(rest.get(..at)?), rest.get(at..)?)),
            None => Some((Some(rest), "/")),
        }
    }
}

/// Whether a path, without its query, ends in an extension of [`ASSETS`].
pub(super) fn is_asset(target: &str) -> bool {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    ASSETS.iter().any(|asset| asset.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines() {
        let table = [
            ("GET / HTTP/1.1", Some(("GET", "/"))),
            ("GET /a b?c d HTTP/2.0", Some(("GET", "/a b?c d"))),
            ("GET /old", Some(("GET", "/old"))),
            ("M-SEARCH * HTTP/1.1", Some(("M-SEARCH", "*"))),
            ("GET  HTTP/1.1", None),
            ("GET ", None),
            ("GET", None),
            ("", None),
            ("\u{16}\u{3}\u{1} x", None),
            (" / HTTP/1.1", None),
        ];
        for (line, wanted) in table {
            let found = Request::of_line(line);
            let found = found.as_ref().map(|request| (&*request.method, &*request.target));
            assert_eq!(found, wanted, "{line:?}");
        }
    }

    #[test]
    fn targets() {
        let table = [
            ("/a?b", Some((None, "/a?b"))),
            ("http://example.com:80/a?b", Some((Some("example.com:80"), "/a?b"))),
            ("HTTPS://example.com", Some((Some("example.com"), "/"))),
            ("ftp://example.com/", None),
            ("*", None),
            ("example.com:443", None),
        ];
        for (target, wanted) in table {
            let request = Request { method: "GET".into(), target: target.into() };
            assert_eq!(request.host_and_target(), wanted, "{target}");
        }
    }

    #[test]
    fn assets() {
        for asset in
            ["/a.css", "/a/B.PNG?x=/y", "/favicon.ico", "/.well-known/x.json", "/robots.txt", "/a.tar.gz#x"]
        {
            assert!(is_asset(asset), "{asset}");
        }
        for page in [
            "/",
            "/css",
            "/a.css/",
            "/a.html",
            "/index.php?file=a.css",
            "/v1.2",
            "/a?b=c.png",
            "/.js/a",
            "/a.",
        ] {
            assert!(!is_asset(page), "{page}");
        }
    }
}
