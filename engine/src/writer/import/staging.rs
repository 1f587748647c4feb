//! The open segment of an import: rows in arrival order, sessions that are told from one another but get their numbers
//! and attributes only when it is sealed. The seal is that of the writer's open segment.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::codes::{SharedCodes, lock};
use super::row::Row;
use super::stored::Stored;
use crate::error::StorageError;
use crate::limits;
use crate::manifest::segment_path;
use crate::open::{Arena, ArenaCapacity, ArenaReader, RowData, Watermark, attribute_codes};
use crate::parquet::Mark;
use crate::record::Operation;
use crate::schema::{ATTRIBUTE_COUNT, COLUMN_COUNT, Column};
use crate::segment::sink::FileSink;
use crate::session::Extent;
use crate::units::{SegmentId, SessionId, SessionKey, SiteId, VisitorId};
use crate::vfs::{Scratch, SharedFs};
use crate::writer::SEAL_TEXT_BYTES;
use crate::writer::index::SessionIndex;

/// Texts of each column that are found without a search.
const RECENT_TEXTS: usize = 1 << 9;

/// When a segment is full.
#[derive(Debug, Clone, Copy)]
pub struct SegmentSize {
    /// Rows.
    pub rows: usize,
    /// Sessions.
    pub sessions: usize,
}

impl Default for SegmentSize {
    fn default() -> Self {
        Self { rows: limits::IMPORT_SEGMENT_ROWS, sessions: limits::IMPORT_SEGMENT_SESSIONS }
    }
}

impl SegmentSize {
    /// Room for it, and for one more session and row.
    fn capacity(self) -> ArenaCapacity {
        let texts_of_a_session =
            limits::SESSION_ROWS_MAX * (COLUMN_COUNT - ATTRIBUTE_COUNT) + ATTRIBUTE_COUNT;
        ArenaCapacity {
            rows: self.rows + limits::SESSION_ROWS_MAX + 2,
            strings: limits::IMPORT_SEGMENT_TEXTS + texts_of_a_session + 2 * COLUMN_COUNT,
            string_bytes: limits::OPEN_TEXT_BYTES_MAX,
        }
    }
}

/// What gives strings their codes.
pub(super) struct Coder<'a> {
    pub(super) codes: &'a SharedCodes,
    pub(super) stored: &'a Stored,
}

/// A session of the open segment.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) visitor: VisitorId,
    /// The session's id in the file.
    pub(super) given: Option<i64>,
    /// Its number, when it has one already.
    pub(super) id: Option<SessionId>,
    /// Its number stays whatever day its first row is of.
    pub(super) keeps_id: bool,
    pub(super) user_key: Option<u64>,
    attributes: [u32; ATTRIBUTE_COUNT],
}

pub(super) struct Staging {
    site: SiteId,
    size: SegmentSize,
    pub(super) arena: Arena,
    /// By visitor; ordinals are those of `sessions`.
    pub(super) index: SessionIndex,
    /// By visitor and the id in the file.
    pub(super) given: HashMap<(VisitorId, i64), u32>,
    pub(super) sessions: Vec<Session>,
    /// Codes of texts that came lately, [`RECENT_TEXTS`] for each column: most rows say what others said before.
    recent: Vec<u32>,
    /// Codes of marked texts, [`Mark::COUNT`] for each column, each with the batch that it was noted for.
    marked: Vec<MarkedCode>,
}

/// The code of a marked text.
#[derive(Debug, Clone, Copy, Default)]
struct MarkedCode {
    batch: u32,
    /// 0: none was noted yet.
    code: u32,
}

/// Where among those that came lately a text would be. Cheaper than a hash of all of it; equal places do no harm.
fn place_of(text: &str) -> usize {
    let bytes = text.as_bytes();
    let word = |part: Option<&[u8; 8]>| part.map_or(0, |part| u64::from_le_bytes(*part));
    let (first, last) = match bytes.len() {
        8.. => (word(bytes.first_chunk()), word(bytes.last_chunk())),
        _ => (bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0),
    };
    let mixed = (first ^ last.rotate_left(23) ^ bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize % RECENT_TEXTS
}

impl Staging {
    /// An empty one, over the spare scratch of another if there is one.
    pub(super) fn new(
        fs: &SharedFs,
        folder: &Path,
        site: SiteId,
        size: SegmentSize,
        spare: Option<Scratch>,
    ) -> Result<Self, StorageError> {
        let arena = match spare {
            Some(scratch) => Arena::over(scratch, size.capacity())?,
            None => {
                let path = folder.join(format!("import-{:016x}", 0));
                let arena = Arena::create(&**fs, &path, size.capacity())?;
                fs.remove(&path)?;
                arena
            }
        };
        let (index, given, sessions) = (SessionIndex::default(), HashMap::new(), Vec::new());
        let recent = vec![0; RECENT_TEXTS * COLUMN_COUNT];
        let marked = vec![MarkedCode::default(); Mark::COUNT * COLUMN_COUNT];
        Ok(Self { site, size, arena, index, given, sessions, recent, marked })
    }

    pub(super) fn is_full(&self) -> bool {
        self.arena.watermark().rows >= self.size.rows
            || self.sessions.len() >= self.size.sessions
            || self.arena.text_bytes() >= SEAL_TEXT_BYTES
            || self.arena.text_count() >= limits::IMPORT_SEGMENT_TEXTS
    }

    /// Whether the session takes a row like this one, by the bounds that every session has.
    pub(super) fn takes(&self, ordinal: u32, row: &Row<'_>) -> bool {
        let known = self.index.known(ordinal);
        (known.rows as usize) < limits::SESSION_ROWS_MAX
            && (known.text_bytes as usize) < limits::SESSION_TEXT_BYTES_MAX
            && known.extent.last.max(row.time) - known.extent.start.min(row.time)
                <= limits::SESSION_SPAN_MS_MAX
    }

    /// The code of a row's text. One that is marked is looked for once a batch.
    fn code(&mut self, coder: &Coder<'_>, column: Column, row: &Row<'_>) -> Result<u32, StorageError> {
        let Some(Mark { batch, number }) = row.texts.mark(column) else {
            return self.intern(coder, column, row.text(column));
        };
        if number == 0 {
            return Ok(0);
        }
        let place = column.index() * Mark::COUNT + usize::from(number);
        if let Some(known) = self.marked.get(place)
            && known.batch == batch
            && known.code != 0
        {
            return Ok(known.code);
        }
        let code = self.intern(coder, column, row.text(column))?;
        if let Some(known) = self.marked.get_mut(place) {
            *known = MarkedCode { batch, code };
        }
        Ok(code)
    }

    /// The codes of the attributes that a row says.
    fn attributes(
        &mut self,
        coder: &Coder<'_>,
        row: &Row<'_>,
    ) -> Result<[u32; ATTRIBUTE_COUNT], StorageError> {
        let mut codes = [0; ATTRIBUTE_COUNT];
        for (code, &column) in codes.iter_mut().zip(Column::attributes()) {
            *code = self.code(coder, column, row)?;
        }
        Ok(codes)
    }

    /// The code of a string, from among those that came lately if it is there.
    fn intern(&mut self, coder: &Coder<'_>, column: Column, text: &str) -> Result<u32, StorageError> {
        if text.is_empty() {
            return Ok(0);
        }
        let place = column.index() * RECENT_TEXTS + place_of(text);
        if let Some(&code) = self.recent.get(place)
            && code != 0
            && self.arena.is_text(code, self.site, column, text)
        {
            return Ok(code);
        }
        let code = self.look_up(coder, column, text)?;
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = code;
        }
        Ok(code)
    }

    fn look_up(&mut self, coder: &Coder<'_>, column: Column, text: &str) -> Result<u32, StorageError> {
        let hash = match self.arena.find_text(self.site, column, text) {
            Ok(code) => return Ok(code),
            Err(hash) => hash,
        };
        let site_code = lock(coder.codes).code(column, text, || coder.stored.site_code(column, text))?;
        Ok(self.arena.insert_text(self.site, column, text, hash, site_code))
    }

    /// Opens a session with the attributes of a row, which is to be added next.
    pub(super) fn open(
        &mut self,
        coder: &Coder<'_>,
        row: &Row<'_>,
        visitor: VisitorId,
        id: Option<SessionId>,
    ) -> Result<u32, StorageError> {
        let attributes = self.attributes(coder, row)?;
        let keeps_id = id.is_some();
        let session =
            Session { visitor, given: row.session, id, keeps_id, user_key: row.user_key, attributes };
        Ok(self.insert(session))
    }

    fn intern_attributes(
        &mut self,
        coder: &Coder<'_>,
        texts: &[&str; ATTRIBUTE_COUNT],
    ) -> Result<[u32; ATTRIBUTE_COUNT], StorageError> {
        attribute_codes(texts, |column, text| self.intern(coder, column, text))
    }

    fn insert(&mut self, session: Session) -> u32 {
        let ordinal = self.sessions.len() as u32;
        let key = SessionKey { site: self.site, visitor: session.visitor, session: SessionId::default() };
        self.index.insert(key, ordinal);
        if let Some(given) = session.given {
            self.given.insert((session.visitor, given), ordinal);
        }
        self.sessions.push(session);
        ordinal
    }

    /// Adds a row to a session. The attributes of one whose id the file gives are those of its first row by time.
    pub(super) fn add(&mut self, coder: &Coder<'_>, ordinal: u32, row: &Row<'_>) -> Result<(), StorageError> {
        let known = self.index.known(ordinal);
        let grouped = self.sessions.get(ordinal as usize).is_some_and(|session| session.given.is_some());
        if grouped && known.rows > 0 && row.time < known.extent.start {
            let attributes = self.attributes(coder, row)?;
            if let Some(session) = self.sessions.get_mut(ordinal as usize) {
                (session.attributes, session.user_key) = (attributes, row.user_key);
            }
        }
        let mut data = RowData {
            time: row.time,
            kind: row.kind_byte(),
            event_duration: row.event_duration.map_or(0, |seconds| u64::from(seconds) + 1),
            status: row.status.map_or(0, u64::from),
            received: row.received.map_or(0, |time| time.max(0) as u64),
            ..RowData::default()
        };
        for (code, &column) in data.texts.iter_mut().zip(Column::row_texts()) {
            *code = self.code(coder, column, row)?;
        }
        self.push(ordinal, &data)
    }

    /// Adds a row whose texts have their codes.
    fn push(&mut self, ordinal: u32, data: &RowData) -> Result<(), StorageError> {
        let text_bytes = data.texts.iter().map(|&code| self.arena.text_len(code)).sum();
        let index = self.arena.push_row(ordinal, self.index.last_row(ordinal), data)?;
        self.index.extend(ordinal, index, data.time, text_bytes);
        Ok(())
    }

    /// Puts a session here that was elsewhere.
    pub(super) fn bring(
        &mut self,
        coder: &Coder<'_>,
        operation: &Operation<'_>,
        given: Option<i64>,
    ) -> Result<u32, StorageError> {
        let attributes = self.intern_attributes(coder, &operation.attributes.unwrap_or_default())?;
        let SessionKey { visitor, session, .. } = operation.key;
        let ordinal = self.insert(Session {
            visitor,
            given,
            id: Some(session),
            keeps_id: given.is_none(),
            user_key: operation.user_key,
            attributes,
        });
        for row in &operation.rows {
            let data = RowData::coded(row, |column, text| self.intern(coder, column, text))?;
            self.push(ordinal, &data)?;
        }
        Ok(ordinal)
    }

    /// An attribute of a session.
    pub(super) fn attribute(&self, ordinal: u32, column: Column) -> &str {
        let session = self.sessions.get(ordinal as usize);
        let code = session.and_then(|session| session.attributes.get(column.index()).copied());
        self.arena.text(code.unwrap_or(0))
    }

    /// The session with a number.
    pub(super) fn find(&self, visitor: VisitorId, id: SessionId) -> Option<u32> {
        let own = self.index.of_visitor(self.site, visitor).map(|(ordinal, _)| ordinal);
        own.into_iter().find(|&ordinal| {
            self.sessions.get(ordinal as usize).is_some_and(|session| session.id == Some(id))
        })
    }

    /// The session has this id in the file.
    pub(super) fn name(&mut self, ordinal: u32, given: i64) {
        if let Some(session) = self.sessions.get_mut(ordinal as usize) {
            (session.given, session.keeps_id) = (Some(given), false);
            self.given.insert((session.visitor, given), ordinal);
        }
    }

    /// Ends the open segment; every session has its number. `is_marked`: the visitor recurs on any day.
    pub(super) fn freeze(
        mut self,
        id: SegmentId,
        is_marked: impl Fn(VisitorId) -> bool,
    ) -> Result<Frozen, StorageError> {
        let mut ids = Vec::with_capacity(self.sessions.len());
        for session in std::mem::take(&mut self.sessions) {
            let Session { visitor, user_key, attributes, .. } = session;
            let key = SessionKey { site: self.site, visitor, session: session.id.unwrap_or_default() };
            let user_key = user_key.or_else(|| is_marked(visitor).then_some(0));
            self.arena.push_session(key, user_key, &attributes)?;
            ids.push(key.session);
        }
        let Self { arena, index, given, .. } = self;
        Ok(Frozen { id, arena, index, given, ids, left: RoaringBitmap::new(), seal: None })
    }
}

/// An open segment that is being sealed.
pub(super) struct Frozen {
    pub(super) id: SegmentId,
    pub(super) arena: Arena,
    pub(super) index: SessionIndex,
    pub(super) given: HashMap<(VisitorId, i64), u32>,
    pub(super) ids: Vec<SessionId>,
    /// Ordinals of sessions that have moved on since.
    pub(super) left: RoaringBitmap,
    seal: Option<JoinHandle<Result<(), StorageError>>>,
}

impl Frozen {
    /// Writes the segment: here, or on a thread of its own.
    pub(super) fn seal(&mut self, fs: &SharedFs, folder: &Path, threaded: bool) -> Result<(), StorageError> {
        let job = SealJob {
            fs: fs.clone(),
            reader: self.arena.reader(),
            watermark: self.arena.watermark(),
            id: self.id,
            path: segment_path(folder, self.id),
        };
        if !threaded {
            return job.run();
        }
        let job = Arc::new(job);
        let on_thread = Arc::clone(&job);
        match std::thread::Builder::new().name("import sealer".into()).spawn(move || on_thread.run()) {
            Ok(thread) => self.seal = Some(thread),
            Err(_) => return job.run(),
        }
        Ok(())
    }

    /// Waits until the segment is written.
    pub(super) fn wait(&mut self) -> Result<(), StorageError> {
        let Some(thread) = self.seal.take() else { return Ok(()) };
        let ended = thread.join();
        ended.unwrap_or_else(|_| Err(StorageError::Latched { reason: "the sealing thread is gone".into() }))
    }

    /// A session that has not moved on, whole.
    pub(super) fn operation(&self, ordinal: u32) -> Option<Operation<'_>> {
        let is_here = !self.left.contains(ordinal);
        is_here.then(|| self.arena.operation(ordinal, self.index.last_row(ordinal)))
    }

    /// The session with a number, if it has not moved on.
    pub(super) fn find(&self, site: SiteId, visitor: VisitorId, id: SessionId) -> Option<u32> {
        self.of_visitor(site, visitor).find(|found| found.1 == id).map(|found| found.0)
    }

    /// The visitor's sessions that have not moved on: ordinal, number, extent, rows, bytes of texts.
    pub(super) fn of_visitor(
        &self,
        site: SiteId,
        visitor: VisitorId,
    ) -> impl Iterator<Item = (u32, SessionId, Extent, u32, u32)> + '_ {
        let sessions = self.index.of_visitor(site, visitor);
        sessions.filter(|(ordinal, _)| !self.left.contains(*ordinal)).map(|(ordinal, known)| {
            let id = self.ids.get(ordinal as usize).copied().unwrap_or_default();
            (ordinal, id, known.extent, known.rows, known.text_bytes)
        })
    }
}

/// What writes a segment.
struct SealJob {
    fs: SharedFs,
    reader: Arc<ArenaReader>,
    watermark: Watermark,
    id: SegmentId,
    path: PathBuf,
}

impl SealJob {
    fn run(&self) -> Result<(), StorageError> {
        let out = FileSink::new(self.fs.clone(), self.path.clone());
        let out = self.reader.seal(self.id, self.watermark, &RoaringBitmap::new(), out);
        out.map_or(Ok(()), |out| out.finish().map(drop))
    }
}
