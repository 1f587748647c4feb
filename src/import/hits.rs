//! Lines that take the ordinary way of hits: those with the fields of Pirsch's `hit` or `event` call and `time`, as if they
//! had been sent then, and those of access logs.

use hitstone_engine::event::Event;
use hitstone_engine::schema::Column;
use hitstone_engine::units::TimestampMs;

use crate::api::json::Json;
use crate::api::pirsch::hit::{self, Call};
use crate::app::App;
use crate::enrich::{EnrichError, Outcome};
use crate::import::{FileFault, access_log};
use crate::sites::LiveSite;

/// What the column `source` says of events that come from files.
pub(super) const SOURCE: &str = "import";

/// What a line brings.
pub(super) enum Found {
    Event(Box<Event>),
    /// Nothing that is counted, which is no fault.
    Nothing,
    /// Why it is refused.
    Refused(String),
}

/// The event of a line with the fields of a call.
pub(super) fn read(line: &[u8], app: &App, site: &LiveSite, now: TimestampMs) -> Result<Found, FileFault> {
    let mut hit = match parse(line, now) {
        Ok(hit) => hit,
        Err(reason) => return Ok(Found::Refused(reason)),
    };
    hit::complete_url(&mut hit, &site.hostname);
    match app.enrich_one(&hit, &site.context()) {
        Ok(Outcome::Event(mut event)) => {
            event.texts.set(Column::Source, SOURCE);
            Ok(Found::Event(Box::new(event)))
        }
        Ok(Outcome::LeftOut(reason)) => Ok(Found::Refused(reason.as_str().to_owned())),
        Err(error) => refused(error),
    }
}

/// The page view of a line of an access log, of which much is not counted.
pub(super) fn read_log(
    format: access_log::Format,
    line: &[u8],
    app: &App,
    site: &LiveSite,
) -> Result<Found, FileFault> {
    let view = match format.read(line) {
        access_log::Line::View(view) => view,
        access_log::Line::Ignored(_) => return Ok(Found::Nothing),
        access_log::Line::Rejected(why) => return Ok(Found::Refused(why.to_owned())),
    };
    match app.enrich_one(&view.into_hit(&site.hostname), &site.context()) {
        Ok(Outcome::Event(event)) => Ok(Found::Event(Box::new(event))),
        Ok(Outcome::LeftOut(_)) => Ok(Found::Nothing),
        Err(error) => refused(error),
    }
}

fn refused(error: EnrichError) -> Result<Found, FileFault> {
    match error {
        EnrichError::Refused(refusal) => {
            Ok(Found::Refused(format!("{}: {}", refusal.field, refusal.message)))
        }
        EnrichError::Storage(error) => Err(FileFault::Failed(error.to_string())),
    }
}

fn parse(line: &[u8], now: TimestampMs) -> Result<crate::hit::Hit, String> {
    let body = super::enriched::json(line)?;
    let is_event = matches!(&body, Json::Object(members) if members.iter().any(|(name, value)| {
        name == "event_name" && !matches!(value, Json::Null) && !matches!(value, Json::Text(text) if text.is_empty())
    }));
    let call = if is_event { Call::Event } else { Call::Hit };
    hit::read(call, body, now, true).map_err(|error| error.error.join("; "))
}
