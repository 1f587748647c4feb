//! What the engine spends on a month of events, question by question: `cargo bench --bench kernels`.
//!
//! Each question leans on another kernel. They are scanned, so that the kernels are what is measured; a few are asked
//! with aggregates, too.

#![allow(missing_docs, clippy::expect_used, reason = "a program of its own")]

mod generator;
#[path = "support/quick.rs"]
mod quick;
mod support;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use generator::FIRST_DAY_MS;
use hitstone_engine::query::{Clock, Filter, Group, Measures, PairsColumn, PairsPart, Query, TextTest, Unit};
use hitstone_engine::scan::buckets::Buckets;
use hitstone_engine::schema::Column;
use hitstone_engine::snapshot::Snapshot;
use support::SITE;

const DAY_MS: i64 = 86_400_000;
const DAYS: i64 = 30;
const HOUR_MS: i64 = 3_600_000;

fn queries(criterion: &mut Criterion) {
    let events = support::events(support::scaled(300_000, 3_000));
    let (_folder, store) = support::compacted(&events);
    let snapshot = store.snapshot();
    let mut scans = criterion.benchmark_group("scan");
    scans.throughput(Throughput::Elements(events.len() as u64));
    for (name, query) in unfiltered().into_iter().chain(filtered()) {
        answer(&mut scans, &snapshot, name, Query { by_scan: true, ..query });
    }
    scans.finish();
    let mut known = criterion.benchmark_group("aggregate");
    for (name, query) in unfiltered() {
        answer(&mut known, &snapshot, name, query);
    }
    known.finish();
}

fn answer(group: &mut BenchmarkGroup<'_, WallTime>, snapshot: &Snapshot, name: &str, query: Query) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| snapshot.answer(&query, &|| None).expect("an answer"));
    });
}

fn question(unit: Unit, group: Group) -> Query {
    let span = FIRST_DAY_MS..FIRST_DAY_MS + DAYS * DAY_MS;
    Query { limit: Some(100), ..Query::new(SITE, span, unit, group) }
}

fn days() -> Vec<i64> {
    (0..=DAYS).map(|day| FIRST_DAY_MS + day * DAY_MS).collect()
}

fn by(column: Column) -> Group {
    Group::Columns(vec![column])
}

fn unfiltered() -> Vec<(&'static str, Query)> {
    let durations = Measures { durations: true, ..Measures::default() };
    let on_page = Measures { time_on_page: true, ..Measures::default() };
    let hours = Clock { pieces: vec![(FIRST_DAY_MS, 0)], slot_ms: HOUR_MS, slot_count: 24 };
    vec![
        ("totals", question(Unit::Sessions, Group::All)),
        (
            "durations by day",
            Query { measures: durations, ..question(Unit::Sessions, Group::Buckets(days())) },
        ),
        (
            "time on page by day",
            Query { measures: on_page, ..question(Unit::PageViews, Group::Buckets(days())) },
        ),
        ("hours", question(Unit::PageViews, Group::Clock(hours))),
        ("countries", question(Unit::Sessions, by(Column::Country))),
        (
            "cities",
            question(Unit::Sessions, Group::Columns(vec![Column::City, Column::Country, Column::Region])),
        ),
        ("pages", question(Unit::PageViews, by(Column::Path))),
        ("entry pages", question(Unit::PageViews, Group::Entry(false))),
        ("events", question(Unit::Events, by(Column::EventName))),
        (
            "metadata",
            question(Unit::Events, Group::Pairs(PairsColumn::EventMeta, PairsPart::ValueOf("value".into()))),
        ),
    ]
}

fn filtered() -> Vec<(&'static str, Query)> {
    let country = || (Column::Country, test(|text| text == "de"));
    let path = || (Column::Path, test(|text| text == "/pricing"));
    let blog = || (Column::Path, test(|text| text.starts_with("/blog/")));
    let attributes = |attributes| Filter { attributes, ..Filter::default() };
    let rows = |rows| Filter { rows, ..Filter::default() };
    let three = Filter {
        attributes: vec![country(), (Column::Platform, test(|text| text == "mobile"))],
        rows: vec![path()],
        ..Filter::default()
    };
    vec![
        (
            "browsers of a country",
            Query { filter: attributes(vec![country()]), ..question(Unit::Sessions, by(Column::Browser)) },
        ),
        (
            "pages of a country",
            Query { filter: attributes(vec![country()]), ..question(Unit::PageViews, by(Column::Path)) },
        ),
        (
            "browsers of a path",
            Query { filter: rows(vec![path()]), ..question(Unit::Sessions, by(Column::Browser)) },
        ),
        (
            "browsers of many paths",
            Query { filter: rows(vec![blog()]), ..question(Unit::Sessions, by(Column::Browser)) },
        ),
        (
            "browsers of three filters",
            Query { filter: three, ..question(Unit::Sessions, by(Column::Browser)) },
        ),
    ]
}

fn test(passes: fn(&str) -> bool) -> TextTest {
    TextTest::that(passes)
}

fn buckets(criterion: &mut Criterion) {
    let year: Vec<i64> = (0..=365).map(|day| FIRST_DAY_MS + day * DAY_MS).collect();
    let buckets = Buckets::new(&year);
    let times: Vec<i64> = (0..4_096).map(|at| FIRST_DAY_MS + at * 7_654_321).collect();
    criterion.bench_function("days of 4096 times", |bencher| {
        bencher.iter(|| times.iter().filter_map(|&time| buckets.find(time)).map(u64::from).sum::<u64>());
    });
}

criterion_group! {
    name = benches;
    config = quick::criterion();
    targets = queries, buckets
}
criterion_main!(benches);
