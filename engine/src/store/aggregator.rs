//! Keeps the aggregates of the lake's files: takes those that are there, makes those that are missing or of other days.

use std::path::Path;

use super::compactor::CompactionSettings;
use crate::aggregate::{self, Aggregate, LocalDays};
use crate::error::{CompactionError, QueryError, StorageError};
use crate::lake::LakeContext;
use crate::snapshot::Snapshot;
use crate::units::{SegmentId, SiteId};
use crate::vfs;

/// Files with fewer rows are scanned, unless settings say otherwise.
pub const AGGREGATE_ROWS_MIN: u64 = 16 << 10;

/// Registers the aggregates that are there. No file of the lake is opened for it. What is wrong with one is told by [`keep`].
pub(super) fn take_all(context: &LakeContext, snapshot: &Snapshot, settings: &CompactionSettings) {
    for (site, lake) in snapshot.lake().sites() {
        for file in &lake.files {
            let _ = take(context, snapshot, settings, (file.file.number(), site));
        }
    }
}

/// Registers an aggregate for each large file of the lake. `stopped` gives a reason to stop.
///
/// # Errors
/// An aggregate could not be written; queries do without it. Gives the bytes that were written.
pub(super) fn keep(
    context: &LakeContext,
    snapshot: &Snapshot,
    settings: &CompactionSettings,
    stopped: &(dyn Fn() -> Option<&'static str> + Sync),
) -> Result<u64, CompactionError> {
    remove_damaged(context, snapshot)?;
    let mut written = 0;
    let mut live = Vec::new();
    for (site, lake) in snapshot.lake().sites() {
        for file in lake.files.iter().filter(|file| file.entry.rows >= settings.aggregate_rows_min) {
            let name = (file.file.number(), site);
            live.push(name);
            let known = snapshot.aggregates().get(name.0, site);
            if known.is_some_and(|known| is_current(&known, settings))
                || take(context, snapshot, settings, name)?
            {
                continue;
            }
            let Some(span) = snapshot.span_of(file) else { continue };
            let Some(days) = (settings.days_of)(site, &span) else { continue };
            written += make(context, snapshot, name, &days, stopped)?;
        }
    }
    snapshot.aggregates().retain(|number, site| live.contains(&(number, site)));
    Ok(written)
}

/// Removes the aggregates in which queries met damage, so that they are made anew.
fn remove_damaged(context: &LakeContext, snapshot: &Snapshot) -> Result<(), StorageError> {
    for damage in snapshot.aggregates().take_damage() {
        let StorageError::Corrupt { path, .. } = damage else { continue };
        if context.fs.exists(&path)? {
            context.fs.remove(&path)?;
        }
    }
    Ok(())
}

/// Whether the days of an aggregate are those that its site has now.
fn is_current(aggregate: &Aggregate, settings: &CompactionSettings) -> bool {
    let days = aggregate.days();
    (settings.days_of)(aggregate.site(), &days.span()).is_some_and(|now| now == *days)
}

/// Registers the aggregate that is there, if it is of the site's days. One that is damaged is made anew.
fn take(
    context: &LakeContext,
    snapshot: &Snapshot,
    settings: &CompactionSettings,
    (number, site): (SegmentId, SiteId),
) -> Result<bool, StorageError> {
    let path = aggregate::path(&context.folder, number.0);
    if !context.fs.exists(&path)? {
        return Ok(false);
    }
    let Ok(found) = Aggregate::of(&path, context.fs.map(&path)?) else { return Ok(false) };
    let fits = (found.source(), found.site()) == (number, site) && is_current(&found, settings);
    if fits {
        snapshot.aggregates().register(found);
    }
    Ok(fits)
}

/// Makes, writes and registers an aggregate; gives its bytes.
fn make(
    context: &LakeContext,
    snapshot: &Snapshot,
    (number, site): (SegmentId, SiteId),
    days: &LocalDays,
    stopped: &(dyn Fn() -> Option<&'static str> + Sync),
) -> Result<u64, CompactionError> {
    let made = snapshot.build_aggregate(site, number, days, stopped).map_err(|error| match error {
        QueryError::Storage(error) => CompactionError::Storage(error),
        error => CompactionError::Aggregate(error.to_string()),
    })?;
    let Some(bytes) = made else { return Ok(0) };
    let path = aggregate::path(&context.folder, number.0);
    write(context, &path, &bytes)?;
    snapshot.aggregates().register(Aggregate::of(&path, context.fs.map(&path)?)?);
    Ok(bytes.len() as u64)
}

fn write(context: &LakeContext, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    vfs::replace(&*context.fs, path, bytes, false)
}
