//! What is put into the open segment: texts as codes. Who gives a text its code is the caller's business.

use crate::error::StorageError;
use crate::record::{ROW_TEXT_COUNT, Row};
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::units::TimestampMs;

/// A row as it is stored: codes for texts, zero for what is absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct RowData {
    /// Milliseconds.
    pub time: TimestampMs,
    /// Kind and flags, as segments store them.
    pub kind: u8,
    /// Duration plus one.
    pub event_duration: u64,
    /// HTTP status.
    pub status: u64,
    /// When the server took it, 0 when the same as the time.
    pub received: u64,
    /// Codes of the row texts, in the order of [`Column::row_texts`].
    pub texts: [u32; ROW_TEXT_COUNT],
}

impl RowData {
    /// A row whose texts have the codes that `intern` gives them.
    pub fn coded(
        row: &Row<'_>,
        intern: impl FnMut(Column, &str) -> Result<u32, StorageError>,
    ) -> Result<Self, StorageError> {
        Ok(Self {
            time: row.time,
            kind: row.kind,
            event_duration: row.event_duration,
            status: row.status,
            received: row.received,
            texts: codes(Column::row_texts(), &row.texts, intern)?,
        })
    }
}

/// The codes that `intern` gives a session's attributes.
pub fn attribute_codes(
    attributes: &[&str; ATTRIBUTE_COUNT],
    intern: impl FnMut(Column, &str) -> Result<u32, StorageError>,
) -> Result<[u32; ATTRIBUTE_COUNT], StorageError> {
    codes(Column::attributes(), attributes, intern)
}

fn codes<const N: usize>(
    columns: &[Column],
    texts: &[&str; N],
    mut intern: impl FnMut(Column, &str) -> Result<u32, StorageError>,
) -> Result<[u32; N], StorageError> {
    let mut codes = [0; N];
    for (code, (&column, text)) in codes.iter_mut().zip(columns.iter().zip(texts)) {
        *code = intern(column, text)?;
    }
    Ok(codes)
}
