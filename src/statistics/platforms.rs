//! Desktop, mobile, unknown.
//!
//! Each is counted as a group of its own, so the three may add up to more than all visitors when a visitor is
//! known by an id that the site gives; a difference of the others would hide such visitors from "unknown".

use hitstone_engine::error::QueryError;
use hitstone_engine::query::{Group, Query, TextTest, Unit};
use hitstone_engine::schema::Column;

use super::numbers::share;
use super::{Ask, Question};

/// What is not one of these is unknown.
pub const KNOWN: &[&str] = &["desktop", "mobile"];

/// Visitors by platform, and the fraction of all visitors of the period that they are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Platforms {
    pub desktop: u64,
    pub mobile: u64,
    pub unknown: u64,
    pub relative_desktop: f64,
    pub relative_mobile: f64,
    pub relative_unknown: f64,
}

/// Counts visitors by platform.
///
/// # Errors
/// As [`Ask::ask`].
pub fn platforms<A: Ask>(question: &Question<'_, A>) -> Result<Platforms, QueryError> {
    let all = question.whole()?.visitors;
    let rows =
        question.ask.ask(&question.query(Unit::Sessions, Group::Columns(vec![Column::Platform])))?.rows;
    let of = |row: &hitstone_engine::query::GroupRow| row.keys.first().cloned().unwrap_or_default();
    let known = |name: &str| rows.iter().find(|row| of(row) == name).map_or(0, |row| row.metrics.visitors);
    let others: Vec<_> = rows.iter().filter(|row| !KNOWN.contains(&of(row).as_str())).collect();
    let unknown = match others.as_slice() {
        [] => 0,
        [row] => row.metrics.visitors,
        _ => {
            let mut query: Query = question.query(Unit::Sessions, Group::All);
            query.filter.attributes.push((Column::Platform, TextTest::that(|name| !KNOWN.contains(&name))));
            question.one(&query)?.visitors
        }
    };
    let (desktop, mobile) = (known("desktop"), known("mobile"));
    Ok(Platforms {
        desktop,
        mobile,
        unknown,
        relative_desktop: share(desktop, all),
        relative_mobile: share(mobile, all),
        relative_unknown: share(unknown, all),
    })
}
