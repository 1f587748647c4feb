//! Writes the sessions of a site's sources: one file of the lake, or an export of a file for each month.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::ops::Range;

use super::file::{Observer, Placed, Sink, Written, write_sessions};
use super::key::Key;
use super::merge::Merge;
use super::month::Month;
use crate::error::{ParquetError, StorageError};
use crate::query::Source;
use crate::units::TimestampMs;

/// Takes files as they are written, one after the other.
pub trait Target {
    /// A file begins.
    fn begin(&mut self, month: Month) -> Result<(), StorageError>;
    /// More bytes of it.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;
    /// The file is whole. A file that is begun and not ended must not be taken for one.
    fn end(&mut self) -> Result<(), StorageError>;
}

/// Told now and then how far it is; a reason stops the writing.
pub type Watch<'w> = &'w mut dyn FnMut(&Written) -> Result<(), &'static str>;

/// Writes one file: the live sessions of the sources that were opened on days of the key. `site` is the host name that
/// the column of this name holds, `threads` how many encode columns at the same time. Without sessions the file has no
/// rows.
///
/// # Errors
/// What `sink` or `observer` gave, or [`ParquetError::Write`].
pub fn write_file(
    sources: &[Source<'_>],
    site: &str,
    key: Key,
    threads: NonZero<usize>,
    sink: Sink<'_>,
    observer: &mut dyn Observer,
) -> Result<Written, ParquetError> {
    write_sessions(sources, site, Merge::new(sources, key, None), threads, sink, observer)
}

/// Writes a file for each month of the live sessions of the sources whose last activity is in the span. `site` is the
/// host name that the column of this name holds.
///
/// # Errors
/// [`ParquetError::Storage`] when the target failed, [`ParquetError::Stopped`] when `watch` gave a reason.
pub fn write(
    sources: &[Source<'_>],
    site: &str,
    span: Range<TimestampMs>,
    target: &mut dyn Target,
    watch: Watch<'_>,
) -> Result<Written, ParquetError> {
    let mut total = Total { watch, before: Written::default() };
    for month in months(sources) {
        let mut sessions = Merge::new(sources, Key::Month(month), Some(span.clone())).peekable();
        if sessions.peek().is_none() {
            continue;
        }
        target.begin(month)?;
        let mut sink = |bytes: &[u8]| target.append(bytes);
        let written = write_sessions(sources, site, sessions, NonZero::<usize>::MIN, &mut sink, &mut total)?;
        target.end()?;
        total.before = total.with(&written);
    }
    (total.watch)(&total.before).map_err(ParquetError::Stopped)?;
    Ok(total.before)
}

/// The months in which sessions were opened.
fn months(sources: &[Source<'_>]) -> BTreeSet<Month> {
    sources.iter().flat_map(|source| source.table.runs).map(|run| Month::of(run.day_utc())).collect()
}

/// Tells the watch of all files together.
struct Total<'w> {
    watch: Watch<'w>,
    /// Files that are whole.
    before: Written,
}

impl Total<'_> {
    fn with(&self, file: &Written) -> Written {
        Written {
            rows: self.before.rows + file.rows,
            sessions: self.before.sessions + file.sessions,
            files: self.before.files + file.files,
            bytes: self.before.bytes + file.bytes,
        }
    }
}

impl Observer for Total<'_> {
    fn session(&mut self, _: &Placed) -> Result<(), ParquetError> {
        Ok(())
    }

    fn progress(&mut self, written: &Written) -> Result<(), ParquetError> {
        let all = self.with(written);
        (self.watch)(&all).map_err(ParquetError::Stopped)
    }
}
