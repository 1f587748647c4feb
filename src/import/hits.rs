//! Lines that take the ordinary way of hits: those with the fields of Pirsch's `hit` or `event` call and `time`, as if they
//! had been sent then, and those of access logs.

use hitstone_engine::event::Event;
use hitstone_engine::schema::Column;
use hitstone_engine::units::TimestampMs;

use crate::api::json::Json;
use crate::api::pirsch::hit::{self, Call};
use crate::app::App;
use crate::enrich::{EnrichError, Outcome, Reason, Rejection};
use crate::import::{FileFault, access_log};
use crate::sites::LiveSite;

/// What the column `source` says of events that come from files.
pub(super) const SOURCE: &str = "import";

/// What a line brings.
pub(super) enum Found {
    Event(Box<Event>),
    /// Nothing that is counted, which is no fault; the word for the reason.
    Ignored(&'static str),
    /// Why it is refused.
    Refused(String),
}

/// The event of a line with the fields of a call.
pub(super) fn read(line: &[u8], app: &App, site: &LiveSite, now: TimestampMs) -> Result<Found, FileFault> {
    let mut hit = match parse(line, now) {
        Ok(hit) => hit,
        Err(reason) => return Ok(Found::Refused(reason)),
    };
    hit.complete_url(&site.hostname);
    match app.enrich_one(&hit, &site.context()) {
        Ok(Outcome::Event(mut event)) => {
            event.texts.set(Column::Source, SOURCE);
            Ok(Found::Event(Box::new(event)))
        }
        Ok(Outcome::LeftOut(rejection)) => Ok(Found::Refused(in_words(rejection, &site.hostname))),
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
        access_log::Line::Ignored(reason) => return Ok(Found::Ignored(reason.as_str())),
        access_log::Line::Rejected(why) => return Ok(Found::Refused(why.to_owned())),
    };
    match app.enrich_one(&view.into_hit(&site.hostname), &site.context()) {
        Ok(Outcome::Event(event)) => Ok(Found::Event(Box::new(event))),
        Ok(Outcome::LeftOut(rejection)) => Ok(Found::Ignored(rejection.reason.as_str())),
        Err(error) => refused(error),
    }
}

/// Why a hit is left out, named by what of it is the reason.
fn in_words(rejection: Rejection, hostname: &str) -> String {
    match rejection.reason {
        Reason::Dnt => "dnt: the visitor asked not to be tracked".to_owned(),
        Reason::Prefetch => "prefetch: the browser fetched the page before anyone asked for it".to_owned(),
        Reason::Bot if matches!(rejection.detail, "address" | "data-centre") => {
            format!("ip: it is that of a bot, or of another program ({})", rejection.detail)
        }
        Reason::Bot => "user_agent: it is a bot's, or another program's".to_owned(),
        Reason::Hostname => format!("hostname: the page is of another site than {hostname}"),
        Reason::Spam => "referrer: it is spam".to_owned(),
        Reason::Filter => format!("{}: a filter of the site leaves it out", rejection.detail),
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
    if is_enriched(&body) {
        return Err("it is an enriched row, not a hit: --format enriched takes those".to_owned());
    }
    let is_event = matches!(&body, Json::Object(members) if members.iter().any(|(name, value)| {
        name == "event_name" && !matches!(value, Json::Null) && !matches!(value, Json::Text(text) if text.is_empty())
    }));
    let call = if is_event { Call::Event } else { Call::Hit };
    hit::read(call, body, now, true).map_err(|error| error.error.join("; "))
}

/// Whether a line has what no hit has and each enriched row must have.
fn is_enriched(body: &Json<'_>) -> bool {
    let Json::Object(members) = body else { return false };
    let has = |wanted: &str| members.iter().any(|(name, _)| name == wanted);
    has("kind") && has("visitor_id") && !has("url")
}
