//! Referrers: by name, or by name and URL once the filter asks about referrers.

use std::collections::{BTreeSet, HashMap};

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Query, TextTest, Unit};
use hitstone_engine::schema::Column;

use super::list::{List, lines};
use super::sort::SortBy;
use super::{Ask, Line, Page, Question};

/// One line a referrer. Keys of a line are its name and a URL; of a group of URLs it is the least.
///
/// # Errors
/// As [`Ask::ask`].
pub fn referrers<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    let about_referrers = |column: &Column| matches!(column, Column::Referrer | Column::ReferrerName);
    let list = |columns: &'static [Column]| List {
        columns,
        unit: Unit::Sessions,
        searched: columns.len(),
        blank_together: false,
    };
    if question.selection.attributes.iter().any(|(column, _)| about_referrers(column)) {
        return lines(question, list(&[Column::ReferrerName, Column::Referrer]));
    }
    let names = list(&[Column::ReferrerName]);
    if question.sort_by != Some(SortBy::Key(1)) {
        return with_urls(question, lines(question, names)?);
    }
    let whole = Page { offset: 0, limit: None };
    let mut lines = with_urls(question, lines(&Question { page: whole, ..*question }, names)?)?;
    question.sort(SortBy::Key(1)).lines(&mut lines);
    Ok(question.page.cut(lines))
}

fn with_urls<A: Ask>(question: &Question<'_, A>, mut lines: Vec<Line>) -> Result<Vec<Line>, QueryError> {
    let urls = least_urls(question, &lines)?;
    for line in &mut lines {
        let url = line.keys.first().and_then(|name| urls.get(name)).cloned().unwrap_or_default();
        line.keys.push(url);
    }
    Ok(lines)
}

/// The least URL of each name that the lines hold. Names without any URL are left out.
fn least_urls<A: Ask>(
    question: &Question<'_, A>,
    lines: &[Line],
) -> Result<HashMap<String, String>, QueryError> {
    let mut urls = HashMap::new();
    let wanted: BTreeSet<String> = lines.iter().filter_map(|line| line.keys.first()).cloned().collect();
    if wanted.is_empty() {
        return Ok(urls);
    }
    let group = Group::Columns(vec![Column::ReferrerName, Column::Referrer]);
    let mut query = Query { firsts_only: true, ..question.query(Unit::Sessions, group) };
    query.filter.attributes.push((Column::ReferrerName, TextTest::one_of(wanted)));
    query.filter.attributes.push((Column::Referrer, TextTest::present()));
    for row in question.ask.ask(&query)?.rows {
        let mut keys = row.keys.into_iter();
        if let (Some(name), Some(url)) = (keys.next(), keys.next()) {
            urls.insert(name, url);
        }
    }
    Ok(urls)
}
