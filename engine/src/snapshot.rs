//! A snapshot: what a query sees. It is immutable, cheap to take and holds what it needs alive.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::aggregate::{self, Aggregates, LocalDays, Making};
use crate::dictionary::SiteDictionary;
use crate::error::{ParquetError, QueryError, StorageError};
use crate::event::FileIdentity;
use crate::index::{Loaded, Needs};
use crate::lake::{Lake, LiveFile, OpenFile, open_together};
use crate::manifest::Superseded;
use crate::open::{ArenaReader, Watermark};
use crate::parquet::{Exporter, Key, KeyBy, Month, Target, Watch, Written};
use crate::positions::Positions;
use crate::query::{
    self, Cancelled, Query, Recurring, RecurringCache, Report, SessionDetail, SessionRow, SessionsQuery,
    Source, Turns,
};
use crate::segment::Segment;
use crate::segment::table::Run;
use crate::session;
use crate::units::{DayUtc, SegmentId, SiteId, TimestampMs};

const ALL_DAYS: RangeInclusive<DayUtc> = DayUtc(0)..=DayUtc(u16::MAX);

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
    pub(crate) lake: Lake,
    pub(crate) sealed: Arc<Vec<SealedView>>,
    pub(crate) frozen: Option<OpenView>,
    pub(crate) open: OpenView,
    pub(crate) recurring: Arc<RecurringCache>,
    pub(crate) turns: Arc<Turns>,
    pub(crate) aggregates: Arc<Aggregates>,
    pub(crate) positions: Arc<Positions>,
    /// The site that an import is under way to: it is not compacted meanwhile.
    pub(crate) importing: Option<SiteId>,
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

/// A file of the lake with what a query needs of it.
pub struct SourceFile {
    /// The live file.
    live: LiveFile,
    open: Arc<OpenFile>,
    loaded: Loaded,
}

/// A part of a site's data that is damaged, so that nobody can read it.
pub struct Unread {
    /// What is wrong, and with which file.
    pub damage: StorageError,
    /// The days on which its sessions were opened; all days when nobody can tell.
    pub days: RangeInclusive<DayUtc>,
}

/// A site's data.
pub struct SiteSources {
    /// The files of the lake.
    files: Vec<SourceFile>,
    /// The numbers of files that are left out, as they have nothing in the span.
    left_out: Vec<SegmentId>,
    /// Their strings.
    strings: Option<Arc<SiteDictionary>>,
    /// The other parts; no session counts in two parts.
    pub segments: Vec<SourceSegment>,
    /// Why some data is missing, when damage was found.
    pub incomplete: Option<String>,
}

impl SiteSources {
    /// The numbers of the parts in their order; those that never change come first.
    fn numbers(&self) -> Vec<Option<SegmentId>> {
        let files = self.files.iter().map(|file| Some(file.live.file.number()));
        files.chain(self.segments.iter().map(|part| part.sealed.then(|| part.segment.id()))).collect()
    }

    /// The numbers of all parts that never change, of those left out too.
    fn all_unchanging(&self) -> BTreeSet<SegmentId> {
        let files = self.files.iter().map(|file| file.live.file.number());
        let sealed = self.segments.iter().filter(|part| part.sealed).map(|part| part.segment.id());
        files.chain(self.left_out.iter().copied()).chain(sealed).collect()
    }

    /// Sets the file aside that some damage is in. Whether there is one.
    fn set_aside(&self, damage: &StorageError) -> bool {
        let StorageError::Corrupt { path, .. } = damage else { return false };
        let damaged = self.files.iter().find(|file| file.live.file.is_at(path));
        damaged.iter().for_each(|file| file.live.file.set_aside(damage.clone()));
        damaged.is_some()
    }

    /// The parts as the tables of the site.
    ///
    /// # Errors
    /// A part is damaged.
    pub fn tables(&self, site: SiteId) -> Result<Vec<Source<'_>>, StorageError> {
        let mut sources = Vec::with_capacity(self.files.len() + self.segments.len());
        if let Some(strings) = &self.strings {
            for file in &self.files {
                let table = file.open.index.table(&**strings, &file.open.columns, &file.loaded)?;
                let hidden = Some(&*file.live.superseded).filter(|hidden| !hidden.is_empty());
                sources.push(Source { table, hidden });
            }
        }
        for part in &self.segments {
            if let Some(table) = part.segment.table(site)? {
                sources.push(Source { table, hidden: part.hidden.as_deref() });
            }
        }
        Ok(sources)
    }
}

impl Snapshot {
    /// How far the followed file of this identity has been taken, in bytes from its beginning; `None` when nothing is
    /// remembered of it.
    pub fn offset_of(&self, identity: &FileIdentity) -> Option<u64> {
        self.positions.offset_of(identity)
    }

    /// Why data of the site is missing that may lie in the span, when damage was found.
    pub fn incomplete(&self, site: SiteId, span: &Range<TimestampMs>) -> Option<String> {
        let is_asked =
            |live: &LiveFile| session::are_near(&live.key.days(), span) || live.file.may_touch(span);
        let in_segments = self.unread_segments(site);
        let mut in_segments = in_segments.filter(|unread| session::may_have_rows(&unread.days, span));
        let unread = in_segments.next().or_else(|| self.unread_files(site, is_asked).next());
        unread.map(|unread| in_short(&unread.damage))
    }

    /// What of the site's data is damaged.
    pub fn unread(&self, site: SiteId) -> impl Iterator<Item = Unread> + '_ {
        self.unread_segments(site).chain(self.unread_files(site, |_| true))
    }

    fn unread_segments(&self, site: SiteId) -> impl Iterator<Item = Unread> {
        self.sealed.iter().filter_map(move |view| {
            let damage = view.segment.table(site).err()?;
            Some(Unread { damage, days: view.segment.days_of(site).unwrap_or(ALL_DAYS) })
        })
    }

    /// Files of the lake that somebody asks for; the others are not looked at.
    fn unread_files(
        &self,
        site: SiteId,
        is_asked: impl Fn(&LiveFile) -> bool,
    ) -> impl Iterator<Item = Unread> {
        let lake = self.lake.site(site);
        let dictionary = lake.and_then(|lake| lake.dictionary.as_ref()?.open().err());
        let files = lake.into_iter().flat_map(|lake| &lake.files).filter(move |live| is_asked(live));
        files.filter_map(move |live| {
            // Without the dictionary no file of the site can be read.
            let damage = dictionary.clone().or_else(|| live.file.open().err())?;
            Some(Unread { damage, days: live.key.days() })
        })
    }

    /// The parts of a site's data that are sound, with what is needed of the lake's files at hand.
    ///
    /// # Errors
    /// A view of the open segment could not be made, or a file could not be read.
    pub fn sources(&self, site: SiteId, needs: &Needs) -> Result<SiteSources, StorageError> {
        self.parts(site, needs, |_| true)
    }

    /// The same without the lake's files that nobody wants.
    fn parts(
        &self,
        site: SiteId,
        needs: &Needs,
        is_wanted: impl Fn(&LiveFile) -> bool,
    ) -> Result<SiteSources, StorageError> {
        let mut sources = self.lake_sources(site, needs, is_wanted)?;
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

    fn lake_sources(
        &self,
        site: SiteId,
        needs: &Needs,
        is_wanted: impl Fn(&LiveFile) -> bool,
    ) -> Result<SiteSources, StorageError> {
        let (files, left_out, segments) = (Vec::new(), Vec::new(), Vec::new());
        let mut sources = SiteSources { files, left_out, strings: None, segments, incomplete: None };
        let Some(lake) = self.lake.site(site) else { return Ok(sources) };
        let Some(dictionary) = &lake.dictionary else { return Ok(sources) };
        let (wanted, unwanted): (Vec<_>, Vec<_>) = lake.files.iter().partition(|live| is_wanted(live));
        let opened = open_together(dictionary, &wanted);
        sources.strings = match dictionary.open() {
            Err(damage @ StorageError::Corrupt { .. }) => {
                sources.incomplete = Some(in_short(&damage));
                return Ok(sources);
            }
            result => Some(result?),
        };
        let unwanted = unwanted.iter().filter(|live| live.file.damage().is_none());
        sources.left_out.extend(unwanted.map(|live| live.file.number()));
        for (live, open) in wanted.into_iter().zip(opened) {
            let load = |open: Arc<OpenFile>| {
                let loaded = Loaded::load(&open.index, needs, &open.columns)?;
                Ok(SourceFile { live: live.clone(), open, loaded })
            };
            match open.and_then(load) {
                Ok(file) => sources.files.push(file),
                Err(damage @ StorageError::Corrupt { .. }) => {
                    sources.incomplete = Some(in_short(&damage));
                    live.file.set_aside(damage);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(sources)
    }

    /// Does something with the site's parts that may hold something in the span that needs are about. A file of the lake
    /// in which damage turns up is set aside, and what is left is asked again.
    fn ask<T>(
        &self,
        site: SiteId,
        needs: &Needs,
        mut question: impl FnMut(&SiteSources, &[Source<'_>]) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        loop {
            let data = self.parts(site, needs, |live| live.file.may_touch(&needs.span))?;
            let answer = question(&data, &data.tables(site)?);
            match answer {
                Err(QueryError::Storage(damage)) if data.set_aside(&damage) => {}
                answer => return answer,
            }
        }
    }

    /// Files that were found damaged so far and are not served, or not for all sites. But for the outlines of segments
    /// they are looked at when somebody asks for them.
    pub fn damage(&self) -> impl Iterator<Item = StorageError> {
        self.damaged_segments().chain(self.lake.sites().flat_map(|(_, site)| site.damage()))
    }

    /// The same of the files that a site has data in.
    pub fn damage_of(&self, site: SiteId) -> impl Iterator<Item = StorageError> {
        self.damaged_segments().chain(self.lake.site(site).into_iter().flat_map(|site| site.damage()))
    }

    fn damaged_segments(&self) -> impl Iterator<Item = StorageError> {
        self.sealed.iter().filter_map(|view| view.segment.found_damage().cloned())
    }

    /// Answers a query.
    ///
    /// # Errors
    /// [`QueryError::Invalid`] for a query without meaning, [`QueryError::Cancelled`] when `cancelled` gives a reason,
    /// [`QueryError::Storage`] when a view of the open segment could not be made.
    pub fn answer(&self, query: &Query, cancelled: Cancelled<'_>) -> Result<Report, QueryError> {
        let turn = self.turns.begin();
        self.ask(query.site, &query.needs(), |data, sources| {
            let recurring = self.recurring(query.site, &query.span, data, sources)?;
            let known = self.aggregates.known(sources, &data.numbers(), &recurring, query, cancelled)?;
            query::execute_with(sources, &recurring, &known, query, turn.threads, cancelled)
        })
    }

    /// The aggregates that queries use; those of all snapshots of a store.
    pub fn aggregates(&self) -> &Arc<Aggregates> {
        &self.aggregates
    }

    /// The time from the first row of a file to the last; `None` when it is damaged.
    pub fn span_of(&self, live: &LiveFile) -> Option<Range<TimestampMs>> {
        let open = live.file.open().ok()?;
        let runs = open.index.runs().ok()?;
        let first = runs.iter().map(|run| run.min_time).min()?;
        let last = runs.iter().map(|run| run.max_time).max()?;
        Some(first..last + 1)
    }

    /// The bytes of the aggregate of a site in one of its files: see [`aggregate::build`]. `days` are those of the
    /// site's zone that the file's rows lie on.
    ///
    /// # Errors
    /// As [`Snapshot::answer`].
    pub fn build_aggregate(
        &self,
        site: SiteId,
        number: SegmentId,
        days: &LocalDays,
        cancelled: Cancelled<'_>,
    ) -> Result<Option<Vec<u8>>, QueryError> {
        let needs = aggregate::needs();
        self.ask(site, &needs, |data, sources| {
            let recurring = self.recurring(site, &needs.span, data, sources)?;
            let Some(at) = data.numbers().iter().position(|known| *known == Some(number)) else {
                return Ok(None);
            };
            let Some(&source) = sources.get(at) else { return Ok(None) };
            let making = Making { number, site, source, recurring: (&recurring, at), days };
            aggregate::build(&making, cancelled)
        })
    }

    /// The visitors of a site that recur, for a query of these sources over a span. What is known of more parts that never
    /// change holds for some of them, so it is kept for the next query.
    fn recurring(
        &self,
        site: SiteId,
        span: &Range<TimestampMs>,
        data: &SiteSources,
        sources: &[Source<'_>],
    ) -> Result<Recurring, StorageError> {
        let own: Vec<SegmentId> = data.numbers().into_iter().map_while(|number| number).collect();
        let known = match self.recurring.known(site, &own) {
            Some(known) => Some(known),
            None => self.find_recurring(site, &own, &data.all_unchanging())?,
        };
        known.map_or_else(|| Recurring::find(sources), |known| known.extend_for(sources, span))
    }

    /// Finds who recurs in some files of a site, and in those of all its files for which that is known already. `None`:
    /// damage has turned up.
    fn find_recurring(
        &self,
        site: SiteId,
        own: &[SegmentId],
        all: &BTreeSet<SegmentId>,
    ) -> Result<Option<Recurring>, StorageError> {
        let known = self.recurring.all_known(site, |file| all.contains(&file));
        let files = known.files_with(own);
        let needs = Needs::nothing(TimestampMs::MIN..TimestampMs::MAX);
        let data = self.parts(site, &needs, |live| files.contains(&live.file.number()))?;
        let extended = data.tables(site).and_then(|tables| {
            let numbers = data.numbers();
            let table = |file: &SegmentId| {
                let at = numbers.iter().position(|number| *number == Some(*file))?;
                tables.get(at).copied()
            };
            let own = files.iter().map(table).collect::<Option<Vec<_>>>();
            own.map(|own| known.extended(files, &own)).transpose()
        });
        let known = match extended {
            Ok(Some(known)) => known,
            Ok(None) => return Ok(None),
            // It may be in a file that the query is not about.
            Err(damage) if data.set_aside(&damage) => return Ok(None),
            Err(error) => return Err(error),
        };
        let found = known.of(own);
        self.recurring.keep(site, known);
        Ok(found)
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
        self.ask(query.site, &query.needs(), |_, sources| query::list_sessions(sources, query, cancelled))
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
        self.ask(query.site, &query.row_needs(), |_, sources| query::session_rows(sources, query, cancelled))
    }

    /// Writes the site's sessions whose last activity is in the span as Parquet: see [`Exporter`]. `host` is the site's
    /// name. Data that is missing because it is damaged is told by [`Snapshot::unread`] afterwards. Of the lake's columns only
    /// those of one file, and of what overlaps it, are in memory at a time.
    ///
    /// # Errors
    /// See [`Exporter::add`].
    pub fn export(
        &self,
        site: SiteId,
        host: &str,
        span: Range<TimestampMs>,
        target: &mut dyn Target,
        watch: Watch<'_>,
    ) -> Result<Written, ParquetError> {
        let mut exporter = Exporter::new(host, span.clone(), target, watch);
        for (key, days) in self.keys(site)? {
            let needs = Needs { span: span.clone(), days: Some(days), ..Needs::everything() };
            let data = self.sources(site, &needs)?;
            exporter.add(&data.tables(site)?, key)?;
        }
        exporter.finish()
    }

    /// The site's months, or their days where the lake has files of days, each with the first and last day of what is
    /// there of it.
    fn keys(&self, site: SiteId) -> Result<Vec<(Key, RangeInclusive<DayUtc>)>, StorageError> {
        let data = self.sources(site, &Needs::nothing(0..0))?;
        let tables = data.tables(site)?;
        let days: BTreeSet<DayUtc> =
            tables.iter().flat_map(|source| source.table.runs).map(Run::day_utc).collect();
        let by_day = data.files.iter().map(|file| file.live.key).filter(|key| key.by() == KeyBy::Day);
        let by_day: BTreeSet<Month> = by_day.map(Key::month).collect();
        let mut keys: Vec<(Key, RangeInclusive<DayUtc>)> = Vec::new();
        for day in days {
            let is_cut = by_day.contains(&Month::of(day));
            let key = Key::of(day, if is_cut { KeyBy::Day } else { KeyBy::Month });
            match keys.last_mut() {
                Some((last, days)) if *last == key => *days = *days.start()..=day,
                _ => keys.push((key, day..=day)),
            }
        }
        Ok(keys)
    }

    /// The greatest number of a sealed segment.
    pub(crate) fn newest_segment(&self) -> SegmentId {
        self.sealed.iter().map(|view| view.segment.id()).max().unwrap_or_default()
    }

    /// What the lake has.
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// The sealed segments.
    pub(crate) fn sealed(&self) -> &[SealedView] {
        &self.sealed
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
