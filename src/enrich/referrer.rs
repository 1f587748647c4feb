//! Where a visitor came from: the referrer, normalised and named.
//!
//! It knows nothing of the site beyond a closure that tells its own hosts, and asks nobody on the network.

use std::net::IpAddr;

use url::Url;

use super::client_ip::parse_address;
use super::plain::Plain;
use super::referrer_table;
use super::url::{PageUrl, percent_decode, without_www};

/// Parameters of a page's URL that name a referrer better than the header does.
const PARAMETERS_FIRST: [&str; 3] = ["ref", "referer", "referrer"];
/// Parameters that name a referrer when nothing else does.
const PARAMETERS_LAST: [&str; 2] = ["source", "utm_source"];

/// A referrer; both texts are empty when there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Referrer {
    /// Its URL without query and fragment; empty when the sender gave a mere name.
    pub url: String,
    /// What it is called.
    pub name: String,
}

/// The referrer of a page view: `explicit` is what the sender says it is, `header` what the browser's header says.
/// `is_own` tells the site's own hosts, which are no referrers.
pub fn of(explicit: &str, header: &str, page: Option<&PageUrl>, is_own: &dyn Fn(&str) -> bool) -> Referrer {
    let parameter = |names: &[&str]| page.map_or("", |page| page.first_parameter(names));
    let candidates = [explicit, parameter(&PARAMETERS_FIRST), header, parameter(&PARAMETERS_LAST)];
    let Some(text) = candidates.iter().find(|text| !text.trim().is_empty()) else {
        return Referrer::default();
    };
    normalise(text, is_own)
}

/// Normalises and names what a sender gave as referrer.
fn normalise(text: &str, is_own: &dyn Fn(&str) -> bool) -> Referrer {
    let text = text.trim().split(['\r', '\n']).next().unwrap_or_default().trim();
    if let Some(Plain { scheme, host, path, .. }) = Plain::of(text) {
        let path = if path == "/" { "" } else { path };
        return if is_own(host) { Referrer::default() } else { named(scheme, host, "", path) };
    }
    if let Some(package) = strip_prefix_ignore_case(text, "android-app://") {
        return of_android_app(package);
    }
    if strip_prefix_ignore_case(text, "http://").is_some()
        || strip_prefix_ignore_case(text, "https://").is_some()
    {
        return parse(text)
            .or_else(|| parse(&percent_decode(text)))
            .map_or_else(Referrer::default, |url| of_url(&url, is_own));
    }
    if strip_prefix_ignore_case(text, "http").is_some() {
        // An address that was escaped as a whole.
        let decoded = percent_decode(text);
        if decoded.contains("://")
            && let Some(url) = parse(&decoded)
        {
            return of_url(&url, is_own);
        }
    }
    if looks_like_a_host(text)
        && let Some(url) = parse(&format!("https://{text}"))
    {
        return of_url(&url, is_own);
    }
    if parse_address(text.trim_end_matches('/')).is_some() {
        return Referrer::default();
    }
    if is_own(&text.to_lowercase()) {
        return Referrer::default();
    }
    Referrer { url: String::new(), name: text.to_owned() }
}

fn parse(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// A text that ends in a dot and letters, without blanks or a path, is a host.
fn looks_like_a_host(text: &str) -> bool {
    let ends_in_letters = text
        .rsplit_once('.')
        .is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_alphabetic()));
    ends_in_letters && !text.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '@' | ':'))
}

fn of_url(url: &Url, is_own: &dyn Fn(&str) -> bool) -> Referrer {
    let host = url.host_str().unwrap_or_default();
    let bare_host = host.trim_matches(['[', ']']);
    if host.is_empty() || bare_host.parse::<IpAddr>().is_ok() || is_own(host) {
        return Referrer::default();
    }
    let path = if url.path() == "/" { String::new() } else { readable(url.path()) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    named(url.scheme(), host, &port, &path)
}

fn named(scheme: &str, host: &str, port: &str, path: &str) -> Referrer {
    let bare = without_www(host);
    let name = referrer_table::name_of_page(bare, path).unwrap_or(bare).to_owned();
    Referrer { url: [scheme, "://", host, port, path].concat(), name }
}

/// The path decoded, unless it would then read as more than a path.
fn readable(path: &str) -> String {
    let decoded = percent_decode(path);
    if decoded.contains(['?', '#', '\r', '\n']) { path.to_owned() } else { decoded }
}

fn of_android_app(package: &str) -> Referrer {
    let package = package.split(['/', '?', '#']).next().unwrap_or_default();
    if package.is_empty() {
        return Referrer::default();
    }
    let name = referrer_table::name_of_package(package).unwrap_or_default();
    Referrer { url: format!("android-app://{package}"), name: name.to_owned() }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    if head.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(host: &str) -> bool {
        without_www(host) == "my-site.com"
    }

    #[test]
    fn referrers_are_normalised_and_named() {
        let table = [
            ("", "", ""),
            ("http://boring.old/domain", "http://boring.old/domain", "boring.old"),
            ("https://with.subdomain.com/", "https://with.subdomain.com", "with.subdomain.com"),
            ("https://example.com/", "https://example.com", "example.com"),
            ("ReferrerName", "", "ReferrerName"),
            ("  My Referrer ", "", "My Referrer"),
            ("Pirsch.io", "https://pirsch.io", "pirsch.io"),
            ("49.12.18.161/", "", ""),
            ("168.119.249.160:8080", "", ""),
            ("https://168.119.249.160:8080", "", ""),
            ("http://[2001:db8::1]/x", "", ""),
            ("https://Example.com", "https://example.com", "example.com"),
            ("https://www.example.com", "https://www.example.com", "example.com"),
            ("sub.example.com/with/path/", "", "sub.example.com/with/path/"),
            ("http://www.example.com/", "http://www.example.com", "example.com"),
            ("https://example.com/a/b/?x=1#y", "https://example.com/a/b/", "example.com"),
            ("https%3A%2F%2Fexample.com%2Fa", "https://example.com/a", "example.com"),
            ("https://example.com/caf%C3%A9", "https://example.com/café", "example.com"),
            // Decoded it had a query, and a line of its own.
            ("https://example.com/a%3Fb%C3%A9", "https://example.com/a%3Fb%C3%A9", "example.com"),
            ("https://example.com/a%0Ab", "https://example.com/a%0Ab", "example.com"),
            ("https://www.google.bf", "https://www.google.bf", "Google"),
            ("https://google.bf", "https://google.bf", "Google"),
            ("https://www.google.com/search?q=x", "https://www.google.com/search", "Google"),
            ("https://news.google.co.uk/", "https://news.google.co.uk", "Google News"),
            ("https://google.pl/products", "https://google.pl/products", "Google Product Search"),
            ("https://t.co/asdf", "https://t.co/asdf", "Twitter"),
            ("HTTPS://T.CO", "https://t.co", "Twitter"),
            ("https://www.instagram.com", "https://www.instagram.com", "Instagram"),
            ("https://www.ecosia.org", "https://www.ecosia.org", "Ecosia"),
            ("https://news.ycombinator.com/item?id=1", "https://news.ycombinator.com/item", "Hacker News"),
            ("https://old.reddit.com/r/rust", "https://old.reddit.com/r/rust", "Reddit"),
            ("https://l.facebook.com/l.php?u=x", "https://l.facebook.com/l.php", "Facebook"),
            ("https://lnkd.in/abc", "https://lnkd.in/abc", "LinkedIn"),
            ("https://github.com/x", "https://github.com/x", "GitHub"),
            ("https://m.youtube.com/watch", "https://m.youtube.com/watch", "Youtube"),
            ("https://blog.tumblr.com", "https://blog.tumblr.com", "Tumblr"),
            ("https://example.com\nSome additional text", "https://example.com", "example.com"),
            ("https://my-site.com/a", "", ""),
            ("https://www.my-site.com/a", "", ""),
            ("my-site.com", "", ""),
            ("https://blog.my-site.com/a", "https://blog.my-site.com/a", "blog.my-site.com"),
            ("android-app://com.Slack", "android-app://com.Slack", "Slack"),
            ("android-app://does-not-exist", "android-app://does-not-exist", ""),
            ("android-app://com.google.android.gm/x", "android-app://com.google.android.gm", "Gmail"),
            ("android-app://", "", ""),
            ("https://", "", ""),
            ("http", "", "http"),
        ];
        for (text, url, name) in table {
            let found = of(text, "", None, &own);
            assert_eq!((found.url.as_str(), found.name.as_str()), (url, name), "{text:?}");
        }
    }

    #[test]
    fn parameters_stand_before_and_after_the_header() {
        let header = "https://overwrite-this.com";
        let table = [
            ("ref=https://www.google.com/", header, "https://www.google.com", "Google"),
            ("utm_source=https://www.google.com/", header, header, "overwrite-this.com"),
            ("utm_source=google.com", header, header, "overwrite-this.com"),
            ("ref=referrer", header, "", "referrer"),
            ("utm_source=google.com", "", "https://google.com", "Google"),
            ("utm_source=Newsletter", "", "", "Newsletter"),
            ("referrer=a&referer=b", "", "", "b"),
            ("source=a&utm_source=b", "", "", "a"),
            ("ref=&source=+", "", "", ""),
        ];
        for (query, header, url, name) in table {
            let page = PageUrl::parse(&format!("https://my-site.com/?{query}")).unwrap();
            let found = of("", header, Some(&page), &own);
            assert_eq!((found.url.as_str(), found.name.as_str()), (url, name), "{query}");
        }
    }

    #[test]
    fn what_the_sender_says_wins() {
        let page = PageUrl::parse("https://my-site.com/?ref=x").unwrap();
        assert_eq!(of("https://said.com", "https://header.com", Some(&page), &own).url, "https://said.com");
    }
}
