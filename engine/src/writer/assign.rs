//! Which session an event belongs to, and the operation that says so.

use super::filters::Key;
use super::{Core, OpenSegment};
use crate::codec::Writer;
use crate::error::StorageError;
use crate::event::{Event, Kind};
use crate::index::Needs;
use crate::limits;
use crate::record::{Operation, ROW_TEXT_COUNT, Row};
use crate::schema::{ATTRIBUTE_COUNT, COLUMN_COUNT, Column};
use crate::segment::table::{ROW_ASSUMED, ROW_NON_INTERACTIVE, SiteTable};
use crate::session::{Extent, Numbers, is_other_campaign, preference};
use crate::units::{DayUtc, SessionId, SessionKey, SiteId, TimestampMs, VisitorId};

/// Where a session is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Open(u32),
    Frozen(u32),
    Sealed { segment: usize, session: u32 },
    Lake { file: usize, session: u32 },
}

/// What is to be done with an event.
#[expect(clippy::large_enum_variant, reason = "nearly all go to a session, and each is moved once")]
pub(super) enum Assigned<'e> {
    /// It joins or opens a session.
    To(Operation<'e>),
    /// It is a page view that an event stood for: the session, whole, with it in its place, as it is logged.
    Confirmed(Writer),
    /// It is a ping without a session.
    Nowhere,
}

/// A session of the visitor, as far as the rule needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) place: Place,
    pub(super) id: SessionId,
    pub(super) extent: Extent,
    pub(super) rows: usize,
    pub(super) full: bool,
}

impl Core {
    /// Decides the event's session, and writes to `moves` what must be applied before.
    pub(super) fn assign<'e>(
        &self,
        event: &'e Event,
        moves: &mut Writer,
    ) -> Result<Assigned<'e>, StorageError> {
        let (visitor, sessions) = self.visitor_of(event);
        if event.may_be_assumed {
            let mut session = Writer::new();
            if self.confirm(event, visitor, &sessions, &mut session)? {
                return Ok(Assigned::Confirmed(session));
            }
        }
        let window = self.session_window_ms();
        let mut joinable = Vec::new();
        for candidate in &sessions {
            let extent = candidate.extent;
            if !candidate.full
                && extent.is_alive(event.time, window)
                && extent.has_room_for(event.time)
                && !self.is_other_campaign(event, candidate)?
            {
                joinable.push(*candidate);
            }
        }
        let order = |known: &Candidate| preference(known.extent, event.time, known.id.0);
        if let Some(operation) = self.join_first(event, visitor, joinable, order, moves)? {
            return Ok(Assigned::To(operation));
        }
        if event.kind == Kind::Ping {
            return Ok(Assigned::Nowhere);
        }
        let numbers = self.session_numbers(event.site, DayUtc::of(event.time));
        match next_session_id(event.time, &sessions, numbers) {
            Some(session) => {
                let key = SessionKey { site: event.site, visitor, session };
                Ok(Assigned::To(open_operation(event, key)))
            }
            None => {
                // All session numbers of the visitor's day are used up: the nearest session takes it, whatever the rule.
                let order = |known: &Candidate| (known.full, known.extent.distance(event.time));
                let joined = self.join_first(event, visitor, sessions, order, moves)?;
                joined.map(Assigned::To).ok_or_else(|| StorageError::TooLarge {
                    what: "no session of the visitor takes another event".into(),
                })
            }
        }
    }

    /// The id that the event counts under: the one of the day before while a session of it is alive and began less
    /// than a day ago, else the day's. With it all its sessions near the event.
    fn visitor_of(&self, event: &Event) -> (VisitorId, Vec<Candidate>) {
        if let Some(older) = event.previous_visitor {
            let sessions = self.sessions_near(event.site, older, event.time);
            let alive = sessions.iter().any(|known| {
                known.extent.is_alive(event.time, self.session_window_ms())
                    && event.time - known.extent.start < limits::SESSION_LENGTH_MS_MAX
            });
            if alive {
                return (older, sessions);
            }
        }
        (event.visitor, self.sessions_near(event.site, event.visitor, event.time))
    }

    /// The visitor's sessions that the event could join, and all that were opened on the event's UTC day.
    fn sessions_near(&self, site: SiteId, visitor: VisitorId, time: TimestampMs) -> Vec<Candidate> {
        let mut found = Vec::new();
        in_open(&self.open, site, visitor, Place::Open, &mut found);
        if let Some(frozen) = &self.frozen {
            in_open(&frozen.open, site, visitor, Place::Frozen, &mut found);
        }
        for segment in self.sealed.that_may_hold(Key::of_visitor(site, visitor)) {
            let Some(sealed) = self.sealed.get(segment) else { continue };
            let superseded = sealed.superseded.get(&site);
            sealed.segment.sessions_of(
                site,
                visitor,
                time,
                self.session_window_ms(),
                |session, id, extent, rows| {
                    if superseded.is_none_or(|superseded| !superseded.contains(session)) {
                        let full = rows >= limits::SESSION_ROWS_MAX;
                        let place = Place::Sealed { segment, session };
                        found.push(Candidate { place, id, extent, rows, full });
                    }
                },
            );
        }
        self.lake_sessions_near(site, visitor, time, self.session_window_ms(), &mut found);
        found
    }

    fn sealed_table(&self, segment: usize, site: SiteId) -> Result<Option<SiteTable<'_>>, StorageError> {
        self.sealed.get(segment).map_or(Ok(None), |sealed| sealed.segment.table(site))
    }

    fn is_other_campaign(&self, event: &Event, candidate: &Candidate) -> Result<bool, StorageError> {
        Ok(match candidate.place {
            Place::Open(ordinal) => is_other_campaign(
                |named| event.texts.get(named),
                |column| self.open.arena.attribute(ordinal, column),
            ),
            Place::Frozen(ordinal) => self.frozen.as_ref().is_some_and(|frozen| {
                is_other_campaign(
                    |named| event.texts.get(named),
                    |column| frozen.open.arena.attribute(ordinal, column),
                )
            }),
            Place::Sealed { segment, session } => {
                self.sealed_table(segment, event.site)?.is_some_and(|table| {
                    is_other_campaign(
                        |named| event.texts.get(named),
                        |column| attribute(&table, session, column),
                    )
                })
            }
            Place::Lake { file, session } => {
                let needs = Needs::nothing(0..0);
                let other = self.with_lake_table(event.site, file, &needs, |table| {
                    Ok(is_other_campaign(
                        |named| event.texts.get(named),
                        |column| attribute(table, session, column),
                    ))
                });
                other.unwrap_or(false)
            }
        })
    }

    /// The event joins the first of `candidates`, in `order`, that it can join, if there is one.
    fn join_first<'e, K: Ord>(
        &self,
        event: &'e Event,
        visitor: VisitorId,
        mut candidates: Vec<Candidate>,
        order: impl Fn(&Candidate) -> K,
        moves: &mut Writer,
    ) -> Result<Option<Operation<'e>>, StorageError> {
        while let Some((at, _)) = candidates.iter().enumerate().min_by_key(|(_, known)| order(known)) {
            let candidate = candidates.swap_remove(at);
            let key = SessionKey { site: event.site, visitor, session: candidate.id };
            if self.move_session(key, candidate.place, moves)? {
                let rows = vec![event_row(event)];
                let operation = Operation { key, user_key: None, attributes: None, replaces: false, rows };
                return Ok(Some(operation));
            }
        }
        Ok(None)
    }

    /// Writes the operation that moves a session into the open segment, unless it is there. Whether it is there then:
    /// one that is full of texts stays where it is.
    fn move_session(&self, key: SessionKey, place: Place, moves: &mut Writer) -> Result<bool, StorageError> {
        match place {
            Place::Open(_) => Ok(true),
            _ => self.with_session(key, place, |operation| self.try_move(&operation, moves)),
        }
    }

    /// Hands a session over, whole. `false` when it cannot be read.
    pub(super) fn with_session(
        &self,
        key: SessionKey,
        place: Place,
        take: impl FnOnce(Operation<'_>) -> bool,
    ) -> Result<bool, StorageError> {
        Ok(match place {
            Place::Open(ordinal) => take(self.open.operation(ordinal)),
            Place::Frozen(ordinal) => match &self.frozen {
                Some(frozen) => take(frozen.open.operation(ordinal)),
                None => false,
            },
            Place::Sealed { segment, session } => match self.sealed_table(segment, key.site)? {
                Some(table) => take(sealed_operation(&table, key, session)?),
                None => false,
            },
            Place::Lake { file, session } => {
                let needs = Needs::of_session(key.session.day());
                let taken = self.with_lake_table(key.site, file, &needs, |table| {
                    Ok(take(sealed_operation(table, key, session)?))
                });
                taken.unwrap_or(false)
            }
        })
    }

    /// Writes a session that replaces all copies of it, when the open segment has room for it.
    pub(super) fn try_move(&self, operation: &Operation<'_>, moves: &mut Writer) -> bool {
        let row_text_bytes: usize = operation.rows.iter().map(Row::text_bytes).sum();
        let (texts, text_bytes) = operation.texts();
        let fits = row_text_bytes < limits::SESSION_TEXT_BYTES_MAX
            && self.open.arena.has_room(
                operation.rows.len() + 2 * limits::BATCH_EVENTS_MAX,
                texts + COLUMN_COUNT * limits::BATCH_EVENTS_MAX,
                text_bytes + limits::BATCH_BYTES_MAX,
            );
        if fits {
            operation.encode(moves);
        }
        fits
    }
}

fn in_open(
    open: &OpenSegment,
    site: SiteId,
    visitor: VisitorId,
    place: fn(u32) -> Place,
    found: &mut Vec<Candidate>,
) {
    found.extend(open.index.of_visitor(site, visitor).map(|(ordinal, known)| Candidate {
        place: place(ordinal),
        id: open.arena.session_id(ordinal),
        extent: known.extent,
        rows: known.rows as usize,
        full: known.rows as usize >= limits::SESSION_ROWS_MAX
            || known.text_bytes as usize >= limits::SESSION_TEXT_BYTES_MAX,
    }));
}

/// The one after the visitor's largest number on the event's UTC day.
fn next_session_id(time: TimestampMs, sessions: &[Candidate], numbers: Numbers) -> Option<SessionId> {
    let day = DayUtc::of(time);
    let largest = sessions.iter().filter(|known| known.id.day() == day).map(|known| known.id.n()).max();
    Some(SessionId::new(day, numbers.next(largest)?))
}

/// An event's row.
pub(super) fn event_row(event: &Event) -> Row<'_> {
    let mut texts = [""; ROW_TEXT_COUNT];
    for (text, &column) in texts.iter_mut().zip(Column::row_texts()) {
        *text = event.texts.get(column);
    }
    Row {
        time: event.time,
        kind: event.kind as u8 | if event.non_interactive { ROW_NON_INTERACTIVE } else { 0 },
        event_duration: event.event_duration.map_or(0, |seconds| u64::from(seconds) + 1),
        status: event.status.map_or(0, u64::from),
        received: event.received.map_or(0, |time| time.max(0) as u64),
        texts,
    }
}

/// The event opens a session. A custom event on a page stores an assumed page view before itself: alone it leaves the
/// session bounced.
fn open_operation(event: &Event, key: SessionKey) -> Operation<'_> {
    let mut attributes = [""; ATTRIBUTE_COUNT];
    for (text, &column) in attributes.iter_mut().zip(Column::attributes()) {
        *text = event.texts.get(column);
    }
    let on_page = event.kind == Kind::Event && !event.texts.get(Column::Path).is_empty();
    let mut rows = Vec::with_capacity(2);
    if on_page {
        let mut page_view = event_row(event);
        page_view.kind = ROW_ASSUMED;
        page_view.event_duration = 0;
        for column in [Column::EventName, Column::EventMeta, Column::EventId] {
            page_view.texts[column.index() - ATTRIBUTE_COUNT] = "";
        }
        rows.push(page_view);
    }
    rows.push(event_row(event));
    Operation { key, user_key: event.user_key, attributes: Some(attributes), replaces: false, rows }
}

pub(super) fn attribute<'a>(table: &SiteTable<'a>, session: u32, column: Column) -> &'a str {
    table.dictionary(column).get(table.codes(column).get(session as usize))
}

/// A sealed session, whole, as the operation that moves it.
pub(super) fn sealed_operation<'a>(
    table: &SiteTable<'a>,
    key: SessionKey,
    session: u32,
) -> Result<Operation<'a>, StorageError> {
    let index = session as usize;
    let mut attributes = [""; ATTRIBUTE_COUNT];
    for (text, &column) in attributes.iter_mut().zip(Column::attributes()) {
        *text = attribute(table, session, column);
    }
    let given = table.states.flags(index) & crate::segment::table::FLAG_GIVEN_ID != 0;
    let times = table.exact_times(index)?;
    let rows = table.rows(index).zip(times).map(|(row, time)| {
        let mut texts = [""; ROW_TEXT_COUNT];
        for (text, &column) in texts.iter_mut().zip(Column::row_texts()) {
            *text = table.dictionary(column).get(table.codes(column).get(row));
        }
        Row {
            time,
            kind: table.kinds.get(row).unwrap_or_default(),
            event_duration: table.event_duration.get(row),
            status: table.status.get(row),
            received: table.received.get(row),
            texts,
        }
    });
    Ok(Operation {
        key,
        user_key: given.then(|| table.user_key(index)),
        attributes: Some(attributes),
        replaces: true,
        rows: rows.collect(),
    })
}
