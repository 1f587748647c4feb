//! A line with the fields of Pirsch's `hit` or `event` call and `time`: as if it had been sent then.

use hitstone_engine::event::Event;
use hitstone_engine::schema::Column;
use hitstone_engine::units::TimestampMs;

use crate::api::pirsch::hit::{self, Call};
use crate::api::pirsch::json::Json;
use crate::app::App;
use crate::enrich::{EnrichError, Outcome};
use crate::import::FileFault;
use crate::sites::LiveSite;

/// What the column `source` says of events that come from files.
pub(super) const SOURCE: &str = "import";

/// The event of a line; the inner error says why the line is refused.
pub(super) fn read(
    line: &[u8],
    app: &App,
    site: &LiveSite,
    now: TimestampMs,
) -> Result<Result<Event, String>, FileFault> {
    let hit = match parse(line, now) {
        Ok(hit) => hit,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut hit = hit;
    hit::complete_url(&mut hit, &site.hostname);
    match app.enrich_hit(&hit, site, now) {
        Ok(Outcome::Event(mut event)) => {
            event.texts.set(Column::Source, SOURCE);
            Ok(Ok(event))
        }
        Ok(Outcome::LeftOut(reason)) => Ok(Err(reason.as_str().to_owned())),
        Err(EnrichError::Refused(refusal)) => Ok(Err(format!("{}: {}", refusal.field, refusal.message))),
        Err(EnrichError::Storage(error)) => Err(FileFault::Failed(error.to_string())),
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
