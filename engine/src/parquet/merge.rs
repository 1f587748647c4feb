//! The sessions of several sources in one order.
//!
//! Visitors are ordered as the files show them, as signed numbers, so that a reader who sorts by the column finds
//! the rows in order. Sources have them as unsigned numbers: the upper half of each run comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::key::Key;
use crate::query::Source;
use crate::segment::table::SiteTable;
use crate::units::{SessionId, TimestampMs};

/// A session: the source that has it, and where in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The source's number.
    pub source: usize,
    /// The session's index in its table.
    pub session: usize,
}

/// Opening day, visitor, session id, source.
type Rank = (u16, i64, u32, usize);

/// The live sessions of a file whose last activity is in the span, in order.
pub(super) struct Merge<'a> {
    sources: &'a [Source<'a>],
    span: Option<Range<TimestampMs>>,
    cursors: Vec<Cursor>,
    next: BinaryHeap<Reverse<Rank>>,
}

/// What is left of a source: ranges of sessions, the nearest last.
struct Cursor {
    ranges: Vec<Range<usize>>,
}

impl<'a> Merge<'a> {
    /// Without a span, whenever the last activity was.
    pub fn new(sources: &'a [Source<'a>], key: Key, span: Option<Range<TimestampMs>>) -> Self {
        let cursors = sources.iter().map(|source| Cursor { ranges: ranges(&source.table, key) }).collect();
        let mut merge = Self { sources, span, cursors, next: BinaryHeap::new() };
        (0..sources.len()).for_each(|source| merge.offer(source));
        merge
    }

    /// Puts the source's nearest session that counts among the next ones.
    fn offer(&mut self, source: usize) {
        let (Some(cursor), Some(data)) = (self.cursors.get_mut(source), self.sources.get(source)) else {
            return;
        };
        while let Some(session) = cursor.peek() {
            let is_hidden = data.hidden.is_some_and(|hidden| hidden.contains(session as u32));
            let last = data.table.times.last(session);
            let is_in_span = |span: &Range<TimestampMs>| last.is_some_and(|last| span.contains(&last));
            if !is_hidden && self.span.as_ref().is_none_or(is_in_span) {
                self.next.extend(rank(&data.table, session, source).map(Reverse));
                return;
            }
            cursor.advance();
        }
    }
}

impl Iterator for Merge<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        let Reverse((.., source)) = self.next.pop()?;
        let cursor = self.cursors.get_mut(source)?;
        let session = cursor.peek()?;
        cursor.advance();
        self.offer(source);
        Some(Place { source, session })
    }
}

impl Cursor {
    fn peek(&self) -> Option<usize> {
        self.ranges.last().map(|range| range.start)
    }

    fn advance(&mut self) {
        if let Some(range) = self.ranges.last_mut() {
            range.start += 1;
            if range.start >= range.end {
                self.ranges.pop();
            }
        }
    }
}

fn rank(table: &SiteTable<'_>, session: usize, source: usize) -> Option<Rank> {
    let id = SessionId(table.states.session_id(session)?);
    Some((id.day().0, table.visitors.get(session)?.cast_signed(), id.0, source))
}

/// The ranges of a table's sessions of a key in the files' order, the first one last.
fn ranges(table: &SiteTable<'_>, key: Key) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for run in table.runs.iter().filter(|run| key.contains(run.day_utc())) {
        let all = run.sessions(table.session_count());
        let negative = first_negative(table, &all);
        ranges.extend([negative..all.end, all.start..negative]);
    }
    ranges.retain(|range| !range.is_empty());
    ranges.reverse();
    ranges
}

/// The first session of a run whose visitor is negative as a signed number; they come last in it.
fn first_negative(table: &SiteTable<'_>, run: &Range<usize>) -> usize {
    let (mut low, mut high) = (run.start, run.end);
    while low < high {
        let middle = usize::midpoint(low, high);
        let is_negative = table.visitors.get(middle).is_none_or(|visitor| visitor.cast_signed() < 0);
        if is_negative { high = middle } else { low = middle + 1 }
    }
    low
}
