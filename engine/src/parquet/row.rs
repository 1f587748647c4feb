//! A row as a file has it.

use crate::event::Kind;
use crate::schema::{COLUMN_COUNT, Column};
use crate::units::{TimestampMs, VisitorId};

/// One row. A column that the file does not have is as one without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeRow<'a> {
    /// The host name in the column `site`, which must be that of the site it is imported to.
    pub site: Option<&'a str>,
    /// When it happened; finer times are cut to milliseconds.
    pub time: TimestampMs,
    /// When the server took it, when that is another time.
    pub received: Option<TimestampMs>,
    /// Page view, custom event or ping.
    pub kind: Kind,
    /// The visitor.
    pub visitor: VisitorId,
    /// The session, unique with the visitor.
    pub session: Option<i64>,
    /// The hash of an id that the site gave.
    pub user_key: Option<u64>,
    /// Seconds that a custom event lasted.
    pub event_duration: Option<u32>,
    /// A custom event that does not end a bounce.
    pub non_interactive: bool,
    /// HTTP status of the page.
    pub status: Option<u16>,
    /// Metadata of a custom event, encoded as [`crate::event::encode_pairs`] does.
    pub event_meta: String,
    /// Tags, encoded in the same way.
    pub tags: String,
    /// All text columns but metadata and tags, which are empty here.
    pub(super) texts: [&'a str; COLUMN_COUNT],
}

impl LakeRow<'_> {
    /// The text of a column; "" when it is absent.
    pub fn text(&self, column: Column) -> &str {
        match column {
            Column::EventMeta => &self.event_meta,
            Column::Tags => &self.tags,
            column => self.texts.get(column.index()).copied().unwrap_or_default(),
        }
    }
}

/// Why a row of a sound file cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row}: the column {column} {what}")]
pub struct RowFault {
    /// The row's number in the file, the first being 1.
    pub row: u64,
    /// The column.
    pub column: &'static str,
    /// The rest of the sentence.
    pub what: String,
}
