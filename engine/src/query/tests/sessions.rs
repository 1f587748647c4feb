//! Lists of sessions and the rows of one, compared with the naive model; and single cases.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::query::testdata::damage;
use crate::segment::table::{Times, Visitors};

pub(super) fn sessions_query(query: Query, offset: usize, limit: usize) -> SessionsQuery {
    SessionsQuery { site: query.site, span: query.span, filter: query.filter, offset, limit }
}

fn sources(tables: &[OwnedTable]) -> Vec<Source<'_>> {
    tables.iter().map(OwnedTable::source).collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn lists_as_the_naive_model(
        specs in session_specs(),
        questions in prop::collection::vec((query_specs(), 0..4usize, 0..9usize), 4),
    ) {
        let (sessions, tables) = site(&specs, 1);
        for (question, offset, limit) in &questions {
            let asked = sessions_query(query(question, &sessions), *offset, *limit);
            let found = list_sessions(&sources(&tables), &asked, &|| None).unwrap();
            let wanted = naive::sessions::list(&sessions, &query(question, &sessions), *offset, *limit);
            prop_assert_eq!(found, wanted, "{:?}", question);
        }
    }

    #[test]
    fn gives_rows_as_the_naive_model(
        specs in session_specs(),
        questions in prop::collection::vec((query_specs(), 0..30usize, 0..2usize, 0..5usize), 6),
    ) {
        let (sessions, tables) = site(&specs, 1);
        for (question, session, offset, limit) in &questions {
            let question = QuerySpec { session: Some(*session), ..question.clone() };
            let mut wanted = query(&question, &sessions);
            // A session that is not there.
            let named = wanted.filter.session.get_or_insert((VisitorId(5), SessionId(1)));
            let mut asked = sessions_query(query(&question, &sessions), *offset, *limit);
            asked.filter.session = Some(*named);
            let found = session_rows(&sources(&tables), &asked, &|| None).unwrap();
            prop_assert_eq!(found, naive::sessions::rows(&sessions, &wanted, *offset, *limit), "{:?}", question);
        }
    }
}

fn view(time: i64) -> PlainRow {
    PlainRow {
        time,
        kind: Kind::PageView,
        texts: TextMap::from([(Column::Path, "/".to_owned())]),
        meta: Vec::new(),
        tags: Vec::new(),
        event_duration: None,
    }
}

/// One session of each visitor, a day apart.
fn visitors(count: u64) -> Vec<PlainSession> {
    let day = |n: u64| DAY_FIRST + n as u32;
    let session = |n: u64| PlainSession {
        visitor: n,
        id: day(n) << 16,
        given: false,
        bounced: true,
        texts: TextMap::new(),
        rows: vec![view(i64::from(day(n)) * DAY_MS)],
    };
    (0..count).map(session).collect()
}

fn table(sessions: &[PlainSession]) -> OwnedTable {
    let live: Vec<_> = sessions.iter().map(|session| (session.clone(), false)).collect();
    OwnedTable::new(&live, &mut SiteCodes::new(1), 1)
}

fn all(offset: usize, limit: usize) -> SessionsQuery {
    SessionsQuery { site: SiteId(1), span: 0..i64::MAX, filter: Filter::default(), offset, limit }
}

fn ids(tables: &[OwnedTable], query: &SessionsQuery) -> Vec<u64> {
    let found = list_sessions(&sources(tables), query, &|| None).unwrap();
    found.iter().map(|session| session.visitor.0).collect()
}

#[test]
fn places_past_the_bound_are_empty() {
    let tables = [table(&visitors(5))];
    assert_eq!(ids(&tables, &all(1, 2)), [3, 2]);
    assert_eq!(ids(&tables, &all(3, usize::MAX)), [1, 0]);
    assert_eq!(ids(&tables, &all(usize::MAX, usize::MAX)), [0u64; 0]);
    assert_eq!(ids(&tables, &all(0, 0)), [0u64; 0]);
}

#[test]
fn equal_times_are_ordered_by_visitor_and_session_across_sources() {
    let at = |visitor: u64, n: u32| {
        let id = (DAY_FIRST << 16) | n;
        PlainSession { visitor, id, ..visitors(1).remove(0) }
    };
    let tables = [table(&[at(2, 0), at(9, 1)]), table(&[at(1, 5), at(9, 0), at(3, 0)])];
    let found = list_sessions(&sources(&tables), &all(0, 4), &|| None).unwrap();
    let keys: Vec<_> = found.iter().map(|session| (session.visitor.0, session.session.n())).collect();
    assert_eq!(keys, [(1, 5), (2, 0), (3, 0), (9, 0)]);
}

#[test]
fn a_first_page_looks_at_the_latest_runs_only() {
    let sessions = (0..40_000u64).map(|n| {
        let day = DAY_FIRST + (n % 40) as u32;
        let (id, time) = (day << 16, i64::from(day) * DAY_MS + n as i64);
        PlainSession { visitor: n, id, rows: vec![view(time)], ..visitors(1).remove(0) }
    });
    let tables = [table(&sessions.collect::<Vec<_>>())];
    let checks_of = |limit: usize| {
        let checks = AtomicUsize::new(0);
        let count = || {
            checks.fetch_add(1, Ordering::Relaxed);
            None
        };
        list_sessions(&sources(&tables), &all(0, limit), &count).unwrap();
        checks.into_inner()
    };
    assert_eq!(checks_of(10), 1);
    assert!(checks_of(39_990) > 3);
}

#[test]
fn meaningless_questions_are_refused() {
    let tables = [table(&visitors(1))];
    let refused = |filter: Filter| {
        let query = SessionsQuery { filter, ..all(0, 1) };
        let list = list_sessions(&sources(&tables), &query, &|| None);
        let rows = session_rows(&sources(&tables), &query, &|| None);
        assert!(matches!(rows, Err(QueryError::Invalid(_))));
        matches!(list, Err(QueryError::Invalid(_)))
    };
    let session = Some((VisitorId(0), SessionId(0)));
    assert!(!refused(Filter::default()), "rows need a session, lists do not");
    let attributes: Vec<(Column, TextTest)> = vec![(Column::Path, TextTest::that(|_| true))];
    assert!(refused(Filter { attributes, session, ..Filter::default() }));
    let rows: Vec<(Column, TextTest)> = vec![(Column::City, TextTest::that(|_| true))];
    assert!(refused(Filter { rows, session, ..Filter::default() }));
}

#[test]
fn a_list_stops_when_cancelled() {
    let tables = [table(&visitors(3))];
    let query = SessionsQuery {
        filter: Filter { session: Some((VisitorId(0), SessionId(DAY_FIRST << 16))), ..Filter::default() },
        ..all(0, 10)
    };
    assert!(session_rows(&sources(&tables), &query, &|| None).unwrap().is_some());
    let late = &|| Some("late");
    let stopped = list_sessions(&sources(&tables), &query, late);
    assert!(matches!(stopped, Err(QueryError::Cancelled("late"))));
}

#[test]
fn damaged_columns_make_no_panic() {
    let owned = table(&visitors(300));
    let (wild, many) = (vec![u32::MAX - 1; 300], vec![40_000u32; 301]);
    let falling: Vec<u32> = (0..=300).rev().collect();
    let (early, late) = (vec![i64::MIN; 300], vec![i64::MAX; 300]);
    for first_row in [&many, &falling, &vec![0; 301]] {
        let mut source = owned.source();
        damage(&mut source, first_row, &wild);
        let Times::Millis(millis) = &mut source.table.times else { unreachable!() };
        (millis.start, millis.last) = (&early, &late);
        let mut query = all(0, 400);
        assert!(list_sessions(&[source], &query, &|| None).is_ok());
        query.filter.rows.push((Column::Path, TextTest::that(|_| true)));
        assert!(list_sessions(&[source], &query, &|| None).is_ok());
        query.filter.session = Some((VisitorId(7), SessionId((DAY_FIRST + 7) << 16)));
        assert!(session_rows(&[source], &query, &|| None).is_ok());
        source.table.visitors = Visitors::All(&[]);
        assert!(list_sessions(&[source], &query, &|| None).is_err());
        assert!(session_rows(&[source], &query, &|| None).is_err());
    }
}
