//! A compaction by a running server, on demand: the server tells how far it is, line by line, until it is done.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use hitstone_engine::store::CompactionProgress;
use serde::{Deserialize, Serialize};

use super::{AskError, Call, connect, send_line};
use crate::app::App;
use crate::compaction::{CompactionDone, CompactionSign, in_words};

/// How long the command waits for the next sign: writing one large file takes a while.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Bytes of a message.
const MESSAGE_BYTES_MAX: u64 = 64 << 10;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Message {
    Sign(CompactionSign),
    Done(CompactionDone),
    Error(String),
}

/// The server's end. Blocks until all is done, also when the command has gone away.
pub(super) fn serve(app: &App, mut stream: UnixStream) {
    let begun = Instant::now();
    let mut send = |message: &Message| {
        let mut text = serde_json::to_string(message).unwrap_or_default();
        text.push('\n');
        // Should the line be broken, there is nobody left to tell.
        let _ = stream.write_all(text.as_bytes());
    };
    let mut progress = |so_far: CompactionProgress| send(&Message::Sign(so_far.into()));
    let message = match app.compact(&mut progress) {
        Ok(done) => Message::Done(CompactionDone::after(done, begun.elapsed().as_secs_f64())),
        Err(error) => Message::Error(in_words(&error)),
    };
    send(&message);
}

/// Asks the server that runs on `folder` to bring everything into the lake. Blocks until it has.
///
/// # Errors
/// See [`AskError`].
pub fn compact(folder: &Path, progress: &mut dyn FnMut(CompactionSign)) -> Result<CompactionDone, AskError> {
    let fault = |error: io::Error| AskError::Failed(format!("the running server did not answer: {error}"));
    let mut stream = connect(folder)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fault)?;
    send_line(&mut stream, &Call::Compact { compact: true })?;
    let mut input = BufReader::new(stream);
    loop {
        let mut line = String::new();
        (&mut input).take(MESSAGE_BYTES_MAX).read_line(&mut line).map_err(fault)?;
        match serde_json::from_str(&line) {
            Ok(Message::Sign(sign)) => progress(sign),
            Ok(Message::Done(done)) => return Ok(done),
            Ok(Message::Error(message)) => return Err(AskError::Failed(message)),
            Err(_) => return Err(AskError::Failed("the running server ended before it was done".into())),
        }
    }
}
