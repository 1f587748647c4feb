//! A row as a file has it.

use std::cell::OnceCell;

use super::read::Batch;
use crate::event::Kind;
use crate::schema::Column;
use crate::units::{TimestampMs, VisitorId};

/// One row. A column that the file does not have is as one without values.
#[derive(Debug, Clone)]
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
    pub(super) texts: LazyTexts<'a>,
}

/// The texts of a row, which are read when they are asked for: of most columns that is once a session.
#[derive(Debug, Clone)]
pub(super) struct LazyTexts<'a> {
    pub batch: &'a Batch,
    pub row: usize,
    pub event_meta: OnceCell<String>,
    pub tags: OnceCell<String>,
}

/// Stands for a text of a column: equal marks of equal batches mean equal texts. Others may be equal, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The batch, other than those of all batches that this process has read lately.
    pub batch: u32,
    /// Below [`Mark::COUNT`]; 0 stands for the empty text.
    pub number: u16,
}

impl Mark {
    /// One more than the greatest number of a mark.
    pub const COUNT: usize = super::marks::COUNT;
}

impl LakeRow<'_> {
    /// The text of a column; "" when it is absent. Metadata and tags are encoded as [`crate::event::encode_pairs`] does.
    pub fn text(&self, column: Column) -> &str {
        let LazyTexts { batch, row, event_meta, tags } = &self.texts;
        match column {
            Column::EventMeta => event_meta.get_or_init(|| batch.pairs(column, *row)),
            Column::Tags => tags.get_or_init(|| batch.pairs(column, *row)),
            column => batch.text(column, *row),
        }
    }

    /// Stands for the text of a column; metadata and tags have none unless they are empty.
    pub fn mark(&self, column: Column) -> Option<Mark> {
        self.texts.batch.mark(column, self.texts.row)
    }

    /// Bytes of all texts, or more; the most that any row of the batch could have, where that is known.
    pub fn text_bytes_at_most(&self) -> usize {
        let pairs = [Column::EventMeta, Column::Tags].map(|column| match self.mark(column) {
            Some(_) => 0,
            None => self.text(column).len(),
        });
        self.texts.batch.longest() + pairs.iter().sum::<usize>()
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
