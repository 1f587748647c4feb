//! Counts of immutable sources, made beforehand, from which questions without a filter, or about one group, are answered
//! without a scan.
//!
//! An aggregate belongs to one site in one source. For each local day (week and month, where groups are many) of the site's
//! zone it has the counts of each of a fixed list of groupings, over sessions whose visitors occur on that day and in
//! that source alone: those add up. A query takes the counts of the days that it is about and scans only the rest:
//! sessions that are not covered, sources without aggregates, days of which it wants a part. What was covered and
//! cannot be any more, since its visitor turned up elsewhere or its session was superseded, is counted by the scan
//! and taken off what is known. So an answer is always that of a scan.
//!
//! Days are told by their first moments. A question about days of another zone, or of a zone whose rules have changed,
//! finds days cut and scans them.

mod build;
mod cache;
mod covered;
mod days;
mod entries;
mod file;
mod plan;
mod specs;
#[cfg(test)]
mod tests;
mod titles;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use build::{Making, build};
pub use days::{DAYS_MAX, LocalDays};
pub use file::Aggregate;

use crate::error::{QueryError, StorageError};
use crate::index::Needs;
use crate::query::{Cancelled, Known, Query, Recurring, Source};
use crate::segment::cold::ColdNumber;
use crate::units::{SegmentId, SiteId};
use cache::Cache;
use entries::Entries;
use plan::Part;
use specs::Spec;

/// Bytes of decoded counts that are held, unless set otherwise.
pub const CACHE_BYTES: usize = 64 << 20;

/// Files of aggregates are named so, and the number of their source.
pub const PREFIX: &str = "aggregate-";

/// The path of aggregate file `number` of a folder.
pub fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:016x}"))
}

/// What must be loaded of a lake file before its aggregate is made.
pub fn needs() -> Needs {
    let mut needs = Needs::nothing(i64::MIN..i64::MAX);
    needs.numbers.push(ColdNumber::EventDuration);
    needs
}

/// The aggregates that queries use.
pub struct Aggregates {
    all: Mutex<HashMap<(SegmentId, SiteId), Arc<Aggregate>>>,
    cache: Cache,
    damage: Mutex<Vec<StorageError>>,
}

impl Default for Aggregates {
    fn default() -> Self {
        Self::new(CACHE_BYTES)
    }
}

impl Aggregates {
    /// None yet. Decoded counts take this many bytes at most.
    pub fn new(cache_bytes: usize) -> Self {
        Self { all: Mutex::default(), cache: Cache::new(cache_bytes), damage: Mutex::default() }
    }

    /// Has queries use an aggregate, instead of an earlier one of the same source and site.
    pub fn register(&self, aggregate: Aggregate) {
        let key = (aggregate.source(), aggregate.site());
        self.lock().insert(key, Arc::new(aggregate));
        self.cache.drop_source(key.0, key.1);
    }

    /// The aggregate of a site in a source.
    pub fn get(&self, source: SegmentId, site: SiteId) -> Option<Arc<Aggregate>> {
        self.lock().get(&(source, site)).cloned()
    }

    /// Keeps only the aggregates of these sources.
    pub fn retain(&self, is_live: impl Fn(SegmentId, SiteId) -> bool) {
        let gone: Vec<_> = self.lock().extract_if(|key, _| !is_live(key.0, key.1)).collect();
        gone.iter().for_each(|((source, site), _)| self.cache.drop_source(*source, *site));
    }

    /// Damage that queries met; an aggregate that has any is not used any more.
    pub fn take_damage(&self) -> Vec<StorageError> {
        std::mem::take(&mut self.damage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Bytes of decoded counts that are held.
    pub fn cache_bytes(&self) -> usize {
        self.cache.byte_count()
    }

    /// What is known of the answer to a query over these sources, of which the numbers tell those that never change.
    /// `recurring` must have been found for all of them.
    ///
    /// # Errors
    /// As [`crate::query::execute()`].
    pub fn known(
        &self,
        sources: &[Source<'_>],
        numbers: &[Option<SegmentId>],
        recurring: &Recurring,
        query: &Query,
        cancelled: Cancelled<'_>,
    ) -> Result<Vec<Known<'static>>, QueryError> {
        let Some(whole) = Spec::of(query) else { return Ok(Vec::new()) };
        let by_weeks = whole.by_weeks();
        let mut known = Vec::new();
        for (number, (source, id)) in sources.iter().zip(numbers).enumerate() {
            let Some(aggregate) = id.and_then(|id| self.get(id, query.site)) else { continue };
            let cuts_month =
                [query.span.start, query.span.end].iter().any(|&at| aggregate.days().cuts_month(at));
            let by_weeks = by_weeks.filter(|spec| cuts_month && aggregate.has(spec));
            let spec = by_weeks.unwrap_or(whole);
            if !aggregate.days().has_period_within(spec.grain, &query.span) {
                continue;
            }
            let fits = aggregate.covered(spec).len() == source.table.session_count();
            if !fits || !plan::are_of_use(source, &aggregate, spec, query) {
                continue;
            }
            let Some(entries) = self.entries(&aggregate, spec) else { continue };
            let recurring = recurring.of_source(number);
            let part = Part { number, source, recurring, aggregate: &aggregate, entries };
            known.extend(plan::known(&part, spec, query, cancelled)?);
        }
        Ok(known)
    }

    fn entries(&self, aggregate: &Aggregate, spec: &Spec) -> Option<Arc<Entries>> {
        if !aggregate.has(spec) {
            return None;
        }
        let key = (aggregate.source(), aggregate.site(), spec.id);
        if let Some(entries) = self.cache.get(key) {
            return Some(entries);
        }
        match aggregate.entries(spec) {
            Ok(entries) => {
                let entries = Arc::new(entries?);
                self.cache.put(key, &entries);
                Some(entries)
            }
            Err(damage) => {
                self.lock().remove(&(key.0, key.1));
                self.cache.drop_source(key.0, key.1);
                self.damage.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(SegmentId, SiteId), Arc<Aggregate>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
