//! What sessions lie in: a segment, or a file of the lake. Both answer the same questions; of what is damaged nothing is
//! there.

use std::sync::Arc;

use crate::codec::{Reader, Writer};
use crate::dictionary::SiteDictionary;
use crate::error::StorageError;
use crate::index::{Loaded, Needs};
use crate::lake::{LiveFile, Near};
use crate::record::Operation;
use crate::segment::Segment;
use crate::segment::table::{FLAG_GIVEN_ID, SiteTable};
use crate::session::Extent;
use crate::units::{DayUtc, SegmentId, SessionId, SessionKey, SiteId, TimestampMs, VisitorId};
use crate::writer::assign::sealed_operation;

/// A segment, or a file of the lake.
#[derive(Clone)]
pub(super) enum Body {
    Segment(Arc<Segment>),
    Lake(Arc<InLake>),
}

/// A file of the lake with the site's strings.
pub(super) struct InLake {
    pub(super) live: LiveFile,
    strings: Arc<SiteDictionary>,
}

impl InLake {
    pub(super) fn new(live: LiveFile, strings: Arc<SiteDictionary>) -> Self {
        Self { live, strings }
    }

    fn all_sessions_of(&self, visitor: VisitorId) -> Vec<(u32, SessionId)> {
        let found = self.live.ask(|open| {
            let mut found = Vec::new();
            let loaded = Loaded::default();
            let table = open.index.table(&*self.strings, &open.columns, &loaded)?;
            for run in open.runs_of(visitor, |_| true)? {
                let own = table.sessions_of(run, visitor.0)?;
                found.extend(own.filter_map(|at| Some((at as u32, SessionId(table.states.session_id(at)?)))));
            }
            Ok(found)
        });
        found.unwrap_or_default()
    }
}

impl Body {
    /// Its number, which no other has; that of a view in memory is 0.
    pub(super) fn number(&self) -> SegmentId {
        match self {
            Self::Segment(segment) => segment.id(),
            Self::Lake(lake) => lake.live.file.number(),
        }
    }

    /// Where a session is.
    pub(super) fn find(&self, key: SessionKey) -> Option<u32> {
        match self {
            Self::Segment(segment) => segment.find_session(key),
            Self::Lake(lake) => lake.live.find_session(key).flatten(),
        }
    }

    /// Calls `found` (index, id, extent, rows) for the visitor's sessions that may be alive at `time` or were opened on
    /// its UTC day.
    pub(super) fn sessions_near(
        &self,
        site: SiteId,
        visitor: VisitorId,
        time: TimestampMs,
        window_ms: i64,
        mut found: impl FnMut(u32, SessionId, Extent, usize),
    ) {
        match self {
            Self::Segment(segment) => segment.sessions_of(site, visitor, time, window_ms, found),
            Self::Lake(lake) => {
                let near = lake.live.sessions_near(visitor, &Near::new(time, window_ms)).into_iter();
                near.for_each(|(session, id, extent, rows)| found(session, id, extent, rows));
            }
        }
    }

    /// All sessions of the visitor.
    pub(super) fn all_sessions_of(&self, site: SiteId, visitor: VisitorId) -> Vec<(u32, SessionId)> {
        match self {
            Self::Segment(segment) => {
                let mut found = Vec::new();
                segment.all_sessions_of(site, visitor, |session, id| found.push((session, id)));
                found
            }
            Self::Lake(lake) => lake.all_sessions_of(visitor),
        }
    }

    /// Does something with the site's table; of a file of the lake what is needed is read before.
    ///
    /// # Errors
    /// It is damaged or could not be read.
    pub(super) fn with_table<T>(
        &self,
        site: SiteId,
        needs: &Needs,
        take: impl FnOnce(&SiteTable<'_>) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        match self {
            Self::Segment(segment) => segment.table(site)?.map(|table| take(&table)).transpose(),
            Self::Lake(lake) => {
                let open = lake.live.file.open()?;
                let loaded = Loaded::load(&open.index, needs, &open.columns)?;
                take(&open.index.table(&*lake.strings, &open.columns, &loaded)?).map(Some)
            }
        }
    }

    /// As [`Self::with_table`], for what every table has at hand.
    ///
    /// # Errors
    /// As there.
    pub(super) fn with_outline<T>(
        &self,
        site: SiteId,
        take: impl FnOnce(&SiteTable<'_>) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        self.with_table(site, &Needs::nothing(0..0), take)
    }

    /// What names a session.
    ///
    /// # Errors
    /// As [`Self::with_table`].
    pub(super) fn key(&self, site: SiteId, session: u32) -> Result<Option<SessionKey>, StorageError> {
        let key = self.with_outline(site, |table| {
            let visitor = VisitorId(table.visitor(session as usize)?);
            let id = table.states.session_id(session as usize);
            Ok(id.map(|id| SessionKey { site, visitor, session: SessionId(id) }))
        })?;
        Ok(key.flatten())
    }

    /// How many rows a session has.
    ///
    /// # Errors
    /// As [`Self::with_table`].
    pub(super) fn row_count(&self, site: SiteId, session: u32) -> Result<usize, StorageError> {
        let rows = self.with_outline(site, |table| Ok(table.rows(session as usize).len()))?;
        Ok(rows.unwrap_or(0))
    }

    /// Whether the visitor of a session is marked as one that recurs on any day.
    ///
    /// # Errors
    /// As [`Self::with_table`].
    pub(super) fn is_marked(&self, site: SiteId, session: u32) -> Result<bool, StorageError> {
        let marked =
            self.with_outline(site, |table| Ok(table.states.flags(session as usize) & FLAG_GIVEN_ID != 0))?;
        Ok(marked.unwrap_or(false))
    }

    /// A session, whole, as an operation on `key`, encoded.
    ///
    /// # Errors
    /// As [`Self::with_table`].
    pub(super) fn encode(
        &self,
        key: SessionKey,
        session: u32,
        day: DayUtc,
        out: &mut Writer,
    ) -> Result<bool, StorageError> {
        let encoded = self.with_table(key.site, &Needs::of_session(day), |table| {
            sealed_operation(table, key, session)?.encode(out);
            Ok(())
        })?;
        Ok(encoded.is_some())
    }
}

/// Reads operations that were encoded here.
///
/// # Errors
/// They were not.
pub(super) fn decode(encoded: &Writer) -> Result<Vec<Operation<'_>>, StorageError> {
    let mut input = Reader::new(encoded.as_slice());
    let mut operations = Vec::new();
    while !input.is_at_end() {
        let operation = Operation::decode(&mut input);
        operations.push(operation.map_err(|error| StorageError::TooLarge { what: error.to_string() })?);
    }
    Ok(operations)
}
