//! Sessions as JSON: a list of them, and the page views and events of one.

use hitstone_engine::event::Kind;
use hitstone_engine::query::{RowDetail, SessionDetail, SessionRow};
use hitstone_engine::schema::Column;
use serde::ser::{Serialize, Serializer};

use crate::clock::rfc3339;
use crate::statistics::{Ask, Page, Question, sessions};

use super::super::filter::{Filter, Invalid};
use super::Refusal;

/// Page views and events of a session at most.
const DETAILS_MAX: usize = 1000;

/// Sessions, written as a list.
pub(super) struct SessionList(Vec<SessionRow>);

/// A session's page views and events, written as a list.
pub(super) struct Details(Option<SessionDetail>);

/// The latest sessions.
pub(super) fn list<A: Ask>(question: &Question<'_, A>) -> Result<SessionList, Refusal> {
    Ok(SessionList(sessions::latest(question)?))
}

/// What was seen and done in the session that the filter must name.
pub(super) fn details<A: Ask>(question: &Question<'_, A>, filter: &Filter) -> Result<Details, Refusal> {
    if filter.selection.session.is_none() {
        return Err(Invalid::new("visitor_id", "is required, beside session_id").into());
    }
    let limit = filter.limit.unwrap_or(DETAILS_MAX).min(DETAILS_MAX);
    let page = Page { offset: filter.offset, limit: Some(limit) };
    Ok(Details(sessions::one(&Question { page, ..*question })?))
}

impl Serialize for SessionList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(SessionBody::from))
    }
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rows = self.0.iter().flat_map(|detail| detail.rows.iter().map(|row| (&detail.session, row)));
        serializer.collect_seq(rows.map(|(session, row)| Step::new(session, row)))
    }
}

/// A line of the list.
#[derive(serde::Serialize)]
struct SessionBody<'a> {
    /// As a text: clients that read numbers as floating point would change it.
    visitor_id: String,
    session_id: u32,
    time: String,
    start: String,
    duration_seconds: u64,
    entry_path: &'a str,
    exit_path: &'a str,
    page_views: u32,
    is_bounce: bool,
    entry_title: &'a str,
    exit_title: &'a str,
    #[serde(flatten)]
    attributes: Attributes<'a>,
    extended: u32,
}

impl<'a> From<&'a SessionRow> for SessionBody<'a> {
    fn from(session: &'a SessionRow) -> Self {
        Self {
            visitor_id: session.visitor.0.to_string(),
            session_id: session.session.0,
            time: rfc3339(session.last),
            start: rfc3339(session.start),
            duration_seconds: session.duration_seconds(),
            entry_path: &session.entry.path,
            exit_path: &session.exit.path,
            page_views: session.views,
            is_bounce: session.bounced,
            entry_title: &session.entry.title,
            exit_title: &session.exit.title,
            attributes: session.into(),
            extended: session.pings,
        }
    }
}

/// What holds for a whole session.
#[derive(serde::Serialize)]
struct Attributes<'a> {
    language: &'a str,
    country_code: &'a str,
    region: &'a str,
    city: &'a str,
    referrer: &'a str,
    referrer_name: &'a str,
    referrer_icon: &'a str,
    os: &'a str,
    os_version: &'a str,
    browser: &'a str,
    browser_version: &'a str,
    desktop: bool,
    mobile: bool,
    screen_class: &'a str,
    utm_source: &'a str,
    utm_medium: &'a str,
    utm_campaign: &'a str,
    utm_content: &'a str,
    utm_term: &'a str,
    channel: &'a str,
}

impl<'a> From<&'a SessionRow> for Attributes<'a> {
    fn from(session: &'a SessionRow) -> Self {
        let platform = session.attribute(Column::Platform);
        Self {
            language: session.attribute(Column::Language),
            country_code: session.attribute(Column::Country),
            region: session.attribute(Column::Region),
            city: session.attribute(Column::City),
            referrer: session.attribute(Column::Referrer),
            referrer_name: session.attribute(Column::ReferrerName),
            referrer_icon: "",
            os: session.attribute(Column::Os),
            os_version: session.attribute(Column::OsVersion),
            browser: session.attribute(Column::Browser),
            browser_version: session.attribute(Column::BrowserVersion),
            desktop: platform == "desktop",
            mobile: platform == "mobile",
            screen_class: session.attribute(Column::ScreenClass),
            utm_source: session.attribute(Column::UtmSource),
            utm_medium: session.attribute(Column::UtmMedium),
            utm_campaign: session.attribute(Column::UtmCampaign),
            utm_content: session.attribute(Column::UtmContent),
            utm_term: session.attribute(Column::UtmTerm),
            channel: session.attribute(Column::Channel),
        }
    }
}

/// A page view or an event; the other is null.
#[derive(serde::Serialize)]
struct Step<'a> {
    page_view: Option<PageViewBody<'a>>,
    event: Option<EventBody<'a>>,
}

impl<'a> Step<'a> {
    fn new(session: &'a SessionRow, row: &'a RowDetail) -> Self {
        match row.kind {
            Kind::Event => Self { page_view: None, event: Some(EventBody::new(session, row)) },
            Kind::PageView | Kind::Ping => {
                Self { page_view: Some(PageViewBody::new(session, row)), event: None }
            }
        }
    }
}

/// What page views and events have in common.
#[derive(serde::Serialize)]
struct PlaceBody<'a> {
    path: &'a str,
    title: &'a str,
    hostname: &'a str,
    #[serde(flatten)]
    attributes: Attributes<'a>,
}

impl<'a> PlaceBody<'a> {
    fn new(session: &'a SessionRow, row: &'a RowDetail) -> Self {
        Self { path: &row.path, title: &row.title, hostname: &row.hostname, attributes: session.into() }
    }
}

#[derive(serde::Serialize)]
struct PageViewBody<'a> {
    visitor_id: u64,
    session_id: u32,
    time: String,
    /// Since the session's row before.
    duration_seconds: u64,
    #[serde(flatten)]
    place: PlaceBody<'a>,
    tag_keys: Vec<&'a str>,
    tag_values: Vec<&'a str>,
}

impl<'a> PageViewBody<'a> {
    fn new(session: &'a SessionRow, row: &'a RowDetail) -> Self {
        let (tag_keys, tag_values) = unzip(&row.tags);
        Self {
            visitor_id: session.visitor.0,
            session_id: session.session.0,
            time: rfc3339(row.time),
            duration_seconds: row.seconds_since_previous,
            place: PlaceBody::new(session, row),
            tag_keys,
            tag_values,
        }
    }
}

#[derive(serde::Serialize)]
struct EventBody<'a> {
    visitor_id: u64,
    session_id: u32,
    time: String,
    name: &'a str,
    meta_keys: Vec<&'a str>,
    meta_values: Vec<&'a str>,
    /// The event's own.
    duration_seconds: u64,
    #[serde(flatten)]
    place: PlaceBody<'a>,
}

impl<'a> EventBody<'a> {
    fn new(session: &'a SessionRow, row: &'a RowDetail) -> Self {
        let (meta_keys, meta_values) = unzip(&row.meta);
        Self {
            visitor_id: session.visitor.0,
            session_id: session.session.0,
            time: rfc3339(row.time),
            name: &row.event_name,
            meta_keys,
            meta_values,
            duration_seconds: row.event_seconds.unwrap_or(0),
            place: PlaceBody::new(session, row),
        }
    }
}

fn unzip(pairs: &[(String, String)]) -> (Vec<&str>, Vec<&str>) {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).unzip()
}
