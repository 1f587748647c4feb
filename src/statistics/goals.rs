//! Conversion goals: how many visitors reached each.
//!
//! A goal is one more filter: a path and tags select page views, an event selects sessions.

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Metrics, Unit};

use super::custom::{self, CustomMetric};
use super::selection::{PairIs, Selection, TextIs, Texts};
use super::sort::SortBy;
use super::{Ask, Line, Question};
use crate::goals::Goal;

/// One line a goal, in the order of the goals; the keys of a line are the goal's name and its id.
///
/// # Errors
/// As [`Ask::ask`].
pub fn goals<A: Ask>(question: &Question<'_, A>, goals: &[Goal]) -> Result<Vec<Line>, QueryError> {
    let is_wanted = |goal: &&Goal| question.search.is_none_or(|search| search.holds(&[&goal.name]));
    let mut wanted: Vec<&Goal> = goals.iter().filter(is_wanted).collect();
    if question.sort_by.is_none() {
        // Their own order is known without their numbers.
        if question.ascending == Some(true) {
            wanted.reverse();
        }
        wanted = question.page.cut(wanted);
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let whole = question.whole()?;
    let lines = wanted.into_iter().map(|goal| line_of(question, goal, whole));
    let mut lines = lines.collect::<Result<Vec<_>, _>>()?;
    if question.sort_by.is_some() {
        question.sort(SortBy::Visitors).lines(&mut lines);
        lines = question.page.cut(lines);
    }
    Ok(lines)
}

/// The numbers of those who reached a goal.
///
/// # Errors
/// As [`Ask::ask`].
pub fn line<A: Ask>(question: &Question<'_, A>, goal: &Goal) -> Result<Line, QueryError> {
    line_of(question, goal, question.whole()?)
}

fn line_of<A: Ask>(question: &Question<'_, A>, goal: &Goal, whole: Metrics) -> Result<Line, QueryError> {
    let own = goal
        .custom_metric_key
        .as_ref()
        .map(|key| CustomMetric { key: key.clone(), kind: goal.custom_metric_kind.unwrap_or_default() });
    // A metric is read from the events of whoever names it.
    let of_goal = own.is_some() || !question.selection.has_wanted_event();
    let mut selection = question.selection.clone();
    selection.events_select_sessions = of_goal;
    selection.and.push(Selection { events_select_sessions: !of_goal, ..wanted(goal) });
    let custom = own.as_ref().or(question.custom);
    let question = Question { selection: &selection, custom, search: None, ..*question };
    let metrics = question.one(&question.query(Unit::Sessions, Group::All))?;
    let custom = custom::of_all(&question)?;
    Ok(Line { keys: vec![goal.name.clone(), goal.id.clone()], metrics, whole, custom, ..Line::default() })
}

fn wanted(goal: &Goal) -> Selection {
    let exactly = |text: &str| Texts { any: vec![TextIs::Exactly(text.to_owned())], none: Vec::new() };
    let mut selection = Selection::default();
    if let Some(pattern) = &goal.pattern {
        // Checked when the goal was made; one that this build does not know matches nothing.
        let never = || TextIs::NoneOf(&[]);
        let (any, none) = match crate::pattern::compile(pattern) {
            Ok(regex) => (vec![TextIs::Matching(regex)], Vec::new()),
            Err(_) => (Vec::new(), vec![never()]),
        };
        selection.pattern = Texts { any, none };
    }
    for tag in &goal.tags {
        selection.tags.push(match tag.split_once('=') {
            Some((key, value)) if !value.is_empty() => PairIs::Value(key.to_owned(), exactly(value)),
            Some((key, _)) => PairIs::Keys(exactly(key)),
            None => PairIs::Keys(exactly(tag)),
        });
    }
    if let Some(name) = &goal.event_name {
        selection.event = exactly(name);
    }
    if let Some(key) = &goal.event_meta_key {
        selection.meta.push(match &goal.event_meta_value {
            Some(value) => PairIs::Value(key.clone(), exactly(value)),
            None => PairIs::Keys(exactly(key)),
        });
    }
    selection
}
