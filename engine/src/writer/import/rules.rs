//! Which session a row joins that names none: the rule of [`crate::session`], over what the import has at hand.

use super::body::decode;
use super::loader::{Loader, Taken};
use super::row::{PageViewTexts, Row};
use super::staging::Coder;
use super::stored::Place;
use crate::error::{ImportError, StorageError};
use crate::event::{Event, Kind};
use crate::limits;
use crate::schema::Column;
use crate::session::{Extent, is_other_campaign, preference};
use crate::units::{DayUtc, SessionId, VisitorId};
use crate::writer::assign::attribute;

/// Where a session is.
#[derive(Debug, Clone, Copy)]
enum At {
    Open(u32),
    Frozen(u32),
    Stored(Place),
}

/// A session of the visitor, as far as the rule needs it.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    at: At,
    id: SessionId,
    extent: Extent,
    full: bool,
}

impl Loader {
    /// Takes the next event of the file, by the rules that hold for events that come in.
    ///
    /// # Errors
    /// As [`Loader::push`].
    pub fn push_event(&mut self, event: &Event) -> Result<Taken, ImportError> {
        let row = Row::of_event(event);
        if row.is_too_long() {
            return Ok(Taken::TooLong);
        }
        self.make_room()?;
        let taken = self.assign(&row, event.previous_visitor, true)?;
        self.count(taken);
        Ok(taken)
    }

    /// Adds a row to the session that the rule says. `opens_page`: a custom event on a page that opens a session stores a
    /// page view too, and is then not interactive.
    pub(super) fn assign(
        &mut self,
        row: &Row<'_>,
        previous: Option<VisitorId>,
        opens_page: bool,
    ) -> Result<Taken, ImportError> {
        let (visitor, candidates) = self.visitor_of(row, previous);
        let mut joinable = Vec::new();
        for candidate in &candidates {
            let extent = candidate.extent;
            if !candidate.full
                && extent.is_alive(row.time, self.window_ms)
                && extent.has_room_for(row.time)
                && !self.is_other_campaign(row, candidate)?
            {
                joinable.push(*candidate);
            }
        }
        joinable.sort_by_key(|known| preference(known.extent, row.time, known.id.0));
        if self.join_first(row, visitor, &joinable)? {
            return Ok(Taken::Stored);
        }
        if row.kind == Kind::Ping {
            return Ok(Taken::NoSession);
        }
        let day = DayUtc::of(row.time);
        let parts = (&self.open, self.frozen.as_ref(), &self.stored);
        let largest = || Self::largest_on(self.site, parts, visitor, day);
        if let Some(id) = self.visitors.number(visitor, day, &self.stored, largest)? {
            self.open_by_rule(row, visitor, id, opens_page)?;
            return Ok(Taken::Stored);
        }
        // All numbers of the visitor's day are used up: the nearest session takes it, whatever the rule.
        let mut nearest = candidates;
        nearest.sort_by_key(|known| (known.full, known.extent.distance(row.time)));
        if self.join_first(row, visitor, &nearest)? {
            return Ok(Taken::Stored);
        }
        Err(ImportError::TooManySessions { visitor: visitor.0.cast_signed() })
    }

    /// The id that the row counts under, and its sessions near the row.
    fn visitor_of(&self, row: &Row<'_>, previous: Option<VisitorId>) -> (VisitorId, Vec<Candidate>) {
        if let Some(older) = previous {
            let sessions = self.sessions_near(older, row);
            let alive = sessions.iter().any(|known| {
                known.extent.is_alive(row.time, self.window_ms)
                    && row.time - known.extent.start < limits::SESSION_LENGTH_MS_MAX
            });
            if alive {
                return (older, sessions);
            }
        }
        (row.visitor, self.sessions_near(row.visitor, row))
    }

    fn sessions_near(&self, visitor: VisitorId, row: &Row<'_>) -> Vec<Candidate> {
        let is_full = |rows: u32, text_bytes: u32| {
            rows as usize >= limits::SESSION_ROWS_MAX || text_bytes as usize >= limits::SESSION_TEXT_BYTES_MAX
        };
        let mut found = Vec::new();
        for (ordinal, known) in self.open.index.of_visitor(self.site, visitor) {
            let session = self.open.sessions.get(ordinal as usize);
            let id = session.and_then(|session| session.id);
            let id = id.unwrap_or_else(|| SessionId::new(DayUtc::of(known.extent.start), u16::MAX));
            let full = is_full(known.rows, known.text_bytes);
            found.push(Candidate { at: At::Open(ordinal), id, extent: known.extent, full });
        }
        let frozen = self.frozen.iter().flat_map(|frozen| frozen.of_visitor(self.site, visitor));
        found.extend(frozen.map(|(ordinal, id, extent, rows, text_bytes)| Candidate {
            at: At::Frozen(ordinal),
            id,
            extent,
            full: is_full(rows, text_bytes),
        }));
        self.stored.sessions_near(visitor, row.time, self.window_ms, |place, id, extent, rows| {
            found.push(Candidate { at: At::Stored(place), id, extent, full: is_full(rows as u32, 0) });
        });
        found
    }

    fn is_other_campaign(&self, row: &Row<'_>, candidate: &Candidate) -> Result<bool, StorageError> {
        let named = |column: Column| row.text(column);
        Ok(match candidate.at {
            At::Open(ordinal) => is_other_campaign(named, |column| self.open.attribute(ordinal, column)),
            At::Frozen(ordinal) => self.frozen.as_ref().is_some_and(|frozen| {
                is_other_campaign(named, |column| frozen.arena.attribute(ordinal, column))
            }),
            At::Stored(place) => {
                let Some(body) = self.stored.body(place) else { return Ok(false) };
                let other = body.with_outline(self.site, |table| {
                    Ok(is_other_campaign(named, |column| attribute(table, place.session, column)))
                })?;
                other.unwrap_or(false)
            }
        })
    }

    /// The row joins the first of the candidates that takes it. Whether there is one.
    fn join_first(
        &mut self,
        row: &Row<'_>,
        visitor: VisitorId,
        candidates: &[Candidate],
    ) -> Result<bool, ImportError> {
        for candidate in candidates {
            if matches!(candidate.at, At::Stored(place) if !self.fits(place, visitor, candidate.id)?) {
                continue;
            }
            let ordinal = match candidate.at {
                At::Open(ordinal) => Some(ordinal),
                At::Frozen(ordinal) => self.bring_frozen(ordinal, None)?,
                At::Stored(place) => self.bring_stored(place, visitor, candidate.id, None)?,
            };
            if let Some(ordinal) = ordinal {
                let coder = Coder { codes: &self.codes, stored: &self.stored };
                self.open.add(&coder, ordinal, row)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a stored session has texts few enough to be moved.
    fn fits(&self, place: Place, visitor: VisitorId, id: SessionId) -> Result<bool, ImportError> {
        let encoded = self.stored.operation(place, visitor, id)?;
        Ok(decode(&encoded)?.pop().is_some_and(|operation| {
            let bytes: usize = operation.rows.iter().map(crate::record::Row::text_bytes).sum();
            bytes < limits::SESSION_TEXT_BYTES_MAX
        }))
    }

    fn open_by_rule(
        &mut self,
        row: &Row<'_>,
        visitor: VisitorId,
        id: SessionId,
        opens_page: bool,
    ) -> Result<(), ImportError> {
        let coder = Coder { codes: &self.codes, stored: &self.stored };
        let ordinal = self.open.open(&coder, row, visitor, Some(id))?;
        if opens_page && row.kind == Kind::Event && !row.text(Column::Path).is_empty() {
            self.open.add(&coder, ordinal, &row.page_view(&PageViewTexts(row.texts)))?;
        }
        self.open.add(&coder, ordinal, row)?;
        self.opened += 1;
        Ok(())
    }
}
