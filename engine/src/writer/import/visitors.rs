//! The visitors of an import: what number their next session gets, and whether they recur.
//!
//! An id that comes on days further apart than an anonymous id can is *marked* from then on, as ids are that the site
//! gives: distinct counts over several days rely on the mark. Earlier sessions of such an id get it too, by being taken
//! and written again; [`Visitors::next_to_mark`] says whose.

use std::path::Path;

use super::keymap::KeyMap;
use super::stored::Stored;
use crate::error::StorageError;
use crate::scan::recurring::DAYS_APART_MAX;
use crate::units::{DayUtc, SessionId, VisitorId};
use crate::vfs::SharedFs;

const MARKED: u64 = 1 << 48;

/// What is known of a visitor.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The first day with a session.
    first: u16,
    /// The last day with a session.
    last: u16,
    /// The greatest number of a session on the last day.
    n: u16,
    marked: bool,
}

impl Known {
    fn unpack(value: u64) -> Self {
        let [first, last, n] = [32, 16, 0].map(|shift| (value >> shift) as u16);
        Self { first, last, n, marked: value & MARKED != 0 }
    }

    fn pack(self) -> u64 {
        let mark = if self.marked { MARKED } else { 0 };
        mark | u64::from(self.first) << 32 | u64::from(self.last) << 16 | u64::from(self.n)
    }
}

/// All visitors that an import has met.
pub(super) struct Visitors {
    known: KeyMap,
    /// Visitors whose earlier sessions lack the mark.
    to_mark: Vec<VisitorId>,
    any_marked: bool,
}

impl Visitors {
    pub(super) fn new(fs: &SharedFs, folder: &Path, number: u64) -> Result<Self, StorageError> {
        Ok(Self { known: KeyMap::new(fs, folder, number)?, to_mark: Vec::new(), any_marked: false })
    }

    /// A number for a session that the visitor opens on `day`; `None` when all are used up. `largest` looks for the
    /// greatest one of a day that is not the visitor's last.
    pub(super) fn number(
        &mut self,
        visitor: VisitorId,
        day: DayUtc,
        stored: &Stored,
        largest: impl FnOnce() -> Option<u16>,
    ) -> Result<Option<SessionId>, StorageError> {
        let known = match self.known.get([visitor.0, 0]).map(Known::unpack) {
            Some(known) => Some(known),
            None => self.before(visitor, stored)?,
        };
        // Known once the visitor's sessions were looked for.
        let numbers = stored.numbers(day);
        let Some(mut known) = known else {
            let Some(n) = numbers.next(None) else { return Ok(None) };
            let known = Known { first: day.0, last: day.0, n, marked: false };
            self.known.insert([visitor.0, 0], known.pack())?;
            return Ok(Some(SessionId::new(day, n)));
        };
        self.any_marked |= known.marked;
        let n = match day.0.cmp(&known.last) {
            std::cmp::Ordering::Greater => numbers.next(None),
            std::cmp::Ordering::Equal => numbers.next(Some(known.n)),
            std::cmp::Ordering::Less => numbers.next(largest()),
        };
        let Some(n) = n else { return Ok(None) };
        if day.0 >= known.last {
            (known.last, known.n) = (day.0, n);
        }
        self.note(visitor, known, day)?;
        Ok(Some(SessionId::new(day, n)))
    }

    /// The visitor has this session, whose number was not given here. From here on it is the import's to know it.
    pub(super) fn meet(
        &mut self,
        visitor: VisitorId,
        id: SessionId,
        stored: &Stored,
    ) -> Result<(), StorageError> {
        let known = match self.known.get([visitor.0, 0]).map(Known::unpack) {
            Some(known) => Some(known),
            None => self.before(visitor, stored)?,
        };
        let Some(mut known) = known else { return Ok(()) };
        if (id.day().0, id.n()) > (known.last, known.n) {
            (known.last, known.n) = (id.day().0, id.n());
        }
        self.note(visitor, known, id.day())
    }

    /// Remembers a visitor who has a session on `day`.
    fn note(&mut self, visitor: VisitorId, mut known: Known, day: DayUtc) -> Result<(), StorageError> {
        known.first = known.first.min(day.0);
        if !known.marked && u32::from(known.last - known.first) > DAYS_APART_MAX {
            known.marked = true;
            self.any_marked = true;
            self.to_mark.push(visitor);
        }
        self.known.insert([visitor.0, 0], known.pack())
    }

    /// What was stored of a visitor before the import.
    fn before(&self, visitor: VisitorId, stored: &Stored) -> Result<Option<Known>, StorageError> {
        let sessions = stored.sessions_before(visitor);
        let days = || sessions.iter().map(|(_, id)| id.day().0);
        let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(None) };
        let on_last = sessions.iter().filter(|(_, id)| id.day().0 == last);
        let n = on_last.map(|(_, id)| id.n()).max().unwrap_or(0);
        // Those that are marked are so in all their sessions; should one not be, it is marked with the next.
        let mut marked = true;
        for &(place, _) in &sessions {
            marked &= stored.is_marked(place)?;
        }
        Ok(Some(Known { first, last, n, marked }))
    }

    /// Whether the visitor has sessions in a segment of the import.
    pub(super) fn is_known(&self, visitor: VisitorId) -> bool {
        self.known.get([visitor.0, 0]).is_some()
    }

    /// Whether the visitor is marked.
    pub(super) fn is_marked(&self, visitor: VisitorId) -> bool {
        self.any_marked && self.known.get([visitor.0, 0]).is_some_and(|value| Known::unpack(value).marked)
    }

    /// How many visitors' earlier sessions lack the mark.
    pub(super) fn count_to_mark(&self) -> usize {
        self.to_mark.len()
    }

    /// One of the visitors whose earlier sessions lack the mark.
    pub(super) fn next_to_mark(&mut self) -> Option<VisitorId> {
        self.to_mark.pop()
    }
}
