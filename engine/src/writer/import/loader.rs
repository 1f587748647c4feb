//! Loads files, one after the other: rows in the order of the file, grouped into sessions, into segments that nobody
//! sees. It works beside the writer, on what was stored when it began; [`super::publish`] makes a file's segments live.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::body::{Body, decode};
use super::codes::SharedCodes;
use super::keymap::KeyMap;
use super::publish::{Published, StagedFile};
use super::row::Row;
use super::staging::{Coder, Frozen, SegmentSize, Staging};
use super::stored::{Origin, Place, Stored};
use super::visitors::Visitors;
use crate::error::{ImportError, StorageError};
use crate::limits;
use crate::manifest::segment_path;
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::units::{DayUtc, SegmentId, SessionId, SiteId, VisitorId};
use crate::vfs::{Scratch, SharedFs};

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It will be stored.
    Stored,
    /// A ping that no session is alive for.
    NoSession,
    /// Its texts are longer than [`limits::IMPORT_ROW_BYTES_MAX`].
    TooLong,
}

/// What an import begins with: see [`crate::writer::Core::begin_import`].
pub struct Base {
    pub(super) fs: SharedFs,
    pub(super) folder: PathBuf,
    pub(super) site: SiteId,
    pub(super) window_ms: i64,
    pub(super) codes: SharedCodes,
    /// Numbers for segments.
    pub(super) numbers: Range<u64>,
    pub(super) snapshot: Snapshot,
}

/// Loads files into segments.
pub struct Loader {
    pub(super) fs: SharedFs,
    pub(super) folder: PathBuf,
    pub(super) site: SiteId,
    pub(super) window_ms: i64,
    pub(super) codes: SharedCodes,
    numbers: Range<u64>,
    size: SegmentSize,
    threaded: bool,
    pub(super) stored: Stored,
    pub(super) visitors: Visitors,
    /// The numbers of sessions that are written, by visitor and id in a file.
    sessions: KeyMap,
    /// Sessions that were renumbered when their file was published.
    renumbered: HashMap<(VisitorId, SessionId), SessionId>,
    pub(super) open: Staging,
    pub(super) frozen: Option<Frozen>,
    /// What a written one lay over: its memory is there already.
    spare: Option<Scratch>,
    /// The file's segments so far.
    written: Vec<SegmentId>,
    /// Earlier sessions are being marked.
    marking: bool,
    /// What number sessions had where they were taken from, by the one that they have.
    renamed: HashMap<(VisitorId, SessionId), SessionId>,
    /// The site's files when the import began.
    files_before: BTreeSet<SegmentId>,
    /// The segments that it has published.
    published: BTreeSet<SegmentId>,
    rows: u64,
    pub(super) opened: u64,
}

impl Loader {
    /// Begins with nothing. `threaded`: segments are written on threads of their own.
    ///
    /// # Errors
    /// The failed operation.
    pub fn new(base: Base, size: SegmentSize, threaded: bool) -> Result<Self, ImportError> {
        let Base { fs, folder, site, window_ms, codes, numbers, snapshot } = base;
        let stored = Stored::new(site, &snapshot, &BTreeSet::new())?;
        Ok(Self {
            visitors: Visitors::new(&fs, &folder, 2)?,
            sessions: KeyMap::new(&fs, &folder, 3)?,
            open: Staging::new(&fs, &folder, site, size, None)?,
            spare: None,
            files_before: stored.files(),
            published: BTreeSet::new(),
            renumbered: HashMap::new(),
            frozen: None,
            written: Vec::new(),
            marking: false,
            renamed: HashMap::new(),
            rows: 0,
            opened: 0,
            fs,
            folder,
            site,
            window_ms,
            codes,
            numbers,
            size,
            threaded,
            stored,
        })
    }

    /// Takes the next row of the file.
    ///
    /// # Errors
    /// The file cannot be imported: [`Self::discard`] it.
    pub fn push(&mut self, row: &Row<'_>) -> Result<Taken, ImportError> {
        if row.is_too_long() {
            return Ok(Taken::TooLong);
        }
        self.make_room()?;
        let taken = match row.session {
            Some(given) => self.group(row, given)?,
            None => self.assign(row, None, false)?,
        };
        self.count(taken);
        Ok(taken)
    }

    pub(super) fn make_room(&mut self) -> Result<(), ImportError> {
        if self.open.is_full() { self.freeze() } else { Ok(()) }
    }

    pub(super) fn count(&mut self, taken: Taken) {
        self.rows += u64::from(taken == Taken::Stored);
    }

    /// Adds the row to the session that the file says.
    fn group(&mut self, row: &Row<'_>, given: i64) -> Result<Taken, ImportError> {
        let key = (row.visitor, given);
        let known = match self.open.given.get(&key) {
            Some(&ordinal) => Some(ordinal),
            None => self.bring_given(row.visitor, given)?,
        };
        let coder = Coder { codes: &self.codes, stored: &self.stored };
        let ordinal = match known.filter(|&ordinal| self.open.takes(ordinal, row)) {
            Some(ordinal) => ordinal,
            None => {
                self.opened += 1;
                self.open.open(&coder, row, row.visitor, None)?
            }
        };
        self.open.add(&coder, ordinal, row)?;
        Ok(Taken::Stored)
    }

    /// Brings a session here that earlier rows of the command opened.
    fn bring_given(&mut self, visitor: VisitorId, given: i64) -> Result<Option<u32>, ImportError> {
        if !self.visitors.is_known(visitor) {
            return Ok(None);
        }
        let in_frozen = self.frozen.as_ref().and_then(|frozen| frozen.given.get(&(visitor, given)).copied());
        if let Some(ordinal) = in_frozen
            && let Some(brought) = self.bring_frozen(ordinal, Some(given))?
        {
            return Ok(Some(brought));
        }
        let Some(number) = self.sessions.get([visitor.0, given.cast_unsigned()]) else { return Ok(None) };
        let id = SessionId(number as u32);
        let id = self.renumbered.get(&(visitor, id)).copied().unwrap_or(id);
        // It may have been brought here, or to the one that is being written, by its number alone.
        if let Some(ordinal) = self.open.find(visitor, id) {
            self.open.name(ordinal, given);
            return Ok(Some(ordinal));
        }
        let in_frozen = self.frozen.as_ref().and_then(|frozen| frozen.find(self.site, visitor, id));
        if let Some(ordinal) = in_frozen {
            return self.bring_frozen(ordinal, Some(given));
        }
        match self.stored.find(visitor, id) {
            Some(place) => self.bring_stored(place, visitor, id, Some(given)),
            None => Ok(None),
        }
    }

    /// Brings a session here from the segment that is being written.
    pub(super) fn bring_frozen(
        &mut self,
        ordinal: u32,
        given: Option<i64>,
    ) -> Result<Option<u32>, ImportError> {
        let coder = Coder { codes: &self.codes, stored: &self.stored };
        let Some(frozen) = &mut self.frozen else { return Ok(None) };
        let Some(operation) = frozen.operation(ordinal) else { return Ok(None) };
        let brought = self.open.bring(&coder, &operation, given)?;
        frozen.left.insert(ordinal);
        Ok(Some(brought))
    }

    /// Brings a session here from a segment.
    pub(super) fn bring_stored(
        &mut self,
        place: Place,
        visitor: VisitorId,
        id: SessionId,
        given: Option<i64>,
    ) -> Result<Option<u32>, ImportError> {
        let coder = Coder { codes: &self.codes, stored: &self.stored };
        let encoded = self.stored.operation(place, visitor, id)?;
        let Some(operation) = decode(&encoded)?.pop() else { return Ok(None) };
        let brought = self.open.bring(&coder, &operation, given)?;
        self.stored.take(place);
        self.visitors.meet(visitor, id, &self.stored)?;
        Ok(Some(brought))
    }

    /// The greatest number of the visitor's sessions of a day.
    pub(super) fn largest_on(
        site: SiteId,
        (open, frozen, stored): (&Staging, Option<&Frozen>, &Stored),
        visitor: VisitorId,
        day: DayUtc,
    ) -> Option<u16> {
        let in_open = open.index.of_visitor(site, visitor);
        let in_open = in_open.filter_map(|(ordinal, _)| open.sessions.get(ordinal as usize)?.id);
        let in_frozen = frozen.into_iter().flat_map(|frozen| frozen.of_visitor(site, visitor));
        let in_stored = stored.sessions_of(visitor).into_iter().map(|(_, id)| id);
        let all = in_open.chain(in_frozen.map(|(_, id, ..)| id)).chain(in_stored);
        all.filter(|id| id.day() == day).map(SessionId::n).max()
    }

    /// Gives the sessions of the open segment their numbers and begins to write it.
    fn freeze(&mut self) -> Result<(), ImportError> {
        self.end_seal()?;
        if self.open.sessions.is_empty() {
            return Ok(());
        }
        self.number_sessions()?;
        let next = Staging::new(&self.fs, &self.folder, self.site, self.size, self.spare.take())?;
        let full = std::mem::replace(&mut self.open, next);
        let number = self.numbers.next().ok_or_else(|| StorageError::TooLarge {
            what: format!("one import writes {} segments at most", limits::IMPORT_SEGMENTS_MAX),
        })?;
        let id = SegmentId(number);
        let visitors = &self.visitors;
        let mut frozen = full.freeze(id, |visitor| visitors.is_marked(visitor))?;
        self.written.push(id);
        frozen.seal(&self.fs, &self.folder, self.threaded)?;
        self.frozen = Some(frozen);
        if !self.marking && self.visitors.count_to_mark() >= limits::IMPORT_MARKS_MAX {
            self.mark_earlier()?;
        }
        Ok(())
    }

    fn number_sessions(&mut self) -> Result<(), ImportError> {
        for ordinal in 0..self.open.sessions.len() {
            let start = self.open.index.known(ordinal as u32).extent.start;
            let Some(session) = self.open.sessions.get(ordinal) else { continue };
            let (visitor, day, old) = (session.visitor, DayUtc::of(start), session.id);
            let given = session.given;
            let id = match old {
                Some(id) if session.keeps_id || id.day() == day => id,
                _ => {
                    let parts = (&self.open, self.frozen.as_ref(), &self.stored);
                    let largest = || Self::largest_on(self.site, parts, visitor, day);
                    let id = self.visitors.number(visitor, day, &self.stored, largest)?;
                    id.ok_or(ImportError::TooManySessions { visitor: visitor.0.cast_signed() })?
                }
            };
            if let Some(old) = old.filter(|&old| old != id) {
                self.rename(visitor, old, id);
            }
            if let Some(session) = self.open.sessions.get_mut(ordinal) {
                session.id = Some(id);
            }
            if let Some(given) = given {
                self.sessions.insert([visitor.0, given.cast_unsigned()], u64::from(id.0))?;
            }
        }
        Ok(())
    }

    /// Notes under what number a session was that was taken from elsewhere.
    fn rename(&mut self, visitor: VisitorId, old: SessionId, new: SessionId) {
        let first = self.renamed.remove(&(visitor, old)).unwrap_or(old);
        self.renamed.insert((visitor, new), first);
    }

    /// Marks sessions of visitors that have been found to recur, wherever they are written.
    fn mark_earlier(&mut self) -> Result<(), ImportError> {
        self.end_seal()?;
        self.marking = true;
        while let Some(visitor) = self.visitors.next_to_mark() {
            for (place, id) in self.stored.sessions_of(visitor) {
                if self.open.is_full() {
                    self.freeze()?;
                    self.end_seal()?;
                }
                if !self.stored.is_marked(place)? {
                    self.bring_stored(place, visitor, id, None)?;
                }
            }
        }
        self.marking = false;
        Ok(())
    }

    /// Waits until the segment is written.
    pub(super) fn end_seal(&mut self) -> Result<(), ImportError> {
        let Some(mut frozen) = self.frozen.take() else { return Ok(()) };
        frozen.wait()?;
        let path = segment_path(&self.folder, frozen.id);
        let segment = Arc::new(Segment::open(&path, self.fs.map(&path)?)?);
        let reader = frozen.arena.reader();
        let left = frozen.left.iter().filter_map(|ordinal| segment.find_session(reader.key(ordinal)));
        let left: RoaringBitmap = left.collect();
        self.stored.add(segment, left);
        drop(reader);
        self.spare = frozen.arena.into_scratch().rewind();
        Ok(())
    }

    /// Ends the file: its segments are written and synced, and ready to be published. They are the publisher's then.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self) -> Result<StagedFile, ImportError> {
        loop {
            self.freeze()?;
            self.end_seal()?;
            self.mark_earlier()?;
            if self.open.sessions.is_empty() {
                break;
            }
        }
        self.fs.sync_dir(&self.folder)?;
        let mut file = StagedFile::new(self.site, &self.codes, &self.files_before | &self.published);
        (file.rows, file.sessions) = (self.rows, self.opened);
        for part in &self.stored.parts {
            match (&part.body, part.origin) {
                (Body::Segment(segment), Origin::Staged) => {
                    file.segments.push((Arc::clone(segment), part.taken.clone()));
                }
                (body, _) if !part.taken.is_empty() => file.taken.push((body.clone(), part.taken.clone())),
                _ => {}
            }
        }
        file.renamed = std::mem::take(&mut self.renamed);
        self.written.clear();
        Ok(file)
    }

    /// The file was published: goes on with the next one, on what is stored now.
    ///
    /// # Errors
    /// The failed operation.
    pub fn published(&mut self, published: Published) -> Result<(), ImportError> {
        self.published.extend(published.segments);
        for (visitor, old, new) in published.renumbered {
            self.renumbered.insert((visitor, old), new);
            self.visitors.meet(visitor, new, &self.stored)?;
        }
        self.stored = Stored::new(self.site, &published.snapshot, &self.published)?;
        (self.rows, self.opened) = (0, 0);
        Ok(())
    }

    /// Removes what was written of the file. Nothing else can be loaded after that.
    pub fn discard(mut self) {
        self.remove_written();
    }

    fn remove_written(&mut self) {
        if let Some(mut frozen) = self.frozen.take() {
            let _ = frozen.wait();
        }
        for id in self.written.drain(..) {
            // What cannot be removed now goes at the next start: nothing names it.
            let _ = self.fs.remove(&segment_path(&self.folder, id));
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.remove_written();
    }
}
