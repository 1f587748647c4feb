//! Whether a newer program has written in a data folder: asked before anything is done in it without a server.

use std::path::Path;

use hitstone_engine::error::StorageError;
use hitstone_engine::manifest::Manifest;
use hitstone_engine::vfs::Fs;

use crate::{lists, rejections, salts, state, tokens};

/// Refuses a folder whose manifest or one of whose small files is of a newer version. The store looks at its other files
/// itself when it is opened; who does not open it asks [`Store::check_versions`](hitstone_engine::store::Store::check_versions), too.
///
/// # Errors
/// [`StorageError::Version`].
pub fn refuse_newer(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    Manifest::check_version(fs, folder)?;
    state::check_version(fs, folder)?;
    tokens::check_version(fs, folder)?;
    lists::check_version(fs, folder)?;
    rejections::check_version(fs, folder)?;
    salts::check_version(fs, folder)
}
