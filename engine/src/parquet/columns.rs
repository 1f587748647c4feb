//! The columns of a batch that was read, whatever physical type they have, as the few types that rows are made of.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BinaryViewArray, BooleanArray, Int64Array, StringViewArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};

use super::marks::{Marker, Marks};
use super::schema::Content;
use crate::event::{append_pair, encode_pairs};

/// A column's values.
#[derive(Debug)]
pub(super) enum Values {
    Absent,
    Texts(TextValues),
    Numbers(Int64Array),
    Booleans(BooleanArray),
    Pairs(Box<PairValues>),
}

/// Texts, or bytes that should be texts.
#[derive(Debug)]
pub(super) enum TextValues {
    Utf8(StringViewArray),
    Bytes(BinaryViewArray),
}

/// Maps from text to text, or lists of such pairs.
#[derive(Debug)]
pub(super) struct PairValues {
    offsets: OffsetBuffer<i32>,
    nulls: Option<NullBuffer>,
    /// Pairs that are null as a whole, which lists may have.
    pair_nulls: Option<NullBuffer>,
    keys: TextValues,
    values: TextValues,
}

/// What a column must be, in words, when it is not.
pub(super) fn check_type(content: Content, found: &DataType) -> Result<(), &'static str> {
    let (fits, wanted) = match content {
        Content::Site | Content::Kind | Content::Text(_) => (is_text(found), "STRING"),
        Content::Time | Content::Received => {
            (matches!(found, DataType::Timestamp(unit, _) if *unit != TimeUnit::Second), "TIMESTAMP")
        }
        Content::VisitorId
        | Content::SessionId
        | Content::UserKey
        | Content::EventDuration
        | Content::Status => (found.is_integer(), "an integer"),
        Content::NonInteractive => (*found == DataType::Boolean, "BOOLEAN"),
        Content::Pairs(_) => (pair_parts(found).is_some(), "MAP<STRING, STRING>"),
    };
    // A column of nothing but nulls is written without a type by some.
    if fits || *found == DataType::Null { Ok(()) } else { Err(wanted) }
}

fn is_text(found: &DataType) -> bool {
    use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(found, Utf8 | LargeUtf8 | Utf8View | Binary | LargeBinary | BinaryView)
}

/// Key and value of a map or of a list of pairs, when both are texts.
fn pair_parts(found: &DataType) -> Option<&Fields> {
    let (DataType::Map(entries, _) | DataType::List(entries)) = found else { return None };
    let DataType::Struct(parts) = entries.data_type() else { return None };
    (parts.len() == 2 && parts.iter().all(|part| is_text(part.data_type()))).then_some(parts)
}

/// The schema with texts as views: a value that a page's dictionary has once is in memory once, however many rows
/// have it.
pub(super) fn with_views(schema: &Schema) -> Schema {
    Schema::new_with_metadata(fields_with_views(schema.fields()), schema.metadata().clone())
}

fn fields_with_views(fields: &Fields) -> Fields {
    fields.iter().map(field_with_views).collect()
}

fn field_with_views(field: &FieldRef) -> FieldRef {
    let viewed = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::Map(entries, sorted) => DataType::Map(field_with_views(entries), *sorted),
        DataType::List(entries) => DataType::List(field_with_views(entries)),
        DataType::Struct(fields) => DataType::Struct(fields_with_views(fields)),
        _ => return field.clone(),
    };
    Arc::new(Field::clone(field).with_data_type(viewed))
}

/// Takes an array whose type was checked. `None` for one that has another type after all.
pub(super) fn values(content: Content, array: &ArrayRef) -> Option<Values> {
    if *array.data_type() == DataType::Null {
        return Some(Values::Absent);
    }
    Some(match content {
        Content::Site | Content::Kind | Content::Text(_) => Values::Texts(texts(array)?),
        Content::Pairs(_) => Values::Pairs(Box::new(pairs(array)?)),
        Content::NonInteractive => Values::Booleans(array.as_boolean_opt()?.clone()),
        _ => Values::Numbers(numbers(array)?),
    })
}

fn texts(array: &ArrayRef) -> Option<TextValues> {
    match array.as_string_view_opt() {
        Some(texts) => Some(TextValues::Utf8(texts.clone())),
        None => array.as_binary_view_opt().map(|bytes| TextValues::Bytes(bytes.clone())),
    }
}

fn pairs(array: &ArrayRef) -> Option<PairValues> {
    let (offsets, nulls, entries) = match (array.as_map_opt(), array.as_list_opt::<i32>()) {
        (Some(map), _) => (map.offsets(), map.nulls(), map.entries()),
        (None, Some(list)) => (list.offsets(), list.nulls(), list.values().as_struct_opt()?),
        (None, None) => return None,
    };
    let [keys, values] = entries.columns() else { return None };
    Some(PairValues {
        offsets: offsets.clone(),
        nulls: nulls.cloned(),
        pair_nulls: entries.nulls().cloned(),
        keys: texts(keys)?,
        values: texts(values)?,
    })
}

/// Integers as they are (unsigned ones of 64 bits by their bits), times in milliseconds.
fn numbers(array: &ArrayRef) -> Option<Int64Array> {
    fn of<T: ArrowPrimitiveType>(array: &ArrayRef, convert: impl Fn(T::Native) -> i64) -> Option<Int64Array> {
        array.as_primitive_opt::<T>().map(|numbers| numbers.unary::<_, Int64Type>(convert))
    }
    match array.data_type() {
        DataType::Int8 => of::<Int8Type>(array, i64::from),
        DataType::Int16 => of::<Int16Type>(array, i64::from),
        DataType::Int32 => of::<Int32Type>(array, i64::from),
        DataType::Int64 => of::<Int64Type>(array, |number| number),
        DataType::UInt8 => of::<UInt8Type>(array, i64::from),
        DataType::UInt16 => of::<UInt16Type>(array, i64::from),
        DataType::UInt32 => of::<UInt32Type>(array, i64::from),
        DataType::UInt64 => of::<UInt64Type>(array, u64::cast_signed),
        DataType::Timestamp(TimeUnit::Millisecond, _) => of::<TimestampMillisecondType>(array, |time| time),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            of::<TimestampMicrosecondType>(array, |time| time.div_euclid(1_000))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            of::<TimestampNanosecondType>(array, |time| time.div_euclid(1_000_000))
        }
        _ => None,
    }
}

impl Values {
    /// The number in a row.
    pub fn number(&self, row: usize) -> Option<i64> {
        match self {
            Values::Numbers(numbers) if row < numbers.len() && numbers.is_valid(row) => {
                Some(numbers.value(row))
            }
            _ => None,
        }
    }

    /// The numbers of all rows; `None` when one has none.
    pub fn all_numbers(&self) -> Option<&[i64]> {
        match self {
            Values::Numbers(numbers) if numbers.null_count() == 0 => Some(numbers.values()),
            _ => None,
        }
    }

    /// Whether the row says yes.
    pub fn is_true(&self, row: usize) -> bool {
        match self {
            Values::Booleans(booleans) => {
                row < booleans.len() && booleans.is_valid(row) && booleans.value(row)
            }
            _ => false,
        }
    }

    /// The text in a row; the error says what is wrong with it.
    pub fn text(&self, row: usize) -> Result<Option<&str>, &'static str> {
        match self {
            Values::Texts(texts) => texts.get(row),
            _ => Ok(None),
        }
    }

    /// Marks of texts that are equal.
    pub fn marks(&self, rows: usize, marker: &mut Marker) -> Marks {
        match self {
            Values::Texts(TextValues::Utf8(texts)) => marker.mark(texts.views(), texts.nulls()),
            Values::Texts(TextValues::Bytes(bytes)) => marker.mark(bytes.views(), bytes.nulls()),
            Values::Pairs(pairs) => Marks::of_empty(rows, |row| pairs.is_empty(row)),
            _ => Marks::default(),
        }
    }

    /// Calls `fault` for each row whose texts cannot be taken, and says why.
    pub fn check_texts(&self, marks: &Marks, rows: usize, fault: &mut dyn FnMut(usize, &str)) {
        let mut check = |known: &dyn Fn(usize) -> Result<(), &'static str>| {
            (0..rows).for_each(|row| known(row).unwrap_or_else(|what| fault(row, what)));
        };
        match self {
            // Most columns are sound, and have few texts.
            Values::Texts(texts @ TextValues::Bytes(_))
                if marks.firsts.iter().any(|&row| texts.get(row as usize).is_err()) =>
            {
                check(&|row| texts.get(row).map(drop));
            }
            Values::Pairs(pairs) if pairs.may_be_unsound() => check(&|row| {
                let mut out = String::new();
                pairs.encode(row, &mut out)
            }),
            _ => {}
        }
    }

    /// The pairs in a row, encoded; "" when there are none.
    pub fn pairs(&self, row: usize) -> Result<String, &'static str> {
        let mut out = String::new();
        self.encode_pairs(row, &mut out)?;
        Ok(out)
    }

    /// The pairs in a row, encoded, in place of what `out` holds.
    pub fn encode_pairs(&self, row: usize, out: &mut String) -> Result<(), &'static str> {
        match self {
            Values::Pairs(pairs) => pairs.encode(row, out),
            _ => {
                out.clear();
                Ok(())
            }
        }
    }
}

impl TextValues {
    fn get(&self, row: usize) -> Result<Option<&str>, &'static str> {
        match self {
            Self::Utf8(texts) if row < texts.len() && texts.is_valid(row) => Ok(Some(texts.value(row))),
            Self::Bytes(bytes) if row < bytes.len() && bytes.is_valid(row) => {
                std::str::from_utf8(bytes.value(row)).map(Some).map_err(|_| "is no UTF-8 text")
            }
            _ => Ok(None),
        }
    }
}

impl PairValues {
    /// Whether a row has no pairs.
    fn is_empty(&self, row: usize) -> bool {
        self.offsets.get(row) == self.offsets.get(row + 1)
            || self.nulls.as_ref().is_some_and(|nulls| row >= nulls.len() || nulls.is_null(row))
    }

    /// Whether a pair may lack its key, or be no text.
    fn may_be_unsound(&self) -> bool {
        match (&self.keys, &self.values) {
            (TextValues::Utf8(keys), TextValues::Utf8(_)) => keys.null_count() > 0,
            _ => true,
        }
    }

    /// Writes the pairs in a row into `out`, encoded, in place of what it holds.
    fn encode(&self, row: usize, out: &mut String) -> Result<(), &'static str> {
        out.clear();
        let is_null = |nulls: &Option<NullBuffer>, at: usize| {
            nulls.as_ref().is_some_and(|nulls| at >= nulls.len() || nulls.is_null(at))
        };
        let (Some(&start), Some(&end)) = (self.offsets.get(row), self.offsets.get(row + 1)) else {
            return Ok(());
        };
        if is_null(&self.nulls, row) {
            return Ok(());
        }
        let mut last = None;
        for at in start as usize..end as usize {
            if !is_null(&self.pair_nulls, at) {
                let (key, value) = self.pair(at)?;
                if last >= Some(key) {
                    return self.encode_unsorted(start as usize..end as usize, out);
                }
                append_pair(out, key, value);
                last = Some(key);
            }
        }
        Ok(())
    }

    /// Pairs as others write them: in any order, keys more than once.
    #[cold]
    fn encode_unsorted(&self, range: Range<usize>, out: &mut String) -> Result<(), &'static str> {
        let is_there = |at: &usize| {
            self.pair_nulls.as_ref().is_none_or(|nulls| *at < nulls.len() && nulls.is_valid(*at))
        };
        let pairs = range.filter(is_there).map(|at| self.pair(at)).collect::<Result<Vec<_>, _>>()?;
        *out = encode_pairs(&pairs);
        Ok(())
    }

    fn pair(&self, at: usize) -> Result<(&str, &str), &'static str> {
        let key = self.keys.get(at)?.ok_or("has a pair without a key")?;
        Ok((key, self.values.get(at)?.unwrap_or_default()))
    }
}
