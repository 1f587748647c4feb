//! Publishing indexes that were made anew.
//!
//! Order, and what a crash leaves at each point:
//! 1. Indexes and dictionary are written and synced. Crash: orphans, removed at the next start.
//! 2. The manifest names them in place of those before. Crash: these are orphans.
//! 3. Those before are unlinked.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Core;
use crate::aggregate;
use crate::dictionary::SiteDictionary;
use crate::error::StorageError;
use crate::lake::{LakeDictionary, LakeFile, LiveFile, Rebuilt, RebuiltFile, dictionary_path, index_path};
use crate::manifest::LakeEntry;
use crate::schema::Column;
use crate::units::{SegmentId, SiteId};

/// Codes that are given at a time.
const CODES_GIVEN: u32 = 1 << 12;

impl Core {
    /// Codes of a column that no string of the site has or gets from the writer. `None`: an import gives them now, or
    /// there are none left.
    pub fn reserve_codes(&mut self, site: SiteId, column: Column) -> Option<Range<u32>> {
        self.forget_ended_import();
        if self.is_importing_to(site) {
            return None;
        }
        let first = self.next_site_code(site, column);
        let end = first.checked_add(CODES_GIVEN)?;
        self.next_site_code.insert((site, column), end);
        Some(first..end)
    }

    /// From now on strings of the site that are in no segment get the codes that this dictionary has, until
    /// [`Self::end_rebuild`]: it is going to be the site's.
    pub fn begin_rebuild(&mut self, dictionary: Arc<SiteDictionary>) {
        self.coming_dictionary = Some(dictionary);
    }

    /// Nothing is being made anew any more.
    pub fn end_rebuild(&mut self) {
        self.coming_dictionary = None;
    }

    /// Publishes what was made anew. Whether it was: what has changed since it was begun may be in the way; then nothing
    /// is done, and the files are no use. All that was appended must have been committed.
    ///
    /// # Errors
    /// Any error leaves the state unfit for more: latch.
    pub fn publish_rebuilt(&mut self, made: Rebuilt) -> Result<bool, StorageError> {
        self.end_rebuild();
        if !self.fits(&made) {
            self.remove_all(files_of(&made, &self.folder))?;
            return Ok(false);
        }
        let mut gone = Vec::new();
        for file in made.files {
            gone.push(index_path(&self.folder, file.before));
            gone.push(aggregate::path(&self.folder, file.before.0));
            self.replace_index(made.site, file);
        }
        if let Some((number, len)) = made.dictionary {
            let new = LakeDictionary::new(&self.lake_context, number, len);
            let before = self.lake.site_mut(made.site).dictionary.replace(new);
            gone.extend(before.map(|before| dictionary_path(&self.folder, before.name().0)));
        }
        self.manifest().write(&*self.fs, &self.folder)?;
        self.remove_all(gone)?;
        Ok(true)
    }

    /// Whether what it was made from is still so.
    fn fits(&self, made: &Rebuilt) -> bool {
        if self.is_importing_to(made.site) {
            return false; // It has codes of the site, and numbers of sessions.
        }
        let Some(site) = self.lake.site(made.site) else { return false };
        let is_there =
            |file: &RebuiltFile| site.file(file.key).is_some_and(|live| live.file.number() == file.before);
        let all = made.dictionary.is_none() || made.files.len() == site.files.len();
        all && made.files.iter().all(is_there)
    }

    fn replace_index(&mut self, site: SiteId, made: RebuiltFile) {
        let context = self.lake_context.clone();
        let lake = self.lake.site_mut(site);
        let Some(before) = lake.file(made.key).cloned() else { return };
        let index_len = made.index_len.as_ref().copied().unwrap_or(0);
        let numbers_end = made.numbers_end;
        let entry = LakeEntry { index: made.index, index_len, numbers_end, ..before.entry.clone() };
        let file = LakeFile::new(&context, site, &lake.host, made.key, &entry);
        if let Err(damage) = made.index_len {
            file.set_aside(damage);
        }
        // Its sessions have the numbers that they had.
        let superseded = Arc::new(&*before.superseded | &made.elsewhere);
        before.file.keep_open();
        lake.replace(LiveFile { key: made.key, entry, file, superseded });
    }

    /// Removes files, as far as they are there.
    pub(super) fn remove_all(&self, paths: Vec<PathBuf>) -> Result<(), StorageError> {
        for path in paths {
            if self.fs.exists(&path)? {
                self.fs.remove(&path)?;
            }
        }
        Ok(())
    }
}

/// The files that were written.
fn files_of(made: &Rebuilt, folder: &Path) -> Vec<PathBuf> {
    let index = |file: &RebuiltFile| index_path(folder, file.index);
    let dictionary = made.dictionary.map(|(number, _): (SegmentId, u64)| dictionary_path(folder, number));
    made.files.iter().map(index).chain(dictionary).collect()
}
