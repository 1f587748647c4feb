//! From one site's sessions and rows, as columns of numbers and codes, to the blocks of a segment.
//!
//! The caller gives sessions in the segment's order and each session's rows in (time, arrival) order; all else about
//! a session (start, last activity, entry, exit, views, bounce) is computed here, from its rows alone.

use std::ops::Range;

use roaring::RoaringBitmap;

use super::finder;
use super::layout::{FileWriter, Tag};
use super::sink::Sink;
use super::table::{
    FLAG_BOUNCE, FLAG_GIVEN_ID, NO_ROW, POSTING_SHARE, ROW_ASSUMED, ROW_KIND_MASK, ROW_NON_INTERACTIVE, Run,
};
use crate::event::Kind;
use crate::schema::{COLUMN_COUNT, Column};
use crate::units::{SessionId, SiteId};

/// One site's sessions and rows, without their texts.
#[derive(Debug, Default)]
pub struct TableContent {
    /// Visitor ids of the sessions.
    pub visitor: Vec<u64>,
    /// Session ids.
    pub session_id: Vec<u32>,
    /// Key of a given id, 0 when none.
    pub user_key: Vec<u64>,
    /// Whether the visitor's id was given by the site.
    pub given_id: Vec<bool>,
    /// Where each session's rows start, and the row count.
    pub first_row: Vec<u32>,
    /// Row times, milliseconds.
    pub time: Vec<i64>,
    /// Kind and flags of the rows.
    pub kind: Vec<u8>,
    /// Duration plus one, 0 when absent.
    pub event_duration: Vec<u64>,
    /// HTTP status, 0 when absent.
    pub status: Vec<u64>,
    /// When the server took it, 0 when the same as the time.
    pub received: Vec<u64>,
}

/// A text column: strings in byte order, the empty one first, and codes into them, one a session for attributes, one a row
/// for row texts.
#[derive(Debug, Clone)]
pub struct ColumnContent {
    /// Where each string starts in `strings`, and the end.
    pub offsets: Vec<u32>,
    /// All strings.
    pub strings: Vec<u8>,
    /// The site's code of each string.
    pub site_codes: Vec<u32>,
    /// The codes.
    pub codes: Vec<u32>,
}

/// What a session is, as a pure function of its rows in (time, arrival) order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionState {
    /// First row's time.
    pub start: i64,
    /// Last row's time.
    pub last: i64,
    /// Page views.
    pub views: u32,
    /// Row of the first page view, or [`NO_ROW`].
    pub entry_row: u32,
    /// Last row with a path, or [`NO_ROW`] when the session has no page view.
    pub exit_row: u32,
    /// One distinct path at most among the page views, and no interactive event but one that opened the session;
    /// without any page view, no interactive event at all.
    pub bounced: bool,
}

/// Computes the state of the session whose rows are `rows`; `path` are the rows' path codes.
///
/// An event that opened a session on a page does not end the bounce while the page view before it is assumed. Earlier
/// versions stored such events as not interactive.
pub fn session_state(rows: Range<usize>, time: &[i64], kind: &[u8], path: &[u32]) -> SessionState {
    let mut state = SessionState {
        start: time[rows.start],
        last: time[rows.end - 1],
        views: 0,
        entry_row: NO_ROW,
        exit_row: NO_ROW,
        bounced: true,
    };
    let first_row = rows.start;
    let mut opened_by_event = false;
    for row in rows {
        let row_kind = kind[row] & ROW_KIND_MASK;
        if row_kind == Kind::PageView as u8 {
            state.views += 1;
            if state.entry_row == NO_ROW {
                state.entry_row = row as u32;
            } else if path[row] != path[state.entry_row as usize] {
                state.bounced = false;
            }
        } else if row_kind == Kind::Event as u8 && kind[row] & ROW_NON_INTERACTIVE == 0 {
            opened_by_event |= row == first_row;
            state.bounced &= row == first_row || kind[row - 1] == ROW_ASSUMED;
        }
        if path[row] != 0 {
            state.exit_row = row as u32;
        }
    }
    if state.views == 0 {
        state.exit_row = NO_ROW;
        state.bounced &= !opened_by_event;
    }
    state
}

/// Writes one site. Its text columns are asked for one after the other, so that only a few are in memory. `is_file`: with
/// what only pays for tables that live longer than until the next event.
pub fn write_site<S: Sink>(
    out: &mut FileWriter<S>,
    site: SiteId,
    content: &TableContent,
    mut texts: impl FnMut(Column) -> ColumnContent,
    is_file: bool,
) {
    let session_count = content.visitor.len();
    out.begin_site(site, session_count, content.time.len());
    let path = texts(Column::Path);
    let states: Vec<SessionState> = (0..session_count)
        .map(|s| session_state(row_range(content, s), &content.time, &content.kind, &path.codes))
        .collect();
    write_sessions(out, content, &states);
    write_rows(out, content, &states);
    drop(states);
    write_column(out, (Column::Path, &path), content, is_file);
    drop(path);
    for column in Column::ALL.into_iter().filter(|&column| column != Column::Path) {
        write_column(out, (column, &texts(column)), content, is_file);
    }
}

fn row_range(content: &TableContent, session: usize) -> Range<usize> {
    content.first_row[session] as usize..content.first_row[session + 1] as usize
}

fn write_sessions<S: Sink>(out: &mut FileWriter<S>, content: &TableContent, states: &[SessionState]) {
    out.block(Tag::RUNS, 0, &runs(&content.session_id, states));
    out.block(Tag::VISITOR, 0, &content.visitor);
    out.block(Tag::SESSION_ID, 0, &content.session_id);
    out.block(Tag::START, 0, &collect(states, |s| s.start));
    out.block(Tag::LAST, 0, &collect(states, |s| s.last));
    out.block(Tag::FIRST_ROW, 0, &content.first_row);
    out.block(Tag::VIEWS, 0, &collect(states, |s| s.views));
    out.block(Tag::ENTRY_ROW, 0, &collect(states, |s| s.entry_row));
    out.block(Tag::EXIT_ROW, 0, &collect(states, |s| s.exit_row));
    let flags: Vec<u8> = states
        .iter()
        .zip(&content.given_id)
        .map(|(state, &given)| {
            (if state.bounced { FLAG_BOUNCE } else { 0 }) | (if given { FLAG_GIVEN_ID } else { 0 })
        })
        .collect();
    out.block(Tag::FLAGS, 0, &flags);
    write_sparse(out, Tag::USER_KEY, &content.user_key);
}

fn collect<T>(states: &[SessionState], field: impl Fn(&SessionState) -> T) -> Vec<T> {
    states.iter().map(field).collect()
}

fn runs(session_id: &[u32], states: &[SessionState]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (index, (&id, state)) in session_id.iter().zip(states).enumerate() {
        let day = u32::from(SessionId(id).day().0);
        match runs.last_mut() {
            Some(run) if run.day == day => {
                run.session_count += 1;
                run.min_time = run.min_time.min(state.start);
                run.max_time = run.max_time.max(state.last);
            }
            _ => runs.push(Run {
                min_time: state.start,
                max_time: state.last,
                first_session: index as u32,
                session_count: 1,
                day,
                reserved: 0,
            }),
        }
    }
    runs
}

fn write_rows<S: Sink>(out: &mut FileWriter<S>, content: &TableContent, states: &[SessionState]) {
    let mut gap = Vec::with_capacity(content.time.len());
    for (session, state) in states.iter().enumerate() {
        gap.extend(content.time[row_range(content, session)].iter().map(|time| (time - state.start) as u32));
    }
    out.block(Tag::GAP, 0, &gap);
    out.block(Tag::KIND, 0, &content.kind);
    write_sparse(out, Tag::EVENT_DURATION, &content.event_duration);
    write_sparse(out, Tag::STATUS, &content.status);
    write_sparse(out, Tag::RECEIVED, &content.received);
}

fn write_sparse<S: Sink>(out: &mut FileWriter<S>, tag: Tag, values: &[u64]) {
    if values.iter().any(|&value| value != 0) {
        out.block(tag, 0, values);
    }
}

fn write_column<S: Sink>(
    out: &mut FileWriter<S>,
    (column, data): (Column, &ColumnContent),
    content: &TableContent,
    is_file: bool,
) {
    if data.site_codes.len() <= 1 {
        return; // nothing but the empty string
    }
    out.block(Tag::offsets(column), 0, &data.offsets);
    out.block(Tag::strings(column), 0, &data.strings);
    let greatest = data.site_codes.iter().copied().max().unwrap_or(0);
    out.block(Tag::site_codes(column), greatest, &data.site_codes);
    let first = data.codes.first().copied().unwrap_or(0);
    if data.codes.iter().all(|&code| code == first) {
        out.constant(Tag::codes(column), first);
    } else if data.site_codes.len() <= 1 << 8 {
        out.block(Tag::codes(column), 0, &narrow::<u8>(&data.codes));
    } else if data.site_codes.len() <= 1 << 16 {
        out.block(Tag::codes(column), 0, &narrow::<u16>(&data.codes));
    } else {
        out.block(Tag::codes(column), 0, &data.codes);
    }
    if is_file {
        let text = |code: usize| {
            data.strings.get(data.offsets[code] as usize..data.offsets[code + 1] as usize).unwrap_or_default()
        };
        let codes = 1..data.site_codes.len() as u32;
        write_finder(out, column, codes.map(|code| (code, text(code as usize))));
    }
    if is_file && column.has_postings() {
        write_postings(out, (column, data), content);
    }
}

/// Writes what finds a column's strings, each of which comes with the number that is to be found.
pub(crate) fn write_finder<'t, S: Sink>(
    out: &mut FileWriter<S>,
    column: Column,
    strings: impl ExactSizeIterator<Item = (u32, &'t [u8])>,
) {
    if let Some((tags, numbers)) = finder::arrays(strings) {
        out.block(Tag::finder_tags(column), 0, &tags);
        out.block(Tag::finder_numbers(column), 0, &numbers);
    }
}

fn narrow<T: TryFrom<u32> + Default>(codes: &[u32]) -> Vec<T> {
    codes.iter().map(|&code| T::try_from(code).unwrap_or_default()).collect()
}

/// Posting lists for the codes that few sessions hold.
fn write_postings<S: Sink>(
    out: &mut FileWriter<S>,
    (column, data): (Column, &ColumnContent),
    content: &TableContent,
) {
    let session_count = content.visitor.len();
    let mut lists = vec![RoaringBitmap::new(); data.site_codes.len()];
    for session in 0..session_count {
        let codes = if column.is_attribute() { session..session + 1 } else { row_range(content, session) };
        for &code in &data.codes[codes] {
            if code != 0 {
                lists[code as usize].insert(session as u32);
            }
        }
    }
    let (mut offsets, mut bytes) = (vec![0u32], Vec::new());
    for list in &lists {
        if !list.is_empty() && list.len() as usize * POSTING_SHARE <= session_count {
            // Writing to a vector cannot fail.
            let _ = list.serialize_into(&mut bytes);
        }
        offsets.push(bytes.len() as u32);
    }
    if !bytes.is_empty() {
        out.block(Tag::posting_offsets(column), 0, &offsets);
        out.block(Tag::postings(column), 0, &bytes);
    }
}

const _: () = assert!(COLUMN_COUNT < u16::MAX as usize);
