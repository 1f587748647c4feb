//! `serve` and `demo`: open the folder, listen, serve until a signal, close.

use std::panic::PanicHookInfo;
use std::sync::Arc;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hitstone_engine::vfs::OsFs;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::app::App;
use crate::cli::{Failure, say};
use crate::clock::Clock;
use crate::config::Settings;
use crate::control::Control;
use crate::{demo, milestones, server};

/// How often the server looks after what is due.
const TIDY: Duration = Duration::from_secs(10);
/// How often the server looks whether goals are reached.
const MILESTONES: Duration = Duration::from_secs(60);

/// `hitstone serve`
pub fn serve(settings: Settings) -> Result<(), Failure> {
    start(settings, false)
}

/// `hitstone demo`
pub fn demo(settings: Settings) -> Result<(), Failure> {
    start(settings, true)
}

fn start(settings: Settings, is_demo: bool) -> Result<(), Failure> {
    std::panic::set_hook(Box::new(say_panic));
    check_files(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start threads: {error}")))?;
    runtime.block_on(run(settings, is_demo))
}

async fn run(settings: Settings, is_demo: bool) -> Result<(), Failure> {
    // First of all, so that a signal during the start ends the server in order.
    let stop = watch_signals()?;
    let listen = settings.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| Failure::Failed(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    let clock = clock(&settings);
    let folder = settings.data.clone();
    let opening = tokio::task::spawn_blocking(move || App::open(Arc::new(OsFs), settings, clock));
    let app = opening.await.map_err(|_| Failure::Failed("the data folder could not be opened".into()))?;
    let app = Arc::new(app.map_err(Failure::Failed)?);
    let served = serve_app(&app, listener, address, &folder, is_demo, stop).await;
    let closing = tokio::task::spawn_blocking(move || app.close());
    let closed = closing.await.map_err(|_| Failure::Failed("the store could not be closed".into()))?;
    served.and(closed.map_err(Failure::Failed))
}

async fn serve_app(
    app: &Arc<App>,
    listener: TcpListener,
    address: std::net::SocketAddr,
    folder: &std::path::Path,
    is_demo: bool,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let control = Control::bind(folder).map_err(Failure::Failed)?;
    let administration = tokio::spawn(control.serve(Arc::clone(app), stop.clone()));
    // Each by itself: a statistic takes as long as it takes, and salts end in time.
    let tidying = tokio::spawn(tidy(Arc::clone(app)));
    let looking = tokio::spawn(look_for_milestones(Arc::clone(app)));
    let shown = if is_demo { demo::prepare(app).await.map_err(Failure::Failed)? } else { None };
    say(&format!("listening on http://{address}"));
    if let Some(shown) = shown {
        shown.lines(address).iter().for_each(|line| say(line));
    }
    let served = server::run(listener, Arc::clone(app), stop).await;
    tidying.abort();
    looking.abort();
    if served.is_err() {
        administration.abort();
    }
    let _ = administration.await;
    served.map_err(|error| Failure::Failed(format!("cannot start threads: {error}")))
}

/// Turns true on SIGTERM or SIGINT.
pub(super) fn watch_signals() -> Result<watch::Receiver<bool>, Failure> {
    let fault = |error: std::io::Error| Failure::Failed(format!("cannot watch for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = sender.send(true);
        // The receivers take a closed channel for a stop as well, so the sender may go.
    });
    Ok(stop)
}

async fn tidy(app: Arc<App>) {
    loop {
        tokio::time::sleep(TIDY).await;
        let tidied = Arc::clone(&app);
        let _ = tokio::task::spawn_blocking(move || tidied.tidy()).await;
    }
}

async fn look_for_milestones(app: Arc<App>) {
    let mut pause = MILESTONES;
    let mut looked_at = None;
    loop {
        tokio::time::sleep(pause).await;
        let what_there_is = (app.counters.rows.load(Ordering::Relaxed), app.state.changes());
        if looked_at == Some(what_there_is) {
            continue;
        }
        let start = Instant::now();
        milestones::look(&app).await;
        looked_at = Some(what_there_is);
        // Goals over much data are looked at less often, so that this never takes more than a twentieth of a thread.
        pause = MILESTONES.max(start.elapsed() * 20);
    }
}

/// What tells the time.
#[cfg(feature = "test-clock")]
pub(super) fn clock(settings: &Settings) -> Clock {
    settings.clock_file.clone().map_or_else(Clock::system, Clock::from_file)
}

/// What tells the time.
#[cfg(not(feature = "test-clock"))]
pub(super) fn clock(_: &Settings) -> Clock {
    Clock::system()
}

/// Files that settings name must be readable: a wrong name is a bad setting, not a failed start.
fn check_files(settings: &Settings) -> Result<(), Failure> {
    let files = [
        ("geo-db", &settings.geo_db),
        ("spam-list", &settings.spam_list),
        ("clock-file", &settings.clock_file),
    ];
    for (name, file) in files {
        let Some(file) = file else { continue };
        if let Err(error) = std::fs::File::open(file) {
            return Err(Failure::Settings(format!("{name}: cannot read {}: {error}", file.display())));
        }
    }
    Ok(())
}

/// Tells where a panic happened. Its message is not written: it may quote what a client sent.
fn say_panic(info: &PanicHookInfo<'_>) {
    match info.location() {
        Some(place) => eprintln!("hitstone: a fault in the program at {place}; please report it"),
        None => eprintln!("hitstone: a fault in the program; please report it"),
    }
}
