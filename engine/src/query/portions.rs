//! A query in portions: its runs are shared out to threads, and what each counted is put together.
//!
//! A run is in one portion, so what was counted of visitors and sessions adds up; recurring visitors are told apart
//! once everything is together.

use std::ops::Range;

use super::filter::touched_runs;
use super::known::{Known, Uncounted};
use super::{Query, Source};
use crate::limits;
use crate::segment::table::Dictionary;

/// Sessions that make a thread worth its while: a thread costs as much as some ten thousand of them.
const THREAD_SESSIONS_MIN: usize = 32_768;

/// Bits of recurring visitors that a thread may have: what a processor's caches hold of them is what makes them fast.
const SET_BYTES_MAX: usize = 16 << 20;

/// Different texts of a column that groups are made by, at most, where several threads count them.
const TEXTS_MAX: usize = 1 << 20;

/// What a query may take.
pub(super) struct Means {
    pub threads: usize,
    /// Sessions that make a thread worth its while.
    pub sessions_min: usize,
    pub groups_max: usize,
    /// Different texts of a column of the key at most, where several threads count.
    pub texts_max: usize,
    /// Memory of each thread for bits of recurring visitors, bytes.
    pub set_bytes_max: usize,
}

impl Default for Means {
    fn default() -> Self {
        Self {
            threads: 1,
            sessions_min: THREAD_SESSIONS_MIN,
            groups_max: limits::GROUPS_MAX,
            texts_max: TEXTS_MAX,
            set_bytes_max: SET_BYTES_MAX,
        }
    }
}

/// Some of the runs that a query touches: from a run of a source to another, by the run's first session.
pub(super) type Portion = Range<(usize, u32)>;

/// All runs.
pub(super) const EVERYTHING: Portion = (0, 0)..(usize::MAX, u32::MAX);

/// The place of a source whose runs are not told apart.
pub(super) fn whole(number: usize) -> (usize, u32) {
    (number, 0)
}

/// The portions of a query, at least one. Runs whose sessions are known weigh nothing.
pub(super) fn of(
    sources: &[Source<'_>],
    dictionaries: &[Vec<Dictionary<'_>>],
    known: &[Known<'_>],
    query: &Query,
    means: &Means,
) -> Vec<Portion> {
    if means.threads < 2 || !can_be_shared_out(dictionaries, means.texts_max) {
        return vec![EVERYTHING];
    }
    let mut runs = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let uncounted = known.iter().find(|known| known.source == number).map(|known| &known.sessions);
        if let Some(Uncounted::AllBut(rest)) = uncounted {
            runs.push((whole(number), rest.len()));
            continue;
        }
        for run in touched_runs(source.table.runs, &query.span, source.table.session_count()) {
            let left_out = match uncounted {
                Some(Uncounted::These(sessions)) => sessions.count_in(run.sessions.clone()),
                _ => 0,
            };
            runs.push(((number, run.run.first_session), run.sessions.len().saturating_sub(left_out)));
        }
    }
    let sessions: usize = runs.iter().map(|run| run.1).sum();
    let count = means.threads.min(sessions / means.sessions_min).max(1);
    let (mut portions, mut before) = (vec![EVERYTHING], 0);
    for (place, weight) in runs {
        if before * count >= sessions * portions.len() && portions.len() < count {
            if let Some(last) = portions.last_mut() {
                last.end = place;
            }
            portions.push(place..EVERYTHING.end);
        }
        before += weight;
    }
    portions
}

/// Whether groups of one thread can be recognised in another (not where texts have got numbers of their own), and are not so
/// many that each thread's counts of them, and then the sum, take memory that one thread's do not.
fn can_be_shared_out(dictionaries: &[Vec<Dictionary<'_>>], texts_max: usize) -> bool {
    let column_count = dictionaries.iter().map(Vec::len).max().unwrap_or(0);
    dictionaries.iter().flatten().all(Dictionary::has_site_codes)
        && (0..column_count).all(|column| has_few_texts(dictionaries, column, texts_max))
}

/// Whether a column has so many different texts at most in all sources, which mostly have the same.
fn has_few_texts(dictionaries: &[Vec<Dictionary<'_>>], column: usize, texts_max: usize) -> bool {
    let of_column = || dictionaries.iter().filter_map(|columns| columns.get(column));
    let in_all: usize = of_column().map(Dictionary::len).sum();
    in_all <= texts_max || {
        let greatest = of_column().flat_map(|dictionary| dictionary.site_codes).max();
        greatest.is_none_or(|&greatest| greatest as usize <= texts_max)
    }
}
