//! The open segment's columns: sessions in the order they came here, rows in arrival order.

use std::path::Path;
use std::sync::Arc;

use hashbrown::HashTable;

use super::coded::RowData;
use super::interner::{InsertHash, Interner, InternerReader};
use super::view::SiteViews;
use crate::error::StorageError;
use crate::limits;
use crate::record::{Operation, ROW_TEXT_COUNT, Row};
use crate::schema::{ATTRIBUTE_COUNT, COLUMN_COUNT, Column};
use crate::segment::table::{FLAG_GIVEN_ID, NO_ROW};
use crate::units::{SessionId, SessionKey, SiteId, VisitorId};
use crate::vfs::{AppendColumn, ColumnReader, Fs, Scratch};

/// How much an open segment holds.
#[derive(Debug, Clone, Copy)]
pub struct ArenaCapacity {
    /// Rows.
    pub rows: usize,
    /// Distinct strings.
    pub strings: usize,
    /// Bytes of distinct strings.
    pub string_bytes: usize,
}

/// Bytes that the alignment of columns takes at most.
const ALIGNMENT_BYTES: usize = 64 * (COLUMN_COUNT + 16);

impl ArenaCapacity {
    /// Room for twice `seal_rows` (half of them moved here) and, beyond them, for a whole batch and the moves it causes.
    pub fn for_seal_rows(seal_rows: usize) -> Self {
        let rows = 2 * seal_rows + 2 * limits::BATCH_EVENTS_MAX + limits::SESSION_ROWS_MAX;
        let batch_strings = 2 * limits::BATCH_EVENTS_MAX * COLUMN_COUNT;
        Self { rows, strings: 2 * rows + batch_strings, string_bytes: limits::OPEN_TEXT_BYTES_MAX }
    }

    fn scratch_bytes(self) -> usize {
        let per_row = 4 + 4 + 8 + 1 + 4 * ROW_TEXT_COUNT + 8 + 8 + 8;
        let per_session = 4 + 8 + 4 + 1 + 8 + 4 * ATTRIBUTE_COUNT;
        self.rows * (per_row + per_session) + self.strings * 20 + self.string_bytes + ALIGNMENT_BYTES
    }
}

/// A prefix of the open segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watermark {
    /// Rows visible.
    pub rows: usize,
    /// Sessions visible.
    pub sessions: usize,
}

/// The writer's side of the open segment.
pub struct Arena {
    interner: Interner,
    site: AppendColumn<u32>,
    visitor: AppendColumn<u64>,
    session_id: AppendColumn<u32>,
    flags: AppendColumn<u8>,
    user_key: AppendColumn<u64>,
    attributes: Vec<AppendColumn<u32>>,
    session: AppendColumn<u32>,
    previous: AppendColumn<u32>,
    time: AppendColumn<i64>,
    kind: AppendColumn<u8>,
    event_duration: AppendColumn<u64>,
    status: AppendColumn<u64>,
    received: AppendColumn<u64>,
    texts: Vec<AppendColumn<u32>>,
    reader: Arc<ArenaReader>,
    scratch: Scratch,
}

/// What readers see. Slices are as long as what has been published; callers cut them at their watermark.
pub struct ArenaReader {
    pub(super) strings: InternerReader,
    pub(super) site: ColumnReader<u32>,
    pub(super) visitor: ColumnReader<u64>,
    pub(super) session_id: ColumnReader<u32>,
    pub(super) flags: ColumnReader<u8>,
    pub(super) user_key: ColumnReader<u64>,
    pub(super) attributes: Vec<ColumnReader<u32>>,
    pub(super) session: ColumnReader<u32>,
    pub(super) previous: ColumnReader<u32>,
    pub(super) time: ColumnReader<i64>,
    pub(super) kind: ColumnReader<u8>,
    pub(super) event_duration: ColumnReader<u64>,
    pub(super) status: ColumnReader<u64>,
    pub(super) received: ColumnReader<u64>,
    pub(super) texts: Vec<ColumnReader<u32>>,
    pub(crate) views: SiteViews,
}

impl Arena {
    /// An empty open segment over a scratch file.
    pub fn create(fs: &dyn Fs, path: &Path, capacity: ArenaCapacity) -> Result<Self, StorageError> {
        Self::over(fs.scratch(path, capacity.scratch_bytes())?, capacity)
    }

    /// An empty open segment in memory, for those who only read; `path` is what errors name.
    pub fn in_memory(path: &Path, capacity: ArenaCapacity) -> Result<Self, StorageError> {
        let scratch = Scratch::in_memory(path, capacity.scratch_bytes());
        Self::over(scratch.map_err(|error| StorageError::io("reserve memory for", path, &error))?, capacity)
    }

    /// An empty open segment over a scratch of one that had the same capacity.
    ///
    /// # Errors
    /// The scratch is too small.
    pub fn over(mut scratch: Scratch, capacity: ArenaCapacity) -> Result<Self, StorageError> {
        let interner = Interner::new(&mut scratch, capacity.strings, capacity.string_bytes)?;
        Self::with(interner, scratch, capacity.rows)
    }

    /// This one without anything in it, over the same memory. `None` while somebody reads it, and when it has other
    /// memory than such a capacity needs.
    pub fn emptied(self, capacity: ArenaCapacity) -> Option<Self> {
        let (table, scratch) = self.into_parts();
        let mut scratch = scratch.rewind()?;
        let interner = Interner::over(table, &mut scratch, capacity.strings, capacity.string_bytes).ok()?;
        let emptied = Self::with(interner, scratch, capacity.rows).ok()?;
        (emptied.scratch.bytes_left() <= ALIGNMENT_BYTES).then_some(emptied)
    }

    fn with(interner: Interner, mut scratch: Scratch, rows: usize) -> Result<Self, StorageError> {
        let code_columns =
            |scratch: &mut Scratch, count: usize| -> Result<Vec<AppendColumn<u32>>, StorageError> {
                (0..count).map(|_| scratch.column(rows)).collect()
            };
        let site = scratch.column(rows)?;
        let visitor = scratch.column(rows)?;
        let session_id = scratch.column(rows)?;
        let flags = scratch.column(rows)?;
        let user_key = scratch.column(rows)?;
        let attributes = code_columns(&mut scratch, ATTRIBUTE_COUNT)?;
        let session = scratch.column(rows)?;
        let previous = scratch.column(rows)?;
        let time = scratch.column(rows)?;
        let kind = scratch.column(rows)?;
        let event_duration = scratch.column(rows)?;
        let status = scratch.column(rows)?;
        let received = scratch.column(rows)?;
        let texts = code_columns(&mut scratch, ROW_TEXT_COUNT)?;
        let reader = Arc::new(ArenaReader {
            strings: interner.reader(),
            site: site.reader(),
            visitor: visitor.reader(),
            session_id: session_id.reader(),
            flags: flags.reader(),
            user_key: user_key.reader(),
            attributes: attributes.iter().map(AppendColumn::reader).collect(),
            session: session.reader(),
            previous: previous.reader(),
            time: time.reader(),
            kind: kind.reader(),
            event_duration: event_duration.reader(),
            status: status.reader(),
            received: received.reader(),
            texts: texts.iter().map(AppendColumn::reader).collect(),
            views: SiteViews::default(),
        });
        Ok(Self {
            interner,
            site,
            visitor,
            session_id,
            flags,
            user_key,
            attributes,
            session,
            previous,
            time,
            kind,
            event_duration,
            status,
            received,
            texts,
            reader,
            scratch,
        })
    }

    /// The scratch that it lay over, to be rewound once nobody reads any more.
    pub fn into_scratch(self) -> Scratch {
        self.into_parts().1
    }

    /// What outlives its columns, all of which are gone when this returns.
    fn into_parts(self) -> (HashTable<u32>, Scratch) {
        (self.interner.into_table(), self.scratch)
    }

    /// The readers' side.
    pub fn reader(&self) -> Arc<ArenaReader> {
        self.reader.clone()
    }

    /// All that has been appended.
    pub fn watermark(&self) -> Watermark {
        Watermark { rows: self.session.len(), sessions: self.site.len() }
    }

    /// Bytes of distinct strings.
    pub fn text_bytes(&self) -> usize {
        self.interner.byte_count()
    }

    /// Distinct strings.
    pub fn text_count(&self) -> usize {
        self.interner.entry_count()
    }

    /// Whether `rows` rows (each perhaps of a new session) with `texts` texts of `text_bytes` bytes fit.
    pub fn has_room(&self, rows: usize, texts: usize, text_bytes: usize) -> bool {
        let (strings_free, bytes_free) = self.interner.free();
        self.session.capacity() - self.session.len() >= rows
            && strings_free >= texts
            && bytes_free >= text_bytes
    }

    /// While it is empty: makes room for so many strings at once and touches what is used first, since the system gives
    /// memory page by page. What that puts in is to be taken out again with [`Self::emptied`].
    ///
    /// # Errors
    /// There is no room for anything.
    pub fn warm(&mut self, strings: usize) -> Result<(), StorageError> {
        self.interner.warm(strings);
        let key = SessionKey {
            site: SiteId::default(),
            visitor: VisitorId::default(),
            session: SessionId::default(),
        };
        self.push_session(key, None, &[0; ATTRIBUTE_COUNT])?;
        self.push_row(0, None, &RowData::default()).map(drop)
    }

    /// The code of a string that is here; of any other what [`Self::insert_text`] takes.
    ///
    /// # Errors
    /// The string is not here.
    pub fn find_text(&mut self, site: SiteId, column: Column, text: &str) -> Result<u32, InsertHash> {
        self.interner.find(site, column, text)
    }

    /// The site's code of a string that is here.
    pub fn site_code(&self, site: SiteId, column: Column, text: &str) -> Option<u32> {
        self.interner.site_code(site, column, text)
    }

    /// Adds a string that is not here yet.
    pub fn insert_text(
        &mut self,
        site: SiteId,
        column: Column,
        text: &str,
        hash: InsertHash,
        site_code: u32,
    ) -> u32 {
        self.interner.insert(site, column, text, hash, site_code)
    }

    /// Whether a code is that of a string.
    pub fn is_text(&self, code: u32, site: SiteId, column: Column, text: &str) -> bool {
        self.interner.is(code, site, column, text)
    }

    /// The string of a code.
    pub fn text(&self, code: u32) -> &str {
        self.interner.text(code)
    }

    /// Bytes of the string of a code.
    pub fn text_len(&self, code: u32) -> usize {
        self.interner.len_of(code)
    }

    /// An attribute of a session.
    pub fn attribute(&self, ordinal: u32, column: Column) -> &str {
        let codes = self.attributes.get(column.index()).map_or(&[][..], AppendColumn::as_slice);
        self.interner.text(codes.get(ordinal as usize).copied().unwrap_or(0))
    }

    /// A session's id.
    pub fn session_id(&self, ordinal: u32) -> SessionId {
        SessionId(self.session_id.as_slice().get(ordinal as usize).copied().unwrap_or(0))
    }

    /// A session, whole, as the operation that moves it elsewhere: its rows in order of arrival, back from
    /// `last_row`.
    pub fn operation(&self, ordinal: u32, last_row: Option<u32>) -> Operation<'_> {
        let at = ordinal as usize;
        let mut attributes = [""; ATTRIBUTE_COUNT];
        for (text, &column) in attributes.iter_mut().zip(Column::attributes()) {
            *text = self.attribute(ordinal, column);
        }
        let mut rows = Vec::new();
        let mut next = last_row.unwrap_or(NO_ROW);
        while next != NO_ROW {
            rows.push(self.row(next as usize));
            next = self.previous.get(next as usize).unwrap_or(NO_ROW);
        }
        rows.reverse();
        let given = self.flags.get(at).unwrap_or(0) & FLAG_GIVEN_ID != 0;
        Operation {
            key: self.reader.key(ordinal),
            user_key: given.then(|| self.user_key.get(at).unwrap_or(0)),
            attributes: Some(attributes),
            replaces: true,
            rows,
        }
    }

    fn row(&self, at: usize) -> Row<'_> {
        let mut texts = [""; ROW_TEXT_COUNT];
        for (text, column) in texts.iter_mut().zip(&self.texts) {
            *text = self.interner.text(column.get(at).unwrap_or(0));
        }
        Row {
            time: self.time.get(at).unwrap_or(0),
            kind: self.kind.get(at).unwrap_or(0),
            event_duration: self.event_duration.get(at).unwrap_or(0),
            status: self.status.get(at).unwrap_or(0),
            received: self.received.get(at).unwrap_or(0),
            texts,
        }
    }

    /// Adds a session; its rows follow. `attributes` are codes. Returns its ordinal.
    pub fn push_session(
        &mut self,
        key: SessionKey,
        user_key: Option<u64>,
        attributes: &[u32; ATTRIBUTE_COUNT],
    ) -> Result<u32, StorageError> {
        let ordinal = self.site.len() as u32;
        let flags = if user_key.is_some() { FLAG_GIVEN_ID } else { 0 };
        let full = |_| full();
        self.visitor.push(key.visitor.0).map_err(full)?;
        self.session_id.push(key.session.0).map_err(full)?;
        self.flags.push(flags).map_err(full)?;
        self.user_key.push(user_key.unwrap_or(0)).map_err(full)?;
        for (column, &code) in self.attributes.iter_mut().zip(attributes) {
            column.push(code).map_err(full)?;
        }
        self.site.push(key.site.0).map_err(full)?;
        Ok(ordinal)
    }

    /// Adds a row to a session; `previous` is the session's row before it in arrival order. Returns its index.
    pub fn push_row(
        &mut self,
        ordinal: u32,
        previous: Option<u32>,
        row: &RowData,
    ) -> Result<u32, StorageError> {
        let index = self.session.len() as u32;
        let full = |_| full();
        self.previous.push(previous.unwrap_or(NO_ROW)).map_err(full)?;
        self.time.push(row.time).map_err(full)?;
        self.kind.push(row.kind).map_err(full)?;
        self.event_duration.push(row.event_duration).map_err(full)?;
        self.status.push(row.status).map_err(full)?;
        self.received.push(row.received).map_err(full)?;
        for (column, &code) in self.texts.iter_mut().zip(&row.texts) {
            column.push(code).map_err(full)?;
        }
        self.session.push(ordinal).map_err(full)?;
        Ok(index)
    }
}

fn full() -> StorageError {
    StorageError::TooLarge { what: "the open segment is full".into() }
}

impl ArenaReader {
    /// What names a session.
    pub fn key(&self, ordinal: u32) -> SessionKey {
        let at = ordinal as usize;
        SessionKey {
            site: SiteId(self.site.slice(usize::MAX).get(at).copied().unwrap_or(0)),
            visitor: VisitorId(self.visitor.slice(usize::MAX).get(at).copied().unwrap_or(0)),
            session: SessionId(self.session_id.slice(usize::MAX).get(at).copied().unwrap_or(0)),
        }
    }
}
