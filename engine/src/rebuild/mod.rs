//! What is derived from the lake's Parquet files is made anew from them when it is damaged: indexes, and a site's
//! dictionary.
//!
//! [`wanted`] says of which sites, [`RebuildJob`] writes the files beside those before, under names that nobody reads
//! yet; the writer publishes them.
//!
//! - A file's index has its sessions under the same numbers as before: their order is that of the Parquet file. So what
//!   must not count of it stays so. Sessions that left it while nobody could find them there are looked for among those
//!   that are stored elsewhere.
//! - Without its dictionary nobody knows what the codes in a site's indexes stand for. Then all of them are made anew
//!   with a new one: strings that segments have keep the codes that they have there, others get codes that are free.
//! - A Parquet file that is not sound is set aside. Only its index could have told that every byte of it is as it was
//!   written; as far as that is gone, it is sound when all of it can be decoded and it is what its writer would write.

mod codes;
mod job;
mod marks;
mod read;
mod strings;

use crate::error::StorageError;
use crate::snapshot::Snapshot;
use crate::units::SiteId;

pub use job::{Means, RebuildJob};

/// What of a site is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The indexes that are damaged.
    Indexes,
    /// The dictionary, and with it all indexes.
    Everything,
}

/// The sites that damage was found of which can be mended so.
pub fn wanted(snapshot: &Snapshot) -> Vec<(SiteId, Extent)> {
    let mut found = Vec::new();
    for (site, lake) in snapshot.lake().sites() {
        if lake.dictionary.as_ref().is_some_and(|dictionary| dictionary.wants_rebuild()) {
            found.push((site, Extent::Everything));
        } else if lake.files.iter().any(|live| live.file.wants_index()) {
            found.push((site, Extent::Indexes));
        }
    }
    found
}

/// Looks at every dictionary and every index, so that damage of them is known.
pub fn look_for_damage(snapshot: &Snapshot) {
    for (_, lake) in snapshot.lake().sites() {
        // What is found stays known; a failed operation is no damage.
        let _: Option<Result<_, StorageError>> = lake.dictionary.as_ref().map(|dictionary| dictionary.open());
        lake.files.iter().for_each(|live| drop(live.file.open()));
    }
}
