//! The filter of Pirsch's statistics: the query string, checked and typed.
//!
//! Every name is either understood, named as not supported yet, or refused by name: a filter that is not
//! understood never widens an answer in silence. Empty values count as not given.

mod params;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use hitstone_engine::schema::Column;
use hitstone_engine::units::{SessionId, VisitorId};
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::statistics::Page;
use crate::statistics::period::{self, Period};
use crate::statistics::selection::{PairIs, Selection, TextIs, Texts};
use values::Words;

/// Lines of a list at most.
const LIMIT_MAX: usize = 100;
/// Days from first to last: twenty years.
const DAYS_MAX: i64 = 20 * 366;
/// Seconds of `start` at most.
const START_MAX: usize = 3_600;
/// Values of one parameter.
const VALUES_MAX: usize = 100;
/// Bytes of a key of metadata or tags.
const KEY_BYTES_MAX: usize = 400;

/// Understood by later versions; until then refused unless empty.
const NOT_YET: &[&str] = &[
    "from_time",
    "to_time",
    "sort",
    "direction",
    "search",
    "custom_metric_key",
    "custom_metric_type",
    "funnel_id",
    "keyword",
    "access",
];

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
    /// The site's public id, as sent.
    pub id: String,
    /// The zone of days and hours.
    pub zone: TimeZone,
    /// First and last day, when given.
    pub days: Option<(Date, Date)>,
    /// The last seconds instead of days, when given.
    pub start: Option<u32>,
    /// Which sessions and rows count.
    pub selection: Selection,
    /// The key that `event/meta` breaks down by.
    pub event_meta_key: Option<String>,
    /// As sent; 0 counts as not given.
    pub limit: Option<usize>,
    /// How many lines are left out at the start.
    pub offset: usize,
    /// Whether the average time on page is wanted.
    pub with_time: bool,
    /// Whether pages are told apart by title; `None`: as the site has it.
    pub with_title: Option<bool>,
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

    /// The span of time asked for.
    ///
    /// # Errors
    /// Names what is missing when neither `start` nor the days are given.
    pub fn period(&self, now_ms: i64) -> Result<Period, Invalid> {
        match (self.start, self.days) {
            (Some(seconds), _) => Ok(Period::last_seconds(self.zone.clone(), seconds, now_ms)),
            (None, Some((first, last))) => Ok(Period::days(self.zone.clone(), first, last)),
            (None, None) => {
                let message = "is required, as YYYY-MM-DD".to_owned();
                let fields = ["from", "to"].map(|field| (field.to_owned(), message.clone()));
                Err(Invalid { fields: BTreeMap::from(fields) })
            }
        }
    }
}

/// Reads a raw query string.
///
/// # Errors
/// Every parameter that is unknown, malformed or not supported yet.
pub fn parse(query: &str, defaults: Defaults<'_>) -> Result<Filter, Invalid> {
    let mut reader = Reader { parameters: params::parse(query)?, invalid: Invalid::default() };
    let zone = reader.zone(defaults.zone);
    let filter = Filter {
        id: reader.single("id").unwrap_or_default(),
        days: reader.days(defaults.now_ms),
        start: reader.start(),
        event_meta_key: reader.parameters.get("event_meta_key").and_then(|keys| keys.first()).cloned(),
        selection: reader.selection(),
        limit: reader.count("limit").filter(|limit| *limit > 0),
        offset: reader.count("offset").unwrap_or(0),
        with_time: reader.flag("include_avg_time_on_page").unwrap_or(false),
        with_title: reader.flag("include_title"),
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

    /// First and last day: put in order, none later than tomorrow, so that every zone's today is inside.
    fn days(&mut self, now_ms: i64) -> Option<(Date, Date)> {
        let message = "is not a date as YYYY-MM-DD";
        let (from, to) = (self.value("from", message, date), self.value("to", message, date));
        let missing = match (from, to) {
            (Some(_), None) => "to",
            (None, Some(_)) => "from",
            (None, None) => return None,
            (Some(from), Some(to)) => {
                let tomorrow = period::plus_days(period::local_date(&TimeZone::UTC, now_ms), 1);
                let (first, last) = (from.min(to).min(tomorrow), from.max(to).min(tomorrow));
                if period::day_number(last) - period::day_number(first) > DAYS_MAX {
                    self.invalid.add("from", "is more than 20 years before the end");
                }
                return Some((first, last));
            }
        };
        self.invalid.add(missing, "is required, as YYYY-MM-DD");
        None
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
            event: self.event(),
            meta: self.pairs("meta_"),
            tags: self.tags(),
            session: self.session(),
            ..Selection::default()
        };
        if let Some(key) = self.single("event_meta_key") {
            selection.meta.push(PairIs::Key(key, true));
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

    fn event(&mut self) -> Texts {
        let texts = self.texts("event", Words::Plain);
        let no_event = |is: &TextIs| matches!(is, TextIs::Exactly(name) if name.is_empty());
        if texts.any.len() > 1 && texts.any.iter().any(no_event) {
            self.invalid.add("event", "null cannot be combined with names of events");
        }
        texts
    }

    /// Whether page views carry a key at all: one key, or several that must all be missing.
    fn tags(&mut self) -> Vec<PairIs> {
        let mut tags = self.pairs("tag_");
        let keys = self.many("tag");
        if keys.iter().filter(|key| !key.starts_with('!')).count() > 1 {
            self.invalid.add("tag", "several keys are not supported yet: a later version brings it");
        }
        for key in keys {
            match key.strip_prefix('!') {
                Some(key) => tags.push(PairIs::Key(key.to_owned(), false)),
                None if key.starts_with(['~', '^']) || key.eq_ignore_ascii_case("null") => {
                    self.invalid.add("tag", "takes a key or ! and a key");
                }
                None => tags.push(PairIs::Key(key, true)),
            }
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

    /// What nobody has taken is unknown, or known and not there yet.
    fn refuse_the_rest(&mut self) {
        self.value("scale", "is not supported yet but for day: a later version brings it", |scale| {
            (scale == "day").then_some(())
        });
        for (name, values) in std::mem::take(&mut self.parameters) {
            if !NOT_YET.contains(&name.as_str()) {
                self.invalid.add(shortened(&name), "is not a parameter of statistics");
            } else if !values.is_empty() {
                self.invalid.add(&name, "is not supported yet: a later version brings it");
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

/// A name short enough for a message.
fn shortened(name: &str) -> &str {
    name.char_indices().nth(100).map_or(name, |(end, _)| &name[..end])
}
