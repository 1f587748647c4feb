//! What an index leaves to its Parquet file: columns that few queries need, read when one does.

use std::ops::Range;
use std::sync::Arc;

use crate::error::StorageError;
use crate::schema::Column;

/// A column of numbers that an index has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColdNumber {
    /// Duration of a custom event in seconds plus one; 0 when absent.
    EventDuration,
    /// HTTP status, 0 when absent.
    Status,
    /// When the server took the event, milliseconds; 0 when the same as its time.
    Received,
    /// Key of a given id, 0 when none; the same in all rows of a session.
    UserKey,
}

/// A value for each of neighbouring rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColdRows<T> {
    /// The first of the rows.
    pub first_row: u32,
    /// The values of it and those that follow.
    pub values: Box<[T]>,
}

/// The rows that have a text of a column. Texts are in byte order, without the empty one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColdTexts {
    /// The rows, ascending.
    pub rows: Box<[u32]>,
    /// The text of each of them: its number, from 0.
    pub codes: Box<[u32]>,
    /// Where each text starts in `bytes`, and the end.
    pub offsets: Box<[u32]>,
    /// All texts, UTF-8. Metadata and tags as [`crate::event::encode_pairs`] writes them.
    pub bytes: Box<[u8]>,
}

/// The rows that have a number other than 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ColdNumbers {
    /// The rows, ascending.
    pub rows: Box<[u32]>,
    /// The number of each of them.
    pub values: Box<[u64]>,
}

/// Reads columns that an index has not. Rows are numbered as in the index's table. What is read is kept for a while.
pub trait ColdColumns: Send + Sync {
    /// The visitor of each row; of these rows at least.
    ///
    /// # Errors
    /// The file is damaged or could not be read; so for all of these.
    fn visitors(&self, rows: Range<u32>) -> Result<Arc<ColdRows<u64>>, StorageError>;

    /// The exact time of each row, milliseconds; of these rows at least.
    fn times(&self, rows: Range<u32>) -> Result<Arc<ColdRows<i64>>, StorageError>;

    /// A text column of all rows: metadata, tags, event ids or sources. Another column is an error.
    fn texts(&self, column: Column) -> Result<Arc<ColdTexts>, StorageError>;

    /// A column of numbers of all rows.
    fn numbers(&self, number: ColdNumber) -> Result<Arc<ColdNumbers>, StorageError>;
}
