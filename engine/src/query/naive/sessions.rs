//! Lists of sessions and the rows of one, as plain loops.

use super::super::testdata::{PlainRow, PlainSession};
use super::super::{Query, RowDetail, SessionDetail, SessionPage, SessionRow, Unit};
use super::{row_counts, seconds_between, session_passes};
use crate::event::Kind;
use crate::schema::Column;
use crate::units::{SessionId, VisitorId};

/// The sessions that the site, span and filter of `query` select, in order.
pub fn list(sessions: &[PlainSession], query: &Query, offset: usize, limit: usize) -> Vec<SessionRow> {
    let counts = |session: &&PlainSession| {
        session_passes(session, &query.filter)
            && if query.filter.selects_rows() {
                session.rows.iter().any(|row| row_counts(row, Unit::PageViews, query))
            } else {
                query.span.contains(&session.rows[session.rows.len() - 1].time)
            }
    };
    let mut rows: Vec<SessionRow> = sessions.iter().filter(counts).map(session_row).collect();
    rows.sort_by_key(|row| (-row.last, row.visitor, row.session));
    rows.into_iter().skip(offset).take(limit).collect()
}

/// The rows of the session that the filter of `query` names.
pub fn rows(sessions: &[PlainSession], query: &Query, offset: usize, limit: usize) -> Option<SessionDetail> {
    let session = sessions.iter().find(|session| session_passes(session, &query.filter))?;
    let mut rows = Vec::new();
    let mut previous = session.rows[0].time;
    for row in &session.rows {
        if row.kind != Kind::Ping && row_counts(row, Unit::Rows, query) {
            rows.push(row_detail(row, previous));
        }
        previous = row.time;
    }
    let rows: Vec<RowDetail> = rows.into_iter().skip(offset).take(limit).collect();
    (!rows.is_empty()).then(|| SessionDetail { session: session_row(session), rows })
}

fn session_row(session: &PlainSession) -> SessionRow {
    let page = |row: Option<usize>| match row {
        Some(row) => SessionPage {
            path: session.rows[row].text(Column::Path),
            title: session.rows[row].text(Column::Title),
        },
        None => SessionPage::default(),
    };
    SessionRow {
        visitor: VisitorId(session.visitor),
        session: SessionId(session.id),
        start: session.rows[0].time,
        last: session.rows[session.rows.len() - 1].time,
        views: session.views() as u32,
        bounced: session.bounced,
        pings: session.rows.iter().filter(|row| row.kind == Kind::Ping).count() as u32,
        entry: page(session.entry()),
        exit: page(session.exit()),
        attributes: Column::attributes().iter().map(|column| session.text(*column)).collect(),
    }
}

fn row_detail(row: &PlainRow, previous: i64) -> RowDetail {
    RowDetail {
        time: row.time,
        kind: row.kind,
        seconds_since_previous: seconds_between(previous, row.time) as u64,
        path: row.text(Column::Path),
        title: row.text(Column::Title),
        hostname: row.text(Column::Hostname),
        event_name: row.text(Column::EventName),
        meta: row.meta.clone(),
        tags: row.tags.clone(),
        event_seconds: row.event_duration,
    }
}
