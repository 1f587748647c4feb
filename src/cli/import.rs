//! `import`: history from files or standard input, into the server that runs on the folder, else into the folder itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use hitstone_engine::error::StorageError;
use hitstone_engine::vfs::{OsFs, SharedFs};
use serde::Serialize;

use super::args::{plain, site};
use super::follow;
use super::sources::{self, STDIN, Source};
use crate::app::App;
use crate::cli::reach::here_or_there;
use crate::cli::{Failure, folder_settings, say, serve};
use crate::config::Settings;
use crate::control::{CHUNK_BYTES, RemoteImport};
use crate::import::{FileDone, FileFault, Format, ImportRequest, Progress, Session, access_log, hash_of};

/// How often a terminal shows how far it is.
const REDRAW: Duration = Duration::from_millis(200);
/// Files that were not tried are named up to so many.
const UNTRIED_MAX: usize = 5;

/// The command as it is typed.
pub(super) fn command() -> Command {
    let files = Arg::new("files").value_name("FILE").required(true).action(ArgAction::Append).help(
        "Files, taken in this order; - is standard input. What ends in .parquet is enriched, what ends in .ndjson or .jsonl \
         hits. A folder stands for all such files in it, at any depth, in the order of their names.",
    );
    let format = Arg::new("format").long("format").value_name("FORMAT").value_parser(Format::NAMES).help(
        "What the files hold: hits (lines of JSON with the fields of the API's hit and event calls and time), or enriched \
         (the columns of an export, as Parquet or as lines of JSON), or an access log. [default: by the extension]",
    );
    let again = Arg::new("again")
        .long("again")
        .action(ArgAction::SetTrue)
        .help("Takes files that have been imported already.");
    let about = "Loads a site's history from files: each is stored whole or not at all, and once";
    let command = plain("import", about).arg(site().required(true)).arg(files).arg(format).arg(again);
    follow::with_flag(command)
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Total {
    imported: u64,
    rejected: u64,
    sessions: u64,
    seconds: f64,
    /// Lines of access logs that are none to count, by reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<BTreeMap<String, u64>>,
}

impl Total {
    fn add(&mut self, done: FileDone) {
        self.imported += done.imported;
        self.rejected += done.rejected;
        self.sessions += done.sessions;
        if let Some(ignored) = &mut self.ignored {
            for (reason, count) in done.ignored {
                *ignored.entry(reason).or_default() += count;
            }
        }
    }

    fn in_words(&self) -> String {
        let Self { imported, rejected, sessions, seconds, ignored } = self;
        let ignored = ignored.as_ref().map(|ignored| format!(", {}", follow::ignored_in_words(ignored)));
        let ignored = ignored.unwrap_or_default();
        format!(
            "imported {imported} events of {sessions} sessions{ignored}, rejected {rejected}: {seconds:.1} s"
        )
    }
}

/// `hitstone import`
pub(super) fn import(matches: &ArgMatches) -> Result<(), Failure> {
    let named = matches.get_one::<String>("format").map(String::as_str);
    let names = || matches.get_many::<String>("files").into_iter().flatten();
    if matches.get_flag("follow") {
        return follow_one(matches, named, names());
    }
    let sources = sources::find(names(), named)?;
    let request = ImportRequest {
        site: matches.get_one::<String>("site").cloned().unwrap_or_default(),
        again: matches.get_flag("again"),
    };
    let json = matches.get_flag("json");
    let begun = Instant::now();
    let has_logs = sources.iter().any(|source| matches!(source.format, Format::Log(_)));
    let total = Total { ignored: has_logs.then(BTreeMap::new), ..Total::default() };
    let mut work = Work { total, refused: 0, bar: Bar::new(!json && std::io::stderr().is_terminal()) };
    let done = perform(folder_settings(matches)?, &request, &sources, &mut work);
    work.bar.clear();
    work.total.seconds = begun.elapsed().as_secs_f64();
    if json {
        say(&serde_json::to_string(&work.total).map_err(failed)?);
    } else if done.is_ok() || work.total.imported > 0 {
        say(&work.total.in_words());
    }
    done?;
    match work.refused {
        0 if work.total.imported == 0 && work.total.rejected > 0 => Err(Failure::Failed(format!(
            "nothing was imported: no line was taken, {} rejected",
            work.total.rejected
        ))),
        0 => Ok(()),
        1 => Err(Failure::Failed("a file was left out; --again imports it once more".into())),
        many => Err(Failure::Failed(format!("{many} files were left out; --again imports them once more"))),
    }
}

/// `hitstone import --follow`
fn follow_one<'a>(
    matches: &ArgMatches,
    named: Option<&str>,
    mut files: impl Iterator<Item = &'a String>,
) -> Result<(), Failure> {
    let format = named
        .and_then(access_log::Format::from_name)
        .ok_or_else(|| Failure::Settings("only an access log can be followed: give its --format".into()))?;
    let (Some(file), None) = (files.next().filter(|file| *file != STDIN), files.next()) else {
        return Err(Failure::Settings("one file can be followed at a time".into()));
    };
    let site = matches.get_one::<String>("site").cloned().unwrap_or_default();
    follow::follow(matches, &site, format, Path::new(file))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// Opens the folder when it is free, else goes through the server that has it.
fn perform(
    settings: Settings,
    request: &ImportRequest,
    sources: &[Source],
    work: &mut Work,
) -> Result<(), Failure> {
    let fs: SharedFs = Arc::new(OsFs);
    let folder = settings.data.as_path();
    if !fs.exists(folder).map_err(failed)? {
        return Err(Failure::Failed(format!("there is no data folder {}", folder.display())));
    }
    let here = || match fs.lock(folder) {
        Ok(lock) => {
            drop(lock);
            let clock = serve::clock(&settings);
            App::open(Arc::clone(&fs), settings.clone(), clock).map(Some).map_err(Failure::Failed)
        }
        Err(StorageError::Locked { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    };
    let reached = here_or_there(
        folder,
        || Ok(here()?.map(Reached::Here)),
        || RemoteImport::begin(folder, request).map(Reached::There),
    )?;
    match reached {
        Reached::There(mut remote) => work.all(&mut remote, sources),
        Reached::Here(app) => {
            let store = app.open_store().ok_or_else(|| failed("the store is closed"))?;
            // An import reads what is stored of its visitors; what can be made anew is not to be in its way.
            if let Err(error) = store.mend() {
                eprintln!("hitstone: what is damaged cannot be made anew: {error}");
            }
            let session = Session::begin(&app, &store, request).map_err(Failure::Failed);
            let done = session.and_then(|mut session| work.all(&mut session, sources));
            drop(store);
            done.and(app.close().map_err(Failure::Failed))
        }
    }
}

/// Who takes the files.
#[expect(clippy::large_enum_variant, reason = "there is one")]
enum Reached {
    Here(App),
    There(RemoteImport),
}

/// Where files go.
trait Target {
    fn begin_file(&mut self, format: Format, hash: Option<[u8; 32]>) -> Result<(), FileFault>;
    fn feed(&mut self, bytes: &[u8]) -> Result<Progress, FileFault>;
    fn end_file(&mut self, watch: Watch<'_>) -> Result<FileDone, FileFault>;
    /// Takes a whole file where it lies; `None`: it is to be fed.
    fn whole_file(&mut self, _: &Path, _: [u8; 32], _: Watch<'_>) -> Option<Result<FileDone, FileFault>> {
        None
    }
}

type Watch<'w> = &'w mut dyn FnMut(Progress) -> Result<(), String>;

impl Target for RemoteImport {
    fn begin_file(&mut self, format: Format, hash: Option<[u8; 32]>) -> Result<(), FileFault> {
        RemoteImport::begin_file(self, format, hash)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<Progress, FileFault> {
        RemoteImport::feed(self, bytes)
    }

    fn end_file(&mut self, watch: Watch<'_>) -> Result<FileDone, FileFault> {
        RemoteImport::end_file(self, watch)
    }
}

impl Target for Session<'_> {
    fn begin_file(&mut self, format: Format, hash: Option<[u8; 32]>) -> Result<(), FileFault> {
        Session::begin_file(self, format, hash)
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<Progress, FileFault> {
        Session::feed(self, bytes)
    }

    fn end_file(&mut self, watch: Watch<'_>) -> Result<FileDone, FileFault> {
        Session::end_file(self, watch)
    }

    fn whole_file(
        &mut self,
        path: &Path,
        hash: [u8; 32],
        watch: Watch<'_>,
    ) -> Option<Result<FileDone, FileFault>> {
        Some(Session::whole_file(self, path, hash, watch))
    }
}

/// The command at work.
struct Work {
    total: Total,
    /// Files that were imported before.
    refused: usize,
    bar: Bar,
}

impl Work {
    /// Takes the files in their order; one that fails ends the command.
    fn all(&mut self, target: &mut dyn Target, sources: &[Source]) -> Result<(), Failure> {
        for (at, source) in sources.iter().enumerate() {
            let done = self.one(target, source);
            self.bar.clear();
            match done {
                Ok(done) => {
                    for (reason, count) in &done.more {
                        eprintln!("{}: {count} more rejected: {reason}", source.name);
                    }
                    self.total.add(done);
                }
                Err(FileFault::Repeated) => {
                    eprintln!("{}: it has been imported already", source.name);
                    self.refused += 1;
                }
                Err(FileFault::Failed(why)) => {
                    let untried = untried(sources.get(at + 1..).unwrap_or_default());
                    return Err(Failure::Failed(format!(
                        "{}: {why}; nothing of it was imported{untried}",
                        source.name
                    )));
                }
            }
        }
        Ok(())
    }

    fn one(&mut self, target: &mut dyn Target, source: &Source) -> Result<FileDone, FileFault> {
        let fault = |error: std::io::Error| FileFault::Failed(error.to_string());
        let name = source.name.as_str();
        let bar = &mut self.bar;
        if name == STDIN {
            target.begin_file(source.format, None)?;
            bar.begin(name, None);
            feed(target, &mut std::io::stdin().lock(), name, bar)?;
        } else {
            let path = Path::new(name);
            let mut file = File::open(path).map_err(fault)?;
            let size = file.metadata().map_err(fault)?;
            // A pipe is read once: what it has is known only then.
            let hash = if size.is_file() { Some(hash_of(&mut file).map_err(fault)?) } else { None };
            if hash.is_some() {
                file.seek(SeekFrom::Start(0)).map_err(fault)?;
            }
            target.begin_file(source.format, hash)?;
            bar.begin(name, hash.map(|_| size.len()));
            if let Some(hash) = hash.filter(|_| source.format == Format::EnrichedParquet) {
                let mut watch = |progress: Progress| bar.tell(name, progress);
                if let Some(done) = target.whole_file(path, hash, &mut watch) {
                    return done;
                }
            }
            feed(target, &mut file, name, bar)?;
        }
        target.end_file(&mut |progress| bar.tell(name, progress))
    }
}

/// Names the files that are left when a command ends early.
fn untried(sources: &[Source]) -> String {
    if sources.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = sources.iter().take(UNTRIED_MAX).map(|source| source.name.as_str()).collect();
    let more = match sources.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("; not tried any more: {}{more}", names.join(", "))
}

fn feed(target: &mut dyn Target, input: &mut dyn Read, name: &str, bar: &mut Bar) -> Result<(), FileFault> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let mut filled = 0;
        while let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match input.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(FileFault::Failed(format!("cannot be read: {error}"))),
            }
        }
        if filled == 0 {
            return Ok(());
        }
        let progress = target.feed(chunk.get(..filled).unwrap_or_default())?;
        bar.bytes += filled as u64;
        bar.tell(name, progress).map_err(FileFault::Failed)?;
    }
}

/// One line on a terminal, and the refused lines above it.
struct Bar {
    on: bool,
    file: String,
    begun: Instant,
    shown: Option<Instant>,
    bytes: u64,
    size: Option<u64>,
}

impl Bar {
    fn new(on: bool) -> Self {
        Self { on, file: String::new(), begun: Instant::now(), shown: None, bytes: 0, size: None }
    }

    fn begin(&mut self, name: &str, size: Option<u64>) {
        (self.file, self.begun, self.bytes, self.size) = (name.to_owned(), Instant::now(), 0, size);
    }

    #[expect(clippy::unnecessary_wraps, reason = "those who watch may say why to stop")]
    fn tell(&mut self, name: &str, progress: Progress) -> Result<(), String> {
        if !progress.rejected.is_empty() {
            self.clear();
        }
        for rejected in &progress.rejected {
            eprintln!("{name}:{}: {}", rejected.number, rejected.reason);
        }
        if self.on && self.shown.is_none_or(|shown| shown.elapsed() >= REDRAW) {
            self.shown = Some(Instant::now());
            let seconds = self.begun.elapsed().as_secs_f64();
            let rate = progress.seen as f64 / seconds.max(0.001);
            let share = match self.size {
                Some(size) if size > 0 && self.bytes > 0 => {
                    format!(", {:.0} % read", 100.0 * self.bytes as f64 / size as f64)
                }
                _ => String::new(),
            };
            let seen = progress.seen;
            eprint!("\r\x1b[Kimporting {}: {seen} lines{share}, {rate:.0}/s, {seconds:.0} s ", self.file);
            let _ = std::io::stderr().flush();
        }
        Ok(())
    }

    fn clear(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
