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

use super::publish::StagedFile;
use crate::codec::{Reader, Writer};
use crate::error::{ImportError, StorageError};
use crate::manifest::segment_path;
use crate::open::{Arena, ArenaCapacity, RowData};
use crate::record::{Operation, Row};
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::Segment;
use crate::units::{SegmentId, SessionId, SessionKey, SiteId, VisitorId};
use crate::writer::Core;
use crate::writer::assign::sealed_operation;

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
        let operations = self.operations()?;
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
        let bytes = arena.reader().seal(id, arena.watermark(), &RoaringBitmap::new()).unwrap_or_default();
        let path = segment_path(&core.folder, id);
        let mut file = core.fs.create_new(&path, false)?;
        file.append(&bytes)?;
        file.sync_data()?;
        core.fs.sync_dir(&core.folder)?;
        Ok(Some(Arc::new(Segment::open(&path, core.fs.map(&path)?)?)))
    }

    fn operations(&self) -> Result<Vec<Operation<'_>>, StorageError> {
        let mut input = Reader::new(self.sessions.as_slice());
        let mut operations = Vec::new();
        while !input.is_at_end() {
            let operation = Operation::decode(&mut input);
            operations.push(operation.map_err(|error| StorageError::TooLarge { what: error.to_string() })?);
        }
        Ok(operations)
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
    let mut intern = |arena: &mut Arena, column: Column, text: &str| match arena.find_text(site, column, text) {
        Some(code) => code,
        None => {
            let site_code = core.site_code(site, column, text);
            arena.insert_text(site, column, text, site_code)
        }
    };
    let mut attributes = [0; ATTRIBUTE_COUNT];
    let texts = operation.attributes.unwrap_or_default();
    for (code, (&column, text)) in attributes.iter_mut().zip(Column::attributes().iter().zip(texts)) {
        *code = intern(arena, column, text);
    }
    arena.push_session(operation.key, operation.user_key, &attributes)?;
    let mut previous = None;
    for row in &operation.rows {
        let mut data = RowData {
            time: row.time,
            kind: row.kind,
            event_duration: row.event_duration,
            status: row.status,
            received: row.received,
            ..RowData::default()
        };
        for (code, (&column, text)) in data.texts.iter_mut().zip(Column::row_texts().iter().zip(&row.texts)) {
            *code = intern(arena, column, text);
        }
        previous = Some(arena.push_row(ordinal, previous, &data)?);
    }
    Ok(())
}

/// A live copy of a session.
enum Copy<'a> {
    Open(Operation<'a>),
    Sealed(&'a Segment, u32),
}

impl Core {
    /// Finds what has to be mended, and takes it out of the file's segments.
    pub(super) fn find_what_to_mend(&self, file: &mut StagedFile, mend: &mut Mend) -> Result<(), ImportError> {
        let (changed, void) = self.changed_sessions(file)?;
        mend.void = void;
        for (key, copied) in changed {
            self.put_together(file, mend, key, &copied)?;
        }
        let gone: BTreeSet<SessionKey> = mend.void.iter().copied().collect();
        let mut largest = BTreeMap::new();
        for key in self.live_numbers_in(file, &gone) {
            self.renumber(file, mend, key, &mut largest)?;
        }
        Ok(())
    }

    /// The sessions that the file has taken and that have live rows since, each with what was taken; and those whose live
    /// copies outside the segments that they were taken from are void.
    #[expect(clippy::type_complexity, reason = "two lists")]
    fn changed_sessions(
        &self,
        file: &StagedFile,
    ) -> Result<(Vec<(SessionKey, (Arc<Segment>, u32))>, Vec<SessionKey>), ImportError> {
        let (mut changed, mut void) = (Vec::new(), Vec::new());
        for (segment, sessions, sealed) in &file.taken {
            let own = self.sealed.iter().find(|known| *sealed && known.segment.id() == segment.id());
            let moved = match own {
                // Those that are where they were are as they were.
                Some(own) => match own.superseded.get(&file.site) {
                    Some(superseded) => sessions & superseded,
                    None => RoaringBitmap::new(),
                },
                None => sessions.clone(),
            };
            let Some(table) = segment.table(file.site)? else { continue };
            for session in &moved {
                let at = session as usize;
                let visitor = VisitorId(table.visitor.get(at).copied().unwrap_or_default());
                let id = SessionId(table.session_id.get(at).copied().unwrap_or_default());
                let key = SessionKey { site: file.site, visitor, session: id };
                let Some(copy) = self.live_copy(key) else { continue };
                void.push(key);
                if self.row_count(&copy, key)? != table.rows(at).len() {
                    changed.push((key, (Arc::clone(segment), session)));
                }
            }
        }
        Ok((changed, void))
    }

    fn live_copy(&self, key: SessionKey) -> Option<Copy<'_>> {
        let opens = [Some(&self.open), self.frozen.as_ref().map(|frozen| &frozen.open)];
        for open in opens.into_iter().flatten() {
            if let Some(ordinal) = open.index.ordinal_of(key, &open.arena) {
                return Some(Copy::Open(open.operation(ordinal)));
            }
        }
        self.sealed.iter().rev().find_map(|sealed| {
            let session = sealed.segment.find_session(key)?;
            let superseded = sealed.superseded.get(&key.site);
            let live = superseded.is_none_or(|superseded| !superseded.contains(session));
            live.then(|| Copy::Sealed(&sealed.segment, session))
        })
    }

    fn row_count(&self, copy: &Copy<'_>, key: SessionKey) -> Result<usize, StorageError> {
        Ok(match copy {
            Copy::Open(operation) => operation.rows.len(),
            Copy::Sealed(segment, session) => {
                segment.table(key.site)?.map_or(0, |table| table.rows(*session as usize).len())
            }
        })
    }

    /// Puts a session together that got rows from the file and live ones.
    fn put_together(
        &self,
        file: &mut StagedFile,
        mend: &mut Mend,
        key: SessionKey,
        copied: &(Arc<Segment>, u32),
    ) -> Result<(), ImportError> {
        let now = file.renamed.iter().find(|((visitor, _), old)| *visitor == key.visitor && **old == key.session);
        let staged_key = SessionKey { session: now.map_or(key.session, |((_, new), _)| *new), ..key };
        let Some(live) = self.live_copy(key) else { return Ok(()) };
        let Some((part, session)) = staged(file, staged_key) else { return Ok(()) };
        let segment = Arc::clone(&file.segments[part].0);
        let (Some(table), Some(before)) = (segment.table(key.site)?, copied.0.table(key.site)?) else {
            return Ok(());
        };
        let mut operation = sealed_operation(&table, staged_key, session);
        let mut old: HashMap<Row<'_>, usize> = HashMap::new();
        for row in sealed_operation(&before, key, copied.1).rows {
            *old.entry(row).or_default() += 1;
        }
        // Without the rows that were there before: the live copy has them.
        operation.rows.retain(|row| match old.get_mut(row) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        });
        let mut rows = match live {
            Copy::Open(live) => live.rows,
            Copy::Sealed(segment, session) => match segment.table(key.site)? {
                Some(table) => sealed_operation(&table, key, session).rows,
                None => Vec::new(),
            },
        };
        rows.append(&mut operation.rows);
        operation.rows = rows;
        operation.encode(&mut mend.sessions);
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
        let opens = [Some(&self.open), self.frozen.as_ref().map(|frozen| &frozen.open)];
        for open in opens.into_iter().flatten() {
            let reader = open.arena.reader();
            let live = open.index.all().filter(|(ordinal, _)| !open.moved.contains(*ordinal));
            live.for_each(|(ordinal, _)| look(reader.key(ordinal)));
        }
        for sealed in self.sealed.iter().filter(|sealed| !file.knows(sealed.segment.id())) {
            let Ok(Some(table)) = sealed.segment.table(file.site) else { continue };
            let superseded = sealed.superseded.get(&file.site);
            let taken = file.taken.iter().find(|(segment, ..)| segment.id() == sealed.segment.id());
            for (session, (&visitor, &id)) in table.visitor.iter().zip(table.session_id).enumerate() {
                let session = session as u32;
                let is_taken = taken.is_some_and(|(_, taken, _)| taken.contains(session));
                if !is_taken && superseded.is_none_or(|superseded| !superseded.contains(session)) {
                    look(SessionKey {
                        site: file.site,
                        visitor: VisitorId(visitor),
                        session: SessionId(id),
                    });
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
        let n = used.checked_add(1);
        let n = n.ok_or(ImportError::TooManySessions { visitor: key.visitor.0.cast_signed() })?;
        *used = n;
        let new = SessionId::new(day, n);
        let segment = Arc::clone(&file.segments[part].0);
        if let Some(table) = segment.table(key.site)? {
            sealed_operation(&table, SessionKey { session: new, ..key }, session).encode(&mut mend.sessions);
        }
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
        let opens = [Some(&self.open), self.frozen.as_ref().map(|frozen| &frozen.open)];
        for open in opens.into_iter().flatten() {
            let sessions = open.index.of_visitor(key.site, key.visitor);
            sessions.for_each(|(ordinal, _)| look(open.arena.session_id(ordinal)));
        }
        let live = self.sealed.iter().map(|sealed| &sealed.segment);
        for segment in live.chain(file.segments.iter().map(|(segment, _)| segment)) {
            segment.all_sessions_of(key.site, key.visitor, |_, id| look(id));
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
