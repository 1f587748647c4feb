//! Builds the index of a lake file from its sessions, in the order of the file.

use hashbrown::HashMap;

use super::columns;
use super::combinations::{Combinations, EVENT, MEMBERS_MAX, OF_ROWS, OF_SESSIONS, PAGE, all};
use super::{CHECKSUM_BLOCK_BYTES, KNOWN_SHARE};
use crate::error::StorageError;
use crate::scan::recurring::recurring_within;
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::build::SessionState;
use crate::segment::layout::{FileWriter, Tag};
use crate::segment::sink::Sink;
use crate::segment::table::{FIRST_ROW_BLOCK, FLAG_BOUNCE, FLAG_FIRST, FLAG_GIVEN_ID, NO_ROW, Run, Shape};
use crate::units::{SegmentId, SessionId, SiteId, TimestampMs};
use crate::vfs::{AppendColumn, Full, Scratch};

/// The texts that an index has of each row.
pub const ROW_COLUMNS: [Column; ROW_CODE_COUNT] =
    [Column::Hostname, Column::Path, Column::Title, Column::EventName];
/// How many texts an index has of each row.
pub const ROW_CODE_COUNT: usize = 4;

/// A row as an index has it.
#[derive(Debug, Clone, Copy)]
pub struct IndexRow {
    /// When it happened.
    pub time: TimestampMs,
    /// [`crate::event::Kind`] and [`crate::segment::table::ROW_NON_INTERACTIVE`].
    pub kind: u8,
    /// The site's codes of [`ROW_COLUMNS`].
    pub texts: [u32; ROW_CODE_COUNT],
}

/// A session as an index has it.
#[derive(Debug, Clone, Copy)]
pub struct IndexSession<'r> {
    /// The visitor.
    pub visitor: u64,
    /// The session's id.
    pub session: SessionId,
    /// Whether the visitor's id was given by the site (or an import).
    pub given_id: bool,
    /// The site's codes of the attributes, in the order of [`Column::attributes`].
    pub attributes: [u32; ATTRIBUTE_COUNT],
    /// What the session is, from its rows counted from 0.
    pub state: SessionState,
    /// Its rows, in order; at least one.
    pub rows: &'r [IndexRow],
}

/// What is noted of the Parquet file that an index belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParquetFile {
    /// Its length in bytes.
    pub len: u64,
    /// CRC32C of each [`CHECKSUM_BLOCK_BYTES`].
    pub checksums: Vec<u32>,
}

/// Why a session cannot be in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Sessions must come in the order (opening day, visitor as a signed number, session id).
    #[error("the sessions are out of order")]
    Order,
    /// Times must be in the years 1970 to 2106.
    #[error("the session lies outside the years 1970 to 2106")]
    Time,
    /// The session has no rows, or the file would have too many.
    #[error("the session has no rows, or the file has too many")]
    Rows,
    /// There would be more sessions or rows than the [`IndexSize`] says.
    #[error("there are more sessions or rows than the file is said to have")]
    Size,
}

/// How much an index is to have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexSize {
    /// Sessions.
    pub sessions: usize,
    /// Rows of all of them.
    pub rows: usize,
}

/// Gathers sessions. What it has of each session and row lies in a scratch; on the heap are the shapes of sessions and the
/// combinations of texts that differ, and in the end two numbers for each combination.
#[derive(Debug)]
pub struct IndexBuilder {
    size: IndexSize,
    runs: Vec<Run>,
    visitors: AppendColumn<u64>,
    last_session: SessionId,
    starts: AppendColumn<u32>,
    shapes: HashMap<Shape, u32>,
    shapes_met: Vec<Shape>,
    /// The place of each session's shape among those that were met.
    shape_codes: AppendColumn<u32>,
    gaps: AppendColumn<u32>,
    row_count: u32,
    combinations: Vec<Combinations>,
}

impl IndexBuilder {
    /// The bytes of scratch that an index takes while it is gathered.
    pub fn scratch_bytes(size: IndexSize) -> usize {
        let (sessions, rows) =
            (Scratch::column_bytes::<u32>(size.sessions), Scratch::column_bytes::<u32>(size.rows));
        let of_sessions = sessions.saturating_mul(2 + OF_SESSIONS.len());
        let of_rows = rows.saturating_mul(1 + OF_ROWS.len());
        Scratch::column_bytes::<u64>(size.sessions).saturating_add(of_sessions).saturating_add(of_rows)
    }

    /// An index without sessions, which is gathered in this scratch.
    ///
    /// # Errors
    /// The scratch has less room than [`Self::scratch_bytes`].
    pub fn new(scratch: &mut Scratch, size: IndexSize) -> Result<Self, StorageError> {
        let visitors = scratch.column(size.sessions)?;
        let (starts, shape_codes) = (scratch.column(size.sessions)?, scratch.column(size.sessions)?);
        let gaps = scratch.column(size.rows)?;
        let combinations = all().map(|(number, columns)| {
            let count = if number < OF_SESSIONS.len() { size.sessions } else { size.rows };
            let width = columns.len() + usize::from(number == EVENT);
            Ok(Combinations::new(width, scratch.column(count)?))
        });
        Ok(Self {
            size,
            runs: Vec::new(),
            visitors,
            last_session: SessionId::default(),
            starts,
            shapes: HashMap::new(),
            shapes_met: Vec::new(),
            shape_codes,
            gaps,
            row_count: 0,
            combinations: combinations.collect::<Result<_, StorageError>>()?,
        })
    }

    /// How many sessions there are so far.
    pub fn session_count(&self) -> usize {
        self.visitors.len()
    }

    /// How many rows there are so far.
    pub fn row_count(&self) -> usize {
        self.row_count as usize
    }

    /// The numbers of all sessions so far are below this.
    pub fn numbers_end(&self) -> u32 {
        self.shapes_met.iter().map(|shape| u32::from(shape.number) + 1).max().unwrap_or(0)
    }

    /// Adds the next session.
    ///
    /// # Errors
    /// The session cannot be in this index, which is as it was before.
    pub fn push(&mut self, session: &IndexSession<'_>) -> Result<(), Unfit> {
        let (Some(first), Some(last)) = (session.rows.first(), session.rows.last()) else {
            return Err(Unfit::Rows);
        };
        let start = u32::try_from(first.time.div_euclid(1000)).map_err(|_| Unfit::Time)?;
        u32::try_from(last.time.div_euclid(1000)).map_err(|_| Unfit::Time)?;
        if !session.rows.is_sorted_by_key(|row| row.time) {
            return Err(Unfit::Time);
        }
        let rows = u32::try_from(session.rows.len()).map_err(|_| Unfit::Rows)?;
        let row_count =
            self.row_count.checked_add(rows).filter(|&count| count < NO_ROW).ok_or(Unfit::Rows)?;
        if self.visitors.len() >= self.size.sessions || row_count as usize > self.size.rows {
            return Err(Unfit::Size);
        }
        let is_first = self.place(session, first.time, last.time)?;
        self.append(session, (start, rows), is_first).map_err(|Full| Unfit::Size)?;
        self.last_session = session.session;
        self.row_count = row_count;
        Ok(())
    }

    /// Appends a session for which there is room.
    fn append(
        &mut self,
        session: &IndexSession<'_>,
        (start, rows): (u32, u32),
        is_first: bool,
    ) -> Result<(), Full> {
        self.visitors.push(session.visitor)?;
        self.starts.push(start)?;
        self.push_shape(session, rows, is_first)?;
        for (combinations, columns) in self.combinations.iter_mut().zip(OF_SESSIONS) {
            let mut members = [0; MEMBERS_MAX];
            for (member, &column) in members.iter_mut().zip(columns) {
                *member = session.attributes.get(column.index()).copied().unwrap_or(0);
            }
            combinations.push(&members[..columns.len()])?;
        }
        self.push_rows(session.rows, start)
    }

    /// Puts the session into its run. Whether it is the first of its visitor there.
    fn place(
        &mut self,
        session: &IndexSession<'_>,
        start: TimestampMs,
        last: TimestampMs,
    ) -> Result<bool, Unfit> {
        let day = u32::from(session.session.day().0);
        let rank = |day, visitor: u64, session: SessionId| (day, visitor.cast_signed(), session);
        let before = self.visitors.as_slice().last().copied().zip(self.runs.last_mut());
        if let Some((visitor, run)) = before {
            if rank(day, session.visitor, session.session) <= rank(run.day, visitor, self.last_session) {
                return Err(Unfit::Order);
            }
            let same_sign =
                visitor.cast_signed().is_negative() == session.visitor.cast_signed().is_negative();
            if run.day == day && same_sign {
                run.session_count += 1;
                run.min_time = run.min_time.min(start);
                run.max_time = run.max_time.max(last);
                return Ok(visitor != session.visitor);
            }
        }
        self.runs.push(Run {
            min_time: start,
            max_time: last,
            first_session: self.visitors.len() as u32,
            session_count: 1,
            day,
            reserved: 0,
        });
        Ok(true)
    }

    fn push_shape(&mut self, session: &IndexSession<'_>, rows: u32, is_first: bool) -> Result<(), Full> {
        let state = &session.state;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let inside = |row: u32| if row < rows { row } else { NO_ROW };
        let shape = Shape {
            rows,
            views: state.views,
            entry: inside(state.entry_row),
            exit: inside(state.exit_row),
            number: session.session.n(),
            flags: flag(state.bounced, FLAG_BOUNCE)
                | flag(session.given_id, FLAG_GIVEN_ID)
                | flag(is_first, FLAG_FIRST),
            reserved: 0,
        };
        let next = self.shapes_met.len() as u32;
        let code = *self.shapes.entry(shape).or_insert(next);
        if code == next {
            self.shapes_met.push(shape);
        }
        self.shape_codes.push(code)
    }

    fn push_rows(&mut self, rows: &[IndexRow], start: u32) -> Result<(), Full> {
        for (at, row) in rows.iter().enumerate() {
            if at > 0 {
                // Within the range of the session's first and last row, which were looked at.
                self.gaps.push((row.time.div_euclid(1000) - i64::from(start)) as u32)?;
            }
            let [hostname, path, title, event_name] = row.texts;
            self.combinations[PAGE].push(&[hostname, path, title])?;
            self.combinations[EVENT].push(&[event_name, row.kind.into()])?;
        }
        Ok(())
    }

    /// Writes the index with number `id` to `out`.
    pub fn finish<S: Sink>(self, site: SiteId, id: SegmentId, parquet: &ParquetFile, out: S) -> S {
        self.finish_within(KNOWN_SHARE, site, id, parquet, out)
    }

    /// As [`IndexBuilder::finish`], with another share of known visitors above which all are written.
    pub(crate) fn finish_within<S: Sink>(
        mut self,
        known_share: usize,
        site: SiteId,
        id: SegmentId,
        parquet: &ParquetFile,
        out: S,
    ) -> S {
        debug_assert_eq!(parquet.checksums.len() as u64, parquet.len.div_ceil(CHECKSUM_BLOCK_BYTES));
        let mut out = FileWriter::to(id, out);
        out.begin_site(site, self.visitors.len(), self.row_count as usize);
        out.block(Tag::RUNS, 0, &self.runs);
        out.block(Tag::START_SECONDS, 0, self.starts.as_slice());
        self.write_first_rows(&mut out);
        let shape_codes = self.shape_codes.as_slice().iter().copied();
        columns::write(&mut out, (Tag::SHAPE_CODES, 0), columns::bounds(shape_codes.clone()), shape_codes);
        out.block(Tag::SHAPES, 0, &self.shapes_met);
        columns::write_wide(&mut out, Tag::GAP_SECONDS, self.gaps.as_slice());
        self.write_visitors(&mut out, known_share);
        self.combinations.iter_mut().for_each(Combinations::sort);
        for ((number, columns), combinations) in all().zip(&self.combinations) {
            combinations.write(&mut out, number, columns);
        }
        out.numbers(Tag::KINDS, 0, self.combinations[EVENT].member(1).map(|kind| kind as u8));
        out.block(Tag::PARQUET_LENGTH, 0, &[parquet.len]);
        out.block(Tag::PARQUET_CHECKSUMS, 0, &parquet.checksums);
        out.finish()
    }

    fn write_first_rows<S: Sink>(&self, out: &mut FileWriter<S>) {
        let bases: Vec<u32> = self.first_rows().step_by(FIRST_ROW_BLOCK).collect();
        let mut offsets =
            self.first_rows().zip(0..).map(|(row, at): (u32, usize)| row - bases[at / FIRST_ROW_BLOCK]);
        if offsets.all(|offset| u16::try_from(offset).is_ok()) {
            let offsets = self.first_rows().zip(0..);
            let offsets = offsets.map(|(row, at): (u32, usize)| (row - bases[at / FIRST_ROW_BLOCK]) as u16);
            out.block(Tag::FIRST_ROW_BASES, 0, &bases);
            out.numbers(Tag::FIRST_ROW_OFFSETS, 0, offsets);
        } else {
            out.numbers(Tag::FIRST_ROW, 0, self.first_rows());
        }
    }

    /// The first row of each session, and after the last one the row count.
    fn first_rows(&self) -> impl Iterator<Item = u32> + '_ {
        let ends = self.shape_codes.as_slice().iter().scan(0, |end, &code| {
            *end += self.shapes_met.get(code as usize).map_or(0, |shape| shape.rows);
            Some(*end)
        });
        std::iter::once(0).chain(ends)
    }

    /// The visitors that recur, or all when those are many.
    fn write_visitors<S: Sink>(&self, out: &mut FileWriter<S>, known_share: usize) {
        let is_given = |shape: &Shape| shape.flags & FLAG_GIVEN_ID != 0;
        let given: Vec<bool> = self.shapes_met.iter().map(is_given).collect();
        let (all, codes) = (self.visitors.as_slice(), self.shape_codes.as_slice());
        let is_given = |session: usize| given.get(codes[session] as usize).copied().unwrap_or(false);
        let marks = recurring_within(&self.runs, all, is_given);
        let count = marks.count();
        if count > all.len() / known_share {
            out.block(Tag::VISITOR, 0, all);
        } else if count > 0 {
            let mut sessions = Vec::with_capacity(count);
            marks.for_each_in(0..all.len(), |session| sessions.push(session as u32));
            out.block(Tag::KNOWN_SESSIONS, 0, &sessions);
            out.numbers(Tag::KNOWN_VISITORS, 0, sessions.iter().map(|&session| all[session as usize]));
        }
    }
}
