//! Imports into an open store: files of rows are loaded on the caller's thread, and each becomes visible at once when it
//! is published.

use crate::error::{ImportError, StorageError};
use crate::event::Event;
use crate::manifest::ContentHash;
use crate::store::Store;
use crate::units::SiteId;
use crate::writer::import::Loader;
pub use crate::writer::import::{Row, RowTexts, SegmentSize, Taken};

/// What a file brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Rows.
    pub rows: u64,
    /// Sessions that they opened.
    pub sessions: u64,
}

/// An import to one site: one file or several, whose sessions are told by the same ids. Dropping it gives up the file
/// that is not published.
pub struct Import<'s> {
    store: &'s Store,
    loader: Option<Loader>,
}

impl Store {
    /// Begins an import.
    ///
    /// # Errors
    /// [`ImportError::Busy`] while there is another one, or why the store takes nothing.
    pub fn import(&self, site: SiteId) -> Result<Import<'_>, ImportError> {
        let base = self.on_writer(move |core| core.begin_import(site))??;
        let loader = Loader::new(base, SegmentSize::default(), true)?;
        Ok(Import { store: self, loader: Some(loader) })
    }

    /// Whether a content has been imported to a site.
    ///
    /// # Errors
    /// The store is closed or takes nothing.
    pub fn has_imported(&self, site: SiteId, content: ContentHash) -> Result<bool, StorageError> {
        self.on_writer(move |core| Ok(core.has_imported(site, &content)))
    }
}

impl Import<'_> {
    /// Takes the next row of the file. Rows of equal time stay in the order in which they come here.
    ///
    /// # Errors
    /// The file cannot be imported; drop the import.
    pub fn push(&mut self, row: &Row<'_>) -> Result<Taken, ImportError> {
        self.loader()?.push(row)
    }

    /// Takes the next event of the file, by the rules that hold for events that come in.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_event(&mut self, event: &Event) -> Result<Taken, ImportError> {
        self.loader()?.push_event(event)
    }

    /// Publishes the file: all of it is visible and on disk when this returns, or nothing of it. `content` is the
    /// SHA-256 of the file; one that was imported before is refused unless `again`.
    ///
    /// # Errors
    /// As [`Self::push`], and [`ImportError::Repeated`].
    pub fn publish(&mut self, content: ContentHash, again: bool) -> Result<Loaded, ImportError> {
        let file = self.loader()?.finish()?;
        let published = self.store.on_writer(move |core| core.publish_import(file, content, again))??;
        let loaded = Loaded { rows: published.rows, sessions: published.sessions };
        self.loader()?.published(published)?;
        Ok(loaded)
    }
}

impl Import<'_> {
    fn loader(&mut self) -> Result<&mut Loader, ImportError> {
        self.loader.as_mut().ok_or_else(|| StorageError::Closed.into())
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        drop(self.loader.take());
        // Should the store be closed, nobody needs to know.
        let _ = self.store.on_writer(|core| {
            core.end_import();
            Ok(())
        });
    }
}
