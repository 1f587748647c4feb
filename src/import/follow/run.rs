//! The loop: look at the file, hand on what there is, wait.

use std::path::Path;
use std::time::{Duration, Instant};

use super::tail::{Found, Tail};
use super::{Answer, FileMark, Piece, Sink, SinkError, Taken};

/// How soon a stop is noticed.
const LOOK_FOR_STOP: Duration = Duration::from_millis(20);

/// What the loop tells as it goes.
pub trait Watch {
    /// Whether to end.
    fn stopped(&self) -> bool;
    /// Reading of a file begins at this offset.
    fn begins(&mut self, offset: u64);
    /// Lines were taken.
    fn taken(&mut self, taken: &Taken);
    /// It does not go on at the moment, for this reason. Told again only when the reason changes.
    fn waits(&mut self, why: &str);
}

/// Follows `path` until it is stopped; what was taken is stored then. Looks every `pause` when there is nothing.
///
/// # Errors
/// Why the sink takes nothing any more, in words.
pub fn follow(
    path: &Path,
    sink: &mut dyn Sink,
    pause: Duration,
    watch: &mut dyn Watch,
) -> Result<(), String> {
    let mut tail = Tail::new(path);
    let mut said = String::new();
    while !watch.stopped() {
        sink.tend();
        let why = match tail.look() {
            Ok(Found::Nothing) => {
                if path.exists() {
                    None
                } else {
                    Some(format!("waiting for {} to appear", path.display()))
                }
            }
            Ok(found) => match hand_on(found, &mut tail, sink, watch) {
                Ok(()) => {
                    said.clear();
                    continue;
                }
                Err(SinkError::Wait(why)) => {
                    // What was under way may have been stored: the sink knows.
                    tail.ask_again();
                    Some(why)
                }
                Err(SinkError::Failed(why)) => return Err(why),
            },
            Err(error) => Some(format!("cannot read {}: {error}", path.display())),
        };
        match why {
            Some(why) if why != said => {
                watch.waits(&why);
                said = why;
            }
            _ => {}
        }
        wait(pause, watch);
    }
    Ok(())
}

fn hand_on(
    found: Found,
    tail: &mut Tail,
    sink: &mut dyn Sink,
    watch: &mut dyn Watch,
) -> Result<(), SinkError> {
    match found {
        Found::File(mark) => begin(&mark, tail, sink, watch),
        // One that nothing was ever taken of is not known to be of this log.
        Found::Earlier(mark) => {
            match sink.offset(&mark)? {
                0 => tail.skip(),
                offset => tail.go_to(offset),
            }
            Ok(())
        }
        Found::Piece(piece) => take(&piece, tail, sink, watch),
        Found::Nothing => Ok(()),
    }
}

fn begin(
    mark: &FileMark,
    tail: &mut Tail,
    sink: &mut dyn Sink,
    watch: &mut dyn Watch,
) -> Result<(), SinkError> {
    let offset = sink.offset(mark)?;
    tail.go_to(offset);
    watch.begins(offset);
    Ok(())
}

fn take(piece: &Piece, tail: &mut Tail, sink: &mut dyn Sink, watch: &mut dyn Watch) -> Result<(), SinkError> {
    match sink.take(piece)? {
        Answer::Taken(taken) => {
            tail.go_to(piece.to);
            watch.taken(&taken);
        }
        Answer::Elsewhere(offset) => tail.go_to(offset),
    }
    Ok(())
}

fn wait(pause: Duration, watch: &dyn Watch) {
    let end = Instant::now() + pause;
    while !watch.stopped() && Instant::now() < end {
        std::thread::sleep(LOOK_FOR_STOP.min(pause));
    }
}
