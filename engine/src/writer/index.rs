//! Which sessions an open segment holds, by visitor. Bounded by the open segment's rows.

use hashbrown::HashMap;

use crate::open::Arena;
use crate::segment::table::NO_ROW;
use crate::session::Extent;
use crate::units::{SessionKey, SiteId, TimestampMs, VisitorId};

const NONE: u32 = u32::MAX;

/// What the writer knows of a session in an open segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) extent: Extent,
    pub(super) rows: u32,
    pub(super) text_bytes: u32,
    last_row: u32,
    /// The visitor's next session here.
    next: u32,
}

#[derive(Default)]
pub(super) struct SessionIndex {
    first: HashMap<(SiteId, VisitorId), u32>,
    sessions: Vec<Known>,
}

impl SessionIndex {
    /// Makes room for so many sessions while there is none, and touches it.
    pub(super) fn warm(&mut self, sessions: usize) {
        let extent = Extent { start: TimestampMs::MAX, last: TimestampMs::MIN };
        let none = Known { extent, rows: 0, text_bytes: 0, last_row: NO_ROW, next: NONE };
        self.sessions.resize(sessions, none);
        self.first.reserve(sessions);
        self.first.extend((0..sessions as u64).map(|number| ((SiteId(0), VisitorId(number)), NONE)));
        self.clear();
    }

    /// Forgets all sessions, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.first.clear();
        self.sessions.clear();
    }

    /// Adds a session without rows; ordinals are given in order.
    pub(super) fn insert(&mut self, key: SessionKey, ordinal: u32) {
        debug_assert_eq!(ordinal as usize, self.sessions.len());
        let next = self.first.insert((key.site, key.visitor), ordinal).unwrap_or(NONE);
        let extent = Extent { start: TimestampMs::MAX, last: TimestampMs::MIN };
        self.sessions.push(Known { extent, rows: 0, text_bytes: 0, last_row: NO_ROW, next });
    }

    /// Takes a session out of its visitor's list.
    pub(super) fn remove(&mut self, key: SessionKey, ordinal: u32) {
        let next = self.sessions[ordinal as usize].next;
        let Some(first) = self.first.get_mut(&(key.site, key.visitor)) else { return };
        if *first == ordinal {
            *first = next;
            if next == NONE {
                self.first.remove(&(key.site, key.visitor));
            }
            return;
        }
        let mut at = *first;
        while at != NONE {
            let known = &mut self.sessions[at as usize];
            if known.next == ordinal {
                known.next = next;
                return;
            }
            at = known.next;
        }
    }

    /// A row was added to a session.
    pub(super) fn extend(&mut self, ordinal: u32, row: u32, time: TimestampMs, text_bytes: usize) {
        let known = &mut self.sessions[ordinal as usize];
        known.extent = known.extent.with(time);
        known.rows += 1;
        known.text_bytes = known.text_bytes.saturating_add(text_bytes as u32);
        known.last_row = row;
    }

    /// What is known of a session here.
    pub(super) fn known(&self, ordinal: u32) -> Known {
        self.sessions[ordinal as usize]
    }

    /// The row of the session that arrived last.
    pub(super) fn last_row(&self, ordinal: u32) -> Option<u32> {
        Some(self.sessions[ordinal as usize].last_row).filter(|&row| row != NO_ROW)
    }

    /// The visitor's sessions here.
    pub(super) fn of_visitor(
        &self,
        site: SiteId,
        visitor: VisitorId,
    ) -> impl Iterator<Item = (u32, Known)> + '_ {
        let mut at = self.first.get(&(site, visitor)).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let known = *self.sessions.get(at as usize)?;
            let ordinal = std::mem::replace(&mut at, known.next);
            Some((ordinal, known))
        })
    }

    /// All sessions here with a row, with their ordinals; also those that have moved on.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, Known)> + '_ {
        self.sessions.iter().enumerate().map(|(ordinal, &known)| (ordinal as u32, known))
    }

    pub(super) fn ordinal_of(&self, key: SessionKey, arena: &Arena) -> Option<u32> {
        self.of_visitor(key.site, key.visitor)
            .map(|(ordinal, _)| ordinal)
            .find(|&ordinal| arena.session_id(ordinal) == key.session)
    }
}
