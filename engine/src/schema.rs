//! The one table of text columns.
//!
//! Every text of an event is dictionary-coded. A *session attribute* is taken from the event that opened the
//! session and holds for the whole session, so it is stored once a session; a *row text* is stored with each row.
//! The empty string stands for "absent" everywhere in the engine.

/// A text column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the columns' own")]
pub enum Column {
    Referrer = 0,
    ReferrerName = 1,
    Channel = 2,
    Language = 3,
    Country = 4,
    Region = 5,
    City = 6,
    Os = 7,
    OsVersion = 8,
    Browser = 9,
    BrowserVersion = 10,
    Platform = 11,
    ScreenClass = 12,
    UtmSource = 13,
    UtmMedium = 14,
    UtmCampaign = 15,
    UtmContent = 16,
    UtmTerm = 17,
    Hostname = 18,
    Path = 19,
    Title = 20,
    EventName = 21,
    /// Metadata of a custom event, as [`crate::event::encode_pairs`] writes it.
    EventMeta = 22,
    /// Tags of a page view, encoded like the metadata.
    Tags = 23,
    EventId = 24,
    /// Which interface took the event: `pirsch`, `prisme`, `segmentstream`, `script`, `log`, `import`.
    Source = 25,
}

/// How many text columns there are.
pub const COLUMN_COUNT: usize = 26;
/// How many of them are session attributes; these come first.
pub const ATTRIBUTE_COUNT: usize = 18;

impl Column {
    /// All text columns in the order of their numbers.
    pub const ALL: [Column; COLUMN_COUNT] = {
        use Column::*;
        [
            Referrer,
            ReferrerName,
            Channel,
            Language,
            Country,
            Region,
            City,
            Os,
            OsVersion,
            Browser,
            BrowserVersion,
            Platform,
            ScreenClass,
            UtmSource,
            UtmMedium,
            UtmCampaign,
            UtmContent,
            UtmTerm,
            Hostname,
            Path,
            Title,
            EventName,
            EventMeta,
            Tags,
            EventId,
            Source,
        ]
    };

    /// The columns that are stored once a session.
    pub fn attributes() -> &'static [Column] {
        &Self::ALL[..ATTRIBUTE_COUNT]
    }

    /// The columns that are stored with each row.
    pub fn row_texts() -> &'static [Column] {
        &Self::ALL[ATTRIBUTE_COUNT..]
    }

    /// Whether the texts of the column are pairs, as [`crate::event::encode_pairs`] writes them.
    pub fn holds_pairs(self) -> bool {
        matches!(self, Self::EventMeta | Self::Tags)
    }

    /// Whether the column is stored once a session.
    pub fn is_attribute(self) -> bool {
        self.index() < ATTRIBUTE_COUNT
    }

    /// The column's number, as files carry it.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Whether sealed segments keep posting lists of the sessions that hold a value of this column.
    /// These are the columns with many values, where a filter for one value selects few sessions.
    pub fn has_postings(self) -> bool {
        matches!(
            self,
            Column::Referrer | Column::City | Column::UtmCampaign | Column::Path | Column::EventName
        )
    }
}
