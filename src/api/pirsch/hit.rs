//! A tracking call's body -> `Hit`. Strict about the types of the fields it knows, blind to those it does not;
//! `null`, `""` and `0` are absent.

use std::borrow::Cow;

use hitstone_engine::units::TimestampMs;

use crate::api::browser::Browser;
use crate::api::json::Json;
use crate::api::pairs::{self, Lists};
use crate::api::pirsch::error::ApiError;
use crate::enrich::client_ip::{self, BodyAddresses};
use crate::hit::{BotFilter, Campaign, ClientHints, CustomEvent, Hit, HitKind, TIME_AHEAD_MS_MAX, TIME_MIN};

/// What the hits of this interface call their source.
const SOURCE: &str = "pirsch";
/// What stands before a tag's key in a query.
const TAG: &str = "tag_";

/// The call that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `/hit`
    Hit,
    /// `/event`
    Event,
    /// `/session`
    Session,
}

/// The fields of a body, each as sent; what is absent is empty.
#[derive(Default)]
struct Fields<'a> {
    url: Cow<'a, str>,
    ip: Cow<'a, str>,
    cf_connecting_ip: Cow<'a, str>,
    x_forwarded_for: Cow<'a, str>,
    forwarded: Cow<'a, str>,
    x_real_ip: Cow<'a, str>,
    dnt: Cow<'a, str>,
    user_agent: Cow<'a, str>,
    accept_language: Cow<'a, str>,
    referrer: Cow<'a, str>,
    title: Cow<'a, str>,
    event_name: Cow<'a, str>,
    time: Cow<'a, str>,
    event_id: Cow<'a, str>,
    hints: ClientHints,
    screen_width: u32,
    event_duration: u32,
    event_meta: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    disable_bot_filter: bool,
    non_interactive: bool,
}

/// Reads one call's body. `time_required`: it is an item of a batch.
///
/// # Errors
/// 400, with the field at fault.
pub fn read(call: Call, body: Json<'_>, now: TimestampMs, time_required: bool) -> Result<Hit, ApiError> {
    let fields = Fields::of(body)?;
    fields.check_url(call)?;
    require("ip", &fields.ip)?;
    require("user_agent", &fields.user_agent)?;
    if time_required {
        require("time", &fields.time)?;
    }
    let browser = fields.browser()?;
    let time = time(&fields.time, now)?;
    let bot_filter = if fields.disable_bot_filter { BotFilter::None } else { BotFilter::All };
    Ok(Hit { time, bot_filter, ..fields.into_hit(call, browser)? })
}

/// Reads the body of a browser's call. Who calls and when is what the request itself shows: anyone may send one.
///
/// # Errors
/// 400, with the field at fault.
pub fn read_from(browser: Browser, call: Call, body: Json<'_>) -> Result<Hit, ApiError> {
    let fields = Fields::of(body)?;
    fields.check_url(call)?;
    fields.into_hit(call, browser)
}

/// Reads the query of a browser's call, in which some fields have short names, too. What is no text is JSON there.
///
/// # Errors
/// 400, with the field at fault.
pub fn read_query<'a>(
    browser: Browser,
    call: Call,
    query: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
) -> Result<Hit, ApiError> {
    let mut fields = Fields::default();
    for (name, value) in query {
        match &*name {
            "url" => fields.url = value,
            "t" | "title" => fields.title = value,
            "ref" | "referrer" => fields.referrer = value,
            // A browser cannot mend the width of its screen.
            "w" | "screen_width" => fields.screen_width = value.parse::<u16>().unwrap_or(0).into(),
            "event_name" => fields.event_name = value,
            "event_id" => fields.event_id = value,
            "event_duration" => fields.event_duration = whole(&name, said(&name, &value)?, i32::MAX as u32)?,
            "event_meta" => fields.event_meta = pairs(&name, said(&name, &value)?)?,
            "non_interactive" => fields.non_interactive = switch(&name, said(&name, &value)?)?,
            _ => fields.tags.extend(name.strip_prefix(TAG).map(|key| (key.to_owned(), value.into_owned()))),
        }
    }
    fields.check_url(call)?;
    fields.into_hit(call, browser)
}

impl<'a> Fields<'a> {
    fn of(body: Json<'a>) -> Result<Self, ApiError> {
        let Json::Object(members) = body else {
            return Err(ApiError::bad("expected a JSON object"));
        };
        let mut fields = Self::default();
        for (name, value) in members {
            fields.take(&name, value)?;
        }
        Ok(fields)
    }

    fn take(&mut self, name: &str, value: Json<'a>) -> Result<(), ApiError> {
        match name {
            "url" => self.url = text(name, value)?,
            "ip" => self.ip = text(name, value)?,
            "cf_connecting_ip" => self.cf_connecting_ip = text(name, value)?,
            "x_forwarded_for" => self.x_forwarded_for = text(name, value)?,
            "forwarded" => self.forwarded = text(name, value)?,
            "x_real_ip" => self.x_real_ip = text(name, value)?,
            "dnt" => self.dnt = text(name, value)?,
            "user_agent" => self.user_agent = text(name, value)?,
            "accept_language" => self.accept_language = text(name, value)?,
            "referrer" => self.referrer = text(name, value)?,
            "title" => self.title = text(name, value)?,
            "event_name" => self.event_name = text(name, value)?,
            "time" => self.time = text(name, value)?,
            "event_id" => self.event_id = text(name, value)?,
            "screen_width" => self.screen_width = whole(name, value, u16::MAX.into())?,
            "screen_height" => drop(whole(name, value, u16::MAX.into())?),
            "event_duration" => self.event_duration = whole(name, value, i32::MAX as u32)?,
            "event_meta" => self.event_meta = pairs(name, value)?,
            "tags" => self.tags = pairs(name, value)?,
            "disable_bot_filter" => self.disable_bot_filter = switch(name, value)?,
            "non_interactive" => self.non_interactive = switch(name, value)?,
            _ => self.take_hint(name, value)?,
        }
        Ok(())
    }

    fn take_hint(&mut self, name: &str, value: Json<'a>) -> Result<(), ApiError> {
        let hint = match name {
            "sec_ch_ua" => &mut self.hints.ua,
            "sec_ch_ua_mobile" => &mut self.hints.mobile,
            "sec_ch_ua_platform" => &mut self.hints.platform,
            "sec_ch_ua_platform_version" => &mut self.hints.platform_version,
            "sec_ch_width" => &mut self.hints.width,
            "sec_ch_viewport_width" => &mut self.hints.viewport_width,
            _ => return Ok(()),
        };
        *hint = text(name, value)?.into_owned();
        Ok(())
    }

    fn check_url(&self, call: Call) -> Result<(), ApiError> {
        if call == Call::Session { Ok(()) } else { require("url", &self.url) }
    }

    /// The browser that a backend passes on.
    fn browser(&self) -> Result<Browser, ApiError> {
        let ip = client_ip::from_body(&BodyAddresses {
            ip: &self.ip,
            cf_connecting_ip: &self.cf_connecting_ip,
            x_forwarded_for: &self.x_forwarded_for,
            forwarded: &self.forwarded,
            x_real_ip: &self.x_real_ip,
        });
        Ok(Browser {
            ip: ip.ok_or_else(|| ApiError::field("ip", "is not an IP address"))?,
            user_agent: self.user_agent.to_string(),
            accept_language: self.accept_language.to_string(),
            hints: self.hints.clone(),
            dnt: self.dnt.trim() == "1",
            prefetch: false,
        })
    }

    fn into_hit(self, call: Call, browser: Browser) -> Result<Hit, ApiError> {
        let kind = match call {
            Call::Hit => HitKind::PageView,
            Call::Session => HitKind::KeepAlive,
            Call::Event => {
                require("event_name", self.event_name.trim())?;
                HitKind::Event(CustomEvent {
                    name: self.event_name.trim().to_owned(),
                    duration: self.event_duration,
                    meta: self.event_meta,
                    non_interactive: self.non_interactive,
                })
            }
        };
        let Browser { ip, user_agent, accept_language, hints, dnt, prefetch } = browser;
        Ok(Hit {
            kind,
            url: self.url.into_owned(),
            ip,
            user_agent,
            accept_language,
            referrer: self.referrer.into_owned(),
            campaign: Campaign::default(),
            title: self.title.into_owned(),
            screen_width: self.screen_width,
            hints,
            dnt,
            prefetch,
            tags: self.tags,
            time: None,
            bot_filter: BotFilter::All,
            disable_host_check: false,
            status: None,
            event_id: self.event_id.into_owned(),
            given_visitor: None,
            source: SOURCE,
        })
    }
}

/// What a query says that is no text; nothing is absent.
fn said<'v>(name: &str, value: &'v str) -> Result<Json<'v>, ApiError> {
    if value.is_empty() {
        return Ok(Json::Null);
    }
    Json::parse(value.as_bytes()).map_err(|error| ApiError::field(name, error.to_string()))
}

fn require(name: &str, value: &str) -> Result<(), ApiError> {
    if value.is_empty() { Err(ApiError::field(name, "is required")) } else { Ok(()) }
}

fn text<'a>(name: &str, value: Json<'a>) -> Result<Cow<'a, str>, ApiError> {
    match value {
        Json::Text(text) => Ok(text),
        Json::Null => Ok(Cow::Borrowed("")),
        _ => Err(ApiError::field(name, "must be a string")),
    }
}

fn switch(name: &str, value: Json<'_>) -> Result<bool, ApiError> {
    match value {
        Json::Bool(value) => Ok(value),
        Json::Null => Ok(false),
        _ => Err(ApiError::field(name, "must be true or false")),
    }
}

fn whole(name: &str, value: Json<'_>, most: u32) -> Result<u32, ApiError> {
    let number = match value {
        Json::Null => Some(0),
        Json::Number(number) => number.as_whole().and_then(|number| u32::try_from(number).ok()),
        _ => None,
    };
    number
        .filter(|number| *number <= most)
        .ok_or_else(|| ApiError::field(name, format!("must be a whole number from 0 to {most}")))
}

fn time(text: &str, now: TimestampMs) -> Result<Option<TimestampMs>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let stamp = rfc3339(text)
        .ok_or_else(|| ApiError::field("time", "must be RFC 3339, such as 2026-06-10T12:00:00Z"))?;
    let time = stamp.as_millisecond();
    if time < TIME_MIN {
        return Err(ApiError::field("time", "must not be before the year 2000"));
    }
    if time > now + TIME_AHEAD_MS_MAX {
        return Err(ApiError::field("time", "must not be more than 24 hours ahead"));
    }
    Ok(Some(time))
}

/// RFC 3339 and nothing looser: the parser alone would take basic ISO 8601, times without seconds and zones' names.
pub fn rfc3339(text: &str) -> Option<jiff::Timestamp> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let (stem, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = stem.bytes().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        other => byte == *other,
    });
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|digit: char| digit.is_ascii_digit()),
        None => rest,
    };
    let offset = |zone: &str| zone.len() == 6 && zone.starts_with(['+', '-']) && zone.as_bytes()[3] == b':';
    if !fits || !(matches!(zone, "Z" | "z") || offset(zone)) {
        return None;
    }
    text.parse().ok()
}

/// Metadata or tags.
fn pairs(name: &str, value: Json<'_>) -> Result<Vec<(String, String)>, ApiError> {
    pairs::flatten(value, Lists::Refused).map_err(|message| ApiError::field(name, message))
}

#[cfg(test)]
mod tests;
