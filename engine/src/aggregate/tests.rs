//! Answers with aggregates compared with those of a scan and of the naive model, for random data, zones and histories;
//! and what damage does.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use roaring::RoaringBitmap;

use super::specs::{By, Counted, Grain, SPECS, Spec};
use super::*;
use crate::event::Kind;
use crate::query::testdata::{OwnedTable, PlainRow, PlainSession, SiteCodes, TextMap};
use crate::query::tests::indexes::{Owned, Shape, load, mixed, rounded, shapes, sources};
use crate::query::tests::{DAY_FIRST, SessionSpec, TextSpec, execute_on_three, session_specs, text_test};
use crate::query::{
    Clock, Filter, Group, Measures, Order, Report, Uncounted, Unit, execute, execute_with, naive,
};
use crate::schema::Column;
use crate::units::DAY_MS;
use crate::vfs::Bytes;

const HOUR_MS: i64 = 3_600_000;
const SITE: SiteId = SiteId(1);
const ORIGIN: i64 = DAY_FIRST as i64 * DAY_MS;
const DAYS: i64 = 14;

/// Half hours east of UTC, the day on which the clock is put on by half hours, and the first day of a month.
type ZoneSpec = (i64, (i64, i64), i64);

fn zones() -> impl Strategy<Value = ZoneSpec> {
    let offset = prop_oneof![2 => Just(0i64), 3 => -23..28i64];
    (offset, (0..DAYS, prop_oneof![Just(0i64), Just(2), Just(-2), Just(1)]), 0..DAYS)
}

/// Days that begin at midnight of the zone's clock, which is put on at 01:00.
fn local_days((offset, (change_day, change), month_day): ZoneSpec) -> LocalDays {
    let offset_of = |day: i64| (offset + if day > change_day { change } else { 0 }) * HOUR_MS / 2;
    let edges = (-2..=DAYS).map(|day| ORIGIN + day * DAY_MS - offset_of(day)).collect();
    let months = (-2..DAYS).map(|day| u32::from(day >= month_day)).collect();
    let changed_at = ORIGIN + change_day * DAY_MS - offset_of(change_day) + HOUR_MS;
    let shift = |day: i64| offset_of(day) + 3 * DAY_MS;
    let shifts = vec![(i64::MIN / 2, shift(change_day)), (changed_at, shift(change_day + 1))];
    LocalDays { zone: "Test/Zone".into(), edges, months, shifts }
}

/// What happened to each source: whether it has an aggregate, how many sources were there when that was made, and
/// which sessions were hidden since (a bit of each number).
type HistorySpec = (bool, usize, u64);

fn histories() -> impl Strategy<Value = Vec<HistorySpec>> {
    let hidden =
        prop_oneof![2 => Just(0u64), 1 => any::<u64>().prop_map(|bits| bits & (bits >> 7) & (bits << 9))];
    prop::collection::vec((prop::bool::weighted(0.8), 0..3usize, hidden), 3)
}

#[derive(Debug, Clone)]
struct Asked {
    spec: usize,
    /// The first and the last day, and what they are off by.
    days: (usize, usize, i64),
    /// Days on which buckets begin, and what they are off by.
    buckets: Option<(Vec<usize>, i64)>,
    /// Of another zone.
    other_clock: Option<i64>,
    test: Option<TextSpec>,
    /// Whether what passes is asked for as one group, and then whether for sums alone.
    as_one: Option<bool>,
    measures: (bool, bool),
}

fn questions() -> impl Strategy<Value = Asked> {
    let off = || prop_oneof![8 => Just(0i64), 1 => Just(HOUR_MS), 1 => -DAY_MS..DAY_MS];
    let day = || prop_oneof![1 => Just(0usize), 3 => 0..=DAYS as usize + 2];
    (
        0..SPECS.len(),
        (day(), prop_oneof![2 => Just(DAYS as usize + 2), 3 => 0..=DAYS as usize + 2], off()),
        prop::option::weighted(0.3, (prop::collection::vec(0..DAYS as usize + 3, 2..6), off())),
        prop::option::weighted(0.2, prop_oneof![Just(0i64), Just(1), Just(24), -40..40i64]),
        prop::option::weighted(0.3, (0..4u8, 0..4u8)),
        (any::<bool>(), any::<bool>(), prop::option::of(any::<bool>())),
    )
        .prop_map(|(spec, days, buckets, other_clock, test, (durations, time_on_page, as_one))| Asked {
            spec,
            days,
            buckets,
            other_clock,
            test,
            as_one,
            measures: (durations, time_on_page),
        })
}

fn prefix(column: Column) -> &'static str {
    match column {
        Column::Path => "/",
        Column::Title => "title",
        Column::Hostname => "host",
        _ => "word",
    }
}

fn question(asked: &Asked, days: &LocalDays, by_scan: bool) -> Query {
    let spec = &SPECS[asked.spec];
    let mut filter = Filter::default();
    let tested = if asked.as_one.is_some() { usize::MAX } else { 1 };
    if let (Some(test), By::Columns(columns)) = (asked.test, spec.by) {
        for &column in columns.iter().take(tested) {
            let tests = if column.is_attribute() { &mut filter.attributes } else { &mut filter.rows };
            tests.push((column, text_test(test, prefix(column))));
        }
    }
    let group = match spec.by {
        By::All => Group::All,
        By::Absent(column) => {
            let test = asked.test.map_or((0, 0), |test| (test.0 % 2, test.1));
            filter.attributes.push((column, text_test(test, "word")));
            Group::All
        }
        By::Clock(slot_ms, slot_count) => {
            let shifts = asked.other_clock.map(|hours| vec![(0, hours * HOUR_MS)]);
            Group::Clock(Clock { pieces: shifts.unwrap_or(days.shifts.clone()), slot_ms, slot_count })
        }
        By::Columns(_) if asked.as_one.is_some() => Group::All,
        By::Columns(columns) => Group::Columns(columns.to_vec()),
        By::Entry(with_title) => Group::Entry(with_title),
        By::Exit(with_title) => Group::Exit(with_title),
    };
    let group = match (&asked.buckets, group) {
        (Some((edges, off)), Group::All) => {
            let edges: BTreeSet<i64> = edges.iter().map(|&day| days.edges[day] + off).collect();
            let mut edges: Vec<i64> = edges.into_iter().collect();
            edges.push(edges[edges.len() - 1]);
            Group::Buckets(edges)
        }
        (_, group) => group,
    };
    let (a, b, off) = asked.days;
    let (durations, time_on_page) = asked.measures;
    Query {
        site: SITE,
        span: days.edges[a.min(b)] + off..days.edges[a.max(b)] + off,
        filter,
        unit: spec.unit,
        group,
        measures: Measures { durations, time_on_page, meta_keys: false },
        number: None,
        keep: None,
        firsts_only: false,
        order: Order::VISITORS,
        limit: None,
        by_scan,
        sums_only: spec.counted == Counted::SumsOnly
            || matches!(spec.by, By::Columns(_)) && asked.as_one == Some(true),
    }
}

/// Sources with aggregates that were made at different times.
struct World {
    live: Vec<PlainSession>,
    owned: Vec<Owned>,
    codes: SiteCodes,
    aggregates: Aggregates,
    days: LocalDays,
    numbers: Vec<Option<SegmentId>>,
    /// How often all but a few sessions of a source were known.
    whole: usize,
}

/// More visitors instead of few that come again: of the sessions' visitors each stands for so many.
fn spread(mut specs: Vec<SessionSpec>, count: u64) -> Vec<SessionSpec> {
    specs.iter_mut().zip(0..).for_each(|(spec, n)| spec.visitor += 10 * (n % count));
    specs
}

/// The bytes of the aggregate of one of the sources, made when only the first ones were there.
fn made(owned: &[Owned], codes: &SiteCodes, days: &LocalDays, at: usize, there: usize) -> Option<Vec<u8>> {
    let sources = sources(owned, codes);
    let found = Recurring::find(&sources[..there]).unwrap();
    let number = SegmentId(at as u64 + 1);
    let making = Making { number, site: SITE, source: sources[at], recurring: (&found, at), days };
    build(&making, &|| None).unwrap()
}

fn world(specs: &[SessionSpec], kinds: (u32, Shape), days: &LocalDays, histories: &[HistorySpec]) -> World {
    let (mut live, mut owned, codes) = mixed(specs, kinds.0, kinds.1);
    let aggregates = Aggregates::default();
    load(&mut owned, &needs());
    for (at, &(has, there, _)) in histories.iter().enumerate() {
        if has && let Some(bytes) = made(&owned, &codes, days, at, at.max(there) + 1) {
            let aggregate = Aggregate::of(Path::new("aggregate"), Bytes::from_vec(bytes)).unwrap();
            aggregate.verify().unwrap();
            assert_eq!(aggregate.days(), days);
            aggregates.register(aggregate);
        }
    }
    for (at, (_, _, hidden)) in histories.iter().enumerate() {
        let gone: RoaringBitmap = (0..64u32).filter(|bit| hidden >> bit & 1 == 1).collect();
        let source = sources(&owned, &codes)[at];
        let before = source.hidden.cloned().unwrap_or_default();
        let count = source.table.session_count();
        for session in (&gone - &before).iter().map(|at| at as usize).filter(|&session| session < count) {
            let visitor = source.table.visitor(session).unwrap();
            let id = source.table.states.session_id(session).unwrap();
            live.retain(|session| (session.visitor, session.id) != (visitor, id));
        }
        match &mut owned[at] {
            Owned::Table(table) => table.hidden |= gone,
            Owned::Index(index) => index.hidden |= gone,
        }
    }
    let numbers = (1..=owned.len() as u64).map(|number| Some(SegmentId(number))).collect();
    World { live, owned, codes, aggregates, days: days.clone(), numbers, whole: 0 }
}

impl World {
    /// The answer with what is known, how many sessions need no scan, and the answer of a scan.
    fn ask(&mut self, query: &Query) -> (Report, usize, Report) {
        load(&mut self.owned, &query.needs());
        let sources = sources(&self.owned, &self.codes);
        let found = Recurring::find(&sources).unwrap();
        let known = self.aggregates.known(&sources, &self.numbers, &found, query, &|| None).unwrap();
        let left_out = |known: &Known<'_>| match &known.sessions {
            Uncounted::These(sessions) => sessions.count(),
            Uncounted::AllBut(rest) => {
                self.whole += 1;
                sources[known.source].table.session_count() - rest.len()
            }
        };
        let left_out = known.iter().map(left_out).sum();
        let answer = execute_with(&sources, &found, &known, query, 1, &|| None).unwrap();
        assert_eq!(execute_on_three(&sources, &found, &known, query).unwrap(), answer);
        (answer, left_out, execute(&sources, &found, query, &|| None).unwrap())
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn answers_as_a_scan_does(
        specs in (session_specs(), 1..30u64).prop_map(|(specs, count)| spread(specs, count)),
        kinds in (prop_oneof![Just(1u32), Just(400_000)], shapes()),
        zone in zones(),
        histories in histories(),
        questions in prop::collection::vec(questions(), 12),
    ) {
        let mut world = world(&specs, kinds, &local_days(zone), &histories);
        for asked in &questions {
            let (answer, _, scanned) = world.ask(&rounded(question(asked, &world.days.clone(), false)));
            prop_assert_eq!(&answer, &scanned, "{:?} {:?}", SPECS[asked.spec], asked);
            let naive = naive::answer(&world.live, &rounded(question(asked, &world.days, true)));
            prop_assert_eq!(answer, naive, "{:?} {:?}", SPECS[asked.spec], asked);
        }
    }
}

/// A visitor a day for some days, each with some sessions.
fn plain_world(zone: ZoneSpec) -> World {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let specs: Vec<SessionSpec> =
        (0..12).flat_map(|_| session_specs().new_tree(&mut runner).unwrap().current()).collect();
    let specs = spread(specs, u64::MAX);
    world(
        &specs,
        (1, ([false, false, true], 1_000)),
        &local_days(zone),
        &[(true, 2, 0), (true, 2, 0), (true, 2, 0)],
    )
}

fn whole(spec: usize) -> Asked {
    let days = (0, DAYS as usize + 2, 0);
    Asked { spec, days, buckets: None, other_clock: None, test: None, as_one: None, measures: (false, false) }
}

/// About days of which a grouping by weeks knows some, while no source lies within them.
fn weeks(spec: usize) -> Asked {
    Asked { days: (4, DAYS as usize - 1, 0), ..whole(spec) }
}

#[test]
fn every_grouping_is_used() {
    let (mut world, days) = (plain_world((0, (5, 2), 7)), local_days((0, (5, 2), 7)));
    for (spec, kept) in SPECS.iter().enumerate() {
        let asked = if kept.grain == Grain::Week { weeks(spec) } else { whole(spec) };
        let (answer, left_out, scanned) = world.ask(&question(&asked, &days, false));
        assert!(left_out > 0, "{kept:?}");
        assert_eq!(answer, scanned);
        assert_eq!(world.ask(&question(&whole(spec), &days, true)).1, 0, "told to scan");
    }
    assert!(world.aggregates.cache_bytes() > 0);
    assert!(world.aggregates.take_damage().is_empty());
    assert!(world.whole > SPECS.len(), "all but a few sessions of some sources");
}

#[test]
fn what_one_group_has_is_the_answer_of_a_filter_that_leaves_no_other() {
    let (mut world, days) = (plain_world((0, (5, 2), 7)), local_days((0, (5, 2), 7)));
    let by_columns = |spec: &&Spec| matches!(spec.by, By::Columns(_)) && spec.grain != Grain::Week;
    for kept in SPECS.iter().filter(by_columns) {
        let spec = SPECS.iter().position(|other| other.id == kept.id).unwrap();
        for sums_only in [false, true] {
            let one = Asked { test: Some((0, 1)), as_one: Some(sums_only), ..whole(spec) };
            let (answer, left_out, scanned) = world.ask(&question(&one, &days, false));
            assert!(left_out > 0, "{kept:?}");
            assert_eq!(answer, scanned);
            let by_day = Asked { buckets: Some(((0..15).collect(), 0)), ..one.clone() };
            let (answer, left_out, scanned) = world.ask(&question(&by_day, &days, false));
            assert_eq!(left_out > 0, kept.grain == Grain::Day, "{kept:?}");
            assert_eq!(answer, scanned);
            let several = Asked { test: Some((3, 2)), ..one };
            let (answer, _, scanned) = world.ask(&question(&several, &days, false));
            assert_eq!(answer, scanned, "{kept:?}");
        }
    }
}

#[test]
fn another_zone_is_scanned() {
    let (mut world, days) = (plain_world((0, (5, 2), 7)), local_days((0, (5, 2), 7)));
    let other = local_days((3, (5, 2), 7));
    let mut some_days = whole(0);
    some_days.days = (3, 9, 0);
    let (answer, _, scanned) = world.ask(&question(&some_days, &other, false));
    assert_eq!(answer, scanned);
    let mut by_day = some_days.clone();
    by_day.buckets = Some(((0..15).collect(), 0));
    assert_eq!(world.ask(&question(&by_day, &other, false)).1, 0);
    assert!(world.ask(&question(&by_day, &days, false)).1 > 0);
}

#[test]
fn numbers_of_groupings_are_given_once() {
    let ids: BTreeSet<u8> = SPECS.iter().map(|spec| spec.id).collect();
    assert_eq!(ids.len(), SPECS.len());
    let of = |grain: Grain| SPECS.iter().filter(move |spec| spec.grain == grain);
    let weekly: Vec<&Spec> = of(Grain::Month).filter_map(Spec::by_weeks).collect();
    assert_eq!(weekly, of(Grain::Week).collect::<Vec<_>>());
}

/// A grouping may have any number of groups: then it is not kept, and the others are.
#[test]
fn a_grouping_of_very_many_groups_is_left_out() {
    let session = |n: u32| {
        let row = PlainRow {
            time: ORIGIN + i64::from(n),
            kind: Kind::PageView,
            texts: TextMap::new(),
            meta: Vec::new(),
            tags: Vec::new(),
            event_duration: None,
        };
        let texts = TextMap::from([(Column::Country, format!("c{n}")), (Column::Os, "o".into())]);
        (PlainSession::numbered(n, DAY_FIRST, u32::MAX, texts, vec![row]), false)
    };
    let kept_of = |count: u32| {
        let table = OwnedTable::new(&(0..count).map(session).collect::<Vec<_>>(), &mut SiteCodes::new(1), 4);
        let (source, days) = (table.source(), local_days((0, (0, 0), 0)));
        let found = Recurring::find(&[source]).unwrap();
        let making = Making { number: SegmentId(1), site: SITE, source, recurring: (&found, 0), days: &days };
        let bytes = build(&making, &|| None).unwrap().unwrap();
        let aggregate = Aggregate::of(Path::new("aggregate"), Bytes::from_vec(bytes)).unwrap();
        [Column::Country, Column::Os].map(|column| {
            aggregate
                .has(Spec::of(&Query::new(SITE, 0..1, Unit::Sessions, Group::Columns(vec![column]))).unwrap())
        })
    };
    assert_eq!(kept_of(1_000), [true, true]);
    assert_eq!(kept_of(1_100), [false, true]);
}

#[test]
fn what_has_no_counts_is_left_to_the_scan() {
    let days = local_days((0, (0, 0), 0));
    let ask = |change: &dyn Fn(&mut Query)| {
        let mut query = question(&whole(0), &days, false);
        change(&mut query);
        Spec::of(&query).is_some()
    };
    assert!(ask(&|_| {}));
    assert!(!ask(&|query| query.by_scan = true));
    assert!(!ask(&|query| query.measures.meta_keys = true));
    assert!(!ask(&|query| query.unit = Unit::Rows));
    assert!(!ask(&|query| query.filter.entry_path = Some(text_test((3, 0), ""))));
    let by = |column: Column| (column, text_test((3, 0), ""));
    assert!(ask(&|query| query.filter.attributes.push(by(Column::Os))));
    assert!(!ask(&|query| query.filter.attributes.extend([by(Column::Os), by(Column::Country)])));
    assert!(ask(&|query| query.filter.attributes.extend([by(Column::Os), by(Column::OsVersion)])));
    assert!(ask(&|query| query.filter.rows.push(by(Column::Path))));
    assert!(!ask(&|query| query.filter.rows.push(by(Column::EventName))));
    let by_days = |query: &mut Query| query.group = Group::Buckets(days.edges.clone());
    assert!(ask(&|query| (by_days(query), query.filter.attributes.push(by(Column::Os))).1));
    assert!(!ask(&|query| (by_days(query), query.filter.rows.push(by(Column::Path))).1));
    assert!(!ask(&|query| query.filter.attributes.push(by(Column::BrowserVersion))));
    assert!(!ask(&|query| query.group = Group::Columns(vec![Column::Region])));
    assert!(ask(&|query| query.group = Group::Columns(vec![Column::Country])));
}

fn file() -> Vec<u8> {
    let world = plain_world((11, (5, -2), 7));
    made(&world.owned, &world.codes, &world.days, 0, 3).unwrap()
}

fn read(bytes: Vec<u8>) -> Result<(), StorageError> {
    Aggregate::of(Path::new("aggregate"), Bytes::from_vec(bytes))?.verify()
}

#[test]
fn every_flipped_byte_and_every_cut_is_seen() {
    let bytes = file();
    read(bytes.clone()).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        match read(damaged) {
            Err(StorageError::Corrupt { .. }) => {}
            Err(StorageError::Version { .. }) => assert!((8..12).contains(&at), "byte {at}"),
            _ => panic!("byte {at}"),
        }
    }
    for len in (0..bytes.len()).step_by(7) {
        assert!(read(bytes[..len].to_vec()).is_err(), "cut at {len}");
    }
    assert!(read([&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_newer_version_is_refused() {
    let mut bytes = file();
    bytes[8] = 5;
    let head_end = 16 + u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    let crc = crate::checksum::crc32c(&bytes[..head_end]);
    bytes[head_end..head_end + 4].copy_from_slice(&crc.to_le_bytes());
    assert!(matches!(read(bytes), Err(StorageError::Version { found: 5, supported: 4, .. })));
}

#[test]
fn a_damaged_grouping_is_scanned_and_told() {
    let (mut world, days) = (plain_world((0, (0, 0), 0)), local_days((0, (0, 0), 0)));
    let mut bytes = file();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let aggregate = Aggregate::of(Path::new("aggregate"), Bytes::from_vec(bytes)).unwrap();
    world.aggregates.retain(|_, _| false);
    assert_eq!(world.aggregates.cache_bytes(), 0);
    world.aggregates.register(aggregate);
    let (answer, left_out, scanned) = world.ask(&question(&weeks(SPECS.len() - 1), &days, false));
    assert_eq!((answer, left_out), (scanned, 0));
    assert!(matches!(world.aggregates.take_damage()[..], [StorageError::Corrupt { .. }]));
    assert!(world.aggregates.get(SegmentId(1), SITE).is_none());
}

#[test]
fn a_small_cache_keeps_within_its_bytes() {
    let world = plain_world((0, (0, 0), 0));
    let small = Aggregates::new(600);
    for number in 1..=3 {
        let aggregate = world.aggregates.get(SegmentId(number), SITE).unwrap();
        for spec in SPECS {
            let entries = small.entries(&aggregate, spec).unwrap();
            assert!(small.cache_bytes() <= 600);
            assert_eq!(entries.columns.len(), small.entries(&aggregate, spec).unwrap().columns.len());
        }
    }
    assert!(small.cache_bytes() > 0);
}
