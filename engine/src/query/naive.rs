//! What the numbers mean, as plain loops over plain sessions. Shares nothing with the kernels.

pub mod sessions;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::testdata::{PlainRow, PlainSession};
use super::{EventTest, Filter, Group, GroupRow, MapTest, Metrics, Order, Query, Report, Unit};
use crate::event::Kind;
use crate::schema::Column;

#[derive(Default)]
struct Tally {
    visitors: HashSet<u64>,
    sessions: HashSet<(u64, u32)>,
    metrics: Metrics,
    meta_keys: BTreeSet<String>,
}

/// A group: its place among groups of time, and its texts.
type GroupKey = (usize, Vec<String>);

/// The answer to a valid query over live sessions.
pub fn answer(sessions: &[PlainSession], query: &Query) -> Report {
    let unit = if query.unit == Unit::Sessions && query.filter.selects_rows() {
        Unit::PageViews
    } else {
        query.unit
    };
    let mut tallies: BTreeMap<GroupKey, Tally> = BTreeMap::new();
    for place in 0..fixed_count(&query.group) {
        tallies.insert((place, Vec::new()), Tally::default());
    }
    for session in sessions.iter().filter(|session| session_passes(session, &query.filter)) {
        if unit == Unit::Sessions {
            count_session(session, query, &mut tallies);
            continue;
        }
        for at in 0..session.rows.len() {
            if row_counts(&session.rows[at], unit, query) {
                count_row(session, at, unit, query, &mut tallies);
            }
        }
    }
    report(query, tallies)
}

fn fixed_count(group: &Group) -> usize {
    match group {
        Group::All => 1,
        Group::Buckets(edges) => edges.len() - 1,
        Group::Cycle { slot_count, .. } => usize::from(*slot_count),
        _ => 0,
    }
}

fn session_passes(session: &PlainSession, filter: &Filter) -> bool {
    let path_of = |row: Option<usize>| row.map_or(String::new(), |row| session.rows[row].text(Column::Path));
    filter.attributes.iter().all(|(column, test)| test(&session.text(*column)))
        && filter.entry_path.as_ref().is_none_or(|test| test(&path_of(session.entry())))
        && filter.exit_path.as_ref().is_none_or(|test| test(&path_of(session.exit())))
        && filter.session.is_none_or(|(visitor, id)| visitor.0 == session.visitor && id.0 == session.id)
        && filter.events.iter().all(|test| {
            let happened = session.rows.iter().any(|row| row.kind == Kind::Event && event_matches(row, test));
            happened != test.negated
        })
}

fn event_matches(row: &PlainRow, test: &EventTest) -> bool {
    test.name.as_ref().is_none_or(|name| name(&row.text(Column::EventName)))
        && map_passes(&row.meta, &test.meta)
}

fn map_passes(pairs: &[(String, String)], tests: &[MapTest]) -> bool {
    tests.iter().all(|test| {
        let value = pairs.iter().find(|pair| pair.0 == test.key).map(|pair| pair.1.as_str());
        (test.test)(value)
    })
}

fn row_counts(row: &PlainRow, unit: Unit, query: &Query) -> bool {
    let kind_counts = match unit {
        Unit::Sessions | Unit::PageViews => row.kind == Kind::PageView,
        Unit::Events => row.kind == Kind::Event,
        Unit::Rows => true,
    };
    let filter = &query.filter;
    kind_counts
        && query.span.contains(&row.time)
        && filter.rows.iter().all(|(column, test)| test(&row.text(*column)))
        && map_passes(&row.tags, &filter.tags)
        && (unit != Unit::Events || filter.events.iter().all(|test| test.negated || event_matches(row, test)))
}

fn seconds_between(from: i64, to: i64) -> i64 {
    to.div_euclid(1000) - from.div_euclid(1000)
}

fn count_session(session: &PlainSession, query: &Query, tallies: &mut BTreeMap<GroupKey, Tally>) {
    let last = session.rows[session.rows.len() - 1].time;
    if !query.span.contains(&last) {
        return;
    }
    let Some(key) = group_of(session, None, last, &query.group) else { return };
    let tally = tallies.entry(key).or_default();
    meet(tally, session, query);
    tally.metrics.views += session.views() as u64;
}

fn count_row(
    session: &PlainSession,
    at: usize,
    unit: Unit,
    query: &Query,
    tallies: &mut BTreeMap<GroupKey, Tally>,
) {
    let row = &session.rows[at];
    let Some(key) = group_of(session, Some(row), row.time, &query.group) else { return };
    let tally = tallies.entry(key).or_default();
    meet(tally, session, query);
    tally.metrics.views += 1;
    if query.measures.time_on_page && row.kind == Kind::PageView {
        let next = session.rows[at + 1..].iter().find(|row| row.kind == Kind::PageView);
        let seconds = next.map_or(0, |next| seconds_between(row.time, next.time).min(3600));
        if seconds > 0 {
            tally.metrics.page_seconds += seconds as u64;
            tally.metrics.page_count += 1;
        }
    }
    if unit == Unit::Events {
        tally.metrics.event_seconds += row.event_duration.unwrap_or(0);
    }
    if query.measures.meta_keys && row.kind == Kind::Event {
        tally.meta_keys.extend(row.meta.iter().map(|pair| pair.0.clone()));
    }
}

fn meet(tally: &mut Tally, session: &PlainSession, query: &Query) {
    tally.visitors.insert(session.visitor);
    if !tally.sessions.insert((session.visitor, session.id)) {
        return;
    }
    tally.metrics.bounces += u64::from(session.bounced);
    let seconds = seconds_between(session.rows[0].time, session.rows[session.rows.len() - 1].time);
    if query.measures.durations && seconds > 0 {
        tally.metrics.duration_seconds += seconds as u64;
        tally.metrics.duration_count += 1;
    }
}

fn group_of(session: &PlainSession, row: Option<&PlainRow>, time: i64, group: &Group) -> Option<GroupKey> {
    let bucket = |edges: &[i64]| edges.windows(2).position(|pair| pair[0] <= time && time < pair[1]);
    let edge = |row: Option<usize>, with_title: bool| {
        let row = &session.rows[row?];
        let mut texts = vec![row.text(Column::Path)];
        texts.extend(with_title.then(|| row.text(Column::Title)));
        Some((0, texts))
    };
    match group {
        Group::All => Some((0, Vec::new())),
        Group::Buckets(edges) => Some((bucket(edges)?, Vec::new())),
        Group::Cycle { edges, slots, .. } => Some((usize::from(slots[bucket(edges)?]), Vec::new())),
        Group::Columns(columns) => {
            let text = |column: &Column| match (column.is_attribute(), row) {
                (true, _) => Some(session.text(*column)),
                (false, Some(row)) => Some(row.text(*column)),
                (false, None) => None,
            };
            Some((0, columns.iter().map(text).collect::<Option<Vec<String>>>()?))
        }
        Group::Entry(with_title) => edge(session.entry(), *with_title),
        Group::Exit(with_title) => edge(session.exit(), *with_title),
        Group::MetaValue(key) => {
            let pair = row?.meta.iter().find(|pair| pair.0 == *key)?;
            Some((0, vec![pair.1.clone()]))
        }
    }
}

fn report(query: &Query, tallies: BTreeMap<GroupKey, Tally>) -> Report {
    let mut rows: Vec<(usize, GroupRow)> = Vec::new();
    for ((place, keys), tally) in tallies {
        let metrics = Metrics {
            visitors: tally.visitors.len() as u64,
            sessions: tally.sessions.len() as u64,
            ..tally.metrics
        };
        rows.push((place, GroupRow { keys, metrics, meta_keys: tally.meta_keys.into_iter().collect() }));
    }
    if fixed_count(&query.group) == 0 {
        rows.sort_by_key(|(_, row)| {
            let number = match query.order {
                Order::Visitors => row.metrics.visitors,
                Order::Sessions => row.metrics.sessions,
                Order::Views => row.metrics.views,
                Order::Keys => 0,
            };
            (std::cmp::Reverse(number), row.keys.clone())
        });
    }
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    Report { rows: rows.into_iter().map(|(_, row)| row).collect() }
}
