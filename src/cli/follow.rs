//! `import --follow`: an access log, line by line as it is written, into the server that runs on the folder, else into
//! the folder itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgMatches, Command};
use hitstone_engine::error::StorageError;
use hitstone_engine::vfs::{OsFs, SharedFs};
use tokio::sync::watch;

use crate::app::App;
use crate::cli::reach::here_or_there;
use crate::cli::{Failure, folder_settings, say, serve};
use crate::config::Settings;
use crate::control::{FollowRequest, Remote};
use crate::import::access_log::{ASSETS, Format, LOG_FORMAT};
use crate::import::follow::feed::Feed;
use crate::import::follow::run::{Watch, follow as run};
use crate::import::follow::{Sink, Taken};

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(1);

/// Adds the flag, and what there is to know of access logs, to a command.
pub(super) fn with_flag(command: Command) -> Command {
    let help = format!(
        "Access logs: combined is that of Apache and nginx (common, too), vhost is Apache's vhost_combined, caddy is \
         Caddy's JSON. Page views are GETs answered 2xx, 304 or 404, without these extensions: {}.\n\nFor nginx, \
         nginx.conf needs\n{LOG_FORMAT}",
        ASSETS.join(" ")
    );
    command.after_help(help).arg(Arg::new("follow").long("follow").action(ArgAction::SetTrue).help(
        "Keeps reading the access log FILE as it grows, over rotations and restarts; each line is stored once. Ends on \
         SIGINT or SIGTERM.",
    ))
}

/// `hitstone import --follow FILE`: until a signal comes.
pub(super) fn follow(matches: &ArgMatches, site: &str, format: Format, path: &Path) -> Result<(), Failure> {
    let settings = folder_settings(matches)?;
    let request = FollowRequest { site: site.to_owned(), format };
    let json = matches.get_flag("json");
    let path = path.to_path_buf();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let stop = serve::watch_signals()?;
        let task = tokio::task::spawn_blocking(move || perform(settings, request, &path, json, stop));
        task.await.map_err(|_| Failure::Failed("the program failed; please report it".into()))?
    })
}

fn perform(
    settings: Settings,
    request: FollowRequest,
    path: &Path,
    json: bool,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let folder = settings.data.clone();
    let mut told = Told::new(stop);
    let mut end = open(settings, &request)?;
    let sink: &mut dyn Sink = match &mut end {
        End::Here(_, feed) => feed,
        End::There(remote) => remote,
    };
    let followed = run(path, sink, PAUSE, &mut told).map_err(Failure::Failed);
    if let End::Here(app, feed) = end {
        drop(feed);
        app.close().map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?;
    }
    followed?;
    say(&told.summary(json));
    Ok(())
}

/// Where the lines go.
enum End {
    Here(Arc<App>, Feed),
    There(Remote),
}

/// Opens the folder when it is free, else turns to the server that has it. What was begun with a server waits for a
/// server when that one ends: it does not take the folder from the next one.
fn open(settings: Settings, request: &FollowRequest) -> Result<End, Failure> {
    let folder = settings.data.clone();
    let fs: SharedFs = Arc::new(OsFs);
    let failed = |error: StorageError| Failure::Failed(error.to_string());
    if !fs.exists(&folder).map_err(failed)? {
        return Err(Failure::Failed(format!("there is no data folder {}", folder.display())));
    }
    let here = || {
        match fs.lock(&folder) {
            Ok(lock) => drop(lock),
            Err(StorageError::Locked { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        let clock = serve::clock(&settings);
        let app = App::open(Arc::clone(&fs), settings.clone(), clock).map_err(Failure::Failed)?;
        let app = Arc::new(app);
        let feed = Feed::new(Arc::clone(&app), request.site.clone(), request.format);
        Ok(Some(End::Here(app, feed)))
    };
    here_or_there(&folder, here, || Remote::connect(folder.clone(), request.clone()).map(End::There))
}

/// Tells on standard error how it goes, and counts.
struct Told {
    stop: watch::Receiver<bool>,
    begun: Instant,
    stored: u64,
    sessions: u64,
    rejected: u64,
    ignored: BTreeMap<String, u64>,
}

impl Told {
    fn new(stop: watch::Receiver<bool>) -> Self {
        let begun = Instant::now();
        Self { stop, begun, stored: 0, sessions: 0, rejected: 0, ignored: BTreeMap::new() }
    }

    fn summary(&self, json: bool) -> String {
        let Self { stored, sessions, rejected, ignored, .. } = self;
        let seconds = self.begun.elapsed().as_secs_f64();
        if json {
            return serde_json::json!({
                "imported": stored, "rejected": rejected, "sessions": sessions, "seconds": seconds, "ignored": ignored,
            })
            .to_string();
        }
        let ignored = ignored_in_words(ignored);
        format!("imported {stored} page views in {sessions} sessions, {ignored}, rejected {rejected}")
    }
}

/// How many lines of an access log are none to count, and why.
pub(super) fn ignored_in_words(ignored: &BTreeMap<String, u64>) -> String {
    let reasons: Vec<String> = ignored.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("ignored {} lines{reasons}", ignored.values().sum::<u64>())
}

impl Watch for Told {
    fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn begins(&mut self, file: &Path, offset: u64) {
        eprintln!("hitstone: following {} from byte {offset}", file.display());
    }

    fn passed_over(&mut self, files: &[&Path], why: &str) {
        let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        eprintln!("hitstone: passed over {}: {why}", files.join(", "));
    }

    fn taken(&mut self, taken: &Taken) {
        self.stored += taken.stored;
        self.sessions += taken.sessions;
        self.rejected += taken.rejected.len() as u64;
        for (reason, count) in &taken.ignored {
            *self.ignored.entry(reason.clone()).or_default() += count;
        }
        for (at, why) in &taken.rejected {
            eprintln!("hitstone: rejected the line at byte {at}: {why}");
        }
    }

    fn waits(&mut self, why: &str) {
        eprintln!("hitstone: {why}");
    }
}
