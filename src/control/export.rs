//! An export from a running server: the server reads and encodes, the command that asked writes the files.
//!
//! So the files are made with the rights and in the name of whoever asked, wherever that one can write, also when the
//! server may not; and the server writes nowhere but into its data folder. The server sends lines of JSON, each one
//! [`Message`]; after the one with a count of bytes come so many raw bytes. An export is whole when the last message
//! says so, a file when its end is told: should either side go away, nothing half takes a file's name.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hitstone_engine::error::{ParquetError, StorageError};
use hitstone_engine::parquet::{Folder, Month, Target, Written};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{AskError, Call, connect, send_line};
use crate::app::App;
use crate::export::{ExportRequest, Exported, Plan};

/// How long a side waits for the other: a large file may take its time to reach a slow disk.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the server looks whether it is to stop while the command takes nothing.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of a message.
const MESSAGE_BYTES_MAX: u64 = 64 << 10;
/// Bytes handed on at once.
const CHUNK_BYTES: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Message {
    /// The site's host name; the first message.
    Site(String),
    /// The file of a month begins.
    Begin(String),
    /// So many bytes of it follow.
    Bytes(u64),
    /// The file is whole.
    End,
    /// So many events have been sent.
    Progress(u64),
    /// All is written.
    Done(Exported),
    Error(String),
}

/// The server's end. Blocks until all is sent.
pub(super) fn serve(app: &App, stream: UnixStream, request: &ExportRequest, stop: watch::Receiver<bool>) {
    let mut line = Line { stream, stop, events: Rc::default() };
    // Should the line be broken, there is nobody left to tell.
    let _ = match export(app, request, &mut line) {
        Ok(exported) => line.send(&Message::Done(exported)),
        Err(message) => line.send(&Message::Error(message)),
    };
}

fn export(app: &App, request: &ExportRequest, line: &mut Line) -> Result<Exported, String> {
    let snapshot = app.snapshot().ok_or("the store is closed")?;
    let plan = Plan::of(&app.state.view().state, request).map_err(|error| error.to_string())?;
    line.send(&Message::Site(plan.host.clone())).map_err(|error| error.to_string())?;
    let (stop, events) = (line.stop.clone(), Rc::clone(&line.events));
    let mut watch = |written: &Written| {
        events.set(written.rows);
        if *stop.borrow() { Err("the server is stopping") } else { Ok(()) }
    };
    plan.run(&snapshot, line, &mut watch).map_err(|error| error.to_string())
}

/// The server's side of the socket.
struct Line {
    stream: UnixStream,
    stop: watch::Receiver<bool>,
    /// Events written so far.
    events: Rc<Cell<u64>>,
}

impl Line {
    fn send(&mut self, message: &Message) -> io::Result<()> {
        let mut text = serde_json::to_string(message)?;
        text.push('\n');
        self.write(text.as_bytes())
    }

    /// Writes all, unless the server is to stop or the other side takes nothing for long.
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.stream.set_write_timeout(Some(LOOK))?;
        let mut moved = Instant::now();
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = bytes.get(count..).unwrap_or_default();
                    moved = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    if *self.stop.borrow() || moved.elapsed() > PATIENCE {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn broken(error: io::Error) -> StorageError {
    StorageError::io("send the export over", Path::new(super::NAME), &error)
}

impl Target for Line {
    fn begin(&mut self, month: Month) -> Result<(), StorageError> {
        self.send(&Message::Begin(month.to_string())).map_err(broken)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.send(&Message::Progress(self.events.get()))
            .and_then(|()| self.send(&Message::Bytes(bytes.len() as u64)))
            .and_then(|()| self.write(bytes))
            .map_err(broken)
    }

    fn end(&mut self) -> Result<(), StorageError> {
        self.send(&Message::End).map_err(broken)
    }
}

/// Asks the server that runs on `folder` for an export and writes it to the folder that `open` makes for the site's
/// host name. `progress` is told now and then how many events were written. Blocks.
///
/// # Errors
/// See [`AskError`].
pub fn receive(
    folder: &Path,
    request: ExportRequest,
    open: impl FnOnce(&str) -> Result<Folder, ParquetError>,
    progress: &mut dyn FnMut(u64),
) -> Result<Exported, AskError> {
    let mut stream = connect(folder)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(lost)?;
    send_line(&mut stream, &Call::Export { export: request })?;
    let mut input = BufReader::with_capacity(CHUNK_BYTES, stream);
    let mut target = match next(&mut input)? {
        Message::Site(host) => open(&host).map_err(failed)?,
        Message::Error(message) => return Err(AskError::Failed(message)),
        _ => return Err(AskError::Failed("the running server speaks another language".into())),
    };
    loop {
        match next(&mut input)? {
            Message::Begin(month) => {
                let month = Month::parse(&month).ok_or_else(|| failed("a month has no such name"))?;
                target.begin(month).map_err(failed)?;
            }
            Message::Bytes(count) => copy(&mut input, count, &mut target)?,
            Message::End => target.end().map_err(failed)?,
            Message::Progress(events) => progress(events),
            Message::Error(message) => return Err(AskError::Failed(message)),
            Message::Done(exported) => {
                return exported.finish(target).map_err(failed);
            }
            Message::Site(_) => return Err(failed("the running server speaks another language")),
        }
    }
}

fn next(input: &mut impl BufRead) -> Result<Message, AskError> {
    let mut line = String::new();
    input.take(MESSAGE_BYTES_MAX).read_line(&mut line).map_err(lost)?;
    serde_json::from_str(&line).map_err(|_| {
        failed("the running server ended before the export did; the files that are there are whole")
    })
}

fn copy(input: &mut impl BufRead, mut count: u64, target: &mut Folder) -> Result<(), AskError> {
    let mut buffer = vec![0; CHUNK_BYTES];
    while count > 0 {
        let wanted = usize::try_from(count).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let chunk = buffer.get_mut(..wanted).unwrap_or_default();
        input.read_exact(chunk).map_err(lost)?;
        target.append(chunk).map_err(failed)?;
        count -= chunk.len() as u64;
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> AskError {
    AskError::Failed(error.to_string())
}

fn lost(error: io::Error) -> AskError {
    AskError::Failed(format!("the running server did not go on: {error}"))
}
