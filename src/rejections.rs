//! How much was left out, by site, day and reason: a small table over thirty days, in one file `rejected` that is
//! replaced as a whole.
//!
//! Invariants: it holds numbers and words of this program, nothing that a client sent; its keys are at most the sites,
//! times the days, times the words there are.
//!
//! Counts are written every few seconds and when the server stops: a crash loses those since the last time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hitstone_engine::error::StorageError;
use hitstone_engine::units::{DAY_MS, TimestampMs};
use hitstone_engine::version::Kind;
use hitstone_engine::vfs::{Fs, SharedFs};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::enrich::Rejection;
use crate::envelope;

const NAME: &str = "rejected";
const KIND: Kind = Kind { magic: *b"HITREJEC", version: 1 };
/// Days before today that are kept.
const DAYS_KEPT: i64 = 30;
/// The word for what came from nobody's pages, so for no site.
pub const ORIGIN: &str = "origin";
/// The word for what should keep a visit alive that there is not.
pub const NO_SESSION: &str = "no-session";
/// What stands for the site of what is no site's.
pub const NO_SITE: u32 = 0;

/// Refuses a folder whose table a newer program wrote; nothing else of it is read.
///
/// # Errors
/// [`StorageError::Version`].
pub fn check_version(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    KIND.check_file(fs, &folder.join(NAME))
}

/// A count, as it is stored and told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The day in the site's zone, by the server's clock when the request came.
    pub day: Date,
    /// The site's number.
    pub site: u32,
    /// Why.
    pub reason: String,
    /// What exactly told; empty where the reason says all.
    pub detail: String,
    /// How often.
    pub count: u64,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    rows: Vec<Row>,
}

/// A reason and its detail.
type Words = (&'static str, &'static str);

#[derive(Debug, Default)]
struct Table {
    counts: BTreeMap<(Date, u32, Words), u64>,
    is_changed: bool,
}

/// The table of an open data folder.
pub struct Rejections {
    fs: SharedFs,
    path: PathBuf,
    table: Mutex<Table>,
}

impl Rejections {
    /// Reads `folder`'s table. One that cannot be read is told of and begun anew: events are worth more.
    ///
    /// # Errors
    /// A newer program wrote it, or the file system refused.
    pub fn open(fs: SharedFs, folder: &Path) -> Result<Self, StorageError> {
        let path = folder.join(NAME);
        let stored = match envelope::read::<Stored>(&*fs, &path, KIND) {
            Err(error @ StorageError::Corrupt { .. }) => {
                eprintln!("hitstone: {error}. What was left out is counted anew");
                Stored::default()
            }
            read => read?.unwrap_or_default(),
        };
        let known = |row: Row| Some(((row.day, row.site, words(&row.reason, &row.detail)?), row.count));
        let counts = stored.rows.into_iter().filter_map(known).collect();
        Ok(Self { fs, path, table: Mutex::new(Table { counts, is_changed: false }) })
    }

    /// Counts what is left out of a site now.
    pub fn count(&self, site: u32, zone: &TimeZone, now: TimestampMs, words: Words, count: u64) {
        let key = (day(zone, now), site, words);
        let mut table = self.table();
        let counted = table.counts.entry(key).or_default();
        *counted = counted.saturating_add(count);
        table.is_changed = true;
    }

    /// The counts of the last thirty days, of one site or all, by day.
    pub fn rows(&self, site: Option<u32>, now: TimestampMs) -> Vec<Row> {
        let mut table = self.table();
        table.forget_old(now);
        let wanted =
            table.counts.iter().filter(|((_, number, _), _)| site.is_none_or(|site| site == *number));
        wanted.map(|(&(day, site, words), &count)| row(day, site, words, count)).collect()
    }

    /// Writes the table when it has changed. Waits for the disk.
    ///
    /// # Errors
    /// It could not be written; the next time tries again.
    pub fn save(&self, now: TimestampMs) -> Result<(), StorageError> {
        let rows = {
            let mut table = self.table();
            table.forget_old(now);
            if !std::mem::take(&mut table.is_changed) {
                return Ok(());
            }
            table.counts.iter().map(|(&(day, site, words), &count)| row(day, site, words, count)).collect()
        };
        let written = envelope::write(&*self.fs, &self.path, KIND, &Stored { rows });
        if written.is_err() {
            self.table().is_changed = true;
        }
        written
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets days before the last thirty.
    fn forget_old(&mut self, now: TimestampMs) {
        let oldest = day(&TimeZone::UTC, now - DAYS_KEPT * DAY_MS);
        let before = self.counts.len();
        self.counts = self.counts.split_off(&(oldest, 0, ("", "")));
        self.is_changed |= self.counts.len() != before;
    }
}

fn day(zone: &TimeZone, now: TimestampMs) -> Date {
    jiff::Timestamp::from_millisecond(now).map_or(Date::ZERO, |now| zone.to_datetime(now).date())
}

fn row(day: Date, site: u32, (reason, detail): Words, count: u64) -> Row {
    Row { day, site, reason: reason.to_owned(), detail: detail.to_owned(), count }
}

/// The words as this program has them; `None` for those that it does not know.
fn words(reason: &str, detail: &str) -> Option<Words> {
    let enriched = Rejection::all().map(|rejection| (rejection.reason.as_str(), rejection.detail));
    enriched.chain([(ORIGIN, ""), (NO_SESSION, "")]).find(|words| *words == (reason, detail))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hitstone_engine::vfs::OsFs;

    use super::*;
    use crate::enrich::program::Program;

    const NOON: TimestampMs = 1_782_907_200_000; // 2026-07-01T12:00:00Z

    fn told(rejections: &Rejections, site: Option<u32>, now: TimestampMs) -> Vec<String> {
        let rows = rejections.rows(site, now).into_iter();
        rows.map(|row| format!("{} {} {}/{} {}", row.day, row.site, row.reason, row.detail, row.count))
            .collect()
    }

    #[test]
    fn counts_are_kept_by_site_day_and_reason_for_thirty_days() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Rejections::open(Arc::new(OsFs), folder.path()).unwrap();
        let rejections = open();
        let crawler = Rejection::from(Program::Crawler);
        let crawler = (crawler.reason.as_str(), crawler.detail);
        let auckland = TimeZone::get("Pacific/Auckland").unwrap();
        rejections.count(1, &TimeZone::UTC, NOON, crawler, 2);
        rejections.count(1, &TimeZone::UTC, NOON, crawler, 1);
        rejections.count(2, &auckland, NOON, (NO_SESSION, ""), 1);
        rejections.count(NO_SITE, &TimeZone::UTC, NOON, (ORIGIN, ""), 1);
        let all = ["2026-07-01 0 origin/ 1", "2026-07-01 1 bot/crawler 3", "2026-07-02 2 no-session/ 1"];
        assert_eq!(told(&rejections, None, NOON), all);
        assert_eq!(told(&rejections, Some(1), NOON), all[1..2]);
        rejections.save(NOON).unwrap();
        assert_eq!(told(&open(), None, NOON), all, "after a restart");
        assert_eq!(told(&open(), None, NOON + 30 * DAY_MS), all);
        assert_eq!(told(&open(), None, NOON + 31 * DAY_MS), all[2..], "the zone is ahead");
        assert!(told(&open(), None, NOON + 32 * DAY_MS).is_empty());
    }

    #[test]
    fn the_table_is_bounded_whatever_comes() {
        let folder = tempfile::tempdir().unwrap();
        let rejections = Rejections::open(Arc::new(OsFs), folder.path()).unwrap();
        let all: Vec<Words> = Rejection::all().map(|found| (found.reason.as_str(), found.detail)).collect();
        let distinct: std::collections::BTreeSet<&Words> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        for day in 0..100 {
            let now = NOON + day * DAY_MS;
            all.iter().for_each(|words| rejections.count(1, &TimeZone::UTC, now, *words, 1));
            rejections.save(now).unwrap();
        }
        let now = NOON + 100 * DAY_MS;
        let days = DAYS_KEPT as usize + 1;
        assert!(rejections.rows(Some(1), now).len() <= days * all.len());
        let bytes = std::fs::metadata(folder.path().join(NAME)).unwrap().len();
        assert!(bytes < 100 * 1024, "{bytes} bytes of a site that is left out for every reason on every day");
    }

    #[test]
    fn a_damaged_table_is_begun_anew_and_a_newer_one_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let rejections = Rejections::open(Arc::new(OsFs), folder.path()).unwrap();
        rejections.count(1, &TimeZone::UTC, NOON, (ORIGIN, ""), 1);
        rejections.save(NOON).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(Rejections::open(Arc::new(OsFs), folder.path()).unwrap().rows(None, NOON).is_empty());
        bytes[8] = 2;
        std::fs::write(&path, &bytes).unwrap();
        assert!(Rejections::open(Arc::new(OsFs), folder.path()).is_err());
    }
}
