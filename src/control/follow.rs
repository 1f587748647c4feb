//! A log that is followed for a running server: the command reads the file and sends lines, the server reads what they
//! say, stores them, and answers when they are synced. So the server needs no right to read the log.
//!
//! After the server's `ready` the command asks and the server answers, one line of JSON each; a piece's lines follow
//! its line as raw bytes. The command waits for each answer. Should the conversation break, the command begins another
//! and asks how far the file has been taken: that is stored with the lines.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{AskError, Call, LINE_BYTES_MAX, connect, send_line};
use crate::app::App;
use crate::import::access_log::Format;
use crate::import::follow::feed::Feed;
use crate::import::follow::{Answer, FileMark, PIECE_BYTES_MAX, Piece, Sink, SinkError};

/// How long the command waits for an answer: that of a sync on a slow disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the server looks whether it is to stop while the command says nothing.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of a question's line: a file's beginning as numbers.
const QUESTION_BYTES_MAX: u64 = 16 << 10;

/// What is to be followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowRequest {
    /// The site's host name.
    pub site: String,
    /// How the lines are written.
    pub format: Format,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Question {
    Offset(FileMark),
    /// So many bytes of lines follow.
    Take {
        file: FileMark,
        from: u64,
        to: u64,
        too_long: bool,
        bytes: usize,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ready,
    Offset(u64),
    Answer(Answer),
    Wait(String),
    Error(String),
}

impl From<SinkError> for Reply {
    fn from(error: SinkError) -> Self {
        match error {
            SinkError::Wait(why) => Self::Wait(why),
            SinkError::Failed(why) => Self::Error(why),
        }
    }
}

/// The server's end. Blocks until the command goes away or the server is to stop.
pub(super) fn serve(app: Arc<App>, stream: UnixStream, request: FollowRequest, stop: watch::Receiver<bool>) {
    let mut feed = Feed::new(app, request.site, request.format);
    let mut line = Line { stream: BufReader::new(stream), stop };
    // Should the line be broken, there is nobody left to tell.
    let _ = converse(&mut feed, &mut line);
}

fn converse(feed: &mut Feed, line: &mut Line) -> io::Result<()> {
    line.stream.get_ref().set_read_timeout(Some(LOOK))?;
    line.stream.get_ref().set_write_timeout(Some(PATIENCE))?;
    line.send(&Reply::Ready)?;
    loop {
        let reply = match serde_json::from_slice(&line.question()?)? {
            Question::Offset(file) => feed.offset(&file).map(Reply::Offset),
            Question::Take { file, from, to, too_long, bytes } => {
                let lines = line.bytes(bytes)?;
                feed.take(&Piece { file, from, to, lines, too_long }).map(Reply::Answer)
            }
        };
        match reply {
            // The store closes: no failure, there will be another server.
            Err(_) if *line.stop.borrow() => return Ok(()),
            reply => line.send(&reply.unwrap_or_else(Reply::from))?,
        }
    }
}

/// The server's side of the socket.
struct Line {
    stream: BufReader<UnixStream>,
    stop: watch::Receiver<bool>,
}

impl Line {
    fn send(&mut self, reply: &Reply) -> io::Result<()> {
        let mut text = serde_json::to_string(reply)?;
        text.push('\n');
        self.stream.get_mut().write_all(text.as_bytes())
    }

    fn question(&mut self) -> io::Result<Vec<u8>> {
        let mut question = Vec::new();
        loop {
            let room = QUESTION_BYTES_MAX.saturating_sub(question.len() as u64);
            match (&mut self.stream).take(room).read_until(b'\n', &mut question) {
                Ok(_) if question.ends_with(b"\n") => return Ok(question),
                Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) => self.go_on(error)?,
            }
        }
    }

    fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        if count > PIECE_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut bytes = vec![0; count];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => read += count,
                Err(error) => self.go_on(error)?,
            }
        }
        Ok(bytes)
    }

    /// Nothing came for a while: that is fine as long as the server runs.
    fn go_on(&self, error: io::Error) -> io::Result<()> {
        let waited = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        let again = waited && !*self.stop.borrow() || error.kind() == io::ErrorKind::Interrupted;
        if again { Ok(()) } else { Err(error) }
    }
}

/// The command's end: a sink in the server that runs on a folder, over one conversation after another.
pub struct Remote {
    folder: PathBuf,
    request: FollowRequest,
    stream: Option<BufReader<UnixStream>>,
}

impl Remote {
    /// Begins a conversation with the server that runs on `folder`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub fn connect(folder: PathBuf, request: FollowRequest) -> Result<Self, AskError> {
        let mut remote = Self { folder, request, stream: None };
        remote.begin()?;
        Ok(remote)
    }

    fn begin(&mut self) -> Result<(), AskError> {
        let mut stream = connect(&self.folder)?;
        let fault =
            |error: io::Error| AskError::Failed(format!("cannot talk to the running server: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(fault)?;
        send_line(&mut stream, &Call::Follow { follow: self.request.clone() })?;
        let mut stream = BufReader::new(stream);
        match reply(&mut stream) {
            Ok(Reply::Ready) => {}
            Ok(Reply::Error(why)) => return Err(AskError::Failed(why)),
            Ok(_) => return Err(AskError::Failed("the running server speaks another language".into())),
            // It was ending when it was asked.
            Err(_) => return Err(AskError::NobodyThere),
        }
        self.stream = Some(stream);
        Ok(())
    }

    fn ask(&mut self, question: &Question, lines: &[u8]) -> Result<Reply, SinkError> {
        if self.stream.is_none() {
            self.begin().map_err(|error| match error {
                AskError::NobodyThere => SinkError::Wait("waiting for the server to come back".into()),
                AskError::Failed(why) => SinkError::Wait(why),
            })?;
        }
        let Some(stream) = &mut self.stream else { return Err(SinkError::Wait("not connected".into())) };
        let sent = send_line(stream.get_mut(), question).is_ok() && stream.get_mut().write_all(lines).is_ok();
        let answer = if sent { reply(stream).ok() } else { None };
        match answer {
            Some(Reply::Wait(why)) => Err(SinkError::Wait(why)),
            Some(Reply::Error(why)) => Err(SinkError::Failed(why)),
            Some(reply) => Ok(reply),
            None => {
                self.stream = None;
                Err(SinkError::Wait("the server went away; waiting for it to come back".into()))
            }
        }
    }
}

fn reply(stream: &mut BufReader<UnixStream>) -> io::Result<Reply> {
    let mut line = String::new();
    stream.take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

fn foreign<T>() -> Result<T, SinkError> {
    Err(SinkError::Failed("the running server speaks another language".into()))
}

impl Sink for Remote {
    fn offset(&mut self, file: &FileMark) -> Result<u64, SinkError> {
        match self.ask(&Question::Offset(file.clone()), &[])? {
            Reply::Offset(offset) => Ok(offset),
            _ => foreign(),
        }
    }

    fn take(&mut self, piece: &Piece) -> Result<Answer, SinkError> {
        let Piece { file, from, to, lines, too_long } = piece;
        let (file, bytes) = (file.clone(), lines.len());
        let question = Question::Take { file, from: *from, to: *to, too_long: *too_long, bytes };
        match self.ask(&question, lines)? {
            Reply::Answer(answer) => Ok(answer),
            _ => foreign(),
        }
    }
}
