//! The entries of one grouping: groups and their numbers, period by period, column by column.
//!
//! ```text
//! periods   varint   how many; each: first day, days after it, entries, as varints
//! then for each column of the key the codes of all entries: zigzag, the difference to the entry before in the period
//! then columns of varints: visitors, sessions - visitors, views - sessions (zigzag), bounces;
//! with sums: seconds, and of how many sessions or views (events have no such count)
//! ```

use std::ops::Range;
use std::sync::OnceLock;

use super::days::LocalDays;
use super::specs::{Spec, Sums};
use crate::codec::{Malformed, Reader, Writer};
use crate::query::{KEY_COLUMNS_MAX, Key, Tally};
use crate::scan::count::{NumberColumns, Numbers};
use crate::units::TimestampMs;

/// Days that were counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    /// From the start of the first day to the end of the last.
    pub span: Range<TimestampMs>,
    /// Its entries.
    pub entries: Range<usize>,
}

/// Groups and their numbers, column by column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Columns {
    pub keys: Vec<Vec<u32>>,
    visitors: Vec<u32>,
    sessions: Vec<u32>,
    views: Vec<u64>,
    bounces: Vec<u32>,
    seconds: Vec<u64>,
    counts: Vec<u64>,
}

/// The entries of one grouping of a source, in the order of their periods and keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Entries {
    pub periods: Vec<Period>,
    pub columns: Columns,
    /// The numbers of each group over all periods, once somebody has asked.
    whole: OnceLock<Columns>,
}

/// The days of a period, and its tallies.
pub(super) type Counted = (usize, usize, Vec<Tally>);

type Number = fn(&Numbers) -> i64;

impl Columns {
    pub fn len(&self) -> usize {
        self.visitors.len()
    }

    /// What takes these tallies off again; sums wrap around.
    pub fn negated(tallies: &[Tally], spec: &Spec) -> Self {
        let numbers = |number: Number| tallies.iter().map(move |tally| -number(&tally.numbers));
        let key = |column: usize| tallies.iter().map(|tally| tally.key[column]).collect();
        let (seconds, counts): (Number, Number) = match spec.sums {
            Sums::None => (|_| 0, |_| 0),
            Sums::Durations => (|numbers| numbers.duration_seconds, |numbers| numbers.duration_count),
            Sums::TimeOnPage => (|numbers| numbers.page_seconds, |numbers| numbers.page_count),
            Sums::EventSeconds => (|numbers| numbers.event_seconds, |_| 0),
        };
        Self {
            // The bucket of a group of time stands for its key.
            keys: (0..spec.key_length().max(1)).map(key).collect(),
            visitors: numbers(|numbers| numbers.visitors).map(|number| number as u32).collect(),
            sessions: numbers(|numbers| numbers.sessions).map(|number| number as u32).collect(),
            views: numbers(|numbers| numbers.views).map(|number| number as u64).collect(),
            bounces: numbers(|numbers| numbers.bounces).map(|number| number as u32).collect(),
            seconds: numbers(seconds).map(|number| number as u64).collect(),
            counts: numbers(counts).map(|number| number as u64).collect(),
        }
    }

    /// Bytes that they take.
    fn byte_count(&self) -> usize {
        let words = 4 * (self.keys.len() + 3);
        words * self.len() + 8 * (self.views.len() + self.seconds.len() + self.counts.len())
    }

    /// Appends the numbers of another's entry, its sums among them or not.
    pub fn push_numbers(&mut self, other: &Self, entry: usize, with_sums: bool) {
        self.visitors.extend(other.visitors.get(entry));
        self.sessions.extend(other.sessions.get(entry));
        self.views.extend(other.views.get(entry));
        self.bounces.extend(other.bounces.get(entry));
        if with_sums {
            self.seconds.extend(other.seconds.get(entry));
            self.counts.extend(other.counts.get(entry));
        }
    }

    /// Adds the numbers of another's entry to those of the last one here.
    fn add_to_last(&mut self, other: &Self, entry: usize) {
        fn add<T: Copy>(to: &mut [T], from: &[T], entry: usize, sum: fn(T, T) -> T) {
            if let (Some(to), Some(&from)) = (to.last_mut(), from.get(entry)) {
                *to = sum(*to, from);
            }
        }
        add(&mut self.visitors, &other.visitors, entry, u32::wrapping_add);
        add(&mut self.sessions, &other.sessions, entry, u32::wrapping_add);
        add(&mut self.views, &other.views, entry, u64::wrapping_add);
        add(&mut self.bounces, &other.bounces, entry, u32::wrapping_add);
        add(&mut self.seconds, &other.seconds, entry, u64::wrapping_add);
        add(&mut self.counts, &other.counts, entry, u64::wrapping_add);
    }

    /// The group of an entry.
    #[inline]
    pub fn key(&self, entry: usize) -> Key {
        let mut key = Key::default();
        for (code, codes) in key.iter_mut().zip(&self.keys) {
            *code = codes.get(entry).copied().unwrap_or(0);
        }
        key
    }

    /// The codes of some entries' keys; none of a column that the key has not.
    pub fn keys(&self, entries: Range<usize>) -> [&[u32]; KEY_COLUMNS_MAX] {
        let mut keys: [&[u32]; KEY_COLUMNS_MAX] = [&[]; KEY_COLUMNS_MAX];
        for (key, codes) in keys.iter_mut().zip(&self.keys) {
            *key = codes.get(entries.clone()).unwrap_or_default();
        }
        keys
    }

    /// The numbers of some entries.
    pub fn numbers(&self, entries: Range<usize>, sums: Sums) -> NumberColumns<'_> {
        fn part<'c, T>(column: &'c [T], entries: &Range<usize>) -> &'c [T] {
            column.get(entries.clone()).unwrap_or_default()
        }
        let numbers = NumberColumns {
            visitors: part(&self.visitors, &entries),
            sessions: part(&self.sessions, &entries),
            views: part(&self.views, &entries),
            bounces: part(&self.bounces, &entries),
            ..NumberColumns::default()
        };
        let (seconds, counts) = (part(&self.seconds, &entries), part(&self.counts, &entries));
        match sums {
            Sums::None => numbers,
            Sums::Durations => NumberColumns { duration_seconds: seconds, duration_count: counts, ..numbers },
            Sums::TimeOnPage => NumberColumns { page_seconds: seconds, page_count: counts, ..numbers },
            Sums::EventSeconds => NumberColumns { event_seconds: seconds, ..numbers },
        }
    }
}

impl Entries {
    /// Bytes that the columns take, and about as many as the groups over all periods do.
    pub fn byte_count(&self) -> usize {
        let whole = self.columns.byte_count() / self.periods.len().max(1);
        self.columns.byte_count() + self.periods.len() * size_of::<Period>() + whole
    }

    /// The numbers of each group over all periods. They add up, as no visitor is in two.
    pub fn whole(&self) -> &Columns {
        self.whole.get_or_init(|| {
            let columns = &self.columns;
            let mut order: Vec<(Key, usize)> = (0..columns.len()).map(|at| (columns.key(at), at)).collect();
            order.sort_unstable();
            let mut whole = Columns { keys: vec![Vec::new(); columns.keys.len()], ..Columns::default() };
            for own in order.chunk_by(|a, b| a.0 == b.0) {
                for (codes, code) in whole.keys.iter_mut().zip(own[0].0) {
                    codes.push(code);
                }
                whole.push_numbers(columns, own[0].1, true);
                own.iter().skip(1).for_each(|&(_, at)| whole.add_to_last(columns, at));
            }
            whole
        })
    }
}

/// Writes the entries of a grouping.
pub(super) fn encode(spec: &Spec, periods: &[Counted]) -> Vec<u8> {
    let mut out = Writer::new();
    out.varint(periods.len() as u64);
    for (first, last, tallies) in periods {
        out.varint(*first as u64);
        out.varint((last - first) as u64);
        out.varint(tallies.len() as u64);
    }
    for column in 0..spec.key_length() {
        for (_, _, tallies) in periods {
            let mut before = 0;
            for tally in tallies {
                out.zigzag(i64::from(tally.key[column]) - before);
                before = i64::from(tally.key[column]);
            }
        }
    }
    encode_numbers(&mut out, spec.sums, &|| Box::new(periods.iter().flat_map(|period| &period.2)));
    out.into_vec()
}

/// The tallies whose numbers are written, each time that a column of them is.
pub(super) type Tallies<'t> = &'t dyn Fn() -> Box<dyn Iterator<Item = &'t Tally> + 't>;

/// Writes the columns of numbers.
pub(super) fn encode_numbers(out: &mut Writer, sums: Sums, tallies: Tallies<'_>) {
    let mut column = |value: &dyn Fn(&Numbers) -> i64, is_signed: bool| {
        for tally in tallies() {
            let value = value(&tally.numbers);
            if is_signed { out.zigzag(value) } else { out.varint(value as u64) }
        }
    };
    column(&|numbers| numbers.visitors, false);
    column(&|numbers| numbers.sessions - numbers.visitors, false);
    column(&|numbers| numbers.views - numbers.sessions, true);
    column(&|numbers| numbers.bounces, false);
    match sums {
        Sums::None => {}
        Sums::Durations => {
            column(&|numbers| numbers.duration_seconds, false);
            column(&|numbers| numbers.duration_count, false);
        }
        Sums::TimeOnPage => {
            column(&|numbers| numbers.page_seconds, false);
            column(&|numbers| numbers.page_count, false);
        }
        Sums::EventSeconds => column(&|numbers| numbers.event_seconds, false),
    }
}

/// Reads the entries of a grouping.
pub(super) fn decode(spec: &Spec, days: &LocalDays, bytes: &[u8]) -> Result<Entries, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut entries = Entries::default();
    let mut count = 0usize;
    for _ in 0..reader.count(3)? {
        let first = reader.varint()? as usize;
        let last = first.saturating_add(reader.varint()? as usize);
        let own = reader.count(1)?;
        let span = days.span_of(first, last).ok_or(reader.malformed("a period without days"))?;
        entries.periods.push(Period { span, entries: count..count + own });
        count += own;
    }
    if count > reader.remaining() {
        return Err(reader.malformed("more entries than bytes"));
    }
    for _ in 0..spec.key_length() {
        entries.columns.keys.push(decode_codes(&mut reader, &entries.periods, count)?);
    }
    decode_numbers(&mut reader, spec.sums, count, &mut entries.columns)?;
    reader.finish()?;
    Ok(entries)
}

/// Reads the columns of numbers.
pub(super) fn decode_numbers(
    reader: &mut Reader<'_>,
    sums: Sums,
    count: usize,
    columns: &mut Columns,
) -> Result<(), Malformed> {
    columns.visitors = column(reader, count, |reader, _| reader.varint())?;
    let visitors = &columns.visitors;
    columns.sessions =
        column(reader, count, |reader, at| Ok(reader.varint()?.saturating_add(visitors[at].into())))?;
    let sessions = &columns.sessions;
    columns.views =
        column(reader, count, |reader, at| Ok(reader.zigzag()?.wrapping_add(sessions[at].into()) as u64))?;
    columns.bounces = column(reader, count, |reader, _| reader.varint())?;
    if sums != Sums::None {
        columns.seconds = column(reader, count, |reader, _| reader.varint())?;
    }
    if matches!(sums, Sums::Durations | Sums::TimeOnPage) {
        columns.counts = column(reader, count, |reader, _| reader.varint())?;
    }
    Ok(())
}

fn decode_codes(reader: &mut Reader<'_>, periods: &[Period], count: usize) -> Result<Vec<u32>, Malformed> {
    let mut codes = Vec::with_capacity(count);
    for period in periods {
        let mut code = 0i64;
        for _ in period.entries.clone() {
            code = code.wrapping_add(reader.zigzag()?);
            codes.push(u32::try_from(code).map_err(|_| reader.malformed("a code out of range"))?);
        }
    }
    Ok(codes)
}

pub(super) fn column<T: TryFrom<u64>>(
    reader: &mut Reader<'_>,
    count: usize,
    read: impl Fn(&mut Reader<'_>, usize) -> Result<u64, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let mut values = Vec::with_capacity(count);
    for at in 0..count {
        let value = read(reader, at)?;
        values.push(T::try_from(value).map_err(|_| reader.malformed("a number too large"))?);
    }
    Ok(values)
}
