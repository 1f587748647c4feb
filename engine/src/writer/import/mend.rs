//! What of a file has to be mended when it is published, because live events came since its import began:
//!
//! - A session that it opened has a number that a live session has, too: it gets another one.
//! - A session that it took has got live rows since: these come first, then the file's.
//!
//! Both are written anew, to a small segment of their own. There are few of them: those of visitors that were live
//! while the import ran, on days that it has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::body::{Body, InLake, decode};
use super::publish::StagedFile;
use crate::codec::Writer;
use crate::error::{ImportError, StorageError};
use crate::manifest::segment_path;
use crate::open::{Arena, ArenaCapacity, RowData, attribute_codes};
use crate::record::{Operation, Row};
use crate::schema::Column;
use crate::segment::Segment;
use crate::segment::sink::FileSink;
use crate::units::{SegmentId, SessionId, SessionKey, SiteId, VisitorId};
use crate::writer::{Core, OpenSegment};

/// What is mended.
pub(super) struct Mend {
    site: SiteId,
    /// Sessions, whole, one operation after the other.
    sessions: Writer,
    /// Sessions whose live copies are void.
    pub(super) void: Vec<SessionKey>,
    /// Sessions that have another number now.
    pub(super) renumbered: Vec<(VisitorId, SessionId, SessionId)>,
}

impl Mend {
    pub(super) fn new(site: SiteId) -> Self {
        Self { site, sessions: Writer::new(), void: Vec::new(), renumbered: Vec::new() }
    }

    /// Writes the segment, when there is anything to write.
    pub(super) fn write(&self, core: &mut Core) -> Result<Option<Arc<Segment>>, ImportError> {
        if self.sessions.is_empty() {
            return Ok(None);
        }
        let id = SegmentId(core.next_segment);
        core.next_segment += 1;
        let operations = decode(&self.sessions)?;
        let mut capacity = ArenaCapacity { rows: 1, strings: 1, string_bytes: 0 };
        for operation in &operations {
            let (texts, bytes) = operation.texts();
            capacity.rows += operation.rows.len().max(1);
            capacity.strings += texts;
            capacity.string_bytes += bytes;
        }
        let scratch = core.folder.join(format!("import-{:016x}", 4));
        let mut arena = Arena::create(&*core.fs, &scratch, capacity)?;
        core.fs.remove(&scratch)?;
        for (ordinal, operation) in operations.iter().enumerate() {
            put(core, &mut arena, self.site, ordinal as u32, operation)?;
        }
        let path = segment_path(&core.folder, id);
        let out = FileSink::new(core.fs.clone(), path.clone());
        if let Some(out) = arena.reader().seal(id, arena.watermark(), &RoaringBitmap::new(), out) {
            out.finish()?;
        }
        core.fs.sync_dir(&core.folder)?;
        Ok(Some(Arc::new(Segment::open(&path, core.fs.map(&path)?)?)))
    }
}

/// Puts a session into an open segment.
fn put(
    core: &mut Core,
    arena: &mut Arena,
    site: SiteId,
    ordinal: u32,
    operation: &Operation<'_>,
) -> Result<(), StorageError> {
    let mut intern = |arena: &mut Arena, column: Column, text: &str| match arena.find_text(site, column, text)
    {
        Ok(code) => code,
        Err(hash) => {
            let site_code = core.site_code(site, column, text);
            arena.insert_text(site, column, text, hash, site_code)
        }
    };
    let texts = operation.attributes.unwrap_or_default();
    let attributes = attribute_codes(&texts, |column, text| Ok(intern(arena, column, text)))?;
    arena.push_session(operation.key, operation.user_key, &attributes)?;
    let mut previous = None;
    for row in &operation.rows {
        let data = RowData::coded(row, |column, text| Ok(intern(arena, column, text)))?;
        previous = Some(arena.push_row(ordinal, previous, &data)?);
    }
    Ok(())
}

/// A live copy of a session.
enum Copy<'a> {
    Open(&'a OpenSegment, u32),
    Stored(Body, u32),
}

impl Copy<'_> {
    fn row_count(&self, site: SiteId) -> Result<usize, StorageError> {
        match self {
            Self::Open(open, ordinal) => Ok(open.index.known(*ordinal).rows as usize),
            Self::Stored(body, session) => body.row_count(site, *session),
        }
    }

    fn encode(&self, key: SessionKey, out: &mut Writer) -> Result<(), StorageError> {
        match self {
            Self::Open(open, ordinal) => open.operation(*ordinal).encode(out),
            Self::Stored(body, session) => drop(body.encode(key, *session, key.session.day(), out)?),
        }
        Ok(())
    }
}

/// A session that was taken and has live rows since, and the copy that was taken.
type Changed = (SessionKey, Body, u32);

impl Core {
    /// Finds what has to be mended, and takes it out of the file's segments.
    pub(super) fn find_what_to_mend(
        &self,
        file: &mut StagedFile,
        mend: &mut Mend,
    ) -> Result<(), ImportError> {
        for (key, copied, session) in self.changed_sessions(file, mend)? {
            self.put_together(file, mend, key, (&copied, session))?;
        }
        let gone: BTreeSet<SessionKey> = mend.void.iter().copied().collect();
        let mut largest = BTreeMap::new();
        for key in self.live_numbers_in(file, &gone) {
            self.renumber(file, mend, key, &mut largest)?;
        }
        Ok(())
    }

    /// The sessions that the file has taken and that have live rows since; notes those of which live copies are void
    /// that are not where they were taken from.
    fn changed_sessions(&self, file: &StagedFile, mend: &mut Mend) -> Result<Vec<Changed>, ImportError> {
        let mut changed = Vec::new();
        for (body, sessions) in &file.taken {
            // Those that are where they were are as they were.
            let moved = match self.superseded_in(file.site, body) {
                Some(superseded) => sessions & superseded,
                None => sessions.clone(),
            };
            for session in &moved {
                let Some(key) = body.key(file.site, session)? else { continue };
                let Some(copy) = self.live_copy(key) else { continue };
                mend.void.push(key);
                if copy.row_count(file.site)? != body.row_count(file.site, session)? {
                    changed.push((key, body.clone(), session));
                }
            }
        }
        Ok(changed)
    }

    /// What has left a file; `None` for one that is none any more, or never was one.
    fn superseded_in(&self, site: SiteId, body: &Body) -> Option<RoaringBitmap> {
        let number = body.number();
        if let Some(sealed) = self.sealed.iter().find(|sealed| sealed.segment.id() == number) {
            return Some(sealed.superseded.get(&site).cloned().unwrap_or_default());
        }
        let live = self.lake.site(site)?.files.iter().find(|live| live.file.number() == number)?;
        Some((*live.superseded).clone())
    }

    fn live_copy(&self, key: SessionKey) -> Option<Copy<'_>> {
        for open in self.opens() {
            if let Some(ordinal) = open.index.ordinal_of(key, &open.arena) {
                return Some(Copy::Open(open, ordinal));
            }
        }
        let sealed = self.sealed.iter().rev().find_map(|sealed| {
            let session = sealed.segment.find_session(key)?;
            let superseded = sealed.superseded.get(&key.site);
            let live = superseded.is_none_or(|superseded| !superseded.contains(session));
            live.then(|| Copy::Stored(Body::Segment(Arc::clone(&sealed.segment)), session))
        });
        sealed.or_else(|| {
            let lake = self.lake.site(key.site)?;
            let strings = lake.dictionary.as_ref()?.open().ok()?;
            let live = lake.files.iter().find(|live| live.key.contains(key.session.day()))?;
            let body = Body::Lake(Arc::new(InLake::new(live.clone(), strings)));
            let session = body.find(key).filter(|&session| !live.superseded.contains(session))?;
            Some(Copy::Stored(body, session))
        })
    }

    fn opens(&self) -> impl Iterator<Item = &OpenSegment> {
        [Some(&self.open), self.frozen.as_ref().map(|frozen| &frozen.open)].into_iter().flatten()
    }

    /// Puts a session together that got rows from the file and live ones.
    fn put_together(
        &self,
        file: &mut StagedFile,
        mend: &mut Mend,
        key: SessionKey,
        (copied, copied_session): (&Body, u32),
    ) -> Result<(), ImportError> {
        let now =
            file.renamed.iter().find(|((visitor, _), old)| *visitor == key.visitor && **old == key.session);
        let staged_key = SessionKey { session: now.map_or(key.session, |((_, new), _)| *new), ..key };
        let Some(live) = self.live_copy(key) else { return Ok(()) };
        let Some((part, session)) = staged(file, staged_key) else { return Ok(()) };
        // The file's, what it was before, and what it is now.
        let mut encoded = Writer::new();
        let segment = Body::Segment(Arc::clone(&file.segments[part].0));
        segment.encode(staged_key, session, key.session.day(), &mut encoded)?;
        copied.encode(key, copied_session, key.session.day(), &mut encoded)?;
        live.encode(key, &mut encoded)?;
        let operations = decode(&encoded)?;
        let [operation, before, live] = operations.as_slice() else { return Ok(()) };
        let mut old: HashMap<Row<'_>, usize> = HashMap::new();
        before.rows.iter().for_each(|row| *old.entry(*row).or_default() += 1);
        let new = operation.rows.iter().filter(|row| match old.get_mut(*row) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        let rows = live.rows.iter().chain(new).copied().collect();
        Operation { rows, ..operation.clone() }.encode(&mut mend.sessions);
        file.segments[part].1.insert(session);
        Ok(())
    }

    /// Numbers of live sessions that the import did not know and that it has given, too.
    fn live_numbers_in(&self, file: &StagedFile, gone: &BTreeSet<SessionKey>) -> Vec<SessionKey> {
        let mut found = Vec::new();
        let mut look = |key: SessionKey| {
            if key.site == file.site && !gone.contains(&key) && staged(file, key).is_some() {
                found.push(key);
            }
        };
        for open in self.opens() {
            let reader = open.arena.reader();
            let live = open.index.all().filter(|(ordinal, _)| !open.moved.contains(*ordinal));
            live.for_each(|(ordinal, _)| look(reader.key(ordinal)));
        }
        for sealed in self.sealed.iter().filter(|sealed| !file.knows(sealed.segment.id())) {
            let Ok(Some(table)) = sealed.segment.table(file.site) else { continue };
            let superseded = sealed.superseded.get(&file.site);
            let taken = file.taken.iter().find(|(body, _)| body.number() == sealed.segment.id());
            for session in 0..table.session_count() {
                let at = session as u32;
                let is_taken = taken.is_some_and(|(_, taken)| taken.contains(at));
                if is_taken || superseded.is_some_and(|superseded| superseded.contains(at)) {
                    continue;
                }
                let names = (table.visitors.get(session), table.states.session_id(session));
                if let (Some(visitor), Some(id)) = names {
                    let (visitor, session) = (VisitorId(visitor), SessionId(id));
                    look(SessionKey { site: file.site, visitor, session });
                }
            }
        }
        found
    }

    /// Gives a session of the file a number that no live one has.
    fn renumber(
        &self,
        file: &mut StagedFile,
        mend: &mut Mend,
        key: SessionKey,
        largest: &mut BTreeMap<(VisitorId, u16), u16>,
    ) -> Result<(), ImportError> {
        let Some((part, session)) = staged(file, key) else { return Ok(()) };
        let day = key.session.day();
        let used = largest.entry((key.visitor, day.0)).or_insert_with(|| self.largest_number(file, key));
        // Known once the visitor's sessions were looked for.
        let n = self.session_numbers(key.site, day).next(Some(*used));
        let n = n.ok_or(ImportError::TooManySessions { visitor: key.visitor.0.cast_signed() })?;
        *used = n;
        let new = SessionId::new(day, n);
        let segment = Body::Segment(Arc::clone(&file.segments[part].0));
        segment.encode(SessionKey { session: new, ..key }, session, day, &mut mend.sessions)?;
        file.segments[part].1.insert(session);
        mend.renumbered.push((key.visitor, key.session, new));
        Ok(())
    }

    /// The greatest number that a session of the visitor has on the day of `key`, live or in the file.
    fn largest_number(&self, file: &StagedFile, key: SessionKey) -> u16 {
        let day = key.session.day();
        let mut largest = key.session.n();
        let mut look = |id: SessionId| {
            if id.day() == day {
                largest = largest.max(id.n());
            }
        };
        for open in self.opens() {
            let sessions = open.index.of_visitor(key.site, key.visitor);
            sessions.for_each(|(ordinal, _)| look(open.arena.session_id(ordinal)));
        }
        let live = self.sealed.iter().map(|sealed| &sealed.segment);
        for segment in live.chain(file.segments.iter().map(|(segment, _)| segment)) {
            segment.all_sessions_of(key.site, key.visitor, |_, id| look(id));
        }
        if let Some(lake) = self.lake.site(key.site)
            && let Some(Ok(strings)) = lake.dictionary.as_ref().map(|strings| strings.open())
        {
            for live in lake.files.iter().filter(|live| live.key.contains(day)) {
                let body = Body::Lake(Arc::new(InLake::new(live.clone(), Arc::clone(&strings))));
                body.all_sessions_of(key.site, key.visitor).into_iter().for_each(|(_, id)| look(id));
            }
        }
        largest
    }
}

/// Where a session is in the file's segments.
fn staged(file: &StagedFile, key: SessionKey) -> Option<(usize, u32)> {
    file.segments.iter().enumerate().rev().find_map(|(part, (segment, gone))| {
        let session = segment.find_session(key).filter(|&session| !gone.contains(session))?;
        Some((part, session))
    })
}
