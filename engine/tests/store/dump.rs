//! Everything a snapshot holds, in the model's words.

use std::collections::BTreeMap;

use hitstone_engine::index::Needs;
use hitstone_engine::query::Source;
use hitstone_engine::schema::Column;
use hitstone_engine::segment::table::{
    FLAG_BOUNCE, FLAG_GIVEN_ID, NO_ROW, ROW_KIND_MASK, ROW_NON_INTERACTIVE, SiteTable,
};
use hitstone_engine::snapshot::Snapshot;
use hitstone_engine::units::{SessionId, SiteId};

use crate::model::{Model, Row, Session, State};

/// (site, visitor, day, n) to the session with its rows in order, and its state.
pub type Content = BTreeMap<(u32, u64, i64, u32), (Session, State)>;

pub fn of_model(model: &Model) -> Content {
    model
        .sessions
        .iter()
        .map(|session| {
            let mut ordered = session.clone();
            ordered.rows = session.ordered();
            ((session.site, session.visitor, session.day, session.n), (ordered, session.state()))
        })
        .collect()
}

pub fn of_snapshot(snapshot: &Snapshot, sites: &[u32]) -> Content {
    let mut content = Content::new();
    for &site in sites {
        let sources = snapshot.sources(SiteId(site), &Needs::everything()).unwrap();
        assert_eq!(sources.incomplete, None);
        let tables = sources.tables(SiteId(site)).unwrap();
        for source in &tables {
            let table = source.table;
            for index in 0..table.session_count() {
                if source.hidden.as_ref().is_some_and(|hidden| hidden.contains(index as u32)) {
                    continue;
                }
                let (session, state) = session(&table, site, index);
                let key = (session.site, session.visitor, session.day, session.n);
                let doubled = content.insert(key, (session, state));
                assert!(doubled.is_none(), "session {key:?} is live in two segments");
            }
        }
        check_site_codes(&tables);
    }
    content
}

/// A string has one code in all of a site's parts that have codes, and a code one string.
fn check_site_codes(sources: &[Source<'_>]) {
    for column in Column::ALL {
        let mut codes = BTreeMap::new();
        let mut texts = BTreeMap::new();
        for source in sources {
            let dictionary = source.table.dictionary(column);
            if !dictionary.has_site_codes() {
                continue;
            }
            for local in 0..dictionary.len() as u32 {
                let (text, code) = (dictionary.get(local).to_owned(), dictionary.site_codes[local as usize]);
                assert_eq!(*codes.entry(text.clone()).or_insert(code), code, "{column:?} {text:?}");
                assert_eq!(*texts.entry(code).or_insert(text.clone()), text, "{column:?} code {code}");
            }
        }
    }
}

fn session(table: &SiteTable<'_>, site: u32, index: usize) -> (Session, State) {
    let text =
        |column: Column, at: usize| table.dictionary(column).get(table.codes(column).get(at)).to_owned();
    let id = SessionId(table.states.session_id(index).unwrap());
    let rows: Vec<Row> = table
        .rows(index)
        .map(|row| Row {
            time: table.times.of_row(index, row),
            kind: table.kinds.get(row).unwrap() & ROW_KIND_MASK,
            quiet: table.kinds.get(row).unwrap() & ROW_NON_INTERACTIVE != 0,
            duration: table.event_duration.get(row).checked_sub(1).map(|seconds| seconds as u32),
            status: Some(table.status.get(row) as u16).filter(|&status| status != 0),
            received: Some(table.received.get(row) as i64).filter(|&time| time != 0),
            texts: Column::row_texts().iter().map(|&column| text(column, row)).collect(),
        })
        .collect();
    let given = table.states.flags(index) & FLAG_GIVEN_ID != 0;
    let session = Session {
        site,
        visitor: table.visitors.get(index).unwrap(),
        day: i64::from(id.day().0),
        n: u32::from(id.n()),
        user_key: given.then(|| table.user_key(index)),
        attributes: Column::attributes().iter().map(|&column| text(column, index)).collect(),
        rows,
    };
    let path_of = |row: u32| (row != NO_ROW).then(|| text(Column::Path, row as usize));
    let state = State {
        start: table.times.start(index).unwrap(),
        last: table.times.last(index).unwrap(),
        views: table.states.views(index),
        bounced: table.states.flags(index) & FLAG_BOUNCE != 0,
        entry: path_of(table.states.entry_row(index)),
        exit: path_of(table.states.exit_row(index)),
    };
    (session, state)
}

/// Panics with the first difference.
pub fn assert_same(found: &Content, wanted: &Content, context: &str) {
    for (key, session) in wanted {
        let there = found.get(key);
        assert!(there.is_some(), "{context}: session {key:?} is missing: {session:?}");
        assert_eq!(there, Some(session), "{context}: session {key:?}");
    }
    for key in found.keys() {
        assert!(wanted.contains_key(key), "{context}: session {key:?} was invented");
    }
}
