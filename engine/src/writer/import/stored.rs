//! What an import finds stored: the site's part of a snapshot, and the segments that the import itself has written.
//!
//! A session that gets more rows is *taken*: its rows are copied into the import's open segment, and the copy here is
//! void once the import is published.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::error::StorageError;
use crate::record::Operation;
use crate::schema::Column;
use crate::segment::Segment;
use crate::segment::table::{FLAG_GIVEN_ID, SiteTable};
use crate::session::Extent;
use crate::snapshot::Snapshot;
use crate::units::{SegmentId, SessionId, SessionKey, SiteId, TimestampMs, VisitorId};
use crate::writer::assign::sealed_operation;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) session: u32,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A sealed segment of the snapshot.
    Sealed,
    /// The snapshot's view of an open segment.
    Open,
    /// Written by the import, not published yet.
    Staged,
}

/// One segment.
pub(super) struct Part {
    pub(super) segment: Arc<Segment>,
    pub(super) origin: Origin,
    /// Sessions that do not count.
    hidden: Option<Arc<RoaringBitmap>>,
    /// Sessions that the import has taken.
    pub(super) taken: RoaringBitmap,
}

impl Part {
    fn is_live(&self, session: u32) -> bool {
        !self.taken.contains(session) && self.shows(session)
    }

    fn shows(&self, session: u32) -> bool {
        self.hidden.as_ref().is_none_or(|hidden| !hidden.contains(session))
    }
}

/// All that is stored of the site.
pub(super) struct Stored {
    site: SiteId,
    pub(super) parts: Vec<Part>,
}

impl Stored {
    pub(super) fn new(site: SiteId, snapshot: &Snapshot) -> Result<Self, StorageError> {
        let parts = snapshot.sources(site)?.segments.into_iter().map(|source| Part {
            segment: source.segment,
            origin: if source.sealed { Origin::Sealed } else { Origin::Open },
            hidden: source.hidden,
            taken: RoaringBitmap::new(),
        });
        Ok(Self { site, parts: parts.collect() })
    }

    /// Adds a segment that the import has written; `taken` are sessions that left it while it was.
    pub(super) fn add(&mut self, segment: Arc<Segment>, taken: RoaringBitmap) {
        self.parts.push(Part { segment, origin: Origin::Staged, hidden: None, taken });
    }

    /// The sealed segments of the snapshot.
    pub(super) fn sealed(&self) -> BTreeSet<SegmentId> {
        let sealed = self.parts.iter().filter(|part| part.origin == Origin::Sealed);
        sealed.map(|part| part.segment.id()).collect()
    }

    fn key(&self, visitor: VisitorId, session: SessionId) -> SessionKey {
        SessionKey { site: self.site, visitor, session }
    }

    /// Where a session is live.
    pub(super) fn find(&self, visitor: VisitorId, session: SessionId) -> Option<Place> {
        let key = self.key(visitor, session);
        self.parts.iter().enumerate().rev().find_map(|(part, known)| {
            let session = known.segment.find_session(key).filter(|&session| known.is_live(session))?;
            Some(Place { part, session })
        })
    }

    /// Calls `found` for the visitor's live sessions that may be alive at `time` or were opened on its UTC day.
    pub(super) fn sessions_near(
        &self,
        visitor: VisitorId,
        time: TimestampMs,
        window_ms: i64,
        mut found: impl FnMut(Place, SessionId, Extent, usize),
    ) {
        for (part, known) in self.parts.iter().enumerate().rev() {
            known.segment.sessions_of(self.site, visitor, time, window_ms, |session, id, extent, rows| {
                if known.is_live(session) {
                    found(Place { part, session }, id, extent, rows);
                }
            });
        }
    }

    /// The visitor's live sessions.
    pub(super) fn sessions_of(&self, visitor: VisitorId) -> Vec<(Place, SessionId)> {
        let mut found = self.all_of(visitor, |_| true);
        found.retain(|(place, _)| self.parts.get(place.part).is_some_and(|part| part.is_live(place.session)));
        found
    }

    /// The visitor's sessions that were stored before the import, also those that it has taken since.
    pub(super) fn sessions_before(&self, visitor: VisitorId) -> Vec<(Place, SessionId)> {
        let mut found = self.all_of(visitor, |part| part.origin != Origin::Staged);
        found.retain(|(place, _)| self.parts.get(place.part).is_some_and(|part| part.shows(place.session)));
        found
    }

    fn all_of(&self, visitor: VisitorId, counts: impl Fn(&Part) -> bool) -> Vec<(Place, SessionId)> {
        let mut found = Vec::new();
        for (part, known) in self.parts.iter().enumerate().filter(|(_, part)| counts(part)) {
            known.segment.all_sessions_of(self.site, visitor, |session, id| {
                found.push((Place { part, session }, id));
            });
        }
        found
    }

    /// Whether the visitor of a session is marked as one that recurs on any day.
    pub(super) fn is_marked(&self, place: Place) -> Result<bool, StorageError> {
        let table = self.table(place)?;
        let flags = table.and_then(|table| table.flags.get(place.session as usize).copied());
        Ok(flags.is_some_and(|flags| flags & FLAG_GIVEN_ID != 0))
    }

    /// The table that a session is in.
    pub(super) fn table(&self, place: Place) -> Result<Option<SiteTable<'_>>, StorageError> {
        self.parts.get(place.part).map_or(Ok(None), |part| part.segment.table(self.site))
    }

    /// A session, whole.
    pub(super) fn operation(
        &self,
        place: Place,
        visitor: VisitorId,
        session: SessionId,
    ) -> Result<Option<Operation<'_>>, StorageError> {
        Ok(self.table(place)?.map(|table| sealed_operation(&table, self.key(visitor, session), place.session)))
    }

    /// A session is the import's from here on.
    pub(super) fn take(&mut self, place: Place) {
        if let Some(part) = self.parts.get_mut(place.part) {
            part.taken.insert(place.session);
        }
    }

    /// The site's code of a string, where it is stored.
    pub(super) fn site_code(&self, column: Column, text: &str) -> Option<u32> {
        let stored = self.parts.iter().rev().filter(|part| part.origin != Origin::Staged);
        stored.filter_map(|part| part.segment.site_code(self.site, column, text)).next()
    }
}
