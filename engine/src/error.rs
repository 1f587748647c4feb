//! The engine's error types: one for storage, one for queries, one for Parquet.

use std::path::{Path, PathBuf};

use crate::units::SiteId;

/// What went wrong with files. Each variant names the file and says what a person can do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused an operation.
    #[error("cannot {op} {path}: {message}")]
    Io {
        /// What was tried: `open`, `write`, `sync`, ...
        op: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The kind of the system's error.
        kind: std::io::ErrorKind,
        /// The system's words.
        message: String,
    },
    /// A file's bytes are not what was written. The file is left as it is.
    #[error("{path} is damaged at byte {offset}: {what}; {}", what_helps(.path))]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in it the damage was seen.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A file was written by a newer Hitstone.
    #[error(
        "a newer hitstone wrote {path}: it has format version {found}, this program reads up to {supported}; use the newer one"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it carries.
        found: u32,
        /// The newest version this program knows.
        supported: u32,
    },
    /// Another process has the folder open.
    #[error("{path} is in use by another hitstone process")]
    Locked {
        /// The data folder.
        path: PathBuf,
    },
    /// An earlier write or sync failed: the store takes no events until it is opened anew.
    #[error(
        "the store refuses writes since an earlier failure: {reason}; restart the server once the cause is mended"
    )]
    Latched {
        /// The first failure, in words.
        reason: String,
    },
    /// More is waiting to be written than the store holds.
    #[error("too many events are waiting to be written: try again in a second")]
    Busy,
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
    /// The events are larger than the store takes in one batch.
    #[error("the batch is too large: {what}")]
    TooLarge {
        /// What exceeds which bound.
        what: String,
    },
}

/// What a person can do about a damaged file, by its name.
fn what_helps(path: &Path) -> &'static str {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let is = |prefix: &str| name.starts_with(prefix);
    if is("index-") || is("dictionary-") {
        "it is made anew from the Parquet files as far as these are sound"
    } else if is("aggregate-") {
        "it is made anew"
    } else if is("segment-") {
        "leave it in its place, without it the server does not start, or put it back from a backup while the server is stopped"
    } else if name.ends_with(".parquet") {
        "put the very file back from a backup while the server is stopped"
    } else if is("log-") || is("open-") || name == "manifest" || name == "state" {
        "restore the folder from a backup"
    } else {
        "restore it from a backup or move it away"
    }
}

impl StorageError {
    /// An operating system error with what was tried and where.
    pub fn io(op: &'static str, path: &Path, error: &std::io::Error) -> Self {
        Self::Io { op, path: path.to_path_buf(), kind: error.kind(), message: error.to_string() }
    }

    /// Damage in `path` at `offset`.
    pub fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), offset, what: what.into() }
    }
}

/// Why a query gave no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The query ran longer than allowed, or nobody waits for its answer any more.
    #[error("the query was cancelled: {0}")]
    Cancelled(&'static str),
    /// The query asks for something that has no meaning.
    #[error("{0}")]
    Invalid(String),
    /// There is more to tell apart than a query may hold at once.
    #[error("there are more than {0} different lines: ask for a shorter period, or filter")]
    TooManyGroups(usize),
    /// A segment that the query needs is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why an import, or a file of one, came to nothing. Nothing of the file was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ImportError {
    /// Another import has not ended.
    #[error("another import is under way: try again when it has ended")]
    Busy,
    /// The content was imported before.
    #[error("it has been imported already; --again imports it once more")]
    Repeated,
    /// The import was given up meanwhile, because the disk had no room for what it notes.
    #[error("it was given up: {0}")]
    GivenUp(String),
    /// More sessions than can be told apart.
    #[error("the visitor {visitor} has more than 65,536 sessions on one day")]
    TooManySessions {
        /// The visitor's id, as a signed number.
        visitor: i64,
    },
    /// An operation on a file failed, or the store takes nothing.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a file of the lake could not be written. Nothing is lost by it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CompactionError {
    /// An operation failed, or a source is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The Parquet file could not be made.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// The counts of a file could not be made.
    #[error("cannot count beforehand: {0}")]
    Aggregate(String),
    /// Nobody knows the site's host name, which its folder is to have.
    #[error("site {} has no host name", .0.0)]
    NoHost(SiteId),
    /// Strings and codes of the site do not fit each other: its dictionary and its indexes are to be made anew.
    #[error("strings of site {} have other codes than its dictionary says", .0.0)]
    Codes(SiteId),
}

/// Why Parquet could not be written or read. What is wrong with a file is told behind its path and a colon.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ParquetError {
    /// An operation on a file failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file's bytes are no Parquet, or not sound.
    #[error("{path}: it is no sound Parquet file: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file may be sound, but uses what is not read here.
    #[error("{path}: {what}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it uses, and what to do.
        what: String,
    },
    /// A file lacks a column that is needed.
    #[error("{path}: it has no column {column}; time, kind, visitor_id and path are needed")]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A file has two columns of one name.
    #[error("{path}: it has two columns {column}")]
    DoubleColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A column has a type that does not convert without loss.
    #[error("{path}: the column {column} has the type {found}, not {wanted}")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// The type it has.
        found: String,
        /// The type it must have.
        wanted: &'static str,
    },
    /// There is something in the folder that no export wrote.
    #[error("{path} is not of an earlier export: give a folder that is empty, or that an export wrote")]
    Foreign {
        /// What it is.
        path: PathBuf,
    },
    /// It was told to stop.
    #[error("it was stopped: {0}")]
    Stopped(&'static str),
    /// The library that encodes failed.
    #[error("cannot encode Parquet: {0}")]
    Write(String),
}

impl ParquetError {
    /// What is wrong, without the file's path: for those who name the file in their own way.
    pub fn without_path(&self) -> String {
        let text = self.to_string();
        let (Self::Damaged { path, .. }
        | Self::Unsupported { path, .. }
        | Self::MissingColumn { path, .. }
        | Self::DoubleColumn { path, .. }
        | Self::WrongType { path, .. }) = self
        else {
            return text;
        };
        text.strip_prefix(&format!("{}: ", path.display())).map(str::to_owned).unwrap_or(text)
    }
}
