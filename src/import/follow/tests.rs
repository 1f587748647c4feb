//! Following files on a disk, with a sink that remembers as the store does, and what goes wrong with both.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::run::{Watch, follow};
use super::tail::{Found, Tail};
use super::*;

/// Lines in order, and how far each file was taken.
#[derive(Default)]
struct Memory {
    lines: Vec<String>,
    offsets: HashMap<(u64, Vec<u8>), u64>,
    too_long: usize,
    /// Stores the next piece and says that it did not.
    lose_answer: bool,
}

impl Sink for Memory {
    fn offset(&mut self, file: &FileMark) -> Result<u64, SinkError> {
        Ok(self.offsets.get(&(file.inode, file.head.clone())).copied().unwrap_or(0))
    }

    fn take(&mut self, piece: &Piece) -> Result<Answer, SinkError> {
        let remembered = self.offset(&piece.file)?;
        if remembered != piece.from {
            return Ok(Answer::Elsewhere(remembered));
        }
        let text = String::from_utf8(piece.lines.clone()).unwrap();
        self.lines.extend(text.lines().map(str::to_owned));
        self.too_long += usize::from(piece.too_long);
        self.offsets.insert((piece.file.inode, piece.file.head.clone()), piece.to);
        if std::mem::take(&mut self.lose_answer) {
            return Err(SinkError::Wait("the line broke".into()));
        }
        Ok(Answer::Taken(Taken::default()))
    }
}

/// Does the next step whenever there is nothing to take, and stops after the last one.
struct Script {
    steps: Vec<Box<dyn FnMut()>>,
    looks_between: u32,
    quiet: u32,
    said: Rc<RefCell<Vec<String>>>,
}

impl Script {
    fn new(steps: Vec<Box<dyn FnMut()>>) -> Self {
        Self { steps: steps.into_iter().rev().collect(), looks_between: 6, quiet: 0, said: Rc::default() }
    }
}

/// A sink in front of another one that runs the script while it is tended.
struct Scripted<'a> {
    sink: &'a mut Memory,
    script: &'a RefCell<Script>,
}

impl Sink for Scripted<'_> {
    fn offset(&mut self, file: &FileMark) -> Result<u64, SinkError> {
        self.sink.offset(file)
    }

    fn take(&mut self, piece: &Piece) -> Result<Answer, SinkError> {
        self.script.borrow_mut().quiet = 0;
        self.sink.take(piece)
    }

    fn tend(&mut self) {
        let mut script = self.script.borrow_mut();
        script.quiet += 1;
        if script.quiet > script.looks_between {
            script.quiet = 0;
            if let Some(mut step) = script.steps.pop() {
                step();
            } else {
                script.looks_between = 0;
            }
        }
    }
}

struct UntilDone<'a>(&'a RefCell<Script>);

impl Watch for UntilDone<'_> {
    fn stopped(&self) -> bool {
        self.0.try_borrow().is_ok_and(|script| script.looks_between == 0)
    }
    fn begins(&mut self, _: &Path, _: u64) {}
    fn passed_over(&mut self, files: &[&Path], why: &str) {
        let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        self.0.borrow().said.borrow_mut().push(format!("{}: {why}", names.join(" ")));
    }
    fn taken(&mut self, _: &Taken) {}
    fn waits(&mut self, why: &str) {
        self.0.borrow().said.borrow_mut().push(why.to_owned());
    }
}

/// Follows `path` while the steps are done, one after another; gives what the follower said.
fn run(path: &Path, memory: &mut Memory, steps: Vec<Box<dyn FnMut()>>) -> Vec<String> {
    let script = RefCell::new(Script::new(steps));
    let said = Rc::clone(&script.borrow().said);
    let mut sink = Scripted { sink: memory, script: &script };
    follow(path, &mut sink, Duration::from_millis(1), &mut UntilDone(&script)).unwrap();
    said.take()
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A step that appends.
fn adds(path: &Path, text: &str) -> Box<dyn FnMut()> {
    let (path, text) = (path.to_path_buf(), text.to_owned());
    Box::new(move || append(&path, &text))
}

struct Log {
    _folder: tempfile::TempDir,
    path: PathBuf,
    rotated: PathBuf,
}

fn log() -> Log {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
    Log { _folder: folder, path, rotated }
}

#[test]
fn lines_as_they_come_and_after_a_restart_the_rest() {
    let Log { path, _folder, .. } = log();
    let mut memory = Memory::default();
    append(&path, "one\ntwo\nthr");
    let steps = vec![adds(&path, "ee\n"), adds(&path, "four\nfi")];
    run(&path, &mut memory, steps);
    assert_eq!(memory.lines, ["one", "two", "three", "four"]);
    append(&path, "ve\nsix\n");
    run(&path, &mut memory, vec![]);
    run(&path, &mut memory, vec![]);
    assert_eq!(memory.lines, ["one", "two", "three", "four", "five", "six"]);
}

#[test]
fn a_file_that_is_not_there_yet_goes_away_and_comes_back() {
    let Log { path, _folder, .. } = log();
    let mut memory = Memory::default();
    let (gone, back) = (path.clone(), path.clone());
    let said = run(
        &path,
        &mut memory,
        vec![
            adds(&path, "one\n"),
            Box::new(move || fs::remove_file(&gone).unwrap()),
            Box::new(move || append(&back, "two\n")),
        ],
    );
    assert_eq!(memory.lines, ["one", "two"]);
    assert!(said[0].contains("to appear"), "{said:?}");
}

#[test]
fn a_renamed_file_is_finished_before_the_new_one() {
    let Log { path, rotated, _folder } = log();
    let mut memory = Memory::default();
    append(&path, "one\n");
    let (from, to) = (path.clone(), rotated.clone());
    let mut late = File::options().append(true).open(&path).unwrap();
    let mut later = late.try_clone().unwrap();
    let new = path.clone();
    run(
        &path,
        &mut memory,
        vec![
            Box::new(move || {
                fs::rename(&from, &to).unwrap();
                // The server has not heard of it yet.
                late.write_all(b"two\n").unwrap();
            }),
            Box::new(move || {
                append(&new, "four\n");
                later.write_all(b"three, without an end").unwrap();
            }),
            adds(&path, "five\n"),
        ],
    );
    assert_eq!(memory.lines, ["one", "two", "three, without an end", "four", "five"]);
}

#[test]
fn a_file_that_was_renamed_while_nobody_looked_is_finished_first() {
    let Log { path, rotated, _folder } = log();
    let mut memory = Memory::default();
    append(&path, "one\n");
    run(&path, &mut memory, vec![]);
    append(&path, "two\n");
    fs::rename(&path, &rotated).unwrap();
    append(&path, "three\n");
    // What is older was not taken when it was time.
    append(&path.with_file_name("access.log.2"), "foreign\n");
    append(&path.with_file_name("access.login"), "foreign\n");
    fs::create_dir(path.with_file_name("access.log.d")).unwrap();
    run(&path, &mut memory, vec![]);
    assert_eq!(memory.lines, ["one", "two", "three"]);
}

#[test]
fn files_that_came_and_went_while_nobody_looked_are_taken_in_order() {
    let Log { path, rotated, _folder } = log();
    let mut memory = Memory::default();
    let second = path.with_file_name("access.log.2");
    append(&second, "older\n");
    append(&path, "one\n");
    let said = run(&path, &mut memory, vec![]);
    assert!(said[0].starts_with("access.log.2: nothing has been taken"), "{said:?}");
    fs::rename(&second, path.with_file_name("access.log.4")).unwrap();
    append(&path, "two\n");
    fs::rename(&path, path.with_file_name("access.log.3")).unwrap();
    append(&second, "three\n");
    append(&path.with_file_name("access.log.1.gz"), "four, but compressed");
    append(&path, "five\n");
    let said = run(&path, &mut memory, vec![]);
    assert_eq!(memory.lines, ["one", "two", "three", "five"]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.contains(&"access.log.4: older than what has been taken".to_owned()), "{said:?}");
    assert!(said.iter().any(|said| said.starts_with("access.log.1.gz: it is compressed")), "{said:?}");
    // With the log known, nothing beside it is new.
    run(&path, &mut memory, vec![]);
    assert_eq!(memory.lines.len(), 4);
    // The same while it is followed, but nobody looks.
    let log = path.clone();
    let dated = |day: &str| path.with_file_name(format!("access.log-202611{day}"));
    let days = ["21", "22"].map(dated);
    run(
        &path,
        &mut memory,
        vec![Box::new(move || {
            append(&log, "six\n");
            fs::rename(&log, &days[0]).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            append(&log, "seven\n");
            fs::rename(&log, &days[1]).unwrap();
            append(&log, "eight\n");
        })],
    );
    assert_eq!(memory.lines[4..], ["six", "seven", "eight"]);
    assert!(!rotated.exists());
}

#[test]
fn a_copy_of_a_log_that_was_emptied_is_finished() {
    let Log { path, rotated, _folder } = log();
    let mut memory = Memory::default();
    append(&path, "one\n");
    run(&path, &mut memory, vec![]);
    append(&path, "two\n");
    fs::copy(&path, &rotated).unwrap();
    File::options().write(true).truncate(true).open(&path).unwrap();
    append(&path, "three\n");
    run(&path, &mut memory, vec![]);
    run(&path, &mut memory, vec![]);
    assert_eq!(memory.lines, ["one", "two", "three"]);
}

#[test]
fn an_emptied_file_begins_anew() {
    let Log { path, rotated, _folder } = log();
    let mut memory = Memory::default();
    append(&path, "one\ntwo\n");
    let (from, to) = (path.clone(), rotated.clone());
    let emptied = path.clone();
    run(
        &path,
        &mut memory,
        vec![
            Box::new(move || {
                fs::copy(&from, &to).unwrap();
                File::options().write(true).open(&from).unwrap().set_len(0).unwrap();
            }),
            adds(&path, "three\n"),
            // Longer than before at once: only its beginning tells.
            Box::new(move || fs::write(&emptied, "four\nfive\nsix\nseven\n").unwrap()),
        ],
    );
    assert_eq!(memory.lines, ["one", "two", "three", "four", "five", "six", "seven"]);
}

#[test]
fn a_file_whose_end_was_cut_off_goes_on_there() {
    let Log { path, _folder, .. } = log();
    let mut memory = Memory::default();
    append(&path, "one\ntwo\n");
    let cut = path.clone();
    run(
        &path,
        &mut memory,
        vec![
            Box::new(move || File::options().write(true).open(&cut).unwrap().set_len(4).unwrap()),
            adds(&path, "three\n"),
        ],
    );
    assert_eq!(memory.lines, ["one", "two", "three"]);
}

#[test]
fn a_lost_answer_stores_nothing_twice() {
    let Log { path, _folder, .. } = log();
    let mut memory = Memory { lose_answer: true, ..Memory::default() };
    append(&path, "one\ntwo\n");
    run(&path, &mut memory, vec![adds(&path, "three\n")]);
    assert_eq!(memory.lines, ["one", "two", "three"]);
}

#[test]
fn lines_that_are_too_long_cost_no_other_and_many_make_many_pieces() {
    let Log { path, _folder, .. } = log();
    let mut memory = Memory::default();
    let long = "x".repeat(3 * PIECE_BYTES_MAX);
    append(&path, &format!("one\n{long}"));
    let many: String = (0..3 * PIECE_LINES_MAX).map(|n| format!("{n}\n")).collect();
    let most = "y".repeat(PIECE_BYTES_MAX - 2);
    run(&path, &mut memory, vec![adds(&path, &format!("{long}\ntwo\n{most}\r\n")), adds(&path, &many)]);
    assert_eq!(memory.too_long, 1);
    assert_eq!(memory.lines.len(), 3 + 3 * PIECE_LINES_MAX);
    assert_eq!((memory.lines[1].as_str(), memory.lines[2].len()), ("two", PIECE_BYTES_MAX - 2));
    assert_eq!(memory.lines.last().unwrap(), &(3 * PIECE_LINES_MAX - 1).to_string());
}

#[test]
fn what_is_no_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), &mut Memory::default(), vec![Box::new(|| ())]);
    assert!(said[0].contains("no regular file"), "{said:?}");
}

#[test]
fn a_file_is_known_by_its_first_line_and_inode() {
    let Log { path, rotated, _folder } = log();
    let mark = |path: &Path| {
        let mut tail = Tail::new(path);
        let mut found = tail.look().unwrap();
        if matches!(found, Found::Rotated(_)) {
            tail.take_up(&[]);
            found = tail.look().unwrap();
        }
        match found {
            Found::File(mark) => Some(mark),
            _ => None,
        }
    };
    append(&path, "\n \n");
    assert_eq!(mark(&path), None);
    append(&path, "one");
    assert_eq!(mark(&path), None);
    append(&path, "\n");
    let first = mark(&path).unwrap();
    assert_eq!(first.head, b"\n \none\n");
    append(&path, &"x".repeat(1000));
    assert_eq!(mark(&path), Some(first.clone()));
    fs::rename(&path, &rotated).unwrap();
    assert_eq!(mark(&rotated), Some(first.clone()));
    append(&path, "\n \none\n");
    assert_ne!(mark(&path), Some(first));
    let long = path.with_file_name("long");
    append(&long, &"x".repeat(HEAD_BYTES_MAX));
    let early = mark(&long).unwrap();
    append(&long, "y\n");
    assert_eq!(mark(&long), Some(early));
}
