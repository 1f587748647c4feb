//! From sessions of sources to columns: arrays for the library's encoders, codes for ours.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, MapArray, StructArray, TimestampMicrosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use parquet::errors::ParquetError as LibraryError;
use zstd::bulk::Compressor;

use super::schema::{Content, UTC};
use super::texts::{Number, TextEncoder};
use crate::event::{Kind, decode_pairs};
use crate::schema::Column;
use crate::segment::table::{Codes, ROW_KIND_MASK, ROW_NON_INTERACTIVE, SiteTable};

const MICROS_A_MS: i64 = 1_000;

/// Some rows of a session.
pub(super) struct Piece<'a> {
    pub table: &'a SiteTable<'a>,
    /// The number of the source that has it.
    pub source: usize,
    pub session: usize,
    pub rows: Range<usize>,
}

impl Piece<'_> {
    fn time(&self, row: usize) -> i64 {
        self.table.times.of_row(self.session, row)
    }

    fn kind_byte(&self, row: usize) -> u8 {
        self.table.kinds.get(row).unwrap_or(0)
    }
}

/// A column of the rows of the pieces, in their order, but for those that [`put_texts`] puts.
pub(super) fn array(content: Content, field: &Field, pieces: &[Piece<'_>]) -> Result<ArrayRef, ArrowError> {
    Ok(match content {
        Content::Site | Content::Kind | Content::Text(_) => {
            return Err(ArrowError::SchemaError(format!("{} is encoded as texts", field.name())));
        }
        Content::Time => Arc::new(instants(rows(pieces).map(|(piece, row)| Some(piece.time(row))))),
        Content::VisitorId => Arc::new(of_sessions(pieces, |piece| {
            piece.table.visitors.get(piece.session).unwrap_or(0).cast_signed()
        })),
        Content::SessionId => Arc::new(of_sessions(pieces, |piece| {
            i64::from(piece.table.states.session_id(piece.session).unwrap_or(0))
        })),
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

/// A column of texts of the rows of the pieces, in their order.
pub(super) fn put_texts(
    content: Content,
    site: &str,
    pieces: &[Piece<'_>],
    encoder: &mut TextEncoder,
    compressor: &mut Compressor<'_>,
) -> Result<(), LibraryError> {
    for piece in pieces {
        match content {
            Content::Kind => {
                for row in piece.rows.clone() {
                    let byte = piece.kind_byte(row) & ROW_KIND_MASK;
                    encoder.put(Number { source: 0, code: u32::from(byte) }, || kind(byte), 1, compressor)?;
                }
            }
            Content::Text(column) => put_codes(column, piece, encoder, compressor)?,
            _ => encoder.put(Number { source: 0, code: 0 }, || site, piece.rows.len(), compressor)?,
        }
    }
    Ok(())
}

fn put_codes(
    column: Column,
    piece: &Piece<'_>,
    encoder: &mut TextEncoder,
    compressor: &mut Compressor<'_>,
) -> Result<(), LibraryError> {
    let (codes, dictionary) = (piece.table.codes(column), piece.table.dictionary(column));
    let mut put = |code: u32, count: usize| {
        let number = Number { source: piece.source as u32, code };
        encoder.put(number, || dictionary.get(code), count, compressor)
    };
    match codes {
        Codes::Constant(code) => put(code, piece.rows.len()),
        codes if column.is_attribute() => put(codes.get(piece.session), piece.rows.len()),
        codes => piece.rows.clone().try_for_each(|row| put(codes.get(row), 1)),
    }
}

fn rows<'p>(pieces: &'p [Piece<'p>]) -> impl Iterator<Item = (&'p Piece<'p>, usize)> {
    pieces.iter().flat_map(|piece| piece.rows.clone().map(move |row| (piece, row)))
}

fn of_sessions(pieces: &[Piece<'_>], value: impl Fn(&Piece<'_>) -> i64) -> Int64Array {
    let values = pieces.iter().flat_map(|piece| std::iter::repeat_n(value(piece), piece.rows.len()));
    values.collect::<Vec<_>>().into()
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
    Kind::from_byte(byte).unwrap_or(Kind::PageView).name()
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
