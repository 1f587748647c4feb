//! A segment over its bytes, mapped from a file or held in memory.
//!
//! Opening checks the outline (header, directory, trailer). The blocks of a site are checked, checksums and
//! structure, when the site is first read; a damaged site is never served.

use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::blocks::Blocks;
use super::filter::VisitorFilter;
use super::finder::{Finder, Sought};
use super::layout::{Directory, SiteEntry, Tag, read_directory};
use super::table::{
    Codes, Dictionary, FirstRows, Kinds, MilliTimes, NO_ROW, Postings, Run, SiteTable, StateColumns, States,
    Times, U64s, Visitors,
};
use crate::error::StorageError;
use crate::manifest::Superseded;
use crate::schema::{COLUMN_COUNT, Column};
use crate::session::Extent;
use crate::units::{DayUtc, SegmentId, SessionId, SessionKey, SiteId, TimestampMs, VisitorId};
use crate::vfs::Bytes;

/// A segment: immutable, possibly mapped.
pub struct Segment {
    path: PathBuf,
    bytes: Bytes,
    directory: Directory,
    len: u64,
    damage: Option<StorageError>,
    checked: Vec<OnceLock<Result<(), StorageError>>>,
    searched: Vec<OnceLock<Option<Search>>>,
    finders: Vec<OnceLock<Finders>>,
}

/// Where the tags and the numbers of each column's finder are in the file.
type Finders = [(Range<usize>, Range<usize>); COLUMN_COUNT];

/// What tells quickly that a segment has nothing for a visitor.
struct Search {
    min_time: TimestampMs,
    max_time: TimestampMs,
    days: RangeInclusive<u32>,
    visitors: VisitorFilter,
}

impl Segment {
    /// Opens a segment over its bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the outline is damaged, [`StorageError::Version`] for a newer format.
    pub fn open(path: &Path, bytes: Bytes) -> Result<Self, StorageError> {
        let directory = read_directory(path, &bytes)?;
        let checked = directory.sites.iter().map(|_| OnceLock::new()).collect();
        let searched = directory.sites.iter().map(|_| OnceLock::new()).collect();
        let finders = directory.sites.iter().map(|_| OnceLock::new()).collect();
        let len = bytes.len() as u64;
        Ok(Self { searched, finders, path: path.to_path_buf(), bytes, directory, len, damage: None, checked })
    }

    /// Stands for a segment whose outline is damaged: it keeps its place among the live ones and serves nothing.
    pub fn damaged(path: &Path, id: SegmentId, len: u64, damage: StorageError) -> Self {
        let directory = Directory { id, sites: Vec::new() };
        let bytes = Bytes::from_vec(Vec::new());
        let (checked, searched, finders) = (Vec::new(), Vec::new(), Vec::new());
        let path = path.to_path_buf();
        Self { path, bytes, directory, len, damage: Some(damage), checked, searched, finders }
    }

    /// What is wrong with its outline, when nothing of it can be served.
    pub fn damage(&self) -> Option<&StorageError> {
        self.damage.as_ref()
    }

    /// The first damage that was found in it so far; its sites are looked at when they are asked for.
    pub fn found_damage(&self) -> Option<&StorageError> {
        let in_sites =
            || self.checked.iter().find_map(|site| site.get().and_then(|known| known.as_ref().err()));
        self.damage.as_ref().or_else(in_sites)
    }

    /// The segment's number.
    pub fn id(&self) -> SegmentId {
        self.directory.id
    }

    /// The segment's length in bytes.
    pub fn byte_count(&self) -> u64 {
        self.len
    }

    /// The sites that have data here, ascending.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> + '_ {
        self.directory.sites.iter().map(|entry| entry.site)
    }

    /// How many sessions each of them has here.
    pub fn session_counts(&self) -> impl Iterator<Item = (SiteId, u32)> + '_ {
        self.directory.sites.iter().map(|entry| (entry.site, entry.session_count))
    }

    /// Whether all its sessions are among these.
    pub fn is_void(&self, superseded: &Superseded) -> bool {
        self.damage.is_none()
            && self.directory.sites.iter().all(|entry| {
                superseded.get(&entry.site).is_some_and(|gone| gone.len() >= u64::from(entry.session_count))
            })
    }

    /// Rows of all sites.
    pub fn row_count(&self) -> u64 {
        self.directory.sites.iter().map(|entry| u64::from(entry.row_count)).sum()
    }

    /// Sessions of all sites.
    pub fn session_count(&self) -> u64 {
        self.directory.sites.iter().map(|entry| u64::from(entry.session_count)).sum()
    }

    /// The greatest site code that a column of the site has here.
    pub fn greatest_site_code(&self, site: SiteId, column: Column) -> u32 {
        let entry = self.find(site).map(|index| &self.directory.sites[index]);
        entry.and_then(|entry| entry.block(Tag::site_codes(column))).map_or(0, |block| block.value)
    }

    /// From the first to the last day on which sessions of the site were opened, as far as that can be read though
    /// other parts may be damaged.
    pub fn days_of(&self, site: SiteId) -> Option<RangeInclusive<DayUtc>> {
        let entry = self.directory.sites.get(self.find(site)?)?;
        let (blocks, block) = (self.blocks(entry), entry.block(Tag::RUNS)?);
        blocks.check_sum(block).ok()?;
        let runs: &[Run] = blocks.all_numbers(block).ok()?;
        Some(runs.iter().map(Run::day_utc).min()?..=runs.iter().map(Run::day_utc).max()?)
    }

    /// The site's table; `None` when it has no data here.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the site's blocks are damaged.
    pub fn table(&self, site: SiteId) -> Result<Option<SiteTable<'_>>, StorageError> {
        self.checked_entry(site)?.map(|entry| self.assemble(entry)).transpose()
    }

    /// The site's code of a string of a column; `None` when it is not here.
    pub fn site_code(&self, site: SiteId, column: Column, sought: Sought<'_>) -> Option<u32> {
        let entry = self.checked_entry(site).ok()??;
        let dictionary = || self.dictionary(entry, column).ok();
        let finder = self.finder(self.find(site)?, column);
        let code = if finder.is_absent() {
            dictionary()?.find(sought.text)?
        } else {
            finder.find(sought.hash, |code| dictionary().is_some_and(|known| known.is(code, sought.text)))?
        };
        dictionary()?.site_codes.get(code as usize).copied()
    }

    /// What finds a column's strings of a site that was checked.
    fn finder(&self, site: usize, column: Column) -> Finder<'_> {
        let places = self.finders.get(site).map(|known| known.get_or_init(|| self.find_finders(site)));
        let Some((tags, numbers)) = places.and_then(|known| known.get(column.index())) else {
            return Finder::ABSENT;
        };
        let bytes = |place: &Range<usize>| self.bytes.get(place.clone()).unwrap_or_default();
        Finder { tags: bytes(tags), numbers: bytemuck::try_cast_slice(bytes(numbers)).unwrap_or_default() }
    }

    fn find_finders(&self, site: usize) -> Finders {
        let place = |tag: Tag| {
            let block = self.directory.sites.get(site).and_then(|entry| entry.block(tag));
            block.map_or(0..0, |block| block.offset as usize..(block.offset + block.len) as usize)
        };
        let of = |at: usize| {
            Column::ALL
                .get(at)
                .map(|&column| (place(Tag::finder_tags(column)), place(Tag::finder_numbers(column))))
        };
        std::array::from_fn(|at| of(at).unwrap_or_default())
    }

    /// Where a session is in its site's table. A damaged table has none.
    pub fn find_session(&self, key: SessionKey) -> Option<u32> {
        let search = self.search(key.site)?;
        if !search.days.contains(&u32::from(key.session.day().0)) || !search.visitors.may_hold(key.visitor.0)
        {
            return None;
        }
        let ids = self.session_ids(key.site)?;
        let day = u32::from(key.session.day().0);
        let run = ids.runs.binary_search_by_key(&day, |run| run.day).ok()?;
        let sessions = ids.runs[run].sessions(ids.visitor.len());
        let wanted = (key.visitor.0, key.session.0);
        let (mut low, mut high) = (sessions.start, sessions.end);
        while low < high {
            let middle = usize::midpoint(low, high);
            if (ids.visitor[middle], ids.session_id[middle]) < wanted {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let found = low < sessions.end && (ids.visitor[low], ids.session_id[low]) == wanted;
        found.then_some(low as u32)
    }

    /// Calls `found` (index, id, extent, rows) for the visitor's sessions that may be alive at `time` or were opened
    /// on its UTC day. Only runs near the time are searched. A damaged table has none.
    pub fn sessions_of(
        &self,
        site: SiteId,
        visitor: VisitorId,
        time: TimestampMs,
        window_ms: i64,
        mut found: impl FnMut(u32, SessionId, Extent, usize),
    ) {
        let day = u32::from(DayUtc::of(time).0);
        let Some(search) = self.search(site) else { return };
        let near = search.min_time - window_ms < time && time < search.max_time + window_ms;
        if !(near || search.days.contains(&day)) || !search.visitors.may_hold(visitor.0) {
            return;
        }
        let Some(ids) = self.session_ids(site) else { return };
        for run in ids.runs {
            let alive = run.min_time - window_ms < time && time < run.max_time + window_ms;
            if !alive && run.day != day {
                continue;
            }
            for session in ids.sessions_of(run, visitor) {
                let extent = Extent { start: ids.start[session], last: ids.last[session] };
                let rows = ids.first_row[session + 1] - ids.first_row[session];
                found(session as u32, SessionId(ids.session_id[session]), extent, rows as usize);
            }
        }
    }

    /// Calls `found` (index, id) for all sessions of the visitor. A damaged table has none.
    pub fn all_sessions_of(&self, site: SiteId, visitor: VisitorId, mut found: impl FnMut(u32, SessionId)) {
        if !self.search(site).is_some_and(|search| search.visitors.may_hold(visitor.0)) {
            return;
        }
        let Some(ids) = self.session_ids(site) else { return };
        for run in ids.runs {
            let own = ids.sessions_of(run, visitor);
            own.for_each(|session| found(session as u32, SessionId(ids.session_id[session])));
        }
    }

    fn checked_entry(&self, site: SiteId) -> Result<Option<&SiteEntry>, StorageError> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        let Some(index) = self.find(site) else { return Ok(None) };
        let entry = &self.directory.sites[index];
        self.checked[index].get_or_init(|| self.check_site(entry)).clone()?;
        Ok(Some(entry))
    }

    fn search(&self, site: SiteId) -> Option<&Search> {
        let index = self.find(site)?;
        self.searched[index].get_or_init(|| self.prepare_search(site)).as_ref()
    }

    fn prepare_search(&self, site: SiteId) -> Option<Search> {
        let ids = self.session_ids(site)?;
        let (first, last) = (ids.runs.first()?, ids.runs.last()?);
        Some(Search {
            min_time: ids.runs.iter().map(|run| run.min_time).min()?,
            max_time: ids.runs.iter().map(|run| run.max_time).max()?,
            days: first.day..=last.day,
            visitors: VisitorFilter::of(ids.visitor),
        })
    }

    /// The few columns that find a session, without assembling the whole table.
    fn session_ids(&self, site: SiteId) -> Option<SessionIds<'_>> {
        let entry = self.checked_entry(site).ok()??;
        let sessions = entry.session_count as usize;
        Some(SessionIds {
            runs: self.blocks(entry).all_numbers(entry.block(Tag::RUNS)?).ok()?,
            visitor: self.blocks(entry).numbers(Tag::VISITOR, sessions).ok()?,
            session_id: self.blocks(entry).numbers(Tag::SESSION_ID, sessions).ok()?,
            start: self.blocks(entry).numbers(Tag::START, sessions).ok()?,
            last: self.blocks(entry).numbers(Tag::LAST, sessions).ok()?,
            first_row: self.blocks(entry).numbers(Tag::FIRST_ROW, sessions + 1).ok()?,
        })
    }

    /// Checks all sites, and makes ready what finds sessions and texts in them, which is else done when somebody first asks.
    /// Damage is told by those who ask.
    pub fn prepare(&self) {
        for (index, entry) in self.directory.sites.iter().enumerate() {
            self.search(entry.site);
            self.finder(index, Column::Path);
        }
    }

    /// Checks every block of every site.
    ///
    /// # Errors
    /// The first damage found.
    pub fn verify(&self) -> Result<(), StorageError> {
        self.damage.clone().map_or(Ok(()), Err)?;
        self.directory.sites.iter().try_for_each(|entry| self.check_site(entry))
    }

    fn find(&self, site: SiteId) -> Option<usize> {
        self.directory.sites.binary_search_by_key(&site, |entry| entry.site).ok()
    }

    fn check_site(&self, entry: &SiteEntry) -> Result<(), StorageError> {
        self.blocks(entry).check_sums()?;
        let table = self.assemble(entry)?;
        check_structure(&table).map_err(|what| StorageError::corrupt(&self.path, 0, what))?;
        let site = self.find(entry.site).unwrap_or_default();
        if Column::ALL.iter().all(|&column| self.finder(site, column).is_sound()) {
            Ok(())
        } else {
            Err(StorageError::corrupt(&self.path, 0, "what finds a column's strings is damaged"))
        }
    }

    fn blocks<'a>(&'a self, entry: &'a SiteEntry) -> Blocks<'a> {
        Blocks { path: &self.path, bytes: &self.bytes, entry }
    }

    fn sparse<'a>(&'a self, entry: &'a SiteEntry, tag: Tag, count: usize) -> Result<U64s<'a>, StorageError> {
        if entry.block(tag).is_none() {
            return Ok(U64s::Zero);
        }
        Ok(U64s::Values(self.blocks(entry).numbers(tag, count)?))
    }

    fn assemble<'a>(&'a self, entry: &'a SiteEntry) -> Result<SiteTable<'a>, StorageError> {
        let (sessions, rows) = (entry.session_count as usize, entry.row_count as usize);
        let mut codes = [Codes::Constant(0); COLUMN_COUNT];
        let mut dictionaries = [Dictionary::EMPTY; COLUMN_COUNT];
        let mut postings = [None; COLUMN_COUNT];
        for column in Column::ALL {
            let count = if column.is_attribute() { sessions } else { rows };
            codes[column.index()] = self.blocks(entry).narrow(Tag::codes(column), count)?.into();
            dictionaries[column.index()] = self.dictionary(entry, column)?;
            postings[column.index()] = self.postings(entry, column)?;
        }
        let runs = entry
            .block(Tag::RUNS)
            .map_or(Ok(&[][..]), |block| self.blocks(entry).all_numbers::<Run>(block))?;
        Ok(SiteTable {
            runs,
            visitors: Visitors::All(self.blocks(entry).numbers(Tag::VISITOR, sessions)?),
            states: States::Columns(StateColumns {
                session_id: self.blocks(entry).numbers(Tag::SESSION_ID, sessions)?,
                views: self.blocks(entry).numbers(Tag::VIEWS, sessions)?,
                entry_row: self.blocks(entry).numbers(Tag::ENTRY_ROW, sessions)?,
                exit_row: self.blocks(entry).numbers(Tag::EXIT_ROW, sessions)?,
                flags: self.blocks(entry).numbers(Tag::FLAGS, sessions)?,
            }),
            first_rows: FirstRows::All(self.blocks(entry).numbers(Tag::FIRST_ROW, sessions + 1)?),
            starts: None,
            times: Times::Millis(MilliTimes {
                start: self.blocks(entry).numbers(Tag::START, sessions)?,
                last: self.blocks(entry).numbers(Tag::LAST, sessions)?,
                gap: self.blocks(entry).numbers(Tag::GAP, rows)?,
            }),
            kinds: Kinds::Bytes(self.blocks(entry).numbers(Tag::KIND, rows)?),
            user_key: self.sparse(entry, Tag::USER_KEY, sessions)?,
            event_duration: self.sparse(entry, Tag::EVENT_DURATION, rows)?,
            status: self.sparse(entry, Tag::STATUS, rows)?,
            received: self.sparse(entry, Tag::RECEIVED, rows)?,
            codes,
            dictionaries,
            postings,
            cold: None,
        })
    }

    fn dictionary<'a>(
        &'a self,
        entry: &'a SiteEntry,
        column: Column,
    ) -> Result<Dictionary<'a>, StorageError> {
        let Some(block) = entry.block(Tag::site_codes(column)) else { return Ok(Dictionary::EMPTY) };
        let site_codes: &[u32] = self.blocks(entry).all_numbers(block)?;
        let offsets = self.blocks(entry).numbers(Tag::offsets(column), site_codes.len() + 1)?;
        let bytes =
            entry.block(Tag::strings(column)).map_or(&[][..], |block| self.blocks(entry).content(block));
        Ok(Dictionary::own(offsets, bytes, site_codes))
    }

    fn postings<'a>(
        &'a self,
        entry: &'a SiteEntry,
        column: Column,
    ) -> Result<Option<Postings<'a>>, StorageError> {
        let Some(block) = entry.block(Tag::posting_offsets(column)) else { return Ok(None) };
        let offsets = self.blocks(entry).all_numbers(block)?;
        let bytes =
            entry.block(Tag::postings(column)).map_or(&[][..], |block| self.blocks(entry).content(block));
        Ok(Some(Postings { offsets, bytes }))
    }
}

struct SessionIds<'a> {
    runs: &'a [Run],
    visitor: &'a [u64],
    session_id: &'a [u32],
    start: &'a [i64],
    last: &'a [i64],
    first_row: &'a [u32],
}

impl SessionIds<'_> {
    /// The sessions of a run that are a visitor's.
    fn sessions_of(&self, run: &Run, visitor: VisitorId) -> Range<usize> {
        let all = run.sessions(self.visitor.len());
        let visitors = self.visitor.get(all.clone()).unwrap_or_default();
        let first = visitors.partition_point(|&known| known < visitor.0);
        let own = visitors[first..].iter().take_while(|&&known| known == visitor.0).count();
        all.start + first..all.start + first + own
    }
}

/// What must hold so that loops over the table stay inside it.
fn check_structure(table: &SiteTable<'_>) -> Result<(), &'static str> {
    check_cover(table)?;
    for session in 0..table.session_count() {
        let own = table.rows(session);
        let inside = |row: u32| row == NO_ROW || own.contains(&(row as usize));
        if !inside(table.states.entry_row(session)) || !inside(table.states.exit_row(session)) {
            return Err("a session's entry or exit lies outside its rows");
        }
        if table.times.last(session) < table.times.start(session) {
            return Err("a session ends before it starts");
        }
    }
    if Column::ALL.iter().all(|&column| table.dictionary(column).is_sound()) {
        Ok(())
    } else {
        Err("a dictionary's strings are damaged")
    }
}

/// Runs must cover the sessions, and sessions the rows.
pub(crate) fn check_cover(table: &SiteTable<'_>) -> Result<(), &'static str> {
    let (sessions, rows) = (table.session_count(), table.row_count());
    let first_row = |at| table.first_rows.get(at);
    let mut before = first_row(0);
    let ascending = (1..=sessions).all(|session| {
        let own = first_row(session);
        std::mem::replace(&mut before, own) < own
    });
    if !ascending || first_row(0) != Some(0) || first_row(sessions) != Some(rows as u32) {
        return Err("the sessions' rows do not cover the rows");
    }
    let mut next = 0;
    for run in table.runs {
        if run.first_session as usize != next || run.day > u32::from(u16::MAX) {
            return Err("the runs do not cover the sessions");
        }
        next += run.session_count as usize;
    }
    if next == sessions { Ok(()) } else { Err("the runs do not cover the sessions") }
}
