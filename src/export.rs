//! What an export holds: which site, and which sessions by the dates of their last activity in the site's zone.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use hitstone_engine::error::{ParquetError, StorageError};
use hitstone_engine::parquet::{Folder, Month, Target, Watch};
use hitstone_engine::store::Snapshot;
use hitstone_engine::units::{SiteId, TimestampMs};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::admin::{self, AdminError};
use crate::state::State;
use crate::statistics::period::{day_start, plus_days};

/// What is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportRequest {
    /// The site's host name or id.
    pub site: String,
    /// The first day.
    pub from: Option<Date>,
    /// The last day, included.
    pub to: Option<Date>,
}

/// What is to be written.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The site's host name, as the files and their folder have it.
    pub host: String,
    site: SiteId,
    span: Range<TimestampMs>,
}

/// What was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exported {
    /// Events.
    pub exported: u64,
    /// Sessions.
    pub sessions: u64,
    /// Files.
    pub files: u64,
    /// Bytes of files.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Why some data is missing, when damage was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<String>,
    /// From which month to which one something cannot be read; the files that an earlier export has of them stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<(String, String)>,
    /// Those months of which an earlier export has a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

impl Exported {
    /// Ends the export: what was written takes its place, as far as it lacks nothing.
    ///
    /// # Errors
    /// The failed operation.
    pub fn finish(self, folder: Folder) -> Result<Self, StorageError> {
        let month = |name: &str| Month::parse(name);
        let months = self.unread.iter().filter_map(|(first, last)| Some(month(first)?..=month(last)?));
        let kept = folder.finish(&months.collect::<Vec<_>>())?;
        Ok(Self { kept: kept.iter().map(Month::to_string).collect(), ..self })
    }
}

impl Plan {
    /// Works out what a request means.
    ///
    /// # Errors
    /// There is no such site.
    pub fn of(state: &State, request: &ExportRequest) -> Result<Self, AdminError> {
        let site = admin::site(state, &request.site)?;
        let zone = TimeZone::get(&site.timezone).unwrap_or(TimeZone::UTC);
        let start = request.from.map_or(TimestampMs::MIN, |date| day_start(&zone, date));
        let end = request.to.map_or(TimestampMs::MAX, |date| day_start(&zone, plus_days(date, 1)));
        Ok(Self { host: site.hostname.clone(), site: site.site_id(), span: start..end })
    }

    /// Writes it from a snapshot. Blocks.
    ///
    /// # Errors
    /// See [`Snapshot::export`].
    pub fn run(
        &self,
        snapshot: &Snapshot,
        target: &mut dyn Target,
        watch: Watch<'_>,
    ) -> Result<Exported, ParquetError> {
        let begun = Instant::now();
        let written = snapshot.export(self.site, &self.host, self.span.clone(), target, watch)?;
        let months = snapshot.unread(self.site).map(|unread| {
            let (first, last) = unread.days.into_inner();
            (Month::of(first).to_string(), Month::of(last).to_string())
        });
        let unread: BTreeSet<(String, String)> = months.collect();
        Ok(Exported {
            exported: written.rows,
            sessions: written.sessions,
            files: written.files,
            bytes: written.bytes,
            seconds: begun.elapsed().as_secs_f64(),
            incomplete: snapshot.incomplete(self.site, &self.span),
            unread: unread.into_iter().collect(),
            kept: Vec::new(),
        })
    }
}
