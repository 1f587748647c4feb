//! Whether a newer program has written in a folder, found out before anything in it is changed or served.
//!
//! Of each file that a start names only the head and, of those that have one, the trailer is read: a start takes as long
//! however much is stored. Aggregates are made anew instead, scratch files too.

use std::path::Path;

use super::recover::log_generations;
use crate::error::StorageError;
use crate::ids;
use crate::lake::{dictionary_path, index_path};
use crate::log::{self, log_path};
use crate::manifest::{Manifest, segment_path};
use crate::segment::layout::check_file_version;
use crate::vfs::Fs;

/// Refuses the folder of this manifest when a newer program wrote one of its files.
///
/// # Errors
/// [`StorageError::Version`], or the folder could not be listed.
pub(super) fn refuse_newer(fs: &dyn Fs, folder: &Path, manifest: &Manifest) -> Result<(), StorageError> {
    let logs = log_generations(fs, folder)?;
    for generation in logs.into_iter().filter(|&generation| generation >= manifest.first_generation) {
        log::KIND_OF_FILE.check_file(fs, &log_path(folder, generation))?;
    }
    for segment in &manifest.segments {
        check_file_version(fs, &segment_path(folder, segment.id))?;
    }
    for site in manifest.lake.values() {
        if let Some((dictionary, _)) = site.dictionary {
            check_file_version(fs, &dictionary_path(folder, dictionary))?;
        }
        for file in &site.files {
            check_file_version(fs, &index_path(folder, file.index))?;
        }
    }
    ids::check_versions(fs, folder)
}
