//! `Hit`: what any interface says about one request, before enrichment.

use std::net::IpAddr;

use hitstone_engine::units::{DAY_MS, TimestampMs};

/// 2000-01-01T00:00:00Z: nobody counted visits before.
pub const TIME_MIN: TimestampMs = 946_684_800_000;
/// How far a sender's clock may be ahead.
pub const TIME_AHEAD_MS_MAX: i64 = DAY_MS;

/// What the request reports.
#[derive(Debug, Clone, PartialEq)]
pub enum HitKind {
    /// A page was seen.
    PageView,
    /// A custom event happened.
    Event(CustomEvent),
    /// The session goes on.
    KeepAlive,
}

/// The part of a hit that only custom events have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CustomEvent {
    /// Trimmed, not empty.
    pub name: String,
    /// Seconds; 0 is absent.
    pub duration: u32,
    /// Flat pairs; nested objects are flattened to dotted keys before they come here.
    pub meta: Vec<(String, String)>,
    /// The event does not end a bounce.
    pub non_interactive: bool,
}

/// Client hints as the headers or body fields carry them; empty when absent.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "named after the headers")]
pub struct ClientHints {
    pub ua: String,
    pub mobile: String,
    pub platform: String,
    pub platform_version: String,
    pub width: String,
    pub viewport_width: String,
    /// Other headers of the request contradict each other as no browser's do. Only interfaces that see them can tell.
    pub contradictory: bool,
}

/// A campaign that the sender names beside the page's URL; empty where it does not.
#[derive(Debug, Clone, PartialEq, Default)]
#[allow(missing_docs, reason = "named after the parameters of URLs")]
pub struct Campaign {
    pub source: String,
    pub medium: String,
    pub campaign: String,
    pub content: String,
    pub term: String,
}

/// What kind of thing an id names that the site gave. Ids of different kinds never match. The numbers are hashed and
/// never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum GivenKind {
    /// A visitor, whatever the site means by that.
    Visitor = 1,
    /// A user who is logged in.
    User = 2,
    /// A browser or device whose user is not known.
    Anonymous = 3,
}

/// An id of the visitor that the site gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenVisitor {
    /// What it names.
    pub kind: GivenKind,
    /// As sent, not empty.
    pub id: String,
}

impl GivenVisitor {
    /// `None` for an empty id, which names nobody.
    pub fn new(kind: GivenKind, id: &str) -> Option<Self> {
        let id = id.trim();
        (!id.is_empty()).then(|| Self { kind, id: id.to_owned() })
    }
}

/// Which programs are left out, as far as the site has not switched that off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BotFilter {
    /// All that are known, and what is spam.
    #[default]
    All,
    /// As `All`, but not libraries, apps and what tells nothing of itself: backends and apps send by themselves here.
    Robots,
    /// Only those that addresses tell, and what is spam: whatever the sender calls itself.
    ByAddress,
    /// None, spam neither: the sender vouches for the client.
    None,
}

/// One request to count something, as its interface understood it. Texts are as sent; empty means absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Page view, event or keep-alive.
    pub kind: HitKind,
    /// The page's full URL, as sent; empty: no page.
    pub url: String,
    /// The client's address, already chosen among headers and peers.
    pub ip: IpAddr,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The `Accept-Language` header.
    pub accept_language: String,
    /// The referrer the sender names, else the `Referer` header.
    pub referrer: String,
    /// The campaign, where the sender names it; it wins over that of the URL.
    pub campaign: Campaign,
    /// The page's title.
    pub title: String,
    /// Width of the screen in pixels, 0 when unknown.
    pub screen_width: u32,
    /// Client hints.
    pub hints: ClientHints,
    /// The client asked not to be tracked.
    pub dnt: bool,
    /// The browser fetches the page before anyone has asked for it.
    pub prefetch: bool,
    /// Tags of the page view.
    pub tags: Vec<(String, String)>,
    /// When it happened, when the sender said so.
    pub time: Option<TimestampMs>,
    /// Which programs are left out.
    pub bot_filter: BotFilter,
    /// The page may be of any host, unless the site is strict: the sender's origin has been checked, or its credentials
    /// are one site's.
    pub disable_host_check: bool,
    /// HTTP status of the page, when said.
    pub status: Option<u16>,
    /// The sender's id of the event; empty when none.
    pub event_id: String,
    /// The id of the visitor that the site gave, if any.
    pub given_visitor: Option<GivenVisitor>,
    /// The interface: `pirsch`, `prisme`, ...
    pub source: &'static str,
}

impl Hit {
    /// Completes a URL that is a path only: what servers know of a request, and some of their clients send as it is.
    pub fn complete_url(&mut self, hostname: &str) {
        if self.url.starts_with('/') && !self.url.starts_with("//") {
            self.url.insert_str(0, &format!("https://{hostname}"));
        }
    }
}
