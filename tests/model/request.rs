//! A request as plain data, and how it is spelled as a query string. Nothing here reads a query string.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time};

use crate::world::SITE_ID;

/// One value of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Is {
    Text(String),
    Not(String),
    Has(String),
    Lacks(String),
    Null,
    NotNull,
}

impl Is {
    pub fn is_positive(&self) -> bool {
        matches!(self, Is::Text(_) | Is::Has(_) | Is::Null)
    }

    pub fn spelled(&self) -> String {
        match self {
            Is::Text(text) => text.clone(),
            Is::Not(text) => format!("!{text}"),
            Is::Has(text) => format!("~{text}"),
            Is::Lacks(text) => format!("^{text}"),
            Is::Null => "null".into(),
            Is::NotNull => "!null".into(),
        }
    }

    /// What the form is called in the coverage table.
    pub fn form(&self) -> &'static str {
        match self {
            Is::Text(_) => "x",
            Is::Not(_) => "!x",
            Is::Has(_) => "~x",
            Is::Lacks(_) => "^x",
            Is::Null => "null",
            Is::NotNull => "!null",
        }
    }
}

/// Filters that test an attribute of the visit; the model keeps attributes by the same names.
pub const ATTRIBUTES: &[&str] = &[
    "referrer",
    "referrer_name",
    "channel",
    "language",
    "country",
    "region",
    "city",
    "os",
    "os_version",
    "browser",
    "browser_version",
    "platform",
    "screen_class",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
];

/// Which sessions and rows a request is about. No values: the parameter is not given.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Attributes, `path`, `hostname`, `entry_path`, `exit_path`, `event`.
    pub texts: BTreeMap<&'static str, Vec<Is>>,
    /// Regular expressions; `false`: must not match.
    pub pattern: Vec<(bool, String)>,
    pub event_meta_key: Vec<Is>,
    pub meta: BTreeMap<String, Vec<Is>>,
    pub tag: Vec<Is>,
    pub tag_values: BTreeMap<String, Vec<Is>>,
    pub session: Option<(u64, u32)>,
}

impl Filter {
    pub fn of(&self, name: &str) -> &[Is] {
        self.texts.get(name).map_or(&[], Vec::as_slice)
    }

    /// Patterns do not count beside a path.
    pub fn patterns(&self) -> &[(bool, String)] {
        if self.of("path").is_empty() { &self.pattern } else { &[] }
    }

    /// Whether rows are selected, and not only visits.
    pub fn tests_rows(&self) -> bool {
        !self.of("path").is_empty()
            || !self.patterns().is_empty()
            || !self.of("hostname").is_empty()
            || !self.tag.is_empty()
            || !self.tag_values.is_empty()
    }

    pub fn tests_meta(&self) -> bool {
        !self.meta.is_empty() || !self.event_meta_key.is_empty()
    }

    pub fn tests_events(&self) -> bool {
        !self.of("event").is_empty() || self.tests_meta()
    }

    /// The one text that is wanted, when it is one; there may be unwanted ones besides.
    pub fn one_wanted(list: &[Is]) -> Option<&str> {
        let mut wanted: Vec<&Is> = list.iter().filter(|is| is.is_positive()).collect();
        // Saying it twice makes no difference.
        wanted.dedup();
        match wanted.as_slice() {
            [Is::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn spelled(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, list: &[Is]| {
            pairs.extend(list.iter().map(|is| (name.to_owned(), is.spelled())));
        };
        self.texts.iter().for_each(|(name, list)| add(name, list));
        self.meta.iter().for_each(|(key, list)| add(&format!("meta_{key}"), list));
        self.tag_values.iter().for_each(|(key, list)| add(&format!("tag_{key}"), list));
        add("event_meta_key", &self.event_meta_key);
        add("tag", &self.tag);
        for (wanted, pattern) in &self.pattern {
            pairs.push(("pattern".into(), format!("{}{pattern}", if *wanted { "" } else { "!" })));
        }
        if let Some((visitor, session)) = self.session {
            pairs.push(("visitor_id".into(), visitor.to_string()));
            pairs.push(("session_id".into(), session.to_string()));
        }
        pairs
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Day,
    Week,
    Month,
    Year,
}

/// `from` and `to` as they are sent, in whichever order.
#[derive(Debug, Clone, Copy)]
pub struct Days {
    pub from: Date,
    pub to: Date,
    /// Written as a full ISO time, as the JavaScript client does.
    pub iso: bool,
}

#[derive(Debug, Clone)]
pub struct Metric {
    pub key: String,
    /// `None`: not given, which means `float`.
    pub integer: Option<bool>,
}

#[derive(Debug, Clone)]
pub struct Search {
    pub not: bool,
    pub text: String,
}

/// How the query string is written, beside what it says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// `[]` behind the names of filters.
    pub brackets: bool,
    /// Blanks as `+`.
    pub plus: bool,
    /// Empty values for what is not given, as the Go client sends them.
    pub empties: bool,
    /// Neither `from` nor `to`, where they have no meaning.
    pub without_days: bool,
    /// The order of the parameters turned round.
    pub backwards: bool,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub endpoint: &'static str,
    pub zone: Option<&'static str>,
    pub days: Days,
    pub times: Option<(Option<Time>, Option<Time>)>,
    pub start: Option<u32>,
    pub scale: Option<Scale>,
    pub filter: Filter,
    pub limit: Option<usize>,
    pub offset: Option<usize>,
    pub sort: Option<String>,
    pub descending: Option<bool>,
    pub search: Option<Search>,
    pub include_title: Option<bool>,
    pub include_time: Option<bool>,
    pub metric: Option<Metric>,
    /// A parameter that is accepted and without effect.
    pub ignored: Option<&'static str>,
    /// Something that must be answered with 400: a name and a value.
    pub fault: Option<(&'static str, &'static str)>,
    pub style: Style,
}

/// What the Go client sends empty.
const EMPTIES: &[&str] = &["scale", "tz", "platform", "custom_metric_key", "sort", "direction", "search"];

impl Request {
    /// Names and values, as they are sent.
    pub fn parameters(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("id".to_owned(), SITE_ID.to_owned())];
        let mut add = |name: &str, value: Option<String>| {
            pairs.extend(value.map(|value| (name.to_owned(), value)));
        };
        let date = |date: Date| format!("{date}{}", if self.days.iso { "T00:00:00.000Z" } else { "" });
        let time = |time: Option<Time>| time.map(|time| time.strftime("%H:%M").to_string());
        if !self.style.without_days {
            add("from", Some(date(self.days.from)));
            add("to", Some(date(self.days.to)));
        }
        add("tz", self.zone.map(str::to_owned));
        add("from_time", self.times.and_then(|times| time(times.0)));
        add("to_time", self.times.and_then(|times| time(times.1)));
        add("start", self.start.map(|seconds| seconds.to_string()));
        add("scale", self.scale.map(|scale| format!("{scale:?}").to_lowercase()));
        add("limit", self.limit.map(|limit| limit.to_string()));
        add("offset", self.offset.map(|offset| offset.to_string()));
        add("sort", self.sort.clone());
        add("direction", self.descending.map(|down| if down { "desc" } else { "asc" }.to_owned()));
        let search = |search: &Search| format!("{}{}", if search.not { "!" } else { "" }, search.text);
        add("search", self.search.as_ref().map(search));
        add("include_title", self.include_title.map(|flag| flag.to_string()));
        add("include_avg_time_on_page", self.include_time.map(|flag| flag.to_string()));
        if let Some(metric) = &self.metric {
            add("custom_metric_key", Some(metric.key.clone()));
            let kind = |integer| if integer { "integer" } else { "float" };
            add("custom_metric_type", metric.integer.map(|integer| kind(integer).to_owned()));
        }
        if let Some(name) = self.ignored {
            add(name, Some("whatever".into()));
        }
        let suffix = if self.style.brackets { "[]" } else { "" };
        let filters = self.filter.spelled();
        pairs.extend(filters.into_iter().map(|(name, value)| (format!("{name}{suffix}"), value)));
        if self.style.empties {
            let given: Vec<String> = pairs.iter().map(|pair| pair.0.trim_end_matches("[]").into()).collect();
            let missing = EMPTIES.iter().filter(|name| !given.iter().any(|known| known == *name));
            pairs.extend(missing.map(|name| ((*name).to_owned(), String::new())));
        }
        pairs.extend(self.fault.map(|(name, value)| (name.to_owned(), value.to_owned())));
        if self.style.backwards {
            pairs.reverse();
        }
        pairs
    }

    /// The query string.
    pub fn query(&self) -> String {
        let encode = |text: &str| encode(text, self.style.plus);
        let pairs = self.parameters();
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        pairs.join("&")
    }
}

fn encode(text: &str, plus: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' if plus => encoded.push('+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b'[' | b']' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
