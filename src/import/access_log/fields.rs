//! Fields of a JSON object, by any of several names.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{present, text::status_of, time};
use hitstone_engine::units::TimestampMs;

/// The object on a line.
pub(super) fn object(line: &str) -> Result<Map<String, Value>, &'static str> {
    match serde_json::from_str(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("the line is no JSON object"),
        // What nginx writes without `escape=json` looks like JSON until a quote or a backslash comes.
        Err(_) if line.contains("\\x") => {
            Err("the line is no JSON; nginx needs `escape=json` in its log_format")
        }
        Err(_) => Err("the line is no JSON"),
    }
}

/// The first of these fields that is there and not empty, as text. Numbers are texts, too; of a list the first counts.
pub(super) fn text<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<Cow<'a, str>> {
    names.iter().filter_map(|name| object.get(*name)).filter_map(scalar).find(|text| !text.is_empty())
}

/// As [`text`], empty when there is none.
pub(super) fn text_or_empty<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Cow<'a, str> {
    text(object, names).unwrap_or_default()
}

/// The first of these fields that is there, as a time.
pub(super) fn time_of(object: &Map<String, Value>, names: &[&str]) -> Option<TimestampMs> {
    text(object, names).and_then(|text| time::read(&text))
}

/// The status in a field.
pub(super) fn status(object: &Map<String, Value>) -> Option<u16> {
    status_of(text_or_empty(object, &["status"]).as_bytes())
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(present(Cow::Borrowed(text))),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Array(values) => match values.first() {
            Some(Value::String(text)) => Some(Cow::Borrowed(text)),
            _ => None,
        },
        _ => None,
    }
}
