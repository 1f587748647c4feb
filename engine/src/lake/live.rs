//! What the lake holds now: the files of each site, with the sessions of them that must not count.
//!
//! A value that is cheap to clone: snapshots hold one each, and the writer changes its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::file::{LakeContext, LakeFile};
use super::opened::Opened;
use super::paths::dictionary_path;
use crate::dictionary::SiteDictionary;
use crate::error::StorageError;
use crate::manifest::{LakeEntry, LakeSite};
use crate::parquet::Key;
use crate::session::Numbers;
use crate::units::{DayUtc, SegmentId, SiteId};

/// A site's dictionary, mapped when it is first needed.
pub struct LakeDictionary {
    context: LakeContext,
    number: SegmentId,
    len: u64,
    opened: Opened<SiteDictionary>,
}

impl LakeDictionary {
    /// The dictionary with this number and length.
    pub fn new(context: &LakeContext, number: SegmentId, len: u64) -> Arc<Self> {
        let opened = Opened::new(&context.damage_count);
        Arc::new(Self { context: context.clone(), number, len, opened })
    }

    /// Its number and length.
    pub fn name(&self) -> (SegmentId, u64) {
        (self.number, self.len)
    }

    /// The dictionary, mapped.
    ///
    /// # Errors
    /// It is damaged, which stays so until it is made anew or the next start; a failed operation is tried again.
    pub fn open(&self) -> Result<Arc<SiteDictionary>, StorageError> {
        self.opened.get_or_open(|| self.map()).map(|(dictionary, _)| dictionary)
    }

    /// Whether nobody has opened it yet.
    pub(super) fn is_closed(&self) -> bool {
        !self.opened.is_open() && self.damage().is_none()
    }

    /// Strings get codes while it cannot be opened, perhaps others than it has: it is to be made anew.
    pub fn distrust(&self) {
        self.opened.set_aside_unopened(|| {
            let path = dictionary_path(&self.context.folder, self.number);
            StorageError::corrupt(&path, 0, "strings have got codes while it could not be opened")
        });
    }

    /// Whether damage was found in it, so that it is to be made anew.
    pub fn wants_rebuild(&self) -> bool {
        self.damage().is_some_and(|damage| !matches!(damage, StorageError::Version { .. }))
    }

    /// What the manifest is to name. Without it strings may have got other codes than it has, so once it was found
    /// damaged it is never believed again, even if somebody should put the file back: it has no length any more.
    fn in_manifest(&self) -> (SegmentId, u64) {
        (self.number, if self.wants_rebuild() { 0 } else { self.len })
    }

    /// The damage that was found in it so far.
    pub fn damage(&self) -> Option<StorageError> {
        self.opened.damage()
    }

    fn map(&self) -> Result<SiteDictionary, StorageError> {
        let path = dictionary_path(&self.context.folder, self.number);
        let corrupt = |what: String| StorageError::corrupt(&path, 0, what);
        if !self.context.fs.exists(&path)? {
            return Err(corrupt("the file is missing".into()));
        }
        let bytes = self.context.fs.map(&path)?;
        if self.len == 0 {
            return Err(corrupt("strings have got codes since it was found damaged".into()));
        }
        if bytes.len() as u64 != self.len {
            return Err(corrupt(format!(
                "the file has {} bytes, the manifest says {}",
                bytes.len(),
                self.len
            )));
        }
        let dictionary = SiteDictionary::open(&path, bytes)?.with_verdicts(&self.context.verdicts);
        // Its strings are in every answer: all of them are checked before the first one.
        dictionary.check_once()?;
        Ok(dictionary)
    }
}

/// A file, and what of it must not count.
#[derive(Clone)]
pub struct LiveFile {
    /// Which sessions it holds.
    pub key: Key,
    /// What the manifest says of it, but for its superseded sessions.
    pub entry: LakeEntry,
    /// The file.
    pub file: Arc<LakeFile>,
    /// Its sessions that must not count.
    pub superseded: Arc<RoaringBitmap>,
}

impl LiveFile {
    /// The numbers of its sessions of a day that nobody may have seen are below this.
    pub fn unseen_numbers_end(&self, day: DayUtc) -> u32 {
        let is_unseen = self.key.contains(day) && self.file.was_unreadable();
        if is_unseen { self.entry.numbers_end } else { 0 }
    }
}

/// The files of one site.
#[derive(Clone, Default)]
pub struct LiveSite {
    /// The host name that its folder has.
    pub host: String,
    /// The site's dictionary; there is one when there are files.
    pub dictionary: Option<Arc<LakeDictionary>>,
    /// The files, in the order of their keys' names.
    pub files: Vec<LiveFile>,
}

/// The files of all sites.
#[derive(Clone, Default)]
pub struct Lake {
    sites: Arc<BTreeMap<SiteId, Arc<LiveSite>>>,
}

impl Lake {
    /// What a manifest names. Nothing is read yet.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a file's name is no key.
    pub fn new(
        context: &LakeContext,
        manifest: &Path,
        sites: BTreeMap<SiteId, LakeSite>,
    ) -> Result<Self, StorageError> {
        let mut live = BTreeMap::new();
        for (site, lake) in sites {
            let mut files = Vec::with_capacity(lake.files.len());
            for mut entry in lake.files {
                let key = Key::parse(&entry.key).ok_or_else(|| {
                    StorageError::corrupt(manifest, 0, format!("{:?} names no file of the lake", entry.key))
                })?;
                let superseded = Arc::new(std::mem::take(&mut entry.superseded));
                let file = LakeFile::new(context, site, &lake.host, key, &entry);
                files.push(LiveFile { key, entry, file, superseded });
            }
            let dictionary = lake.dictionary.map(|(number, len)| LakeDictionary::new(context, number, len));
            live.insert(site, Arc::new(LiveSite { host: lake.host, dictionary, files }));
        }
        Ok(Self { sites: Arc::new(live) })
    }

    /// What the manifest is to name. Sessions that left a file while it could not be read are not among those that must
    /// not count. So its index is not to be believed, even if the file should be whole again: it has no length any more.
    pub fn entries(&self) -> BTreeMap<SiteId, LakeSite> {
        let entry = |live: &LiveFile| LakeEntry {
            superseded: (*live.superseded).clone(),
            index_len: if live.file.damage().is_some() { 0 } else { live.entry.index_len },
            ..live.entry.clone()
        };
        let site = |live: &LiveSite| LakeSite {
            host: live.host.clone(),
            dictionary: live.dictionary.as_ref().map(|dictionary| dictionary.in_manifest()),
            files: live.files.iter().map(entry).collect(),
        };
        self.sites.iter().map(|(number, live)| (*number, site(live))).collect()
    }

    /// A site's files.
    pub fn site(&self, site: SiteId) -> Option<&Arc<LiveSite>> {
        self.sites.get(&site)
    }

    /// All sites with files.
    pub fn sites(&self) -> impl Iterator<Item = (SiteId, &Arc<LiveSite>)> {
        self.sites.iter().map(|(site, live)| (*site, live))
    }

    /// Files, and rows in them, superseded ones included.
    pub fn counts(&self) -> (usize, u64) {
        let files = || self.sites.values().flat_map(|site| &site.files);
        (files().count(), files().map(|live| live.entry.rows).sum())
    }

    /// Takes a site out.
    pub fn remove(&mut self, site: SiteId) {
        Arc::make_mut(&mut self.sites).remove(&site);
    }

    /// A site's files, to be changed.
    pub fn site_mut(&mut self, site: SiteId) -> &mut LiveSite {
        Arc::make_mut(Arc::make_mut(&mut self.sites).entry(site).or_default())
    }
}

impl LiveSite {
    /// Damage that was found so far.
    pub fn damage(&self) -> impl Iterator<Item = StorageError> {
        let dictionary = self.dictionary.iter().filter_map(|dictionary| dictionary.damage());
        dictionary.chain(self.files.iter().filter_map(|live| live.file.damage()))
    }

    /// Whether the file of such a key cannot be written anew, because of damage that was found.
    pub fn is_stuck(&self, is_such: impl Fn(Key) -> bool) -> bool {
        let dictionary = self.dictionary.iter().any(|dictionary| dictionary.damage().is_some());
        dictionary || self.files.iter().any(|live| is_such(live.key) && live.file.damage().is_some())
    }

    /// The numbers that a visitor's next session of a day may get.
    pub fn numbers(&self, day: DayUtc) -> Numbers {
        let unseen = self.files.iter().map(|live| live.unseen_numbers_end(day));
        Numbers::from(unseen.max().unwrap_or(0))
    }

    /// The file of a key.
    pub fn file(&self, key: Key) -> Option<&LiveFile> {
        self.files.iter().find(|live| live.key == key)
    }

    /// Puts a file in the place of the one of its key; gives that one.
    pub fn replace(&mut self, file: LiveFile) -> Option<LiveFile> {
        match self.files.binary_search_by(|known| known.entry.key.cmp(&file.entry.key)) {
            Ok(at) => self.files.get_mut(at).map(|known| std::mem::replace(known, file)),
            Err(at) => {
                self.files.insert(at, file);
                None
            }
        }
    }
}
