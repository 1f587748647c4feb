//! Whole lines from the file that a path names, whatever is done to it: it grows, is renamed and made anew, emptied,
//! removed, and comes back.
//!
//! It knows nothing of what lines say and where they go.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{FileMark, HEAD_BYTES_MAX, PIECE_BYTES_MAX, PIECE_LINES_MAX, Piece};

/// How many looks a renamed file that does not grow is kept: its writer may not have opened the new one yet.
const PATIENCE_LOOKS: u32 = 3;
/// Earlier files that were not written to for so long are not waited for.
const SETTLED: Duration = Duration::from_secs(10);
/// How many files beside the one that is followed are looked at.
const EARLIER_FILES_MAX: usize = 32;

/// What [`Tail::look`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A file: say with [`Tail::go_to`] where to read on.
    File(FileMark),
    /// A file that lies beside the one that is followed and looks like an earlier one of it: as above, or
    /// [`Tail::skip`] it.
    Earlier(FileMark),
    /// Lines. The next ones come after [`Tail::go_to`] their end.
    Piece(Piece),
    /// Nothing at the moment.
    Nothing,
}

/// The file that is read.
struct Current {
    file: File,
    device: u64,
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
    /// Files that may be earlier ones, the oldest last.
    earlier: Vec<PathBuf>,
}

impl Tail {
    /// Follows the file that `path` names, now or later. Before it come files beside it whose names begin with its name:
    /// it may have been renamed while nobody followed it.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), current: None, earlier: earlier_files(path) }
    }

    /// Leaves the current file to itself.
    pub fn skip(&mut self) {
        self.current = None;
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
        while let Some(path) = self.earlier.pop_if(|_| self.current.is_none()) {
            // What cannot be read is not ours.
            self.current = open(&path).unwrap_or_default().map(|file| Current { earlier: true, ..file });
            if self.current.as_ref().is_some_and(|current| !matches!(current.read_mark(), Ok(Some(_)))) {
                self.current = None;
            }
        }
        if self.current.is_none() {
            self.current = open(&self.path)?;
        }
        let Some(current) = &mut self.current else { return Ok(Found::Nothing) };
        let found = current.look()?;
        if found != Found::Nothing {
            current.quiet_looks = 0;
            return Ok(found);
        }
        if self.names_current()? {
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
        self.current = None;
        self.look()
    }

    /// Whether the path still names the file that is read, or nothing: then that one may still grow.
    fn names_current(&self) -> io::Result<bool> {
        let Some(current) = &self.current else { return Ok(false) };
        match fs::metadata(&self.path) {
            Ok(now) => Ok((now.dev(), now.ino()) == (current.device, current.inode)),
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
    let (device, inode) = (metadata.dev(), metadata.ino());
    Ok(Some(Current {
        file,
        device,
        inode,
        mark: None,
        offset: None,
        searched: 0,
        quiet_looks: 0,
        earlier: false,
    }))
}

/// `access.log.1` and `access.log-20261121` beside `access.log`, the latest first. None when the folder cannot be read.
fn earlier_files(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().map(|name| name.as_encoded_bytes()) else { return Vec::new() };
    let is_earlier = |entry: &fs::DirEntry| {
        let rest = entry.file_name();
        let rest = rest.as_encoded_bytes().strip_prefix(name);
        rest.and_then(<[u8]>::first).is_some_and(|byte| matches!(byte, b'.' | b'-' | b'_'))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().filter(is_earlier);
    let dated = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())));
    let mut files: Vec<_> = dated.collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    files.into_iter().take(EARLIER_FILES_MAX).map(|(_, path)| path).collect()
}

impl Current {
    fn look(&mut self) -> io::Result<Found> {
        let mark = self.read_mark()?;
        if mark.is_none() || mark != self.mark {
            (self.mark, self.offset, self.searched) = (mark, None, 0);
        }
        let Some(mark) = self.mark.clone() else { return Ok(Found::Nothing) };
        let Some(from) = self.offset else {
            return Ok(if self.earlier { Found::Earlier(mark) } else { Found::File(mark) });
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
