//! The session rule: which of a visitor's sessions an event joins. Pure functions; no disk, no threads, no clock.
//!
//! It is decided once, when the event arrives, and stored. One rule holds for events on time and late ones.

use std::ops::{Range, RangeInclusive};

use crate::limits::{SESSION_LENGTH_MS_MAX, SESSION_NUMBER_MAX, SESSION_NUMBERS_UNSEEN, SESSION_SPAN_MS_MAX};
use crate::schema::Column;
use crate::units::{DAY_MS, DayUtc, TimestampMs};

/// The columns that make a visit another one: an event that names a different referrer or campaign opens a new
/// session. An event that names none joins any.
pub const CAMPAIGN_COLUMNS: [Column; 7] = [
    Column::Referrer,
    Column::ReferrerName,
    Column::UtmSource,
    Column::UtmMedium,
    Column::UtmCampaign,
    Column::UtmContent,
    Column::UtmTerm,
];

/// Rows of a session lie on the days around the one on which it was opened.
const DAYS_AROUND: i64 = 2;
/// Sessions that an import names may be longer than others.
const IMPORTED_DAYS_AFTER: i64 = SESSION_SPAN_MS_MAX / DAY_MS + DAYS_AROUND;

/// Whether sessions that were opened on one of these days may have rows in the span.
pub fn may_have_rows(days: &RangeInclusive<DayUtc>, span: &Range<TimestampMs>) -> bool {
    touch(days, IMPORTED_DAYS_AFTER, span)
}

/// The same of sessions that no import has named.
pub fn are_near(days: &RangeInclusive<DayUtc>, span: &Range<TimestampMs>) -> bool {
    touch(days, DAYS_AROUND, span)
}

fn touch(days: &RangeInclusive<DayUtc>, days_after: i64, span: &Range<TimestampMs>) -> bool {
    let (first, last) = (i64::from(days.start().0), i64::from(days.end().0));
    // Times beyond the first and the last day that have numbers are of these.
    let (is_first, is_last) = (first == 0, last == i64::from(u16::MAX));
    (is_first || (first - DAYS_AROUND) * DAY_MS < span.end)
        && (is_last || span.start < (last + 1 + days_after) * DAY_MS)
}

/// The time a session spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// First row's time.
    pub start: TimestampMs,
    /// Last row's time.
    pub last: TimestampMs,
}

impl Extent {
    /// Whether an event at `time` is near enough to belong to the session, with both ends open.
    pub fn is_alive(self, time: TimestampMs, window_ms: i64) -> bool {
        self.start - window_ms < time && time < self.last + window_ms
    }

    /// Whether the session lasts under 24 hours with the event in it.
    pub fn has_room_for(self, time: TimestampMs) -> bool {
        self.last.max(time) - self.start.min(time) < SESSION_LENGTH_MS_MAX
    }

    /// How far the event is from the session, 0 inside it.
    pub fn distance(self, time: TimestampMs) -> i64 {
        (self.start - time).max(time - self.last).max(0)
    }

    /// The extent with an event at `time` in it.
    pub fn with(self, time: TimestampMs) -> Self {
        Self { start: self.start.min(time), last: self.last.max(time) }
    }
}

/// The numbers that a visitor's next session of a day may get.
///
/// A number is never given twice to sessions of one visitor and day: what is stored under the number of another session
/// would pass for a newer copy of that one. So where some of the day's sessions cannot be found, because their file
/// cannot be read, others get numbers that are greater than all in that file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    first: u32,
    last: u32,
}

impl Numbers {
    /// Where all that are `taken` and cannot be seen are below that; 0: all can be seen.
    pub fn from(taken: u32) -> Self {
        let some_more = match taken {
            0 => 0,
            _ => taken.saturating_add(u32::from(SESSION_NUMBERS_UNSEEN) - 1),
        };
        let last = some_more.clamp(u32::from(SESSION_NUMBER_MAX), u32::from(u16::MAX));
        Self { first: taken, last }
    }

    /// The next one after the largest that the visitor is known to have on the day. `None`: they are used up.
    pub fn next(self, largest: Option<u16>) -> Option<u16> {
        let next = largest.map_or(0, |largest| u32::from(largest) + 1).max(self.first);
        u16::try_from(next).ok().filter(|_| next <= self.last)
    }
}

/// Whether the event names a referrer or campaign other than the session's; `event` gives the event's texts,
/// `attribute` the session's.
pub fn is_other_campaign<'a, 'b>(
    event: impl Fn(Column) -> &'b str,
    attribute: impl Fn(Column) -> &'a str,
) -> bool {
    CAMPAIGN_COLUMNS.iter().any(|&column| {
        let named = event(column);
        !named.is_empty() && named != attribute(column)
    })
}

/// Orders candidates: the nearest first, on a tie the later started, then the later opened (`id`).
pub fn preference(extent: Extent, time: TimestampMs, id: u32) -> impl Ord {
    (extent.distance(time), std::cmp::Reverse(extent.start), std::cmp::Reverse(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Texts;

    const WINDOW: i64 = 1_800_000;

    #[test]
    fn the_window_is_open_at_both_ends() {
        let extent = Extent { start: 10_000_000, last: 11_000_000 };
        for (time, alive) in [
            (10_000_000 - WINDOW, false),
            (10_000_001 - WINDOW, true),
            (10_500_000, true),
            (10_999_999 + WINDOW, true),
            (11_000_000 + WINDOW, false),
            (11_000_001 + WINDOW, false),
        ] {
            assert_eq!(extent.is_alive(time, WINDOW), alive, "at {time}");
        }
    }

    #[test]
    fn a_session_lasts_under_a_day() {
        let extent = Extent { start: 0, last: 1000 };
        assert!(extent.has_room_for(SESSION_LENGTH_MS_MAX - 1));
        assert!(!extent.has_room_for(SESSION_LENGTH_MS_MAX));
        assert!(!extent.has_room_for(1000 - SESSION_LENGTH_MS_MAX));
    }

    #[test]
    fn numbers_are_given_once() {
        let seen = Numbers::from(0);
        assert_eq!([seen.next(None), seen.next(Some(0)), seen.next(Some(7))], [Some(0), Some(1), Some(8)]);
        assert_eq!(seen.next(Some(SESSION_NUMBER_MAX - 1)), Some(SESSION_NUMBER_MAX));
        assert_eq!(seen.next(Some(SESSION_NUMBER_MAX)), None);
        let unseen = Numbers::from(5);
        assert_eq!(
            [unseen.next(None), unseen.next(Some(2)), unseen.next(Some(7))],
            [Some(5), Some(5), Some(8)]
        );
        // However many of them a visitor got in a file, there are some for the next time that it cannot be read.
        let beyond = u32::from(SESSION_NUMBER_MAX) + 1;
        let late = Numbers::from(beyond);
        assert_eq!(late.next(None), u16::try_from(beyond).ok());
        let last = SESSION_NUMBER_MAX + SESSION_NUMBERS_UNSEEN;
        assert_eq!([late.next(Some(last - 1)), late.next(Some(last))], [Some(last), None]);
        assert_eq!(Numbers::from(1 << 16).next(None), None);
        assert_eq!(Numbers::from((1 << 16) - 1).next(None), Some(u16::MAX));
    }

    #[test]
    fn the_nearest_wins_then_the_later_started() {
        let near = preference(Extent { start: 0, last: 100 }, 150, 1);
        let far = preference(Extent { start: 300, last: 400 }, 150, 2);
        assert!(near < far);
        let early = preference(Extent { start: 0, last: 100 }, 50, 1);
        let late = preference(Extent { start: 40, last: 60 }, 50, 0);
        assert!(late < early);
    }

    #[test]
    fn only_a_named_campaign_differs() {
        let mut event = Texts::new();
        assert!(!is_other_campaign(|column| event.get(column), |_| "a"));
        event.set(Column::UtmCampaign, "a");
        assert!(!is_other_campaign(|column| event.get(column), |_| "a"));
        assert!(is_other_campaign(|column| event.get(column), |_| ""));
    }
}
