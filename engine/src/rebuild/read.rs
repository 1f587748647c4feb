//! Reads a Parquet file of the lake whole, as the sessions that it holds, in its order. What its writer would not have
//! written is damage.

use std::path::Path;

use crate::error::{CompactionError, ParquetError, StorageError};
use crate::index::{IndexRow, ROW_COLUMNS};
use crate::parquet::{Key, LakeRow, Reader};
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::table::ROW_NON_INTERACTIVE;
use crate::units::{SessionId, VisitorId};
use crate::vfs::Fs;

/// A file to be read.
pub(super) struct Wanted<'w> {
    pub fs: &'w dyn Fs,
    pub path: &'w Path,
    /// The host name that its rows must have.
    pub host: &'w str,
    /// What it must hold.
    pub key: Key,
}

/// A session as the file has it, texts as the site's codes.
pub(super) struct ReadSession {
    pub visitor: VisitorId,
    pub id: SessionId,
    pub user_key: Option<u64>,
    pub attributes: [u32; ATTRIBUTE_COUNT],
    pub rows: Vec<IndexRow>,
}

/// What a file's rows are given to.
pub(super) trait Taker {
    /// The site's code of a text.
    fn code(&mut self, column: Column, text: &str) -> Result<u32, CompactionError>;
    /// The next session; the error says in words what is wrong with it.
    fn session(&mut self, session: &ReadSession) -> Result<(), String>;
    /// Called now and then.
    fn progress(&mut self) -> Result<(), CompactionError>;
}

impl Wanted<'_> {
    /// Reads all of it, one session at a time.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] that names it when it is not sound; what `taker` gave; a failed operation.
    pub fn read(&self, taker: &mut dyn Taker) -> Result<(), CompactionError> {
        let mut reader = Reader::open(self.fs, self.path).map_err(|error| self.damage(error))?;
        let mut current: Option<ReadSession> = None;
        while let Some(batch) = reader.next_batch().map_err(|error| self.damage(error))? {
            for at in 0..batch.len() {
                let row = batch.row(at).map_err(|fault| self.corrupt(fault.to_string()))?;
                let id = self.id(&row)?;
                let goes_on = |known: &ReadSession| (known.visitor, known.id) == (row.visitor, id);
                match &mut current {
                    Some(known) if goes_on(known) => {
                        if !self.is_alike(known, &row, taker)? {
                            return Err(self.corrupt("a session's rows do not agree about it").into());
                        }
                        known.rows.push(index_row(&row, taker)?);
                    }
                    _ => {
                        let next = open(&row, id, taker)?;
                        self.end(current.replace(next), taker)?;
                    }
                }
            }
            taker.progress()?;
        }
        self.end(current, taker)
    }

    fn end(&self, session: Option<ReadSession>, taker: &mut dyn Taker) -> Result<(), CompactionError> {
        let taken = session.map_or(Ok(()), |session| taker.session(&session));
        taken.map_err(|what| self.corrupt(what).into())
    }

    /// The session that a row is of.
    fn id(&self, row: &LakeRow<'_>) -> Result<SessionId, StorageError> {
        if row.site != Some(self.host) {
            return Err(self.corrupt("a row is of another site"));
        }
        let id = row.session.and_then(|id| u32::try_from(id).ok()).map(SessionId);
        id.filter(|id| self.key.contains(id.day()))
            .ok_or_else(|| self.corrupt("a row's session is of another file"))
    }

    /// Whether a row says the same of its session as those before.
    fn is_alike(
        &self,
        known: &ReadSession,
        row: &LakeRow<'_>,
        taker: &mut dyn Taker,
    ) -> Result<bool, CompactionError> {
        for (&column, &code) in Column::attributes().iter().zip(&known.attributes) {
            if taker.code(column, row.text(column))? != code {
                return Ok(false);
            }
        }
        Ok(known.user_key == row.user_key)
    }

    fn corrupt(&self, what: impl Into<String>) -> StorageError {
        StorageError::corrupt(self.path, 0, what)
    }

    fn damage(&self, error: ParquetError) -> StorageError {
        match error {
            ParquetError::Storage(error) => error,
            ParquetError::Damaged { what, .. } => self.corrupt(what),
            error => self.corrupt(error.to_string()),
        }
    }
}

fn open(row: &LakeRow<'_>, id: SessionId, taker: &mut dyn Taker) -> Result<ReadSession, CompactionError> {
    let mut attributes = [0; ATTRIBUTE_COUNT];
    for (&column, code) in Column::attributes().iter().zip(&mut attributes) {
        *code = taker.code(column, row.text(column))?;
    }
    let rows = vec![index_row(row, taker)?];
    Ok(ReadSession { visitor: row.visitor, id, user_key: row.user_key, attributes, rows })
}

fn index_row(row: &LakeRow<'_>, taker: &mut dyn Taker) -> Result<IndexRow, CompactionError> {
    let mut texts = [0; ROW_COLUMNS.len()];
    for (&column, code) in ROW_COLUMNS.iter().zip(&mut texts) {
        *code = taker.code(column, row.text(column))?;
    }
    let quiet = if row.non_interactive { ROW_NON_INTERACTIVE } else { 0 };
    Ok(IndexRow { time: row.time, kind: row.kind as u8 | quiet, texts })
}
