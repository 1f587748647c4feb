//! The filter of Pirsch's statistics: the query string, checked and typed.
//!
//! Every name is either understood or refused by name: a filter that is not understood never widens an answer in
//! silence. Empty values count as not given.

mod params;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use hitstone_engine::schema::Column;
use hitstone_engine::units::{SessionId, VisitorId};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::goals::MetricKind;
use crate::statistics::Page;
use crate::statistics::custom::CustomMetric;
use crate::statistics::period::{self, Period};
use crate::statistics::selection::{PairIs, Selection, Texts};
use values::Words;

/// Lines of a list at most.
const LIMIT_MAX: usize = 100;
/// Options of a filter at most.
const OPTIONS_MAX: usize = 200;
/// Days from first to last: twenty years.
const DAYS_MAX: i64 = 20 * 366;
/// Seconds of `start` at most.
const START_MAX: usize = 3_600;
/// Values of one parameter.
const VALUES_MAX: usize = 100;
/// Bytes of a key of metadata or tags.
const KEY_BYTES_MAX: usize = 400;

/// Known, and without meaning for statistics of this server.
const WITHOUT_MEANING: &[&str] = &["funnel_id", "keyword", "access"];

/// Why a request is refused: a message for each field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invalid {
    /// Field and message.
    pub fields: BTreeMap<String, String>,
}

impl Invalid {
    /// One message.
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self { fields: BTreeMap::from([(field.to_owned(), message.into())]) }
    }

    fn add(&mut self, field: &str, message: impl Into<String>) {
        self.fields.entry(field.to_owned()).or_insert_with(|| message.into());
    }
}

/// What a request asks for, apart from the statistic itself.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The zone of days and hours.
    pub zone: TimeZone,
    /// First and last day, when given.
    pub days: Option<(Date, Date)>,
    /// The last seconds instead of days, when given.
    pub start: Option<u32>,
    /// Which sessions and rows count.
    pub selection: Selection,
    /// The key that `event/meta` breaks down by: the one that is asked for, when it is one.
    pub event_meta_key: Option<String>,
    /// A part of the one day asked for, in minutes.
    pub minutes: Option<(Time, Time)>,
    /// What series have a line for.
    pub scale: Scale,
    /// The member that a list is ordered by.
    pub sort: Option<String>,
    /// The least comes first.
    pub ascending: Option<bool>,
    /// Which lines of a list are wanted.
    pub search: Option<String>,
    /// The custom metric.
    pub custom: Option<CustomMetric>,
    /// As sent; 0 counts as not given.
    pub limit: Option<usize>,
    /// How many lines are left out at the start.
    pub offset: usize,
    /// Whether the average time on page is wanted.
    pub with_time: bool,
    /// Whether pages are told apart by title; `None`: as the site has it.
    pub with_title: Option<bool>,
}

/// The values of `scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Scale {
    #[default]
    Day,
    Week,
    Month,
    Year,
}

/// What the request does not say.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// The site's zone.
    pub zone: &'a str,
    /// Now.
    pub now_ms: i64,
}

impl Filter {
    /// Which part of a list is wanted: never more than a hundred lines.
    pub fn list_page(&self) -> Page {
        Page { offset: self.offset, limit: Some(self.limit.unwrap_or(LIMIT_MAX).min(LIMIT_MAX)) }
    }

    /// Which part of a series is wanted: all of it unless a limit is given.
    pub fn series_page(&self) -> Page {
        Page { offset: if self.limit.is_some() { self.offset } else { 0 }, limit: self.limit }
    }

    /// Which of a number of options are wanted.
    pub fn options_page(&self) -> Page {
        Page { offset: self.offset, limit: Some(self.limit.unwrap_or(OPTIONS_MAX).min(OPTIONS_MAX)) }
    }

    /// The span of time asked for.
    ///
    /// # Errors
    /// Names what is missing when neither `start` nor the days are given.
    pub fn period(&self, now_ms: i64) -> Result<Period, Invalid> {
        match (self.start, self.days) {
            (Some(seconds), _) => Ok(Period::last_seconds(self.zone.clone(), seconds, now_ms)),
            (None, Some((first, last))) => Ok(match self.minutes {
                Some((from, to)) => Period::minutes(self.zone.clone(), first, from, to),
                None => Period::days(self.zone.clone(), first, last),
            }),
            (None, None) => {
                let message = "is required, as YYYY-MM-DD".to_owned();
                let fields = ["from", "to"].map(|field| (field.to_owned(), message.clone()));
                Err(Invalid { fields: BTreeMap::from(fields) })
            }
        }
    }
}

/// Which parameters count; the others must be known and are ignored, whatever their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heeded {
    /// All.
    All,
    /// Only these.
    Only(&'static [&'static str]),
    /// All but these.
    AllBut(&'static [&'static str]),
}

impl Heeded {
    fn holds(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
            Self::AllBut(names) => !names.contains(&name),
        }
    }
}

/// Reads a raw query string.
///
/// # Errors
/// Every parameter that is unknown, or malformed and heeded.
pub fn parse(query: &str, heeded: Heeded, defaults: Defaults<'_>) -> Result<Filter, Invalid> {
    let mut reader = Reader { parameters: params::parse(query)?, invalid: Invalid::default() };
    reader.parameters.retain(|name, _| heeded.holds(name) || !is_known(name));
    // The caller has found the site by it.
    let _ = reader.single("id");
    let zone = reader.zone(defaults.zone);
    let start = reader.start();
    let days = reader.days(defaults.now_ms);
    let filter = Filter {
        minutes: reader.minutes(days, start.is_some()),
        days,
        start,
        scale: reader.scale(),
        event_meta_key: reader.peek("event_meta_key").one_wanted().map(str::to_owned),
        selection: reader.selection(),
        limit: reader.count("limit").filter(|limit| *limit > 0),
        offset: reader.count("offset").unwrap_or(0),
        with_time: reader.flag("include_avg_time_on_page").unwrap_or(false),
        with_title: reader.flag("include_title"),
        sort: reader.single("sort"),
        ascending: reader.direction(),
        search: reader.single("search"),
        custom: reader.custom(),
        zone,
    };
    reader.refuse_the_rest();
    if reader.invalid.fields.is_empty() { Ok(filter) } else { Err(reader.invalid) }
}

/// The parameters that are left, and what was wrong with the others.
struct Reader {
    parameters: BTreeMap<String, Vec<String>>,
    invalid: Invalid,
}

impl Reader {
    fn many(&mut self, name: &str) -> Vec<String> {
        let values = self.parameters.remove(name).unwrap_or_default();
        if values.len() > VALUES_MAX {
            self.invalid.add(name, format!("has more than {VALUES_MAX} values"));
            return Vec::new();
        }
        values
    }

    /// The conditions of a parameter that somebody else will take.
    fn peek(&self, name: &str) -> Texts {
        self.parameters.get(name).map(|values| values::texts(values, Words::Plain)).unwrap_or_default()
    }

    fn single(&mut self, name: &str) -> Option<String> {
        let mut values = self.many(name);
        if values.len() > 1 {
            self.invalid.add(name, "is given more than once");
        }
        values.pop()
    }

    /// The value of a parameter as `read` understands it.
    fn value<T>(&mut self, name: &str, message: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.single(name)?;
        let value = read(&text);
        if value.is_none() {
            self.invalid.add(name, message);
        }
        value
    }

    /// A whole number; one that is too large to count with is as good as the largest.
    fn count(&mut self, name: &str) -> Option<usize> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        self.value(name, "is not a whole number of at least 0", |text| {
            digits(text).then(|| text.parse().unwrap_or(usize::MAX))
        })
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.value(name, "is neither true nor false", |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        })
    }

    fn start(&mut self) -> Option<u32> {
        let seconds = self.count("start").filter(|seconds| *seconds > 0)?;
        if seconds > START_MAX {
            self.invalid.add("start", format!("is more than {START_MAX} seconds"));
        }
        u32::try_from(seconds).ok()
    }

    fn zone(&mut self, site_zone: &str) -> TimeZone {
        let asked = self.value("tz", "is not the name of a time zone", |name| TimeZone::get(name).ok());
        asked.or_else(|| TimeZone::get(site_zone).ok()).unwrap_or(TimeZone::UTC)
    }

    /// First and last day, put in order. Nothing is later than tomorrow, in which every zone's today is inside: the
    /// last day is tomorrow at most, unless all days are later.
    fn days(&mut self, now_ms: i64) -> Option<(Date, Date)> {
        let message = "is not a date as YYYY-MM-DD";
        let (from, to) = (self.value("from", message, date), self.value("to", message, date));
        let missing = match (from, to) {
            (Some(_), None) => "to",
            (None, Some(_)) => "from",
            (None, None) => return None,
            (Some(from), Some(to)) => {
                let tomorrow = period::plus_days(period::local_date(&TimeZone::UTC, now_ms), 1);
                let first = from.min(to);
                let last = from.max(to).min(tomorrow).max(first);
                if period::day_number(last) - period::day_number(first) > DAYS_MAX {
                    self.invalid.add("from", "is more than 20 years before the end");
                }
                return Some((first, last));
            }
        };
        self.invalid.add(missing, "is required, as YYYY-MM-DD");
        None
    }

    /// A part of a day, when the days are one.
    fn minutes(&mut self, days: Option<(Date, Date)>, has_start: bool) -> Option<(Time, Time)> {
        let message = "is not a time as HH:MM";
        let (from, to) = (self.value("from_time", message, minute), self.value("to_time", message, minute));
        let given = if from.is_some() { "from_time" } else { "to_time" };
        if (from.is_none() && to.is_none()) || has_start {
            return None;
        }
        if days.is_some_and(|(first, last)| first != last) {
            self.invalid.add(given, "needs from and to to be the same day");
        }
        let last = Time::constant(23, 59, 0, 0);
        let (from, to) = (from.unwrap_or(Time::midnight()), to.unwrap_or(last));
        Some((from.min(to), from.max(to)))
    }

    fn scale(&mut self) -> Scale {
        let scale = self.value("scale", "is none of day, week, month, year", |text| {
            Some(match text {
                "day" => Scale::Day,
                "week" => Scale::Week,
                "month" => Scale::Month,
                "year" => Scale::Year,
                _ => return None,
            })
        });
        scale.unwrap_or_default()
    }

    fn direction(&mut self) -> Option<bool> {
        self.value("direction", "is neither asc nor desc", |text| match text.to_ascii_lowercase().as_str() {
            "asc" => Some(true),
            "desc" => Some(false),
            _ => None,
        })
    }

    fn custom(&mut self) -> Option<CustomMetric> {
        let kind = self.value("custom_metric_type", "is neither integer nor float", |text| match text {
            "integer" => Some(MetricKind::Integer),
            "float" => Some(MetricKind::Float),
            _ => None,
        });
        let key = self.single("custom_metric_key")?;
        Some(CustomMetric { key, kind: kind.unwrap_or_default() })
    }

    fn texts(&mut self, name: &str, words: Words) -> Texts {
        values::texts(&self.many(name), words)
    }

    fn selection(&mut self) -> Selection {
        let pattern = self.many("pattern");
        let mut selection = Selection {
            attributes: self.attributes(),
            path: self.texts("path", Words::Plain),
            hostname: self.texts("hostname", Words::Plain),
            entry_path: self.texts("entry_path", Words::Plain),
            exit_path: self.texts("exit_path", Words::Plain),
            event: self.texts("event", Words::Plain),
            meta: self.pairs("meta_"),
            tags: self.tags(),
            session: self.session(),
            ..Selection::default()
        };
        let keys = self.texts("event_meta_key", Words::Plain);
        if !keys.is_empty() {
            selection.meta.push(PairIs::Keys(keys));
        }
        if selection.path.is_empty() {
            match values::patterns(&pattern) {
                Ok(texts) => selection.pattern = texts,
                Err(message) => self.invalid.add("pattern", message),
            }
        }
        selection
    }

    fn attributes(&mut self) -> Vec<(Column, Texts)> {
        ATTRIBUTES
            .iter()
            .map(|(name, column, words)| (*column, self.texts(name, *words)))
            .filter(|(_, texts)| !texts.is_empty())
            .collect()
    }

    /// Which keys page views carry, and with which values.
    fn tags(&mut self) -> Vec<PairIs> {
        let keys = self.texts("tag", Words::Plain);
        let mut tags = self.pairs("tag_");
        if !keys.is_empty() {
            tags.push(PairIs::Keys(keys));
        }
        tags
    }

    /// Parameters that carry a key in their name.
    fn pairs(&mut self, prefix: &str) -> Vec<PairIs> {
        let is_pair = |name: &&String| name.len() > prefix.len() && name.starts_with(prefix);
        let names: Vec<String> = self.parameters.keys().filter(is_pair).cloned().collect();
        let mut pairs = Vec::new();
        for name in names {
            let key = name[prefix.len()..].to_owned();
            if key.len() > KEY_BYTES_MAX {
                self.invalid.add(shortened(&name), "is too long a key");
            }
            let texts = self.texts(&name, Words::Plain);
            if !texts.is_empty() {
                pairs.push(PairIs::Value(key, texts));
            }
        }
        pairs
    }

    fn session(&mut self) -> Option<(VisitorId, SessionId)> {
        let visitor = self.value("visitor_id", "is not the id of a visitor", |text| {
            text.parse::<u64>().ok().or_else(|| text.parse::<i64>().ok().map(i64::cast_unsigned))
        });
        let session = self.value("session_id", "is not the id of a session", |text| text.parse().ok());
        match (visitor, session) {
            (Some(visitor), Some(session)) => return Some((VisitorId(visitor), SessionId(session))),
            (Some(_), None) => self.invalid.add("session_id", "is required beside visitor_id"),
            (None, Some(_)) => self.invalid.add("visitor_id", "is required beside session_id"),
            (None, None) => {}
        }
        None
    }

    /// What nobody has taken is unknown.
    fn refuse_the_rest(&mut self) {
        for name in std::mem::take(&mut self.parameters).into_keys() {
            if !WITHOUT_MEANING.contains(&name.as_str()) {
                self.invalid.add(shortened(&name), "is not a parameter of statistics");
            }
        }
    }
}

/// The parameters that ask for a session attribute.
#[rustfmt::skip]
const ATTRIBUTES: &[(&str, Column, Words)] = &[
    ("language", Column::Language, Words::Code),
    ("country", Column::Country, Words::Code),
    ("region", Column::Region, Words::Plain),
    ("city", Column::City, Words::Plain),
    ("referrer", Column::Referrer, Words::Plain),
    ("referrer_name", Column::ReferrerName, Words::Plain),
    ("channel", Column::Channel, Words::Plain),
    ("os", Column::Os, Words::Plain),
    ("os_version", Column::OsVersion, Words::Plain),
    ("browser", Column::Browser, Words::Plain),
    ("browser_version", Column::BrowserVersion, Words::Plain),
    ("platform", Column::Platform, Words::Platform),
    ("screen_class", Column::ScreenClass, Words::Screen),
    ("utm_source", Column::UtmSource, Words::Plain),
    ("utm_medium", Column::UtmMedium, Words::Plain),
    ("utm_campaign", Column::UtmCampaign, Words::Plain),
    ("utm_content", Column::UtmContent, Words::Plain),
    ("utm_term", Column::UtmTerm, Words::Plain),
];

/// The other parameters.
#[rustfmt::skip]
const OTHERS: &[&str] = &[
    "id", "from", "to", "from_time", "to_time", "start", "tz", "scale", "path", "pattern", "hostname", "entry_path",
    "exit_path", "event", "event_meta_key", "tag", "visitor_id", "session_id", "limit", "offset", "sort", "direction",
    "search", "include_title", "include_avg_time_on_page", "custom_metric_key", "custom_metric_type",
];

fn is_known(name: &str) -> bool {
    let has_key = |prefix| name.strip_prefix(prefix).is_some_and(|key: &str| !key.is_empty());
    OTHERS.contains(&name)
        || WITHOUT_MEANING.contains(&name)
        || ATTRIBUTES.iter().any(|attribute| attribute.0 == name)
        || has_key("meta_")
        || has_key("tag_")
}

/// The date at the start of `YYYY-MM-DD` or of a full ISO time, whose date part is kept.
fn date(text: &str) -> Option<Date> {
    let (day, rest) = text.split_at_checked(10)?;
    if !(rest.is_empty() || rest.starts_with(['T', 't', ' '])) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        let digits = day.get(range)?;
        if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse::<i16>().ok() } else { None }
    };
    if day.as_bytes().get(4) != Some(&b'-') || day.as_bytes().get(7) != Some(&b'-') {
        return None;
    }
    let (month, day) = (i8::try_from(number(5..7)?).ok()?, i8::try_from(number(8..10)?).ok()?);
    Date::new(number(0..4)?, month, day).ok()
}

/// `HH:MM`.
fn minute(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.parse::<i8>().ok() } else { None }
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// A name short enough for a message.
fn shortened(name: &str) -> &str {
    name.char_indices().nth(100).map_or(name, |(end, _)| &name[..end])
}
