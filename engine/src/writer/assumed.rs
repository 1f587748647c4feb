//! Page views that events overtook. An event that opens a session stands for the view of its page too; when that view
//! comes at last, it takes the place of the one that was assumed.
//!
//! The session is logged anew, whole, and is then as if the page view had come first: the event ends the bounce as it
//! would have, and the visit has what the page view says of it. Its rows show that none is assumed any more, whatever
//! happens to the server meanwhile.

use super::Core;
use super::assign::{Candidate, event_row};
use crate::codec::Writer;
use crate::error::StorageError;
use crate::event::Event;
use crate::limits::{ASSUMED_MS_MAX, ASSUMED_ROWS_MAX, ASSUMED_TEXT_BYTES_MAX};
use crate::record::{Operation, Row};
use crate::schema::{ATTRIBUTE_COUNT, Column};
use crate::segment::table::ROW_ASSUMED;
use crate::session::{CAMPAIGN_COLUMNS, is_other_campaign, preference};
use crate::units::{SessionKey, VisitorId};

/// Texts in which the page view must be the one that was assumed.
const SAME_PAGE: [Column; 3] = [Column::Hostname, Column::Path, Column::Source];
/// What times in the index of a file may be off.
const INDEX_MS: i64 = 1_000;

impl Core {
    /// Whether the page view is one that an event of the visitor stood for. Then `out` has its session with it.
    pub(super) fn confirm(
        &self,
        event: &Event,
        visitor: VisitorId,
        sessions: &[Candidate],
        out: &mut Writer,
    ) -> Result<bool, StorageError> {
        let since = |known: &Candidate| event.time - known.extent.start;
        let is_near = |known: &&Candidate| {
            (-INDEX_MS..=ASSUMED_MS_MAX + INDEX_MS).contains(&since(known))
                && known.rows <= ASSUMED_ROWS_MAX
                && known.extent.is_alive(event.time, self.session_window_ms())
        };
        let mut near: Vec<&Candidate> = sessions.iter().filter(is_near).collect();
        near.sort_by_key(|known| preference(known.extent, event.time, known.id.0));
        for candidate in near {
            let key = SessionKey { site: event.site, visitor, session: candidate.id };
            let is_there = self.with_session(key, candidate.place, |session| {
                confirmed(event, session).is_some_and(|session| self.try_move(&session, out))
            })?;
            if is_there {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The session with the page view in the place of the one that its first event stood for; `None` when there is none, or
/// when it is that of another page.
fn confirmed<'a>(event: &'a Event, mut session: Operation<'a>) -> Option<Operation<'a>> {
    let row_bytes: usize = session.rows.iter().map(Row::text_bytes).sum();
    if row_bytes > ASSUMED_TEXT_BYTES_MAX {
        return None;
    }
    session.rows.sort_by_key(|row| row.time);
    let assumed = session.rows.first_mut().filter(|row| row.kind == ROW_ASSUMED)?;
    let is_same = (0..=ASSUMED_MS_MAX).contains(&(event.time - assumed.time))
        && SAME_PAGE.iter().all(|&column| text(assumed, column) == event.texts.get(column));
    // Where the visitor came from perhaps only the page view tells.
    let attributes = session.attributes.as_mut()?;
    let has_campaign = CAMPAIGN_COLUMNS.iter().any(|column| !attributes[column.index()].is_empty());
    let is_other = is_other_campaign(|column| event.texts.get(column), |column| attributes[column.index()]);
    if !is_same || has_campaign && is_other {
        return None;
    }
    for (text, &column) in attributes.iter_mut().zip(Column::attributes()) {
        let told = event.texts.get(column);
        if !told.is_empty() && (text.is_empty() || !has_campaign) {
            *text = told;
        }
    }
    *assumed = Row { time: assumed.time, received: assumed.received, ..event_row(event) };
    session.replaces = true;
    Some(session)
}

fn text<'a>(row: &Row<'a>, column: Column) -> &'a str {
    row.texts.get(column.index() - ATTRIBUTE_COUNT).copied().unwrap_or_default()
}
