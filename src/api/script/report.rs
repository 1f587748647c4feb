//! A report's body -> hits. Strict about the types of the members it knows, blind to others; `null` is absent.

use std::borrow::Cow;

use crate::api::browser::Browser;
use crate::api::click::Click;
use crate::api::json::Json;
use crate::api::pairs::{self, Lists};
use crate::api::refused::Refused;
use crate::enrich::url::PageUrl;
use crate::hit::{BotFilter, Campaign, CustomEvent, GivenKind, GivenVisitor, Hit, HitKind};

/// What the hits of this interface call their source.
const SOURCE: &str = "script";
/// The event that goes with a page view of a page that is not there, so that statistics show it by name.
const NOT_FOUND: &str = "404 Page Not Found";
/// The member of its metadata that says which page.
const PATH: &str = "path";
/// The status of such a page.
const NOT_FOUND_STATUS: u16 = 404;
/// What the names of attributes with tags begin with.
const TAG: &str = "tag";

/// A report as it was sent; what is absent is empty.
#[derive(Debug, Default, PartialEq)]
pub struct Report<'a> {
    id: Cow<'a, str>,
    url: Cow<'a, str>,
    referrer: Cow<'a, str>,
    title: Cow<'a, str>,
    width: u32,
    what: What<'a>,
    meta: Vec<(String, String)>,
    duration: u32,
    non_interactive: bool,
    tag: Tag<'a>,
}

/// What happened.
#[derive(Debug, Default, PartialEq)]
enum What<'a> {
    #[default]
    PageView,
    Event(Cow<'a, str>),
    Click(Click, Cow<'a, str>),
    Left,
}

/// What the attributes of the script's element say.
#[derive(Debug, Default, PartialEq)]
struct Tag<'a> {
    site: Cow<'a, str>,
    visitor: Cow<'a, str>,
    status: Option<u16>,
    hash: bool,
    tags: Vec<(String, String)>,
}

impl<'a> Report<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// 400, with the member at fault.
    pub fn read(body: &'a [u8]) -> Result<Self, Refused> {
        let json = Json::parse(body).map_err(|error| Refused::bad(error.to_string()))?;
        let Json::Object(members) = json else {
            return Err(Refused::bad("expected a JSON object"));
        };
        let mut report = Self::default();
        for (name, value) in members {
            if value != Json::Null {
                report.take(&name, value)?;
            }
        }
        Ok(report)
    }

    fn take(&mut self, name: &str, value: Json<'a>) -> Result<(), Refused> {
        match name {
            "id" => self.id = text(name, value)?,
            "url" => self.url = text(name, value)?,
            "referrer" => self.referrer = text(name, value)?,
            "title" => self.title = text(name, value)?,
            // No page can mend the width of its visitor's screen.
            "width" => self.width = whole(&value).filter(|width| *width <= u16::MAX.into()).unwrap_or(0),
            "event" => self.what = What::Event(text(name, value)?),
            "outbound" => self.what = What::Click(Click::Outbound, address(name, value)?),
            "downloads" => self.what = What::Click(Click::Download, address(name, value)?),
            "left" => self.what = What::Left,
            "meta" => {
                let flat = pairs::flatten(value, Lists::AsText);
                self.meta = flat.map_err(|what| Refused::bad(format!("{name}: {what}")))?;
            }
            "duration" => {
                let seconds = whole(&value).filter(|seconds| i32::try_from(*seconds).is_ok());
                self.duration = seconds.ok_or_else(|| bad(name, "must be a whole number of seconds"))?;
            }
            "non_interactive" => self.non_interactive = value == Json::Bool(true),
            "data" => self.tag = Tag::read(value)?,
            _ => {}
        }
        Ok(())
    }

    /// The site that the tag names; empty when it names none.
    pub fn site(&self) -> &str {
        self.tag.site.trim()
    }

    /// Whether it tells only that the page has been left.
    pub fn is_leaving(&self) -> bool {
        self.what == What::Left
    }

    /// The page's address as the browser shows it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is to be stored of it: mostly one hit.
    ///
    /// # Errors
    /// 400.
    pub fn hits(self, browser: Browser) -> Result<Vec<Hit>, Refused> {
        let url = if self.tag.hash { with_fragment_in_path(&self.url) } else { self.url.into_owned() };
        let status = self.tag.status.filter(|_| self.what == What::PageView);
        let event = |name: &str, meta: Vec<(String, String)>, non_interactive: bool| {
            HitKind::Event(CustomEvent {
                name: name.to_owned(),
                duration: self.duration,
                meta,
                non_interactive,
            })
        };
        let kind = match &self.what {
            What::PageView => HitKind::PageView,
            What::Event(name) => event(name.trim(), self.meta, self.non_interactive),
            What::Click(click, target) => click.event(target.to_string()),
            What::Left => HitKind::KeepAlive,
        };
        let not_found = (status == Some(NOT_FOUND_STATUS)).then(|| {
            let path = PageUrl::parse(&url).map(|page| page.path).unwrap_or_default();
            event(NOT_FOUND, vec![(PATH.to_owned(), path)], true)
        });
        let Browser { ip, user_agent, accept_language, hints, dnt, prefetch } = browser;
        let first = Hit {
            // Who leaves a page has perhaps come to the next one already: only that time has passed is to be known.
            url: if kind == HitKind::KeepAlive { String::new() } else { url },
            kind,
            ip,
            user_agent,
            accept_language,
            referrer: self.referrer.into_owned(),
            campaign: Campaign::default(),
            title: self.title.into_owned(),
            screen_width: self.width,
            hints,
            dnt,
            prefetch,
            tags: self.tag.tags,
            time: None,
            bot_filter: BotFilter::All,
            disable_host_check: false,
            status,
            event_id: self.id.into_owned(),
            given_visitor: GivenVisitor::new(GivenKind::Visitor, &self.tag.visitor),
            source: SOURCE,
        };
        let second = not_found.map(|kind| {
            let id = first.event_id.as_str();
            let event_id = if id.is_empty() { String::new() } else { format!("{id}.{NOT_FOUND_STATUS}") };
            Hit { kind, status: None, event_id, ..first.clone() }
        });
        Ok(std::iter::once(first).chain(second).collect())
    }
}

impl<'a> Tag<'a> {
    fn read(attributes: Json<'a>) -> Result<Self, Refused> {
        let Json::Object(attributes) = attributes else {
            return Err(bad("data", "must be an object"));
        };
        let mut tag = Self::default();
        for (name, value) in attributes {
            let value = text(&name, value)?;
            match &*name {
                "site" => tag.site = value,
                "visitor" => tag.visitor = value,
                "hash" => tag.hash = true,
                "status" if value.trim().is_empty() => {}
                "status" => {
                    let status = value.trim().parse();
                    tag.status =
                        Some(status.map_err(|_| bad("data-status", "must be a number up to 65535"))?);
                }
                _ => tag.tags.extend(tag_named(&name).map(|key| (key, value.into_owned()))),
            }
        }
        Ok(tag)
    }
}

/// `author` for `data-tag-author`, which browsers call `tagAuthor`.
fn tag_named(attribute: &str) -> Option<String> {
    let name = attribute.strip_prefix(TAG)?;
    let mut key = String::with_capacity(name.len());
    for char in name.chars() {
        if char.is_ascii_uppercase() {
            key.push('-');
        }
        key.push(char.to_ascii_lowercase());
    }
    key.strip_prefix('-').map(str::to_owned)
}

/// On pages that tell their parts by the fragment it belongs to the path: `/app?x=1#/users` becomes `/app#/users`, with
/// the fragment's own query behind the page's.
fn with_fragment_in_path(url: &str) -> String {
    let Some((page, fragment)) = url.split_once('#').filter(|(_, fragment)| !fragment.is_empty()) else {
        return url.to_owned();
    };
    let (page, page_query) = page.split_once('?').unwrap_or((page, ""));
    let (fragment, query) = fragment.split_once('?').unwrap_or((fragment, ""));
    let join = if page_query.is_empty() || query.is_empty() { "" } else { "&" };
    // The slash of a host without a path.
    let slash = if page.matches('/').count() < 3 { "/" } else { "" };
    format!("{page}{slash}%23{}?{page_query}{join}{query}", fragment.replace('#', "%23"))
}

fn bad(name: &str, what: &str) -> Refused {
    Refused::bad(format!("{name}: {what}"))
}

fn text<'a>(name: &str, value: Json<'a>) -> Result<Cow<'a, str>, Refused> {
    match value {
        Json::Text(text) => Ok(text),
        Json::Null => Ok(Cow::Borrowed("")),
        _ => Err(bad(name, "must be a text")),
    }
}

/// Where a click leads: on the web.
fn address<'a>(name: &str, value: Json<'a>) -> Result<Cow<'a, str>, Refused> {
    let target = text(name, value)?;
    match PageUrl::parse(&target) {
        Ok(_) => Ok(target),
        Err(_) => Err(bad(name, "must be an absolute http or https address")),
    }
}

fn whole(value: &Json<'_>) -> Option<u32> {
    let Json::Number(number) = value else { return None };
    u32::try_from(number.as_whole()?).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderMap;

    use super::*;

    fn hits(body: &str) -> Vec<Hit> {
        let browser = Browser::of([192, 0, 2, 1].into(), &HeaderMap::new());
        Report::read(body.as_bytes()).unwrap().hits(browser).unwrap()
    }

    fn event(name: &str, meta: &[(&str, &str)], duration: u32, non_interactive: bool) -> HitKind {
        let meta = meta.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        HitKind::Event(CustomEvent { name: name.to_owned(), duration, meta, non_interactive })
    }

    #[test]
    fn a_page_view_with_all_attributes() {
        let body = r#"{"id":"7","url":"https://a.test/x?y#z","referrer":"https://b.test/","title":"X","width":1280,
            "data":{"site":" a.test ","visitor":"v","tagAuthor":"Ann","tagMyKey":"1","tagged":"no","outbound":"false"}}"#;
        assert_eq!(Report::read(body.as_bytes()).unwrap().site(), "a.test");
        let hits = hits(body);
        let [hit] = hits.as_slice() else { panic!("{hits:?}") };
        assert_eq!(hit.kind, HitKind::PageView);
        assert_eq!((hit.url.as_str(), hit.referrer.as_str()), ("https://a.test/x?y#z", "https://b.test/"));
        assert_eq!((hit.title.as_str(), hit.screen_width, hit.status), ("X", 1280, None));
        assert_eq!(hit.tags, [("author", "Ann"), ("my-key", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!((hit.event_id.as_str(), hit.source), ("7", "script"));
        assert_eq!(hit.given_visitor, GivenVisitor::new(GivenKind::Visitor, "v"));
    }

    #[test]
    fn events_clicks_and_leaving() {
        let kind = |more: &str| {
            let hits = hits(&format!("{{\"url\":\"https://a.test/\",{more}}}"));
            (hits[0].kind.clone(), hits[0].url.clone())
        };
        let page = "https://a.test/".to_owned();
        for (more, wanted) in [
            (
                r#""event":" Buy ","meta":{"n":1,"of":{"x":"y"}}"#,
                event("Buy", &[("n", "1"), ("of.x", "y")], 0, false),
            ),
            (r#""event":"Buy","duration":3,"non_interactive":true"#, event("Buy", &[], 3, true)),
            (
                r#""outbound":"https://b.test/""#,
                event("Outbound Link Click", &[("url", "https://b.test/")], 0, false),
            ),
            (
                r#""downloads":"https://a.test/f.zip""#,
                event("File Download", &[("url", "https://a.test/f.zip")], 0, false),
            ),
        ] {
            assert_eq!(kind(more), (wanted, page.clone()), "{more}");
        }
        assert_eq!(kind(r#""left":1"#), (HitKind::KeepAlive, String::new()));
    }

    #[test]
    fn a_missing_page_is_a_page_view_and_an_event() {
        let both = hits(r#"{"id":"7","url":"https://a.test/gone?x","data":{"status":"404"}}"#);
        assert_eq!(both.len(), 2);
        assert_eq!(
            (&both[0].kind, both[0].status, both[0].event_id.as_str()),
            (&HitKind::PageView, Some(404), "7")
        );
        assert_eq!(both[1].kind, event("404 Page Not Found", &[("path", "/gone")], 0, true));
        assert_eq!((both[1].status, both[1].event_id.as_str()), (None, "7.404"));
        assert_eq!(hits(r#"{"url":"https://a.test/","data":{"status":"500"}}"#).len(), 1);
        assert_eq!(hits(r#"{"url":"https://a.test/","event":"x","data":{"status":"404"}}"#).len(), 1);
    }

    #[test]
    fn fragments_are_part_of_the_path_where_the_tag_says_so() {
        for (url, wanted) in [
            ("https://a.test/app?x=1#/users", "https://a.test/app%23/users?x=1"),
            ("https://a.test/app?x=1#/users?y=2", "https://a.test/app%23/users?x=1&y=2"),
            ("https://a.test#b#c", "https://a.test/%23b%23c?"),
            ("https://a.test/#", "https://a.test/#"),
            ("https://a.test/x?y", "https://a.test/x?y"),
        ] {
            assert_eq!(with_fragment_in_path(url), wanted);
            let hits = hits(&format!("{{\"url\":\"{url}\",\"data\":{{\"hash\":\"\"}}}}"));
            assert_eq!(hits[0].url, wanted);
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for body in [
            "",
            "[]",
            "7",
            r#"{"url":7}"#,
            r#"{"event":{}}"#,
            r#"{"meta":"x"}"#,
            r#"{"data":[]}"#,
            r#"{"data":{"site":7}}"#,
            r#"{"data":{"status":"x"}}"#,
            r#"{"duration":-1}"#,
            r#"{"outbound":"javascript:alert(1)"}"#,
            r#"{"outbound":""}"#,
            r#"{"downloads":"/f.zip"}"#,
        ] {
            assert!(Report::read(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(hits(r#"{"url":"https://a.test/","data":{"status":" "}}"#)[0].status, None);
        assert_eq!(hits(r#"{"width":1e9,"title":null,"other":[{}]}"#)[0].screen_width, 0);
    }
}
