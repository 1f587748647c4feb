//! Writes the sessions of a site's sources: one file of the lake, or an export of a file for each month.

use std::num::NonZero;
use std::ops::Range;

use super::file::{FileWriter, Observer, Placed, Sink, Written, write_sessions};
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

/// Writes a file for each month: the live sessions of a site whose last activity is in a span, given part by part, so
/// that not all of the site must be at hand at once.
pub struct Exporter<'e> {
    site: &'e str,
    span: Range<TimestampMs>,
    target: &'e mut dyn Target,
    total: Total<'e>,
    current: Option<(Month, FileWriter)>,
}

impl<'e> Exporter<'e> {
    /// Nothing is written yet. `site` is the host name that the column of this name holds.
    pub fn new(
        site: &'e str,
        span: Range<TimestampMs>,
        target: &'e mut dyn Target,
        watch: Watch<'e>,
    ) -> Self {
        let total = Total { watch, before: Written::default() };
        Self { site, span, target, total, current: None }
    }

    /// Writes the sessions of the sources that were opened on days of the key. Keys must ascend.
    ///
    /// # Errors
    /// [`ParquetError::Storage`] when the target failed, [`ParquetError::Stopped`] when the watch gave a reason.
    pub fn add(&mut self, sources: &[Source<'_>], key: Key) -> Result<(), ParquetError> {
        let mut sessions = Merge::new(sources, key, Some(self.span.clone())).peekable();
        if sessions.peek().is_none() {
            return Ok(());
        }
        let (month, mut file) = match self.current.take() {
            Some((month, file)) if month == key.month() => (month, file),
            other => {
                self.current = other;
                self.end_file()?;
                self.target.begin(key.month())?;
                (key.month(), FileWriter::new(self.site, NonZero::<usize>::MIN)?)
            }
        };
        file.add(sources, sessions, &mut |bytes| self.target.append(bytes), &mut self.total)?;
        self.current = Some((month, file));
        Ok(())
    }

    /// All is written.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish(mut self) -> Result<Written, ParquetError> {
        self.end_file()?;
        (self.total.watch)(&self.total.before).map_err(ParquetError::Stopped)?;
        Ok(self.total.before)
    }

    fn end_file(&mut self) -> Result<(), ParquetError> {
        if let Some((_, file)) = self.current.take() {
            let written = file.finish(&mut |bytes| self.target.append(bytes))?;
            self.total.progress(&written)?;
            self.target.end()?;
            self.total.before = self.total.with(&written);
        }
        Ok(())
    }
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
