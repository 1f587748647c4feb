//! Lines as JSON: whole numbers without a decimal point, rates unrounded, lists never null.

use std::collections::BTreeMap;

use hitstone_engine::event::Pairs;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::api::pirsch::filter::Scale;
use crate::statistics::Line;
use crate::statistics::numbers::share;
use crate::statistics::sort::SortBy;

/// A member of a line: its name and what it shows.
pub(super) type Field = (&'static str, Show);

/// What a member of a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// A text of the group; empty when the line has no such text.
    Key(usize),
    /// The line's date as that day's midnight in UTC, whatever the zone, when the series is of this unit.
    Date(Scale),
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
    /// A text of the group that holds pairs, as an object.
    Pairs(usize),
    CustomAverage,
    CustomTotal,
    /// The empty text.
    Blank,
}

impl Show {
    /// What a list is ordered by to be ordered by this member; `None` when that has no meaning.
    pub(super) fn sort_by(self) -> Option<SortBy> {
        Some(match self {
            Self::Key(key) => SortBy::Key(key),
            Self::Visitors | Self::RelativeVisitors => SortBy::Visitors,
            Self::Views | Self::RelativeViews => SortBy::Views,
            Self::Sessions => SortBy::Sessions,
            Self::Bounces => SortBy::Bounces,
            Self::BounceRate => SortBy::BounceRate,
            Self::Entries | Self::EntryRate => SortBy::Entries,
            Self::Seconds => SortBy::Seconds,
            Self::CustomAverage => SortBy::CustomAverage,
            Self::CustomTotal => SortBy::CustomTotal,
            Self::Blank => SortBy::Nothing,
            Self::Date(_) | Self::Slot | Self::SlotDay | Self::SlotHour => return None,
            Self::MetaKeys | Self::Pairs(_) => return None,
        })
    }
}

/// Lines and how they are spelled.
pub(super) struct Lines<'a> {
    pub(super) lines: &'a [Line],
    pub(super) fields: &'static [Field],
    /// What the lines of a series stand for.
    pub(super) scale: Scale,
}

impl Serialize for Lines<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.lines.len()))?;
        for line in self.lines {
            list.serialize_element(&OneLine { line, fields: self.fields, scale: self.scale })?;
        }
        list.end()
    }
}

/// A line and how it is spelled.
pub(super) struct OneLine<'a> {
    pub(super) line: &'a Line,
    pub(super) fields: &'static [Field],
    pub(super) scale: Scale,
}

impl Serialize for OneLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, show) in self.fields {
            object.serialize_key(name)?;
            write(&mut object, *show, self.line, self.scale)?;
        }
        object.end()
    }
}

fn write<M: SerializeMap>(object: &mut M, show: Show, line: &Line, scale: Scale) -> Result<(), M::Error> {
    let (metrics, whole) = (&line.metrics, &line.whole);
    let key = |index: usize| line.keys.get(index).map_or("", String::as_str);
    match show {
        Show::Key(index) => object.serialize_value(key(index)),
        Show::Date(of) if of == scale => object.serialize_value(&format_args!("{}T00:00:00Z", key(0))),
        Show::Date(_) => object.serialize_value(&()),
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
        Show::Pairs(index) => {
            let pairs: BTreeMap<&str, &str> = Pairs(key(index)).iter().collect();
            object.serialize_value(&pairs)
        }
        Show::CustomAverage => object.serialize_value(&line.custom.average()),
        Show::CustomTotal => object.serialize_value(&line.custom.total()),
        Show::Blank => object.serialize_value(""),
    }
}
