//! Single cases: posting lists, codes that do not occur, refusals, cancelling, damaged columns.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::execute::{execute_within, key_dictionaries};
use super::naive;
use super::portions::{self, Means};
use super::testdata::{OwnedTable, PlainRow, PlainSession, SiteCodes, TextMap, damage};
use super::*;
use crate::error::QueryError;
use crate::event::Kind;
use crate::schema::Column;
use crate::segment::table::{Codes, States, Times};
use crate::units::{DAY_MS, SegmentId, SiteId};

const DAY_FIRST: u32 = 19_000;
const DAY_COUNT: u32 = 10;

/// Some thousand sessions with many rare values, the same each time.
fn sessions() -> Vec<PlainSession> {
    let mut state = 1u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let text = |column, text: String| TextMap::from([(column, text)]);
    let session = |n: u32| {
        let day = DAY_FIRST + n % DAY_COUNT;
        let start = i64::from(day) * DAY_MS + random(DAY_MS as u64) as i64;
        let rows = (0..1 + random(4) as i64).map(|at| {
            let is_event = random(9) == 0;
            let mut texts = text(Column::Path, format!("/{}", random(400)));
            if is_event {
                texts.insert(Column::EventName, format!("event{}", random(50)));
            }
            let meta = if is_event { vec![("key".into(), format!("{}", random(60)))] } else { Vec::new() };
            let kind = if is_event { Kind::Event } else { Kind::PageView };
            PlainRow {
                time: start + at * 1_500,
                kind,
                texts,
                meta,
                tags: Vec::new(),
                event_duration: Some(at as u64),
            }
        });
        let rows = rows.collect();
        let texts = text(Column::Referrer, format!("referrer{}", random(300)));
        let visitor = (u64::from(n % DAY_COUNT) << 32) | random(900);
        PlainSession {
            visitor,
            id: (day << 16) | (n / DAY_COUNT),
            given: false,
            bounced: n.is_multiple_of(3),
            texts,
            rows,
        }
    };
    (0..4_000).map(session).collect()
}

fn table(sessions: &[PlainSession]) -> OwnedTable {
    let live: Vec<_> = sessions.iter().map(|session| (session.clone(), false)).collect();
    OwnedTable::new(&live, &mut SiteCodes::new(1), 1)
}

fn query(filter: Filter, unit: Unit, group: Group) -> Query {
    let day = |n: u32| i64::from(DAY_FIRST + n) * DAY_MS;
    let measures = Measures { durations: true, time_on_page: true, meta_keys: true };
    let plain = Query::new(SiteId(1), day(0)..day(DAY_COUNT + 1), unit, group);
    Query { filter, measures, limit: Some(25), ..plain }
}

fn is(wanted: &'static str) -> TextTest {
    TextTest::one_of([wanted])
}

fn event(name: &'static str, passes: Occurrence) -> EventTest {
    EventTest { name: Some(is(name)), meta: Vec::new(), passes, selects_rows: true }
}

fn ask(sources: &[Source<'_>], query: &Query) -> Result<Report, QueryError> {
    execute(sources, &Recurring::find(sources).unwrap(), query, &|| None)
}

fn rare_filters() -> Vec<Filter> {
    let none = Filter::default;
    vec![
        none(),
        Filter { attributes: vec![(Column::Referrer, is("referrer7"))], ..none() },
        Filter { rows: vec![(Column::Path, is("/17"))], ..none() },
        Filter { rows: vec![(Column::Path, TextTest::one_of(["/17", "/18"]))], ..none() },
        Filter { events: vec![event("event3", Occurrence::Happened)], ..none() },
        Filter { events: vec![event("event3", Occurrence::DidNot)], ..none() },
        Filter {
            events: vec![event("event3", Occurrence::Happened), event("event4", Occurrence::DidNot)],
            ..none()
        },
        Filter {
            attributes: vec![(Column::Referrer, is("referrer7"))],
            rows: vec![(Column::Path, TextTest::named("begins".into(), |text| text.starts_with("/1")))],
            ..none()
        },
        Filter {
            events: vec![event("event3", Occurrence::Happened)],
            rows: vec![(Column::Path, is("/17"))],
            entry_path: Some(TextTest::that(|text| text != "/17")),
            ..none()
        },
        Filter { attributes: vec![(Column::Referrer, is("nowhere"))], ..none() },
    ]
}

#[test]
fn rare_values_are_found_by_lists_and_by_scans() {
    let mut sessions = sessions();
    let mut table = table(&sessions);
    let visitors = table.visitors().to_vec();
    // A third of the sessions is superseded.
    let is_hidden = |visitor: u64| visitor.is_multiple_of(3);
    table.hidden = (0u32..).zip(&visitors).filter(|(_, v)| is_hidden(**v)).map(|(at, _)| at).collect();
    sessions.retain(|session| !is_hidden(session.visitor));
    for unit in [Unit::Sessions, Unit::PageViews, Unit::Events, Unit::Rows] {
        for filter in rare_filters() {
            let mut query = query(filter, unit, Group::Columns(vec![Column::Referrer]));
            assert_eq!(ask(&[table.source()], &query).unwrap(), naive::answer(&sessions, &query));
            // A few hours touch fewer codes than there are.
            query.span = query.span.start + DAY_MS..query.span.start + DAY_MS + DAY_MS / 8;
            assert_eq!(ask(&[table.source()], &query).unwrap(), naive::answer(&sessions, &query));
        }
    }
}

#[test]
fn lists_are_read_where_they_are_short() {
    let sessions = sessions();
    let owned = table(&sessions);
    let table = owned.table();
    let code = table.dictionary(Column::Referrer).find("referrer7").unwrap();
    let entries = (0..table.dictionary(Column::Referrer).len() as u32).map(|c| c == code).collect();
    let mask = crate::scan::mask::Mask::Codes(entries);
    let listed = postings::listed(&table, Column::Referrer, &mask, sessions.len()).unwrap();
    for session in 0..sessions.len() {
        assert_eq!(listed.contains(session), table.codes(Column::Referrer).get(session) == code);
    }
    assert!(
        postings::listed(&table, Column::Referrer, &mask, 10).is_none(),
        "a scan of ten codes is cheaper"
    );
}

#[test]
fn questions_without_meaning_are_refused() {
    let attribute_as_row = || Filter { rows: vec![(Column::Country, is("de"))], ..Filter::default() };
    let row_as_attribute = || Filter { attributes: vec![(Column::Path, is("/"))], ..Filter::default() };
    let clock = |pieces: Vec<(i64, i64)>, slot_ms| Group::Clock(Clock { pieces, slot_ms, slot_count: 2 });
    let cases = [
        query(attribute_as_row(), Unit::Rows, Group::All),
        query(row_as_attribute(), Unit::Rows, Group::All),
        query(Filter::default(), Unit::Sessions, Group::Columns(vec![Column::Path])),
        query(Filter::default(), Unit::Sessions, Group::Columns(Vec::new())),
        query(Filter::default(), Unit::Sessions, Group::Columns(vec![Column::Country; 4])),
        query(Filter::default(), Unit::PageViews, Group::Pairs(PairsColumn::EventMeta, PairsPart::Keys)),
        query(Filter::default(), Unit::Sessions, Group::Buckets(vec![5])),
        query(Filter::default(), Unit::Sessions, Group::Buckets(vec![5, 4])),
        query(Filter::default(), Unit::Sessions, Group::Pairs(PairsColumn::Tags, PairsPart::Keys)),
        query(Filter::default(), Unit::Sessions, clock(vec![], 1)),
        query(Filter::default(), Unit::Sessions, clock(vec![(1, 0), (0, 0)], 1)),
        query(Filter::default(), Unit::Sessions, clock(vec![(0, 0)], 0)),
    ];
    for query in &cases {
        assert!(matches!(ask(&[], query), Err(QueryError::Invalid(_))));
    }
    let table = table(&sessions()[..3]);
    let other = Recurring::find(&[]).unwrap();
    let fine = query(Filter::default(), Unit::Sessions, Group::All);
    assert!(matches!(execute(&[table.source()], &other, &fine, &|| None), Err(QueryError::Invalid(_))));
}

#[test]
fn a_query_stops_when_told_to() {
    let table = table(&sessions());
    let sources = [table.source()];
    let query = query(Filter::default(), Unit::Rows, Group::Columns(vec![Column::Path]));
    let answer = execute(&sources, &Recurring::find(&sources).unwrap(), &query, &|| Some("too slow"));
    assert!(matches!(answer, Err(QueryError::Cancelled("too slow"))));
}

/// However long a test takes for a byte, few texts are tested once nobody waits any more.
#[test]
fn tests_of_long_texts_stop_when_told_to() {
    let mut sessions = sessions();
    sessions.truncate(1_000);
    for (n, session) in sessions.iter_mut().enumerate() {
        session.texts.insert(Column::Referrer, format!("{n}{}", "x".repeat(2_000)));
    }
    let table = table(&sessions);
    let sources = [table.source()];
    let tested = Arc::new(AtomicUsize::new(0));
    let pass = |tested: &AtomicUsize| tested.fetch_add(1, Ordering::Relaxed) < usize::MAX;
    let (counting, counting_too) = (Arc::clone(&tested), Arc::clone(&tested));
    let is_wanted = TextTest::that(move |_| pass(&counting));
    let filter = Filter { attributes: vec![(Column::Referrer, is_wanted)], ..Filter::default() };
    let filtered = query(filter, Unit::Rows, Group::All);
    let kept = Query {
        keep: Some(Box::new(move |_| pass(&counting_too))),
        ..query(Filter::default(), Unit::Rows, Group::Columns(vec![Column::Referrer]))
    };
    for query in [filtered, kept] {
        tested.store(0, Ordering::Relaxed);
        let stop = || (tested.load(Ordering::Relaxed) > 0).then_some("too slow");
        let answer = execute(&sources, &Recurring::find(&sources).unwrap(), &query, &stop);
        assert!(matches!(answer, Err(QueryError::Cancelled("too slow"))));
        assert!(tested.load(Ordering::Relaxed) < 10, "{}", tested.load(Ordering::Relaxed));
    }
}

#[test]
fn damaged_columns_make_no_panic() {
    let sessions = sessions();
    let owned = table(&sessions);
    let count = sessions.len();
    let (wild, many) = (vec![u32::MAX - 1; count], vec![40_000u32; count + 1]);
    let falling: Vec<u32> = (0..=count as u32).rev().collect();
    let times = vec![i64::MIN; count];
    for first_row in [&many, &falling] {
        for group in [Column::Referrer, Column::Path, Column::Country] {
            let mut source = owned.source();
            damage(&mut source, first_row, &wild);
            let Times::Millis(millis) = &mut source.table.times else { unreachable!() };
            millis.start = &times;
            for filter in rare_filters() {
                let _ = ask(&[source], &query(filter, Unit::Rows, Group::Columns(vec![group])));
            }
            let _ = ask(&[source], &query(Filter::default(), Unit::Sessions, Group::Entry(true)));
            let States::Columns(states) = &mut source.table.states else { unreachable!() };
            states.flags = &[];
            assert!(ask(&[source], &query(Filter::default(), Unit::Rows, Group::All)).is_err());
        }
    }
}

#[test]
fn codes_that_are_out_of_range_count_as_absent() {
    let sessions = &sessions()[..50];
    let owned = table(sessions);
    let mut source = owned.source();
    let wild = vec![70_000; sessions.len()];
    source.table.codes[Column::Referrer.index()] = Codes::U32(&wild);
    let filter = Filter { attributes: vec![(Column::Referrer, is(""))], ..Filter::default() };
    let report =
        ask(&[source], &query(filter, Unit::Sessions, Group::Columns(vec![Column::Referrer]))).unwrap();
    assert_eq!(report.rows.len(), 1);
    assert_eq!((report.rows[0].keys.as_slice(), report.rows[0].metrics.sessions), (&[String::new()][..], 50));
}

#[test]
fn too_many_groups_are_refused() {
    let sessions = sessions();
    let table = table(&sessions);
    let sources = [table.source()];
    let recurring = Recurring::find(&sources).unwrap();
    let pages = query(Filter::default(), Unit::PageViews, Group::Columns(vec![Column::Path]));
    let pages = Query { limit: None, ..pages };
    let count = naive::answer(&sessions, &pages).rows.len();
    let within = |groups_max| {
        execute_within(&Means { groups_max, ..Means::default() }, &sources, &recurring, &[], &pages, &|| None)
    };
    assert!(within(count).is_ok_and(|report| report.rows.len() == count));
    assert!(matches!(within(count - 1), Err(QueryError::TooManyGroups(_))));
}

/// Each thread has all groups, so very many are left to one; the answer is the same.
#[test]
fn very_many_texts_are_counted_by_one_thread() {
    let sessions = sessions();
    let table = table(&sessions);
    let sources = [table.source(), table.source()];
    let recurring = Recurring::find(&sources).unwrap();
    let pages = query(Filter::default(), Unit::PageViews, Group::Columns(vec![Column::Path]));
    let dictionaries: Vec<_> = sources.iter().map(|source| key_dictionaries(&source.table, &pages)).collect();
    let greatest = dictionaries[0][0].site_codes.iter().max().copied().unwrap() as usize;
    let within = |texts_max| {
        let means = Means { threads: 2, sessions_min: 1, texts_max, ..Means::default() };
        let portions = portions::of(&sources, &dictionaries, &[], &pages, &means).len();
        (portions, execute_within(&means, &sources, &recurring, &[], &pages, &|| None).unwrap())
    };
    // Both sources have the same texts.
    let (shared, alone) = (within(greatest), within(greatest - 1));
    assert_eq!((shared.0, alone.0), (2, 1));
    assert_eq!(shared.1, alone.1);
}

/// Any number of groups may have the same rank; they are named some at a time.
#[test]
fn the_first_of_very_many_groups_of_one_rank_are_found() {
    let path = |n: u32| format!("/{:05}", n.wrapping_mul(7_919) % 40_000);
    let session = |n: u32| {
        let row = PlainRow {
            time: i64::from(n),
            kind: Kind::PageView,
            texts: TextMap::from([(Column::Path, path(n))]),
            meta: Vec::new(),
            tags: Vec::new(),
            event_duration: None,
        };
        PlainSession::numbered(n, 0, u32::MAX, TextMap::new(), vec![row])
    };
    let sessions: Vec<PlainSession> = (0..40_000).map(session).collect();
    let table = table(&sessions);
    let sources = [table.source()];
    let recurring = Recurring::find(&sources).unwrap();
    let mut all: Vec<String> = (0..40_000).map(path).collect();
    all.sort_unstable();
    for limit in [1, 3, 20_000] {
        let pages = query(Filter::default(), Unit::PageViews, Group::Columns(vec![Column::Path]));
        let pages = Query { span: i64::MIN..i64::MAX, limit: Some(limit), ..pages };
        let report = execute(&sources, &recurring, &pages, &|| None).unwrap();
        let found: Vec<&String> = report.rows.iter().map(|row| &row.keys[0]).collect();
        assert!(found.into_iter().eq(all.iter().take(limit)), "{limit}");
    }
}

/// Of files that have gone the visitors go, too.
#[test]
fn visitors_of_files_that_are_gone_are_forgotten() {
    let (cache, mut codes) = (RecurringCache::default(), SiteCodes::new(1));
    for file in 1..=20u64 {
        let mut own = sessions();
        own.truncate(10);
        for (session, n) in own.iter_mut().zip(0..) {
            (session.given, session.visitor) = (true, file * 100 + n);
        }
        let own: Vec<_> = own.into_iter().map(|session| (session, false)).collect();
        let table = OwnedTable::new(&own, &mut codes, 4);
        let known = cache.all_known(SiteId(1), |known| known == SegmentId(file));
        let files = known.files_with(&[SegmentId(file)]);
        assert_eq!(files, [SegmentId(file)]);
        cache.keep(SiteId(1), known.extended(files.clone(), &[table.source()]).unwrap());
        let found = cache.known(SiteId(1), &files).unwrap();
        assert!((10..=40).contains(&found.visitor_count()), "{}", found.visitor_count());
    }
}
