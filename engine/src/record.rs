//! What a log frame says: a list of operations on sessions. The codec only; what they do is `writer::Core::apply`'s.
//!
//! An operation adds rows to one session. It may open the session (its attributes come with it) and it may *replace*
//! it: then it holds the session whole, and an older copy of it, wherever it is, is void. So replaying such an operation
//! twice changes nothing, and a session moves between segments with one frame.
//!
//! A frame of events with ids begins with those that are new: when they came, how many there are, and 16 bytes each. So
//! an event and its id are in the log together or not at all. In the same way a frame of events from a followed file begins
//! with the place in that file where they end.
//!
//! ```text
//! tag        u8      bit 0: opened, bit 1: replaces, bit 2: has a user key
//! site       varint  visitor u64, session u32
//! user key   u64     if bit 2
//! attributes         if bit 0: varint mask of the columns that are not empty, then their strings
//! rows       varint  count, then each: time zigzag, kind u8, event duration varint, status varint,
//!                    received varint, varint mask of the row texts that are not empty, their strings
//! ```

use crate::codec::{Malformed, Reader, Writer};
use crate::event::Position;
use crate::schema::{ATTRIBUTE_COUNT, COLUMN_COUNT};
use crate::units::{EventHash, SessionId, SessionKey, SiteId, TimestampMs, VisitorId};

/// Row texts a row has.
pub const ROW_TEXT_COUNT: usize = COLUMN_COUNT - ATTRIBUTE_COUNT;
const _: () = assert!(ROW_TEXT_COUNT == 8, "the mask of row texts is one byte");

/// Frame kind: operations that events caused.
pub const FRAME_EVENTS: u8 = 1;
/// Frame kind: sessions, whole, that are carried over from the log before, or moved here for the events of a frame that
/// follows. By itself it changes no answer.
pub const FRAME_CARRIED: u8 = 2;
/// Frame kind: event ids that are remembered from here on, and the operations of their events, if any.
pub const FRAME_EVENTS_WITH_IDS: u8 = 3;
/// Frame kind: how far a followed file has been taken with this frame, then the kind (1 or 3) of what comes behind it.
pub const FRAME_AT_POSITION: u8 = 4;

const OPENED: u8 = 1;
const REPLACES: u8 = 2;
const USER_KEY: u8 = 4;

/// An operation on one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<'a> {
    /// The session.
    pub key: SessionKey,
    /// Key of an id that the site gave; only with `attributes`.
    pub user_key: Option<u64>,
    /// The session's attributes, when the operation opens it.
    pub attributes: Option<[&'a str; ATTRIBUTE_COUNT]>,
    /// The session is here whole: older copies are void. Only with `attributes`.
    pub replaces: bool,
    /// The rows, in order of arrival.
    pub rows: Vec<Row<'a>>,
}

/// The event ids of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameIds<'a> {
    /// When the server took them.
    pub arrived: TimestampMs,
    /// The ids.
    pub hashes: &'a [EventHash],
}

impl<'a> FrameIds<'a> {
    /// Appends the ids to a frame's payload; operations follow.
    pub fn encode(&self, out: &mut Writer) {
        out.zigzag(self.arrived);
        out.varint(self.hashes.len() as u64);
        out.raw(bytemuck::cast_slice(self.hashes));
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are something else.
    pub fn decode(input: &mut Reader<'a>) -> Result<Self, Malformed> {
        let arrived = input.zigzag()?;
        let count = input.count(size_of::<EventHash>())?;
        let bytes = input.raw(count * size_of::<EventHash>())?;
        Ok(Self { arrived, hashes: bytemuck::cast_slice(bytes) })
    }
}

/// A frame's payload, taken apart.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// How far a followed file has been taken.
    pub position: Option<Position>,
    /// Event ids that are remembered from here on.
    pub ids: Option<FrameIds<'a>>,
    /// Reads the operations.
    pub operations: Reader<'a>,
}

impl<'a> Frame<'a> {
    /// Takes the payload of a frame of this kind apart.
    ///
    /// # Errors
    /// [`Malformed`] when there is no such kind of frame, or what should come before the operations is not there.
    pub fn split(kind: u8, payload: &'a [u8]) -> Result<Self, Malformed> {
        let mut input = Reader::new(payload);
        let (kind, position) = match kind {
            FRAME_AT_POSITION => {
                let position = decode_position(&mut input)?;
                match input.u8()? {
                    inner @ (FRAME_EVENTS | FRAME_EVENTS_WITH_IDS) => (inner, Some(position)),
                    _ => return Err(input.malformed("no events behind a position")),
                }
            }
            other => (other, None),
        };
        let ids = match kind {
            FRAME_EVENTS | FRAME_CARRIED => None,
            FRAME_EVENTS_WITH_IDS => Some(FrameIds::decode(&mut input)?),
            _ => return Err(input.malformed("a frame of an unknown kind")),
        };
        Ok(Self { position, ids, operations: input })
    }
}

/// The kind and the payload of the frame that a batch makes; `None` when there is nothing to log.
pub fn frame_of_batch(
    position: Option<Position>,
    ids: Option<FrameIds<'_>>,
    operations: Writer,
) -> Option<(u8, Vec<u8>)> {
    let kind = if ids.is_some() { FRAME_EVENTS_WITH_IDS } else { FRAME_EVENTS };
    if position.is_none() && ids.is_none() {
        return (!operations.is_empty()).then(|| (kind, operations.into_vec()));
    }
    let mut out = Writer::new();
    if let Some(Position { identity, offset }) = position {
        out.raw(&identity);
        out.varint(offset);
        out.u8(kind);
    }
    if let Some(ids) = ids {
        ids.encode(&mut out);
    }
    out.raw(operations.as_slice());
    Some((if position.is_some() { FRAME_AT_POSITION } else { kind }, out.into_vec()))
}

fn decode_position(input: &mut Reader<'_>) -> Result<Position, Malformed> {
    let mut identity = [0; 16];
    identity.copy_from_slice(input.raw(16)?);
    Ok(Position { identity, offset: input.varint()? })
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Row<'a> {
    /// Milliseconds.
    pub time: TimestampMs,
    /// Kind and flags, as segments store them.
    pub kind: u8,
    /// Duration plus one, 0 when absent.
    pub event_duration: u64,
    /// HTTP status, 0 when absent.
    pub status: u64,
    /// When the server took it, 0 when the same as the time.
    pub received: u64,
    /// Row texts in the order of their columns.
    pub texts: [&'a str; ROW_TEXT_COUNT],
}

impl Row<'_> {
    /// Bytes of the row's texts.
    pub fn text_bytes(&self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }
}

impl<'a> Operation<'a> {
    /// How many texts it has that are not empty, and their bytes.
    pub fn texts(&self) -> (usize, usize) {
        let rows = self.rows.iter().flat_map(|row| &row.texts);
        let all = rows.chain(self.attributes.iter().flatten()).filter(|text| !text.is_empty());
        all.fold((0, 0), |(count, bytes), text| (count + 1, bytes + text.len()))
    }

    /// Appends the operation to a frame's payload.
    pub fn encode(&self, out: &mut Writer) {
        let mut tag = 0;
        tag |= if self.attributes.is_some() { OPENED } else { 0 };
        tag |= if self.replaces { REPLACES } else { 0 };
        tag |= if self.user_key.is_some() { USER_KEY } else { 0 };
        out.u8(tag);
        out.varint(u64::from(self.key.site.0));
        out.u64(self.key.visitor.0);
        out.u32(self.key.session.0);
        if let Some(user_key) = self.user_key {
            out.u64(user_key);
        }
        if let Some(attributes) = &self.attributes {
            encode_texts(out, attributes);
        }
        out.varint(self.rows.len() as u64);
        for row in &self.rows {
            out.zigzag(row.time);
            out.u8(row.kind);
            out.varint(row.event_duration);
            out.varint(row.status);
            out.varint(row.received);
            encode_texts(out, &row.texts);
        }
    }

    /// Reads one operation.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not an operation.
    pub fn decode(input: &mut Reader<'a>) -> Result<Self, Malformed> {
        let tag = input.u8()?;
        let site = u32::try_from(input.varint()?).map_err(|_| input.malformed("a site number"))?;
        let visitor = VisitorId(input.u64()?);
        let session = SessionId(input.u32()?);
        let user_key = if tag & USER_KEY != 0 { Some(input.u64()?) } else { None };
        let attributes = if tag & OPENED != 0 { Some(decode_texts(input)?) } else { None };
        let count = input.count(6)?;
        let mut rows = Vec::with_capacity(count);
        for _ in 0..count {
            rows.push(Row {
                time: input.zigzag()?,
                kind: input.u8()?,
                event_duration: input.varint()?,
                status: input.varint()?,
                received: input.varint()?,
                texts: decode_texts(input)?,
            });
        }
        let key = SessionKey { site: SiteId(site), visitor, session };
        Ok(Self { key, user_key, attributes, replaces: tag & REPLACES != 0, rows })
    }
}

fn encode_texts<const N: usize>(out: &mut Writer, texts: &[&str; N]) {
    let mask = texts
        .iter()
        .enumerate()
        .filter(|(_, text)| !text.is_empty())
        .fold(0u64, |mask, (at, _)| mask | 1 << at);
    out.varint(mask);
    for text in texts.iter().filter(|text| !text.is_empty()) {
        out.str(text);
    }
}

fn decode_texts<'a, const N: usize>(input: &mut Reader<'a>) -> Result<[&'a str; N], Malformed> {
    let mask = input.varint()?;
    if mask >> N != 0 {
        return Err(input.malformed("a mask of texts"));
    }
    let mut texts = [""; N];
    for (at, text) in texts.iter_mut().enumerate() {
        if mask & (1 << at) != 0 {
            *text = input.str()?;
        }
    }
    Ok(texts)
}
