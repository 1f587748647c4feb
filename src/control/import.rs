//! An import into a running server: the command sends the files' bytes, the server takes them.
//!
//! So the files may lie where only whoever imports can read them. Question and answer in turn, each a line of JSON, a
//! [`Question`] and an [`Answer`]; after `bytes` so many raw bytes come. Only after `end` does the server answer more than
//! once: how far it is, until it is done. Should either side go away, nothing is stored of the file under way.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{AskError, Call, connect, send_line};
use crate::app::App;
use crate::auth::{from_hex, to_hex};
use crate::import::{FileDone, FileFault, Format, ImportRequest, Progress, Session};

/// How long a side waits for the other: a large file is read, or comes over a pipe from far away.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the server looks whether it is to stop while the command sends nothing.
const LOOK: Duration = Duration::from_millis(200);
/// How often the server says how far it is.
const TELL: Duration = Duration::from_millis(200);
/// Bytes of a message: refused lines are told one by one, with what is wrong.
const MESSAGE_BYTES_MAX: u64 = 16 << 20;
/// Bytes that are sent at once.
pub const CHUNK_BYTES: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Question {
    /// A file begins; the hash of its content, when it is known.
    File { format: Format, hash: Option<String> },
    /// So many bytes of it follow, [`CHUNK_BYTES`] at most.
    Bytes(usize),
    /// It is whole.
    End,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// Go on.
    Go,
    Progress(Progress),
    Done(FileDone),
    Fault(FileFault),
    Error(String),
}

/// The server's end. Blocks until the command ends.
pub(super) fn serve(app: &App, stream: UnixStream, request: &ImportRequest, stop: watch::Receiver<bool>) {
    let Ok(input) = stream.try_clone() else { return };
    if input.set_read_timeout(Some(LOOK)).is_err() {
        return;
    }
    let mut line = Server { input: BufReader::new(Patient { input, stop: stop.clone() }), stream, stop };
    let Some(store) = app.open_store() else {
        return line.answer(&Answer::Error("the store is closed".into()));
    };
    match Session::begin(app, &store, request) {
        Ok(session) => {
            line.answer(&Answer::Go);
            line.converse(session);
        }
        Err(message) => line.answer(&Answer::Error(message)),
    }
}

/// Reads on until the server is to stop, or nothing comes for long.
struct Patient {
    input: UnixStream,
    stop: watch::Receiver<bool>,
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        let begun = Instant::now();
        loop {
            match self.input.read(buffer) {
                Err(error) if matches!(error.kind(), WouldBlock | TimedOut | Interrupted) => {
                    if *self.stop.borrow() || begun.elapsed() > PATIENCE {
                        return Err(TimedOut.into());
                    }
                }
                other => return other,
            }
        }
    }
}

struct Server {
    input: BufReader<Patient>,
    stream: UnixStream,
    stop: watch::Receiver<bool>,
}

impl Server {
    fn answer(&mut self, answer: &Answer) {
        let mut text = serde_json::to_string(answer).unwrap_or_default();
        text.push('\n');
        // Should the line be broken, reading ends, too.
        let _ = self.stream.write_all(text.as_bytes());
    }

    fn question(&mut self) -> Option<Question> {
        let mut line = String::new();
        (&mut self.input).take(MESSAGE_BYTES_MAX).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    fn converse(&mut self, mut session: Session<'_>) {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Some(question) = self.question() {
            let answer = match question {
                Question::File { format, hash } => {
                    let hash = hash.as_deref().and_then(from_hex::<32>);
                    session.begin_file(format, hash).map(|()| Answer::Go)
                }
                Question::Bytes(count) => {
                    let Some(bytes) = chunk.get_mut(..count) else { return };
                    if self.input.read_exact(bytes).is_err() {
                        return;
                    }
                    session.feed(bytes).map(Answer::Progress)
                }
                Question::End => self.end(&mut session).map(Answer::Done),
            };
            self.answer(&answer.unwrap_or_else(Answer::Fault));
        }
    }

    fn end(&mut self, session: &mut Session<'_>) -> Result<FileDone, FileFault> {
        let mut told: Option<Instant> = None;
        let mut waiting = Progress::default();
        let done = session.end_file(&mut |mut progress| {
            if *self.stop.borrow() {
                return Err("the server is stopping".into());
            }
            waiting.seen = progress.seen;
            waiting.rejected.append(&mut progress.rejected);
            if told.is_none_or(|told| told.elapsed() >= TELL) {
                told = Some(Instant::now());
                self.answer(&Answer::Progress(std::mem::take(&mut waiting)));
            }
            Ok(())
        })?;
        self.answer(&Answer::Progress(waiting));
        Ok(done)
    }
}

/// The command's end.
pub struct RemoteImport {
    input: BufReader<UnixStream>,
    stream: UnixStream,
}

impl RemoteImport {
    /// Asks the server that runs on `folder` to take files. Blocks, as all of this.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn begin(folder: &Path, request: &ImportRequest) -> Result<Self, AskError> {
        let stream = connect(folder)?;
        let fault = |error: std::io::Error| AskError::Failed(error.to_string());
        stream.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
        let input = BufReader::new(stream.try_clone().map_err(fault)?);
        let mut remote = Self { input, stream };
        send_line(&mut remote.stream, &Call::Import { import: request.clone() })?;
        match remote.answer() {
            Ok(Answer::Go) => Ok(remote),
            Ok(Answer::Error(message)) => Err(AskError::Failed(message)),
            Ok(_) => Err(AskError::Failed("the running server speaks another language".into())),
            Err(fault) => Err(AskError::Failed(fault.to_string())),
        }
    }

    fn ask(&mut self, question: &Question) -> Result<(), FileFault> {
        send_line(&mut self.stream, question).map_err(|error| match error {
            AskError::Failed(message) => FileFault::Failed(message),
            AskError::NobodyThere => FileFault::Failed("the running server is gone".into()),
        })
    }

    fn answer(&mut self) -> Result<Answer, FileFault> {
        let lost = |_| FileFault::Failed("the running server ended before the import did".into());
        let mut line = String::new();
        (&mut self.input)
            .take(MESSAGE_BYTES_MAX)
            .read_line(&mut line)
            .map_err(|error| lost(error.to_string()))?;
        match serde_json::from_str(&line).map_err(|error| lost(error.to_string()))? {
            Answer::Fault(fault) => Err(fault),
            Answer::Error(message) => Err(FileFault::Failed(message)),
            answer => Ok(answer),
        }
    }

    /// As [`Session::begin_file`].
    ///
    /// # Errors
    /// As there.
    pub fn begin_file(&mut self, format: Format, hash: Option<[u8; 32]>) -> Result<(), FileFault> {
        self.ask(&Question::File { format, hash: hash.map(|hash| to_hex(&hash)) })?;
        self.answer().map(drop)
    }

    /// As [`Session::feed`]; [`CHUNK_BYTES`] at most.
    ///
    /// # Errors
    /// As there.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Progress, FileFault> {
        self.ask(&Question::Bytes(bytes.len()))?;
        let broken =
            |error: std::io::Error| FileFault::Failed(format!("the running server did not listen: {error}"));
        self.stream.write_all(bytes).map_err(broken)?;
        match self.answer()? {
            Answer::Progress(progress) => Ok(progress),
            _ => Err(FileFault::Failed("the running server speaks another language".into())),
        }
    }

    /// As [`Session::end_file`].
    ///
    /// # Errors
    /// As there.
    pub fn end_file(
        &mut self,
        watch: &mut dyn FnMut(Progress) -> Result<(), String>,
    ) -> Result<FileDone, FileFault> {
        self.ask(&Question::End)?;
        loop {
            match self.answer()? {
                Answer::Progress(progress) => watch(progress).map_err(FileFault::Failed)?,
                Answer::Done(done) => return Ok(done),
                _ => return Err(FileFault::Failed("the running server speaks another language".into())),
            }
        }
    }
}
