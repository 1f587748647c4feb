//! Custom events: by name, by name and metadata, and one event by the values of a metadata key.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Measures, Metrics, PairsColumn, PairsPart, Query, Unit};
use hitstone_engine::schema::Column;

use super::list::to_lines;
use super::numbers::mean_cut;
use super::sort::{Sort, SortBy};
use super::{Ask, Line, Question};

/// Metadata keys that the line of an event shows at most.
const META_KEYS_MAX: usize = 1_000;

/// One line a name of an event.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_name<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    let group = Group::Columns(vec![Column::EventName]);
    let measures = Measures { meta_keys: true, ..Measures::default() };
    let query = Query { measures, ..question.query(Unit::Events, group) };
    let mut lines = lines(question, query, question.sort(SortBy::Visitors))?;
    lines.iter_mut().for_each(|line| line.meta_keys.truncate(META_KEYS_MAX));
    Ok(lines)
}

/// One line a value of the metadata key `key`; keys of a line are the event's name and the value. The selection
/// must name one event.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_meta_value<A: Ask>(
    question: &Question<'_, A>,
    name: &str,
    key: &str,
) -> Result<Vec<Line>, QueryError> {
    let group = Group::Pairs(PairsColumn::EventMeta, PairsPart::ValueOf(key.to_owned()));
    let sort = question.sort(SortBy::Visitors).without_first_key();
    let mut lines = lines(question, question.query(Unit::Events, group), sort)?;
    lines.iter_mut().for_each(|line| line.keys.insert(0, name.to_owned()));
    Ok(lines)
}

/// One line a name and metadata as a whole; keys of a line are both, the metadata as
/// [`hitstone_engine::event::Pairs`] reads it.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_metadata<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    let query = Query {
        keep: question.keep(1),
        order: question.sort(SortBy::Views).order(|_| 0.0),
        limit: question.page.group_limit(),
        ..question.query(Unit::Events, Group::Columns(vec![Column::EventName, Column::EventMeta]))
    };
    Ok(question.page.cut(to_lines(question.ask.ask(&query)?.rows, Metrics::default())))
}

/// Durations of events are averaged over all events, those without a duration included.
fn lines<A: Ask>(question: &Question<'_, A>, query: Query, sort: Sort) -> Result<Vec<Line>, QueryError> {
    let seconds = |metrics: &Metrics| mean_cut(metrics.event_seconds, metrics.views);
    let whole = question.whole()?;
    let query = Query {
        keep: question.keep(1),
        order: sort.order(|metrics| mean_cut(metrics.event_seconds, metrics.views) as f64),
        limit: question.page.group_limit(),
        ..query
    };
    let mut lines = question.page.cut(to_lines(question.ask.ask(&query)?.rows, whole));
    lines.iter_mut().for_each(|line| line.seconds = seconds(&line.metrics));
    Ok(lines)
}
