//! The engine's plain numbers, each with a type of its own.

use std::fmt;

use bytemuck::{Pod, Zeroable};

/// Milliseconds in a UTC day.
pub const DAY_MS: i64 = 86_400_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
pub type TimestampMs = i64;

/// A UTC day: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DayUtc(pub u16);

impl DayUtc {
    /// The day that holds `time`; times outside 1970 to 2149 are clamped to the ends.
    pub fn of(time: TimestampMs) -> Self {
        Self(time.div_euclid(DAY_MS).clamp(0, i64::from(u16::MAX)) as u16)
    }
}

/// The engine's number for a site. The server maps its public ids to these; numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SiteId(pub u32);

/// A visitor of one site: an opaque 64-bit hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VisitorId(pub u64);

/// A session, unique with its site and visitor: `(opening UTC day << 16) | n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SessionId(pub u32);

impl SessionId {
    /// The `n`th session that the visitor opened on `day`.
    pub fn new(day: DayUtc, n: u16) -> Self {
        Self((u32::from(day.0) << 16) | u32::from(n))
    }

    /// The UTC day of the event that opened the session.
    pub fn day(self) -> DayUtc {
        DayUtc((self.0 >> 16) as u16)
    }

    /// The session's number among those that its visitor opened on that day.
    pub fn n(self) -> u16 {
        self.0 as u16
    }
}

/// What names a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SessionKey {
    pub site: SiteId,
    pub visitor: VisitorId,
    pub session: SessionId,
}

/// What stands for an event's id: a keyed 128-bit hash of its site and text. The engine does not know the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Pod, Zeroable)]
#[repr(transparent)]
pub struct EventHash(pub [u8; 16]);

/// A sealed segment's number, unique in a data folder for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SegmentId(pub u64);

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
