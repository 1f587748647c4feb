//! A row with the names of the Parquet schema, and what must hold of one whatever file it is in.

use std::borrow::Cow;

use hitstone_engine::event::{Kind, encode_pairs};
use hitstone_engine::import::{Row, RowTexts};
use hitstone_engine::parquet::Mark;
use hitstone_engine::parquet::schema::{Content, LakeColumn};
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

/// What is wrong with a row, as far as this can be told without the store.
pub(super) fn check(row: &Row<'_>, now: TimestampMs) -> Result<(), &'static str> {
    if row.time < TIME_MIN {
        return Err("its time is before the year 2000");
    }
    if row.time > now.saturating_add(AHEAD_MS_MAX) {
        return Err("its time is more than 24 hours ahead");
    }
    match row.kind {
        Kind::PageView if row.is_empty(Column::Path) => Err("a page view without a path"),
        Kind::Event if row.is_empty(Column::EventName) => Err("an event without event_name"),
        _ => Ok(()),
    }
}

/// The texts of a row, which says where it comes from.
pub(super) struct WithSource<'a>(pub(super) &'a dyn RowTexts);

impl RowTexts for WithSource<'_> {
    fn text(&self, column: Column) -> &str {
        match self.0.text(column) {
            "" if column == Column::Source => SOURCE,
            text => text,
        }
    }

    fn mark(&self, column: Column) -> Option<Mark> {
        self.0.mark(column).filter(|mark| column != Column::Source || mark.number != 0)
    }

    fn byte_count_at_most(&self) -> usize {
        self.0.byte_count_at_most() + SOURCE.len()
    }
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
    /// It has a `url`, as hits have.
    has_url: bool,
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
            has_url: false,
        };
        for (name, value) in members {
            if value != Json::Null {
                row.take(&name, value).map_err(|what| format!("{name}: {what}"))?;
            }
        }
        Ok(row)
    }

    fn take(&mut self, name: &str, value: Json<'a>) -> Result<(), String> {
        let Some(column) = LakeColumn::named(name) else {
            self.has_url |= name == "url";
            return Ok(());
        };
        match column.content {
            Content::Site => self.site = text(value)?,
            Content::Time => self.time = Some(time(value)?),
            Content::Received => self.received = Some(time(value)?),
            Content::Kind => {
                let name = text(value)?;
                let kind = Kind::from_name(&name);
                self.kind = Some(kind.ok_or_else(|| "must be page_view, event or ping".to_owned())?);
            }
            Content::VisitorId => self.visitor = Some(VisitorId(id(value)?.cast_unsigned())),
            Content::SessionId => self.session = Some(id(value)?),
            Content::UserKey => self.user_key = Some(id(value)?.cast_unsigned()),
            Content::EventDuration => self.event_duration = Some(small(value)?),
            Content::Status => self.status = Some(small(value)?).filter(|&status| status != 0),
            Content::NonInteractive => match value {
                Json::Bool(value) => self.non_interactive = value,
                _ => return Err("must be true or false".into()),
            },
            Content::Pairs(column) => {
                let found = pairs::flatten(value, Lists::Refused)?;
                self.texts[column.index()] = Cow::Owned(encode_pairs(&found));
            }
            Content::Text(column) => self.texts[column.index()] = text(value)?,
        }
        Ok(())
    }

    /// The row.
    ///
    /// # Errors
    /// What is missing.
    pub(super) fn row(&self) -> Result<Row<'_>, String> {
        if self.has_url && self.kind.is_none() && self.visitor.is_none() {
            return Err("it is a hit, not an enriched row: --format hits takes those".into());
        }
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
            texts: self,
        })
    }
}

impl RowTexts for LineRow<'_> {
    fn text(&self, column: Column) -> &str {
        self.texts.get(column.index()).map_or("", |text| text)
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
    fn a_line_is_a_row_of_the_schema() {
        let line = br#"{"time":"2024-02-29T12:00:00.123987+01:00","kind":"event","visitor_id":18446744073709551615,
            "session_id":"-5","path":"/\u00fc","event_name":"Sale","event_meta":{"a":1,"b":{"c":"d"}},"tags":null,
            "non_interactive":true,"status":404,"event_duration":3,"unknown":[1],"country":"de"}"#;
        let read = LineRow::read(line).unwrap();
        let row = read.row().unwrap();
        assert_eq!((row.time, row.kind), (1_709_204_400_123, Kind::Event));
        assert_eq!((row.visitor, row.session), (VisitorId(u64::MAX), Some(-5)));
        assert_eq!((row.status, row.event_duration, row.non_interactive), (Some(404), Some(3), true));
        let text = |column: Column| row.text(column);
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
            ("{\"url\":\"/\"}", "it is a hit, not an enriched row: --format hits takes those"),
            ("{\"url\":\"/\",\"visitor_id\":1}", "time: is missing"),
        ] {
            let found = LineRow::read(line.as_bytes()).and_then(|row| row.row().map(drop));
            assert_eq!(found, Err(wanted.into()), "{line}");
        }
        assert!(LineRow::read(b"{").err().unwrap().starts_with("it is not JSON"));
    }
}
