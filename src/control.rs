//! Requests to a running server, over the socket `control.sock` in its data folder: one line of JSON each way, for an
//! export or an import the files themselves (`export`, `import`), for a log that is followed its lines (`follow`). Only the server's own user and root get through.
//!
//! A socket's path has room for 107 bytes. Where the folder's path is longer, the folder is opened and the socket is
//! named through its descriptor.

mod compact;
mod export;
mod follow;
mod import;

use std::fs::{File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::admin::{Request, Response};
use crate::app::App;
use crate::export::ExportRequest;
use crate::http::connection::stopped;
use crate::import::ImportRequest;

pub use compact::compact;
pub use export::receive;
pub use follow::{FollowRequest, Remote};
pub use import::{CHUNK_BYTES, RemoteImport};

const NAME: &str = "control.sock";
/// Room for a path in a socket's address on Linux, without the closing zero.
const PATH_BYTES_MAX: usize = 107;
/// Bytes of one request or answer.
const LINE_BYTES_MAX: u64 = 16 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Call {
    Export { export: ExportRequest },
    Compact { compact: bool },
    Follow { follow: FollowRequest },
    Import { import: ImportRequest },
    Admin(Box<Request>),
}

/// What the server answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(Response),
    Error(String),
}

/// A path for the socket that is short enough, and what keeps it alive.
struct SocketPath {
    path: PathBuf,
    _folder: Option<File>,
}

fn socket_path(folder: &Path) -> io::Result<SocketPath> {
    let path = folder.join(NAME);
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok(SocketPath { path, _folder: None });
    }
    let folder = File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
    Ok(SocketPath { path, _folder: Some(folder) })
}

/// The server's end.
pub struct Control {
    listener: UnixListener,
    folder: PathBuf,
    owner: u32,
}

impl Control {
    /// Makes the socket. The caller holds the folder's lock, so a socket that is there was left by a crash.
    ///
    /// # Errors
    /// The system refused, in words.
    pub fn bind(folder: &Path) -> Result<Self, String> {
        let fault = |error: io::Error| format!("cannot make {}: {error}", folder.join(NAME).display());
        let socket = socket_path(folder).map_err(fault)?;
        match std::fs::remove_file(&socket.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&socket.path).map_err(fault)?;
        std::fs::set_permissions(&socket.path, Permissions::from_mode(0o600)).map_err(fault)?;
        let owner = std::fs::metadata(&socket.path).map_err(fault)?.uid();
        Ok(Self { listener, folder: folder.to_path_buf(), owner })
    }

    /// Answers requests until `stop` turns true, then removes the socket.
    pub async fn serve(self, app: Arc<App>, mut stop: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stopped(&mut stop) => break,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let allowed = stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0);
            if allowed {
                tokio::spawn(converse(stream, Arc::clone(&app), stop.clone()));
            }
        }
        if let Ok(socket) = socket_path(&self.folder) {
            let _ = std::fs::remove_file(socket.path);
        }
    }
}

async fn converse(stream: UnixStream, app: Arc<App>, stop: watch::Receiver<bool>) {
    let mut line = String::new();
    let mut stream = tokio::io::BufReader::new(stream);
    let mut input = (&mut stream).take(LINE_BYTES_MAX);
    let Ok(Ok(1..)) = timeout(PATIENCE, input.read_line(&mut line)).await else { return };
    let stream = stream.into_inner();
    match serde_json::from_str::<Call>(&line) {
        Ok(Call::Export { export }) => {
            on_a_thread(stream, move |stream| export::serve(&app, stream, &export, stop));
        }
        Ok(Call::Follow { follow }) => {
            on_a_thread(stream, move |stream| follow::serve(app, stream, follow, stop));
        }
        Ok(Call::Compact { .. }) => {
            on_a_thread(stream, move |stream| compact::serve(&app, stream));
        }
        Ok(Call::Import { import }) => {
            on_a_thread(stream, move |stream| import::serve(&app, stream, &import, stop));
        }
        Ok(Call::Admin(request)) => drop(timeout(PATIENCE, answer(stream, app, *request)).await),
        Err(error) => {
            let reply = Reply::Error(format!("the server does not know this request: {error}"));
            drop(timeout(PATIENCE, send(stream, &reply)).await);
        }
    }
}

/// Leaves a conversation to a thread of its own.
fn on_a_thread(stream: UnixStream, serve: impl FnOnce(std::os::unix::net::UnixStream) + Send + 'static) {
    let Ok(stream) = stream.into_std() else { return };
    if stream.set_nonblocking(false).is_ok() {
        tokio::task::spawn_blocking(move || serve(stream));
    }
}

async fn answer(stream: UnixStream, app: Arc<App>, request: Request) {
    let work = tokio::task::spawn_blocking(move || match app.administer(request) {
        Ok(response) => Reply::Ok(response),
        Err(error) => Reply::Error(error.to_string()),
    });
    let reply = work.await.unwrap_or_else(|_| Reply::Error("the server failed on this request".into()));
    send(stream, &reply).await;
}

async fn send(mut stream: UnixStream, reply: &Reply) {
    let mut text = serde_json::to_string(reply).unwrap_or_default();
    text.push('\n');
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Why asking the server failed.
#[derive(Debug)]
pub enum AskError {
    /// Nobody listens: no server runs, or it is starting or ending.
    NobodyThere,
    /// The server said no, or the conversation broke.
    Failed(String),
}

fn connect(folder: &Path) -> Result<std::os::unix::net::UnixStream, AskError> {
    let unreachable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NobodyThere,
        _ => AskError::Failed(format!("cannot reach the running server: {error}")),
    };
    let socket = socket_path(folder).map_err(unreachable)?;
    std::os::unix::net::UnixStream::connect(&socket.path).map_err(unreachable)
}

fn send_line(stream: &mut impl Write, request: &impl Serialize) -> Result<(), AskError> {
    let mut text = serde_json::to_string(request).map_err(|error| AskError::Failed(error.to_string()))?;
    text.push('\n');
    stream
        .write_all(text.as_bytes())
        .map_err(|error| AskError::Failed(format!("the running server did not listen: {error}")))
}

/// Asks the server that runs on `folder`. Blocks.
///
/// # Errors
/// See [`AskError`].
pub fn ask(folder: &Path, request: &Request) -> Result<Response, AskError> {
    let fault = |error: io::Error| AskError::Failed(format!("the running server did not answer: {error}"));
    let mut stream = connect(folder)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
    send_line(&mut stream, request)?;
    let mut line = String::new();
    BufReader::new(stream).take(LINE_BYTES_MAX).read_line(&mut line).map_err(fault)?;
    match serde_json::from_str(&line) {
        Ok(Reply::Ok(response)) => Ok(response),
        Ok(Reply::Error(message)) => Err(AskError::Failed(message)),
        Err(_) => Err(AskError::Failed(
            "the running server ended before it answered; see whether it is in force".into(),
        )),
    }
}
