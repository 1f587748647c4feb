//! Custom events: by name, and one event by the values of a metadata key.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Measures, Query, Unit};
use hitstone_engine::schema::Column;

use super::list::to_lines;
use super::numbers::mean_cut;
use super::{Ask, Line, Question};

/// One line a name of an event.
///
/// # Errors
/// As [`Ask::ask`].
pub fn by_name<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    let group = Group::Columns(vec![Column::EventName]);
    let measures = Measures { meta_keys: true, ..Measures::default() };
    lines(question, Query { measures, ..question.query(Unit::Events, group) })
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
    let mut lines = lines(question, question.query(Unit::Events, Group::MetaValue(key.to_owned())))?;
    lines.iter_mut().for_each(|line| line.keys.insert(0, name.to_owned()));
    Ok(lines)
}

/// Durations of events are averaged over all events, those without a duration included.
fn lines<A: Ask>(question: &Question<'_, A>, query: Query) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    let query = Query { limit: question.page.group_limit(), ..query };
    let mut lines = question.page.cut(to_lines(question.ask.ask(&query)?.rows, whole));
    for line in &mut lines {
        line.seconds = mean_cut(line.metrics.event_seconds, line.metrics.views);
    }
    Ok(lines)
}
