//! The writer's state machine: assign a session, log, sync, show, seal, recover. One thread owns it.
//!
//! Invariants:
//! - What is applied to the open segment is what was logged: live events and replay go through `Core::apply`.
//! - A snapshot is published only after its rows are synced.
//! - A live session lies whole in exactly one live segment: an event that joins a session elsewhere moves it into the
//!   open segment first, in a frame before its own. A move alone changes no answer, so a crash may fall between.
//! - An event and its ids are logged in one frame. An id is known from the moment it is appended, so a repeat that comes
//!   before the first one is synced is answered by the same commit, or a later one.
//! - How far a followed file was taken is logged in the frame of the events up to there.
//! - After the first failed write or sync nothing is written any more (the store latches on any error from here).

mod assign;
mod assumed;
mod compact;
mod filters;
mod forget;
pub mod import;
mod index;
mod lake;
mod options;
mod rebuild;
mod recover;
mod seal;
mod sealed;
#[cfg(test)]
mod tests;
mod versions;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::aggregate::Aggregates;
use crate::codec::{Malformed, Writer};
use crate::dictionary::SiteDictionary;
use crate::error::StorageError;
use crate::event::{Batch, Event, Position};
use crate::ids::{self, RememberedIds};
use crate::lake::{Lake, LakeContext};
use crate::limits;
use crate::log::LogWriter;
use crate::manifest::{ContentHash, Taken};
use crate::open::{Arena, ArenaCapacity, RowData, attribute_codes};
use crate::positions::Positions;
use crate::query::{RecurringCache, Turns};
use crate::record::{self, FRAME_CARRIED, FRAME_EVENTS, Frame, FrameIds, Operation, Row};
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::Sought;
use crate::snapshot::{OpenView, SealedView, Snapshot};
use crate::units::{EventHash, SegmentId, SessionKey, SiteId, TimestampMs};
use crate::vfs::{Lock, SharedFs};

use assign::Assigned;
use filters::Key;
use index::SessionIndex;
pub use options::{Receipt, StoreOptions};
pub use seal::{Leavings, SealJob, SealedFile, Spare, SpareJob};
use sealed::{Sealed, SealedSegments};

/// Bytes of distinct strings of the open segment at which it is sealed.
const SEAL_TEXT_BYTES: usize = limits::OPEN_TEXT_BYTES_MAX / 2;

/// Bytes that an event takes in the log, as a rule.
const EVENT_BYTES_EXPECTED: usize = 256;

/// The path of an open segment's scratch file.
fn scratch_path(folder: &Path, name: u64) -> PathBuf {
    folder.join(format!("open-{name:016x}"))
}

/// An open segment with what its writer knows of it.
struct OpenSegment {
    arena: Arena,
    index: SessionIndex,
    /// Rows that came here first, not those of sessions that were moved here. The seal counts these: else sessions
    /// that are moved here again after each seal would themselves bring on the next one.
    fresh_rows: usize,
    /// Sessions (ordinals) that have moved on and must not count.
    moved: Arc<RoaringBitmap>,
    scratch: PathBuf,
}

impl OpenSegment {
    fn create(
        fs: &SharedFs,
        folder: &Path,
        name: u64,
        capacity: ArenaCapacity,
    ) -> Result<Self, StorageError> {
        let scratch = scratch_path(folder, name);
        let arena = Arena::create(&**fs, &scratch, capacity)?;
        Ok(Self::over(arena, scratch))
    }

    fn over(arena: Arena, scratch: PathBuf) -> Self {
        Self { arena, index: SessionIndex::default(), fresh_rows: 0, moved: Arc::default(), scratch }
    }

    /// This one, which is empty, with room in its tables for so many strings and sessions, and with the memory that it
    /// uses first touched: the system gives it page by page.
    fn warmed(
        mut self,
        texts: usize,
        sessions: usize,
        capacity: ArenaCapacity,
    ) -> Result<Self, StorageError> {
        self.arena.warm(texts)?;
        self.index.warm(sessions);
        let in_use = StorageError::TooLarge { what: "somebody reads what is not there yet".into() };
        self.emptied(capacity).ok_or(in_use)
    }

    /// An empty one in the place of this one, over the same memory: see [`Arena::emptied`].
    fn emptied(mut self, capacity: ArenaCapacity) -> Option<Self> {
        self.index.clear();
        let arena = self.arena.emptied(capacity)?;
        Some(Self { index: self.index, ..Self::over(arena, self.scratch) })
    }

    /// A session, whole, as the operation that moves it elsewhere.
    fn operation(&self, ordinal: u32) -> Operation<'_> {
        self.arena.operation(ordinal, self.index.last_row(ordinal))
    }

    fn view(&self) -> OpenView {
        OpenView { reader: self.arena.reader(), watermark: self.arena.watermark(), moved: self.moved.clone() }
    }
}

/// An open segment that takes no more rows and is being sealed.
struct Frozen {
    open: OpenSegment,
    /// The ordinals that the segment being written leaves out.
    left_out: RoaringBitmap,
}

/// The writer's state. See the module's head.
pub struct Core {
    fs: SharedFs,
    folder: PathBuf,
    options: StoreOptions,
    /// The log of the current generation; `None` only while it is replayed.
    log: Option<LogWriter>,
    generation: u64,
    /// The generation where replay starts: the one of the log that holds the oldest event that is in no segment.
    first_generation: u64,
    open: OpenSegment,
    /// What the next seal opens.
    spare: Option<Spare>,
    frozen: Option<Frozen>,
    sealed: SealedSegments,
    sealed_views: Option<Arc<Vec<SealedView>>>,
    recurring: Arc<RecurringCache>,
    turns: Arc<Turns>,
    aggregates: Arc<Aggregates>,
    ids: RememberedIds,
    lake: Lake,
    lake_context: LakeContext,
    imports: BTreeSet<(SiteId, ContentHash)>,
    /// How far followed files have been taken.
    positions: Arc<Positions>,
    /// What imports have taken out of the logs that are live.
    taken: Vec<Taken>,
    /// Sites that were forgotten since the start: what is still under way for them comes to nothing.
    forgotten: BTreeSet<SiteId>,
    /// The import that is under way, if any.
    importing: Option<import::UnderWay>,
    next_segment: u64,
    next_site_code: HashMap<(SiteId, Column), u32>,
    /// A dictionary that is going to be its site's.
    coming_dictionary: Option<Arc<SiteDictionary>>,
    /// The greatest time at which an event was taken: what "now" means for carrying sessions over.
    now: TimestampMs,
    torn_tail_bytes: u64,
    seal_requested: bool,
    _lock: Box<dyn Lock>,
}

impl Core {
    /// Assigns, logs (in memory) and applies a batch. It is durable after [`Self::commit`], visible after that in
    /// [`Self::snapshot`]. Items that repeat earlier ones add nothing; they too may be answered only after
    /// [`Self::commit`].
    ///
    /// # Errors
    /// Any error leaves the state unfit for more: latch.
    pub fn append(&mut self, batch: &Batch) -> Result<Receipt, StorageError> {
        if let Some(now) = batch.arrived {
            self.ids.look_after(now)?;
        }
        let items = batch.items.iter().map(|item| (item.event.as_ref(), item.ids.as_slice()));
        self.append_items(items, batch.arrived.unwrap_or_default(), batch.position)
    }

    /// As [`Self::append`], for events without ids.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_events(&mut self, events: &[Event]) -> Result<Receipt, StorageError> {
        self.append_items(events.iter().map(|event| (Some(event), &[][..])), 0, None)
    }

    fn append_items<'a>(
        &mut self,
        items: impl Iterator<Item = (Option<&'a Event>, &'a [EventHash])>,
        arrived: TimestampMs,
        position: Option<Position>,
    ) -> Result<Receipt, StorageError> {
        self.sealed.fill_next();
        let mut payload = Writer::after(Vec::with_capacity(items.size_hint().0 * EVENT_BYTES_EXPECTED));
        let mut new_ids = Vec::new();
        let mut receipt = Receipt::default();
        for (event, ids) in items {
            if !ids.is_empty() && self.take_ids(ids, arrived, &mut new_ids) {
                receipt.repeated += 1;
                continue;
            }
            let Some(event) = event.filter(|event| !self.forgotten.contains(&event.site)) else { continue };
            let mut moves = Writer::new();
            let assigned = self.assign(event, &mut moves)?;
            if !moves.is_empty() {
                self.move_here(moves.as_slice())?;
            }
            match assigned {
                Assigned::To(operation) => {
                    receipt.stored += 1;
                    receipt.rows += operation.rows.len();
                    receipt.sessions += usize::from(operation.attributes.is_some());
                    operation.encode(&mut payload);
                    self.apply(&operation, Path::new(""))?;
                }
                Assigned::Confirmed(session) => {
                    receipt.stored += 1;
                    payload.raw(session.as_slice());
                    self.apply_all(FRAME_EVENTS, session.as_slice(), Path::new(""))?;
                }
                Assigned::Nowhere => receipt.pings_without_session += 1,
            }
        }
        let ids = (!new_ids.is_empty()).then_some(FrameIds { arrived, hashes: &new_ids });
        if let Some((kind, frame)) = record::frame_of_batch(position, ids, payload) {
            self.log()?.push(kind, &frame)?;
        }
        self.remember(position);
        Ok(receipt)
    }

    fn remember(&mut self, position: Option<Position>) {
        if let Some(position) = position {
            Arc::make_mut(&mut self.positions).set(position);
        }
    }

    /// Whether one of an item's ids is known. The others are remembered with it from here on.
    fn take_ids(&mut self, ids: &[EventHash], arrived: TimestampMs, new_ids: &mut Vec<EventHash>) -> bool {
        let hour = ids::hour_of(arrived);
        let mut repeated = false;
        let first_new = new_ids.len();
        for id in ids {
            if self.ids.knows(id, hour) {
                repeated = true;
            } else {
                new_ids.push(*id);
            }
        }
        for id in new_ids.iter().skip(first_new) {
            self.ids.remember(*id, hour);
        }
        repeated
    }

    /// Applies and logs moves. What a batch moves may be far larger than the batch: it is written now and then.
    fn move_here(&mut self, moves: &[u8]) -> Result<(), StorageError> {
        self.apply_all(FRAME_CARRIED, moves, Path::new(""))?;
        let log = self.log()?;
        log.push(FRAME_CARRIED, moves)?;
        if log.buffered_bytes() >= limits::GROUP_BYTES_MAX { log.commit() } else { Ok(()) }
    }

    /// Has the open segment sealed as soon as may be, whole: nothing is carried over.
    pub fn request_seal(&mut self) {
        self.seal_requested = self.open.arena.watermark().rows > 0;
    }

    /// Two numbers for new files, which no other file has.
    pub fn take_numbers(&mut self) -> [SegmentId; 2] {
        [self.take_number(), self.take_number()]
    }

    /// A number for a new file.
    pub fn take_number(&mut self) -> SegmentId {
        let number = SegmentId(self.next_segment);
        self.next_segment += 1;
        number
    }

    /// Whether an import is under way.
    pub fn is_importing(&self) -> bool {
        self.importing.as_ref().is_some_and(import::UnderWay::is_alive)
    }

    /// Whether an import to the site is under way.
    fn is_importing_to(&self, site: SiteId) -> bool {
        self.importing.as_ref().is_some_and(|known| known.is_alive() && known.site == site)
    }

    /// How long a session lives without activity, milliseconds.
    pub fn session_window_ms(&self) -> i64 {
        i64::try_from(self.options.session_window.as_millis()).unwrap_or(i64::MAX / 4)
    }

    /// What the files of the lake share.
    pub fn lake_context(&self) -> &LakeContext {
        &self.lake_context
    }

    /// Whether the open segment has reached the size at which it is sealed.
    pub fn wants_seal(&self) -> bool {
        let arena = &self.open.arena;
        self.seal_requested
            || self.open.fresh_rows >= self.options.seal_rows
            || arena.watermark().rows >= 2 * self.options.seal_rows
            || arena.text_bytes() >= SEAL_TEXT_BYTES
            || arena.text_count() >= self.seal_texts()
            || self.ids.open_count() >= limits::OPEN_IDS_MAX
            || self.log.as_ref().is_some_and(|log| log.end() >= limits::LOG_BYTES_MAX)
    }

    /// Distinct strings of the open segment at which it is sealed.
    fn seal_texts(&self) -> usize {
        4 * self.options.seal_rows + 2 * limits::SESSION_ROWS_MAX
    }

    /// Bytes that the next commit writes.
    pub(crate) fn uncommitted_bytes(&self) -> usize {
        self.log.as_ref().map_or(0, LogWriter::buffered_bytes)
    }

    /// Writes and syncs what was appended.
    ///
    /// # Errors
    /// The failed operation; what was appended since the last commit may or may not be on disk.
    pub fn commit(&mut self) -> Result<(), StorageError> {
        self.log()?.commit()
    }

    /// All that was appended, as queries see it. Call it only after [`Self::commit`].
    pub fn snapshot(&mut self) -> Snapshot {
        let sealed = self.sealed_views.get_or_insert_with(|| {
            let view =
                |s: &Sealed| SealedView { segment: s.segment.clone(), superseded: s.superseded.clone() };
            Arc::new(self.sealed.iter().map(view).collect())
        });
        let frozen = self.frozen.as_ref().map(|frozen| frozen.open.view());
        Snapshot {
            lake: self.lake.clone(),
            sealed: sealed.clone(),
            frozen,
            open: self.open.view(),
            recurring: self.recurring.clone(),
            turns: self.turns.clone(),
            aggregates: self.aggregates.clone(),
            positions: self.positions.clone(),
            importing: self.importing.as_ref().filter(|known| known.is_alive()).map(|known| known.site),
        }
    }

    /// Ends the log with a closing frame.
    ///
    /// # Errors
    /// The failed operation.
    pub fn close(mut self) -> Result<(), StorageError> {
        let log = self.log.take().ok_or(StorageError::Closed)?;
        log.close()?;
        self.spare.iter().try_for_each(|spare| self.fs.remove(&spare.0.scratch))?;
        self.fs.remove(&self.open.scratch)
    }

    /// Bytes that were cut off the log's end when it was opened.
    pub fn torn_tail_bytes(&self) -> u64 {
        self.torn_tail_bytes
    }

    /// The event ids that are remembered.
    pub fn ids(&self) -> &RememberedIds {
        &self.ids
    }

    fn log(&mut self) -> Result<&mut LogWriter, StorageError> {
        self.log.as_mut().ok_or(StorageError::Closed)
    }

    /// Applies a frame; gives it, as its ids and its position are the caller's to remember.
    fn apply_all<'a>(&mut self, kind: u8, payload: &'a [u8], path: &Path) -> Result<Frame<'a>, StorageError> {
        operations(kind, payload, path, |operation| self.apply(&operation, path))
    }

    /// Applies a logged operation to the open segment. Applying it twice changes nothing but the copy that counts.
    fn apply(&mut self, operation: &Operation<'_>, path: &Path) -> Result<(), StorageError> {
        let key = operation.key;
        let (texts, text_bytes) = operation.texts();
        if !self.open.arena.has_room(operation.rows.len().max(1), texts, text_bytes) {
            return Err(StorageError::TooLarge { what: "the open segment has no room for it".into() });
        }
        let ordinal = match &operation.attributes {
            Some(attributes) => {
                if operation.replaces {
                    self.void(key);
                }
                self.open_session(key, operation.user_key, attributes)?
            }
            None => self.open.index.ordinal_of(key, &self.open.arena).ok_or_else(|| {
                StorageError::corrupt(path, 0, "an event of a session that is not in the log before it")
            })?,
        };
        for row in &operation.rows {
            self.push_row(key.site, ordinal, row)?;
        }
        if !operation.replaces {
            self.open.fresh_rows += operation.rows.len();
        }
        Ok(())
    }

    fn open_session(
        &mut self,
        key: SessionKey,
        user_key: Option<u64>,
        attributes: &[&str; ATTRIBUTE_COUNT],
    ) -> Result<u32, StorageError> {
        let codes = attribute_codes(attributes, |column, text| Ok(self.intern(key.site, column, text)))?;
        let ordinal = self.open.arena.push_session(key, user_key, &codes)?;
        self.open.index.insert(key, ordinal);
        Ok(ordinal)
    }

    fn push_row(&mut self, site: SiteId, ordinal: u32, row: &Row<'_>) -> Result<(), StorageError> {
        let data = RowData::coded(row, |column, text| Ok(self.intern(site, column, text)))?;
        let taken = if row.received == 0 { row.time } else { row.received as i64 };
        self.now = self.now.max(taken);
        let previous = self.open.index.last_row(ordinal);
        let index = self.open.arena.push_row(ordinal, previous, &data)?;
        self.open.index.extend(ordinal, index, row.time, row.text_bytes());
        Ok(())
    }

    /// The open segment's code of a text, added when it is new.
    fn intern(&mut self, site: SiteId, column: Column, text: &str) -> u32 {
        match self.open.arena.find_text(site, column, text) {
            Ok(code) => code,
            Err(hash) => {
                let site_code = self.site_code(site, column, text);
                self.open.arena.insert_text(site, column, text, hash, site_code)
            }
        }
    }

    /// The site's code of a text that the open segment does not have: the one it has elsewhere, or a new one.
    fn site_code(&mut self, site: SiteId, column: Column, text: &str) -> u32 {
        let frozen = self.frozen.as_ref().and_then(|frozen| frozen.open.arena.site_code(site, column, text));
        if let Some(code) = frozen {
            return code;
        }
        let sought = Sought::from(text);
        for at in self.sealed.that_may_hold(Key::of_text(site, column, sought)) {
            let sealed = self.sealed.get(at);
            if let Some(code) = sealed.and_then(|known| known.segment.site_code(site, column, sought)) {
                return code;
            }
        }
        if let Some(code) = self.lake_code(site, column, text) {
            return code;
        }
        if let Some(code) = self.code_of_import(site, column, text) {
            return code;
        }
        let code = self.next_site_code(site, column);
        self.next_site_code.insert((site, column), code + 1);
        code
    }

    /// The code of the site's next new text. Before it was first asked for all codes are those of sealed data.
    fn next_site_code(&self, site: SiteId, column: Column) -> u32 {
        let sealed = || self.sealed.iter().map(|s| s.segment.greatest_site_code(site, column)).max();
        let unused = || sealed().unwrap_or(0).max(self.greatest_lake_code(site, column)) + 1;
        self.next_site_code.get(&(site, column)).copied().unwrap_or_else(unused)
    }

    /// Makes every older copy of a session void.
    fn void(&mut self, key: SessionKey) {
        self.void_in_memory(key);
        self.void_in_lake(key);
        let asked: Vec<usize> = self.sealed.that_may_hold(Key::of_visitor(key.site, key.visitor)).collect();
        for at in asked {
            let Some(sealed) = self.sealed.get_mut(at) else { continue };
            if let Some(session) = sealed.segment.find_session(key) {
                let superseded = Arc::make_mut(&mut sealed.superseded);
                if superseded.entry(key.site).or_default().insert(session) {
                    self.sealed_views = None;
                }
            }
        }
    }

    /// Makes the copies of a session void that are in no sealed segment.
    fn void_in_memory(&mut self, key: SessionKey) {
        if let Some(ordinal) = self.open.index.ordinal_of(key, &self.open.arena) {
            self.open.index.remove(key, ordinal);
            Arc::make_mut(&mut self.open.moved).insert(ordinal);
        }
        if let Some(frozen) = &mut self.frozen
            && let Some(ordinal) = frozen.open.index.ordinal_of(key, &frozen.open.arena)
        {
            frozen.open.index.remove(key, ordinal);
            Arc::make_mut(&mut frozen.open.moved).insert(ordinal);
        }
    }
}

/// Reads a frame's operations; gives the frame.
fn operations<'a>(
    kind: u8,
    payload: &'a [u8],
    path: &Path,
    mut take: impl FnMut(Operation<'a>) -> Result<(), StorageError>,
) -> Result<Frame<'a>, StorageError> {
    let corrupt = |error: Malformed| StorageError::corrupt(path, error.offset as u64, error.to_string());
    let mut frame = Frame::split(kind, payload).map_err(corrupt)?;
    while !frame.operations.is_at_end() {
        take(Operation::decode(&mut frame.operations).map_err(corrupt)?)?;
    }
    Ok(frame)
}
