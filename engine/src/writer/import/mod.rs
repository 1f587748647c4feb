//! Imports: files of rows are loaded into segments beside the writer, and made live by one replacement of the manifest.
//!
//! Invariants:
//! - Until a file is published nothing names its segments: a crash leaves orphans, which the next start removes. The
//!   manifest that names them also names the file's content, and what they hold in the place of older copies.
//! - Session numbers are provisional: on the writer's thread, when the file is published, those that live events have
//!   taken meanwhile are given anew, and sessions that got rows on both sides are put together ([`publish`]).
//! - A string has one code, whether a live event or the import meets it first ([`codes`]).
//! - What grows with the import lies in mapped files without a name ([`keymap`]), not on the heap.
//!
//! One import at a time. Meanwhile the site is not compacted: sessions that were not there when the import began must be
//! found quickly, and are not in the lake.

mod body;
mod codes;
mod keymap;
mod loader;
mod mend;
mod publish;
mod row;
mod rules;
mod staging;
mod stored;
mod visitors;

use std::sync::{Arc, Mutex};

pub(super) use codes::UnderWay;
use codes::{SharedCodes, SiteCodes};
pub use loader::{Base, Loader, Taken};
pub(super) use publish::taken_out;
pub use publish::{Published, StagedFile};
pub use row::{Row, RowTexts};
pub use staging::SegmentSize;

use super::Core;
use super::forget::FORGOTTEN;
use crate::error::ImportError;
use crate::limits;
use crate::schema::Column;
use crate::units::SiteId;

impl Core {
    /// Begins an import to a site. What it loads begins from what is stored now.
    ///
    /// # Errors
    /// [`ImportError::Busy`] while another one is under way. The inner error is the import's; the outer one leaves the
    /// state unfit for more: latch.
    pub fn begin_import(
        &mut self,
        site: SiteId,
    ) -> Result<Result<Base, ImportError>, crate::error::StorageError> {
        self.forget_ended_import();
        if self.importing.is_some() {
            return Ok(Err(ImportError::Busy));
        }
        if self.forgotten.contains(&site) {
            return Ok(Err(ImportError::GivenUp(FORGOTTEN.into())));
        }
        self.commit()?;
        let next = Column::ALL.map(|column| self.next_site_code(site, column));
        let codes = match SiteCodes::new(&self.fs, &self.folder, 1, next) {
            Ok(codes) => Arc::new(Mutex::new(codes)),
            Err(error) => return Ok(Err(error.into())),
        };
        let first = self.next_segment;
        self.next_segment += limits::IMPORT_SEGMENTS_MAX;
        self.importing = Some(UnderWay { site, codes: SharedCodes::clone(&codes), given_up: None });
        let base = Base {
            fs: self.fs.clone(),
            folder: self.folder.clone(),
            site,
            window_ms: self.session_window_ms(),
            codes,
            numbers: first..self.next_segment,
            snapshot: self.snapshot(),
        };
        Ok(Ok(base))
    }

    /// Ends an import that whoever began it has left. What it has not published is gone.
    pub fn end_import(&mut self) {
        self.forget_ended_import();
    }

    /// Whether a content was imported to the site.
    pub fn has_imported(&self, site: SiteId, hash: &crate::manifest::ContentHash) -> bool {
        self.imports.contains(&(site, *hash))
    }
}
