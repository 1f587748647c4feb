//! Makes a file's segments live, on the writer's thread, with one replacement of the manifest.
//!
//! Order, and what a crash leaves at each point:
//! 1. What was appended is committed: a copy must not be void before its successor is on disk.
//! 2. A segment of what had to be mended is written and synced. Crash: all segments of the file are orphans.
//! 3. The manifest is replaced. It names the segments, the sessions elsewhere that they are in the place of (in segments
//!    by bitmaps, in the logs by [`Taken`]), and the content. Crash before: as 2. Crash after: all is there.

use std::collections::{BTreeSet, HashMap as StdHashMap};
use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::body::Body;
use super::codes::SharedCodes;
use super::mend::Mend;
use crate::error::{ImportError, StorageError};
use crate::manifest::{ContentHash, Superseded, Taken, segment_path};
use crate::segment::Segment;
use crate::snapshot::Snapshot;
use crate::units::{SegmentId, SessionId, SessionKey, SiteId, VisitorId};
use crate::writer::Core;
use crate::writer::sealed::Sealed;

/// A file that is loaded and waits to be published.
pub struct StagedFile {
    pub(super) site: SiteId,
    codes: SharedCodes,
    /// The segments, and the sessions of each that later ones hold anew.
    pub(super) segments: Vec<(Arc<Segment>, RoaringBitmap)>,
    /// Sessions that were taken from what was stored.
    pub(super) taken: Vec<(Body, RoaringBitmap)>,
    /// What number sessions had where they were taken from, by the one that they have.
    pub(super) renamed: HashMap<(VisitorId, SessionId), SessionId>,
    /// Files whose sessions' numbers the import knew.
    known_segments: BTreeSet<SegmentId>,
    /// Rows of the file.
    pub rows: u64,
    /// Sessions that they opened.
    pub sessions: u64,
}

/// A file that is live.
pub struct Published {
    /// Rows of it.
    pub rows: u64,
    /// Sessions that they opened.
    pub sessions: u64,
    pub(super) snapshot: Snapshot,
    /// Sessions that have another number now.
    pub(super) renumbered: Vec<(VisitorId, SessionId, SessionId)>,
    /// Its segments.
    pub(super) segments: Vec<SegmentId>,
}

impl StagedFile {
    pub(super) fn new(site: SiteId, codes: &SharedCodes, known_segments: BTreeSet<SegmentId>) -> Self {
        Self {
            site,
            codes: SharedCodes::clone(codes),
            segments: Vec::new(),
            taken: Vec::new(),
            renamed: HashMap::new(),
            known_segments,
            rows: 0,
            sessions: 0,
        }
    }

    /// The file's segments that are not known to live ones.
    pub(super) fn knows(&self, segment: SegmentId) -> bool {
        self.known_segments.contains(&segment)
    }
}

/// Sessions that an import has taken from a log, each with the last frame that is void for it, in the log of a
/// generation.
pub(in crate::writer) fn taken_out(all: &[Taken], generation: u64) -> StdHashMap<SessionKey, u64> {
    let mut found = StdHashMap::new();
    for taken in all.iter().filter(|taken| taken.generation >= generation) {
        let last = if taken.generation == generation { taken.sequence } else { u64::MAX };
        for &key in &taken.sessions {
            let known = found.entry(key).or_insert(last);
            *known = last.max(*known);
        }
    }
    found
}

impl Core {
    /// Publishes a file. `content` is the hash of what was read; `again`: it may have been imported before.
    ///
    /// # Errors
    /// The inner error is the import's, and nothing has changed. The outer one leaves the state unfit for more: latch.
    pub fn publish_import(
        &mut self,
        mut file: StagedFile,
        content: ContentHash,
        again: bool,
    ) -> Result<Result<Published, ImportError>, StorageError> {
        self.commit()?;
        let mut mend = Mend::new(file.site);
        let prepared = self
            .may_publish(&file, &content, again)
            .and_then(|()| self.find_what_to_mend(&mut file, &mut mend))
            .and_then(|()| mend.write(self));
        let mended = match prepared {
            Ok(mended) => mended,
            Err(error) => {
                for (segment, _) in &file.segments {
                    // What cannot be removed now goes at the next start: nothing names it.
                    let _ = self.fs.remove(&segment_path(&self.folder, segment.id()));
                }
                return Ok(Err(error));
            }
        };
        self.take_over(&file, &mend)?;
        let new = file.segments.into_iter().chain(mended.map(|segment| (segment, RoaringBitmap::new())));
        let mut segments = Vec::new();
        for (segment, taken) in new {
            let superseded =
                if taken.is_empty() { Superseded::new() } else { Superseded::from([(file.site, taken)]) };
            segments.push(segment.id());
            self.sealed.push(Sealed { segment, superseded: Arc::new(superseded) });
        }
        self.sealed_views = None;
        if file.rows > 0 {
            // A file of which nothing was taken may be tried again, as another format.
            self.imports.insert((file.site, content));
        }
        self.manifest().write(&*self.fs, &self.folder)?;
        Ok(Ok(Published {
            rows: file.rows,
            sessions: file.sessions,
            snapshot: self.snapshot(),
            renumbered: mend.renumbered,
            segments,
        }))
    }

    fn may_publish(
        &mut self,
        file: &StagedFile,
        content: &ContentHash,
        again: bool,
    ) -> Result<(), ImportError> {
        let under_way = self.importing.as_ref().filter(|known| Arc::ptr_eq(&known.codes, &file.codes));
        let Some(under_way) = under_way else {
            return Err(ImportError::GivenUp("it is not the one that is under way".into()));
        };
        if let Some(why) = &under_way.given_up {
            return Err(ImportError::GivenUp(why.clone()));
        }
        if !again && self.has_imported(file.site, content) {
            return Err(ImportError::Repeated);
        }
        Ok(())
    }

    /// Makes void what the file's segments hold in the place of.
    fn take_over(&mut self, file: &StagedFile, mend: &Mend) -> Result<(), StorageError> {
        for (body, sessions) in &file.taken {
            let number = body.number();
            if let Some(sealed) = self.sealed.iter_mut().find(|sealed| sealed.segment.id() == number) {
                *Arc::make_mut(&mut sealed.superseded).entry(file.site).or_default() |= sessions;
            } else if self.lake.site(file.site).is_some() {
                let mut files = self.lake.site_mut(file.site).files.iter_mut();
                if let Some(live) = files.find(|live| live.file.number() == number) {
                    *Arc::make_mut(&mut live.superseded) |= sessions;
                }
            }
        }
        // Live copies elsewhere: in the logs, or in what was sealed or compacted since.
        let mut in_logs = Vec::new();
        for &key in &mend.void {
            if self.is_in_logs(key) {
                in_logs.push(key);
            }
            self.void(key);
        }
        if !in_logs.is_empty() {
            let sequence = self.log()?.next_sequence().saturating_sub(1);
            self.taken.push(Taken { generation: self.generation, sequence, sessions: in_logs });
        }
        Ok(())
    }

    fn is_in_logs(&self, key: SessionKey) -> bool {
        let opens = [Some(&self.open), self.frozen.as_ref().map(|frozen| &frozen.open)];
        opens.into_iter().flatten().any(|open| open.index.ordinal_of(key, &open.arena).is_some())
    }
}
