//! Lists of sessions and the rows of one against the model, over whatever parts a snapshot is made of.

use hitstone_engine::event::{Kind, decode_pairs};
use hitstone_engine::query::TextTest;
use hitstone_engine::query::{Filter, RowDetail, SessionPage, SessionRow, SessionsQuery};
use hitstone_engine::schema::Column;
use hitstone_engine::snapshot::Snapshot;
use hitstone_engine::units::{DayUtc, SessionId, SiteId, VisitorId};

use crate::model::{Model, Row, Session};
use crate::workload::{Rng, SITES};

const LIMIT: usize = 20;

/// A filter in both words.
struct Choice {
    country: Option<&'static str>,
    path: Option<&'static str>,
}

impl Choice {
    fn random(rng: &mut Rng) -> Self {
        Self {
            country: [None, None, Some("de"), Some("")][rng.below(4) as usize],
            path: [None, Some("/"), Some("/prices/ü")][rng.below(3) as usize],
        }
    }

    fn filter(&self, session: Option<&Session>) -> Filter {
        let mut filter = Filter::default();
        if let Some(country) = self.country {
            filter.attributes.push((Column::Country, TextTest::one_of([country])));
        }
        if let Some(path) = self.path {
            filter.rows.push((Column::Path, TextTest::one_of([path])));
        }
        filter.session = session.map(|session| (VisitorId(session.visitor), id(session)));
        filter
    }

    fn holds(&self, session: &Session) -> bool {
        self.country.is_none_or(|country| session.attributes[Column::Country.index()] == country)
    }

    fn passes(&self, row: &Row) -> bool {
        self.path.is_none_or(|path| text(row, Column::Path) == path)
    }
}

fn id(session: &Session) -> SessionId {
    SessionId::new(DayUtc(session.day as u16), session.n as u16)
}

fn text(row: &Row, column: Column) -> &str {
    &row.texts[column.index() - Column::attributes().len()]
}

/// Asks each site for its sessions, and for the rows of one of them.
pub fn check(snapshot: &Snapshot, model: &Model, rng: &mut Rng, context: &str) {
    for site in SITES {
        let sessions: Vec<&Session> = model.sessions.iter().filter(|session| session.site == site).collect();
        let times: Vec<i64> = sessions.iter().flat_map(|session| &session.rows).map(|row| row.time).collect();
        let (Some(&least), Some(&greatest)) = (times.iter().min(), times.iter().max()) else { continue };
        let from = least + rng.below((greatest - least + 1) as u64) as i64;
        let span = if rng.one_in(2) { least..greatest + 1 } else { from..greatest };
        let choice = Choice::random(rng);
        let query = |session: Option<&Session>| SessionsQuery {
            site: SiteId(site),
            span: span.clone(),
            filter: choice.filter(session),
            offset: 0,
            limit: LIMIT,
        };
        let context = format!("{context}, site {site}, {span:?}");

        let placed = |session: &Session| match choice.path {
            None => span.contains(&session.state().last),
            Some(_) => {
                session.rows.iter().any(|row| row.kind == 0 && choice.passes(row) && span.contains(&row.time))
            }
        };
        let chosen = sessions.iter().filter(|session| choice.holds(session) && placed(session));
        let mut wanted: Vec<SessionRow> = chosen.map(|session| session_row(session)).collect();
        wanted.sort_by_key(|session| (-session.last, session.visitor, session.session));
        wanted.truncate(LIMIT);
        assert_eq!(snapshot.sessions(&query(None), &|| None).unwrap(), wanted, "{context}");

        let session = sessions[rng.below(sessions.len() as u64) as usize];
        let rows = rows(session, |row| choice.passes(row) && span.contains(&row.time));
        let wanted = (choice.holds(session) && !rows.is_empty()).then(|| (session_row(session), rows));
        let found = snapshot.session_rows(&query(Some(session)), &|| None).unwrap();
        assert_eq!(found.map(|found| (found.session, found.rows)), wanted, "{context}");
    }
}

fn session_row(session: &Session) -> SessionRow {
    let (state, rows) = (session.state(), session.ordered());
    let page = |row: Option<&Row>| {
        let own = |column: Column| row.map(|row| text(row, column).to_owned()).unwrap_or_default();
        SessionPage { path: own(Column::Path), title: own(Column::Title) }
    };
    let exit = rows.iter().rfind(|row| !text(row, Column::Path).is_empty());
    SessionRow {
        visitor: VisitorId(session.visitor),
        session: id(session),
        start: state.start,
        last: state.last,
        views: state.views,
        bounced: state.bounced,
        pings: rows.iter().filter(|row| row.kind == 2).count() as u32,
        entry: page(rows.iter().find(|row| row.kind == 0)),
        exit: page(exit.filter(|_| state.exit.is_some())),
        attributes: session.attributes.clone(),
    }
}

fn rows(session: &Session, counts: impl Fn(&Row) -> bool) -> Vec<RowDetail> {
    let mut details = Vec::new();
    let mut previous = None;
    for row in session.ordered() {
        let second = row.time.div_euclid(1000);
        let seconds = second - previous.replace(second).unwrap_or(second);
        if row.kind != 2 && counts(&row) {
            details.push(row_detail(&row, seconds as u64));
        }
    }
    details.truncate(LIMIT);
    details
}

fn row_detail(row: &Row, seconds_since_previous: u64) -> RowDetail {
    let own = |column: Column| text(row, column).to_owned();
    let pairs = |column: Column| {
        decode_pairs(text(row, column)).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    RowDetail {
        time: row.time,
        kind: Kind::from_byte(row.kind).unwrap(),
        seconds_since_previous,
        path: own(Column::Path),
        title: own(Column::Title),
        hostname: own(Column::Hostname),
        event_name: own(Column::EventName),
        meta: pairs(Column::EventMeta),
        tags: pairs(Column::Tags),
        event_seconds: row.duration.map(u64::from),
    }
}
