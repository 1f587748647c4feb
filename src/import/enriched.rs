//! A row with the names of the Parquet schema, and what must hold of one whatever file it is in.

use std::borrow::Cow;

use hitstone_engine::event::{Kind, encode_pairs};
use hitstone_engine::import::Row;
use hitstone_engine::schema::{COLUMN_COUNT, Column};
use hitstone_engine::units::{DAY_MS, TimestampMs, VisitorId};

use crate::api::json::{Json, Number};
use crate::api::pairs::{self, Lists};
use crate::api::pirsch::hit::rfc3339;
use crate::import::hits::SOURCE;

/// Nothing happened before 2000-01-01.
const TIME_MIN: TimestampMs = 946_684_800_000;
/// How far a clock may have been ahead.
const AHEAD_MS_MAX: i64 = DAY_MS;

/// The names of the text columns, by their numbers.
const TEXT_NAMES: [&str; COLUMN_COUNT] = [
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
    "hostname",
    "path",
    "title",
    "event_name",
    "event_meta",
    "tags",
    "event_id",
    "source",
];

/// What is wrong with a row, as far as this can be told without the store.
pub(super) fn check(row: &Row<'_>, now: TimestampMs) -> Result<(), &'static str> {
    if row.time < TIME_MIN {
        return Err("its time is before the year 2000");
    }
    if row.time > now.saturating_add(AHEAD_MS_MAX) {
        return Err("its time is more than 24 hours ahead");
    }
    let is_empty = |column: Column| row.texts[column.index()].is_empty();
    match row.kind {
        Kind::PageView if is_empty(Column::Path) => Err("a page view without a path"),
        Kind::Event if is_empty(Column::EventName) => Err("an event without event_name"),
        _ => Ok(()),
    }
}

/// A row says where it comes from.
pub(super) fn with_source(mut row: Row<'_>) -> Row<'_> {
    let source = &mut row.texts[Column::Source.index()];
    if source.is_empty() {
        *source = SOURCE;
    }
    row
}

/// A line as JSON.
pub(super) fn json(line: &[u8]) -> Result<Json<'_>, String> {
    serde_json::from_slice(line).map_err(|error| format!("it is not JSON: {error}"))
}

/// A line's row, with the texts that it owns.
pub(super) struct LineRow<'a> {
    pub(super) site: Cow<'a, str>,
    time: Option<TimestampMs>,
    received: Option<TimestampMs>,
    kind: Option<Kind>,
    visitor: Option<VisitorId>,
    session: Option<i64>,
    user_key: Option<u64>,
    event_duration: Option<u32>,
    non_interactive: bool,
    status: Option<u16>,
    texts: [Cow<'a, str>; COLUMN_COUNT],
}

impl<'a> LineRow<'a> {
    /// Reads a line. Members of other names are passed over; `null` is absent.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn read(line: &'a [u8]) -> Result<Self, String> {
        let Json::Object(members) = json(line)? else {
            return Err("it is no JSON object".into());
        };
        let mut row = Self {
            site: Cow::Borrowed(""),
            time: None,
            received: None,
            kind: None,
            visitor: None,
            session: None,
            user_key: None,
            event_duration: None,
            non_interactive: false,
            status: None,
            texts: [const { Cow::Borrowed("") }; COLUMN_COUNT],
        };
        for (name, value) in members {
            if value != Json::Null {
                row.take(&name, value).map_err(|what| format!("{name}: {what}"))?;
            }
        }
        Ok(row)
    }

    fn take(&mut self, name: &str, value: Json<'a>) -> Result<(), String> {
        match name {
            "site" => self.site = text(value)?,
            "time" => self.time = Some(time(value)?),
            "received" => self.received = Some(time(value)?),
            "kind" => {
                let name = text(value)?;
                let kind = Kind::from_name(&name);
                self.kind = Some(kind.ok_or_else(|| "must be page_view, event or ping".to_owned())?);
            }
            "visitor_id" => self.visitor = Some(VisitorId(id(value)?.cast_unsigned())),
            "session_id" => self.session = Some(id(value)?),
            "user_key" => self.user_key = Some(id(value)?.cast_unsigned()),
            "event_duration" => self.event_duration = Some(small(value)?),
            "status" => self.status = Some(small(value)?).filter(|&status| status != 0),
            "non_interactive" => match value {
                Json::Bool(value) => self.non_interactive = value,
                _ => return Err("must be true or false".into()),
            },
            "event_meta" | "tags" => {
                let found = pairs::flatten(value, Lists::Refused)?;
                self.set(name, Cow::Owned(encode_pairs(&found)));
            }
            _ if TEXT_NAMES.contains(&name) => {
                let text = text(value)?;
                self.set(name, text);
            }
            _ => {}
        }
        Ok(())
    }

    fn set(&mut self, name: &str, text: Cow<'a, str>) {
        if let Some(place) =
            TEXT_NAMES.iter().position(|known| *known == name).and_then(|at| self.texts.get_mut(at))
        {
            *place = text;
        }
    }

    /// The row.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn row(&self) -> Result<Row<'_>, String> {
        let missing = |name: &str| format!("{name}: is missing");
        let time = self.time.ok_or_else(|| missing("time"))?;
        Ok(Row {
            time,
            received: self.received.filter(|&received| received != time),
            kind: self.kind.ok_or_else(|| missing("kind"))?,
            visitor: self.visitor.ok_or_else(|| missing("visitor_id"))?,
            session: self.session,
            user_key: self.user_key,
            event_duration: self.event_duration,
            non_interactive: self.non_interactive,
            status: self.status,
            texts: std::array::from_fn(|at| self.texts.get(at).map_or("", |text| text)),
        })
    }
}

fn text(value: Json<'_>) -> Result<Cow<'_, str>, String> {
    match value {
        Json::Text(text) => Ok(text),
        _ => Err("must be a string".into()),
    }
}

/// RFC 3339, or what databases write: a blank for the T, no zone for UTC, hours of a zone alone.
fn time(value: Json<'_>) -> Result<TimestampMs, String> {
    let text = text(value)?;
    let plain = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let stamp = rfc3339(&text)
        .or_else(|| text.strip_suffix("+00").and_then(|text| rfc3339(&format!("{text}Z"))))
        .or_else(|| plain().map(|zoned| zoned.timestamp()));
    let stamp = stamp.ok_or("must be RFC 3339, such as 2026-06-10T12:00:00Z")?;
    // Finer times are cut to milliseconds, those before 1970 downwards, too.
    Ok(stamp.as_nanosecond().div_euclid(1_000_000) as i64)
}

/// A whole number of 64 bits, signed or not, also as a text: JavaScript's numbers have 53.
fn id(value: Json<'_>) -> Result<i64, String> {
    let number = match value {
        Json::Number(Number::Whole(number)) => Some(number.cast_signed()),
        Json::Number(Number::Negative(number)) => Some(number),
        Json::Text(text) => {
            let signed = text.parse::<i64>().ok();
            signed.or_else(|| text.parse::<u64>().ok().map(u64::cast_signed))
        }
        _ => None,
    };
    number.ok_or_else(|| "must be a whole number of 64 bits".into())
}

fn small<T: TryFrom<u64>>(value: Json<'_>) -> Result<T, String> {
    let number = match value {
        Json::Number(number) => number.as_whole().and_then(|number| T::try_from(number).ok()),
        _ => None,
    };
    number.ok_or_else(|| "must be a whole number, and not too large".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_columns() {
        for column in Column::ALL {
            let known = hitstone_engine::parquet::schema::COLUMNS.iter().any(|lake| {
                use hitstone_engine::parquet::schema::Content;
                lake.name == TEXT_NAMES[column.index()]
                    && matches!(lake.content, Content::Text(own) | Content::Pairs(own) if own == column)
            });
            assert!(known, "{column:?}");
        }
    }

    #[test]
    fn a_line_is_a_row_of_the_schema() {
        let line = br#"{"time":"2024-02-29T12:00:00.123987+01:00","kind":"event","visitor_id":18446744073709551615,
            "session_id":"-5","path":"/\u00fc","event_name":"Sale","event_meta":{"a":1,"b":{"c":"d"}},"tags":null,
            "non_interactive":true,"status":404,"event_duration":3,"unknown":[1],"country":"de"}"#;
        let read = LineRow::read(line).unwrap();
        let row = read.row().unwrap();
        assert_eq!((row.time, row.kind), (1_709_204_400_123, Kind::Event));
        assert_eq!((row.visitor, row.session), (VisitorId(u64::MAX), Some(-5)));
        assert_eq!((row.status, row.event_duration, row.non_interactive), (Some(404), Some(3), true));
        let text = |column: Column| row.texts[column.index()];
        assert_eq!((text(Column::Path), text(Column::Country)), ("/ü", "de"));
        assert_eq!(text(Column::EventMeta), encode_pairs(&[("a", "1"), ("b.c", "d")]));
        assert_eq!(check(&row, row.time), Ok(()));
    }

    #[test]
    fn times_are_what_databases_write() {
        let at = |text: &str| time(Json::Text(text.into()));
        for text in [
            "2024-01-01T00:00:00Z",
            "2024-01-01 00:00:00",
            "2024-01-01 00:00:00+00",
            "2024-01-01 01:00:00+01:00",
        ] {
            assert_eq!(at(text), Ok(1_704_067_200_000), "{text}");
        }
        assert_eq!(at("1969-12-31T23:59:59.9999Z"), Ok(-1));
        for text in ["yesterday", "2024-13-01T00:00:00Z", "", "1704067200000"] {
            assert!(at(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (line, wanted) in [
            ("{}", "time: is missing"),
            ("[]", "it is no JSON object"),
            ("{\"time\":1}", "time: must be a string"),
            (
                "{\"time\":\"2024-01-01T00:00:00Z\",\"kind\":\"view\"}",
                "kind: must be page_view, event or ping",
            ),
            ("{\"visitor_id\":1.5}", "visitor_id: must be a whole number of 64 bits"),
            ("{\"status\":70000}", "status: must be a whole number, and not too large"),
            ("{\"path\":7}", "path: must be a string"),
        ] {
            let found = LineRow::read(line.as_bytes()).and_then(|row| row.row().map(drop));
            assert_eq!(found, Err(wanted.into()), "{line}");
        }
        assert!(LineRow::read(b"{").err().unwrap().starts_with("it is not JSON"));
    }
}
