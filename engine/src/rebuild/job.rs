//! Writes new indexes of a site's files, and its dictionary when that is lost.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Extent;
use super::codes::Codes;
use super::marks::Marks;
use super::read::{ReadSession, Taker, Wanted};
use crate::dictionary::SiteDictionary;
use crate::error::{CompactionError, ParquetError, StorageError};
use crate::index::{IndexBuilder, IndexRow, IndexSession, IndexSize, Needs, ParquetFile, ROW_COLUMNS};
use crate::lake::{
    BlockChecksums, CheckedBytes, LakeContext, LiveFile, LiveSite, Rebuilt, RebuiltFile, dictionary_path,
    gathering_path, index_path,
};
use crate::schema::Column;
use crate::segment::Segment;
use crate::segment::build::session_state;
use crate::segment::sink::FileSink;
use crate::snapshot::{Snapshot, SourceSegment};
use crate::units::{SegmentId, SiteId};
use crate::vfs::Bytes;

/// What the job is given by the writer and by whoever runs it.
pub struct Means<'m> {
    /// Gives a number that no other file has.
    pub number: &'m mut dyn FnMut() -> Result<SegmentId, StorageError>,
    /// Gives codes of a column that no other string of the site has or gets.
    pub codes: &'m mut dyn FnMut(Column) -> Result<Range<u32>, StorageError>,
    /// Has the writer give the codes of a dictionary from now on, and gives a snapshot of later.
    pub agree: &'m mut dyn FnMut(Arc<SiteDictionary>) -> Result<Arc<Snapshot>, StorageError>,
    /// Called now and then; a reason stops it.
    pub watch: &'m mut dyn FnMut() -> Result<(), &'static str>,
}

/// What of a site is made anew.
pub struct RebuildJob {
    context: LakeContext,
    site: SiteId,
    extent: Extent,
    lake: Arc<LiveSite>,
    snapshot: Arc<Snapshot>,
}

/// What the site has beside the lake.
struct Elsewhere {
    /// The open ones first, then the youngest.
    segments: Vec<Arc<Segment>>,
    /// No segment is damaged, which would not be among them.
    is_all: bool,
    /// Their live sessions: visitor and session id, to the place of the segment and the session there.
    sessions: HashMap<(u64, u32), (u32, u32)>,
}

/// An index that was written.
struct WrittenIndex {
    len: u64,
    numbers_end: u32,
    /// Sessions of its file that are stored elsewhere.
    elsewhere: RoaringBitmap,
}

impl RebuildJob {
    /// Of a site, from a snapshot that was taken after the damage was found. `None`: it has no files.
    pub fn new(
        context: &LakeContext,
        snapshot: &Arc<Snapshot>,
        site: SiteId,
        extent: Extent,
    ) -> Option<Self> {
        let lake = snapshot.lake().site(site)?.clone();
        Some(Self { context: context.clone(), site, extent, lake, snapshot: Arc::clone(snapshot) })
    }

    /// Writes and syncs the files. A file whose Parquet is damaged is set aside with that; of an extent of indexes it
    /// is left out.
    ///
    /// # Errors
    /// Nothing is left of what was written, unless it cannot be removed; then it is an orphan.
    /// [`CompactionError::Codes`]: everything must be made anew.
    pub fn run(&self, means: &mut Means<'_>) -> Result<Rebuilt, CompactionError> {
        let mut written = Vec::new();
        let result = match self.extent {
            Extent::Indexes => self.write_indexes(means, &mut written),
            Extent::Everything => self.write_everything(means, &mut written),
        };
        if result.is_err() {
            for path in written {
                // The failure is told; a file that stays is removed at the next start.
                let _ = self.context.fs.remove(&path);
            }
        }
        result
    }

    fn write_indexes(
        &self,
        means: &mut Means<'_>,
        written: &mut Vec<PathBuf>,
    ) -> Result<Rebuilt, CompactionError> {
        let elsewhere = self.elsewhere(&self.snapshot)?;
        let dictionary = self.lake.dictionary.as_ref().ok_or(CompactionError::Codes(self.site))?;
        let mut codes = Codes::known(self.site, dictionary.open()?);
        let mut files = self.write_files(&elsewhere, &mut codes, means, written)?;
        files.retain(|file| file.index_len.is_ok());
        self.context.fs.sync_dir(&self.context.folder)?;
        Ok(Rebuilt { site: self.site, host: self.lake.host.clone(), dictionary: None, files })
    }

    fn write_everything(
        &self,
        means: &mut Means<'_>,
        written: &mut Vec<PathBuf>,
    ) -> Result<Rebuilt, CompactionError> {
        let number = (means.number)()?;
        let path = dictionary_path(&self.context.folder, number);
        // Strings that come while files are read must get the same codes. So the writer is told of all of them first.
        let before = self.lake.dictionary.as_ref().and_then(|dictionary| dictionary.open().ok());
        let elsewhere = self.elsewhere(&self.snapshot)?;
        let mut codes = Codes::new(self.site, &path, &elsewhere.segments, before)?;
        self.read_codes(&mut codes, means)?;
        let bytes = codes.finish(number, Vec::new())?;
        let agreed = Arc::new(SiteDictionary::open(&path, Bytes::from_vec(bytes))?);
        let snapshot = (means.agree)(agreed.clone())?;
        // Those that came before it knew have the codes that it gave them.
        let elsewhere = self.elsewhere(&snapshot)?;
        let mut codes = Codes::new(self.site, &path, &elsewhere.segments, Some(agreed))?;
        let files = self.write_files(&elsewhere, &mut codes, means, written)?;
        let out = self.begin_file(path, written)?;
        let len = codes.finish(number, out)?.finish()?;
        self.context.fs.sync_dir(&self.context.folder)?;
        let dictionary = Some((number, len));
        Ok(Rebuilt { site: self.site, host: self.lake.host.clone(), dictionary, files })
    }

    /// Has codes given to the strings of all files.
    fn read_codes(&self, codes: &mut Codes<'_>, means: &mut Means<'_>) -> Result<(), CompactionError> {
        for live in &self.lake.files {
            let found = live.file.map_parquet().map_err(CompactionError::from);
            match found.and_then(|_| self.wanted(live).read(&mut Coder { codes, means })) {
                // What is damaged is told when its index is to be made.
                Err(CompactionError::Storage(damage)) if is_of(&damage, live) => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn write_files(
        &self,
        elsewhere: &Elsewhere,
        codes: &mut Codes<'_>,
        means: &mut Means<'_>,
        written: &mut Vec<PathBuf>,
    ) -> Result<Vec<RebuiltFile>, CompactionError> {
        let mut files = Vec::new();
        let is_due = |live: &&LiveFile| self.extent == Extent::Everything || live.file.wants_index();
        for live in self.lake.files.iter().filter(is_due) {
            let index = (means.number)()?;
            let mut file = RebuiltFile {
                key: live.key,
                before: live.file.number(),
                index,
                index_len: Ok(0),
                numbers_end: live.entry.numbers_end,
                elsewhere: RoaringBitmap::new(),
            };
            match self.write_index(live, index, elsewhere, codes, means, written) {
                Ok(made) => {
                    file.index_len = Ok(made.len);
                    (file.numbers_end, file.elsewhere) = (made.numbers_end, made.elsewhere);
                }
                Err(CompactionError::Storage(damage)) if is_of(&damage, live) => {
                    live.file.set_aside(damage.clone());
                    file.index_len = Err(damage);
                }
                Err(error) => return Err(error),
            }
            files.push(file);
        }
        Ok(files)
    }

    fn wanted<'w>(&'w self, live: &'w LiveFile) -> Wanted<'w> {
        Wanted { fs: &*self.context.fs, path: live.file.parquet(), host: &self.lake.host, key: live.key }
    }

    fn elsewhere(&self, snapshot: &Snapshot) -> Result<Elsewhere, StorageError> {
        let mut parts = snapshot.sources(self.site, &Needs::nothing(0..0))?.segments;
        // The open ones come last.
        parts.reverse();
        let mut sessions = HashMap::new();
        for (part, SourceSegment { segment, hidden, .. }) in parts.iter().enumerate() {
            let Some(table) = segment.table(self.site)? else { continue };
            for session in 0..table.session_count() {
                let is_hidden = hidden.as_ref().is_some_and(|hidden| hidden.contains(session as u32));
                let name = (table.visitors.get(session), table.states.session_id(session));
                if let (false, (Some(visitor), Some(id))) = (is_hidden, name) {
                    sessions.insert((visitor, id), (part as u32, session as u32));
                }
            }
        }
        let segments = parts.into_iter().map(|part| part.segment).collect();
        let is_all = snapshot.sealed().iter().all(|view| view.segment.table(self.site).is_ok());
        Ok(Elsewhere { segments, is_all, sessions })
    }

    /// Writes the index of a file.
    fn write_index(
        &self,
        live: &LiveFile,
        number: SegmentId,
        elsewhere: &Elsewhere,
        codes: &mut Codes<'_>,
        means: &mut Means<'_>,
        written: &mut Vec<PathBuf>,
    ) -> Result<WrittenIndex, CompactionError> {
        let path = live.file.parquet();
        let bytes = live.file.map_parquet()?;
        let checksums = live.file.known_checksums().unwrap_or_else(|| BlockChecksums::of(&bytes));
        let of_file = ParquetFile { len: checksums.file_len(), checksums: checksums.sums().to_vec() };
        let bytes = CheckedBytes::new(path, bytes, checksums);
        bytes.check(0..bytes.file_len())?;
        let marks =
            Marks::of(self.site, live, &bytes, &self.lake.files, (&elsewhere.segments, elsewhere.is_all))?;
        let size = IndexSize { sessions: live.entry.sessions as usize, rows: live.entry.rows as usize };
        written.push(gathering_path(&self.context.folder, number));
        let mut gatherer = Gatherer {
            site: self.site,
            superseded: &live.superseded,
            codes,
            means,
            marks,
            elsewhere,
            found: RoaringBitmap::new(),
            builder: self.context.begin_index(number, size)?,
        };
        self.wanted(live).read(&mut gatherer)?;
        let Gatherer { builder, found, .. } = gatherer;
        let counts = (builder.row_count() as u64, builder.session_count() as u64);
        if counts != (live.entry.rows, live.entry.sessions) {
            let what = format!(
                "it has {} rows of {} sessions, the manifest says {} of {}",
                counts.0, counts.1, live.entry.rows, live.entry.sessions
            );
            return Err(StorageError::corrupt(path, 0, what).into());
        }
        let numbers_end = builder.numbers_end();
        let out = self.begin_file(index_path(&self.context.folder, number), written)?;
        let len = builder.finish(self.site, number, &of_file, out).finish()?;
        Ok(WrittenIndex { len, numbers_end, elsewhere: found })
    }

    fn begin_file(&self, path: PathBuf, written: &mut Vec<PathBuf>) -> Result<FileSink, StorageError> {
        written.push(path.clone());
        FileSink::anew(self.context.fs.clone(), path)
    }
}

impl Elsewhere {
    /// Whether a session of a file has moved here. It moved whole, so all its rows are here, too.
    ///
    /// # Errors
    /// Another session has its name: neither is a copy of the other, so neither may be void.
    fn has(&self, site: SiteId, session: &ReadSession) -> Result<bool, String> {
        let Some(&(part, here)) = self.sessions.get(&(session.visitor.0, session.id.0)) else {
            return Ok(false);
        };
        let segment = self.segments.get(part as usize);
        let table =
            segment.map_or(Ok(None), |segment| segment.table(site)).map_err(|error| error.to_string())?;
        let Some(table) = table else { return Ok(false) };
        let times = table.exact_times(here as usize).map_err(|error| error.to_string())?;
        let kinds = table.rows(here as usize).map(|row| table.kinds.get(row).unwrap_or_default());
        let mut rows: HashMap<(i64, u8), usize> = HashMap::new();
        times.into_iter().zip(kinds).for_each(|row| *rows.entry(row).or_default() += 1);
        let is_here = session.rows.iter().all(|row| match rows.get_mut(&(row.time, row.kind)) {
            Some(count) if *count > 0 => {
                *count -= 1;
                true
            }
            _ => false,
        });
        if is_here {
            return Ok(true);
        }
        Err(format!(
            "session {} of visitor {} is another one than that of the same number which is stored since",
            session.id.0,
            session.visitor.0.cast_signed()
        ))
    }
}

/// Whether damage is that of a live file's Parquet.
fn is_of(damage: &StorageError, live: &LiveFile) -> bool {
    matches!(damage, StorageError::Corrupt { path, .. } if path == live.file.parquet())
}

/// Has codes given.
struct Coder<'g, 'c, 'm> {
    codes: &'g mut Codes<'c>,
    means: &'g mut Means<'m>,
}

impl Taker for Coder<'_, '_, '_> {
    fn code(&mut self, column: Column, text: &str) -> Result<u32, CompactionError> {
        self.codes.code(column, text, self.means)
    }

    fn session(&mut self, _: &ReadSession) -> Result<(), String> {
        Ok(())
    }

    fn progress(&mut self) -> Result<(), CompactionError> {
        (self.means.watch)().map_err(|why| ParquetError::Stopped(why).into())
    }
}

/// Gathers what an index needs.
struct Gatherer<'g, 'c, 'm> {
    site: SiteId,
    /// Sessions of the file that are known to count no more.
    superseded: &'g RoaringBitmap,
    codes: &'g mut Codes<'c>,
    means: &'g mut Means<'m>,
    marks: Marks,
    elsewhere: &'g Elsewhere,
    /// Sessions that are stored elsewhere.
    found: RoaringBitmap,
    builder: IndexBuilder,
}

impl Taker for Gatherer<'_, '_, '_> {
    fn code(&mut self, column: Column, text: &str) -> Result<u32, CompactionError> {
        self.codes.code(column, text, self.means)
    }

    fn session(&mut self, session: &ReadSession) -> Result<(), String> {
        let number = self.builder.session_count() as u32;
        let rows = &session.rows;
        if !rows.is_sorted_by_key(|row| row.time) {
            return Err("a session's rows are out of order".into());
        }
        let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
        let kinds: Vec<u8> = rows.iter().map(|row| row.kind).collect();
        let paths: Vec<u32> = rows.iter().map(path_of).collect();
        let visitor = session.visitor.0;
        let indexed = IndexSession {
            visitor,
            session: session.id,
            given_id: session.user_key.is_some() || self.marks.contains(visitor),
            attributes: session.attributes,
            state: session_state(0..rows.len(), &times, &kinds, &paths),
            rows,
        };
        self.builder.push(&indexed).map_err(|unfit| unfit.to_string())?;
        if !self.superseded.contains(number) && self.elsewhere.has(self.site, session)? {
            self.found.insert(number);
        }
        Ok(())
    }

    fn progress(&mut self) -> Result<(), CompactionError> {
        (self.means.watch)().map_err(|why| ParquetError::Stopped(why).into())
    }
}

fn path_of(row: &IndexRow) -> u32 {
    let texts = ROW_COLUMNS.iter().zip(row.texts);
    texts.filter(|(column, _)| **column == Column::Path).map(|(_, code)| code).sum()
}
