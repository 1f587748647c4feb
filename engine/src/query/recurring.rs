//! Which sessions belong to visitors that may have sessions in other runs: on other days, or on the same day in
//! another source.
//!
//! Distinct visitors of several runs add up, except for ids that recur. An id that a site gave may recur on any
//! day, and is marked wherever it occurs; an id minted under a daily salt can only recur within a few days, and is
//! marked where it does. Marking too many is slower, never wrong; hidden sessions are marked like others.
//!
//! The marks of a set of sources never lose by adding a source, so the marks of sealed segments can be kept and
//! extended by those of the open one.
//!
//! An index has the visitors of the sessions that recur within its file. Between files only runs of days that are near
//! each other are compared, so the visitors of no more than those are read; what is found to recur is kept with its
//! visitor.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Source;
use crate::error::StorageError;
use crate::scan::bits::Bits;
use crate::scan::common::{Head, common};
use crate::scan::recurring::{DAYS_APART_MAX, recurring_within};
use crate::segment::table::{FLAG_GIVEN_ID, KnownVisitors, SiteTable, Visitors};
use crate::units::{SegmentId, SiteId};

/// A set of sessions for each of a list of sources.
#[derive(Debug, Clone, Default)]
pub struct Recurring {
    marks: Vec<Arc<Marks>>,
}

/// The marked sessions of a source.
#[derive(Debug, Clone, Default)]
struct Marks {
    bits: Bits,
    /// Those of them whose visitors the source has not at hand, ascending.
    sessions: Vec<u32>,
    /// Their visitors.
    visitors: Vec<u64>,
}

/// The marks of each site's files, which never change. One bit a session.
#[derive(Default)]
pub struct RecurringCache {
    sites: Mutex<HashMap<SiteId, (Vec<SegmentId>, Recurring)>>,
}

impl RecurringCache {
    /// The marks of all segments and indexes that a site has, when they are known.
    pub fn known(&self, site: SiteId, all: &[SegmentId]) -> Option<Recurring> {
        let sites = self.lock();
        sites.get(&site).filter(|(segments, _)| segments == all).map(|(_, marks)| marks.clone())
    }

    /// Finds the marks of all sources that are tables of the segments (or indexes) `all`. What is known of an earlier
    /// list is extended when that list is a beginning of this one.
    ///
    /// # Errors
    /// Visitors of an index could not be read.
    pub fn find(
        &self,
        site: SiteId,
        all: &[SegmentId],
        sources: &[Source<'_>],
    ) -> Result<Recurring, StorageError> {
        let (known, marks) = self.lock().get(&site).cloned().unwrap_or_default();
        let earlier = if all.starts_with(&known) { marks } else { Recurring::default() };
        let marks = earlier.extend(sources.get(..all.len()).unwrap_or(sources))?;
        self.lock().insert(site, (all.to_vec(), marks.clone()));
        Ok(marks)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SiteId, (Vec<SegmentId>, Recurring)>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recurring {
    /// The marks of these sources.
    ///
    /// # Errors
    /// Visitors of an index could not be read.
    pub fn find(sources: &[Source<'_>]) -> Result<Self, StorageError> {
        Self::default().extend(sources)
    }

    /// The marks of `sources`, of which the first ones are those that `self` was found for, unchanged and in the
    /// same order. Compares only what is new with everything; marks that gain nothing are shared with `self`.
    ///
    /// # Errors
    /// Visitors of an index could not be read.
    pub fn extend(&self, sources: &[Source<'_>]) -> Result<Self, StorageError> {
        let mut marks = self.marks.clone();
        marks.truncate(sources.len());
        for (at, source) in sources.iter().enumerate().skip(marks.len()) {
            let mut own = Marks::within(&source.table);
            for (other, theirs) in sources.iter().zip(&mut marks).take(at) {
                between(&source.table, &other.table, &mut own, theirs)?;
            }
            marks.push(Arc::new(own));
        }
        Ok(Self { marks })
    }

    /// The marks of some of the sources, by their numbers.
    pub fn only(&self, sources: impl IntoIterator<Item = usize>) -> Self {
        let marks = sources.into_iter().map(|source| self.marks.get(source).cloned().unwrap_or_default());
        Self { marks: marks.collect() }
    }

    /// How many sources it was found for.
    pub fn source_count(&self) -> usize {
        self.marks.len()
    }

    /// No marks in so many sources.
    pub(super) fn nowhere(source_count: usize) -> Self {
        Self { marks: vec![Arc::default(); source_count] }
    }

    /// The marked sessions of a source; `None` when there are none.
    pub(crate) fn of_source(&self, source: usize) -> Option<&Bits> {
        self.marks.get(source).map(|marks| &marks.bits).filter(|bits| !bits.is_empty())
    }

    /// The visitors of marked sessions that the source has not at hand.
    pub(super) fn visitors_of(&self, source: usize) -> KnownVisitors<'_> {
        self.marks.get(source).map_or(KnownVisitors::default(), |marks| KnownVisitors {
            sessions: &marks.sessions,
            ids: &marks.visitors,
        })
    }
}

impl Marks {
    fn within(table: &SiteTable<'_>) -> Self {
        let count = table.session_count();
        let bits = match table.visitors {
            Visitors::All(visitors) => recurring_within(table.runs, visitors, |session| {
                table.states.flags(session) & FLAG_GIVEN_ID != 0
            }),
            // The index was made with all of them at hand.
            Visitors::Some(known) => {
                let mut bits = Bits::new(count);
                known.sessions.iter().for_each(|&session| bits.insert(session as usize));
                bits
            }
            Visitors::OfRows(..) => {
                let mut bits = Bits::new(count);
                bits.insert_range(0..count);
                bits
            }
        };
        Self { bits, ..Self::default() }
    }

    /// Marks sessions of these visitors.
    fn add(&mut self, table: &SiteTable<'_>, found: &[(usize, u64)]) {
        let mut visitors: Vec<(u32, u64)> =
            self.sessions.iter().copied().zip(self.visitors.iter().copied()).collect();
        for &(session, visitor) in found {
            self.bits.insert(session);
            if table.visitors.get(session).is_none() {
                visitors.push((session as u32, visitor));
            }
        }
        visitors.sort_unstable();
        visitors.dedup();
        (self.sessions, self.visitors) = visitors.into_iter().unzip();
    }
}

/// Marks the visitors that two tables share, in runs of the same day or of days that are near each other.
fn between(
    a: &SiteTable<'_>,
    b: &SiteTable<'_>,
    in_a: &mut Marks,
    in_b: &mut Arc<Marks>,
) -> Result<(), StorageError> {
    let (mut found_a, mut found_b) = (Vec::new(), Vec::new());
    for run in a.runs {
        let first = b.runs.partition_point(|other| other.day.saturating_add(DAYS_APART_MAX) < run.day);
        let others = b.runs.get(first..).unwrap_or_default().iter();
        let mut near =
            others.take_while(|other| other.day <= run.day.saturating_add(DAYS_APART_MAX)).peekable();
        if near.peek().is_none() {
            continue;
        }
        let ours = a.visitors_of(run)?;
        for other in near {
            let theirs = b.visitors_of(other)?;
            common(head(&ours), head(&theirs), |i, j| {
                found_a.extend(ours.get(i).map(|&visitor| (run.first_session as usize + i, visitor)));
                found_b.extend(theirs.get(j).map(|&visitor| (other.first_session as usize + j, visitor)));
            });
        }
    }
    if !found_a.is_empty() {
        in_a.add(a, &found_a);
        Arc::make_mut(in_b).add(b, &found_b);
    }
    Ok(())
}

fn head(visitors: &[u64]) -> Head<'_> {
    Head { keys: visitors, rest: 0..visitors.len() }
}
