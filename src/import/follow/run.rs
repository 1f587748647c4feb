//! The loop: look at the file, hand on what there is, wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::tail::{Found, Rotation, Tail};
use super::{Answer, FileMark, Piece, Sink, SinkError, Taken};

/// How soon a stop is noticed.
const LOOK_FOR_STOP: Duration = Duration::from_millis(20);

/// What the loop tells as it goes.
pub trait Watch {
    /// Whether to end.
    fn stopped(&self) -> bool;
    /// Reading of a file begins at this offset.
    fn begins(&mut self, file: &Path, offset: u64);
    /// Nothing is taken of files beside the log, the oldest first, for this reason.
    fn passed_over(&mut self, files: &[&Path], why: &str);
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
        Found::Rotated(rotation) => take_up(&rotation, tail, sink, watch),
        Found::Piece(piece) => take(&piece, tail, sink, watch),
        Found::Nothing => Ok(()),
    }
}

/// Of the files that the log was before, all is taken that came after what has been taken: the rest of those that are
/// known, and what is newer than these from its beginning. Where nothing is known of the log it is followed from now on.
fn take_up(
    rotation: &Rotation,
    tail: &mut Tail,
    sink: &mut dyn Sink,
    watch: &mut dyn Watch,
) -> Result<(), SinkError> {
    let mut known = Vec::with_capacity(rotation.files.len());
    for file in &rotation.files {
        let mut found = None;
        for mark in file.marks.iter().flatten() {
            if found.is_none() && sink.offset(mark)? > 0 {
                found = Some(mark.clone());
            }
        }
        known.push(found);
    }
    let is_log_known = rotation.log.as_ref().map_or(Ok(0), |log| sink.offset(log))? > 0;
    // Those before this place are older than something that has been taken.
    let place = known.iter().rposition(Option::is_some).map_or(0, |at| at + 1);
    let place = if is_log_known { known.len() } else { place };
    let is_new = place == 0 && !rotation.goes_on;
    let mut files = Vec::new();
    let mut passed: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
    for (at, (file, known)) in rotation.files.iter().zip(known).enumerate() {
        let why = match (known, &file.marks) {
            (Some(mark), _) => {
                files.push((at, mark));
                continue;
            }
            (None, _) if at < place => "older than what has been taken",
            (None, _) if is_new => {
                "nothing has been taken of this log before; what is in them can be imported as files"
            }
            (None, Ok(marks)) => {
                files.extend(marks.first().map(|mark| (at, mark.clone())));
                continue;
            }
            (None, Err(why)) => why,
        };
        passed.entry(why).or_default().push(&file.path);
    }
    passed.iter().for_each(|(why, files)| watch.passed_over(files, why));
    tail.take_up(&files);
    Ok(())
}

fn begin(
    mark: &FileMark,
    tail: &mut Tail,
    sink: &mut dyn Sink,
    watch: &mut dyn Watch,
) -> Result<(), SinkError> {
    let offset = sink.offset(mark)?;
    tail.go_to(offset);
    watch.begins(tail.current_path(), offset);
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
