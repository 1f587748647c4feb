//! Lists: one line for each value of one to three columns. Most statistics are one of these, by description.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, GroupRow, Metrics, Query, Unit};
use hitstone_engine::schema::Column;

use super::selection::{Selection, TextIs, Texts};
use super::sort::SortBy;
use super::{Ask, Line, Question};

/// What a list groups by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// The columns; the list is ordered by visitors, then by these.
    pub columns: &'static [Column],
    /// What is counted.
    pub unit: Unit,
    /// How many of the columns are searched.
    pub searched: usize,
    /// The other columns are blanked where the first is empty, so that "unknown" is one line: a city that is not
    /// known is no city of some country.
    pub blank_together: bool,
}

/// The lines of a list.
///
/// # Errors
/// As [`Ask::ask`].
pub fn lines<A: Ask>(question: &Question<'_, A>, list: List) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    if list.blank_together {
        return lines_blanked(question, list, whole);
    }
    let query = Query {
        keep: question.keep(list.searched),
        order: question.sort(SortBy::Visitors).order(|_| 0.0),
        limit: question.page.group_limit(),
        ..question.query(list.unit, Group::Columns(list.columns.to_vec()))
    };
    Ok(question.page.cut(to_lines(question.ask.ask(&query)?.rows, whole)))
}

/// Distinct visitors do not add up over groups, so what is unknown is asked for by itself.
fn lines_blanked<A: Ask>(
    question: &Question<'_, A>,
    list: List,
    whole: Metrics,
) -> Result<Vec<Line>, QueryError> {
    let Some(&first) = list.columns.first() else { return Ok(Vec::new()) };
    let sort = question.sort(SortBy::Visitors);
    let absent = || vec![TextIs::Exactly(String::new())];
    let with = |texts: Texts| {
        let mut selection = question.selection.clone();
        selection.attributes.push((first, texts));
        selection
    };
    let known: Selection = with(Texts { any: Vec::new(), none: absent() });
    let unknown: Selection = with(Texts { any: absent(), none: Vec::new() });
    let query = Query {
        filter: known.filter(),
        keep: question.keep(list.searched),
        order: sort.order(|_| 0.0),
        limit: question.page.group_limit(),
        ..question.query(list.unit, Group::Columns(list.columns.to_vec()))
    };
    let mut lines = to_lines(question.ask.ask(&query)?.rows, whole);
    if question.search.is_none_or(|search| search.holds(&[""])) {
        let query = Query { filter: unknown.filter(), ..question.query(list.unit, Group::All) };
        let metrics = question.one(&query)?;
        if metrics.sessions > 0 {
            let keys = vec![String::new(); list.columns.len()];
            lines.push(Line { keys, metrics, whole, ..Line::default() });
            sort.lines(&mut lines);
        }
    }
    Ok(question.page.cut(lines))
}

/// Groups as lines, in their order.
pub(super) fn to_lines(rows: Vec<GroupRow>, whole: Metrics) -> Vec<Line> {
    let line = |row: GroupRow| Line {
        keys: row.keys,
        metrics: row.metrics,
        whole,
        meta_keys: row.meta_keys,
        ..Line::default()
    };
    rows.into_iter().map(line).collect()
}
