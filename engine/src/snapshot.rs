//! A snapshot: what a query sees. It is immutable, cheap to take and holds what it needs alive.

use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::error::{ParquetError, QueryError, StorageError};
use crate::event::FileIdentity;
use crate::manifest::Superseded;
use crate::open::{ArenaReader, Watermark};
use crate::parquet::{self, Target, Watch, Written};
use crate::positions::Positions;
use crate::query::{
    self, Cancelled, Query, RecurringCache, Report, SessionDetail, SessionRow, SessionsQuery, Source,
};
use crate::segment::Segment;
use crate::units::{SiteId, TimestampMs};

/// A sealed segment and what of it must not count.
pub(crate) struct SealedView {
    pub(crate) segment: Arc<Segment>,
    pub(crate) superseded: Arc<Superseded>,
}

/// A prefix of an open segment and what of it must not count.
pub(crate) struct OpenView {
    pub(crate) reader: Arc<ArenaReader>,
    pub(crate) watermark: Watermark,
    pub(crate) moved: Arc<RoaringBitmap>,
}

/// All that was acknowledged when the snapshot was taken, and nothing later.
pub struct Snapshot {
    sealed: Arc<Vec<SealedView>>,
    frozen: Option<OpenView>,
    open: OpenView,
    recurring: Arc<RecurringCache>,
    positions: Arc<Positions>,
}

/// One part of a site's data.
pub struct SourceSegment {
    /// The segment, a file or in memory.
    pub segment: Arc<Segment>,
    /// Sessions of the site's table that must not count.
    pub hidden: Option<Arc<RoaringBitmap>>,
    /// Whether the segment is a sealed file, which never changes.
    pub sealed: bool,
}

/// A site's data.
pub struct SiteSources {
    /// The parts; no session counts in two of them.
    pub segments: Vec<SourceSegment>,
    /// Why some data is missing, when damage was found.
    pub incomplete: Option<String>,
}

impl SiteSources {
    /// The parts as the tables of the site.
    fn tables(&self, site: SiteId) -> Result<Vec<Source<'_>>, StorageError> {
        let mut sources = Vec::with_capacity(self.segments.len());
        for part in &self.segments {
            if let Some(table) = part.segment.table(site)? {
                sources.push(Source { table, hidden: part.hidden.as_deref() });
            }
        }
        Ok(sources)
    }
}

impl Snapshot {
    pub(crate) fn new(
        sealed: Arc<Vec<SealedView>>,
        frozen: Option<OpenView>,
        open: OpenView,
        recurring: Arc<RecurringCache>,
        positions: Arc<Positions>,
    ) -> Self {
        Self { sealed, frozen, open, recurring, positions }
    }

    /// How far the followed file of this identity has been taken, in bytes from its beginning; `None` when nothing is
    /// remembered of it.
    pub fn offset_of(&self, identity: &FileIdentity) -> Option<u64> {
        self.positions.offset_of(identity)
    }

    /// Why some data of the site is missing from every answer, when damage was found.
    pub fn incomplete(&self, site: SiteId) -> Option<String> {
        self.sealed.iter().find_map(|view| view.segment.table(site).err()).map(|damage| in_short(&damage))
    }

    /// The parts of a site's data that are sound.
    ///
    /// # Errors
    /// A view of the open segment could not be made.
    pub fn sources(&self, site: SiteId) -> Result<SiteSources, StorageError> {
        let mut sources = SiteSources { segments: Vec::new(), incomplete: None };
        for view in self.sealed.iter() {
            match view.segment.table(site) {
                Ok(None) => {}
                Ok(Some(_)) => sources.segments.push(SourceSegment {
                    segment: view.segment.clone(),
                    hidden: view.superseded.get(&site).map(|hidden| Arc::new(hidden.clone())),
                    sealed: true,
                }),
                Err(damage) => sources.incomplete = Some(in_short(&damage)),
            }
        }
        for open in self.frozen.iter().chain([&self.open]) {
            for part in open.reader.view(site, open.watermark, &open.moved)? {
                sources.segments.push(SourceSegment {
                    segment: part.segment,
                    hidden: Some(part.hidden),
                    sealed: false,
                });
            }
        }
        Ok(sources)
    }

    /// Segments whose outline was found damaged when they were opened; nothing of them is served.
    pub fn damage(&self) -> impl Iterator<Item = &StorageError> {
        self.sealed.iter().filter_map(|view| view.segment.damage())
    }

    /// Answers a query.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for a query without meaning, [`QueryError::Cancelled`] when `cancelled` gives a reason,
    /// [`QueryError::Storage`] when a view of the open segment could not be made.
    pub fn answer(&self, query: &Query, cancelled: Cancelled<'_>) -> Result<Report, QueryError> {
        let data = self.sources(query.site)?;
        let sources = data.tables(query.site)?;
        let sealed: Vec<_> =
            data.segments.iter().take_while(|part| part.sealed).map(|part| part.segment.id()).collect();
        let recurring = self.recurring.of_sealed(query.site, &sealed, &sources).extend(&sources);
        query::execute(&sources, &recurring, query, cancelled)
    }

    /// Lists sessions: see [`query::list_sessions`].
    ///
    /// # Errors
    /// As [`Snapshot::answer`].
    pub fn sessions(
        &self,
        query: &SessionsQuery,
        cancelled: Cancelled<'_>,
    ) -> Result<Vec<SessionRow>, QueryError> {
        let data = self.sources(query.site)?;
        query::list_sessions(&data.tables(query.site)?, query, cancelled)
    }

    /// Gives a session with its page views and custom events: see [`query::session_rows`].
    ///
    /// # Errors
    /// As [`Snapshot::answer`].
    pub fn session_rows(
        &self,
        query: &SessionsQuery,
        cancelled: Cancelled<'_>,
    ) -> Result<Option<SessionDetail>, QueryError> {
        let data = self.sources(query.site)?;
        query::session_rows(&data.tables(query.site)?, query, cancelled)
    }

    /// Writes the site's sessions whose last activity is in the span as Parquet: see [`parquet::write`]. `host` is the
    /// site's name. Data that is missing because it is damaged is told by [`Snapshot::incomplete`].
    ///
    /// # Errors
    /// See [`parquet::write`].
    pub fn export(
        &self,
        site: SiteId,
        host: &str,
        span: Range<TimestampMs>,
        target: &mut dyn Target,
        watch: Watch<'_>,
    ) -> Result<Written, ParquetError> {
        let data = self.sources(site)?;
        parquet::write(&data.tables(site)?, host, span, target, watch)
    }

    /// Sealed segments, and rows in them, superseded ones included.
    pub fn sealed_counts(&self) -> (usize, u64) {
        (self.sealed.len(), self.sealed.iter().map(|view| view.segment.row_count()).sum())
    }

    /// Rows in the open segment and one that is being sealed.
    pub fn open_rows(&self) -> u64 {
        self.frozen.iter().chain([&self.open]).map(|open| open.watermark.rows as u64).sum()
    }

    /// Checks every byte of the sealed segments.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self) -> Result<(), StorageError> {
        self.sealed.iter().try_for_each(|view| view.segment.verify())
    }
}

/// Damage in words for those who ask for statistics: the file's name, not where the operator keeps it.
fn in_short(damage: &StorageError) -> String {
    match damage {
        StorageError::Corrupt { path, what, .. } => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("{name} is damaged: {what}")
        }
        other => other.to_string(),
    }
}
