//! One import command at work: files, one after the other, from bytes to rows in the store.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use hitstone_engine::error::{ImportError, ParquetError};
use hitstone_engine::import::{Import, Row, Taken};
use hitstone_engine::parquet::{Batch, Reader};
use hitstone_engine::store::Store;
use hitstone_engine::units::TimestampMs;
use hitstone_engine::vfs::{File, Fs, OsFs};
use sha2::{Digest, Sha256};

use super::enriched::{self, LineRow, WithSource};
use super::hits::Found;
use super::lines::{Line, Rejections, Splitter};
use super::{FileDone, FileFault, Format, ImportRequest, Progress, hits};
use crate::admin;
use crate::app::App;
use crate::sites::LiveSite;

/// Batches of rows that are read ahead.
const BATCHES_AHEAD: usize = 4;
/// Bytes that are hashed at once.
const CHUNK_BYTES: usize = 1 << 20;
/// How long an import waits for another one to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits between two tries.
const PAUSE: Duration = Duration::from_millis(20);
/// Numbers of spooled files, apart from those that the engine gives its own.
static NEXT_SPOOL: AtomicU64 = AtomicU64::new(0x1000);

/// SHA-256 of a file's content.
///
/// # Errors
/// The file cannot be read.
pub fn hash_of(file: &mut impl Read) -> std::io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(chunk.get(..count).unwrap_or_default()),
        }
    }
}

/// A command's files are taken by it, one after the other.
pub struct Session<'s> {
    app: &'s App,
    store: &'s Store,
    site: Arc<LiveSite>,
    import: Import<'s>,
    again: bool,
    now: TimestampMs,
    file: Option<Open>,
}

/// The file that is being taken.
struct Open {
    format: Format,
    hash: Sha256,
    splitter: Splitter,
    rejections: Rejections,
    /// Lines that are none to count, by reason.
    ignored: BTreeMap<String, u64>,
    seen: u64,
    spool: Option<Spool>,
    begun: bool,
}

impl Open {
    fn new(format: Format) -> Self {
        let (splitter, rejections) = (Splitter::default(), Rejections::default());
        let (hash, ignored) = (Sha256::new(), BTreeMap::new());
        Self { format, hash, splitter, rejections, ignored, seen: 0, spool: None, begun: false }
    }

    fn progress(&mut self) -> Progress {
        Progress { seen: self.seen, rejected: self.rejections.take() }
    }
}

/// A file of the data folder that holds what came over a pipe, for formats that are not read from front to back.
struct Spool {
    path: PathBuf,
    file: Box<dyn File>,
}

impl Spool {
    fn new(folder: &Path) -> Result<Self, FileFault> {
        let number = NEXT_SPOOL.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("import-{number:016x}"));
        let file = OsFs.create_new(&path, true).map_err(failed)?;
        Ok(Self { path, file })
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What cannot be removed now goes at the next start.
        let _ = OsFs.remove(&self.path);
    }
}

fn failed(error: impl std::fmt::Display) -> FileFault {
    FileFault::Failed(error.to_string())
}

impl From<ImportError> for FileFault {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Repeated => Self::Repeated,
            other => failed(other),
        }
    }
}

/// Begins an import; one that is just ending is waited for.
fn begin_import<'s>(store: &'s Store, site: &LiveSite) -> Result<Import<'s>, ImportError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match store.import(site.site_id()) {
            Err(ImportError::Busy) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            begun => return begun,
        }
    }
}

impl<'s> Session<'s> {
    /// Begins a command.
    ///
    /// # Errors
    /// There is no such site, or another import is under way, in words.
    pub fn begin(app: &'s App, store: &'s Store, request: &ImportRequest) -> Result<Self, String> {
        let view = app.state.view();
        let number = admin::site(&view.state, &request.site).map_err(|error| error.to_string())?.number;
        let site = view.site(number).ok_or("the site is gone")?;
        let import = begin_import(store, site).map_err(|error| error.to_string())?;
        let (site, again) = (Arc::clone(site), request.again);
        Ok(Self { app, store, site, import, again, now: app.clock.now_ms(), file: None })
    }

    /// Begins a file; `hash` is that of its content, when it is known.
    ///
    /// # Errors
    /// [`FileFault::Repeated`].
    pub fn begin_file(&mut self, format: Format, hash: Option<[u8; 32]>) -> Result<(), FileFault> {
        self.now = self.app.clock.now_ms();
        if let Some(hash) = hash.filter(|_| !self.again)
            && self.store.has_imported(self.site.site_id(), hash).map_err(failed)?
        {
            return Err(FileFault::Repeated);
        }
        self.file = Some(Open::new(format));
        Ok(())
    }

    /// Takes the file's next bytes.
    ///
    /// # Errors
    /// The file cannot be imported, and the command is at its end.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, FileFault> {
        self.check_that_site_is_there()?;
        let Some(mut file) = self.file.take() else { return Err(failed("no file was begun")) };
        if !file.begun && !bytes.is_empty() {
            file.begun = true;
            file.format = file.format.seen(bytes);
        }
        file.hash.update(bytes);
        if file.format == Format::EnrichedParquet {
            if file.spool.is_none() {
                file.spool = Some(Spool::new(&self.app.settings.data)?);
            }
            if let Some(spool) = &mut file.spool {
                spool.file.append(bytes).map_err(failed)?;
            }
        } else {
            let mut splitter = std::mem::take(&mut file.splitter);
            splitter.feed(bytes, &mut |number, line| self.line(&mut file, number, line))?;
            file.splitter = splitter;
        }
        let progress = file.progress();
        self.file = Some(file);
        Ok(progress)
    }

    /// Ends the file: it is stored and visible when this returns. `watch` is told how far it is, and may say why to stop.
    ///
    /// # Errors
    /// Nothing of the file is stored. Other than after [`FileFault::Repeated`] of [`Self::begin_file`] the command is at
    /// its end.
    pub fn end_file(
        &mut self,
        watch: &mut dyn FnMut(Progress) -> Result<(), String>,
    ) -> Result<FileDone, FileFault> {
        let Some(mut file) = self.file.take() else { return Err(failed("no file was begun")) };
        if let Some(spool) = file.spool.take() {
            self.parquet(&mut file, &spool.path, watch)?;
        } else {
            let mut splitter = std::mem::take(&mut file.splitter);
            splitter.finish(&mut |number, line| self.line(&mut file, number, line))?;
        }
        let hash = std::mem::take(&mut file.hash).finalize().into();
        self.publish(file, hash, watch)
    }

    /// Takes a Parquet file where it lies, its hash being known.
    ///
    /// # Errors
    /// As [`Self::end_file`].
    pub fn whole_file(
        &mut self,
        path: &Path,
        hash: [u8; 32],
        watch: &mut dyn FnMut(Progress) -> Result<(), String>,
    ) -> Result<FileDone, FileFault> {
        let Some(mut file) = self.file.take() else { return Err(failed("no file was begun")) };
        self.parquet(&mut file, path, watch)?;
        self.publish(file, hash, watch)
    }

    fn publish(
        &mut self,
        mut file: Open,
        hash: [u8; 32],
        watch: &mut dyn FnMut(Progress) -> Result<(), String>,
    ) -> Result<FileDone, FileFault> {
        watch(file.progress()).map_err(FileFault::Failed)?;
        let loaded = self.import.publish(hash, self.again)?;
        Ok(FileDone {
            imported: loaded.rows,
            rejected: file.rejections.count(),
            sessions: loaded.sessions,
            more: file.rejections.more(),
            ignored: file.ignored,
        })
    }

    fn line(&mut self, file: &mut Open, number: u64, line: Line<'_>) -> Result<(), FileFault> {
        file.seen = number;
        let line = match line {
            Ok(line) => line,
            Err(why) => {
                file.rejections.add(number, why.to_owned());
                return Ok(());
            }
        };
        // A byte-order mark, and blank lines, which logs count.
        let line = if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        if line.trim_ascii().is_empty() && !matches!(file.format, Format::Log(_)) {
            return Ok(());
        }
        let refused = match file.format {
            Format::Hits => self.found(file, hits::read(line, self.app, &self.site, self.now)?)?,
            Format::Log(format) => self.found(file, hits::read_log(format, line, self.app, &self.site)?)?,
            Format::EnrichedLines | Format::EnrichedParquet => self.enriched_line(number, line)?,
        };
        if let Some(reason) = refused {
            file.rejections.add(number, reason);
        }
        Ok(())
    }

    /// Takes what a line brought; gives why it is refused, if it is.
    fn found(&mut self, file: &mut Open, found: Found) -> Result<Option<String>, FileFault> {
        match found {
            Found::Event(event) => Ok(refusal(self.import.push_event(&event)?)),
            Found::Ignored(reason) => {
                *file.ignored.entry(reason.to_owned()).or_default() += 1;
                Ok(None)
            }
            Found::Refused(reason) => Ok(Some(reason)),
        }
    }

    fn enriched_line(&mut self, number: u64, line: &[u8]) -> Result<Option<String>, FileFault> {
        let read = match LineRow::read(line) {
            Ok(read) => read,
            Err(reason) => return Ok(Some(reason)),
        };
        if !read.site.is_empty() {
            self.check_site(number, &read.site)?;
        }
        match read.row() {
            Ok(row) => self.push(row),
            Err(reason) => Ok(Some(reason)),
        }
    }

    /// Of a site that is deleted meanwhile nothing is stored: there is no use in going on.
    fn check_that_site_is_there(&self) -> Result<(), FileFault> {
        match self.app.state.view().site(self.site.number) {
            Some(_) => Ok(()),
            None => Err(failed(format!("the site {} has been deleted", self.site.hostname))),
        }
    }

    /// A row of another site rejects the file.
    fn check_site(&self, number: u64, site: &str) -> Result<(), FileFault> {
        let own = self.site.hostname.as_str();
        if site == own {
            return Ok(());
        }
        Err(failed(format!("row {number} is of the site {site:?}, not of {own}: the file is rejected")))
    }

    /// Hands a row on; gives why it is refused, if it is.
    fn push(&mut self, row: Row<'_>) -> Result<Option<String>, FileFault> {
        if let Err(reason) = enriched::check(&row, self.now) {
            return Ok(Some(reason.to_owned()));
        }
        let texts = WithSource(row.texts);
        Ok(refusal(self.import.push(&Row { texts: &texts, ..row })?))
    }

    /// Reads ahead on a thread of its own.
    fn parquet(
        &mut self,
        file: &mut Open,
        path: &Path,
        watch: &mut dyn FnMut(Progress) -> Result<(), String>,
    ) -> Result<(), FileFault> {
        let fault = |error: ParquetError| FileFault::Failed(error.without_path());
        let mut reader = Reader::open(&OsFs, path).map_err(fault)?;
        std::thread::scope(|scope| {
            let (sender, batches) = sync_channel::<Result<Batch, ParquetError>>(BATCHES_AHEAD);
            scope.spawn(move || {
                while let Some(batch) = reader.next_batch().transpose() {
                    if sender.send(batch).is_err() {
                        break; // The file was given up.
                    }
                }
            });
            for batch in batches {
                self.check_that_site_is_there()?;
                self.batch(file, &batch.map_err(fault)?)?;
                watch(file.progress()).map_err(FileFault::Failed)?;
            }
            Ok(())
        })
    }

    fn batch(&mut self, file: &mut Open, batch: &Batch) -> Result<(), FileFault> {
        for at in 0..batch.len() {
            file.seen += 1;
            let refused = match batch.row(at) {
                Ok(row) => {
                    if let Some(site) = row.site {
                        self.check_site(file.seen, site)?;
                    }
                    self.push(Row::of_lake(&row))?
                }
                Err(fault) => Some(format!("the column {} {}", fault.column, fault.what)),
            };
            if let Some(reason) = refused {
                file.rejections.add(file.seen, reason);
            }
        }
        Ok(())
    }
}

/// Why a row was not taken.
fn refusal(taken: Taken) -> Option<String> {
    match taken {
        Taken::Stored => None,
        Taken::NoSession => Some("no session is alive for this ping".into()),
        Taken::TooLong => Some("its texts are longer than 1 MiB".into()),
    }
}
