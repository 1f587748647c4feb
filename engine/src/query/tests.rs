//! The engine's answers compared with those of the naive model, for random data and random questions.

pub mod indexes;
mod sessions;

use proptest::prelude::*;

use super::execute::execute_within;
use super::naive;
use super::portions::Means;
use super::testdata::{OwnedTable, PlainRow, PlainSession, SiteCodes, TextMap};
use super::*;
use crate::error::QueryError;
use crate::event::Kind;
use crate::schema::Column;
use crate::units::{DAY_MS, SessionId, SiteId, VisitorId};

/// Where the days of the tests start.
pub const DAY_FIRST: u32 = 19_000;
const SOURCE_COUNT: usize = 3;
const GAPS_MS: [i64; 6] = [0, 400, 1_700, 59_999, 4_000_000, 30_000_000];

fn word(prefix: &str, number: u8) -> String {
    if number == 0 { String::new() } else { format!("{prefix}{number}") }
}

#[derive(Debug, Clone)]
pub struct SessionSpec {
    pub visitor: u64,
    day: u32,
    start: i64,
    texts: [u8; 4],
    bounced: bool,
    source: usize,
    /// A superseded copy of the session's first rows lies in this source.
    stale: Option<usize>,
    rows: Vec<RowSpec>,
}

type RowSpec = (usize, u8, [u8; 3], (u8, u8, u8), Option<u64>);

fn row_specs() -> impl Strategy<Value = Vec<RowSpec>> {
    let texts = prop::array::uniform3(0..4u8);
    let row = (0..GAPS_MS.len(), 0..3u8, texts, (0..4u8, 0..6u8, 0..4u8), prop::option::of(0..90u64));
    prop::collection::vec(row, 1..6)
}

pub fn session_specs() -> impl Strategy<Value = Vec<SessionSpec>> {
    let place = (0..SOURCE_COUNT, prop::option::weighted(0.15, 0..SOURCE_COUNT));
    let session =
        (0..10u64, 0..8u32, 0..DAY_MS, prop::array::uniform4(0..4u8), any::<bool>(), place, row_specs());
    let spec = session.prop_map(|(visitor, day, start, texts, bounced, (source, stale), rows)| SessionSpec {
        visitor,
        day,
        start,
        texts,
        bounced,
        source,
        stale: stale.filter(|&stale| stale != source),
        rows,
    });
    prop::collection::vec(spec, 0..30)
}

fn plain_row(spec: &RowSpec, time: i64) -> PlainRow {
    let (_, kind, [path, title, host], (name, meta, tags), event_duration) = spec;
    let kind = Kind::from_byte(*kind).unwrap();
    let is_event = kind == Kind::Event;
    let mut texts = TextMap::new();
    texts.insert(Column::Path, word("/", *path));
    texts.insert(Column::Title, word("title", *title));
    texts.insert(Column::Hostname, word("host", *host));
    texts.insert(Column::EventName, if is_event { word("event", *name) } else { String::new() });
    let pairs = |key: &str, number: u8| {
        (0..number.min(3)).map(|n| (format!("{key}{n}"), word("value", number - n))).collect()
    };
    PlainRow {
        time,
        kind,
        texts,
        meta: if is_event { pairs("m", *meta) } else { Vec::new() },
        tags: if kind == Kind::PageView { pairs("t", *tags) } else { Vec::new() },
        event_duration: event_duration.filter(|_| is_event),
    }
}

fn plain_session(spec: &SessionSpec, n: u32) -> PlainSession {
    let given = spec.visitor % 10 >= 7;
    // A daily id is seen on at most four neighbouring days.
    let visitor = if given { spec.visitor } else { spec.visitor * 100 + u64::from(spec.day / 4) };
    // Every other one is negative as a signed number.
    let visitor = visitor | (spec.visitor & 1) << 63;
    let mut time = i64::from(DAY_FIRST + spec.day) * DAY_MS + spec.start;
    let mut rows = Vec::new();
    for row in &spec.rows {
        rows.push(plain_row(row, time));
        time += GAPS_MS[row.0];
    }
    let columns = [Column::Country, Column::Referrer, Column::Browser, Column::City];
    let texts = columns.iter().zip(spec.texts).map(|(&column, n)| (column, word("word", n))).collect();
    let id = ((DAY_FIRST + spec.day) << 16) | n;
    PlainSession { visitor, id, given, bounced: spec.bounced, texts, rows }
}

/// The sessions of a source, each with whether it is superseded.
type PartSpec = Vec<(PlainSession, bool)>;

/// The live sessions, and those of each source.
fn split(specs: &[SessionSpec]) -> (Vec<PlainSession>, Vec<PartSpec>) {
    let sessions: Vec<PlainSession> = specs.iter().zip(1..).map(|(spec, n)| plain_session(spec, n)).collect();
    let mut parts: Vec<PartSpec> = vec![Vec::new(); SOURCE_COUNT];
    for (session, spec) in sessions.iter().zip(specs) {
        parts[spec.source].push((session.clone(), false));
        if let Some(stale) = spec.stale {
            let mut copy = session.clone();
            copy.rows.truncate(1 + copy.rows.len() / 2);
            parts[stale].push((copy, true));
        }
    }
    (sessions, parts)
}

/// The live sessions, and the tables that hold them.
fn site(specs: &[SessionSpec], stride: u32) -> (Vec<PlainSession>, Vec<OwnedTable>) {
    let (sessions, parts) = split(specs);
    let mut codes = SiteCodes::new(stride);
    let tables = parts.iter().zip([1, 2, 4]).map(|(part, width)| OwnedTable::new(part, &mut codes, width));
    let tables = tables.collect();
    (sessions, tables)
}

/// A test of a text: equal, different, ends with, anything.
pub type TextSpec = (u8, u8);

pub fn text_test(spec: TextSpec, prefix: &'static str) -> TextTest {
    let (mode, number) = spec;
    let wanted = word(prefix, number);
    match mode {
        0 => TextTest::one_of([wanted]),
        1 => TextTest::named(format!("not {wanted}"), move |text| text != wanted),
        2 => TextTest::that(move |text| text.ends_with(['1', '3'])),
        _ => TextTest::one_of([wanted, String::new(), word(prefix, 1)]),
    }
}

fn pairs_test(key: String, (mode, number): TextSpec) -> PairsTest {
    let wanted = word("value", number);
    match mode {
        0 => PairsTest::named(format!("{key} is {wanted}"), move |pairs| pairs.get(&key) == Some(&wanted)),
        1 => PairsTest::that(move |pairs| pairs.get(&key) != Some(&wanted)),
        2 => PairsTest::named(format!("no {key}"), move |pairs| pairs.get(&key).is_none()),
        _ => PairsTest::named(key.clone(), move |pairs| pairs.iter().any(|pair| pair.0 == key)),
    }
}

/// The test of the name, those of metadata, which sessions pass, whether rows are selected.
type EventSpec = (Option<TextSpec>, Vec<(u8, TextSpec)>, u8, bool);

#[derive(Debug, Clone)]
struct QuerySpec {
    span: (i64, i64),
    attributes: Vec<(u8, TextSpec)>,
    entry: Option<TextSpec>,
    exit: Option<TextSpec>,
    events: Vec<EventSpec>,
    rows: Vec<(u8, TextSpec)>,
    tags: Vec<(u8, TextSpec)>,
    session: Option<usize>,
    unit: u8,
    group: (u8, Vec<u8>, Vec<i64>),
    /// Durations, time on page, metadata keys, nothing else.
    measures: (bool, bool, bool, bool),
    number: Option<u8>,
    keep: Option<TextSpec>,
    firsts_only: bool,
    order: (u8, bool),
    limit: Option<usize>,
}

fn query_specs() -> impl Strategy<Value = QuerySpec> {
    let text = || (0..4u8, 0..4u8);
    let few = |count| prop::collection::vec((0..3u8, (0..4u8, 0..4u8)), 0..count);
    let rare = || prop::option::weighted(0.15, text());
    let event = (prop::option::of(text()), few(2), 0..5u8, any::<bool>());
    let filter = (
        few(2),
        (rare(), rare()),
        prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(event, 1..3)],
        prop_oneof![2 => Just(Vec::new()), 1 => few(3)],
        prop_oneof![4 => Just(Vec::new()), 1 => few(2)],
        prop::option::weighted(0.05, 0..30usize),
    );
    let times = || prop::collection::vec(-2 * DAY_MS..10 * DAY_MS, 2..9);
    let group = (0..8u8, prop::collection::vec(0..6u8, 1..4), times());
    let span = prop_oneof![2 => Just((-3 * DAY_MS, 20 * DAY_MS)), 3 => (0..9 * DAY_MS, 0..4 * DAY_MS).prop_map(|(s, l)| (s, s + l))];
    let measures = (any::<bool>(), any::<bool>(), any::<bool>(), prop::bool::weighted(0.2));
    let more =
        (prop::option::weighted(0.3, 0..3u8), prop::option::weighted(0.3, text()), prop::bool::weighted(0.2));
    let order = (0..6u8, any::<bool>());
    (span, filter, 0..4u8, group, (measures, more), order, prop::option::of(0..9usize)).prop_map(
        |(
            span,
            (attributes, (entry, exit), events, rows, tags, session),
            unit,
            group,
            (measures, (number, keep, firsts_only)),
            order,
            limit,
        )| {
            QuerySpec {
                span,
                attributes,
                entry,
                exit,
                events,
                rows,
                tags,
                session,
                unit,
                group,
                measures,
                number,
                keep,
                firsts_only,
                order,
                limit,
            }
        },
    )
}

fn query(spec: &QuerySpec, sessions: &[PlainSession]) -> Query {
    let origin = i64::from(DAY_FIRST) * DAY_MS;
    let attributes = [Column::Country, Column::Referrer, Column::City];
    let row_columns = [(Column::Path, "/"), (Column::Title, "title"), (Column::Hostname, "host")];
    let maps = |tests: &[(u8, TextSpec)], key: &str| {
        tests.iter().map(|(n, test)| pairs_test(format!("{key}{n}"), *test)).collect()
    };
    let filter = Filter {
        attributes: spec
            .attributes
            .iter()
            .map(|(at, test)| (attributes[usize::from(*at)], text_test(*test, "word")))
            .collect(),
        entry_path: spec.entry.map(|test| text_test(test, "/")),
        exit_path: spec.exit.map(|test| text_test(test, "/")),
        events: spec
            .events
            .iter()
            .map(|(name, meta, passes, selects_rows)| EventTest {
                name: name.map(|test| text_test(test, "event")),
                meta: maps(meta, "m"),
                passes: match passes {
                    0 | 1 => Occurrence::Happened,
                    2 | 3 => Occurrence::DidNot,
                    _ => Occurrence::HappenedOrNoEvent,
                },
                selects_rows: *selects_rows,
            })
            .collect(),
        rows: spec
            .rows
            .iter()
            .map(|(at, test)| {
                let (column, prefix) = row_columns[usize::from(*at)];
                (column, text_test(*test, prefix))
            })
            .collect(),
        tags: maps(&spec.tags, "t"),
        session: spec
            .session
            .and_then(|at| sessions.get(at))
            .map(|s| (VisitorId(s.visitor), SessionId(s.id))),
    };
    Query {
        site: SiteId(1),
        span: origin + spec.span.0..origin + spec.span.1,
        filter,
        unit: [Unit::Sessions, Unit::PageViews, Unit::Events, Unit::Rows][usize::from(spec.unit)],
        group: group(&spec.group, origin),
        measures: Measures {
            durations: spec.measures.0,
            time_on_page: spec.measures.1,
            meta_keys: spec.measures.2,
        },
        sums_only: spec.measures.3,
        number: spec
            .number
            .map(|key| MetaNumber { key: format!("m{key}"), read: Box::new(|text| text.len() as i128 - 6) }),
        keep: spec.keep.map(|(_, number)| -> GroupTest {
            let end = char::from(b'0' + number);
            Box::new(move |texts| texts.iter().any(|text| text.ends_with(end)))
        }),
        firsts_only: spec.firsts_only,
        order: order(spec.order),
        limit: spec.limit,
        by_scan: false,
    }
}

fn order((kind, ascending): (u8, bool)) -> Order {
    let ranks = [Order::VISITORS.rank, Order::SESSIONS.rank, Order::VIEWS.rank, Rank::Key(0), Rank::Key(1)];
    let mean = |metrics: &Metrics| metrics.page_seconds as f64 / metrics.page_count.max(1) as f64;
    let rank = ranks.get(usize::from(kind)).copied().unwrap_or(Rank::Number(mean));
    Order { rank, ascending }
}

fn group((kind, columns, times): &(u8, Vec<u8>, Vec<i64>), origin: i64) -> Group {
    let mut edges: Vec<i64> = times.iter().map(|time| origin + time).collect();
    edges.sort_unstable();
    let keys =
        [Column::Country, Column::Browser, Column::Path, Column::Title, Column::EventMeta, Column::EventName];
    match kind {
        0 => Group::All,
        1 => Group::Buckets(edges),
        2 => {
            let shifts = [0, 5_400_000, -3_600_000, 37_000, 86_399_999].into_iter().cycle();
            let slot_ms = [60_000, 3_600_000, 7_000][columns.len() - 1];
            Group::Clock(Clock { pieces: edges.into_iter().zip(shifts).collect(), slot_ms, slot_count: 5 })
        }
        3 => Group::Entry(columns.len() > 1),
        4 => Group::Exit(columns.len() > 1),
        5 => {
            let column = [PairsColumn::EventMeta, PairsColumn::Tags][columns.len() % 2];
            let key = format!("{}{}", ["m", "t"][columns.len() % 2], columns[0] % 4);
            let parts = [PairsPart::Keys, PairsPart::Values, PairsPart::ValueOf(key)];
            Group::Pairs(column, parts[usize::from(columns[0] % 3)].clone())
        }
        6 => Group::Columns(columns.iter().map(|&at| keys[usize::from(at)]).collect()),
        _ => Group::Columns(vec![keys[usize::from(columns[0])]]),
    }
}

fn ask(tables: &[OwnedTable], query: &Query) -> Result<Report, QueryError> {
    let sources: Vec<Source<'_>> = tables.iter().map(OwnedTable::source).collect();
    // In two steps, as a caller would that keeps the marks of its first sources.
    let recurring = Recurring::find(&sources[..1])?.extend_for(&sources, &query.span)?;
    execute_both_ways(&sources, &recurring, query)
}

/// On one thread and on three: both must say the same.
fn execute_both_ways(
    sources: &[Source<'_>],
    recurring: &Recurring,
    query: &Query,
) -> Result<Report, QueryError> {
    let answer = execute(sources, recurring, query, &|| None);
    let shared_out = execute_on_three(sources, recurring, &[], query);
    assert_eq!(answer.as_ref().ok(), shared_out.as_ref().ok());
    answer
}

/// The answer of three threads that have little memory, without what is known.
pub fn execute_on_three(
    sources: &[Source<'_>],
    recurring: &Recurring,
    known: &[Known<'_>],
    query: &Query,
) -> Result<Report, QueryError> {
    let means = Means { threads: 3, sessions_min: 1, set_bytes_max: 100, ..Means::default() };
    execute_within(&means, sources, recurring, known, query, &|| None)
}

/// Whether the group has a meaning for the unit.
fn is_valid(query: &Query) -> bool {
    let rows = query.unit != Unit::Sessions || query.filter.selects_rows();
    if query.number.is_some() && query.unit != Unit::Events {
        return false;
    }
    match &query.group {
        Group::Columns(_) | Group::Entry(_) | Group::Exit(_) | Group::Pairs(..) if query.sums_only => false,
        Group::Columns(columns) => rows || columns.iter().all(|column| column.is_attribute()),
        Group::Pairs(PairsColumn::EventMeta, _) => query.unit == Unit::Events,
        Group::Pairs(PairsColumn::Tags, _) => rows,
        _ => true,
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn answers_as_the_naive_model(
        specs in session_specs(),
        questions in prop::collection::vec(query_specs(), 4),
        stride in prop_oneof![Just(1u32), Just(400_000)],
    ) {
        let (sessions, tables) = site(&specs, stride);
        for question in &questions {
            let query = query(question, &sessions);
            match ask(&tables, &query) {
                Ok(report) => prop_assert_eq!(report, naive::answer(&sessions, &query), "{:?}", question),
                Err(QueryError::Invalid(_)) => prop_assert!(!is_valid(&query)),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
    }
}
