//! A row as it is handed to an import.

use crate::event::{Event, Kind};
use crate::parquet::LakeRow;
use crate::record;
use crate::schema::{ATTRIBUTE_COUNT, COLUMN_COUNT, Column};
use crate::segment::table::ROW_NON_INTERACTIVE;
use crate::units::{TimestampMs, VisitorId};

/// One row of a file, enriched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// When it happened.
    pub time: TimestampMs,
    /// When it was taken, when that is another time.
    pub received: Option<TimestampMs>,
    /// Page view, custom event or ping.
    pub kind: Kind,
    /// The visitor.
    pub visitor: VisitorId,
    /// The session as the file names it, unique with the visitor; `None`: the session rules apply.
    pub session: Option<i64>,
    /// The hash of an id that the site gave.
    pub user_key: Option<u64>,
    /// Seconds that a custom event lasted.
    pub event_duration: Option<u32>,
    /// A custom event that does not end a bounce.
    pub non_interactive: bool,
    /// HTTP status of the page.
    pub status: Option<u16>,
    /// All text columns, by their numbers.
    pub texts: [&'a str; COLUMN_COUNT],
}

impl<'a> Row<'a> {
    /// A row of a Parquet file.
    pub fn of_lake(row: &'a LakeRow<'_>) -> Self {
        Self {
            time: row.time,
            received: row.received,
            kind: row.kind,
            visitor: row.visitor,
            session: row.session,
            user_key: row.user_key,
            event_duration: row.event_duration,
            non_interactive: row.non_interactive,
            status: row.status,
            texts: Column::ALL.map(|column| row.text(column)),
        }
    }

    /// An event's own row.
    pub fn of_event(event: &'a Event) -> Self {
        Self {
            time: event.time,
            received: event.received,
            kind: event.kind,
            visitor: event.visitor,
            session: None,
            user_key: event.user_key,
            event_duration: event.event_duration,
            non_interactive: event.non_interactive,
            status: event.status,
            texts: Column::ALL.map(|column| event.texts.get(column)),
        }
    }

    /// Bytes of all texts.
    pub fn text_bytes(&self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }

    /// The text of a column.
    pub(super) fn text(&self, column: Column) -> &'a str {
        self.texts.get(column.index()).copied().unwrap_or_default()
    }

    /// What is stored with the row.
    pub(super) fn stored(&self) -> record::Row<'a> {
        let mut texts = [""; COLUMN_COUNT - ATTRIBUTE_COUNT];
        for (text, own) in texts.iter_mut().zip(self.texts.iter().skip(ATTRIBUTE_COUNT)) {
            *text = own;
        }
        record::Row {
            time: self.time,
            kind: self.kind as u8 | if self.non_interactive { ROW_NON_INTERACTIVE } else { 0 },
            event_duration: self.event_duration.map_or(0, |seconds| u64::from(seconds) + 1),
            status: self.status.map_or(0, u64::from),
            received: self.received.map_or(0, |time| time.max(0) as u64),
            texts,
        }
    }

    /// The page view that a custom event opens a session with.
    pub(super) fn page_view(mut self) -> Self {
        self.kind = Kind::PageView;
        self.event_duration = None;
        self.non_interactive = false;
        for column in [Column::EventName, Column::EventMeta, Column::EventId] {
            self.texts[column.index()] = "";
        }
        self
    }
}
