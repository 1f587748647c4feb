//! Finding a visitor's sessions in a file of the lake. Of a file that is damaged nothing is found, and it is set aside.

use std::ops::RangeInclusive;

use super::{LiveFile, OpenFile};
use crate::error::StorageError;
use crate::limits;
use crate::parquet::{Key, Month};
use crate::session::Extent;
use crate::units::{DayUtc, SessionId, SessionKey, TimestampMs, VisitorId};

/// Where sessions can be that an event may join, and those that were opened on its UTC day.
pub struct Near {
    time: TimestampMs,
    window_ms: i64,
    days: RangeInclusive<DayUtc>,
    months: RangeInclusive<Month>,
}

/// A session that was found: its index, its id, its first and last time, and how many rows it has.
pub type Found = (u32, SessionId, Extent, usize);

impl Near {
    /// Near this time, in milliseconds, where a session lives so long without activity.
    pub fn new(time: TimestampMs, window_ms: i64) -> Self {
        let first = DayUtc::of(time.saturating_sub(limits::SESSION_LENGTH_MS_MAX + window_ms));
        let last = DayUtc::of(time.saturating_add(window_ms));
        Self { time, window_ms, days: first..=last, months: Month::of(first)..=Month::of(last) }
    }

    fn touches(&self, key: Key) -> bool {
        match key {
            Key::Month(month) => self.months.contains(&month),
            Key::Day(day) => self.days.contains(&day),
        }
    }
}

impl LiveFile {
    /// Asks the file. `None`: it is damaged, or cannot be read now.
    pub fn ask<T>(&self, question: impl FnOnce(&OpenFile) -> Result<T, StorageError>) -> Option<T> {
        match self.file.open().and_then(|open| question(&open)) {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.file.note_unreadable();
                if let StorageError::Corrupt { .. } = error {
                    self.file.set_aside(error);
                }
                None
            }
        }
    }

    /// Where a session is, superseded or not. `None`: nobody can tell.
    pub fn find_session(&self, key: SessionKey) -> Option<Option<u32>> {
        let day = key.session.day();
        if !self.key.contains(day) {
            return Some(None);
        }
        self.ask(|open| {
            if open.runs_of(key.visitor, |known| known == day)?.is_empty() {
                return Ok(None);
            }
            open.index.find_session(&open.columns, key.visitor, key.session)
        })
    }

    /// The visitor's sessions near a time, superseded or not.
    pub fn sessions_near(&self, visitor: VisitorId, near: &Near) -> Vec<Found> {
        if !near.touches(self.key) {
            return Vec::new();
        }
        let found = self.ask(|open| {
            let mut found = Vec::new();
            if !open.runs_of(visitor, |day| near.days.contains(&day))?.is_empty() {
                let (time, window) = (near.time, near.window_ms);
                open.index.sessions_of(
                    &open.columns,
                    visitor,
                    time,
                    window,
                    |session, id, extent, rows| {
                        found.push((session, id, extent, rows));
                    },
                )?;
            }
            Ok(found)
        });
        found.unwrap_or_default()
    }
}
