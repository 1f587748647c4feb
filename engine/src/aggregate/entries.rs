//! The entries of one grouping: groups and their numbers, period by period, column by column.
//!
//! ```text
//! periods   varint   how many; each: first day, days after it, entries, as varints
//! then for each column of the key the codes of all entries: zigzag, the difference to the entry before in the period
//! then columns of varints: visitors, sessions - visitors, views - sessions (zigzag), bounces;
//! with sums: seconds, and of how many sessions or views (events have no such count)
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::days::LocalDays;
use super::specs::{Spec, Sums};
use crate::codec::{Malformed, Reader, Writer};
use crate::query::{Key, Tally};
use crate::scan::count::Numbers;
use crate::units::TimestampMs;

/// Days that were counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Period {
    /// From the start of the first day to the end of the last.
    pub span: Range<TimestampMs>,
    /// Its entries.
    pub entries: Range<usize>,
}

/// The entries of one grouping of a source, in the order of their periods and keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Entries {
    pub periods: Vec<Period>,
    pub keys: Vec<Vec<u32>>,
    visitors: Vec<u32>,
    sessions: Vec<u32>,
    views: Vec<u64>,
    bounces: Vec<u32>,
    seconds: Vec<u64>,
    counts: Vec<u64>,
    /// The numbers of each group over all periods, once somebody has asked.
    whole: OnceLock<Vec<(Key, Numbers)>>,
}

/// The days of a period, and its tallies.
pub(super) type Counted = (usize, usize, Vec<Tally>);

impl Entries {
    pub fn len(&self) -> usize {
        self.visitors.len()
    }

    /// Bytes that the columns take, and about as many as the groups over all periods do.
    pub fn byte_count(&self) -> usize {
        let groups = self.len() / self.periods.len().max(1);
        let words = 4 * (self.keys.len() + 3);
        let long = 8 * (self.views.len() + self.seconds.len() + self.counts.len());
        let whole = groups * size_of::<(Key, Numbers)>();
        words * self.len() + long + self.periods.len() * size_of::<Period>() + whole
    }

    /// The numbers of each group over all periods. They add up, as no visitor is in two.
    pub fn whole(&self, sums: Sums) -> &[(Key, Numbers)] {
        self.whole.get_or_init(|| {
            let mut whole: BTreeMap<Key, Numbers> = BTreeMap::new();
            for entry in 0..self.len() {
                whole.entry(self.key(entry)).or_default().add(&self.numbers(entry, sums));
            }
            whole.into_iter().collect()
        })
    }

    /// Appends the numbers of another's entry.
    pub fn push_numbers(&mut self, other: &Self, entry: usize, sums: Sums) {
        self.visitors.extend(other.visitors.get(entry));
        self.sessions.extend(other.sessions.get(entry));
        self.views.extend(other.views.get(entry));
        self.bounces.extend(other.bounces.get(entry));
        if sums != Sums::None {
            self.seconds.extend(other.seconds.get(entry));
            self.counts.extend(other.counts.get(entry));
        }
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

    /// The numbers of an entry.
    #[inline]
    pub fn numbers(&self, entry: usize, sums: Sums) -> Numbers {
        let mut numbers = Numbers {
            visitors: self.visitors.get(entry).copied().unwrap_or(0).into(),
            sessions: self.sessions.get(entry).copied().unwrap_or(0).into(),
            views: self.views.get(entry).copied().unwrap_or(0) as i64,
            bounces: self.bounces.get(entry).copied().unwrap_or(0).into(),
            ..Numbers::default()
        };
        let seconds = self.seconds.get(entry).copied().unwrap_or(0) as i64;
        let count = self.counts.get(entry).copied().unwrap_or(0) as i64;
        match sums {
            Sums::None => {}
            Sums::Durations => (numbers.duration_seconds, numbers.duration_count) = (seconds, count),
            Sums::TimeOnPage => (numbers.page_seconds, numbers.page_count) = (seconds, count),
            Sums::EventSeconds => numbers.event_seconds = seconds,
        }
        numbers
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
        let span = days.span(first, last).ok_or(reader.malformed("a period without days"))?;
        entries.periods.push(Period { span, entries: count..count + own });
        count += own;
    }
    if count > reader.remaining() {
        return Err(reader.malformed("more entries than bytes"));
    }
    for _ in 0..spec.key_length() {
        entries.keys.push(decode_codes(&mut reader, &entries.periods, count)?);
    }
    decode_numbers(&mut reader, spec.sums, count, &mut entries)?;
    reader.finish()?;
    Ok(entries)
}

/// Reads the columns of numbers.
pub(super) fn decode_numbers(
    reader: &mut Reader<'_>,
    sums: Sums,
    count: usize,
    entries: &mut Entries,
) -> Result<(), Malformed> {
    entries.visitors = column(reader, count, |reader, _| reader.varint())?;
    let visitors = &entries.visitors;
    entries.sessions =
        column(reader, count, |reader, at| Ok(reader.varint()?.saturating_add(visitors[at].into())))?;
    let sessions = &entries.sessions;
    entries.views =
        column(reader, count, |reader, at| Ok(reader.zigzag()?.wrapping_add(sessions[at].into()) as u64))?;
    entries.bounces = column(reader, count, |reader, _| reader.varint())?;
    if sums != Sums::None {
        entries.seconds = column(reader, count, |reader, _| reader.varint())?;
    }
    if matches!(sums, Sums::Durations | Sums::TimeOnPage) {
        entries.counts = column(reader, count, |reader, _| reader.varint())?;
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
