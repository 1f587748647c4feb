//! Sessions of visitors that have sessions in several runs of one table.

use super::bits::Bits;
use super::common::{Head, common};
use crate::segment::table::Run;

/// Ids minted under a daily salt recur in runs at most this many days apart.
pub const DAYS_APART_MAX: u32 = 3;

/// The sessions whose visitors' ids were given, as those may recur anywhere, and those whose visitors have sessions
/// in other runs near by.
pub fn recurring_within(runs: &[Run], visitors: &[u64], is_given: impl Fn(usize) -> bool) -> Bits {
    let mut marks = Bits::new(visitors.len());
    (0..visitors.len()).filter(|&session| is_given(session)).for_each(|session| marks.insert(session));
    for (at, run) in runs.iter().enumerate() {
        let later = runs.get(at + 1..).unwrap_or_default();
        for later in later.iter().take_while(|later| run.day.abs_diff(later.day) <= DAYS_APART_MAX) {
            common(head(visitors, run), head(visitors, later), |a, b| {
                marks.insert(a);
                marks.insert(b);
            });
        }
    }
    marks
}

fn head<'a>(visitors: &'a [u64], run: &Run) -> Head<'a> {
    Head { keys: visitors, rest: run.sessions(visitors.len()) }
}
