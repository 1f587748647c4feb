//! The local days of a zone, as far as a source has rows. The engine knows no zones: it is told where days begin.

use std::ops::Range;

use super::specs::Grain;
use crate::codec::{Malformed, Reader, Writer};
use crate::query::Clock;
use crate::units::TimestampMs;

/// Days of a source at most; sources that are spread over more have no aggregates.
pub const DAYS_MAX: usize = 400;

const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The local days that a source's rows lie on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalDays {
    /// The zone's name.
    pub zone: String,
    /// The first moment of each day and the end of the last, ascending.
    pub edges: Vec<TimestampMs>,
    /// A number for each day that is the same for the days of one month, and ascends.
    pub months: Vec<u32>,
    /// From when on the zone's clock has which shift, as [`Clock::pieces`] of a cycle of a week from a Monday's midnight.
    pub shifts: Vec<(TimestampMs, i64)>,
}

impl LocalDays {
    /// Whether edges ascend, every day has a month, and there is a shift.
    pub fn is_sound(&self) -> bool {
        self.edges.is_sorted_by(|a, b| a < b)
            && (1..=DAYS_MAX).contains(&self.months.len())
            && self.edges.len() == self.months.len() + 1
            && self.months.is_sorted()
            && !self.shifts.is_empty()
            && self.shifts.is_sorted_by_key(|shift| shift.0)
    }

    /// From the start of the first day to the end of the last.
    pub fn span(&self) -> Range<TimestampMs> {
        match self.edges[..] {
            [first, .., end] => first..end,
            _ => 0..0,
        }
    }

    /// The day that holds a moment.
    pub(super) fn day_of(&self, time: TimestampMs) -> Option<usize> {
        let next = self.edges.partition_point(|&edge| edge <= time);
        (next > 0 && next < self.edges.len()).then(|| next - 1)
    }

    /// A number that is the same for the days of one week, which begins on a Monday, and ascends.
    fn week_of(&self, day: usize) -> Option<i64> {
        let start = *self.edges.get(day)?;
        Some((start + shift(&self.shifts, start)).div_euclid(WEEK_MS))
    }

    /// What the days have in common that are counted together.
    pub(super) fn period_of(&self, day: usize, grain: Grain) -> (Option<u32>, Option<i64>) {
        let within_month = match grain {
            Grain::Day => i64::try_from(day).ok(),
            Grain::Week => self.week_of(day),
            Grain::Month => None,
        };
        (self.months.get(day).copied(), within_month)
    }

    /// Whether all days of a period lie within the span.
    pub(super) fn has_period_within(&self, grain: Grain, span: &Range<TimestampMs>) -> bool {
        let days: Vec<usize> = (0..self.months.len()).collect();
        days.chunk_by(|&a, &b| self.period_of(a, grain) == self.period_of(b, grain)).any(|period| {
            let own = period.first().zip(period.last()).and_then(|(&first, &last)| self.span_of(first, last));
            own.is_some_and(|own| span.start <= own.start && own.end <= span.end)
        })
    }

    /// Whether a moment lies within a month, with days of it before and behind.
    pub(super) fn cuts_month(&self, at: TimestampMs) -> bool {
        let next = self.edges.partition_point(|&edge| edge <= at);
        let month = |day: usize| self.months.get(day);
        let Some(day) = next.checked_sub(1).filter(|&day| month(day).is_some()) else { return false };
        let is_first = day.checked_sub(1).and_then(month) != month(day);
        self.edges.get(day) != Some(&at) || !is_first
    }

    /// The time from the start of one day to the end of another.
    pub(super) fn span_of(&self, first: usize, last: usize) -> Option<Range<TimestampMs>> {
        Some(*self.edges.get(first)?..*self.edges.get(last + 1)?)
    }

    /// The zone's clock.
    pub(super) fn clock(&self, slot_ms: i64, slot_count: u16) -> Clock {
        Clock { pieces: self.shifts.clone(), slot_ms, slot_count }
    }

    /// Whether another clock shows the same all the time.
    pub(super) fn agrees(&self, clock: &Clock, span: &Range<TimestampMs>) -> bool {
        let cycle = clock.slot_ms.saturating_mul(clock.slot_count.into()).max(1);
        let moments = self.shifts.iter().chain(&clock.pieces).map(|piece| piece.0);
        let mut moments = moments.filter(|at| span.contains(at)).chain([span.start]);
        moments.all(|at| {
            let difference = shift(&self.shifts, at).wrapping_sub(shift(&clock.pieces, at));
            difference.rem_euclid(cycle) == 0
        })
    }

    pub(super) fn encode(&self, out: &mut Writer) {
        out.str(&self.zone);
        out.varint(self.months.len() as u64);
        let mut before = 0;
        for &edge in &self.edges {
            out.zigzag(edge - before);
            before = edge;
        }
        self.months.iter().for_each(|&month| out.varint(month.into()));
        out.varint(self.shifts.len() as u64);
        for &(from, shift) in &self.shifts {
            out.zigzag(from);
            out.zigzag(shift);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let zone = reader.str()?.to_owned();
        let count = reader.count(2)?;
        let mut edges = Vec::with_capacity(count + 1);
        let mut before = 0i64;
        for _ in 0..=count {
            before = before.wrapping_add(reader.zigzag()?);
            edges.push(before);
        }
        let months =
            (0..count).map(|_| reader.varint().map(|month| month as u32)).collect::<Result<_, _>>()?;
        let shift_count = reader.count(2)?;
        let shifts = (0..shift_count).map(|_| Ok((reader.zigzag()?, reader.zigzag()?)));
        let days = Self { zone, edges, months, shifts: shifts.collect::<Result<_, _>>()? };
        if days.is_sound() { Ok(days) } else { Err(reader.malformed("the days are out of order")) }
    }
}

/// The shift that holds at a moment; before the first piece it is the first one's.
fn shift(pieces: &[(TimestampMs, i64)], at: TimestampMs) -> i64 {
    let next = pieces.partition_point(|piece| piece.0 <= at).max(1);
    pieces.get(next - 1).map_or(0, |piece| piece.1)
}
