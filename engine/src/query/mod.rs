//! Queries: the model of a question and its exact evaluation over a snapshot.
//!
//! [`execute`] works on [`Source`]s, the parts that a snapshot has of one site. For each source the filter becomes
//! a set of sessions and masks for rows (`filter`), and the grouping becomes a table from local codes to groups
//! (`keys`); then the runs are counted one after the other, each in visitor order (`walk`), and the counts become a
//! report (`report`). Visitors that occur in more than one run are marked beforehand ([`Recurring`]).
//! [`list_sessions`] and [`session_rows`] give sessions themselves instead of counts.
//!
//! Invariants: a session is live in at most one source; within a run sessions are in visitor order; site codes are
//! equal across the sources. An answer is exact, or there is none.

mod check;
mod events;
mod execute;
mod filter;
mod groups;
mod guard;
mod keys;
mod known;
mod masks;
mod metadata;
mod model;
mod needs;
mod numbers;
mod portions;
mod postings;
mod recurring;
mod report;
mod roster;
mod sessions;
mod tally;
mod text_test;
mod turns;
mod verdicts;
mod walk;

#[cfg(test)]
mod cases;
#[cfg(test)]
pub(crate) mod naive;
#[cfg(test)]
pub(crate) mod testdata;
#[cfg(test)]
pub(crate) mod testindex;
#[cfg(test)]
pub(crate) mod tests;

pub use execute::{execute, execute_with};
pub use groups::KEY_COLUMNS_MAX;
pub use known::{Key, Keys, Known, Piece, Take, Uncounted};
pub use model::*;
pub use recurring::{Recurring, RecurringCache};
pub use sessions::{
    LISTED_MAX, RowDetail, SessionDetail, SessionPage, SessionRow, SessionsQuery, list_sessions, session_rows,
};
pub use tally::{Tally, passing, tally};
pub use text_test::{PairsTest, TextTest};
pub use turns::Turns;

use crate::segment::table::SiteTable;

/// Tells a running query to stop. Checked about every ten thousand sessions.
pub type Cancelled<'a> = &'a (dyn Fn() -> Option<&'static str> + Sync);

/// One of the parts that a site's data is spread over.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The sessions and rows.
    pub table: SiteTable<'a>,
    /// Session indices of the table that are superseded and must not count.
    pub hidden: Option<&'a roaring::RoaringBitmap>,
}
