//! What time it is. The clock never runs back: each stamp is at least the one before it, also when the system's
//! clock is set back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use hitstone_engine::units::TimestampMs;

/// The one source of "now". A clone is the same clock.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    last_ms: Arc<AtomicI64>,
    #[cfg(feature = "test-clock")]
    file: Option<std::path::PathBuf>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that reads `file` (one RFC 3339 line) at each use.
    #[cfg(feature = "test-clock")]
    pub fn from_file(file: std::path::PathBuf) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// Now, in milliseconds since 1970; never less than an earlier answer.
    pub fn now_ms(&self) -> TimestampMs {
        let now = self.read_ms();
        self.last_ms.fetch_max(now, Ordering::AcqRel).max(now)
    }

    /// Raises the least time that this clock gives, so that it does not run back over a restart.
    pub fn raise_to(&self, time: TimestampMs) {
        self.last_ms.fetch_max(time, Ordering::AcqRel);
    }

    #[cfg(feature = "test-clock")]
    fn read_ms(&self) -> TimestampMs {
        let Some(file) = &self.file else { return system_ms() };
        // A file that is being rewritten is empty for a moment: the last stamp holds then.
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.trim().parse::<jiff::Timestamp>().map_or(i64::MIN, jiff::Timestamp::as_millisecond)
    }

    #[cfg(not(feature = "test-clock"))]
    fn read_ms(&self) -> TimestampMs {
        system_ms()
    }
}

fn system_ms() -> TimestampMs {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64)
}

/// A moment as RFC 3339 in UTC, with milliseconds.
pub fn rfc3339(time: TimestampMs) -> String {
    jiff::Timestamp::from_millisecond(time).map_or_else(|_| String::new(), |stamp| format!("{stamp:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_runs_back() {
        let clock = Clock::system();
        let now = clock.now_ms();
        clock.raise_to(now + 60_000);
        assert!(clock.now_ms() >= now + 60_000);
    }

    #[test]
    fn writes_utc_with_milliseconds() {
        assert_eq!(rfc3339(1_780_000_000_123), "2026-05-28T20:26:40.123Z");
    }
}
