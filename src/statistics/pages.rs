//! Pages, entry pages, exit pages.
//!
//! All are statistics over page views at their own time. In the lists of entry and exit pages the sessions of the
//! group are the entries (exits); `visitors` and `sessions` of a line are those who saw that page at all in the
//! period, whatever pages, entry and exit the filter names.

use std::collections::{BTreeSet, HashMap};

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Measures, Metrics, Query, TextTest, Unit};
use hitstone_engine::schema::Column;

use super::list::to_lines;
use super::numbers::mean_rounded;
use super::selection::Selection;
use super::sort::SortBy;
use super::{Ask, Line, Question};

const TIME_ON_PAGE: Measures = Measures { durations: false, time_on_page: true, meta_keys: false };

/// Which end of a session a list of pages is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The page that sessions began with.
    Entry,
    /// The page that sessions ended with.
    Exit,
}

/// One line a page (a page and title, if asked for).
///
/// # Errors
/// As [`Ask::ask`].
pub fn pages<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    let mut query = question.query(Unit::PageViews, Group::Columns(columns(question)));
    if !question.with_time || question.with_title {
        // With titles, the time is that of the path, which comes from another report.
        return with_joined_time(question, query);
    }
    query.measures = TIME_ON_PAGE;
    query.keep = question.keep(2);
    query.order = question.sort(SortBy::Visitors).order(|metrics| time_of(metrics) as f64);
    query.limit = question.page.group_limit();
    let whole = question.whole()?;
    let mut lines = question.page.cut(to_lines(question.ask.ask(&query)?.rows, whole));
    lines.iter_mut().for_each(|line| line.seconds = time_of(&line.metrics));
    Ok(lines)
}

/// One line a page on which events happened; views are events. Time is that of the page's views.
///
/// # Errors
/// As [`Ask::ask`].
pub fn event_pages<A: Ask>(question: &Question<'_, A>) -> Result<Vec<Line>, QueryError> {
    let mut query = question.query(Unit::Events, Group::Columns(columns(question)));
    query.filter.rows.push((Column::Path, TextTest::present()));
    with_joined_time(question, query)
}

/// The lines of a query by page, with the time of their paths if that is wanted.
fn with_joined_time<A: Ask>(question: &Question<'_, A>, query: Query) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    let sort = question.sort(SortBy::Visitors);
    let by_time = question.with_time && sort.by == SortBy::Seconds;
    let query = Query {
        keep: question.keep(2),
        order: sort.order(|_| 0.0),
        // What is ordered by time can be cut only when the time is there.
        limit: if by_time { None } else { question.page.group_limit() },
        ..query
    };
    let mut lines = to_lines(question.ask.ask(&query)?.rows, whole);
    if !by_time {
        lines = question.page.cut(lines);
    }
    if question.with_time {
        let times = by_path(question, question.selection, &lines)?;
        fill_time(&mut lines, &times);
    }
    if by_time {
        sort.lines(&mut lines);
        lines = question.page.cut(lines);
    }
    Ok(lines)
}

fn columns<A: Ask>(question: &Question<'_, A>) -> Vec<Column> {
    if question.with_title { vec![Column::Path, Column::Title] } else { vec![Column::Path] }
}

/// One line a page that sessions began or ended with.
///
/// # Errors
/// As [`Ask::ask`].
pub fn ends<A: Ask>(question: &Question<'_, A>, end: End) -> Result<Vec<Line>, QueryError> {
    let whole = question.whole()?;
    let group = match end {
        End::Entry => Group::Entry(question.with_title),
        End::Exit => Group::Exit(question.with_title),
    };
    let sort = question.sort(SortBy::Entries);
    // Only what the report itself has can be cut before the rest is joined. A time that is not shown orders nothing.
    let joined = match sort.by {
        SortBy::Entries | SortBy::Key(_) | SortBy::Nothing => false,
        SortBy::Seconds => question.with_time,
        _ => true,
    };
    let query = Query {
        keep: question.keep(2),
        order: sort.order(|_| 0.0),
        limit: if joined { None } else { question.page.group_limit() },
        ..question.query(Unit::PageViews, group)
    };
    let mut lines = to_lines(question.ask.ask(&query)?.rows, whole);
    if !joined {
        lines = question.page.cut(lines);
    }
    fill_ends(question, end, &mut lines)?;
    if joined {
        sort.lines(&mut lines);
        lines = question.page.cut(lines);
    }
    Ok(lines)
}

/// Adds to each line the numbers of those who saw the page at all, and its time.
fn fill_ends<A: Ask>(question: &Question<'_, A>, end: End, lines: &mut [Line]) -> Result<(), QueryError> {
    let with_ends = question.selection.of_any_page();
    let seen = by_path(question, &with_ends.of_any_ends(), lines)?;
    for line in lines.iter_mut() {
        line.entries = line.metrics.sessions;
        line.metrics = path_of(line).and_then(|path| seen.get(path)).copied().unwrap_or_default();
    }
    if question.with_time && end == End::Entry {
        let has_ends = !(with_ends.entry_path.is_empty() && with_ends.exit_path.is_empty());
        let times = if has_ends { by_path(question, &with_ends, lines)? } else { seen };
        fill_time(lines, &times);
    }
    Ok(())
}

/// The numbers of each path that the lines name, under another selection.
fn by_path<A: Ask>(
    question: &Question<'_, A>,
    selection: &Selection,
    lines: &[Line],
) -> Result<HashMap<String, Metrics>, QueryError> {
    if lines.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: BTreeSet<String> = lines.iter().filter_map(path_of).map(str::to_owned).collect();
    let mut filter = selection.filter();
    filter.rows.push((Column::Path, TextTest::one_of(wanted)));
    let measures = if question.with_time { TIME_ON_PAGE } else { Measures::default() };
    let group = Group::Columns(vec![Column::Path]);
    let query = Query { filter, measures, ..question.query(Unit::PageViews, group) };
    let rows = question.ask.ask(&query)?.rows;
    Ok(rows.into_iter().filter_map(|row| Some((row.keys.into_iter().next()?, row.metrics))).collect())
}

fn fill_time(lines: &mut [Line], times: &HashMap<String, Metrics>) {
    for line in lines {
        line.seconds = path_of(line).and_then(|path| times.get(path)).map_or(0, time_of);
    }
}

fn path_of(line: &Line) -> Option<&str> {
    line.keys.first().map(String::as_str)
}

fn time_of(metrics: &Metrics) -> u64 {
    mean_rounded(metrics.page_seconds, metrics.page_count)
}
