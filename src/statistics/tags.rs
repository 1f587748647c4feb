//! Tags of page views: by key, and one key by its values. A view counts for each of its keys.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, PairsColumn, PairsPart, Query, Unit};

use super::list::to_lines;
use super::sort::{Sort, SortBy};
use super::{Ask, Line, Question};

/// One line a key.
///
/// # Errors
/// As [`Ask::ask`].
pub fn keys<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    lines(question, PairsPart::Keys, question.sort(SortBy::Visitors))
}

/// One line a value of `key`; keys of a line are the key and the value.
///
/// # Errors
/// As [`Ask::ask`].
pub fn values<A: Ask>(question: &Question<'_, A>, key: &str) -> Result<Vec<Line>, QueryError> {
    let sort = question.sort(SortBy::Visitors).without_first_key();
    let mut lines = lines(question, PairsPart::ValueOf(key.to_owned()), sort)?;
    lines.iter_mut().for_each(|line| line.keys.insert(0, key.to_owned()));
    Ok(lines)
}

fn lines<A: Ask>(question: &Question<'_, A>, part: PairsPart, sort: Sort) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    let query = Query {
        keep: question.keep(1),
        order: sort.order(|_| 0.0),
        limit: question.page.group_limit(),
        ..question.query(Unit::PageViews, Group::Pairs(PairsColumn::Tags, part))
    };
    Ok(question.page.cut(to_lines(question.ask.ask(&query)?.rows, whole)))
}
