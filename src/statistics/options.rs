//! Options of filters: the texts that occur in a period, whatever the filter.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Filter, Group, Order, PairsColumn, PairsPart, Query, Unit};
use hitstone_engine::schema::Column;

use super::{Ask, Question};

/// Which texts are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    /// Those of a session attribute.
    Attribute(Column),
    /// Those of a row text of page views.
    Page(Column),
    /// Names of events.
    Event,
    /// Keys or values of metadata.
    Metadata(PairsPart),
    /// Keys or values of tags.
    Tags(PairsPart),
}

/// The distinct texts of the period that are not empty, in byte order.
///
/// # Errors
/// As [`Ask::ask`].
pub fn options<A: Ask>(question: &Question<'_, A>, options: &Options) -> Result<Vec<String>, QueryError> {
    let (unit, group) = match options {
        Options::Attribute(column) => (Unit::Sessions, Group::Columns(vec![*column])),
        Options::Page(column) => (Unit::PageViews, Group::Columns(vec![*column])),
        Options::Event => (Unit::Events, Group::Columns(vec![Column::EventName])),
        Options::Metadata(part) => (Unit::Events, Group::Pairs(PairsColumn::EventMeta, part.clone())),
        Options::Tags(part) => (Unit::PageViews, Group::Pairs(PairsColumn::Tags, part.clone())),
    };
    let search = question.search.cloned();
    let query = Query {
        filter: Filter::default(),
        keep: Some(Box::new(move |texts| {
            let occurs = texts.first().is_some_and(|text| !text.is_empty());
            occurs && search.as_ref().is_none_or(|search| search.holds(texts))
        })),
        order: Order::KEYS,
        limit: question.page.group_limit(),
        ..question.query(unit, group)
    };
    let rows = question.ask.ask(&query)?.rows;
    Ok(question.page.cut(rows.into_iter().filter_map(|row| row.keys.into_iter().next()).collect()))
}
