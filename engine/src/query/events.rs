//! Whether a custom event happened in a session.

use super::EventTest;
use super::filter::Narrowing;
use super::guard::Guard;
use super::verdicts::TestOf;
use crate::error::QueryError;
use crate::event::Kind;
use crate::scan::bits::Bits;
use crate::scan::codetest::CodeTest;
use crate::scan::mask::Mask;
use crate::schema::Column;
use crate::segment::table::{ROW_KIND_MASK, SiteTable};

/// An [`EventTest`] for one source.
pub(super) struct EventFilter<'a> {
    /// A superset of the sessions in which such an event happened, when lists gave one.
    pub listed: Option<Bits>,
    names: CodeTest<'a>,
    metas: CodeTest<'a>,
}

impl<'a> EventFilter<'a> {
    /// Works out the masks of a test.
    pub fn new(
        sessions: &mut Narrowing<'a, '_>,
        of: TestOf,
        test: &EventTest,
        guard: &mut Guard<'_>,
    ) -> Result<Self, QueryError> {
        let names = match &test.name {
            None => Mask::Always,
            Some(name) => sessions.text_mask(Column::EventName, of, name, guard)?,
        };
        let metas = if test.meta.is_empty() || names == Mask::Never {
            Mask::Always
        } else {
            sessions.pairs_mask(Column::EventMeta, &test.meta, guard)?
        };
        let table = &sessions.table;
        Ok(Self {
            listed: sessions.listed(Column::EventName, &names),
            names: CodeTest::new(table.codes(Column::EventName), names),
            metas: CodeTest::new(table.codes(Column::EventMeta), metas),
        })
    }

    /// Whether no row of the source can match.
    pub fn matches_nothing(&self) -> bool {
        self.names.is_never() || self.metas.is_never()
    }

    /// Whether such an event happened in the session.
    pub fn happened(&self, table: &SiteTable<'_>, session: usize) -> bool {
        if self.listed.as_ref().is_some_and(|listed| !listed.contains(session)) {
            return false;
        }
        event_rows(table, session).any(|row| self.names.passes(row) && self.metas.passes(row))
    }

    /// Whether any custom event happened in the session.
    pub fn any_event(table: &SiteTable<'_>, session: usize) -> bool {
        event_rows(table, session).next().is_some()
    }

    /// The tests, for statistics in which the test selects rows as well.
    pub fn into_row_tests(self) -> impl Iterator<Item = CodeTest<'a>> {
        [self.names, self.metas].into_iter().filter(|test| !test.is_always())
    }
}

/// The session's rows that are custom events.
fn event_rows(table: &SiteTable<'_>, session: usize) -> impl Iterator<Item = usize> {
    let is_event = |kind: u8| kind & ROW_KIND_MASK == Kind::Event as u8;
    let kinds = table.kinds;
    table.rows(session).filter(move |&row| kinds.get(row).is_some_and(is_event))
}
