//! The same questions asked of segments, of indexes and of both: all answers are those of the naive model.

use super::super::testindex::OwnedIndex;
use super::sessions::sessions_query;
use super::*;
use crate::error::StorageError;
use crate::query::RecurringCache;
use crate::segment::table::SiteStrings;
use crate::units::SegmentId;

/// A source of one kind or the other.
pub enum Owned {
    Table(Box<OwnedTable>),
    Index(Box<OwnedIndex>),
}

/// Which sources are indexes, and above which share of known visitors those have all.
pub type Shape = ([bool; SOURCE_COUNT], usize);

pub fn shapes() -> impl Strategy<Value = Shape> {
    (any::<[bool; SOURCE_COUNT]>(), prop_oneof![Just(1usize), Just(1_000)])
}

pub fn mixed(specs: &[SessionSpec], stride: u32, shape: Shape) -> (Vec<PlainSession>, Vec<Owned>, SiteCodes) {
    let (sessions, parts) = split(specs);
    let mut codes = SiteCodes::new(stride);
    let mut sources = Vec::new();
    for ((part, width), is_index) in parts.iter().zip([1, 2, 4]).zip(shape.0) {
        sources.push(if is_index {
            Owned::Index(Box::new(OwnedIndex::new(part, &mut codes, shape.1)))
        } else {
            Owned::Table(Box::new(OwnedTable::new(part, &mut codes, width)))
        });
    }
    (sessions, sources, codes)
}

pub fn load(owned: &mut [Owned], needs: &crate::index::Needs) {
    for source in owned {
        if let Owned::Index(index) = source {
            index.load(needs);
        }
    }
}

pub fn sources<'a>(owned: &'a [Owned], strings: &'a dyn SiteStrings) -> Vec<Source<'a>> {
    let source = |owned: &'a Owned| match owned {
        Owned::Table(table) => table.source(),
        Owned::Index(index) => index.source(strings),
    };
    owned.iter().map(source).collect()
}

fn whole(time: i64) -> i64 {
    time.div_euclid(1000) * 1000
}

/// The question in whole seconds.
pub fn rounded(mut query: Query) -> Query {
    query.span = whole(query.span.start)..whole(query.span.end);
    match &mut query.group {
        Group::Buckets(edges) => edges.iter_mut().for_each(|edge| *edge = whole(*edge)),
        Group::Clock(clock) => {
            clock.pieces.iter_mut().for_each(|piece| *piece = (whole(piece.0), whole(piece.1)));
        }
        _ => {}
    }
    query
}

fn ask_mixed(owned: &mut [Owned], codes: &SiteCodes, query: &Query) -> Result<Report, QueryError> {
    load(owned, &query.needs());
    let sources = sources(owned, codes);
    // As a store does whose files come and go, and that is asked about some of them first.
    let cache = RecurringCache::default();
    let all: Vec<u64> = (1..=sources.len() as u64).collect();
    let find = |own: &[u64], live: &[u64]| {
        let own: Vec<SegmentId> = own.iter().copied().map(SegmentId).collect();
        let known = cache.all_known(query.site, |file| live.contains(&file.0));
        let files = known.files_with(&own);
        let given: Vec<Source<'_>> = files.iter().map(|file| sources[file.0 as usize - 1]).collect();
        cache.keep(query.site, known.extended(files, &given)?);
        Ok::<_, StorageError>(cache.known(query.site, &own).unwrap())
    };
    if let [first, .., last] = all[..] {
        find(&all[1..], &all)?;
        find(&[last, first], &[first, last])?;
    }
    let recurring = find(&all, &all)?;
    execute_both_ways(&sources, &recurring, query)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn indexes_answer_as_the_naive_model(
        specs in session_specs(),
        questions in prop::collection::vec(query_specs(), 4),
        stride in prop_oneof![Just(1u32), Just(400_000)],
        shape in shapes(),
    ) {
        let (sessions, mut owned, codes) = mixed(&specs, stride, shape);
        for question in &questions {
            let query = rounded(query(question, &sessions));
            match ask_mixed(&mut owned, &codes, &query) {
                Ok(report) => prop_assert_eq!(report, naive::answer(&sessions, &query), "{:?}", question),
                Err(QueryError::Invalid(_)) => prop_assert!(!is_valid(&query)),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
        }
    }

    #[test]
    fn indexes_list_as_the_naive_model(
        specs in session_specs(),
        questions in prop::collection::vec((query_specs(), 0..4usize, 0..9usize), 4),
        shape in shapes(),
    ) {
        let (sessions, mut owned, codes) = mixed(&specs, 1, shape);
        for (question, offset, limit) in &questions {
            let wanted = rounded(query(question, &sessions));
            let asked = sessions_query(rounded(query(question, &sessions)), *offset, *limit);
            load(&mut owned, &asked.needs());
            let found = list_sessions(&sources(&owned, &codes), &asked, &|| None).unwrap();
            prop_assert_eq!(found, naive::sessions::list(&sessions, &wanted, *offset, *limit), "{:?}", question);
        }
    }

    #[test]
    fn indexes_give_rows_as_the_naive_model(
        specs in session_specs(),
        questions in prop::collection::vec((query_specs(), 0..30usize, 0..2usize, 0..5usize), 6),
        shape in shapes(),
    ) {
        let (sessions, mut owned, codes) = mixed(&specs, 1, shape);
        for (question, session, offset, limit) in &questions {
            let question = QuerySpec { session: Some(*session), ..question.clone() };
            let mut wanted = rounded(query(&question, &sessions));
            let named = wanted.filter.session.get_or_insert((VisitorId(5), SessionId(1)));
            let mut asked = sessions_query(rounded(query(&question, &sessions)), *offset, *limit);
            asked.filter.session = Some(*named);
            load(&mut owned, &asked.row_needs());
            let found = session_rows(&sources(&owned, &codes), &asked, &|| None).unwrap();
            prop_assert_eq!(found, naive::sessions::rows(&sessions, &wanted, *offset, *limit), "{:?}", question);
        }
    }
}

fn one(visitor: u64, n: u32, path: &str) -> PlainSession {
    let time = i64::from(DAY_FIRST) * DAY_MS + i64::from(n) * 1_500;
    let row = PlainRow {
        time,
        kind: Kind::PageView,
        texts: TextMap::from([(Column::Path, path.to_owned())]),
        meta: Vec::new(),
        tags: Vec::new(),
        event_duration: None,
    };
    // Few have one.
    let texts = match n % 37 {
        0 => TextMap::from([(Column::Referrer, format!("r{}", n % 5))]),
        _ => TextMap::new(),
    };
    PlainSession { visitor, id: DAY_FIRST << 16 | n, given: false, bounced: true, texts, rows: vec![row] }
}

/// The first session of a visitor may lie in a batch that is left out because nothing of it counts.
#[test]
fn visitors_of_many_sessions_are_counted_once_across_batches() {
    let mut sessions = Vec::new();
    for (visitor, count) in [(3u64, 2_000u32), (4, 3_000), (5, 1), (u64::MAX - 3, 5_000)] {
        sessions.extend((0..count).map(|n| one(visitor, n, if n % 1_900 < 10 { "/rare" } else { "/" })));
    }
    let live: Vec<_> = sessions.iter().map(|session| (session.clone(), false)).collect();
    let mut codes = SiteCodes::new(1);
    let mut owned = [Owned::Index(Box::new(OwnedIndex::new(&live, &mut codes, 1)))];
    for path in ["/rare", "/"] {
        let filter = || Filter { entry_path: Some(TextTest::one_of([path])), ..Filter::default() };
        for (unit, with_referrer) in
            [(Unit::Sessions, true), (Unit::Sessions, false), (Unit::PageViews, false)]
        {
            let by_referrer = || Group::Columns(vec![Column::Referrer]);
            let measures = Measures { durations: true, time_on_page: true, meta_keys: false };
            let group = if with_referrer { by_referrer() } else { Group::All };
            let plain = Query::new(SiteId(1), 0..i64::MAX, unit, group);
            let query = Query { filter: filter(), measures, ..plain };
            let report = ask_mixed(&mut owned, &codes, &query).unwrap();
            assert_eq!(report, naive::answer(&sessions, &query));
        }
    }
}

#[test]
fn parts_of_seconds_are_refused_of_an_index() {
    let mut codes = SiteCodes::new(1);
    let live = [(one(3, 0, "/"), false)];
    let owned = [Owned::Index(Box::new(OwnedIndex::new(&live, &mut codes, 1)))];
    let sources = sources(&owned, &codes);
    let list = |span| {
        let query = SessionsQuery { site: SiteId(1), span, filter: Filter::default(), offset: 0, limit: 1 };
        list_sessions(&sources, &query, &|| None)
    };
    assert!(matches!(list(0..1_500), Err(QueryError::Invalid(_))));
    assert!(list(0..i64::MAX).is_ok_and(|found| found.len() == 1));
}

/// Sessions of one second are in the order of their milliseconds, wherever they are and wherever the list is cut.
#[test]
fn lists_are_to_the_millisecond() {
    let at = |visitor: u64, ms: i64| {
        let mut session = one(visitor, 0, "/");
        session.rows[0].time += ms;
        session
    };
    // Two seconds, out of the order of visitors; and two of the same time.
    let times = [(9, 420), (u64::MAX - 5, 900), (4, 7), (6, 650), (2, 650), (8, 1_300), (3, 1_001), (1, 999)];
    let sessions: Vec<PlainSession> = times.iter().map(|&(visitor, ms)| at(visitor, ms)).collect();
    let live: Vec<_> = sessions.iter().map(|session| (session.clone(), false)).collect();
    let mut codes = SiteCodes::new(1);
    let owned = [
        Owned::Index(Box::new(OwnedIndex::new(&live[..5], &mut codes, 1))),
        Owned::Table(Box::new(OwnedTable::new(&live[5..], &mut codes, 1))),
    ];
    let asked = |offset, limit| SessionsQuery {
        site: SiteId(1),
        span: 0..i64::MAX,
        filter: Filter::default(),
        offset,
        limit,
    };
    let mut wanted: Vec<(i64, u64)> = sessions.iter().map(|s| (-s.rows[0].time, s.visitor)).collect();
    wanted.sort_unstable();
    for offset in 0..times.len() {
        for limit in 0..=times.len() {
            let found = list_sessions(&sources(&owned, &codes), &asked(offset, limit), &|| None).unwrap();
            let found: Vec<(i64, u64)> = found.iter().map(|row| (-row.last, row.visitor.0)).collect();
            let wanted: Vec<(i64, u64)> = wanted.iter().skip(offset).take(limit).copied().collect();
            assert_eq!(found, wanted, "{limit} from {offset}");
        }
    }
}
