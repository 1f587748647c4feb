//! A request -> `Hit`. What scripts say in headers pages without scripts say in the query; either may leave the page to
//! the browser's `Referer`.

use std::borrow::Cow;
use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderName, ORIGIN, REFERER};
use hyper::http::request::Parts;
use url::Url;

use crate::api::browser::{self, Browser};
use crate::api::click::Click;
use crate::api::json::Json;
use crate::api::pairs::{self, Lists};
use crate::api::refused::Refused;
use crate::api::taken;
use crate::hit::{BotFilter, Campaign, CustomEvent, GivenKind, GivenVisitor, Hit, HitKind};
use crate::hosts;

use super::route::Route;
use super::url::{Page, absolute, is_absolute};

/// What the hits of this interface call their source.
const SOURCE: &str = "prisme";
/// The body of what browsers send by themselves for links with `ping`.
const PING: &[u8] = b"PING";
/// What stands before a property's name in a query.
const PROPERTY: &str = "prop-";
const PAGE: HeaderName = HeaderName::from_static("x-prisme-referrer");
const DOCUMENT_REFERRER: HeaderName = HeaderName::from_static("x-prisme-document-referrer");
const PAGE_STATUS: HeaderName = HeaderName::from_static("x-prisme-status");
const VISITOR_ID: HeaderName = HeaderName::from_static("x-prisme-visitor-id");
const PING_FROM: HeaderName = HeaderName::from_static("ping-from");
const PING_TO: HeaderName = HeaderName::from_static("ping-to");

/// The status of a page whose sender says none.
const STATUS: u16 = 200;

/// A request before anything is read out of it.
pub struct Call<'a> {
    headers: &'a HeaderMap,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    is_noscript: bool,
}

/// What a request says.
pub struct Read {
    pub hit: Hit,
    /// Where the browser wants to go.
    pub redirect: Option<String>,
}

impl<'a> Call<'a> {
    /// A request with this head.
    pub fn new(head: &'a Parts, is_noscript: bool) -> Self {
        let query = head.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).collect();
        Self { headers: &head.headers, query, is_noscript }
    }

    /// The host of the page that makes the request. For pictures and links browsers name it only as the referrer.
    pub fn origin(&self) -> Option<String> {
        match &*self.header(ORIGIN) {
            "" if self.is_noscript => {
                let referrer = absolute(&self.header(REFERER))?;
                hosts::of_origin(referrer.host_str()?)
            }
            origin => hosts::of_origin(origin),
        }
    }

    /// Reads what it says.
    ///
    /// # Errors
    /// 400.
    pub fn read(&self, route: &Route, body: &[u8], ip: IpAddr) -> Result<Read, Refused> {
        let (page, kind) = match route {
            Route::PageView | Route::PixelPageView => (self.page()?, HitKind::PageView),
            Route::Custom(name) => {
                self.check_content_type(body)?;
                (self.page()?, event(name, properties(body)?))
            }
            Route::PixelCustom(name) => (self.page()?, event(name, self.query_properties()?)),
            Route::OutboundLink | Route::FileDownload | Route::Redirect => {
                return self.read_click(route, body, ip);
            }
        };
        Ok(Read { hit: self.hit(ip, page, kind)?, redirect: None })
    }

    fn read_click(&self, route: &Route, body: &[u8], ip: IpAddr) -> Result<Read, Refused> {
        let (page, target) = self.click(route, body)?;
        let target = target.ok_or_else(|| Refused::bad("the link is no absolute address"))?;
        let click = if *route == Route::FileDownload { Click::Download } else { Click::Outbound };
        if click == Click::Outbound && page.is_at_host_of(&target) {
            return Err(Refused::bad("the link leads to the page's own host"));
        }
        let kind = click.event(target.to_string());
        let redirect = (*route == Route::Redirect).then(|| String::from(target));
        Ok(Read { hit: self.hit(ip, page, kind)?, redirect })
    }

    /// The page of a click and where it led.
    fn click(&self, route: &Route, body: &[u8]) -> Result<(Page, Option<Url>), Refused> {
        if *route == Route::Redirect {
            // No browser is sent to a script or a file by us, nor to what is absolute only by our reading.
            let said = Some(self.query("url")).filter(|said| !said.starts_with("//"));
            let target = said.and_then(absolute).filter(|url| matches!(url.scheme(), "http" | "https"));
            return Ok((self.page()?, target));
        }
        if body == PING {
            let page = Page::parse(&self.header(PING_FROM));
            let page = page.ok_or_else(|| Refused::bad("Ping-From is no absolute address"))?;
            return Ok((page, absolute(&self.header(PING_TO))));
        }
        Ok((self.page()?, std::str::from_utf8(body).ok().and_then(absolute)))
    }

    fn hit(&self, ip: IpAddr, page: Page, kind: HitKind) -> Result<Hit, Refused> {
        let is_page_view = kind == HitKind::PageView;
        let Browser { ip, user_agent, accept_language, hints, dnt, prefetch } = Browser::of(ip, self.headers);
        let event_id = taken::event_id(self.headers).map_err(|error| Refused::bad(error.to_string()))?;
        Ok(Hit {
            kind,
            url: page.address,
            ip,
            user_agent,
            accept_language,
            referrer: if is_page_view { self.document_referrer()? } else { String::new() },
            campaign: Campaign::default(),
            title: String::new(),
            screen_width: 0,
            hints,
            dnt,
            prefetch,
            tags: Vec::new(),
            time: None,
            bot_filter: if is_page_view { BotFilter::Robots } else { BotFilter::ByAddress },
            disable_host_check: true,
            status: if is_page_view { Some(self.status()?) } else { None },
            event_id: event_id.unwrap_or_default(),
            given_visitor: self.given_visitor(),
            source: SOURCE,
        })
    }

    /// The page that the event happened on. The first place that says anything counts, right or wrong.
    fn page(&self) -> Result<Page, Refused> {
        let asked = if self.is_noscript { self.query("referrer") } else { "" };
        let said = [Cow::Borrowed(asked), self.header(PAGE), self.header(REFERER)];
        let said = said.iter().find(|text| !text.is_empty()).map_or("", |text| text);
        Page::parse(said).ok_or_else(|| Refused::bad("the page's address is missing or not absolute"))
    }

    /// Where the visitor came from; empty when from nowhere.
    fn document_referrer(&self) -> Result<String, Refused> {
        let said = self.said(DOCUMENT_REFERRER, "document-referrer");
        if !said.is_empty() && !is_absolute(&said) {
            return Err(Refused::bad("the document's referrer is no absolute address"));
        }
        Ok(said.into_owned())
    }

    fn status(&self) -> Result<u16, Refused> {
        let said = self.said(PAGE_STATUS, "status");
        if said.is_empty() {
            return Ok(STATUS);
        }
        let digits = Some(&*said).filter(|said| said.bytes().all(|byte| byte.is_ascii_digit()));
        let status = digits.and_then(|digits| digits.parse().ok());
        status.ok_or_else(|| Refused::bad("the status is no whole number up to 65535"))
    }

    /// The site's own id of the visitor, on every route in either place.
    fn given_visitor(&self) -> Option<GivenVisitor> {
        let given = |id: &str| GivenVisitor::new(GivenKind::Visitor, id);
        given(self.query("visitor-id")).or_else(|| given(&self.header(VISITOR_ID)))
    }

    fn check_content_type(&self, body: &[u8]) -> Result<(), Refused> {
        if body.is_empty() || browser::media_type(self.headers) == "application/json" {
            return Ok(());
        }
        Err(Refused::bad("the content type is not application/json"))
    }

    fn query_properties(&self) -> Result<Vec<(String, String)>, Refused> {
        let named = |(key, value): &'_ (Cow<'a, str>, Cow<'a, str>)| {
            let name = key.strip_prefix(PROPERTY)?;
            Some((name.to_owned(), value.clone()))
        };
        let given: Vec<(String, Cow<'a, str>)> = self.query.iter().filter_map(named).collect();
        let mut members = Vec::with_capacity(given.len());
        for (name, value) in &given {
            if name.is_empty() {
                return Err(Refused::bad("a property has no name"));
            }
            let value = Json::parse(value.as_bytes());
            let value =
                value.map_err(|_| Refused::bad(format!("the value of {PROPERTY}{name} is not JSON")))?;
            members.push((Cow::Borrowed(name.as_str()), value));
        }
        flat(Json::Object(members))
    }

    /// What stands in the query on pages without scripts, and in a header elsewhere.
    fn said(&self, header: HeaderName, parameter: &str) -> Cow<'_, str> {
        if self.is_noscript { Cow::Borrowed(self.query(parameter)) } else { self.header(header) }
    }

    /// The first value of a parameter, trimmed; empty when there is none.
    fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    fn header(&self, name: HeaderName) -> Cow<'a, str> {
        browser::text(self.headers, name)
    }
}

fn event(name: &str, meta: Vec<(String, String)>) -> HitKind {
    HitKind::Event(CustomEvent { name: name.to_owned(), duration: 0, meta, non_interactive: false })
}

/// The properties of a custom event: an object, or no body at all.
fn properties(body: &[u8]) -> Result<Vec<(String, String)>, Refused> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let json = Json::parse(body).map_err(|error| Refused::bad(error.to_string()))?;
    if !matches!(json, Json::Object(_)) {
        return Err(Refused::bad("the body is no JSON object"));
    }
    flat(json)
}

fn flat(object: Json<'_>) -> Result<Vec<(String, String)>, Refused> {
    if let Some(name) = object.repeated_name() {
        return Err(Refused::bad(format!("the property {name:?} is there twice")));
    }
    pairs::flatten(object, Lists::AsText)
        .map_err(|what| Refused::bad(format!("the event's properties: {what}")))
}

#[cfg(test)]
mod tests;
