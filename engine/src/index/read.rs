//! An index over its bytes. Opening checks the outline; checksums and structure are checked when it is first read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::combinations::{EVENT, OF_SESSIONS, all};
use super::loaded::Loaded;
use super::{CHECKSUM_BLOCK_BYTES, ParquetFile};
use crate::error::StorageError;
use crate::schema::{COLUMN_COUNT, Column};
use crate::segment::cold::{ColdColumns, ColdNumber};
use crate::segment::layout::{Directory, SiteEntry, Tag, read_directory};
use crate::segment::ranks::OwnedRanks;
use crate::segment::table::{
    Codes, Dictionary, FIRST_ROW_BLOCK, FLAG_FIRST, FLAG_GIVEN_ID, FirstRows, Gaps, Kinds, KnownVisitors,
    NO_ROW, Narrow, RankedCodes, Ranks, Run, SecondTimes, ShapedStates, SiteStrings, SiteTable, States,
    Times, U64s, Visitors,
};
use crate::segment::verdicts::Verdicts;
use crate::segment::{Blocks, check_cover};
use crate::session::Extent;
use crate::units::{DayUtc, SegmentId, SessionId, SiteId, TimestampMs, VisitorId};
use crate::vfs::Bytes;

/// The index of one lake file, possibly mapped.
pub struct Index {
    path: PathBuf,
    bytes: Bytes,
    directory: Directory,
    checked: OnceLock<Result<(), StorageError>>,
    /// The rows that sessions begin with, once they were found.
    starts: OnceLock<OwnedRanks>,
}

/// For whom strings are not read.
struct NoStrings;

impl SiteStrings for NoStrings {
    fn get(&self, _: Column, _: u32) -> &str {
        ""
    }

    fn find(&self, _: Column, _: &str) -> Option<u32> {
        None
    }

    fn verdicts(&self, _: Column, _: &str) -> Option<Arc<Verdicts>> {
        None
    }
}

/// Nothing is loaded.
static NOTHING: OnceLock<Loaded> = OnceLock::new();

impl Index {
    /// Opens an index over its bytes; `path` is for messages.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when the outline is damaged, [`StorageError::Version`] for a newer format.
    pub fn open(path: &Path, bytes: Bytes) -> Result<Self, StorageError> {
        let directory = read_directory(path, &bytes)?;
        if directory.sites.len() != 1 {
            return Err(StorageError::corrupt(path, 0, "an index is of one site"));
        }
        Ok(Self {
            path: path.to_path_buf(),
            bytes,
            directory,
            checked: OnceLock::new(),
            starts: OnceLock::new(),
        })
    }

    /// The index's number.
    pub fn id(&self) -> SegmentId {
        self.directory.id
    }

    /// The site.
    pub fn site(&self) -> SiteId {
        self.directory.sites.first().map_or(SiteId::default(), |entry| entry.site)
    }

    /// The file's length in bytes.
    pub fn byte_count(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Rows.
    pub fn row_count(&self) -> u32 {
        self.directory.sites.first().map_or(0, |entry| entry.row_count)
    }

    /// Sessions.
    pub fn session_count(&self) -> u32 {
        self.directory.sites.first().map_or(0, |entry| entry.session_count)
    }

    /// The tags and bytes of all blocks.
    pub fn block_sizes(&self) -> Vec<(u16, u64)> {
        let blocks = self.directory.sites.iter().flat_map(|entry| &entry.blocks);
        blocks.map(|block| (block.tag.0, block.len)).collect()
    }

    /// The greatest site code that a column has here.
    pub fn greatest_site_code(&self, column: Column) -> u32 {
        let block = self.directory.sites.first().and_then(|entry| entry.block(Tag::site_codes(column)));
        block.map_or(0, |block| block.value)
    }

    /// The runs, in the order of their days; a day may have two.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn runs(&self) -> Result<&[Run], StorageError> {
        let blocks = self.checked()?;
        blocks.block(Tag::RUNS).map_or(Ok(&[][..]), |block| blocks.all_numbers(block))
    }

    /// As [`Self::runs`], of which nothing else is read or checked.
    ///
    /// # Errors
    /// Their block is damaged.
    pub fn runs_alone(&self) -> Result<&[Run], StorageError> {
        let blocks = self.blocks()?;
        let Some(block) = blocks.block(Tag::RUNS) else { return Ok(&[]) };
        blocks.check_sum(block)?;
        blocks.all_numbers(block)
    }

    /// The Parquet file that it belongs to.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn parquet_file(&self) -> Result<ParquetFile, StorageError> {
        parquet_file(&self.checked()?)
    }

    /// As [`Self::parquet_file`], from the blocks that say it alone, whatever is wrong with others.
    ///
    /// # Errors
    /// Those blocks are damaged.
    pub fn parquet_file_alone(&self) -> Result<ParquetFile, StorageError> {
        let blocks = self.blocks()?;
        let own =
            [Tag::PARQUET_LENGTH, Tag::PARQUET_CHECKSUMS].into_iter().filter_map(|tag| blocks.block(tag));
        own.into_iter().try_for_each(|block| blocks.check_sum(block))?;
        parquet_file(&blocks)
    }

    /// Calls `take` for each session whose visitor's id was given, with the visitor.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn given_visitors(&self, mut take: impl FnMut(u64)) -> Result<(), StorageError> {
        let table = assemble(&self.checked()?, &NoStrings, None, NOTHING.get_or_init(Loaded::default))?;
        let is_given = |session: &usize| table.states.flags(*session) & FLAG_GIVEN_ID != 0;
        // All of them are known.
        let visitors = (0..table.session_count()).filter(is_given);
        visitors.filter_map(|session| table.visitors.get(session)).for_each(&mut take);
        Ok(())
    }

    /// The table. `strings` has the strings of the site, `cold` reads the Parquet file, of which `loaded` is at hand.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn table<'a>(
        &'a self,
        strings: &'a dyn SiteStrings,
        cold: &'a dyn ColdColumns,
        loaded: &'a Loaded,
    ) -> Result<SiteTable<'a>, StorageError> {
        let table = assemble(&self.checked()?, strings, Some(cold), loaded)?;
        let starts = self.starts.get_or_init(|| starts_of(&table));
        Ok(SiteTable { starts: Some(starts.as_ranks()), ..table })
    }

    /// Checks it and makes ready what queries need of it, unless that was done. Damage is told by those who ask.
    pub fn prepare(&self) {
        let nothing = NOTHING.get_or_init(Loaded::default);
        if let Ok(table) = self.checked().and_then(|blocks| assemble(&blocks, &NoStrings, None, nothing)) {
            self.starts.get_or_init(|| starts_of(&table));
        }
    }

    /// Checks every byte.
    ///
    /// # Errors
    /// The damage found.
    pub fn verify(&self) -> Result<(), StorageError> {
        self.check()
    }

    /// The visitors of a run's sessions, ascending.
    ///
    /// # Errors
    /// The index or its Parquet file is damaged or could not be read.
    pub fn visitors_of(&self, cold: &dyn ColdColumns, run: &Run) -> Result<Vec<u64>, StorageError> {
        let table = assemble(&self.checked()?, &NoStrings, Some(cold), NOTHING.get_or_init(Loaded::default))?;
        table.visitors_of(run).map(std::borrow::Cow::into_owned)
    }

    /// Where a session is.
    ///
    /// # Errors
    /// The index or its Parquet file is damaged or could not be read.
    pub fn find_session(
        &self,
        cold: &dyn ColdColumns,
        visitor: VisitorId,
        session: SessionId,
    ) -> Result<Option<u32>, StorageError> {
        let table = assemble(&self.checked()?, &NoStrings, Some(cold), NOTHING.get_or_init(Loaded::default))?;
        table.find_session(visitor.0, session, table.runs.iter())
    }

    /// Calls `found` (index, id, extent, rows) for the visitor's sessions that may be alive at `time` or were opened
    /// on its UTC day. Only runs near the time are searched.
    ///
    /// # Errors
    /// As [`Index::find_session`].
    pub fn sessions_of(
        &self,
        cold: &dyn ColdColumns,
        visitor: VisitorId,
        time: TimestampMs,
        window_ms: i64,
        mut found: impl FnMut(u32, SessionId, Extent, usize),
    ) -> Result<(), StorageError> {
        let table = assemble(&self.checked()?, &NoStrings, Some(cold), NOTHING.get_or_init(Loaded::default))?;
        let day = u32::from(DayUtc::of(time).0);
        for run in table.runs {
            let alive = run.min_time.saturating_sub(window_ms) < time
                && time < run.max_time.saturating_add(window_ms);
            if !alive && run.day != day {
                continue;
            }
            for session in table.sessions_of(run, visitor.0)? {
                let times = table.exact_times(session)?;
                let (Some(&start), Some(&last)) = (times.first(), times.last()) else { continue };
                let Some(id) = table.states.session_id(session) else { continue };
                found(session as u32, SessionId(id), Extent { start, last }, times.len());
            }
        }
        Ok(())
    }

    fn checked(&self) -> Result<Blocks<'_>, StorageError> {
        self.checked.get_or_init(|| self.check()).clone()?;
        self.blocks()
    }

    fn blocks(&self) -> Result<Blocks<'_>, StorageError> {
        match self.directory.sites.first() {
            Some(entry) => Ok(Blocks { path: &self.path, bytes: &self.bytes, entry }),
            None => Err(StorageError::corrupt(&self.path, 0, "an index is of one site")),
        }
    }

    fn check(&self) -> Result<(), StorageError> {
        let blocks = self.blocks()?;
        blocks.check_sums()?;
        let corrupt = |what: &str| StorageError::corrupt(&self.path, 0, what);
        let table = assemble(&blocks, &NoStrings, None, NOTHING.get_or_init(Loaded::default))?;
        check_cover(&table).map_err(corrupt)?;
        check_sessions(&table).map_err(corrupt)?;
        check_visitors(&table).map_err(corrupt)?;
        check_codes(&blocks, &table).map_err(corrupt)?;
        let parquet = parquet_file(&blocks)?;
        if parquet.checksums.len() as u64 != parquet.len.div_ceil(CHECKSUM_BLOCK_BYTES) {
            return Err(corrupt("the checksums do not cover the Parquet file"));
        }
        Ok(())
    }
}

fn parquet_file(blocks: &Blocks<'_>) -> Result<ParquetFile, StorageError> {
    let len = blocks.numbers::<u64>(Tag::PARQUET_LENGTH, 1)?.first().copied().unwrap_or(0);
    let checksums =
        blocks.block(Tag::PARQUET_CHECKSUMS).map_or(Ok(&[][..]), |block| blocks.all_numbers(block))?;
    Ok(ParquetFile { len, checksums: checksums.to_vec() })
}

fn assemble<'a>(
    blocks: &Blocks<'a>,
    strings: &'a dyn SiteStrings,
    cold: Option<&'a dyn ColdColumns>,
    loaded: &'a Loaded,
) -> Result<SiteTable<'a>, StorageError> {
    let SiteEntry { session_count, row_count, .. } = blocks.entry;
    let (sessions, rows) = (*session_count as usize, *row_count as usize);
    let runs = blocks.block(Tag::RUNS).map_or(Ok(&[][..]), |block| blocks.all_numbers::<Run>(block))?;
    let first_rows = first_rows(blocks, sessions)?;
    let shapes = blocks.block(Tag::SHAPES).map_or(Ok(&[][..]), |block| blocks.all_numbers(block))?;
    let times = SecondTimes {
        start: blocks.numbers(Tag::START_SECONDS, sessions)?,
        gaps: gaps(blocks, rows.saturating_sub(sessions))?,
        first_rows,
    };
    let mut codes = [Codes::Constant(0); COLUMN_COUNT];
    let mut dictionaries = [Dictionary::EMPTY; COLUMN_COUNT];
    fill_columns(blocks, strings, &mut codes, &mut dictionaries)?;
    for &column in Column::ALL.iter() {
        if let Some(texts) = loaded.texts(column) {
            codes[column.index()] = Codes::Cold(texts);
            dictionaries[column.index()] = Dictionary::cold(texts);
        }
    }
    let numbers = |number| match loaded.numbers(number) {
        Some(numbers) => U64s::Cold(numbers),
        None => U64s::Zero,
    };
    let kind_codes = blocks.narrow(Tag::combinations(EVENT), rows)?;
    let kinds = blocks.block(Tag::KINDS).map_or(Ok(&[][..]), |block| blocks.all_numbers(block))?;
    Ok(SiteTable {
        runs,
        visitors: match loaded.visitors() {
            Some(visitors) => Visitors::OfRows(visitors, first_rows),
            None => visitors(blocks, sessions)?,
        },
        states: States::Shapes(ShapedStates {
            codes: blocks.narrow(Tag::SHAPE_CODES, sessions)?,
            shapes,
            first_rows,
            runs,
        }),
        first_rows,
        starts: None,
        times: loaded.times().map_or(Times::Seconds(times), |exact| Times::Exact(exact, first_rows)),
        kinds: Kinds::Coded { codes: kind_codes, table: kinds, len: rows },
        event_duration: numbers(ColdNumber::EventDuration),
        status: numbers(ColdNumber::Status),
        received: numbers(ColdNumber::Received),
        user_key: numbers(ColdNumber::UserKey),
        codes,
        dictionaries,
        postings: [None; COLUMN_COUNT],
        cold,
    })
}

/// The rows that sessions begin with.
fn starts_of(table: &SiteTable<'_>) -> OwnedRanks {
    let mut starts = OwnedRanks::default();
    let firsts = (0..table.session_count()).filter_map(|session| table.first_rows.get(session));
    firsts.for_each(|row| _ = starts.push(row as usize));
    starts.finish(table.row_count())
}

/// How many combinations there are of those with this number.
fn combination_count(blocks: &Blocks<'_>, number: usize) -> usize {
    match blocks.block(Tag::combinations(number)) {
        Some(block) if block.width != 0 => block.value as usize,
        _ => 1,
    }
}

/// The codes of the combinations with this number.
fn combined<'a>(blocks: &Blocks<'a>, number: usize, len: usize) -> Result<Narrow<'a>, StorageError> {
    let Some(present) = blocks.block(Tag::present(number)) else {
        return blocks.narrow(Tag::combinations(number), len);
    };
    let codes =
        blocks.block(Tag::combinations(number)).map_or(Ok(&[][..]), |block| blocks.all_numbers(block))?;
    let words = blocks.all_numbers(present)?;
    let present = Ranks { words, ranks: blocks.numbers(Tag::ranks(number), words.len())? };
    Ok(Narrow::Ranked(RankedCodes { present, codes }))
}

/// The columns that are part of combinations.
fn fill_columns<'a>(
    blocks: &Blocks<'a>,
    strings: &'a dyn SiteStrings,
    codes: &mut [Codes<'a>; COLUMN_COUNT],
    dictionaries: &mut [Dictionary<'a>; COLUMN_COUNT],
) -> Result<(), StorageError> {
    let entry = blocks.entry;
    for (number, columns) in all() {
        let is_of_sessions = number < OF_SESSIONS.len();
        let count = if is_of_sessions { entry.session_count } else { entry.row_count };
        let combined = combined(blocks, number, count as usize)?;
        for &column in columns {
            let Some(block) = blocks.block(Tag::site_codes(column)) else { continue };
            let table = blocks.narrow(Tag::codes(column), combination_count(blocks, number))?;
            codes[column.index()] = match (combined, table) {
                (_, Narrow::Constant(code)) => Codes::Constant(code),
                (Narrow::Constant(combination), table) => Codes::Constant(table.get(combination as usize)),
                (codes, table) => Codes::Combined { codes, table },
            };
            dictionaries[column.index()] = Dictionary::of_site(column, strings, blocks.all_numbers(block)?);
        }
    }
    Ok(())
}

fn first_rows<'a>(blocks: &Blocks<'a>, sessions: usize) -> Result<FirstRows<'a>, StorageError> {
    if blocks.block(Tag::FIRST_ROW).is_some() {
        return Ok(FirstRows::All(blocks.numbers(Tag::FIRST_ROW, sessions + 1)?));
    }
    Ok(FirstRows::Blocks {
        bases: blocks.numbers(Tag::FIRST_ROW_BASES, (sessions + 1).div_ceil(FIRST_ROW_BLOCK))?,
        offsets: blocks.numbers(Tag::FIRST_ROW_OFFSETS, sessions + 1)?,
    })
}

fn gaps<'a>(blocks: &Blocks<'a>, count: usize) -> Result<Gaps<'a>, StorageError> {
    match blocks.block(Tag::GAP_SECONDS) {
        Some(block) if block.width == 4 => Ok(Gaps::U32(blocks.numbers(Tag::GAP_SECONDS, count)?)),
        _ => Ok(Gaps::U16(blocks.numbers(Tag::GAP_SECONDS, count)?)),
    }
}

fn visitors<'a>(blocks: &Blocks<'a>, sessions: usize) -> Result<Visitors<'a>, StorageError> {
    if blocks.block(Tag::VISITOR).is_some() {
        return Ok(Visitors::All(blocks.numbers(Tag::VISITOR, sessions)?));
    }
    let Some(block) = blocks.block(Tag::KNOWN_SESSIONS) else {
        return Ok(Visitors::Some(KnownVisitors::default()));
    };
    let sessions: &[u32] = blocks.all_numbers(block)?;
    Ok(Visitors::Some(KnownVisitors { sessions, ids: blocks.numbers(Tag::KNOWN_VISITORS, sessions.len())? }))
}

/// Shapes must fit the rows, and each run begin with a visitor.
fn check_sessions(table: &SiteTable<'_>) -> Result<(), &'static str> {
    let States::Shapes(states) = table.states else { return Err("the sessions have no shapes") };
    for shape in states.shapes {
        let inside = |row: u32| row == NO_ROW || row < shape.rows;
        if !inside(shape.entry) || !inside(shape.exit) {
            return Err("a shape's entry or exit lies outside its rows");
        }
    }
    let first_row = |session: usize| table.first_rows.get(session).unwrap_or(0);
    let mut row = first_row(0);
    for session in 0..table.session_count() {
        let Some(shape) = states.shape(session) else { return Err("a session's shape is missing") };
        let end = first_row(session + 1);
        if end.wrapping_sub(std::mem::replace(&mut row, end)) != shape.rows {
            return Err("a session's shape does not fit its rows");
        }
    }
    let begins =
        |run: &Run| run.session_count > 0 && table.states.flags(run.first_session as usize) & FLAG_FIRST != 0;
    let days_ascend = table.runs.is_sorted_by_key(|run| run.day);
    if days_ascend && table.runs.iter().all(begins) { Ok(()) } else { Err("the runs are damaged") }
}

/// Visitors must be known where they may recur anywhere.
fn check_visitors(table: &SiteTable<'_>) -> Result<(), &'static str> {
    let Visitors::Some(known) = table.visitors else { return Ok(()) };
    let is_inside = known.sessions.last().is_none_or(|&last| (last as usize) < table.session_count());
    if !known.sessions.is_sorted_by(|a, b| a < b) || !is_inside {
        return Err("the known visitors are out of order");
    }
    let States::Shapes(states) = table.states else { return Err("the sessions have no shapes") };
    if states.shapes.iter().all(|shape| shape.flags & FLAG_GIVEN_ID == 0) {
        return Ok(());
    }
    let is_given =
        |&session: &usize| states.shape(session).is_some_and(|shape| shape.flags & FLAG_GIVEN_ID != 0);
    let given = (0..table.session_count()).filter(is_given);
    let mut left = known.sessions.iter();
    for session in given {
        if !left.any(|&known| known as usize == session) {
            return Err("a given visitor is not known");
        }
    }
    Ok(())
}

/// Codes must be of combinations, and those of strings.
fn check_codes(blocks: &Blocks<'_>, table: &SiteTable<'_>) -> Result<(), &'static str> {
    for (number, columns) in all() {
        let count = combination_count(blocks, number);
        let len = if number < OF_SESSIONS.len() { table.session_count() } else { table.row_count() };
        let combined = combined(blocks, number, len).map_err(|_| "codes are damaged")?;
        if let Narrow::Ranked(ranked) = combined
            && !ranked.is_sound(len)
        {
            return Err("the codes do not fit the bits");
        }
        if !combined.are_below(count) {
            return Err("a combination is missing");
        }
        for &column in columns {
            let codes = blocks.narrow(Tag::codes(column), count).map_err(|_| "codes are damaged")?;
            if !codes.are_below(table.dictionary(column).len()) || !table.dictionary(column).is_sound() {
                return Err("a column's codes are damaged");
            }
        }
    }
    let Kinds::Coded { table: kinds, .. } = table.kinds else { return Err("the rows have no kinds") };
    let has_kinds = kinds.len() == combination_count(blocks, EVENT) || table.row_count() == 0;
    if has_kinds { Ok(()) } else { Err("the rows' kinds are damaged") }
}
