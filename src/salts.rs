//! The secret salts under which visitor ids are hashed, one for each day, and their end.
//!
//! When a salt is destroyed, the ids of its day can no longer be computed from addresses. So salts live in one
//! private file of their own, are never logged, and each carries the moment of its end: for today and the two days
//! before the end of those days, for an older day a day after its last use.
//!
//! Invariants:
//! - A salt is on disk before it is used.
//! - The time that salts are judged by never runs back, also over restarts.
//! - A salt past its end is never used again, whether or not it has been removed yet.
//!
//! The file: magic `HSSALTS1`, then little-endian the newest time seen (i64 milliseconds), the number of salts (u32),
//! for each the day (i32, days since 1970), the end (i64 milliseconds) and 16 bytes of salt, and at last the CRC32C
//! of all before it (u32).
//!
//! It knows nothing of addresses, visitors or time zones: days are numbers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use hitstone_engine::checksum::crc32c;
use hitstone_engine::error::StorageError;
use hitstone_engine::units::{DAY_MS, TimestampMs};
use hitstone_engine::vfs::{self, Fs, SharedFs};

/// A day's secret.
pub type Salt = [u8; 16];

/// Days before today whose salts are kept as a matter of course.
const DAYS_KEPT: i64 = 2;
/// An older day's salt lives so long after its last use.
const LATE_USE_MS: i64 = DAY_MS;
/// How finely times are kept in the file.
const TIME_GRAIN_MS: i64 = 3_600_000;

const NAME: &str = "salts";
const MAGIC: &[u8; 7] = b"HSSALTS";
const VERSION: u8 = b'1';
const HEAD_BYTES: usize = 8 + 8 + 4;
const ENTRY_BYTES: usize = 4 + 8 + 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    day: i32,
    ends: TimestampMs,
    salt: Salt,
}

/// What the file holds; `entries` are in the order of their days.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct State {
    newest_time: TimestampMs,
    entries: Vec<Entry>,
}

/// A calendar day of a site, for which salts are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaltDay {
    /// Days since 1970-01-01 in the site's zone.
    pub day: i32,
    /// The zone's distance from UTC on that day: local time minus UTC.
    pub offset_ms: i64,
}

/// The salts that a visitor's ids are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaySalts {
    /// The day's own.
    pub current: Salt,
    /// That of the day before, when there is one: without it no id of that day exists.
    pub previous: Option<Salt>,
}

/// All salts of a data folder.
pub struct Salts {
    fs: SharedFs,
    path: PathBuf,
    /// What is on disk. Readers take it without the lock.
    state: ArcSwap<State>,
    /// The newest time seen; the file's is at most an hour behind it.
    newest_time: AtomicI64,
    /// Held by the one who replaces the file.
    writing: Mutex<()>,
}

impl Salts {
    /// Opens the salts of `folder`, and destroys those that are past their end.
    pub fn open(fs: SharedFs, folder: &Path, now: TimestampMs) -> Result<Self, StorageError> {
        let path = folder.join(NAME);
        let state = if fs.exists(&path)? { decode(&path, &fs.read(&path)?)? } else { State::default() };
        let newest_time = AtomicI64::new(state.newest_time);
        let salts =
            Self { fs, path, state: ArcSwap::from_pointee(state), newest_time, writing: Mutex::new(()) };
        salts.expire(now)?;
        Ok(salts)
    }

    /// The salts for an event of `day`. One that does not exist yet is made, and is on disk when this returns.
    pub fn of_day(&self, day: SaltDay, now: TimestampMs) -> Result<DaySalts, StorageError> {
        let now = self.stamp(now);
        if let Some(found) = self.state.load().ready(day, now) {
            return Ok(found);
        }
        let _writing = self.lock();
        let mut state = State::clone(&self.state.load());
        state.newest_time = self.stamp(now);
        let used = state.use_day(day)?;
        self.publish(state)?;
        Ok(used)
    }

    /// Destroys the salts that are past their end. To be called at least hourly.
    pub fn expire(&self, now: TimestampMs) -> Result<(), StorageError> {
        let _writing = self.lock();
        let mut state = State::clone(&self.state.load());
        let behind_ms = self.stamp(now) - state.newest_time;
        state.newest_time += behind_ms;
        let count_before = state.entries.len();
        state.drop_ended();
        if state.entries.len() == count_before && (behind_ms < TIME_GRAIN_MS || state.entries.is_empty()) {
            return Ok(());
        }
        self.publish(state)
    }

    /// The time to judge by: never earlier than an earlier answer.
    fn stamp(&self, now: TimestampMs) -> TimestampMs {
        self.newest_time.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// How many salts there are.
    pub fn count(&self) -> usize {
        self.state.load().entries.len()
    }

    fn publish(&self, state: State) -> Result<(), StorageError> {
        vfs::replace(self.fs.as_ref(), &self.path, &encode(&state), true)?;
        self.state.store(Arc::new(state));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // What the lock guards is replaced whole, so a panic elsewhere leaves nothing half done.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The salts of a day when nothing about them is to be written.
    fn ready(&self, day: SaltDay, now: TimestampMs) -> Option<DaySalts> {
        let current = self.living(day.day, now).filter(|entry| entry.ends >= needed_until(day, now))?;
        let yesterday = SaltDay { day: day.day.checked_sub(1)?, ..day };
        let previous = self.living(yesterday.day, now);
        if previous.is_some_and(|entry| entry.ends < needed_until(yesterday, now)) {
            return None;
        }
        Some(DaySalts { current: current.salt, previous: previous.map(|entry| entry.salt) })
    }

    /// Makes or prolongs what an event of `day` needs.
    fn use_day(&mut self, day: SaltDay) -> Result<DaySalts, StorageError> {
        self.drop_ended();
        let yesterday = SaltDay { day: day.day.saturating_sub(1), ..day };
        let previous = self.prolonged(yesterday);
        let current = match self.prolonged(day) {
            Some(salt) => salt,
            None => self.made(day)?,
        };
        Ok(DaySalts { current, previous })
    }

    fn living(&self, day: i32, now: TimestampMs) -> Option<&Entry> {
        let at = self.entries.binary_search_by_key(&day, |entry| entry.day).ok()?;
        self.entries.get(at).filter(|entry| entry.ends > now)
    }

    fn prolonged(&mut self, day: SaltDay) -> Option<Salt> {
        let ends = grained_end(day, self.newest_time);
        let at = self.entries.binary_search_by_key(&day.day, |entry| entry.day).ok()?;
        let entry = self.entries.get_mut(at)?;
        entry.ends = entry.ends.max(ends);
        Some(entry.salt)
    }

    fn made(&mut self, day: SaltDay) -> Result<Salt, StorageError> {
        let mut salt = Salt::default();
        getrandom::fill(&mut salt).map_err(|error| StorageError::Io {
            op: "get random bytes for",
            path: PathBuf::from("salts"),
            kind: std::io::ErrorKind::Other,
            message: error.to_string(),
        })?;
        let entry = Entry { day: day.day, ends: grained_end(day, self.newest_time), salt };
        let at = self.entries.partition_point(|other| other.day < day.day);
        self.entries.insert(at, entry);
        Ok(salt)
    }

    fn drop_ended(&mut self) {
        let now = self.newest_time;
        self.entries.retain(|entry| entry.ends > now);
    }
}

/// When the last of the days is over in which the day's salt is kept as a matter of course.
fn kept_until(day: SaltDay) -> TimestampMs {
    (i64::from(day.day) + 1 + DAYS_KEPT) * DAY_MS - day.offset_ms
}

/// Until when a salt that is used `now` must live at least.
fn needed_until(day: SaltDay, now: TimestampMs) -> TimestampMs {
    let kept = kept_until(day);
    if now < kept { kept } else { now + LATE_USE_MS }
}

/// The end to write for a salt that is used `now`, so that it need not be written at each use.
fn grained_end(day: SaltDay, now: TimestampMs) -> TimestampMs {
    let needed = needed_until(day, now);
    if now < kept_until(day) { needed } else { (needed.div_euclid(TIME_GRAIN_MS) + 1) * TIME_GRAIN_MS }
}

fn encode(state: &State) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + state.entries.len() * ENTRY_BYTES + 4);
    bytes.extend_from_slice(MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&state.newest_time.to_le_bytes());
    bytes.extend_from_slice(&(state.entries.len() as u32).to_le_bytes());
    for entry in &state.entries {
        bytes.extend_from_slice(&entry.day.to_le_bytes());
        bytes.extend_from_slice(&entry.ends.to_le_bytes());
        bytes.extend_from_slice(&entry.salt);
    }
    let checksum = crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Refuses a folder whose salts a newer program wrote; nothing else of them is read.
///
/// # Errors
/// [`StorageError::Version`].
pub fn check_version(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    let path = folder.join(NAME);
    let mut head = [0; MAGIC.len() + 1];
    match fs.open_to_read(&path).and_then(|file| file.read_at(0, &mut head)) {
        Ok(()) => check_head(&path, &head),
        // Whoever needs it tells what is wrong.
        Err(_) => Ok(()),
    }
}

/// The version is the digit behind the magic.
fn check_head(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let version = bytes.strip_prefix(MAGIC).and_then(<[u8]>::first);
    match version {
        Some(version @ b'0'..=b'9') if *version > VERSION => Err(StorageError::Version {
            path: path.to_path_buf(),
            found: u32::from(version - b'0'),
            supported: u32::from(VERSION - b'0'),
        }),
        _ => Ok(()),
    }
}

fn decode(path: &Path, bytes: &[u8]) -> Result<State, StorageError> {
    let corrupt = |offset: usize, what: &str| StorageError::corrupt(path, offset as u64, what);
    let body = bytes.strip_prefix(MAGIC).ok_or_else(|| corrupt(0, "it is not a file of salts"))?;
    check_head(path, bytes)?;
    if body.first() != Some(&VERSION) {
        return Err(corrupt(MAGIC.len(), "the version is unreadable"));
    }
    let (checked, checksum) =
        bytes.split_last_chunk::<4>().ok_or_else(|| corrupt(bytes.len(), "it is cut short"))?;
    if crc32c(checked) != u32::from_le_bytes(*checksum) {
        return Err(corrupt(checked.len(), "the checksum does not fit"));
    }
    parse_checked(checked).ok_or_else(|| corrupt(HEAD_BYTES, "the number of salts does not fit the length"))
}

/// Reads what the checksum vouches for.
fn parse_checked(bytes: &[u8]) -> Option<State> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let newest_time = i64::from_le_bytes(*head.get(8..)?.first_chunk()?);
    let count = u32::from_le_bytes(*head.get(16..)?.first_chunk()?) as usize;
    if rest.len() != count.checked_mul(ENTRY_BYTES)? {
        return None;
    }
    let entries = rest.chunks_exact(ENTRY_BYTES).map(|entry| {
        let (day, rest) = entry.split_first_chunk::<4>()?;
        let (ends, rest) = rest.split_first_chunk::<8>()?;
        let salt = *rest.first_chunk()?;
        Some(Entry { day: i32::from_le_bytes(*day), ends: i64::from_le_bytes(*ends), salt })
    });
    let entries: Vec<Entry> = entries.collect::<Option<_>>()?;
    entries.is_sorted_by(|a, b| a.day < b.day).then_some(State { newest_time, entries })
}

#[cfg(test)]
#[path = "salts_tests.rs"]
mod tests;
