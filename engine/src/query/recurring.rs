//! Which sessions belong to visitors that may have sessions in other runs: on other days, or on the same day in
//! another source.
//!
//! Distinct visitors of several runs add up, except for ids that recur. An id that a site gave may recur on any
//! day, and is marked wherever it occurs; an id minted under a daily salt can only recur within a few days, and is
//! marked where it does. Marking too many is slower, never wrong; hidden sessions are marked like others.
//!
//! The marks of a set of sources never lose by adding a source, so the marks of sealed segments can be kept and
//! extended by those of the open one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Source;
use crate::scan::bits::Bits;
use crate::scan::common::{Head, common};
use crate::segment::table::{FLAG_GIVEN_ID, Run, SiteTable};
use crate::units::{SegmentId, SiteId};

/// Ids minted under a daily salt recur in runs at most this many days apart. All others must be marked in all of their
/// sessions ([`FLAG_GIVEN_ID`]).
pub const DAYS_APART_MAX: u32 = 3;

/// A set of sessions for each of a list of sources.
#[derive(Debug, Clone, Default)]
pub struct Recurring {
    marks: Vec<Arc<Bits>>,
}

/// The marks of each site's sealed segments, which never change. One bit a session.
#[derive(Default)]
pub struct RecurringCache {
    sites: Mutex<HashMap<SiteId, (Vec<SegmentId>, Recurring)>>,
}

impl RecurringCache {
    /// The marks of the first sources, which are the tables of the segments `sealed`. What is known of an earlier
    /// list of segments is extended when that list is a beginning of this one.
    pub fn of_sealed(&self, site: SiteId, sealed: &[SegmentId], sources: &[Source<'_>]) -> Recurring {
        let known = self.lock().get(&site).cloned();
        let (known_segments, marks) = known.unwrap_or_default();
        if known_segments == sealed {
            return marks;
        }
        let earlier = if sealed.starts_with(&known_segments) { marks } else { Recurring::default() };
        let marks = earlier.extend(sources.get(..sealed.len()).unwrap_or(sources));
        self.lock().insert(site, (sealed.to_vec(), marks.clone()));
        marks
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SiteId, (Vec<SegmentId>, Recurring)>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recurring {
    /// The marks of these sources.
    pub fn find(sources: &[Source<'_>]) -> Self {
        Self::default().extend(sources)
    }

    /// The marks of `sources`, of which the first ones are those that `self` was found for, unchanged and in the
    /// same order. Compares only what is new with everything; marks that gain nothing are shared with `self`.
    pub fn extend(&self, sources: &[Source<'_>]) -> Self {
        let mut marks = self.marks.clone();
        marks.truncate(sources.len());
        for (at, source) in sources.iter().enumerate().skip(marks.len()) {
            let mut own = Self::within(&source.table);
            for (other, theirs) in sources.iter().zip(&mut marks).take(at) {
                between(&source.table, &other.table, &mut own, theirs);
            }
            marks.push(Arc::new(own));
        }
        Self { marks }
    }

    /// How many sources it was found for.
    pub fn source_count(&self) -> usize {
        self.marks.len()
    }

    /// The marked sessions of a source; `None` when there are none.
    pub(super) fn of_source(&self, source: usize) -> Option<&Bits> {
        self.marks.get(source).map(Arc::as_ref).filter(|bits| !bits.is_empty())
    }

    fn within(table: &SiteTable<'_>) -> Bits {
        let mut marks = Bits::new(table.session_count());
        for (session, flags) in table.flags.iter().enumerate() {
            if flags & FLAG_GIVEN_ID != 0 {
                marks.insert(session);
            }
        }
        for (at, run) in table.runs.iter().enumerate() {
            for later in table.runs.iter().skip(at + 1).take_while(|later| near(run, later)) {
                common(head(table, run), head(table, later), |a, b| {
                    marks.insert(a);
                    marks.insert(b);
                });
            }
        }
        marks
    }
}

/// Marks the visitors that two tables share, in runs of the same day or of days that are near each other.
fn between(a: &SiteTable<'_>, b: &SiteTable<'_>, in_a: &mut Bits, in_b: &mut Arc<Bits>) {
    let mut found = Vec::new();
    for run in a.runs {
        let first = b.runs.partition_point(|other| other.day.saturating_add(DAYS_APART_MAX) < run.day);
        let others = b.runs.get(first..).unwrap_or_default();
        for other in others.iter().take_while(|other| other.day <= run.day.saturating_add(DAYS_APART_MAX)) {
            common(head(a, run), head(b, other), |i, j| {
                in_a.insert(i);
                found.push(j);
            });
        }
    }
    if !found.is_empty() {
        let bits = Arc::make_mut(in_b);
        found.into_iter().for_each(|session| bits.insert(session));
    }
}

fn near(a: &Run, b: &Run) -> bool {
    a.day.abs_diff(b.day) <= DAYS_APART_MAX
}

fn head<'a>(table: &SiteTable<'a>, run: &Run) -> Head<'a> {
    let count = table.session_count();
    let first = (run.first_session as usize).min(count);
    Head { keys: table.visitor, rest: first..first.saturating_add(run.session_count as usize).min(count) }
}
