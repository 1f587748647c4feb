//! Who is here now: pages seen in the window, and the visitors with any activity in it.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Filter, Group, Query, Unit};
use hitstone_engine::schema::Column;

use super::list::to_lines;
use super::sort::SortBy;
use super::{Ask, Line, Question};

/// Visitors with activity in the question's period, which is the window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// One line a page (a page and title, if asked for). A visitor counts on every page seen.
    pub pages: Vec<Line>,
    /// Distinct visitors with activity of any kind. With a filter that selects pages, those who saw one.
    pub visitors: u64,
    /// One line a country, of the same visitors.
    pub countries: Vec<Line>,
}

/// Counts the visitors of the window.
///
/// # Errors
/// As [`Ask::ask`].
pub fn active<A: Ask>(question: &Question<'_, A>) -> Result<Active, QueryError> {
    let columns = if question.with_title { vec![Column::Path, Column::Title] } else { vec![Column::Path] };
    let query = Query {
        keep: question.keep(2),
        order: question.sort(SortBy::Visitors).order(|_| 0.0),
        limit: question.page.group_limit(),
        ..question.query(Unit::PageViews, Group::Columns(columns))
    };
    let rows = question.ask.ask(&query)?.rows;
    let unit = if question.selection.selects_rows() { Unit::PageViews } else { Unit::Rows };
    let whole =
        question.one(&Query { filter: Filter::default(), ..question.query(Unit::Rows, Group::All) })?;
    let metrics = question.one(&question.query(unit, Group::All))?;
    let query = Query {
        limit: question.page.group_limit(),
        ..question.query(unit, Group::Columns(vec![Column::Country]))
    };
    let countries = question.page.cut(to_lines(question.ask.ask(&query)?.rows, whole));
    let pages = question.page.cut(to_lines(rows, whole));
    Ok(Active { pages, visitors: metrics.visitors, countries })
}
