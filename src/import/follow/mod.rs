//! Following an access log: its lines are taken as they are written, each once, over rotations, crashes and restarts.
//!
//! [`tail`] reads whole lines from the file that a path names, and from those beside it (`rotated`) that it was before;
//! [`run`] settles which of these come first, and hands lines to a [`Sink`], which stores them
//! together with the offset behind them: [`feed`] in this process, or a running server through its socket.
//!
//! A file is known by its inode and its beginning (the bytes up to the end of its first line that is not empty, 256
//! at most): these stay the same while it grows and when it is renamed, and change when it is emptied and written
//! anew. The device is not part of that: its number may change whenever the machine starts.

pub mod feed;
mod rotated;
pub mod run;
pub mod tail;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Bytes of a file's beginning that tell it from others.
pub const HEAD_BYTES_MAX: usize = 256;
/// Bytes that one [`Piece`] spans, unless it is one line that is too long.
pub const PIECE_BYTES_MAX: usize = super::access_log::LINE_BYTES_MAX + 2;
/// Lines of one [`Piece`]: far fewer than the store takes at once.
pub const PIECE_LINES_MAX: usize = 4_000;

/// What a file is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMark {
    /// The inode.
    pub inode: u64,
    /// The file's beginning.
    pub head: Vec<u8>,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub file: FileMark,
    /// Where the part begins, in bytes: where the one before it ended.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// Its lines. Of a line that is too long, and of a part that is only passed over, there is nothing.
    pub lines: Vec<u8>,
    /// The part is one line that is too long.
    pub too_long: bool,
}

/// What became of a piece's lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Lines that were stored.
    pub stored: u64,
    /// Sessions that they opened.
    pub sessions: u64,
    /// Lines that were left out, by reason.
    pub ignored: BTreeMap<String, u64>,
    /// Lines that were rejected: the offset of each, and why.
    pub rejected: Vec<(u64, String)>,
}

/// A sink's answer to a piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is stored and synced, and the offset behind it is remembered.
    Taken(Taken),
    /// Nothing was done: the file has been taken up to this offset, not up to where the piece begins.
    Elsewhere(u64),
}

/// Why a sink did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkError {
    /// Not now: try again.
    Wait(String),
    /// It will not work.
    Failed(String),
}

/// Where lines go.
pub trait Sink {
    /// How far a file has been taken; 0 when nothing is known of it.
    ///
    /// # Errors
    /// See [`SinkError`].
    fn offset(&mut self, file: &FileMark) -> Result<u64, SinkError>;

    /// Stores a piece's lines and the offset behind them, both or neither; synced when it returns.
    ///
    /// # Errors
    /// See [`SinkError`]. After [`SinkError::Wait`] the piece may have been stored: ask for the offset again.
    fn take(&mut self, piece: &Piece) -> Result<Answer, SinkError>;

    /// Called again and again, whether or not there is something to take.
    fn tend(&mut self) {}
}

#[cfg(test)]
mod tests;
