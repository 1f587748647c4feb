//! Which sessions an aggregate counts, and which of them it must not count any more.
//!
//! A visitor is covered when all its sessions of the source are, and lie on one local day; it then adds up over days,
//! and over sources as long as it recurs in none. Visitors that were found recurring, or one of whose sessions is
//! hidden, are not covered.
//!
//! Sums add up whoever recurs: for them recurring visitors are covered, too, on each day for itself.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::days::LocalDays;
use crate::query::Source;
use crate::scan::bits::Bits;
use crate::segment::table::{FLAG_FIRST, SiteTable, States, Visitors};
use crate::units::TimestampMs;

/// The day of a session that is not covered.
const NO_DAY: u16 = u16::MAX;

/// The sessions that an aggregate counts, while it is made.
pub(super) struct Covered {
    /// The sessions.
    pub sessions: Bits,
    /// The day of each session of the source.
    days: Vec<u16>,
}

impl Covered {
    /// Those of a source, `recurring` of whose sessions belong to recurring visitors.
    pub fn find(source: &Source<'_>, recurring: Option<&Bits>, days: &LocalDays) -> Self {
        let table = &source.table;
        let session_count = table.session_count();
        let mut covered = Self { sessions: Bits::new(session_count), days: vec![NO_DAY; session_count] };
        let is_left_out = |session: usize| {
            recurring.is_some_and(|bits| bits.contains(session))
                || source.hidden.is_some_and(|hidden| hidden.contains(session as u32))
        };
        for run in runs(table) {
            let mut first = run.start;
            while first < run.end {
                let visitor = same_visitor(table, &run, first);
                first = visitor.end;
                if visitor.clone().any(is_left_out) {
                    continue;
                }
                if let Some(day) = only_day(table, &visitor, days) {
                    covered.sessions.insert_range(visitor.clone());
                    covered.days[visitor].fill(day);
                }
            }
        }
        covered
    }

    /// The days that have covered sessions, ascending.
    pub fn days(&self) -> Vec<usize> {
        let mut days: Vec<u16> = self.days.iter().copied().filter(|&day| day != NO_DAY).collect();
        days.sort_unstable();
        days.dedup();
        days.into_iter().map(usize::from).collect()
    }

    /// The covered sessions of days from one to another.
    pub fn of_days(&self, first: usize, last: usize) -> Bits {
        let mut sessions = Bits::new(self.days.len());
        for (session, &day) in self.days.iter().enumerate() {
            if day != NO_DAY && (first..=last).contains(&usize::from(day)) {
                sessions.insert(session);
            }
        }
        sessions
    }
}

/// The sessions of each run.
fn runs(table: &SiteTable<'_>) -> impl Iterator<Item = Range<usize>> {
    let count = table.session_count();
    table.runs.iter().map(move |run| run.sessions(count))
}

/// The sessions from the first to the last run that can hold something within the span.
pub(super) fn sessions_near(table: &SiteTable<'_>, span: &Range<TimestampMs>) -> Range<usize> {
    let near = table.runs.iter().zip(runs(table)).filter(|(run, _)| run.may_touch(span));
    let mut near = near.map(|(_, sessions)| sessions);
    let first = near.next().unwrap_or_default();
    let (start, end) = (first.start, first.end);
    near.fold(start..end, |all, own| all.start.min(own.start)..all.end.max(own.end))
}

/// The sessions of the run that have the visitor of this one.
fn same_visitor(table: &SiteTable<'_>, run: &Range<usize>, session: usize) -> Range<usize> {
    let is_first = |session: &usize| *session == run.start || is_of_another(table, *session);
    let first = (run.start..=session).rev().find(is_first).unwrap_or(session);
    let end = (session + 1..run.end).find(is_first).unwrap_or(run.end);
    first..end
}

/// Whether a session that is not the first of its run has another visitor than the one before it.
fn is_of_another(table: &SiteTable<'_>, session: usize) -> bool {
    match (table.visitors, table.states) {
        (Visitors::All(visitors), States::Columns(_)) => visitors.get(session) != visitors.get(session - 1),
        (_, states) => states.flags(session) & FLAG_FIRST != 0,
    }
}

/// The day on which all rows of these sessions lie, if it is one.
fn only_day(table: &SiteTable<'_>, sessions: &Range<usize>, days: &LocalDays) -> Option<u16> {
    let start = sessions.clone().filter_map(|session| table.times.start(session)).min()?;
    let last = sessions.clone().filter_map(|session| table.times.last(session)).max()?;
    let day = days.day_of(start)?;
    (days.day_of(last) == Some(day)).then_some(day as u16)
}

/// Takes out of `sessions`, which are covered, those that end within one of these spans; a covered session lies within
/// or outside each of them.
pub(super) fn leave_out_spans(table: &SiteTable<'_>, sessions: &mut Bits, spans: &[Range<TimestampMs>]) {
    if spans.is_empty() {
        return;
    }
    let is_within = |at: i64| spans.iter().any(|span| span.contains(&at));
    for (run, own) in table.runs.iter().zip(runs(table)) {
        let mut near = spans.iter().filter(|span| run.may_touch(span));
        let Some(first) = near.next() else { continue };
        if first.start <= run.min_time && run.max_time < first.end {
            sessions.remove_range(own);
        } else {
            sessions.retain_in(own, |session| !table.times.last(session).is_some_and(is_within));
        }
    }
}

/// Takes out of `sessions`, which are covered, those that cannot be counted with others any more, and gives them:
/// those of visitors that recur now, and of visitors one of whose sessions is hidden now.
pub(super) fn leave_out_stale(source: &Source<'_>, sessions: &mut Bits, recurring: Option<&Bits>) -> Bits {
    let mut stale = match recurring {
        Some(recurring) => {
            let mut both = sessions.clone();
            both.intersect(recurring);
            both
        }
        None => sessions.emptied(),
    };
    let hidden = source.hidden.into_iter().flat_map(RoaringBitmap::iter).map(|session| session as usize);
    let own_runs: Vec<Range<usize>> = runs(&source.table).collect();
    for session in hidden.filter(|&session| sessions.contains(session)) {
        let run = own_runs.partition_point(|run| run.end <= session);
        if let Some(run) = own_runs.get(run) {
            stale.insert_range(same_visitor(&source.table, run, session));
        }
    }
    sessions.remove_all(&stale);
    stale
}
