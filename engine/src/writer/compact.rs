//! Publishing a file of the lake: the one step in which sessions change places.
//!
//! Order, and what a crash leaves at each point:
//! 1. Parquet file (under a temporary name), index and dictionary are written and synced. Crash: orphans, removed at
//!    the next start or by the next compaction of the key.
//! 2. The manifest names them, and voids what went in where it came from. Crash: the next start does step 3.
//! 3. The Parquet file takes its name, in place of the one before. Until then other readers see the lake as it was.
//! 4. The index and dictionary before are unlinked, and segments of which nothing is left. Crash: orphans.
//!
//! What left a source while the file was written (an event joined the session, which moved into the open segment) is
//! voided in the new file, too.

use std::collections::BTreeSet;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Core;
use crate::aggregate;
use crate::error::StorageError;
use crate::lake::{
    Compacted, LakeDictionary, LakeFile, LiveFile, Taken, dictionary_path, index_path, temporary_path,
};
use crate::manifest::segment_path;
use crate::schema::Column;
use crate::units::{SegmentId, SiteId};

impl Core {
    /// Publishes what a compaction made. Whether it did: of a site that was forgotten meanwhile the files are no use. All
    /// that was appended must have been committed.
    ///
    /// # Errors
    /// Any error leaves the state unfit for more: latch.
    pub fn publish_compacted(&mut self, made: Compacted) -> Result<bool, StorageError> {
        if self.forgotten.contains(&made.site) {
            let dictionary = made.dictionary.map(|(number, _)| dictionary_path(&self.folder, number));
            let mut unused = vec![made.temporary, index_path(&self.folder, made.entry.index)];
            unused.extend(dictionary);
            self.remove_all(unused)?;
            return Ok(false);
        }
        let mut superseded = RoaringBitmap::new();
        for taken in &made.taken {
            self.void_taken(made.site, taken, &mut superseded);
        }
        let file = LakeFile::new(&self.lake_context, made.site, &made.host, made.key, &made.entry);
        let dictionary =
            made.dictionary.map(|(number, len)| LakeDictionary::new(&self.lake_context, number, len));
        let site = self.lake.site_mut(made.site);
        site.host = made.host;
        let live = LiveFile { key: made.key, entry: made.entry, file, superseded: Arc::new(superseded) };
        let before = site.replace(live);
        let dictionary_before = match dictionary {
            Some(new) => site.dictionary.replace(new),
            None => None,
        };
        let emptied = self.drop_emptied();
        self.sealed_views = None;
        if let Some(before) = &before {
            before.file.keep_open();
        }
        self.manifest().write(&*self.fs, &self.folder)?;
        put_in_place(self, &made.temporary, &made.parquet)?;
        let old_index = before.as_ref().map(|before| index_path(&self.folder, before.file.number()));
        let old_aggregate =
            before.as_ref().map(|before| aggregate::path(&self.folder, before.file.number().0));
        let old_dictionary = dictionary_before.map(|before| dictionary_path(&self.folder, before.name().0));
        let emptied = emptied.iter().map(|segment| segment_path(&self.folder, *segment));
        old_index
            .into_iter()
            .chain(old_dictionary)
            .chain(emptied)
            .try_for_each(|path| self.fs.remove(&path))?;
        self.remove_all(old_aggregate.into_iter().collect())?;
        Ok(true)
    }

    /// Voids in its source what was taken from there, and in the new file what had left the source since.
    fn void_taken(&mut self, site: SiteId, taken: &Taken, superseded: &mut RoaringBitmap) {
        let mut void = |known: &mut RoaringBitmap| {
            superseded.extend(taken.places(&(&*known & taken.sessions())));
            *known |= taken.sessions();
            known.optimize();
        };
        if let Some(sealed) = self.sealed.iter_mut().find(|sealed| sealed.segment.id() == taken.source) {
            return void(Arc::make_mut(&mut sealed.superseded).entry(site).or_default());
        }
        let files = &mut self.lake.site_mut(site).files;
        if let Some(file) = files.iter_mut().find(|live| live.file.number() == taken.source) {
            void(Arc::make_mut(&mut file.superseded));
        } else {
            // Nothing was live in it any more when it was dropped.
            superseded.extend(taken.places(taken.sessions()));
        }
    }

    /// Takes the segments off the list of which nothing is live. The open segment may hold texts by their codes, so
    /// these stay in use.
    pub(super) fn drop_emptied(&mut self) -> Vec<SegmentId> {
        let emptied = self.sealed.iter().filter(|sealed| sealed.segment.is_void(&sealed.superseded));
        let sites: BTreeSet<SiteId> = emptied.flat_map(|sealed| sealed.segment.sites()).collect();
        for site in sites {
            for column in Column::ALL {
                let next = self.next_site_code(site, column);
                self.next_site_code.insert((site, column), next);
            }
        }
        let emptied = self.sealed.take_out(|sealed| sealed.segment.is_void(&sealed.superseded));
        emptied.iter().map(|sealed| sealed.segment.id()).collect()
    }

    /// Gives Parquet files their names that a crash kept from it, and removes those that were never published or are of
    /// sites that were being forgotten.
    pub(super) fn settle_lake(&mut self) -> Result<(), StorageError> {
        for (_, site) in self.lake.sites() {
            for live in &site.files {
                let temporary = temporary_path(live.file.parquet());
                if !self.fs.exists(&temporary)? {
                    continue;
                }
                if live.file.is_waiting()? {
                    put_in_place(self, &temporary, live.file.parquet())?;
                } else {
                    self.fs.remove(&temporary)?;
                }
            }
        }
        self.drop_empty_lake_sites()
    }
}

fn put_in_place(
    core: &Core,
    temporary: &std::path::Path,
    parquet: &std::path::Path,
) -> Result<(), StorageError> {
    core.fs.rename(temporary, parquet)?;
    core.fs.sync_dir(parquet.parent().unwrap_or(&core.folder))
}
