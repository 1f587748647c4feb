//! What the numbers mean, as plain loops over plain sessions. Shares nothing with the kernels.

pub mod sessions;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::testdata::{PlainRow, PlainSession};
use super::{
    EventTest, Filter, Group, GroupRow, Metrics, Occurrence, PairsColumn, PairsPart, PairsTest, Query, Rank,
    Report, Unit,
};
use crate::event::{Kind, Pairs, decode_pairs, encode_pairs};
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
        Group::Clock(clock) => usize::from(clock.slot_count),
        _ => 0,
    }
}

fn session_passes(session: &PlainSession, filter: &Filter) -> bool {
    let path_of = |row: Option<usize>| row.map_or(String::new(), |row| session.rows[row].text(Column::Path));
    filter.attributes.iter().all(|(column, test)| test.holds(&session.text(*column)))
        && filter.entry_path.as_ref().is_none_or(|test| test.holds(&path_of(session.entry())))
        && filter.exit_path.as_ref().is_none_or(|test| test.holds(&path_of(session.exit())))
        && filter.session.is_none_or(|(visitor, id)| visitor.0 == session.visitor && id.0 == session.id)
        && filter.events.iter().all(|test| {
            let happened = session.rows.iter().any(|row| row.kind == Kind::Event && event_matches(row, test));
            let no_event = session.rows.iter().all(|row| row.kind != Kind::Event);
            match test.passes {
                Occurrence::Happened => happened,
                Occurrence::DidNot => !happened,
                Occurrence::HappenedOrNoEvent => happened || no_event,
            }
        })
}

fn event_matches(row: &PlainRow, test: &EventTest) -> bool {
    test.name.as_ref().is_none_or(|name| name.holds(&row.text(Column::EventName)))
        && pairs_pass(&row.meta, &test.meta)
}

fn pairs_pass(pairs: &[(String, String)], tests: &[PairsTest]) -> bool {
    let text = encode_pairs(pairs);
    tests.iter().all(|test| test.holds(Pairs(&text)))
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
        && filter.rows.iter().all(|(column, test)| test.holds(&row.text(*column)))
        && pairs_pass(&row.tags, &filter.tags)
        && (unit != Unit::Events
            || filter.events.iter().all(|test| {
                test.passes == Occurrence::DidNot || !test.selects_rows || event_matches(row, test)
            }))
}

fn seconds_between(from: i64, to: i64) -> i64 {
    to.div_euclid(1000) - from.div_euclid(1000)
}

fn count_session(session: &PlainSession, query: &Query, tallies: &mut BTreeMap<GroupKey, Tally>) {
    let last = session.rows[session.rows.len() - 1].time;
    if !query.span.contains(&last) {
        return;
    }
    for key in groups_of(session, None, last, &query.group) {
        let tally = tallies.entry(key).or_default();
        meet(tally, session, query);
        tally.metrics.views += session.views() as u64;
    }
}

fn count_row(
    session: &PlainSession,
    at: usize,
    unit: Unit,
    query: &Query,
    tallies: &mut BTreeMap<GroupKey, Tally>,
) {
    let row = &session.rows[at];
    for key in groups_of(session, Some(row), row.time, &query.group) {
        let tally = tallies.entry(key).or_default();
        meet(tally, session, query);
        measure_row(tally, session, at, unit, query);
    }
}

fn measure_row(tally: &mut Tally, session: &PlainSession, at: usize, unit: Unit, query: &Query) {
    let row = &session.rows[at];
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
    if let Some(number) = &query.number
        && let Some(pair) = row.meta.iter().find(|pair| pair.0 == number.key)
    {
        tally.metrics.number_sum += (number.read)(&pair.1);
        tally.metrics.number_count += 1;
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

fn groups_of(session: &PlainSession, row: Option<&PlainRow>, time: i64, group: &Group) -> BTreeSet<GroupKey> {
    if let Group::Pairs(column, part) = group {
        let pairs = row.map_or(&[][..], |row| match column {
            PairsColumn::EventMeta => &row.meta,
            PairsColumn::Tags => &row.tags,
        });
        let texts = pairs.iter().filter_map(|(key, value)| match part {
            PairsPart::Keys => Some(key),
            PairsPart::Values => Some(value),
            PairsPart::ValueOf(wanted) => (key == wanted).then_some(value),
        });
        return texts.map(|text| (0, vec![text.clone()])).collect();
    }
    group_of(session, row, time, group).into_iter().collect()
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
        Group::All | Group::Pairs(..) => Some((0, Vec::new())),
        Group::Buckets(edges) => Some((bucket(edges)?, Vec::new())),
        Group::Clock(clock) => {
            let piece = clock.pieces.iter().rfind(|piece| piece.0 <= time).unwrap_or(&clock.pieces[0]);
            let slot = (time + piece.1).div_euclid(clock.slot_ms).rem_euclid(i64::from(clock.slot_count));
            Some((slot as usize, Vec::new()))
        }
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
        let metrics = match query.sums_only {
            true => Metrics { visitors: 0, sessions: 0, views: 0, bounces: 0, ..metrics },
            false => metrics,
        };
        rows.push((place, GroupRow { keys, metrics, meta_keys: tally.meta_keys.into_iter().collect() }));
    }
    if fixed_count(&query.group) == 0 {
        let kept = |row: &GroupRow| {
            let texts: Vec<&str> = row.keys.iter().map(String::as_str).collect();
            query.keep.as_ref().is_none_or(|keep| keep(&texts))
        };
        rows.retain(|(_, row)| kept(row));
        // From the last tie-breaker to the first criterion: the sort is stable.
        let columns: &[Column] = if let Group::Columns(columns) = &query.group { columns } else { &[] };
        let plain = |key: usize, row: &GroupRow| -> Vec<(String, String)> {
            let text = row.keys.get(key).cloned().unwrap_or_default();
            match columns.get(key) {
                Some(Column::EventMeta | Column::Tags) => {
                    decode_pairs(&text).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
                }
                _ => vec![(text, String::new())],
            }
        };
        let all = |row: &GroupRow| (0..3).map(|key| plain(key, row)).collect::<Vec<_>>();
        rows.sort_by_cached_key(|(_, row)| all(row));
        if query.firsts_only {
            rows.dedup_by_key(|(_, row)| row.keys.first().cloned());
        }
        rows.sort_by(|(_, a), (_, b)| {
            let order = match query.order.rank {
                Rank::Number(number) => number(&a.metrics).total_cmp(&number(&b.metrics)),
                Rank::Key(key) => plain(key, a).cmp(&plain(key, b)),
            };
            if query.order.ascending { order } else { order.reverse() }
        });
    }
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    Report { rows: rows.into_iter().map(|(_, row)| row).collect() }
}
