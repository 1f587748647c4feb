//! The one table of columns, with their ids, types and whether they may be null.
//!
//! Columns are added, never changed; an id is never given to another column. Only signed integers: Spark and Iceberg
//! read no others. Maps need ids for their keys and values too (Iceberg asks for them); these are above 1000, out of
//! the way of columns to come.

use std::sync::{Arc, LazyLock};

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use hashbrown::HashMap;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;

use crate::schema::Column;

/// Where a column's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the columns")]
pub enum Content {
    Site,
    Time,
    Kind,
    VisitorId,
    SessionId,
    Text(Column),
    /// Metadata or tags: keys and values.
    Pairs(Column),
    EventDuration,
    NonInteractive,
    Status,
    Received,
    UserKey,
}

/// A column of the files.
#[derive(Debug, Clone, Copy)]
pub struct LakeColumn {
    /// `PARQUET:field_id`.
    pub id: i32,
    /// Its name.
    pub name: &'static str,
    /// Where its values come from.
    pub content: Content,
}

/// All columns in their order.
pub const COLUMNS: [LakeColumn; 36] = {
    use Content::*;
    const fn column(id: i32, name: &'static str, content: Content) -> LakeColumn {
        LakeColumn { id, name, content }
    }
    [
        column(1, "site", Site),
        column(2, "time", Time),
        column(3, "kind", Kind),
        column(4, "visitor_id", VisitorId),
        column(5, "session_id", SessionId),
        column(6, "hostname", Text(Column::Hostname)),
        column(7, "path", Text(Column::Path)),
        column(8, "title", Text(Column::Title)),
        column(9, "referrer", Text(Column::Referrer)),
        column(10, "referrer_name", Text(Column::ReferrerName)),
        column(11, "channel", Text(Column::Channel)),
        column(12, "language", Text(Column::Language)),
        column(13, "country", Text(Column::Country)),
        column(14, "region", Text(Column::Region)),
        column(15, "city", Text(Column::City)),
        column(16, "os", Text(Column::Os)),
        column(17, "os_version", Text(Column::OsVersion)),
        column(18, "browser", Text(Column::Browser)),
        column(19, "browser_version", Text(Column::BrowserVersion)),
        column(20, "platform", Text(Column::Platform)),
        column(21, "screen_class", Text(Column::ScreenClass)),
        column(22, "utm_source", Text(Column::UtmSource)),
        column(23, "utm_medium", Text(Column::UtmMedium)),
        column(24, "utm_campaign", Text(Column::UtmCampaign)),
        column(25, "utm_content", Text(Column::UtmContent)),
        column(26, "utm_term", Text(Column::UtmTerm)),
        column(27, "event_name", Text(Column::EventName)),
        column(28, "event_duration", EventDuration),
        column(29, "event_meta", Pairs(Column::EventMeta)),
        column(30, "tags", Pairs(Column::Tags)),
        column(31, "event_id", Text(Column::EventId)),
        column(32, "non_interactive", NonInteractive),
        column(33, "status", Status),
        column(34, "received", Received),
        column(35, "source", Text(Column::Source)),
        column(36, "user_key", UserKey),
    ]
};

/// The name of the time zone that makes a timestamp an instant.
pub(super) const UTC: &str = "UTC";

impl LakeColumn {
    /// The column of a name. Imports ask for each member of a line, so it is found without going through them all.
    pub fn named(name: &str) -> Option<&'static Self> {
        static BY_NAME: LazyLock<HashMap<&str, &LakeColumn>> =
            LazyLock::new(|| COLUMNS.iter().map(|column| (column.name, column)).collect());
        BY_NAME.get(name).copied()
    }

    /// Whether every row has a value. The others are null where there is none; a map without pairs is null.
    pub fn is_required(&self) -> bool {
        use Content::*;
        matches!(self.content, Site | Time | Kind | VisitorId | SessionId | NonInteractive)
    }

    /// Whether a file to be read must have it.
    pub fn is_needed(&self) -> bool {
        use Content::*;
        matches!(self.content, Time | Kind | VisitorId | Text(Column::Path))
    }

    fn field(&self) -> Field {
        let data_type = match self.content {
            Content::Site | Content::Kind | Content::Text(_) => DataType::Utf8,
            Content::Time | Content::Received => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Content::VisitorId | Content::SessionId | Content::UserKey => DataType::Int64,
            Content::EventDuration | Content::Status => DataType::Int32,
            Content::NonInteractive => DataType::Boolean,
            Content::Pairs(column) => {
                DataType::Map(Arc::new(Field::new("key_value", entries(column), false)), false)
            }
        };
        with_id(Field::new(self.name, data_type, !self.is_required()), self.id)
    }
}

fn entries(column: Column) -> DataType {
    let (key, value) = if column == Column::EventMeta { (1001, 1002) } else { (1003, 1004) };
    DataType::Struct(Fields::from(vec![
        with_id(Field::new("key", DataType::Utf8, false), key),
        with_id(Field::new("value", DataType::Utf8, true), value),
    ]))
}

fn with_id(field: Field, id: i32) -> Field {
    field.with_metadata([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())])
}

/// The schema in Arrow's words.
pub(super) fn arrow_schema() -> Arc<Schema> {
    Arc::new(Schema::new(COLUMNS.iter().map(LakeColumn::field).collect::<Vec<_>>()))
}
