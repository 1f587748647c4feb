//! The two counting loops: over sessions, and over the rows of sessions.
//!
//! Both are monomorphised over the way a group is found; the loop over rows also over the test of a row. What is
//! constant during a loop (the span, the selection, the measures) is a branch that always goes the same way.

use std::ops::Range;

use super::bits::Bits;
use super::count::{Counter, Current};
use super::mask::Mask;
use crate::segment::table::{Codes, U64s};

/// Time on page counts up to this many seconds.
pub const PAGE_SECONDS_MAX: i64 = 3600;

/// Finds the group of a session or a row.
pub trait Key {
    /// The group of the row (of the session, when sessions are counted: then the row is `usize::MAX`); `None` leaves
    /// it out.
    fn group(&mut self, session: usize, row: usize, time: i64) -> Option<u32>;
}

/// Tests a row.
pub trait RowTest {
    /// Whether the row counts.
    fn passes(&self, row: usize) -> bool;
}

/// Every row passes.
pub struct EveryRow;

impl RowTest for EveryRow {
    #[inline]
    fn passes(&self, _row: usize) -> bool {
        true
    }
}

/// A row passes when each of its codes does.
pub struct RowMasks<'a>(pub Vec<(Codes<'a>, Mask)>);

impl RowTest for RowMasks<'_> {
    #[inline]
    fn passes(&self, row: usize) -> bool {
        self.0.iter().all(|(codes, mask)| mask.passes(codes.get(row)))
    }
}

/// The columns that counting needs. Slices of sessions are equally long, `first_row` is one longer.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// Visitors.
    pub visitor: &'a [u64],
    /// First row's time, milliseconds.
    pub start: &'a [i64],
    /// Last row's time.
    pub last: &'a [i64],
    /// Where each session's rows start.
    pub first_row: &'a [u32],
    /// Views of each session.
    pub views: &'a [u32],
    /// Flags of each session.
    pub flags: &'a [u8],
    /// The flag of a bounce.
    pub bounce: u8,
    /// Row time minus session start.
    pub gap: &'a [u32],
    /// Kinds of rows.
    pub kind: &'a [u8],
    /// The bits of a kind that count.
    pub kind_mask: u8,
    /// The kind of a page view.
    pub kind_view: u8,
    /// Seconds that rows carry, plus one.
    pub event_duration: U64s<'a>,
}

impl Columns<'_> {
    /// The rows of a session.
    #[inline]
    pub fn rows(&self, session: usize) -> Range<usize> {
        let first = self.first_row.get(session).map_or(0, |&row| row as usize);
        let end = self.first_row.get(session + 1).map_or(0, |&row| row as usize);
        first..end.min(self.gap.len())
    }
}

/// The sessions that a loop is to visit.
#[derive(Clone)]
pub struct Piece<'a> {
    /// Which sessions.
    pub sessions: Range<usize>,
    /// Only these of them.
    pub selected: Option<&'a Bits>,
    /// Sessions of visitors that may recur on other days.
    pub recurring: Option<&'a Bits>,
    /// Only times in this span; `None`: all of them are.
    pub span: Option<(i64, i64)>,
    /// The stamp of session 0.
    pub stamp_first: u32,
}

impl Piece<'_> {
    #[inline]
    fn for_each(&self, mut visit: impl FnMut(usize)) {
        match self.selected {
            None => self.sessions.clone().for_each(visit),
            Some(bits) => bits.for_each_in(self.sessions.clone(), &mut visit),
        }
    }

    #[inline]
    fn in_span(&self, time: i64) -> bool {
        self.span.is_none_or(|(start, end)| start <= time && time < end)
    }

    #[inline]
    fn current(&self, columns: &Columns<'_>, session: usize) -> Current {
        Current {
            stamp: self.stamp_first + session as u32,
            bounced: columns.flags.get(session).is_some_and(|flags| flags & columns.bounce != 0),
            recurring: self.recurring.is_some_and(|bits| bits.contains(session)),
        }
    }
}

/// What is measured beyond the counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extras {
    /// Session durations.
    pub durations: bool,
    /// Time on page.
    pub time_on_page: bool,
    /// Seconds that rows carry.
    pub event_seconds: bool,
}

/// Counts sessions, each placed at its last row's time.
#[inline(never)]
pub fn count_sessions<K: Key>(
    columns: &Columns<'_>,
    piece: &Piece<'_>,
    extras: Extras,
    key: &mut K,
    counter: &mut Counter,
) {
    piece.for_each(|session| {
        let (Some(&last), Some(&visitor)) = (columns.last.get(session), columns.visitor.get(session)) else {
            return;
        };
        if !piece.in_span(last) {
            return;
        }
        let Some(group) = key.group(session, usize::MAX, last) else { return };
        let current = piece.current(columns, session);
        counter.enter(visitor, current.stamp);
        let views = columns.views.get(session).map_or(0, |&views| u64::from(views));
        if counter.add(group, current, views) && extras.durations {
            add_duration(columns, session, group, counter);
        }
    });
}

/// Counts rows of one kind (of every kind, when `kind` is `None`), each placed at its own time.
#[inline(never)]
pub fn count_rows<K: Key, T: RowTest>(
    columns: &Columns<'_>,
    piece: &Piece<'_>,
    kind: Option<u8>,
    extras: Extras,
    test: &T,
    key: &mut K,
    counter: &mut Counter,
) {
    piece.for_each(|session| {
        let (Some(&start), Some(&visitor)) = (columns.start.get(session), columns.visitor.get(session))
        else {
            return;
        };
        let rows = columns.rows(session);
        let kinds = columns.kind.get(rows.clone()).unwrap_or_default();
        let gaps = columns.gap.get(rows.clone()).unwrap_or_default();
        let current = piece.current(columns, session);
        counter.enter(visitor, current.stamp);
        let mut next_view = None;
        // Backwards, so that a view's next view is known; the order within a session makes no difference to counts.
        for (at, (&gap, &row_kind)) in gaps.iter().zip(kinds).enumerate().rev() {
            let row = rows.start + at;
            let time = start.wrapping_add(i64::from(gap));
            let row_kind = row_kind & columns.kind_mask;
            let mut page_seconds = 0;
            if extras.time_on_page && row_kind == columns.kind_view {
                page_seconds = next_view.map_or(0, |next| whole_seconds(time, next).min(PAGE_SECONDS_MAX));
                next_view = Some(time);
            }
            if kind.is_some_and(|kind| kind != row_kind) || !piece.in_span(time) || !test.passes(row) {
                continue;
            }
            let Some(group) = key.group(session, row, time) else { continue };
            if counter.add(group, current, 1) && extras.durations {
                add_duration(columns, session, group, counter);
            }
            if page_seconds > 0 {
                add_page_seconds(group, page_seconds, counter);
            }
            if extras.event_seconds {
                add_event_seconds(columns, row, group, counter);
            }
        }
    });
}

/// The difference of two times in whole seconds of the clock.
#[inline]
fn whole_seconds(from: i64, to: i64) -> i64 {
    to.div_euclid(1000) - from.div_euclid(1000)
}

#[inline]
fn add_duration(columns: &Columns<'_>, session: usize, group: u32, counter: &mut Counter) {
    let (Some(&start), Some(&last)) = (columns.start.get(session), columns.last.get(session)) else { return };
    let seconds = whole_seconds(start, last);
    if seconds > 0
        && let Some(extra) = counter.extra(group)
    {
        extra.duration_seconds = extra.duration_seconds.wrapping_add(seconds as u64);
        extra.duration_count += 1;
    }
}

#[inline]
fn add_page_seconds(group: u32, seconds: i64, counter: &mut Counter) {
    if let Some(extra) = counter.extra(group) {
        extra.page_seconds = extra.page_seconds.wrapping_add(seconds as u64);
        extra.page_count += 1;
    }
}

#[inline]
fn add_event_seconds(columns: &Columns<'_>, row: usize, group: u32, counter: &mut Counter) {
    let seconds = columns.event_duration.get(row).saturating_sub(1);
    if seconds > 0
        && let Some(extra) = counter.extra(group)
    {
        extra.event_seconds = extra.event_seconds.wrapping_add(seconds);
    }
}
