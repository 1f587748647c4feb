//! The paths of the events API. As in Prisme they may be written in upper case; the names in them keep their case.

use hyper::Method;

use crate::enrich::url::percent_decode;

const EVENTS: &str = "/api/v1/events/";
const NOSCRIPT: &str = "/api/v1/noscript/events/";
const CUSTOM: &str = "custom/";

/// What a path of the events API leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A page was seen.
    PageView,
    /// Something happened that the site has a name for.
    Custom(String),
    /// A link to another host was followed.
    OutboundLink,
    /// A file was fetched.
    FileDownload,
    /// A page was seen, told by a picture.
    PixelPageView,
    /// A named event, told by a picture.
    PixelCustom(String),
    /// A link to another host is followed by way of us.
    Redirect,
}

/// The route of a path, if it is one of ours.
pub fn find(path: &str) -> Option<Route> {
    if let Some(rest) = strip(path, EVENTS) {
        return match strip(rest, CUSTOM) {
            Some(name) => named(name).map(Route::Custom),
            None if rest.eq_ignore_ascii_case("pageviews") => Some(Route::PageView),
            None if rest.eq_ignore_ascii_case("outbound-links") => Some(Route::OutboundLink),
            None if rest.eq_ignore_ascii_case("file-downloads") => Some(Route::FileDownload),
            None => None,
        };
    }
    let rest = strip(path, NOSCRIPT)?;
    match strip(rest, CUSTOM) {
        Some(name) => named(name).map(Route::PixelCustom),
        None if rest.eq_ignore_ascii_case("pageviews") => Some(Route::PixelPageView),
        None if rest.eq_ignore_ascii_case("outbound-links") => Some(Route::Redirect),
        None => None,
    }
}

fn strip<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = path.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn named(name: &str) -> Option<String> {
    (!name.is_empty() && !name.contains('/')).then(|| percent_decode(name))
}

impl Route {
    /// Whether it is for pages without scripts: everything stands in the query then.
    pub fn is_noscript(&self) -> bool {
        self.is_pixel() || *self == Self::Redirect
    }

    /// Whether it answers with a picture.
    pub fn is_pixel(&self) -> bool {
        matches!(self, Self::PixelPageView | Self::PixelCustom(_))
    }

    /// Whether it takes the method.
    pub fn takes(&self, method: &Method) -> bool {
        if self.is_noscript() {
            matches!(*method, Method::GET | Method::HEAD)
        } else {
            method == Method::POST
        }
    }

    /// The methods that it takes.
    pub fn methods(&self) -> &'static str {
        if self.is_noscript() { "GET, HEAD" } else { "POST" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere() {
        let custom = |name: &str| Some(Route::Custom(name.into()));
        let table = [
            ("/api/v1/events/pageviews", Some(Route::PageView)),
            ("/API/v1/Events/PageViews", Some(Route::PageView)),
            ("/api/v1/events/custom/Sign%20up", custom("Sign up")),
            ("/api/v1/events/custom/a%2Fb%C3%A9", custom("a/bé")),
            ("/api/v1/events/custom/100%", custom("100%")),
            ("/api/v1/events/CUSTOM/Foo", custom("Foo")),
            ("/api/v1/events/outbound-links", Some(Route::OutboundLink)),
            ("/api/v1/events/file-downloads", Some(Route::FileDownload)),
            ("/api/v1/noscript/events/pageviews", Some(Route::PixelPageView)),
            ("/api/v1/noscript/events/custom/x", Some(Route::PixelCustom("x".into()))),
            ("/api/v1/noscript/events/outbound-links", Some(Route::Redirect)),
            ("/api/v1/noscript/events/file-downloads", None),
            ("/api/v1/events/pageviews/", None),
            ("/api/v1/events/custom/", None),
            ("/api/v1/events/custom/a/b", None),
            ("/api/v1/events/", None),
            ("/api/v1/event", None),
        ];
        for (path, wanted) in table {
            assert_eq!(find(path), wanted, "{path}");
        }
    }
}
