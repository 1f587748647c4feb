//! What there is to compact: the sessions of sealed segments that are likely to stay as they are.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::plan::{Situation, Waiting};
use crate::segment::table::SiteTable;
use crate::snapshot::Snapshot;
use crate::units::{SiteId, TimestampMs};

impl Situation {
    /// What there is to compact of sessions whose last activity is before `settled`. Sites without a host name are left
    /// out, what is damaged, and what would go to a file that is.
    pub fn of(snapshot: &Snapshot, host_of: &dyn Fn(SiteId) -> Option<String>, settled: TimestampMs) -> Self {
        let mut situation = Self { segment_count: snapshot.sealed().len(), ..Self::default() };
        for view in snapshot.sealed() {
            let waits = |site: &SiteId| snapshot.importing != Some(*site) && host_of(*site).is_some();
            for site in view.segment.sites().filter(waits) {
                let Ok(Some(table)) = view.segment.table(site) else { continue };
                let hidden = hidden_or_later(&table, view.superseded.get(&site), settled);
                let lake = snapshot.lake().site(site);
                let is_stuck = |day| lake.is_some_and(|lake| lake.is_stuck(|key| key.contains(day)));
                for run in table.runs.iter().filter(|run| !is_stuck(run.day_utc())) {
                    let rows = live_rows(&table, run.sessions(table.session_count()), &hidden);
                    if rows > 0 {
                        let fresh = Waiting { rows: 0, oldest: view.segment.id() };
                        let waiting = situation.waiting.entry((site, run.day_utc())).or_insert(fresh);
                        waiting.rows += rows;
                        waiting.oldest = waiting.oldest.min(view.segment.id());
                    }
                }
            }
        }
        for (site, live) in snapshot.lake().sites() {
            let files = live.files.iter().map(|file| ((site, file.key), file.entry.rows));
            situation.files.extend(files);
        }
        situation
    }
}

/// An index has times before this: whole seconds in 32 bits.
const INDEX_TIME_END: TimestampMs = (1 << 32) * 1000;

/// The sessions that are hidden, those with activity from `settled` on, and those at times that no index has.
pub(super) fn hidden_or_later(
    table: &SiteTable<'_>,
    hidden: Option<&RoaringBitmap>,
    settled: TimestampMs,
) -> RoaringBitmap {
    let mut found = hidden.cloned().unwrap_or_default();
    let times = 0..settled.min(INDEX_TIME_END);
    for run in table.runs.iter().filter(|run| run.min_time < times.start || run.max_time >= times.end) {
        let is_inside = |time: Option<TimestampMs>| time.is_some_and(|time| times.contains(&time));
        let is_late = |session: &usize| {
            !is_inside(table.times.start(*session)) || !is_inside(table.times.last(*session))
        };
        found.extend(run.sessions(table.session_count()).filter(is_late).map(|session| session as u32));
    }
    found
}

/// Rows of the sessions of a range that are not hidden.
fn live_rows(table: &SiteTable<'_>, sessions: Range<usize>, hidden: &RoaringBitmap) -> u64 {
    let rows = |sessions: Range<usize>| {
        let row = |at: usize| table.first_rows.get(at).map_or(0, u64::from);
        row(sessions.end).saturating_sub(row(sessions.start))
    };
    let gone = hidden.range(sessions.start as u32..sessions.end as u32);
    let gone: u64 = gone.map(|session| rows(session as usize..session as usize + 1)).sum();
    rows(sessions) - gone
}
