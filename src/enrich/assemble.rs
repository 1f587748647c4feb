//! Puts an event together: checks what the sender can mend, cuts what is merely long.
//!
//! It knows nothing of who the visitor is or why a hit might be left out.

use std::borrow::Cow;
use std::sync::Arc;

use hitstone_engine::event::{Event, Kind, Texts, encode_pairs};
use hitstone_engine::schema::Column;
use hitstone_engine::units::TimestampMs;

use crate::hit::{CustomEvent, Hit, HitKind, TIME_AHEAD_MS_MAX, TIME_MIN};

use super::channel::{self, Origin};
use super::client::Client;
use super::geo::Place;
use super::referrer::{self, Referrer};
use super::url::PageUrl;
use super::visitor::Visitor;
use super::{Refusal, SiteContext, language, screen};

/// Characters of an event's name.
const EVENT_NAME_CHARS_MAX: usize = 200;
/// Characters of a sender's id of an event.
const EVENT_ID_CHARS_MAX: usize = 200;
/// Characters of a campaign's parameter.
const UTM_CHARS_MAX: usize = 500;
/// Characters of a host name; DNS has no longer ones.
const HOSTNAME_CHARS_MAX: usize = 253;

/// Interfaces on which an event may overtake the view of its page: browsers send both by themselves, and in no order.
const EVENTS_OVERTAKE: [&str; 2] = ["prisme", "script"];

/// Bounds of pairs: metadata or tags.
struct PairLimits {
    field: &'static str,
    pairs_max: usize,
    key_chars_max: usize,
    value_chars_max: usize,
}

const META: PairLimits =
    PairLimits { field: "event_meta", pairs_max: 100, key_chars_max: 100, value_chars_max: 2000 };
const TAGS: PairLimits = PairLimits { field: "tags", pairs_max: 20, key_chars_max: 50, value_chars_max: 50 };

/// Characters that a column takes; more are cut. `None`: what is set there is short by itself or checked before.
fn chars_max(column: Column) -> Option<usize> {
    match column {
        Column::Path => Some(2000),
        Column::Title => Some(512),
        Column::Referrer | Column::ReferrerName => Some(200),
        Column::Os | Column::OsVersion | Column::Browser | Column::BrowserVersion => Some(20),
        Column::Language => Some(10),
        Column::Hostname => Some(HOSTNAME_CHARS_MAX),
        Column::EventId => Some(EVENT_ID_CHARS_MAX),
        Column::UtmSource
        | Column::UtmMedium
        | Column::UtmCampaign
        | Column::UtmContent
        | Column::UtmTerm
        | Column::Region
        | Column::City => Some(UTM_CHARS_MAX),
        _ => None,
    }
}

/// A hit that its sender need not mend.
pub struct Checked {
    /// The page, when the hit has one.
    pub page: Option<PageUrl>,
    /// When it happened.
    pub time: TimestampMs,
}

/// What was found out about the visitor.
pub struct Found {
    /// Browser, system and device.
    pub client: Arc<Client>,
    /// Where the visitor is.
    pub place: Place,
    /// Who the visitor is.
    pub visitor: Visitor,
    /// When the server took the hit, when that is not its time.
    pub received: Option<TimestampMs>,
}

/// Checks everything that a sender can do wrong.
pub fn check(hit: &Hit, now: TimestampMs) -> Result<Checked, Refusal> {
    let page = if hit.url.trim().is_empty() {
        if hit.kind == HitKind::PageView {
            return Err(Refusal::new("url", "a page view needs the page's URL"));
        }
        None
    } else {
        Some(PageUrl::parse(&hit.url).map_err(|bad| Refusal::new("url", bad.to_string()))?)
    };
    check_pairs(&TAGS, &hit.tags)?;
    if let HitKind::Event(event) = &hit.kind {
        check_event_name(&event.name)?;
        check_pairs(&META, &event.meta)?;
    }
    Ok(Checked { page, time: checked_time(hit.time, now)? })
}

fn checked_time(time: Option<TimestampMs>, now: TimestampMs) -> Result<TimestampMs, Refusal> {
    match time {
        Some(time) if time < TIME_MIN => Err(Refusal::new("time", "before the year 2000")),
        Some(time) if time > now.saturating_add(TIME_AHEAD_MS_MAX) => {
            Err(Refusal::new("time", "more than 24 hours ahead"))
        }
        given => Ok(given.unwrap_or(now)),
    }
}

/// The text trimmed and without control characters.
fn plain(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().filter(|char| !char.is_control()).collect();
    Cow::Owned(kept.trim().to_owned())
}

fn check_event_name(name: &str) -> Result<(), Refusal> {
    let name = plain(name);
    if name.is_empty() {
        return Err(Refusal::new("event_name", "an event needs a name"));
    }
    if name.chars().count() > EVENT_NAME_CHARS_MAX {
        return Err(Refusal::new("event_name", format!("longer than {EVENT_NAME_CHARS_MAX} characters")));
    }
    Ok(())
}

fn check_pairs(limits: &PairLimits, pairs: &[(String, String)]) -> Result<(), Refusal> {
    if pairs.len() > limits.pairs_max {
        return Err(Refusal::new(limits.field, format!("more than {} pairs", limits.pairs_max)));
    }
    if pairs.iter().any(|(key, _)| key.trim().chars().count() > limits.key_chars_max) {
        let message = format!("a key is longer than {} characters", limits.key_chars_max);
        return Err(Refusal::new(limits.field, message));
    }
    Ok(())
}

/// The event of a hit.
pub fn event(hit: &Hit, site: &SiteContext<'_>, checked: &Checked, found: &Found) -> Event {
    let custom = match &hit.kind {
        HitKind::Event(custom) => Some(custom),
        HitKind::PageView | HitKind::KeepAlive => None,
    };
    Event {
        site: site.id,
        time: checked.time,
        received: found.received,
        kind: match hit.kind {
            HitKind::PageView => Kind::PageView,
            HitKind::Event(_) => Kind::Event,
            HitKind::KeepAlive => Kind::Ping,
        },
        visitor: found.visitor.id,
        previous_visitor: found.visitor.previous,
        user_key: found.visitor.user_key,
        event_duration: custom.map(|custom| custom.duration).filter(|seconds| *seconds > 0),
        non_interactive: custom.is_some_and(|custom| custom.non_interactive),
        may_be_assumed: hit.kind == HitKind::PageView && EVENTS_OVERTAKE.contains(&hit.source),
        status: hit.status,
        texts: texts(hit, site, checked.page.as_ref(), found, custom),
    }
}

fn texts(
    hit: &Hit,
    site: &SiteContext<'_>,
    page: Option<&PageUrl>,
    found: &Found,
    custom: Option<&CustomEvent>,
) -> Texts {
    let mut texts = Texts::new();
    set_origin(&mut texts, hit, site, page);
    set_client(&mut texts, hit, found);
    if let Some(page) = page {
        set(&mut texts, Column::Hostname, &page.host);
        set(&mut texts, Column::Path, &page.path);
        set(&mut texts, Column::Title, hit.title.trim());
    }
    if let Some(custom) = custom {
        set(&mut texts, Column::EventName, &plain(&custom.name));
        set(&mut texts, Column::EventMeta, &encoded(&META, &custom.meta));
    }
    set(&mut texts, Column::Tags, &encoded(&TAGS, &hit.tags));
    if site.keep_event_id {
        set(&mut texts, Column::EventId, &hit.event_id);
    }
    set(&mut texts, Column::Source, hit.source);
    texts
}

/// Referrer, campaign and channel.
fn set_origin(texts: &mut Texts, hit: &Hit, site: &SiteContext<'_>, page: Option<&PageUrl>) {
    // A page of another host is the site's when its sender's origin is: from that host, too, nobody comes from outside.
    let is_own = |host: &str| site.owns_host(host) || page.is_some_and(|page| page.host == host);
    // A body's field is what the sender says; other interfaces pass on what the browser's header says.
    let (explicit, header) =
        if hit.source == "pirsch" { (hit.referrer.as_str(), "") } else { ("", hit.referrer.as_str()) };
    let Referrer { url, name } = referrer::of(explicit, header, page, &is_own);
    let parameter = |key: &str| page.map_or("", |page| page.parameter(key));
    let click = match name.as_str() {
        "Google" if !parameter("gclid").is_empty() => "(gclid)",
        "Bing" if !parameter("msclkid").is_empty() => "(msclkid)",
        _ => "",
    };
    let said = |said, key: &str| first_filled(said, parameter(key));
    // Prisme takes `ref` for the source where there is none.
    let source = match said(&hit.campaign.source, "utm_source") {
        "" if hit.source == "prisme" => parameter("ref"),
        source => source,
    };
    let medium = first_filled(said(&hit.campaign.medium, "utm_medium"), click);
    let origin = Origin {
        referrer: &url,
        referrer_name: &name,
        utm_source: source,
        utm_medium: medium,
        utm_campaign: said(&hit.campaign.campaign, "utm_campaign"),
        ad_click: !click.is_empty(),
    };
    set(texts, Column::Channel, channel::of(&origin));
    set(texts, Column::UtmSource, origin.utm_source);
    set(texts, Column::UtmMedium, medium);
    set(texts, Column::UtmCampaign, origin.utm_campaign);
    set(texts, Column::UtmContent, said(&hit.campaign.content, "utm_content"));
    set(texts, Column::UtmTerm, said(&hit.campaign.term, "utm_term"));
    set(texts, Column::Referrer, &url);
    set(texts, Column::ReferrerName, &name);
}

fn first_filled<'a>(first: &'a str, second: &'a str) -> &'a str {
    if first.is_empty() { second } else { first }
}

/// What is known of the client: language, place, system, browser, screen.
fn set_client(texts: &mut Texts, hit: &Hit, found: &Found) {
    let Found { client, place, .. } = found;
    let agent = &client.agent;
    set(texts, Column::Language, language::first(&hit.accept_language));
    set(texts, Column::Country, &place.country);
    set(texts, Column::Region, &place.region);
    set(texts, Column::City, &place.city);
    set(texts, Column::Os, &agent.os);
    set(texts, Column::OsVersion, &agent.os_version);
    set(texts, Column::Browser, &agent.browser);
    set(texts, Column::BrowserVersion, &agent.browser_version);
    set(texts, Column::Platform, agent.platform.as_str());
    let hinted = [&hit.hints.width, &hit.hints.viewport_width].map(|hint| screen::hinted_width(hint));
    let width = [hit.screen_width, hinted[0], hinted[1]].into_iter().find(|width| *width > 0).unwrap_or(0);
    set(texts, Column::ScreenClass, screen::class(width));
}

/// Pairs as the engine stores them: trimmed keys, no blank ones, values cut.
fn encoded(limits: &PairLimits, pairs: &[(String, String)]) -> String {
    let kept: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (key.trim(), cut(value, limits.value_chars_max)))
        .filter(|(key, value)| !key.is_empty() && !value.trim().is_empty())
        .collect();
    encode_pairs(&kept)
}

fn set(texts: &mut Texts, column: Column, text: &str) {
    let text = chars_max(column).map_or(text, |max| cut(text, max));
    if !text.is_empty() {
        texts.set(column, text);
    }
}

/// The first `chars_max` characters.
fn cut(text: &str, chars_max: usize) -> &str {
    if text.len() <= chars_max {
        return text;
    }
    text.char_indices().nth(chars_max).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}
