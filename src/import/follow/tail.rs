//! Whole lines from the file that a path names, whatever is done to it: it grows, is renamed and made anew, emptied,
//! removed, and comes back.
//!
//! It knows nothing of what lines say and where they go.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rotated::{self, Rotated};
use super::{FileMark, HEAD_BYTES_MAX, PIECE_BYTES_MAX, PIECE_LINES_MAX, Piece};

/// How many looks a renamed file that does not grow is kept: its writer may not have opened the new one yet.
const PATIENCE_LOOKS: u32 = 3;
/// Earlier files that were not written to for so long are not waited for.
const SETTLED: Duration = Duration::from_secs(10);
/// How many files beside the one that is followed are looked at, the latest ones.
const ROTATED_FILES_MAX: usize = 32;

/// What [`Tail::look`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A file: say with [`Tail::go_to`] where to read on.
    File(FileMark),
    /// Files beside the one that the path names, which may come before it: say with [`Tail::take_up`] which ones do.
    Rotated(Rotation),
    /// Lines. The next ones come after [`Tail::go_to`] their end.
    Piece(Piece),
    /// Nothing at the moment.
    Nothing,
}

/// Where the log was rotated to.
#[derive(Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The files, the oldest first.
    pub files: Vec<Beside>,
    /// The file that the path names, if it has a line.
    pub log: Option<FileMark>,
    /// All of them came after the file that was read last.
    pub goes_on: bool,
}

/// A file beside the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Beside {
    /// Its name.
    pub path: PathBuf,
    /// What it may be known by: as itself, and as the log, of which it is a copy when that is emptied to rotate it. Or
    /// why nothing of it can be taken.
    pub marks: Result<Vec<FileMark>, String>,
}

/// The file that is read.
struct Current {
    path: PathBuf,
    file: File,
    /// Device and inode.
    node: (u64, u64),
    /// The inode that it is known by: its own, or that of the log that it is a copy of.
    inode: u64,
    /// Known as soon as the file has a line, or enough of one.
    mark: Option<FileMark>,
    /// Known after [`Tail::go_to`].
    offset: Option<u64>,
    /// Of a line that is too long: up to here there is no end of it.
    searched: u64,
    /// Looks since the path names another file and this one does not grow.
    quiet_looks: u32,
    /// It was renamed before it was opened.
    earlier: bool,
}

/// The reading end of a followed file.
pub struct Tail {
    path: PathBuf,
    current: Option<Current>,
    /// What is read after the current file: earlier ones, the oldest first, and the one that the path named at last.
    next: VecDeque<Current>,
    /// The files of the last [`Found::Rotated`], as far as they can be read, and the one that the path names.
    found: Vec<Option<Current>>,
    log: Option<Current>,
    /// The file that was read last, until it is known what came after it. Open, so that no other one has its inode.
    last: Option<Current>,
    /// Files beside the log have been looked at.
    looked: bool,
}

impl Tail {
    /// Follows the file that `path` names, now or later. Before it come files that it was before it was rotated.
    pub fn new(path: &Path) -> Self {
        let (next, found) = (VecDeque::new(), Vec::new());
        Self { path: path.to_path_buf(), current: None, next, found, log: None, last: None, looked: false }
    }

    /// The file that is read at the moment.
    pub fn current_path(&self) -> &Path {
        self.current.as_ref().map_or(&self.path, |current| &current.path)
    }

    /// Reads these of the files that [`Found::Rotated`] told of, each under the mark that it is known by, and then the
    /// one that the path named.
    pub fn take_up(&mut self, files: &[(usize, FileMark)]) {
        for (at, mark) in files {
            let file = self.found.get_mut(*at).and_then(Option::take);
            self.next.extend(file.map(|file| Current { inode: mark.inode, ..file }));
        }
        self.found.clear();
        self.next.extend(self.log.take());
        (self.last, self.looked) = (None, true);
    }

    /// Reads on at `offset` of the current file.
    pub fn go_to(&mut self, offset: u64) {
        if let Some(current) = &mut self.current {
            current.offset = Some(offset);
            current.searched = offset;
            current.quiet_looks = 0;
        }
    }

    /// Forgets where the current file is read: it is found anew.
    pub fn ask_again(&mut self) {
        if let Some(current) = &mut self.current {
            (current.mark, current.offset) = (None, None);
        }
    }

    /// Looks what there is.
    ///
    /// # Errors
    /// The file cannot be opened or read. Looking again may help.
    pub fn look(&mut self) -> io::Result<Found> {
        if self.current.is_none() {
            self.current = self.next.pop_front();
        }
        if self.current.is_none()
            && let Some(rotation) = self.look_beside()?
        {
            return Ok(Found::Rotated(rotation));
        }
        let Some(current) = &mut self.current else { return Ok(Found::Nothing) };
        let found = current.look()?;
        if found != Found::Nothing {
            current.quiet_looks = 0;
            return Ok(found);
        }
        // While there is nothing else to read it may still grow.
        if self.next.is_empty() && self.names_current()? {
            return Ok(Found::Nothing);
        }
        let Some(current) = &mut self.current else { return Ok(Found::Nothing) };
        current.quiet_looks += 1;
        if current.quiet_looks < PATIENCE_LOOKS && !current.is_settled()? {
            return Ok(Found::Nothing);
        }
        // Nobody will end its last line any more.
        if let Some(piece) = current.last_line()? {
            return Ok(Found::Piece(piece));
        }
        self.last = self.current.take();
        self.look()
    }

    /// Opens the file that the path names, and looks what it was before: between the file that was read last and this
    /// one there may have been others. Without any it is the current one. It is opened first, so that none can slip
    /// between.
    fn look_beside(&mut self) -> io::Result<Option<Rotation>> {
        self.log = open(&self.path)?;
        if self.looked && self.log.is_none() {
            return Ok(None);
        }
        self.found.clear();
        let mut told = Vec::new();
        let files = match rotated::files_beside(&self.path) {
            Ok(files) => self.latest(files)?,
            Err(error) => {
                let path = self.path.parent().unwrap_or(&self.path).to_path_buf();
                told.push(Beside { path, marks: Err(format!("the folder cannot be listed: {error}")) });
                Vec::new()
            }
        };
        if files.is_empty() && told.is_empty() {
            self.current = self.log.take();
            (self.last, self.looked) = (None, true);
            return Ok(None);
        }
        let too_many = files.len().saturating_sub(ROTATED_FILES_MAX);
        let inode = self.log.as_ref().map(|log| log.inode);
        for (at, file) in files.into_iter().enumerate() {
            let opened = if at < too_many {
                Err(format!("only the latest {ROTATED_FILES_MAX} files are looked at"))
            } else {
                open_rotated(&file)
            };
            let (current, marks) = match opened {
                Ok((current, mark)) => (Some(current), Ok(marks_of(mark, inode))),
                Err(why) => (None, Err(why)),
            };
            self.found.push(current);
            told.push(Beside { path: file.path, marks });
        }
        let log = self.log.as_ref().map(Current::read_mark).transpose()?.flatten();
        Ok(Some(Rotation { files: told, log, goes_on: self.last.is_some() }))
    }

    /// Of the files that the log was, those that came after the one that was read last.
    fn latest(&self, mut files: Vec<Rotated>) -> io::Result<Vec<Rotated>> {
        if let Some(last) = &self.last {
            let modified = last.file.metadata()?.modified()?;
            let at = files.iter().position(|file| node_at(&file.path) == Some(last.node)).map(|at| at + 1);
            let by_time = files.iter().take_while(|file| file.modified <= modified).count();
            files.drain(..at.unwrap_or(by_time));
        }
        if let Some(log) = &self.log {
            files.retain(|file| node_at(&file.path) != Some(log.node));
        }
        Ok(files)
    }

    /// Whether the path still names the file that is read, or nothing: then that one may still grow.
    fn names_current(&self) -> io::Result<bool> {
        let Some(current) = &self.current else { return Ok(false) };
        match fs::metadata(&self.path) {
            Ok(now) => Ok((now.dev(), now.ino()) == current.node),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// The file at `path`; none when there is none.
fn open(path: &Path) -> io::Result<Option<Current>> {
    let regular = |metadata: &Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file")),
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let opened = fs::metadata(path).and_then(|metadata| regular(&metadata)).and_then(|()| File::open(path));
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    Ok(Some(Current {
        path: path.to_path_buf(),
        file,
        node: (metadata.dev(), metadata.ino()),
        inode: metadata.ino(),
        mark: None,
        offset: None,
        searched: 0,
        quiet_looks: 0,
        earlier: false,
    }))
}

/// A file that the log was, and what it is known by; or why nothing of it can be taken.
fn open_rotated(file: &Rotated) -> Result<(Current, FileMark), String> {
    if file.compressed {
        return Err("it is compressed; unpacked, it can be imported as a file".into());
    }
    let cannot = |error: io::Error| format!("it cannot be read: {error}");
    let current = open(&file.path).map_err(cannot)?.ok_or("it has gone away")?;
    let mark = current.read_mark().map_err(cannot)?.ok_or("it has no whole line")?;
    Ok((Current { earlier: true, ..current }, mark))
}

fn marks_of(mark: FileMark, log: Option<u64>) -> Vec<FileMark> {
    let copy = log.map(|inode| FileMark { inode, head: mark.head.clone() });
    std::iter::once(mark).chain(copy).collect()
}

fn node_at(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

impl Current {
    fn look(&mut self) -> io::Result<Found> {
        let mark = self.read_mark()?;
        if mark.is_none() || mark != self.mark {
            (self.mark, self.offset, self.searched) = (mark, None, 0);
        }
        let Some(mark) = self.mark.clone() else { return Ok(Found::Nothing) };
        let Some(from) = self.offset else {
            return Ok(Found::File(mark));
        };
        let length = self.file.metadata()?.len();
        if length < from {
            // Its end was cut off, and its beginning, which has been taken, is the same.
            return Ok(Found::Piece(Piece {
                file: mark,
                from,
                to: length,
                lines: Vec::new(),
                too_long: false,
            }));
        }
        let mut bytes = vec![0; PIECE_BYTES_MAX.min((length - from) as usize)];
        let read = read_full(&self.file, from, &mut bytes)?;
        bytes.truncate(read);
        // It may have been emptied and written anew meanwhile.
        if self.read_mark()?.as_ref() != Some(&mark) {
            return Ok(Found::Nothing);
        }
        let whole = end_of_lines(&bytes);
        if whole > 0 {
            bytes.truncate(whole);
            let to = from + whole as u64;
            return Ok(Found::Piece(Piece { file: mark, from, to, lines: bytes, too_long: false }));
        }
        if bytes.len() < PIECE_BYTES_MAX {
            return Ok(Found::Nothing);
        }
        Ok(match self.end_of_long_line(length)? {
            Some(to) => Found::Piece(Piece { file: mark, from, to, lines: Vec::new(), too_long: true }),
            None => Found::Nothing,
        })
    }

    /// Whether it was renamed so long ago that nobody writes to it any more.
    fn is_settled(&self) -> io::Result<bool> {
        let age = self.file.metadata()?.modified()?.elapsed().unwrap_or_default();
        Ok(self.earlier && age > SETTLED)
    }

    /// The file's beginning; none while it has neither a line nor enough bytes.
    fn read_mark(&self) -> io::Result<Option<FileMark>> {
        let mut head = vec![0; HEAD_BYTES_MAX];
        let read = read_full(&self.file, 0, &mut head)?;
        head.truncate(read);
        let text = head.iter().position(|byte| !byte.is_ascii_whitespace());
        let line =
            text.and_then(|text| head.iter().skip(text).position(|byte| *byte == b'\n').map(|at| text + at));
        match line {
            Some(end) => head.truncate(end + 1),
            None if read < HEAD_BYTES_MAX => return Ok(None),
            None => {}
        }
        Ok(Some(FileMark { inode: self.inode, head }))
    }

    /// Where the line that is too long ends; `None` when its end is not written yet.
    fn end_of_long_line(&mut self, length: u64) -> io::Result<Option<u64>> {
        let mut bytes = vec![0; 64 << 10];
        while self.searched < length {
            let read = read_full(&self.file, self.searched, &mut bytes)?;
            let chunk = bytes.get(..read).unwrap_or_default();
            if let Some(at) = chunk.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.searched + at as u64 + 1));
            }
            if read == 0 {
                break;
            }
            self.searched += read as u64;
        }
        Ok(None)
    }

    /// What stands behind the last end of a line.
    fn last_line(&self) -> io::Result<Option<Piece>> {
        let (Some(file), Some(from)) = (self.mark.clone(), self.offset) else { return Ok(None) };
        let to = self.file.metadata()?.len();
        if to <= from {
            return Ok(None);
        }
        let too_long = to - from >= PIECE_BYTES_MAX as u64;
        let mut lines = vec![0; if too_long { 0 } else { (to - from) as usize }];
        let read = read_full(&self.file, from, &mut lines)?;
        lines.truncate(read);
        Ok(Some(Piece { file, from, to, lines, too_long }))
    }
}

/// Bytes up to the end of the last whole line, or of the last that a piece may have.
fn end_of_lines(bytes: &[u8]) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.take(PIECE_LINES_MAX).last().map_or(0, |(at, _)| at + 1)
}

/// Fills `bytes` as far as the file goes.
fn read_full(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
