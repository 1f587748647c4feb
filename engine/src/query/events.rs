//! In which sessions a custom event happened.

use super::EventTest;
use super::filter::Narrowing;
use super::guard::Guard;
use super::verdicts::TestOf;
use crate::error::QueryError;
use crate::event::Kind;
use crate::scan::codetest::CodeTest;
use crate::schema::Column;
use crate::segment::table::{ROW_KIND_MASK, SiteTable};

/// What must be true of a row to be an event of an [`EventTest`], in one source.
pub(super) struct EventRows<'a> {
    /// That it is an event at all.
    kind: CodeTest<'a>,
    /// That it is one of those.
    own: Vec<CodeTest<'a>>,
}

impl<'a> EventRows<'a> {
    /// Works out the tests.
    pub fn new(
        sessions: &mut Narrowing<'a, '_>,
        of: TestOf,
        test: &EventTest,
        guard: &mut Guard<'_>,
    ) -> Result<Self, QueryError> {
        let table = sessions.table;
        let mut own = Vec::new();
        if let Some(name) = &test.name {
            let mask = sessions.text_mask(Column::EventName, of, name, guard)?;
            sessions.keep_listed_if(test, Column::EventName, &mask);
            own.push(CodeTest::new(table.codes(Column::EventName), mask));
        }
        if !test.meta.is_empty() && !own.iter().any(CodeTest::is_never) {
            let mask = sessions.pairs_mask(Column::EventMeta, &test.meta, guard)?;
            own.push(CodeTest::new(table.codes(Column::EventMeta), mask));
        }
        own.retain(|test| !test.is_always());
        Ok(Self { kind: of_kind(&table), own })
    }

    /// Whether no row of the source can be one.
    pub fn are_none(&self) -> bool {
        self.own.iter().any(CodeTest::is_never)
    }

    /// All tests.
    pub fn tests(&self) -> Vec<CodeTest<'a>> {
        CodeTest::merged([&self.kind].into_iter().chain(&self.own).cloned())
    }

    /// The tests beside that of the kind, for statistics in which they select rows as well.
    pub fn into_row_tests(self) -> Vec<CodeTest<'a>> {
        self.own
    }
}

/// That a row is a custom event.
pub(super) fn of_kind<'a>(table: &SiteTable<'a>) -> CodeTest<'a> {
    CodeTest::of_kinds(table.kinds, ROW_KIND_MASK, Kind::Event as u8)
}
