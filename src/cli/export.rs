//! `export`: a site's events as Parquet files, from the server that runs on the folder, else from the folder itself.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command};
use hitstone_engine::error::{ParquetError, StorageError};
use hitstone_engine::parquet::Folder;
use hitstone_engine::store::{Snapshot, Store};
use hitstone_engine::vfs::{OsFs, SharedFs};
use jiff::civil::Date;

use super::args::{plain, site};
use crate::cli::reach::here_or_there;
use crate::cli::{Failure, data_folder, say};
use crate::compaction;
use crate::control;
use crate::export::{ExportRequest, Exported, Plan};
use crate::state::StateFile;
use crate::versions;

/// How often a terminal shows how far it is.
const REDRAW: Duration = Duration::from_millis(200);
/// The folders of sites in an export begin so.
const SITE_PREFIX: &str = "site=";

/// The command as it is typed.
pub(super) fn command() -> Command {
    let date = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("DATE").value_parser(read_date).help(help)
    };
    let out = Arg::new("out").long("out").value_name("DIR").required(true).help(
        "Where the files go: DIR/site=HOST/month=YYYY-MM/YYYY-MM.parquet. Must be new, empty, or an export's, whose \
         files of this site are replaced.",
    );
    plain("export", "Writes a site's events as Parquet files that other engines read")
        .arg(site().required(true))
        .arg(out)
        .arg(date(
            "from",
            "The first day (2026-11-30) in the site's zone; visits count by their last activity.",
        ))
        .arg(date("to", "The last day, included."))
}

fn read_date(text: &str) -> Result<Date, String> {
    let is_plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date = text.parse::<Date>().ok().filter(|_| is_plain);
    date.ok_or_else(|| "it is no date such as 2026-11-30".to_owned())
}

/// `hitstone export`
pub(super) fn export(matches: &ArgMatches) -> Result<(), Failure> {
    let date = |name: &str| matches.get_one::<Date>(name).copied();
    let (from, to) = (date("from"), date("to"));
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(Failure::Settings(format!("--from {from} is after --to {to}")));
    }
    let site = matches.get_one::<String>("site").cloned().unwrap_or_default();
    let out = PathBuf::from(matches.get_one::<String>("out").map_or("", String::as_str));
    let json = matches.get_flag("json");
    let mut progress = Progress::new(!json && std::io::stderr().is_terminal());
    let request = ExportRequest { site, from, to };
    let exported = perform(&data_folder(matches)?, &out, &request, &mut |events| progress.show(events));
    progress.clear();
    let exported = exported?;
    if json {
        say(&serde_json::to_string(&exported).map_err(|error| Failure::Failed(error.to_string()))?);
    } else {
        let Exported { exported, sessions, files, bytes, seconds, .. } = &exported;
        let out = out.display();
        say(&format!(
            "exported {exported} events of {sessions} sessions to {out}: {files} files, {bytes} bytes, {seconds:.1} s"
        ));
    }
    told(&exported).map_or(Ok(()), |what| Err(Failure::Failed(what)))
}

/// What is missing, and which files of an earlier export stay therefore.
fn told(exported: &Exported) -> Option<String> {
    let kept = exported.kept.join(", ");
    match &exported.incomplete {
        None if kept.is_empty() => None,
        None => Some(format!("of {kept} the files of an earlier export stay: data of then is damaged")),
        Some(why) if kept.is_empty() => {
            Some(format!("what is sound was written, the rest is missing: {why}"))
        }
        Some(why) => Some(format!(
            "what is sound was written, the rest is missing: {why}; of {kept} the files of an earlier export stay"
        )),
    }
}

/// Reads the folder when it is free, else asks the server that has it.
fn perform(
    folder: &Path,
    out: &Path,
    request: &ExportRequest,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, Failure> {
    let fs: SharedFs = Arc::new(OsFs);
    if !fs.exists(folder).map_err(failed)? {
        return Err(Failure::Failed(format!("there is no data folder {}", folder.display())));
    }
    let open = |host: &str| open_target(&fs, out, host);
    let progress = RefCell::new(progress);
    versions::refuse_newer(&*fs, folder).map_err(failed)?;
    let here = || match snapshot(&fs, folder) {
        Ok(Some(snapshot)) => {
            read(&fs, folder, &snapshot, request, &open, &mut **progress.borrow_mut()).map(Some)
        }
        Ok(None) | Err(StorageError::Locked { .. }) => Ok(None),
        Err(error) => Err(failed(error)),
    };
    here_or_there(folder, here, || {
        control::receive(folder, request.clone(), open, &mut **progress.borrow_mut())
    })
}

fn read(
    fs: &SharedFs,
    folder: &Path,
    snapshot: &Snapshot,
    request: &ExportRequest,
    open: &dyn Fn(&str) -> Result<Folder, ParquetError>,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, Failure> {
    let state = StateFile::open(Arc::clone(fs), folder).map_err(failed)?;
    let plan = Plan::of(&state.view().state, request).map_err(failed)?;
    let mut target = open(&plan.host).map_err(failed)?;
    let mut watch = |written: &hitstone_engine::parquet::Written| {
        progress(written.rows);
        Ok(())
    };
    let exported = plan.run(snapshot, &mut target, &mut watch).map_err(failed)?;
    exported.finish(target).map_err(failed)
}

/// What the folder holds, once what is damaged and can be made anew is; `None` when somebody else has the folder.
fn snapshot(fs: &SharedFs, folder: &Path) -> Result<Option<Snapshot>, StorageError> {
    let snapshot = Store::read(Arc::clone(fs), folder)?;
    if !Store::wants_mending(&snapshot) {
        return Ok(Some(snapshot));
    }
    let mended = compaction::open_store(fs, folder).and_then(|store| {
        store.mend()?;
        store.close()
    });
    match mended {
        Ok(()) => Store::read(Arc::clone(fs), folder).map(Some),
        Err(StorageError::Locked { .. }) => Ok(None),
        // The folder may be one that can only be read: what is sound is there all the same.
        Err(error) => {
            eprintln!("hitstone: what is damaged cannot be made anew: {error}");
            Ok(Some(snapshot))
        }
    }
}

/// The site's folder of an export, which must hold nothing else than sites.
fn open_target(fs: &SharedFs, out: &Path, host: &str) -> Result<Folder, ParquetError> {
    if fs.exists(out)? {
        let foreign = fs.list(out)?.into_iter().find(|name| !name.starts_with(SITE_PREFIX));
        if let Some(name) = foreign {
            return Err(ParquetError::Foreign { path: out.join(name) });
        }
    }
    fs.create_dir_all(out)?;
    Folder::open(Arc::clone(fs), &out.join(format!("{SITE_PREFIX}{host}")))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// One line on a terminal.
struct Progress {
    on: bool,
    begun: Instant,
    shown: Option<Instant>,
}

impl Progress {
    fn new(on: bool) -> Self {
        Self { on, begun: Instant::now(), shown: None }
    }

    fn show(&mut self, events: u64) {
        if self.on && self.shown.is_none_or(|shown| shown.elapsed() >= REDRAW) {
            self.shown = Some(Instant::now());
            eprint!("\rexporting: {events} events, {} s ", self.begun.elapsed().as_secs());
            let _ = std::io::stderr().flush();
        }
    }

    fn clear(&mut self) {
        if self.shown.take().is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
