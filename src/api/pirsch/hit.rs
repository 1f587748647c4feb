//! A tracking call's body -> `Hit`. Strict about the types of the fields it knows, blind to those it does not;
//! `null`, `""` and `0` are absent.

use std::borrow::Cow;

use hitstone_engine::units::{DAY_MS, TimestampMs};

use crate::api::json::Json;
use crate::api::pairs::{self, Lists};
use crate::api::pirsch::error::ApiError;

use crate::enrich::client_ip::{self, BodyAddresses};
use crate::hit::{ClientHints, CustomEvent, Hit, HitKind};

/// What the hits of this interface call their source.
const SOURCE: &str = "pirsch";
/// Nothing happened before 2000-01-01.
const TIME_MIN: TimestampMs = 946_684_800_000;
/// Senders' clocks may run this far ahead.
const AHEAD_MS_MAX: i64 = DAY_MS;

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
    let Json::Object(members) = body else {
        return Err(ApiError::bad("expected a JSON object"));
    };
    let mut fields = Fields::default();
    for (name, value) in members {
        fields.take(&name, value)?;
    }
    fields.into_hit(call, now, time_required)
}

/// Completes a URL that is a path only: what Go's servers know of a request, and its client sends as it is.
pub fn complete_url(hit: &mut Hit, hostname: &str) {
    if hit.url.starts_with('/') && !hit.url.starts_with("//") {
        hit.url.insert_str(0, &format!("https://{hostname}"));
    }
}

impl<'a> Fields<'a> {
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

    fn into_hit(self, call: Call, now: TimestampMs, time_required: bool) -> Result<Hit, ApiError> {
        if call != Call::Session {
            require("url", &self.url)?;
        }
        require("ip", &self.ip)?;
        require("user_agent", &self.user_agent)?;
        if time_required {
            require("time", &self.time)?;
        }
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
        let ip = client_ip::from_body(&BodyAddresses {
            ip: &self.ip,
            cf_connecting_ip: &self.cf_connecting_ip,
            x_forwarded_for: &self.x_forwarded_for,
            forwarded: &self.forwarded,
            x_real_ip: &self.x_real_ip,
        });
        Ok(Hit {
            kind,
            ip: ip.ok_or_else(|| ApiError::field("ip", "is not an IP address"))?,
            time: time(&self.time, now)?,
            url: self.url.into_owned(),
            user_agent: self.user_agent.into_owned(),
            accept_language: self.accept_language.into_owned(),
            referrer: self.referrer.into_owned(),
            title: self.title.into_owned(),
            screen_width: self.screen_width,
            hints: self.hints,
            dnt: self.dnt.trim() == "1",
            prefetch: false,
            tags: self.tags,
            disable_bot_filter: self.disable_bot_filter,
            status: None,
            event_id: self.event_id.into_owned(),
            given_visitor: None,
            source: SOURCE,
        })
    }
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
    if time > now + AHEAD_MS_MAX {
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
