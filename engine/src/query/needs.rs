//! Which columns a question needs that indexes leave to their Parquet files.

use super::{Filter, Group, PairsColumn, Query, SessionsQuery, Unit};
use crate::index::Needs;
use crate::schema::Column;
use crate::segment::cold::ColdNumber;

impl Query {
    /// What must be loaded of lake files before the query is executed.
    pub fn needs(&self) -> Needs {
        let mut needs = of_filter(&self.filter, Needs::nothing(self.span.clone()));
        match &self.group {
            Group::Columns(columns) => columns.iter().for_each(|&column| needs.add(column)),
            Group::Pairs(PairsColumn::EventMeta, _) => needs.add(Column::EventMeta),
            Group::Pairs(PairsColumn::Tags, _) => needs.add(Column::Tags),
            Group::All | Group::Buckets(_) | Group::Clock(_) | Group::Entry(_) | Group::Exit(_) => {}
        }
        if self.measures.meta_keys || self.number.is_some() {
            needs.add(Column::EventMeta);
        }
        if self.unit == Unit::Events {
            needs.numbers.push(ColdNumber::EventDuration);
        }
        needs
    }
}

impl SessionsQuery {
    /// What must be loaded of lake files before sessions are listed.
    pub fn needs(&self) -> Needs {
        of_filter(&self.filter, Needs::nothing(self.span.clone()))
    }

    /// What must be loaded of lake files before the rows of a session are given.
    pub fn row_needs(&self) -> Needs {
        let mut needs = self.needs();
        needs.add(Column::EventMeta);
        needs.add(Column::Tags);
        needs.numbers.push(ColdNumber::EventDuration);
        needs
    }
}

fn of_filter(filter: &Filter, mut needs: Needs) -> Needs {
    needs.days = filter.session.map(|(_, session)| session.day()..=session.day());
    filter.rows.iter().for_each(|&(column, _)| needs.add(column));
    if !filter.tags.is_empty() {
        needs.add(Column::Tags);
    }
    if filter.events.iter().any(|test| !test.meta.is_empty()) {
        needs.add(Column::EventMeta);
    }
    needs
}
