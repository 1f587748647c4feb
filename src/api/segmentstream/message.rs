//! A message -> `Hit`. What is optional and of a wrong type counts as absent; what is personal is read over.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use hitstone_engine::units::TimestampMs;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::api::browser::Browser;
use crate::api::json::{self, Json};
use crate::api::pairs::{self, Lists};
use crate::api::refused::Refused;
use crate::enrich::client_ip;
use crate::enrich::url::PageUrl;
use crate::hit::{
    BotFilter, Campaign, ClientHints, CustomEvent, GivenKind, GivenVisitor, Hit, HitKind, TIME_AHEAD_MS_MAX,
    TIME_MIN,
};

use super::personal;

/// What the hits of this interface call their source.
const SOURCE: &str = "segmentstream";
/// The event that is a page view.
const PAGE_VIEW: &str = "Viewed Page";
/// Members of an event that are no metadata of it.
const NO_METADATA: [&str; 3] = ["name", "user", "nonInteraction"];
/// Where an event tells its own page.
const EVENT_PAGE: [&str; 2] = ["event", "page"];
/// Where messages tell the page that they come from.
const CONTEXT_PAGE: [&str; 2] = ["context", "page"];

/// Who sends a message.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// A backend with a token: what it says of its visitor's address is believed.
    Backend {
        /// What its own request shows.
        browser: &'a Browser,
        /// Programs are left out all the same, by the user agent that it names.
        filters_bots: bool,
    },
    /// The script in a page.
    Page(&'a Browser),
}

/// Reads a message.
///
/// # Errors
/// 400: there is no event in it, or nobody who did it.
pub fn read(message: Json<'_>, sender: &Sender<'_>, now: TimestampMs) -> Result<Hit, Refused> {
    if !matches!(message, Json::Object(_)) {
        return Err(Refused::bad("expected a JSON object"));
    }
    let is_page = matches!(sender, Sender::Page(_));
    let given_visitor = given_visitor(&message);
    let (browser, bot_filter) = match sender {
        Sender::Page(browser) => ((*browser).clone(), BotFilter::All),
        Sender::Backend { browser, filters_bots } => {
            let agent = text(&message, &["context", "userAgent"]);
            if given_visitor.is_none() && (agent.is_empty() || text(&message, &["context", "ip"]).is_empty())
            {
                return Err(Refused::bad(
                    "the event is nobody's: event.user.userId or anonymousId is required, or context.ip and userAgent",
                ));
            }
            // Where no user agent is named there is only the backend's own, which is always a program's.
            let filters_bots = *filters_bots && !agent.is_empty();
            let bot_filter = if filters_bots { BotFilter::All } else { BotFilter::None };
            (behind_backend(browser, &message), bot_filter)
        }
    };
    let Browser { ip, user_agent, accept_language, hints, dnt, prefetch } = browser;
    let page = |name: &str, is_one: fn(&str) -> bool| {
        let texts = [EVENT_PAGE, CONTEXT_PAGE].map(|[first, second]| text(&message, &[first, second, name]));
        texts.into_iter().find(|text| is_one(text)).unwrap_or_default().to_owned()
    };
    let is_said = |text: &str| !text.is_empty();
    let (address, said, title) = (page("url", is_address), page("url", is_said), page("title", is_said));
    // Without an address it is no page that could be counted, but something that happened all the same.
    let is_page_view = text(&message, &["event", "name"]) == PAGE_VIEW && !said.is_empty();
    // Only a page view cannot do without: what is said there instead is refused later on.
    let url = if is_page_view && address.is_empty() { said } else { address };
    Ok(Hit {
        ip,
        user_agent,
        accept_language,
        referrer: text(&message, &["context", "page", "referrer"]).to_owned(),
        campaign: campaign(&message),
        title,
        screen_width: screen_width(&message),
        hints,
        dnt,
        prefetch,
        tags: Vec::new(),
        // Anyone may post as a page: who it is and when it was is what the request itself shows.
        time: if is_page { None } else { time(text(&message, &["sentAt"]), now) },
        bot_filter,
        disable_host_check: !is_page,
        status: None,
        event_id: id(&message, &["hitId"]).into_owned(),
        given_visitor,
        source: SOURCE,
        url,
        kind: kind(message, is_page_view)?,
    })
}

/// Whether it is a page's address, perhaps without the host. That of a file is none.
fn is_address(text: &str) -> bool {
    if text.starts_with('/') && !text.starts_with("//") {
        // The site's host comes before it, and has at most 253 characters.
        return PageUrl::parse(&format!("https://{:a<253}{text}", "")).is_ok();
    }
    PageUrl::parse(text).is_ok()
}

/// The browser that a backend tells of.
fn behind_backend(own: &Browser, message: &Json<'_>) -> Browser {
    let said = |name: &str| text(message, &["context", name]);
    let or = |said: &str, own: &str| if said.is_empty() { own.to_owned() } else { said.to_owned() };
    Browser {
        ip: match said("ip") {
            "" => own.ip,
            // The place of what is no address is unknown; it is not the backend's.
            ip => client_ip::parse_address(ip).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        },
        user_agent: or(said("userAgent"), &own.user_agent),
        accept_language: or(said("locale"), &own.accept_language),
        hints: ClientHints::default(),
        dnt: false,
        prefetch: false,
    }
}

fn kind(message: Json<'_>, is_page_view: bool) -> Result<HitKind, Refused> {
    let Some(Json::Object(mut event)) = message.into_member("event") else {
        return Err(Refused::bad("event is required and must be an object"));
    };
    let said = |name: &str| json::member(&event, name);
    let name = said("name").map_or("", Json::text).to_owned();
    if name.is_empty() {
        return Err(Refused::bad("event.name is required"));
    }
    if is_page_view {
        return Ok(HitKind::PageView);
    }
    let non_interactive = said("nonInteraction") == Some(&Json::Bool(true));
    event.retain(|(name, _)| !NO_METADATA.contains(&&**name));
    let meta = pairs::flatten(Json::Object(personal::without(event)), Lists::AsText);
    let meta = meta.map_err(|what| Refused::bad(format!("event: {what}")))?;
    Ok(HitKind::Event(CustomEvent { name, duration: 0, meta, non_interactive }))
}

/// The visitor that the message names, in one of the places that the documentation and the script know.
fn given_visitor(message: &Json<'_>) -> Option<GivenVisitor> {
    let given = |kind, name| {
        let places: [&[&str]; 3] = [&["event", "user", name], &["user", name], &[name]];
        places.into_iter().find_map(|place| GivenVisitor::new(kind, &id(message, place)))
    };
    given(GivenKind::User, "userId").or_else(|| given(GivenKind::Anonymous, "anonymousId"))
}

fn campaign(message: &Json<'_>) -> Campaign {
    let said = |name| text(message, &["context", "campaign", name]).to_owned();
    Campaign {
        source: said("source"),
        medium: said("medium"),
        campaign: said("name"),
        content: said("content"),
        term: said("term"),
    }
}

fn screen_width(message: &Json<'_>) -> u32 {
    let Some(Json::Number(width)) = message.at(&["context", "screenWidth"]) else { return 0 };
    width.as_whole().and_then(|width| u16::try_from(width).ok()).unwrap_or(0).into()
}

/// The time that ISO 8601 tells, in UTC where it tells no zone; the server's where it cannot be right.
fn time(text: &str, now: TimestampMs) -> Option<TimestampMs> {
    let in_utc = || Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(in_utc)?.as_millisecond();
    (TIME_MIN..=now.saturating_add(TIME_AHEAD_MS_MAX)).contains(&time).then_some(time)
}

/// The text at a place, trimmed; empty when there is none.
fn text<'j>(message: &'j Json<'_>, path: &[&str]) -> &'j str {
    message.at(path).map_or("", Json::text)
}

/// As [`text`]; some number what they name.
fn id<'j>(message: &'j Json<'_>, path: &[&str]) -> Cow<'j, str> {
    match message.at(path) {
        Some(Json::Number(number)) => Cow::Owned(number.to_string()),
        other => Cow::Borrowed(other.map_or("", Json::text)),
    }
}

#[cfg(test)]
mod tests;
