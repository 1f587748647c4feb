//! What the engine's compaction needs to know of the server: host names, the time, how much of a processor it may take.

use std::path::Path;
use std::sync::Arc;

use hitstone_engine::error::{CompactionError, StorageError};
use hitstone_engine::store::{
    AGGREGATE_ROWS_MIN, CompactionProgress, CompactionSettings, Store, StoreOptions,
};
use hitstone_engine::vfs::SharedFs;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::state::StateFile;
use crate::statistics::days::local_days;

/// The share of one processor that compaction takes beside other work.
const SHARE: f64 = 0.5;

/// What a compaction on demand did: what `--json` prints.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CompactionDone {
    /// Events that came into the lake.
    pub compacted: u64,
    /// Files of the lake that were written.
    pub files: u64,
    /// Events that could not be brought in, as their site is gone.
    pub left: u64,
    /// How long it took.
    pub seconds: f64,
}

impl CompactionDone {
    /// After so many seconds.
    pub fn after(progress: CompactionProgress, seconds: f64) -> Self {
        Self { compacted: progress.rows, files: progress.files, left: progress.waiting_rows, seconds }
    }
}

/// How far a compaction on demand is, for whoever asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompactionSign {
    /// Files written, events brought in.
    Progress(u64, u64),
    /// It waits for something.
    Waiting(String),
}

impl From<CompactionProgress> for CompactionSign {
    fn from(progress: CompactionProgress) -> Self {
        match progress.waits_for {
            Some(what) => Self::Waiting(what.to_owned()),
            None => Self::Progress(progress.files, progress.rows),
        }
    }
}

/// Opens the store of a folder that no server has, ready to compact and to mend.
///
/// # Errors
/// As [`Store::open`]; the sites could not be read.
pub fn open_store(fs: &SharedFs, folder: &Path) -> Result<Store, StorageError> {
    let store = Store::open(Arc::clone(fs), folder, StoreOptions::default())?;
    let state = Arc::new(StateFile::open(Arc::clone(fs), folder)?);
    store.forget_sites(&state.view().state.gone_sites())?;
    store.start_compaction(settings(&state, &Clock::system()))?;
    Ok(store)
}

/// Compaction's settings.
pub fn settings(state: &Arc<StateFile>, clock: &Clock) -> CompactionSettings {
    let (of_days, state, clock) = (Arc::clone(state), Arc::clone(state), clock.clone());
    CompactionSettings {
        host_of: Arc::new(move |site| state.view().site(site.0).map(|site| site.hostname.clone())),
        days_of: Arc::new(move |site, span| {
            let view = of_days.view();
            let site = view.site(site.0)?;
            Some(local_days(site.context().zone, &site.timezone, span))
        }),
        clock: Arc::new(move || clock.now_ms()),
        aggregate_rows_min: AGGREGATE_ROWS_MIN,
        share: SHARE,
        tell: Arc::new(|what| eprintln!("hitstone: {what}")),
    }
}

/// A failure in words.
pub fn in_words(error: &CompactionError) -> String {
    format!("the lake is not up to date: {error}")
}
