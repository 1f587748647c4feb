//! A row as it is handed to an import.

use crate::event::{Event, Kind};
use crate::limits;
use crate::parquet::{LakeRow, Mark};
use crate::schema::Column;
use crate::segment::table::ROW_NON_INTERACTIVE;
use crate::units::{TimestampMs, VisitorId};

/// One row of a file, enriched.
#[derive(Clone, Copy)]
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
    /// All its texts.
    pub texts: &'a dyn RowTexts,
}

/// The texts of a row. Those of a visit are asked for once a session only.
pub trait RowTexts {
    /// The text of a column; "" when it has none.
    fn text(&self, column: Column) -> &str;

    /// Stands for the text, where equal ones are known without a look at them.
    fn mark(&self, _column: Column) -> Option<Mark> {
        None
    }

    /// Bytes of all texts, or more when that is quicker to tell.
    fn byte_count_at_most(&self) -> usize {
        byte_count(self)
    }
}

fn byte_count<T: RowTexts + ?Sized>(texts: &T) -> usize {
    Column::ALL.iter().map(|&column| texts.text(column).len()).sum()
}

impl RowTexts for LakeRow<'_> {
    fn text(&self, column: Column) -> &str {
        self.text(column)
    }

    fn mark(&self, column: Column) -> Option<Mark> {
        self.mark(column)
    }

    fn byte_count_at_most(&self) -> usize {
        self.text_bytes_at_most()
    }
}

impl RowTexts for crate::event::Texts {
    fn text(&self, column: Column) -> &str {
        self.get(column)
    }
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
            texts: row,
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
            texts: &event.texts,
        }
    }

    /// Whether its texts are longer than those of a row may be.
    pub(super) fn is_too_long(&self) -> bool {
        let max = limits::IMPORT_ROW_BYTES_MAX;
        self.texts.byte_count_at_most() > max && byte_count(self.texts) > max
    }

    /// The text of a column.
    pub fn text(&self, column: Column) -> &'a str {
        self.texts.text(column)
    }

    /// Whether it has no text of a column.
    pub fn is_empty(&self, column: Column) -> bool {
        match self.texts.mark(column) {
            Some(mark) => mark.number == 0,
            None => self.text(column).is_empty(),
        }
    }

    /// Kind and flags, as they are stored.
    pub(super) fn kind_byte(&self) -> u8 {
        self.kind as u8 | if self.non_interactive { ROW_NON_INTERACTIVE } else { 0 }
    }

    /// The assumed page view that a custom event opens a session with; `texts` are those of [`PageViewTexts`].
    pub(super) fn page_view(mut self, texts: &'a PageViewTexts<'a>) -> Self {
        self.kind = Kind::PageView;
        self.event_duration = None;
        self.non_interactive = true;
        self.texts = texts;
        self
    }
}

/// The texts of a page view that comes with a custom event.
pub(super) struct PageViewTexts<'a>(pub(super) &'a dyn RowTexts);

impl RowTexts for PageViewTexts<'_> {
    fn text(&self, column: Column) -> &str {
        match column {
            Column::EventName | Column::EventMeta | Column::EventId => "",
            column => self.0.text(column),
        }
    }
}
