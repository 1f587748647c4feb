//! Which visitors of a file are marked as if the site had given their ids, because they come on days further apart
//! than anonymous ids can: imports bring such. The Parquet files do not say it, the indexes do, and it follows from all
//! of the site's sessions.
//!
//! A visitor that is marked is so in all its sessions. So one that has sessions in a sound index or in a segment is
//! marked there, and of what is not sound the days are compared.

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{ParquetError, StorageError};
use crate::lake::{BlockChecksums, CheckedBytes, LiveFile};
use crate::parquet::column::ColumnFile;
use crate::parquet::schema::Content;
use crate::scan::recurring::DAYS_APART_MAX;
use crate::segment::Segment;
use crate::segment::table::FLAG_GIVEN_ID;
use crate::units::{DayUtc, SessionId, SiteId};

/// The marked visitors of a file.
pub(super) struct Marks {
    visitors: HashSet<u64>,
    /// Nobody can tell any more. Marking too many is slower, never wrong.
    all: bool,
}

/// The days of a visitor's first and last session.
type Days = (u64, DayUtc, DayUtc);

impl Marks {
    /// Those of one of a site's files. `bytes` are its own, `segments` what the site has beside files; `is_all` unless
    /// some are damaged.
    ///
    /// # Errors
    /// The file is damaged, or one could not be read.
    pub fn of(
        site: SiteId,
        file: &LiveFile,
        bytes: &CheckedBytes,
        files: &[LiveFile],
        (segments, is_all): (&[Arc<Segment>], bool),
    ) -> Result<Self, StorageError> {
        if let Ok(index) = file.file.read_index() {
            let mut visitors = HashSet::new();
            index.given_visitors(|visitor| {
                visitors.insert(visitor);
            })?;
            return Ok(Self { visitors, all: false });
        }
        let mut own = days_of(bytes)?;
        let mut marks = Self { visitors: HashSet::new(), all: !is_all };
        for other in files.iter().filter(|other| other.key != file.key) {
            if let Ok(index) = other.file.read_index() {
                index.given_visitors(|visitor| marks.mark(&own, visitor))?;
            } else if widen(&mut own, other).is_err() {
                marks.all = true;
            }
        }
        for segment in segments {
            let Some(table) = segment.table(site)? else { continue };
            let given = |session: &usize| table.states.flags(*session) & FLAG_GIVEN_ID != 0;
            let visitors = (0..table.session_count()).filter(given);
            visitors
                .filter_map(|session| table.visitors.get(session))
                .for_each(|visitor| marks.mark(&own, visitor));
        }
        let recur = own.iter().filter(|(_, first, last)| u32::from(last.0 - first.0) > DAYS_APART_MAX);
        marks.visitors.extend(recur.map(|(visitor, ..)| *visitor));
        Ok(marks)
    }

    /// Whether a visitor is marked.
    pub fn contains(&self, visitor: u64) -> bool {
        self.all || self.visitors.contains(&visitor)
    }

    fn mark(&mut self, own: &[Days], visitor: u64) {
        if own.binary_search_by_key(&visitor, |known| known.0).is_ok() {
            self.visitors.insert(visitor);
        }
    }
}

/// The visitors of a file, ascending, with their days.
fn days_of(bytes: &CheckedBytes) -> Result<Vec<Days>, StorageError> {
    let mut days: Vec<Days> = Vec::new();
    each(bytes, |visitor, day| {
        if days.last() != Some(&(visitor, day, day)) {
            days.push((visitor, day, day));
        }
    })?;
    days.sort_unstable();
    days.dedup_by(|later, known| {
        let is_same = later.0 == known.0;
        if is_same {
            known.2 = known.2.max(later.2);
        }
        is_same
    });
    Ok(days)
}

/// Extends the days of visitors to those that they have in another file.
fn widen(own: &mut [Days], other: &LiveFile) -> Result<(), StorageError> {
    let bytes = other.file.map_parquet()?;
    let checksums = other.file.known_checksums().unwrap_or_else(|| BlockChecksums::of(&bytes));
    let bytes = CheckedBytes::new(other.file.parquet(), bytes, checksums);
    each(&bytes, |visitor, day| {
        if let Ok(at) = own.binary_search_by_key(&visitor, |known| known.0)
            && let Some((_, first, last)) = own.get_mut(at)
        {
            (*first, *last) = ((*first).min(day), (*last).max(day));
        }
    })
}

/// Calls `take` for each row of a file with its visitor and the day on which its session was opened.
fn each(bytes: &CheckedBytes, mut take: impl FnMut(u64, DayUtc)) -> Result<(), StorageError> {
    let damage = |error: ParquetError| match error {
        ParquetError::Storage(error) => error,
        error => StorageError::corrupt(bytes.path(), 0, error.to_string()),
    };
    let footer = ColumnFile::open(bytes.path(), bytes).map_err(damage)?;
    for group in 0..footer.group_count() {
        let column = |content: Content| {
            let mut values = Vec::new();
            let read = footer.read(bytes, content, group, &mut |rows| {
                values.extend_from_slice(rows.all_numbers()?);
                Ok(())
            });
            read.map(|()| values).map_err(damage)
        };
        for (visitor, session) in column(Content::VisitorId)?.into_iter().zip(column(Content::SessionId)?) {
            take(visitor.cast_unsigned(), SessionId(session as u32).day());
        }
    }
    Ok(())
}
