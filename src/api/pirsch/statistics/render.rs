//! Lines as JSON: whole numbers without a decimal point, rates unrounded, lists never null.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::statistics::Line;
use crate::statistics::numbers::share;

/// A member of a line: its name and what it shows.
pub(super) type Field = (&'static str, Show);

/// What a member of a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// A text of the group; empty when the line has no such text.
    Key(usize),
    /// The group's date as that day's midnight in UTC, whatever the zone.
    Day,
    Slot,
    /// The day of a slot of the week, 0 is Monday.
    SlotDay,
    /// The hour of a slot of the week.
    SlotHour,
    Visitors,
    Views,
    Sessions,
    Bounces,
    BounceRate,
    RelativeVisitors,
    RelativeViews,
    Entries,
    EntryRate,
    Seconds,
    MetaKeys,
    /// The empty text.
    Blank,
    Null,
}

/// Lines and how they are spelled.
pub(super) struct Lines<'a> {
    pub(super) lines: &'a [Line],
    pub(super) fields: &'static [Field],
}

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.lines.len()))?;
        for line in self.lines {
            list.serialize_element(&OneLine { line, fields: self.fields })?;
        }
        list.end()
    }
}

/// A line and how it is spelled.
pub(super) struct OneLine<'a> {
    pub(super) line: &'a Line,
    pub(super) fields: &'static [Field],
}

impl Serialize for OneLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, show) in self.fields {
            object.serialize_key(name)?;
            write(&mut object, *show, self.line)?;
        }
        object.end()
    }
}

fn write<M: SerializeMap>(object: &mut M, show: Show, line: &Line) -> Result<(), M::Error> {
    let (metrics, whole) = (&line.metrics, &line.whole);
    let key = |index: usize| line.keys.get(index).map_or("", String::as_str);
    match show {
        Show::Key(index) => object.serialize_value(key(index)),
        Show::Day => object.serialize_value(&format_args!("{}T00:00:00Z", key(0))),
        Show::Slot => object.serialize_value(&line.slot),
        Show::SlotDay => object.serialize_value(&(line.slot / 24)),
        Show::SlotHour => object.serialize_value(&(line.slot % 24)),
        Show::Visitors => object.serialize_value(&metrics.visitors),
        Show::Views => object.serialize_value(&metrics.views),
        Show::Sessions => object.serialize_value(&metrics.sessions),
        Show::Bounces => object.serialize_value(&metrics.bounces),
        Show::BounceRate => object.serialize_value(&share(metrics.bounces, metrics.sessions)),
        Show::RelativeVisitors => object.serialize_value(&share(metrics.visitors, whole.visitors)),
        Show::RelativeViews => object.serialize_value(&share(metrics.views, whole.views)),
        Show::Entries => object.serialize_value(&line.entries),
        Show::EntryRate => object.serialize_value(&share(line.entries, whole.sessions)),
        Show::Seconds => object.serialize_value(&line.seconds),
        Show::MetaKeys => object.serialize_value(&line.meta_keys),
        Show::Blank => object.serialize_value(""),
        Show::Null => object.serialize_value(&()),
    }
}
