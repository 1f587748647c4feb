//! The table of statistics: what each is made of and how its lines are spelled.

use hitstone_engine::query::Unit;
use hitstone_engine::schema::Column;

use crate::api::pirsch::filter::Scale;
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
    EventList,
    EventPages,
    Tags,
    TagDetails,
    Goals,
    /// A list of texts.
    Options(OptionsOf),
    Days(Daily),
    Clock(Cycle),
    /// One object.
    Total,
    Growth,
    Platforms,
    Active,
    Overview,
    Sessions,
    SessionDetails,
    /// Known and always empty: it lives off another service.
    Nothing,
}

/// Of what options are asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum OptionsOf {
    Attribute(Column),
    Page(Column),
    Event,
    MetadataKeys,
    /// Of the metadata key of the request, or of all.
    Metadata,
    Tag,
    /// Of the tag of the request.
    TagValue,
}

/// A statistic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) statistic: Statistic,
    /// The members of a line, in the order they are written.
    pub(super) fields: &'static [Field],
}

const fn list(columns: &'static [Column], fields: &'static [Field]) -> Endpoint {
    listed(columns, Unit::Sessions, false, fields)
}

const fn places(columns: &'static [Column], fields: &'static [Field]) -> Endpoint {
    listed(columns, Unit::Sessions, true, fields)
}

const fn listed(
    columns: &'static [Column],
    unit: Unit,
    blank_together: bool,
    fields: &'static [Field],
) -> Endpoint {
    Endpoint { statistic: Statistic::List(List { columns, unit, searched: 1, blank_together }), fields }
}

const fn options(of: OptionsOf) -> Endpoint {
    Endpoint { statistic: Statistic::Options(of), fields: &[] }
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

const DAY: Field = ("day", Show::Date(Scale::Day));
const WEEK: Field = ("week", Show::Date(Scale::Week));
const MONTH: Field = ("month", Show::Date(Scale::Month));
const YEAR: Field = ("year", Show::Date(Scale::Year));
const CUSTOM_AVERAGE: Field = ("custom_metric_avg", Show::CustomAverage);
const CUSTOM_TOTAL: Field = ("custom_metric_total", Show::CustomTotal);

const DURATIONS: &[Field] = &[DAY, WEEK, MONTH, YEAR, ("path", Show::Blank), ("title", Show::Blank), AVERAGE];

/// The members of a line that counts, after those that name it.
macro_rules! counts {
    ($($name:expr),*) => {
        &[$($name,)* VISITORS, VIEWS, SESSIONS, BOUNCES, BOUNCE_RATE, CR, CUSTOM_AVERAGE, CUSTOM_TOTAL]
    };
}

pub(super) const DAYS: &[Field] = counts![DAY, WEEK, MONTH, YEAR];

const TOTAL: &[Field] = counts![];

const HOURS: &[Field] = counts![("hour", Show::Slot)];

const MINUTES: &[Field] = counts![("minute", Show::Slot)];

const HOSTNAMES: &[Field] = &[
    ("hostname", Show::Key(0)),
    VISITORS,
    VIEWS,
    SESSIONS,
    BOUNCES,
    RELATIVE_VISITORS,
    RELATIVE_VIEWS,
    BOUNCE_RATE,
];

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

/// Clients know the path under either name.
const EXITS: &[Field] = &[
    PATH,
    ("exit_path", Show::Key(0)),
    TITLE,
    VISITORS,
    SESSIONS,
    ("exits", Show::Entries),
    ("exit_rate", Show::EntryRate),
];

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

const EVENT_LIST: &[Field] =
    &[("name", Show::Key(0)), ("meta", Show::Pairs(1)), VISITORS, ("count", Show::Views)];

const TAGS: &[Field] =
    &[("key", Show::Key(0)), ("value", Show::Blank), VISITORS, VIEWS, RELATIVE_VISITORS, RELATIVE_VIEWS];

const TAG_VALUES: &[Field] =
    &[("key", Show::Key(0)), ("value", Show::Key(1)), VISITORS, VIEWS, RELATIVE_VISITORS, RELATIVE_VIEWS];

/// The members of the numbers of a goal, and its name, which orders goals.
pub(super) const GOALS: &[Field] = &[VISITORS, VIEWS, CR, CUSTOM_AVERAGE, CUSTOM_TOTAL];

/// The members of a country of the active visitors.
pub(super) const COUNTRIES: &[Field] = plain!("country": 0, "country_code": 0);

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
        "hours" => of(Statistic::Clock(Cycle::Day), HOURS),
        "minutes" => of(Statistic::Clock(Cycle::Hour), MINUTES),
        "weekdays" => of(Statistic::Clock(Cycle::Week), WEEKDAYS),
        "overview" => of(Statistic::Overview, &[]),
        "hostname" => listed(&[Hostname], Unit::PageViews, false, HOSTNAMES),
        "goals" => of(Statistic::Goals, GOALS),
        "tags" => of(Statistic::Tags, TAGS),
        "tag/details" => of(Statistic::TagDetails, TAG_VALUES),
        "growth" => of(Statistic::Growth, &[]),
        "active" => of(Statistic::Active, ACTIVE),
        "page" => of(Statistic::Pages, PAGES),
        "page/entry" => of(Statistic::Ends(End::Entry), ENTRIES),
        "page/exit" => of(Statistic::Ends(End::Exit), EXITS),
        "events" => of(Statistic::Events, EVENTS),
        "event/meta" => of(Statistic::EventMeta, EVENT_META),
        "event/list" => of(Statistic::EventList, EVENT_LIST),
        "event/page" => of(Statistic::EventPages, PAGES),
        "session/list" => of(Statistic::Sessions, &[]),
        "session/details" => of(Statistic::SessionDetails, &[]),
        "keywords" | "pages" => of(Statistic::Nothing, &[]),
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
        _ => return options_of(name.strip_prefix("options/")?).map(options),
    })
}

fn options_of(name: &str) -> Option<OptionsOf> {
    use Column::*;
    Some(match name {
        "hostname" => OptionsOf::Page(Hostname),
        "page" => OptionsOf::Page(Path),
        "referrer" => OptionsOf::Attribute(Referrer),
        "referrer/name" => OptionsOf::Attribute(ReferrerName),
        "channel" => OptionsOf::Attribute(Channel),
        "event" => OptionsOf::Event,
        "country" => OptionsOf::Attribute(Country),
        "region" => OptionsOf::Attribute(Region),
        "city" => OptionsOf::Attribute(City),
        "language" => OptionsOf::Attribute(Language),
        "browser" => OptionsOf::Attribute(Browser),
        "os" => OptionsOf::Attribute(Os),
        "metadata/keys" => OptionsOf::MetadataKeys,
        "metadata" => OptionsOf::Metadata,
        "utm/source" => OptionsOf::Attribute(UtmSource),
        "utm/medium" => OptionsOf::Attribute(UtmMedium),
        "utm/campaign" => OptionsOf::Attribute(UtmCampaign),
        "utm/content" => OptionsOf::Attribute(UtmContent),
        "utm/term" => OptionsOf::Attribute(UtmTerm),
        "tag" => OptionsOf::Tag,
        "tag/value" => OptionsOf::TagValue,
        _ => return None,
    })
}
