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
//! each other are compared, so the visitors of no more than those are read.
//!
//! The visitors of marked sessions are numbered, so that a count can have a bit for each.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Source;
use super::roster::Roster;
use crate::error::StorageError;
use crate::scan::bits::Bits;
use crate::scan::common::{Head, common};
use crate::scan::count::Recurrence;
use crate::scan::recurring::{DAYS_APART_MAX, recurring_within};
use crate::segment::table::{FLAG_GIVEN_ID, KnownVisitors, OwnedRanks, SiteTable, Visitors};
use crate::units::{SegmentId, SiteId, TimestampMs};

/// Numbers of so many visitors who are marked nowhere are kept rather than giving all others new ones; tests have few.
const FORGOTTEN_MIN: usize = if cfg!(test) { 4 } else { 1 << 16 };

/// A set of sessions for each of a list of sources.
#[derive(Debug, Clone, Default)]
pub struct Recurring {
    marks: Vec<Arc<Marks>>,
    roster: Roster,
}

/// The marked sessions of a source.
#[derive(Debug, Clone, Default)]
struct Marks {
    bits: Bits,
    /// The same, by rank.
    places: OwnedRanks,
    /// The numbers of their visitors.
    numbers: Vec<u32>,
}

/// The marks of the files of each site that were asked about so far. Files never change. Two to three bits a session, four
/// bytes for one that is marked, and twelve for its visitor.
#[derive(Default)]
pub struct RecurringCache {
    sites: Mutex<HashMap<SiteId, KnownMarks>>,
}

/// The marks of some segments and indexes of a site, in the order in which somebody first asked about them.
#[derive(Debug, Clone, Default)]
pub struct KnownMarks {
    files: Vec<SegmentId>,
    marks: Recurring,
}

impl KnownMarks {
    /// The marks of these files, when all are known.
    pub fn of(&self, files: &[SegmentId]) -> Option<Recurring> {
        let place = |file: &SegmentId| self.files.iter().position(|known| known == file);
        let places: Option<Vec<usize>> = files.iter().map(place).collect();
        places.map(|places| self.marks.only(places))
    }

    /// The files that are known, and these: what [`Self::extended`] needs the tables of.
    pub fn files_with(&self, files: &[SegmentId]) -> Vec<SegmentId> {
        let new = files.iter().filter(|file| !self.files.contains(file));
        self.files.iter().chain(new).copied().collect()
    }

    /// With more files: `files` are those of [`Self::files_with`], `sources` their tables.
    ///
    /// # Errors
    /// Visitors of an index could not be read.
    pub fn extended(&self, files: Vec<SegmentId>, sources: &[Source<'_>]) -> Result<Self, StorageError> {
        Ok(Self { marks: self.marks.extend(sources)?, files })
    }

    /// Without the files that are gone. Those that stay keep marks of visitors who recurred in these only.
    fn without_gone(&self, is_live: impl Fn(SegmentId) -> bool) -> Self {
        let known = self.files.iter().copied().enumerate();
        let (places, files): (Vec<usize>, _) = known.filter(|(_, file)| is_live(*file)).unzip();
        let marks = self.marks.only(places);
        if marks.is_mostly_forgotten() { Self::default() } else { Self { files, marks } }
    }
}

impl RecurringCache {
    /// The marks of these segments and indexes of a site, when all are known.
    pub fn known(&self, site: SiteId, files: &[SegmentId]) -> Option<Recurring> {
        self.lock().get(&site)?.of(files)
    }

    /// All that is known of a site's files that live still.
    pub fn all_known(&self, site: SiteId, is_live: impl Fn(SegmentId) -> bool) -> KnownMarks {
        let known = self.lock().get(&site).cloned().unwrap_or_default();
        known.without_gone(is_live)
    }

    /// Keeps what is known of a site's files.
    pub fn keep(&self, site: SiteId, known: KnownMarks) {
        self.lock().insert(site, known);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SiteId, KnownMarks>> {
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
        self.extend_for(sources, &(TimestampMs::MIN..TimestampMs::MAX))
    }

    /// The same for a query over a span: what is new and has nothing in the span is left without marks.
    ///
    /// # Errors
    /// Visitors of an index could not be read.
    pub fn extend_for(
        &self,
        sources: &[Source<'_>],
        span: &Range<TimestampMs>,
    ) -> Result<Self, StorageError> {
        let (mut marks, mut roster) = (self.marks.clone(), self.roster.clone());
        marks.truncate(sources.len());
        for (at, source) in sources.iter().enumerate().skip(marks.len()) {
            if !source.table.runs.iter().any(|run| run.may_touch(span)) {
                marks.push(Arc::default());
                continue;
            }
            let mut own = Marks::within(&source.table, &mut roster);
            for (other, theirs) in sources.iter().zip(&mut marks).take(at) {
                let (found_own, found_theirs) = between(&source.table, &other.table, &own, theirs)?;
                if !found_own.is_empty() {
                    own.add(found_own, &mut roster);
                }
                if !found_theirs.is_empty() {
                    Arc::make_mut(theirs).add(found_theirs, &mut roster);
                }
            }
            marks.push(Arc::new(own));
        }
        Ok(Self { marks, roster })
    }

    /// The marks of some of the sources, by their numbers.
    pub fn only(&self, sources: impl IntoIterator<Item = usize>) -> Self {
        let marks = sources.into_iter().map(|source| self.marks.get(source).cloned().unwrap_or_default());
        Self { marks: marks.collect(), roster: self.roster.clone() }
    }

    /// Whether most visitors that have numbers are marked nowhere any more, since their files have gone.
    fn is_mostly_forgotten(&self) -> bool {
        let marked: usize = self.marks.iter().map(|marks| marks.numbers.len()).sum();
        self.roster.len() > 2 * marked + FORGOTTEN_MIN
    }

    /// How many sources it was found for.
    pub fn source_count(&self) -> usize {
        self.marks.len()
    }

    /// No marks in so many sources.
    pub(super) fn nowhere(source_count: usize) -> Self {
        Self { marks: vec![Arc::default(); source_count], roster: Roster::default() }
    }

    /// The marked sessions of a source; `None` when there are none.
    pub(crate) fn of_source(&self, source: usize) -> Option<&Bits> {
        self.marks.get(source).map(|marks| &marks.bits).filter(|bits| !bits.is_empty())
    }

    /// The numbers of the visitors of a source's marked sessions; `None` when there are none.
    pub(super) fn numbers_of(&self, source: usize) -> Option<Recurrence<'_>> {
        let marks = self.marks.get(source).filter(|marks| !marks.numbers.is_empty())?;
        Some(Recurrence { places: marks.places.as_ranks(), numbers: &marks.numbers })
    }

    /// How many visitors have numbers.
    pub(super) fn visitor_count(&self) -> usize {
        self.roster.len()
    }
}

/// Sessions that are to be marked, and their visitors.
type Found = Vec<(usize, u64)>;

impl Marks {
    fn within(table: &SiteTable<'_>, roster: &mut Roster) -> Self {
        let mut bits = Bits::new(table.session_count());
        let visitors = match table.visitors {
            Visitors::All(visitors) => {
                let is_given = |session| table.states.flags(session) & FLAG_GIVEN_ID != 0;
                bits = recurring_within(table.runs, visitors, is_given);
                let mut marked = Vec::new();
                bits.for_each_in(0..bits.len(), |session| marked.extend(visitors.get(session).copied()));
                marked
            }
            // The index was made with all of them at hand.
            Visitors::Some(KnownVisitors { sessions, ids }) => {
                let known = sessions.iter().map(|&session| session as usize).zip(ids.iter().copied());
                let mut known: Found = known.filter(|known| known.0 < bits.len()).collect();
                // They ascend already, unless the file was made wrong.
                known.sort_unstable();
                known.dedup_by_key(|known| known.0);
                known.iter().for_each(|known| bits.insert(known.0));
                known.into_iter().map(|known| known.1).collect()
            }
            Visitors::OfRows(..) => {
                bits.insert_range(0..bits.len());
                (0..bits.len()).map(|session| table.visitors.get(session).unwrap_or(0)).collect()
            }
        };
        let numbers = roster.numbers_of(&visitors);
        Self { places: places(&bits), bits, numbers }
    }

    /// Marks sessions that are not yet.
    fn add(&mut self, mut found: Found, roster: &mut Roster) {
        found.sort_unstable();
        found.dedup_by_key(|found| found.0);
        let visitors: Vec<u64> = found.iter().map(|found| found.1).collect();
        let mut new = found.iter().map(|found| found.0).zip(roster.numbers_of(&visitors)).peekable();
        let mut known = std::mem::take(&mut self.numbers).into_iter();
        found.iter().for_each(|&(session, _)| self.bits.insert(session));
        let Self { bits, numbers, .. } = self;
        bits.for_each_in(0..bits.len(), |session| match new.next_if(|new| new.0 == session) {
            Some((_, number)) => numbers.push(number),
            None => numbers.extend(known.next()),
        });
        self.places = places(&self.bits);
    }
}

fn places(bits: &Bits) -> OwnedRanks {
    let mut places = OwnedRanks::default();
    bits.for_each_in(0..bits.len(), |session| _ = places.push(session));
    places.finish(bits.len())
}

/// What is to be marked of two tables: the visitors that they share, in runs of the same day or of days that are near each
/// other.
fn between(
    a: &SiteTable<'_>,
    b: &SiteTable<'_>,
    in_a: &Marks,
    in_b: &Marks,
) -> Result<(Found, Found), StorageError> {
    let (mut found_a, mut found_b) = (Found::new(), Found::new());
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
                let (session_a, session_b) =
                    (run.first_session as usize + i, other.first_session as usize + j);
                let visitor = ours.get(i).copied().unwrap_or_default();
                if !in_a.bits.contains(session_a) {
                    found_a.push((session_a, visitor));
                }
                if !in_b.bits.contains(session_b) {
                    found_b.push((session_b, visitor));
                }
            });
        }
    }
    Ok((found_a, found_b))
}

fn head(visitors: &[u64]) -> Head<'_> {
    Head { keys: visitors, rest: 0..visitors.len() }
}
