//! The table of statistics: what each is made of and how its lines are spelled.

use hitstone_engine::schema::Column;

use crate::statistics::list::List;
use crate::statistics::pages::End;
use crate::statistics::series::{Cycle, Daily};

use super::render::{Field, Show};

/// Where a statistic comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Statistic {
    /// Groups of session attributes.
    List(List),
    Referrers,
    Pages,
    Ends(End),
    Events,
    EventMeta,
    Days(Daily),
    Hours(Cycle),
    /// One object.
    Total,
    Growth,
    Platforms,
    Active,
    Sessions,
    SessionDetails,
    /// Known and always empty: it lives off another service.
    Nothing,
}

/// A statistic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) statistic: Statistic,
    /// The members of a line, in the order they are written.
    pub(super) fields: &'static [Field],
}

const fn list(columns: &'static [Column], fields: &'static [Field]) -> Endpoint {
    Endpoint { statistic: Statistic::List(List { columns, blank_together: false }), fields }
}

const fn places(columns: &'static [Column], fields: &'static [Field]) -> Endpoint {
    Endpoint { statistic: Statistic::List(List { columns, blank_together: true }), fields }
}

const fn of(statistic: Statistic, fields: &'static [Field]) -> Endpoint {
    Endpoint { statistic, fields }
}

const VISITORS: Field = ("visitors", Show::Visitors);
const VIEWS: Field = ("views", Show::Views);
const SESSIONS: Field = ("sessions", Show::Sessions);
const BOUNCES: Field = ("bounces", Show::Bounces);
const BOUNCE_RATE: Field = ("bounce_rate", Show::BounceRate);
const RELATIVE_VISITORS: Field = ("relative_visitors", Show::RelativeVisitors);
const RELATIVE_VIEWS: Field = ("relative_views", Show::RelativeViews);
const CR: Field = ("cr", Show::RelativeVisitors);
const PATH: Field = ("path", Show::Key(0));
const TITLE: Field = ("title", Show::Key(1));
const AVERAGE: Field = ("average_time_spent_seconds", Show::Seconds);

/// The members of a list of one column.
macro_rules! plain {
    ($($name:literal: $key:literal),+) => {
        &[VISITORS, RELATIVE_VISITORS, $(($name, Show::Key($key))),+]
    };
}

const DURATIONS: &[Field] = &[
    ("day", Show::Day),
    ("week", Show::Null),
    ("month", Show::Null),
    ("year", Show::Null),
    ("path", Show::Blank),
    ("title", Show::Blank),
    AVERAGE,
];

const DAYS: &[Field] = &[
    ("day", Show::Day),
    ("week", Show::Null),
    ("month", Show::Null),
    ("year", Show::Null),
    VISITORS,
    VIEWS,
    SESSIONS,
    BOUNCES,
    BOUNCE_RATE,
    CR,
];

const TOTAL: &[Field] = &[VISITORS, VIEWS, SESSIONS, BOUNCES, BOUNCE_RATE, CR];

const HOURS: &[Field] = &[("hour", Show::Slot), VISITORS, VIEWS, SESSIONS, BOUNCES, BOUNCE_RATE, CR];

const WEEKDAYS: &[Field] =
    &[("weekday", Show::SlotDay), ("hour", Show::SlotHour), VISITORS, VIEWS, SESSIONS, BOUNCES];

const PAGES: &[Field] = &[
    PATH,
    TITLE,
    VISITORS,
    VIEWS,
    SESSIONS,
    BOUNCES,
    RELATIVE_VISITORS,
    RELATIVE_VIEWS,
    BOUNCE_RATE,
    AVERAGE,
];

const ENTRIES: &[Field] =
    &[PATH, TITLE, VISITORS, SESSIONS, ("entries", Show::Entries), ("entry_rate", Show::EntryRate), AVERAGE];

const EXITS: &[Field] =
    &[PATH, TITLE, VISITORS, SESSIONS, ("exits", Show::Entries), ("exit_rate", Show::EntryRate)];

const REFERRERS: &[Field] = &[
    ("referrer", Show::Key(1)),
    ("referrer_name", Show::Key(0)),
    ("referrer_icon", Show::Blank),
    VISITORS,
    SESSIONS,
    RELATIVE_VISITORS,
    BOUNCES,
    BOUNCE_RATE,
];

const CHANNELS: &[Field] = &[
    ("channel", Show::Key(0)),
    VISITORS,
    VIEWS,
    SESSIONS,
    RELATIVE_VISITORS,
    RELATIVE_VIEWS,
    BOUNCES,
    BOUNCE_RATE,
];

const EVENTS: &[Field] = &[
    ("name", Show::Key(0)),
    ("count", Show::Views),
    VISITORS,
    VIEWS,
    CR,
    ("average_duration_seconds", Show::Seconds),
    ("meta_keys", Show::MetaKeys),
    ("meta_value", Show::Blank),
];

const EVENT_META: &[Field] = &[
    ("name", Show::Key(0)),
    ("count", Show::Views),
    VISITORS,
    VIEWS,
    CR,
    ("average_duration_seconds", Show::Seconds),
    ("meta_keys", Show::MetaKeys),
    ("meta_value", Show::Key(1)),
];

/// The members of a page of the active visitors.
pub(super) const ACTIVE: &[Field] = &[PATH, TITLE, VISITORS];

/// The statistic of a name, as it follows `/api/v1/statistics/`.
pub(super) fn find(name: &str) -> Option<Endpoint> {
    use Column::*;
    Some(match name {
        "total" => of(Statistic::Total, TOTAL),
        "visitor" => of(Statistic::Days(Daily::Counts), DAYS),
        "duration/session" => of(Statistic::Days(Daily::SessionDuration), DURATIONS),
        "duration/page" => of(Statistic::Days(Daily::TimeOnPage), DURATIONS),
        "hours" => of(Statistic::Hours(Cycle::Day), HOURS),
        "weekdays" => of(Statistic::Hours(Cycle::Week), WEEKDAYS),
        "growth" => of(Statistic::Growth, &[]),
        "active" => of(Statistic::Active, ACTIVE),
        "page" => of(Statistic::Pages, PAGES),
        "page/entry" => of(Statistic::Ends(End::Entry), ENTRIES),
        "page/exit" => of(Statistic::Ends(End::Exit), EXITS),
        "events" => of(Statistic::Events, EVENTS),
        "event/meta" => of(Statistic::EventMeta, EVENT_META),
        "session/list" => of(Statistic::Sessions, &[]),
        "session/details" => of(Statistic::SessionDetails, &[]),
        "keywords" => of(Statistic::Nothing, &[]),
        "referrer" => of(Statistic::Referrers, REFERRERS),
        "channel" => list(&[Channel], CHANNELS),
        "language" => list(&[Language], plain!("language": 0)),
        "country" => list(&[Country], plain!("country": 0, "country_code": 0)),
        "region" => places(&[Region, Country], plain!("country_code": 1, "region": 0)),
        "city" => places(&[City, Country, Region], plain!("country_code": 1, "region": 2, "city": 0)),
        "os" => list(&[Os], plain!("os": 0)),
        "os/version" => list(&[Os, OsVersion], plain!("os": 0, "os_version": 1)),
        "browser" => list(&[Browser], plain!("browser": 0)),
        "browser/version" => list(&[Browser, BrowserVersion], plain!("browser": 0, "browser_version": 1)),
        "platform" => of(Statistic::Platforms, &[]),
        "screen" => list(&[ScreenClass], plain!("screen_class": 0)),
        "utm/source" => list(&[UtmSource], plain!("utm_source": 0)),
        "utm/medium" => list(&[UtmMedium], plain!("utm_medium": 0)),
        "utm/campaign" => list(&[UtmCampaign], plain!("utm_campaign": 0)),
        "utm/content" => list(&[UtmContent], plain!("utm_content": 0)),
        "utm/term" => list(&[UtmTerm], plain!("utm_term": 0)),
        _ => return None,
    })
}
