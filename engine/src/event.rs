//! `Event`: a finished, enriched row as the server hands it in; `Batch`: what is handed in together. It knows nothing of
//! user agents, addresses or HTTP.

use crate::limits::ITEM_IDS_MAX;
use crate::schema::{COLUMN_COUNT, Column};
use crate::units::{EventHash, SiteId, TimestampMs, VisitorId};

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A page was seen.
    PageView = 0,
    /// A custom event happened.
    Event = 1,
    /// A sign of life that keeps a session going.
    Ping = 2,
}

impl Kind {
    /// The kind with this number.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Kind::PageView),
            1 => Some(Kind::Event),
            2 => Some(Kind::Ping),
            _ => None,
        }
    }

    /// The kind's name, as files show it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::PageView => "page_view",
            Kind::Event => "event",
            Kind::Ping => "ping",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Kind::PageView, Kind::Event, Kind::Ping].into_iter().find(|kind| kind.name() == name)
    }
}

/// Bytes that the texts of nearly all events have room in.
const BYTES_EXPECTED: usize = 256;

/// The texts of an event: one buffer and a range for each column. A column that was not set is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    buffer: String,
    spans: [(u32, u32); COLUMN_COUNT],
}

impl Texts {
    /// No texts.
    pub fn new() -> Self {
        Self { buffer: String::with_capacity(BYTES_EXPECTED), ..Self::default() }
    }

    /// Sets a column. Setting it again replaces it.
    pub fn set(&mut self, column: Column, text: &str) {
        let start = self.buffer.len() as u32;
        self.buffer.push_str(text);
        self.spans[column.index()] = (start, self.buffer.len() as u32);
    }

    /// The column's text, empty when it was not set.
    pub fn get(&self, column: Column) -> &str {
        let (start, end) = self.spans[column.index()];
        self.buffer.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Bytes of all texts.
    pub fn byte_count(&self) -> usize {
        self.buffer.len()
    }
}

/// One event, ready to be stored.
///
/// Texts are at most as long as the documented limits of their columns (the server cuts them); the engine takes
/// any length up to [`crate::limits::BATCH_BYTES_MAX`] a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The site.
    pub site: SiteId,
    /// When it happened.
    pub time: TimestampMs,
    /// When the server took it; `None` when that is `time`.
    pub received: Option<TimestampMs>,
    /// Page view, custom event or ping.
    pub kind: Kind,
    /// The visitor under the salt of the event's day, or the id that the site gave.
    pub visitor: VisitorId,
    /// The same visitor under the salt of the day before; `None` for an id that the site gave. The event
    /// joins this id while a session of it is alive, so that a visit goes on over midnight.
    pub previous_visitor: Option<VisitorId>,
    /// The hash of an id that the site gave.
    pub user_key: Option<u64>,
    /// Seconds that a custom event lasted.
    pub event_duration: Option<u32>,
    /// A custom event that does not end a bounce.
    pub non_interactive: bool,
    /// A page view that may be stored already: an event that overtook it, and opened the session, stood for it.
    pub may_be_assumed: bool,
    /// HTTP status of the page, when the sender said it.
    pub status: Option<u16>,
    /// All text columns.
    pub texts: Texts,
}

/// The ids that an item of a batch goes by: none, one or two. Who sends one of them again within two days repeats the
/// item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ItemIds {
    hashes: [EventHash; ITEM_IDS_MAX],
    count: u8,
}

impl ItemIds {
    /// These ids; more than [`ITEM_IDS_MAX`] are left out.
    pub fn new(ids: impl IntoIterator<Item = EventHash>) -> Self {
        let mut all = Self::default();
        for (slot, id) in all.hashes.iter_mut().zip(ids) {
            *slot = id;
            all.count += 1;
        }
        all
    }

    /// The ids.
    pub fn as_slice(&self) -> &[EventHash] {
        self.hashes.get(..usize::from(self.count)).unwrap_or_default()
    }
}

/// One item of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What is to be stored; `None` for an item that is left out, of which only the ids are remembered.
    pub event: Option<Event>,
    /// What it goes by.
    pub ids: ItemIds,
}

/// What tells a file that is followed from others.
pub type FileIdentity = [u8; 16];

/// How far a followed file has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub identity: FileIdentity,
    /// Bytes from the file's beginning; all before is taken.
    pub offset: u64,
}

/// Items that are stored together: all or none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// In the order in which they are taken.
    pub items: Vec<Item>,
    /// When the server took it, from where its ids' time runs; `None` when no item has an id.
    pub arrived: Option<TimestampMs>,
    /// Where in a followed file the items end. It is remembered when they are stored, and only then; also when there is
    /// no item.
    pub position: Option<Position>,
}

impl From<Vec<Event>> for Batch {
    /// Events without ids.
    fn from(events: Vec<Event>) -> Self {
        let item = |event| Item { event: Some(event), ids: ItemIds::default() };
        Self { items: events.into_iter().map(item).collect(), arrived: None, position: None }
    }
}

/// Encodes pairs (metadata, tags) as one text: for each pair, sorted by key, `LENGTH:KEY` then `LENGTH:VALUE`, with
/// lengths in bytes as decimal numbers. Equal maps give equal texts; of equal keys the last wins; no pair gives "".
pub fn encode_pairs<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let mut sorted: Vec<(&str, &str)> = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        match sorted.binary_search_by(|probe| probe.0.cmp(key.as_ref())) {
            Ok(at) => sorted[at].1 = value.as_ref(),
            Err(at) => sorted.insert(at, (key.as_ref(), value.as_ref())),
        }
    }
    let mut out = String::new();
    for (key, value) in sorted {
        append_pair(&mut out, key, value);
    }
    out
}

/// Appends a pair as [`encode_pairs`] writes it, for those who have pairs in the order of their keys.
pub(crate) fn append_pair(out: &mut String, key: &str, value: &str) {
    for part in [key, value] {
        push_number(out, part.len());
        out.push(':');
        out.push_str(part);
    }
}

/// In decimal digits. Formatting would cost more than all else that is done for a pair.
fn push_number(out: &mut String, number: usize) {
    if number >= 10 {
        push_number(out, number / 10);
    }
    out.push(char::from(b'0' + (number % 10) as u8));
}

/// Reads what [`encode_pairs`] wrote, in key order. Ends early on a text that it did not write.
pub fn decode_pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (key, after_key) = decode_part(rest)?;
        let (value, after_value) = decode_part(after_key)?;
        rest = after_value;
        Some((key, value))
    })
}

/// Pairs (metadata, tags) as [`encode_pairs`] wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pairs<'a>(pub &'a str);

impl<'a> Pairs<'a> {
    /// The pairs in the order of their keys.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        decode_pairs(self.0)
    }

    /// The value of `key`; `None` when there is no such key.
    pub fn get(self, key: &str) -> Option<&'a str> {
        self.iter().find(|pair| pair.0 == key).map(|pair| pair.1)
    }
}

fn decode_part(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    let length: usize = length.parse().ok()?;
    Some((rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_any_text() {
        let pairs = [("b:", "2:x"), ("", ""), ("ключ", "значение"), ("b:", "last wins")];
        let text = encode_pairs(&pairs);
        let read: Vec<_> = decode_pairs(&text).collect();
        assert_eq!(read, [("", ""), ("b:", "last wins"), ("ключ", "значение")]);
        assert_eq!(Pairs(&text).get("ключ"), Some("значение"));
        assert_eq!(Pairs(&text).get("none"), None);
        assert_eq!(encode_pairs::<&str, &str>(&[]), "");
    }

    #[test]
    fn foreign_text_ends_early() {
        assert_eq!(decode_pairs("99:short").count(), 0);
        assert_eq!(decode_pairs("1:a1:b7").count(), 1);
        assert_eq!(decode_pairs("1:é").count(), 0);
    }
}
