//! What an import finds stored: the site's part of a snapshot, and the segments that the import itself has written.
//!
//! A session that gets more rows is *taken*: its rows are copied into the import's open segment, and the copy here is
//! void once the import is published.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::body::{Body, InLake};
use crate::codec::Writer;
use crate::dictionary::SiteDictionary;
use crate::error::StorageError;
use crate::index::Needs;
use crate::schema::Column;
use crate::segment::{Segment, Sought};
use crate::session::{Extent, Numbers};
use crate::snapshot::Snapshot;
use crate::units::{DayUtc, SegmentId, SessionId, SessionKey, SiteId, TimestampMs, VisitorId};

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) session: u32,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A file of the snapshot: a sealed segment, or one of the lake.
    File,
    /// The snapshot's view of an open segment.
    Open,
    /// Written by the import and published with an earlier file.
    Published,
    /// Written by the import, not published yet.
    Staged,
}

impl Origin {
    /// Whether it was stored before the import, which remembers its own visitors and strings.
    fn is_before(self) -> bool {
        matches!(self, Self::File | Self::Open)
    }
}

/// One segment or file of the lake.
pub(super) struct Part {
    pub(super) body: Body,
    pub(super) origin: Origin,
    /// Sessions that do not count.
    hidden: Option<Arc<RoaringBitmap>>,
    /// Sessions that the import has taken.
    pub(super) taken: RoaringBitmap,
}

impl Part {
    fn new(body: Body, origin: Origin, hidden: Option<Arc<RoaringBitmap>>) -> Self {
        Self { body, origin, hidden, taken: RoaringBitmap::new() }
    }

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
    strings: Option<Arc<SiteDictionary>>,
    pub(super) parts: Vec<Part>,
}

impl Stored {
    /// What a snapshot has; `published` are the segments of the import that are among it.
    pub(super) fn new(
        site: SiteId,
        snapshot: &Snapshot,
        published: &BTreeSet<SegmentId>,
    ) -> Result<Self, StorageError> {
        let mut stored = Self { site, strings: None, parts: Vec::new() };
        if let Some(lake) = snapshot.lake().site(site)
            && let Some(strings) = lake.dictionary.as_ref().map(|strings| strings.open()).transpose()?
        {
            for live in &lake.files {
                let hidden = Some(Arc::clone(&live.superseded));
                let body = Body::Lake(Arc::new(InLake::new(live.clone(), Arc::clone(&strings))));
                stored.parts.push(Part::new(body, Origin::File, hidden));
            }
            stored.strings = Some(strings);
        }
        for source in snapshot.sources(site, &Needs::nothing(0..0))?.segments {
            let origin = match source.sealed {
                true if published.contains(&source.segment.id()) => Origin::Published,
                true => Origin::File,
                false => Origin::Open,
            };
            stored.parts.push(Part::new(Body::Segment(source.segment), origin, source.hidden));
        }
        Ok(stored)
    }

    /// Adds a segment that the import has written; `taken` are sessions that left it while it was.
    pub(super) fn add(&mut self, segment: Arc<Segment>, taken: RoaringBitmap) {
        self.parts.push(Part { taken, ..Part::new(Body::Segment(segment), Origin::Staged, None) });
    }

    /// The numbers of the snapshot's files.
    pub(super) fn files(&self) -> BTreeSet<SegmentId> {
        let is_file = |part: &&Part| matches!(part.origin, Origin::File | Origin::Published);
        let files = self.parts.iter().filter(is_file);
        files.map(|part| part.body.number()).collect()
    }

    fn part(&self, place: Place) -> Option<&Part> {
        self.parts.get(place.part)
    }

    /// What a session lies in.
    pub(super) fn body(&self, place: Place) -> Option<&Body> {
        self.part(place).map(|part| &part.body)
    }

    /// Where a session is live.
    pub(super) fn find(&self, visitor: VisitorId, session: SessionId) -> Option<Place> {
        let key = SessionKey { site: self.site, visitor, session };
        self.parts.iter().enumerate().rev().find_map(|(part, known)| {
            let session = known.body.find(key).filter(|&session| known.is_live(session))?;
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
            known.body.sessions_near(self.site, visitor, time, window_ms, |session, id, extent, rows| {
                if known.is_live(session) {
                    found(Place { part, session }, id, extent, rows);
                }
            });
        }
    }

    /// The visitor's live sessions.
    pub(super) fn sessions_of(&self, visitor: VisitorId) -> Vec<(Place, SessionId)> {
        let mut found = self.all_of(visitor, |_| true);
        found.retain(|(place, _)| self.part(*place).is_some_and(|part| part.is_live(place.session)));
        found
    }

    /// The visitor's sessions that were stored before the import, also those that it has taken since.
    pub(super) fn sessions_before(&self, visitor: VisitorId) -> Vec<(Place, SessionId)> {
        let mut found = self.all_of(visitor, |part| part.origin.is_before());
        found.retain(|(place, _)| self.part(*place).is_some_and(|part| part.shows(place.session)));
        found
    }

    fn all_of(&self, visitor: VisitorId, counts: impl Fn(&Part) -> bool) -> Vec<(Place, SessionId)> {
        let mut found = Vec::new();
        for (part, known) in self.parts.iter().enumerate().filter(|(_, part)| counts(part)) {
            let sessions = known.body.all_sessions_of(self.site, visitor).into_iter();
            found.extend(sessions.map(|(session, id)| (Place { part, session }, id)));
        }
        found
    }

    /// The numbers that a visitor's next session of a day may get: what is in a file that cannot be read has others.
    pub(super) fn numbers(&self, day: DayUtc) -> Numbers {
        let unseen = self.parts.iter().map(|part| match &part.body {
            Body::Lake(lake) => lake.live.unseen_numbers_end(day),
            Body::Segment(_) => 0,
        });
        Numbers::from(unseen.max().unwrap_or(0))
    }

    /// Whether the visitor of a session is marked as one that recurs on any day.
    pub(super) fn is_marked(&self, place: Place) -> Result<bool, StorageError> {
        self.body(place).map_or(Ok(false), |body| body.is_marked(self.site, place.session))
    }

    /// A session, whole, encoded as an operation; empty when it is not there.
    pub(super) fn operation(
        &self,
        place: Place,
        visitor: VisitorId,
        session: SessionId,
    ) -> Result<Writer, StorageError> {
        let mut encoded = Writer::new();
        if let Some(body) = self.body(place) {
            let key = SessionKey { site: self.site, visitor, session };
            body.encode(key, place.session, session.day(), &mut encoded)?;
        }
        Ok(encoded)
    }

    /// A session is the import's from here on.
    pub(super) fn take(&mut self, place: Place) {
        if let Some(part) = self.parts.get_mut(place.part) {
            part.taken.insert(place.session);
        }
    }

    /// The site's code of a string, where it is stored.
    pub(super) fn site_code(&self, column: Column, text: &str) -> Option<u32> {
        let sought = Sought::from(text);
        let stored = self.parts.iter().rev().filter(|part| part.origin.is_before());
        let in_segments = stored.filter_map(|part| match &part.body {
            Body::Segment(segment) => segment.site_code(self.site, column, sought),
            Body::Lake(_) => None,
        });
        let in_lake = || self.strings.as_ref()?.find(column, text);
        in_segments.into_iter().next().or_else(in_lake)
    }
}
