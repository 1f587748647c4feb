//! What tests begin with: a store on a simulated disk, events in it, a seal, how many seeds to try.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use hitstone_engine::error::StorageError;
use hitstone_engine::event::{Event, Kind, Texts};
use hitstone_engine::schema::Column;
use hitstone_engine::store::StoreOptions;
use hitstone_engine::units::{SiteId, VisitorId};
use hitstone_engine::vfs::sim::SimFs;
use hitstone_engine::writer::Core;

use crate::model::Model;

/// Where the store is on the simulated disk.
pub const FOLDER: &str = "/data";

/// Opens the store of a disk; it wants a seal after so many rows.
pub fn open(fs: &SimFs, seal_rows: usize) -> Result<Core, StorageError> {
    let options = StoreOptions { seal_rows, ..StoreOptions::default() };
    Core::open(Arc::new(fs.clone()), Path::new(FOLDER), options)
}

/// Stores events, in the model, too.
pub fn store(core: &mut Core, batch: &[Event], model: &mut Model) {
    core.append_events(batch).unwrap();
    core.commit().unwrap();
    batch.iter().for_each(|event| model.append(event));
}

/// Seals the open segment.
pub fn seal(core: &mut Core) {
    let file = core.begin_seal().unwrap().run().unwrap();
    core.finish_seal(file).unwrap();
}

/// A page view on the first site.
pub fn view(visitor: u64, time: i64, path: &str) -> Event {
    let mut texts = Texts::new();
    texts.set(Column::Path, path);
    Event {
        site: SiteId(1),
        time,
        received: None,
        kind: Kind::PageView,
        visitor: VisitorId(visitor),
        previous_visitor: None,
        user_key: None,
        event_duration: None,
        non_interactive: false,
        may_be_assumed: false,
        status: None,
        texts,
    }
}

/// The seeds that are tried: as many as the environment variable says, or `default`.
pub fn seeds(variable: &str, default: u64) -> RangeInclusive<u64> {
    1..=std::env::var(variable).ok().and_then(|count| count.parse().ok()).unwrap_or(default)
}
