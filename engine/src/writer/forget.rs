//! Forgetting sites: all that is stored of them goes.
//!
//! Order, and what a crash leaves at each point:
//! 1. The manifest is replaced. Of the lake it has the sites' folders but no files in them, of segments it voids their
//!    sessions, and those of which nothing is left it does not name. Crash before: all is as it was.
//! 2. The Parquet files in the sites' folders that no other site has are unlinked, the folders synced, and then what the
//!    manifest does not name any more: indexes, dictionaries, aggregates, segments. Crash: the next start does this.
//! 3. Manifests from then on do not name the sites.
//!
//! What logs say of the sites is void, and is gone when the open segment is sealed. A crash before that brings it back:
//! whoever knows which sites there are has the others forgotten at each start.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::Core;
use crate::aggregate;
use crate::error::StorageError;
use crate::lake::{dictionary_path, index_path, remove_unnamed};
use crate::manifest::segment_path;
use crate::units::{SessionKey, SiteId};

/// Why nothing more comes to a forgotten site.
pub(super) const FORGOTTEN: &str = "the site has been deleted";

impl Core {
    /// Forgets sites: nothing of them is served or compacted from here on, and nothing more is stored. Doing it again
    /// changes nothing.
    ///
    /// # Errors
    /// Any error leaves the state unfit for more: latch.
    pub fn forget_sites(&mut self, sites: &BTreeSet<SiteId>) -> Result<(), StorageError> {
        self.forgotten.extend(sites);
        if let Some(import) = self.importing.as_mut().filter(|import| sites.contains(&import.site)) {
            import.give_up(FORGOTTEN);
        }
        self.commit()?;
        if self.void_sites_in_memory(sites) {
            self.request_seal();
        }
        let is_voided = self.void_sites_in_segments(sites);
        let emptied = self.drop_emptied();
        let imports = self.imports.len();
        self.imports.retain(|(site, _)| !sites.contains(site));
        let in_lake: Vec<SiteId> =
            sites.iter().copied().filter(|site| self.lake.site(*site).is_some()).collect();
        if !is_voided && emptied.is_empty() && imports == self.imports.len() && in_lake.is_empty() {
            return Ok(());
        }
        self.sealed_views = None;
        let mut unnamed: Vec<PathBuf> = emptied.iter().map(|id| segment_path(&self.folder, *id)).collect();
        for site in in_lake {
            self.empty_in_lake(site, &mut unnamed);
        }
        self.manifest().write(&*self.fs, &self.folder)?;
        self.drop_empty_lake_sites()?;
        self.remove_all(unnamed)
    }

    /// Voids the sites' sessions that are in no sealed segment. Whether there are any.
    fn void_sites_in_memory(&mut self, sites: &BTreeSet<SiteId>) -> bool {
        let mut found: Vec<SessionKey> = Vec::new();
        for open in [Some(&self.open), self.frozen.as_ref().map(|frozen| &frozen.open)].into_iter().flatten()
        {
            let reader = open.arena.reader();
            let live = open.index.all().filter(|(ordinal, _)| !open.moved.contains(*ordinal));
            let keys = live.map(|(ordinal, _)| reader.key(ordinal));
            found.extend(keys.filter(|key| sites.contains(&key.site)));
        }
        found.iter().for_each(|key| self.void_in_memory(*key));
        !found.is_empty()
    }

    /// Voids the sites' sessions in sealed segments. Whether there are any.
    fn void_sites_in_segments(&mut self, sites: &BTreeSet<SiteId>) -> bool {
        let mut is_voided = false;
        for sealed in self.sealed.iter_mut() {
            for (site, sessions) in sealed.segment.session_counts().filter(|(site, _)| sites.contains(site)) {
                let void = sealed.superseded.get(&site).map_or(0, |void| void.len());
                if void < u64::from(sessions) {
                    let superseded = Arc::make_mut(&mut sealed.superseded);
                    superseded.entry(site).or_default().insert_range(0..sessions);
                    is_voided = true;
                }
            }
        }
        is_voided
    }

    /// Takes a site's files out of the lake; what only Hitstone reads of them goes to `unnamed`.
    fn empty_in_lake(&mut self, site: SiteId, unnamed: &mut Vec<PathBuf>) {
        let live = self.lake.site_mut(site);
        for file in std::mem::take(&mut live.files) {
            let number = file.file.number();
            unnamed.push(index_path(&self.folder, number));
            unnamed.push(aggregate::path(&self.folder, number.0));
        }
        let dictionary = live.dictionary.take();
        unnamed.extend(dictionary.map(|dictionary| dictionary_path(&self.folder, dictionary.name().0)));
    }

    /// Removes what lies in the folders of sites that the lake has no files of, and the sites.
    pub(super) fn drop_empty_lake_sites(&mut self) -> Result<(), StorageError> {
        let empty: Vec<(SiteId, String)> = self
            .lake
            .sites()
            .filter(|(_, live)| live.files.is_empty())
            .map(|(site, live)| (site, live.host.clone()))
            .collect();
        for (site, host) in empty {
            let files = self.lake.sites().flat_map(|(_, live)| &live.files);
            let named = files.map(|live| live.file.parquet().to_path_buf()).collect();
            remove_unnamed(&*self.fs, &self.folder, &host, &named)?;
            self.lake.remove(site);
        }
        Ok(())
    }
}
