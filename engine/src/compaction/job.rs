//! Writes one file of the lake from the file before and from what waits in segments: Parquet, index and, when there are
//! new strings, the site's dictionary. All of it is written and synced under names that nobody reads yet.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::plan::Step;
use super::situation::hidden_or_later;
use super::strings::TableStrings;
use crate::dictionary::{DictionaryBuilder, SiteDictionary};
use crate::error::{CompactionError, ParquetError, StorageError};
use crate::index::{
    IndexBuilder, IndexRow, IndexSession, IndexSize, Loaded, Needs, ParquetFile, ROW_COLUMNS,
};
use crate::lake::{
    BlockChecksumsBuilder, Compacted, LakeContext, LakeDictionary, LiveFile, OpenFile, Taken,
    dictionary_path, end_crc, gathering_path, index_path, parquet_path, temporary_path,
};
use crate::manifest::{LakeEntry, Superseded};
use crate::parquet::{self, Key, Observer, Placed, Written};
use crate::query::Source;
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::Segment;
use crate::segment::build::SessionState;
use crate::segment::sink::FileSink;
use crate::segment::table::{FLAG_BOUNCE, FLAG_GIVEN_ID, NO_ROW, SiteTable};
use crate::snapshot::Snapshot;
use crate::units::{SegmentId, SessionId, SiteId, TimestampMs};
use crate::vfs::create_anew;

/// What becomes one file of the lake.
pub struct CompactionJob {
    context: LakeContext,
    site: SiteId,
    host: String,
    step: Step,
    /// Numbers for the index and for the dictionary.
    numbers: [SegmentId; 2],
    before: Option<LiveFile>,
    dictionary: Option<Arc<LakeDictionary>>,
    segments: Vec<(Arc<Segment>, Arc<Superseded>)>,
    settled: TimestampMs,
}

/// The tables that are merged, and where each of them is from.
struct Sources<'a> {
    tables: Vec<Source<'a>>,
    from: Vec<SegmentId>,
    /// The first one is the file before.
    has_before: bool,
}

impl Sources<'_> {
    /// What of a key there is at most.
    fn size(&self, key: Key) -> IndexSize {
        let mut size = IndexSize::default();
        for Source { table, .. } in &self.tables {
            for run in table.runs.iter().filter(|run| key.contains(run.day_utc())) {
                let sessions = run.sessions(table.session_count());
                size.rows += table.rows_of(&sessions).len();
                size.sessions += sessions.len();
            }
        }
        size
    }
}

impl CompactionJob {
    /// The file of a step, from what a snapshot shows. `host` is the site's name, should its folder not be there yet.
    /// Sessions in segments with activity from `settled` on stay there: they are likely to go on.
    pub fn new(
        context: &LakeContext,
        snapshot: &Snapshot,
        step: Step,
        host: String,
        numbers: [SegmentId; 2],
        settled: TimestampMs,
    ) -> Self {
        let site = snapshot.lake().site(step.site);
        let sealed = snapshot.sealed().iter();
        let segments = sealed.map(|view| (view.segment.clone(), view.superseded.clone()));
        Self {
            context: context.clone(),
            site: step.site,
            host: site.map_or(host, |site| site.host.clone()),
            step,
            numbers,
            before: site.and_then(|site| site.file(step.key).cloned()),
            dictionary: site.and_then(|site| site.dictionary.clone()),
            segments: segments.collect(),
            settled,
        }
    }

    /// Writes and syncs the files. `watch` is called now and then; a reason stops it.
    ///
    /// # Errors
    /// Nothing is left of what was written, unless it cannot be removed; then it is an orphan.
    pub fn run(
        &self,
        watch: &mut dyn FnMut() -> Result<(), &'static str>,
    ) -> Result<Compacted, CompactionError> {
        let result = self.write(watch);
        if let Err(error) = &result {
            self.set_aside(error);
            for path in self.paths() {
                // The failure is told; a file that stays is removed at the next start, or by the next attempt.
                let _ = self.context.fs.remove(&path);
            }
        }
        result
    }

    /// Notes damage of the file before, so that nobody tries again.
    fn set_aside(&self, error: &CompactionError) {
        let (CompactionError::Storage(damage) | CompactionError::Parquet(ParquetError::Storage(damage))) =
            error
        else {
            return;
        };
        if let (StorageError::Corrupt { path, .. }, Some(before)) = (damage, &self.before)
            && before.file.is_at(path)
        {
            before.file.set_aside(damage.clone());
        }
    }

    /// What the dictionary that is made says against itself is that codes and strings do not fit each other.
    fn codes_or(&self, error: StorageError) -> CompactionError {
        let [.., dictionary] = self.paths();
        match error {
            StorageError::Corrupt { path, .. } if path == dictionary => CompactionError::Codes(self.site),
            error => error.into(),
        }
    }

    fn paths(&self) -> [PathBuf; 4] {
        let parquet = parquet_path(&self.context.folder, &self.host, self.step.key);
        let [index, dictionary] = self.numbers;
        let folder = &self.context.folder;
        let dictionary = dictionary_path(folder, dictionary);
        [temporary_path(&parquet), gathering_path(folder, index), index_path(folder, index), dictionary]
    }

    fn write(
        &self,
        watch: &mut dyn FnMut() -> Result<(), &'static str>,
    ) -> Result<Compacted, CompactionError> {
        let strings = self.dictionary.as_ref().map(|dictionary| dictionary.open()).transpose()?;
        let before = self.before.as_ref().map(|before| before.file.open()).transpose()?;
        let loaded = match &before {
            Some(open) => Loaded::load(&open.index, &Needs::everything(), &open.columns)?,
            None => Loaded::default(),
        };
        let hidden = self.hidden();
        let sources = self.sources(before.as_deref(), strings.as_deref(), &loaded, &hidden)?;
        let index = self.context.begin_index(self.numbers[0], sources.size(self.step.key))?;
        let mut gathered = Gathered::new(&sources, index);
        let (parquet, checksums) = self.write_parquet(&sources, &mut gathered, watch)?;
        let Gathered { index, rows_before, sources: seen, .. } = gathered;
        // The index first: with it goes what was gathered for it, before the dictionary needs memory.
        let entry = self.write_index(index, &parquet, checksums)?;
        let dictionary = self.write_dictionary(&sources, &seen, strings.as_deref());
        let dictionary = dictionary.map_err(|error| self.codes_or(error))?;
        let fs = &*self.context.fs;
        fs.sync_dir(&self.context.folder)?;
        fs.sync_dir(parquet.parent().unwrap_or(&self.context.folder))?;
        Ok(Compacted {
            site: self.site,
            host: self.host.clone(),
            key: self.step.key,
            new_rows: entry.rows - rows_before,
            entry,
            dictionary,
            taken: seen.into_iter().map(|seen| seen.taken).collect(),
            temporary: temporary_path(&parquet),
            parquet,
        })
    }

    fn sources<'a>(
        &'a self,
        before: Option<&'a OpenFile>,
        strings: Option<&'a SiteDictionary>,
        loaded: &'a Loaded,
        hidden: &'a [RoaringBitmap],
    ) -> Result<Sources<'a>, StorageError> {
        let mut sources = Sources { tables: Vec::new(), from: Vec::new(), has_before: before.is_some() };
        if let (Some(live), Some(open)) = (&self.before, before) {
            let strings = strings.ok_or_else(|| {
                StorageError::corrupt(live.file.parquet(), 0, "the site's dictionary is missing")
            })?;
            let table = open.index.table(strings, &open.columns, loaded)?;
            sources.tables.push(Source { table, hidden: Some(&live.superseded) });
            sources.from.push(live.file.number());
        }
        for ((segment, _), hidden) in self.segments.iter().zip(hidden) {
            // What is damaged stays where it is.
            let Ok(Some(table)) = segment.table(self.site) else { continue };
            if table.runs.iter().any(|run| self.step.key.contains(run.day_utc())) {
                sources.tables.push(Source { table, hidden: Some(hidden) });
                sources.from.push(segment.id());
            }
        }
        Ok(sources)
    }

    /// For each segment the sessions that stay there.
    fn hidden(&self) -> Vec<RoaringBitmap> {
        let of = |(segment, superseded): &(Arc<Segment>, Arc<Superseded>)| match segment.table(self.site) {
            Ok(Some(table)) => hidden_or_later(&table, superseded.get(&self.site), self.settled),
            _ => RoaringBitmap::new(),
        };
        self.segments.iter().map(of).collect()
    }

    fn write_parquet(
        &self,
        sources: &Sources<'_>,
        gathered: &mut Gathered,
        watch: &mut dyn FnMut() -> Result<(), &'static str>,
    ) -> Result<(PathBuf, ParquetFile), CompactionError> {
        let fs = &*self.context.fs;
        let parquet = parquet_path(&self.context.folder, &self.host, self.step.key);
        fs.create_dir_all(parquet.parent().unwrap_or(&self.context.folder))?;
        let temporary = temporary_path(&parquet);
        let mut file = create_anew(fs, &temporary)?;
        let mut checksums = BlockChecksumsBuilder::default();
        let mut sink = |bytes: &[u8]| {
            checksums.push(bytes);
            file.append(bytes)
        };
        let mut observer = Follower { sources, gathered, watch };
        let (site, key) = (&self.host, self.step.key);
        parquet::write_file(&sources.tables, site, key, NonZero::<usize>::MIN, &mut sink, &mut observer)?;
        file.sync_data()?;
        let checksums = checksums.finish();
        let of_file = ParquetFile { len: checksums.file_len(), checksums: checksums.sums().to_vec() };
        Ok((parquet, of_file))
    }

    fn write_dictionary(
        &self,
        sources: &Sources<'_>,
        seen: &[Seen],
        older: Option<&SiteDictionary>,
    ) -> Result<Option<(SegmentId, u64)>, StorageError> {
        let number = self.numbers[1];
        let path = dictionary_path(&self.context.folder, number);
        let mut builder = DictionaryBuilder::new(&path, older);
        let strings = Column::ALL.map(|column| TableStrings::new(column, &sources.tables));
        let strings = strings.into_iter().collect::<Result<Vec<_>, _>>()?;
        let new = sources.tables.iter().zip(seen).enumerate();
        for (table, (source, seen)) in new.skip(usize::from(sources.has_before)) {
            for (column, codes) in Gathered::columns().zip(&seen.codes) {
                let dictionary = source.table.dictionary(column);
                for local in (0..).zip(codes).filter(|(_, used)| **used).map(|(local, _)| local) {
                    let code = dictionary.site_codes.get(local as usize).copied().unwrap_or(0);
                    if code != 0 {
                        let number = strings[column.index()].number(table, local);
                        builder.add(column, code, dictionary.get(local), number)?;
                    }
                }
            }
        }
        if older.is_some() && !builder.has_new() {
            return Ok(None);
        }
        let out = FileSink::anew(self.context.fs.clone(), path)?;
        let text = |column: Column, number| strings[column.index()].get(number);
        let len = builder.finish(number, self.site, text, out)?.finish()?;
        Ok(Some((number, len)))
    }

    fn write_index(
        &self,
        builder: IndexBuilder,
        parquet: &Path,
        of_file: ParquetFile,
    ) -> Result<LakeEntry, StorageError> {
        let (rows, sessions) = (builder.row_count() as u64, builder.session_count() as u64);
        let (number, numbers_end) = (self.numbers[0], builder.numbers_end());
        let fs = &self.context.fs;
        let out = FileSink::anew(fs.clone(), index_path(&self.context.folder, number))?;
        let index_len = builder.finish(self.site, number, &of_file, out).finish()?;
        let written = fs.map(&temporary_path(parquet))?;
        Ok(LakeEntry {
            key: self.step.key.to_string(),
            index: number,
            index_len,
            parquet_len: of_file.len,
            parquet_end_crc: end_crc(&written),
            rows,
            sessions,
            numbers_end,
            ..LakeEntry::default()
        })
    }
}

/// Gathers what an index needs of the sessions that are written.
struct Follower<'f> {
    sources: &'f Sources<'f>,
    gathered: &'f mut Gathered,
    watch: &'f mut dyn FnMut() -> Result<(), &'static str>,
}

impl Observer for Follower<'_> {
    fn session(&mut self, placed: &Placed) -> Result<(), ParquetError> {
        match self.sources.tables.get(placed.source) {
            Some(source) => self.gathered.add(placed, &source.table, self.sources.has_before),
            None => Ok(()),
        }
    }

    fn progress(&mut self, _: &Written) -> Result<(), ParquetError> {
        (self.watch)().map_err(ParquetError::Stopped)
    }
}

/// What is gathered while sessions pass by.
struct Gathered {
    index: IndexBuilder,
    rows: Vec<IndexRow>,
    rows_before: u64,
    sources: Vec<Seen>,
}

/// What was seen of one source.
struct Seen {
    /// For each column that an index has, the local codes that occurred.
    codes: Vec<Vec<bool>>,
    /// Its sessions that were written.
    taken: Taken,
}

impl Gathered {
    fn new(sources: &Sources<'_>, index: IndexBuilder) -> Self {
        let seen = |(source, from): (&Source<'_>, &SegmentId)| {
            let codes = |column| vec![false; source.table.dictionary(column).len()];
            Seen { codes: Self::columns().map(codes).collect(), taken: Taken::nothing(*from) }
        };
        let sources = sources.tables.iter().zip(&sources.from).map(seen).collect();
        Self { index, rows: Vec::new(), rows_before: 0, sources }
    }

    /// The columns that an index has.
    fn columns() -> impl Iterator<Item = Column> {
        Column::attributes().iter().copied().chain(ROW_COLUMNS)
    }

    /// Takes a session that was written.
    fn add(&mut self, place: &Placed, table: &SiteTable<'_>, has_before: bool) -> Result<(), ParquetError> {
        let Some(seen) = self.sources.get_mut(place.source) else { return Ok(()) };
        let session = place.session;
        seen.taken.add(session as u32, self.index.session_count() as u32);
        let mut code = |at: usize, column: Column, index: usize| {
            let local = table.codes(column).get(index);
            if let Some(used) = seen.codes.get_mut(at).and_then(|codes| codes.get_mut(local as usize)) {
                *used = true;
            }
            table.dictionary(column).site_codes.get(local as usize).copied().unwrap_or(0)
        };
        let mut attributes = [0; ATTRIBUTE_COUNT];
        for (at, &column) in Column::attributes().iter().enumerate() {
            if let Some(attribute) = attributes.get_mut(at) {
                *attribute = code(at, column, session);
            }
        }
        let rows = table.rows(session);
        self.rows.clear();
        for row in rows.clone() {
            let texts = std::array::from_fn(|at| code(ATTRIBUTE_COUNT + at, ROW_COLUMNS[at], row));
            let kind = table.kinds.get(row).unwrap_or(0);
            self.rows.push(IndexRow { time: table.times.of_row(session, row), kind, texts });
        }
        if has_before && place.source == 0 {
            self.rows_before += rows.len() as u64;
        }
        let flags = table.states.flags(session);
        let indexed = IndexSession {
            visitor: table.visitors.get(session).unwrap_or(0),
            session: SessionId(table.states.session_id(session).unwrap_or(0)),
            given_id: flags & FLAG_GIVEN_ID != 0,
            attributes,
            state: state(table, session, rows.start, flags),
            rows: &self.rows,
        };
        self.index.push(&indexed).map_err(|unfit| ParquetError::Write(unfit.to_string()))
    }
}

/// A session's state with rows counted from its first one.
fn state(table: &SiteTable<'_>, session: usize, first: usize, flags: u8) -> SessionState {
    let own = |row: u32| if row == NO_ROW { NO_ROW } else { row - first as u32 };
    SessionState {
        start: table.times.start(session).unwrap_or_default(),
        last: table.times.last(session).unwrap_or_default(),
        views: table.states.views(session),
        entry_row: own(table.states.entry_row(session)),
        exit_row: own(table.states.exit_row(session)),
        bounced: flags & FLAG_BOUNCE != 0,
    }
}
