//! From sessions of sources to a batch of columns, one column after the other.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, MapArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::schema::{COLUMNS, Content, UTC};
use crate::event::{Kind, decode_pairs};
use crate::query::Source;
use crate::schema::Column;
use crate::segment::table::{ROW_KIND_MASK, ROW_NON_INTERACTIVE, SiteTable};

const MICROS_A_MS: i64 = 1_000;

/// Some rows of a session.
pub(super) struct Piece<'a> {
    pub table: &'a SiteTable<'a>,
    pub session: usize,
    pub rows: Range<usize>,
}

impl<'a> Piece<'a> {
    pub fn new(source: &'a Source<'a>, session: usize, rows: Range<usize>) -> Self {
        Self { table: &source.table, session, rows }
    }

    fn time(&self, row: usize) -> i64 {
        self.table.times.of_row(self.session, row)
    }

    fn kind_byte(&self, row: usize) -> u8 {
        self.table.kinds.get(row).unwrap_or(0)
    }
}

/// The rows of the pieces, in their order, as columns of the schema.
pub(super) fn record_batch(
    schema: &Arc<Schema>,
    site: &str,
    pieces: &[Piece<'_>],
) -> Result<RecordBatch, ArrowError> {
    let columns = COLUMNS
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| array(column.content, field, site, pieces))
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

fn array(content: Content, field: &Field, site: &str, pieces: &[Piece<'_>]) -> Result<ArrayRef, ArrowError> {
    Ok(match content {
        Content::Site => Arc::new(StringArray::from_iter_values(rows(pieces).map(|_| site))) as ArrayRef,
        Content::Time => Arc::new(instants(rows(pieces).map(|(piece, row)| Some(piece.time(row))))),
        Content::Kind => Arc::new(StringArray::from_iter_values(
            rows(pieces).map(|(piece, row)| kind(piece.kind_byte(row))),
        )),
        Content::VisitorId => Arc::new(Int64Array::from_iter_values(
            rows(pieces).map(|(piece, _)| piece.table.visitors.get(piece.session).unwrap_or(0).cast_signed()),
        )),
        Content::SessionId => Arc::new(Int64Array::from_iter_values(
            rows(pieces)
                .map(|(piece, _)| i64::from(piece.table.states.session_id(piece.session).unwrap_or(0))),
        )),
        Content::Text(column) => Arc::new(texts(column, pieces)),
        Content::Pairs(column) => Arc::new(pairs(column, field, pieces)?),
        Content::EventDuration => Arc::new(numbers(
            rows(pieces).map(|(piece, row)| piece.table.event_duration.get(row).checked_sub(1)),
        )),
        Content::NonInteractive => Arc::new(BooleanArray::from_iter(
            rows(pieces).map(|(piece, row)| Some(piece.kind_byte(row) & ROW_NON_INTERACTIVE != 0)),
        )),
        Content::Status => Arc::new(numbers(
            rows(pieces).map(|(piece, row)| Some(piece.table.status.get(row)).filter(|&status| status != 0)),
        )),
        Content::Received => Arc::new(instants(rows(pieces).map(|(piece, row)| {
            let received = piece.table.received.get(row).cast_signed();
            (received != 0 && received != piece.time(row)).then_some(received)
        }))),
        Content::UserKey => Arc::new(Int64Array::from_iter(rows(pieces).map(|(piece, _)| {
            let key = piece.table.user_key(piece.session);
            (key != 0).then(|| key.cast_signed())
        }))),
    })
}

fn rows<'p>(pieces: &'p [Piece<'p>]) -> impl Iterator<Item = (&'p Piece<'p>, usize)> {
    pieces.iter().flat_map(|piece| piece.rows.clone().map(move |row| (piece, row)))
}

/// Milliseconds as instants. The years that an `i64` of microseconds holds (to 294 000) are more than a time has.
fn instants(times: impl Iterator<Item = Option<i64>>) -> TimestampMicrosecondArray {
    times
        .map(|time| time.map(|time| time.saturating_mul(MICROS_A_MS)))
        .collect::<TimestampMicrosecondArray>()
        .with_timezone(UTC)
}

/// Small numbers; what does not fit is cut to the greatest.
fn numbers(values: impl Iterator<Item = Option<u64>>) -> Int32Array {
    values.map(|value| value.map(|value| i32::try_from(value).unwrap_or(i32::MAX))).collect()
}

/// The name of a row's kind.
fn kind(byte: u8) -> &'static str {
    Kind::from_byte(byte & ROW_KIND_MASK).unwrap_or(Kind::PageView).name()
}

fn texts(column: Column, pieces: &[Piece<'_>]) -> StringArray {
    let mut out = StringBuilder::new();
    for piece in pieces {
        let (codes, dictionary) = (piece.table.codes(column), piece.table.dictionary(column));
        let mut known = (0, "");
        let mut text = |index: usize| {
            let code = codes.get(index);
            if code != known.0 {
                known = (code, dictionary.get(code));
            }
            Some(known.1).filter(|text| !text.is_empty())
        };
        if column.is_attribute() {
            match text(piece.session) {
                Some(text) => out.append_value_n(text, piece.rows.len()),
                None => out.append_nulls(piece.rows.len()),
            }
        } else {
            piece.rows.clone().for_each(|row| out.append_option(text(row)));
        }
    }
    out.finish()
}

fn pairs(column: Column, field: &Field, pieces: &[Piece<'_>]) -> Result<MapArray, ArrowError> {
    let mismatch = || ArrowError::SchemaError(format!("{} is no map", field.name()));
    let DataType::Map(entries, _) = field.data_type() else { return Err(mismatch()) };
    let DataType::Struct(parts) = entries.data_type() else { return Err(mismatch()) };
    let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
    let (mut lengths, mut present) = (Vec::new(), Vec::new());
    for (piece, row) in rows(pieces) {
        let code = piece.table.codes(column).get(row);
        let mut count = 0;
        for (key, value) in decode_pairs(piece.table.dictionary(column).get(code)) {
            keys.append_value(key);
            values.append_value(value);
            count += 1;
        }
        lengths.push(count);
        present.push(count > 0);
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
    let content = StructArray::try_new(parts.clone(), columns, None)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    MapArray::try_new(entries.clone(), offsets, content, Some(NullBuffer::from(present)), false)
}
