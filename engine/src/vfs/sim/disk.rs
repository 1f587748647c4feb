//! What a simulated disk holds, and what a power cut leaves of it.
//!
//! - [`Content`] is a file's bytes as programs see them, beside what is surely on disk. A power cut keeps of the rest
//!   any set of 512-byte sectors; sectors that are lost below the length that is kept read as zeros, or as what was
//!   there before the file was cut.
//! - [`Names`] are folder entries in the same two forms, with the changes between them in order. A power cut keeps
//!   any subset of these changes, applied in their order; each is applied whole, so a rename is atomic.
//!
//! It knows nothing of operations, failures and handles: that is `sim`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The disk writes a sector wholly or not at all.
const SECTOR_BYTES: usize = 512;

/// A small generator of random numbers (SplitMix64): equal seeds, equal numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// How much of what is uncertain survives. All and nothing are likely enough to be met often.
#[derive(Clone, Copy)]
enum Survival {
    All,
    Nothing,
    Some,
}

impl Survival {
    fn draw(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Survival::All,
            1 => Survival::Nothing,
            _ => Survival::Some,
        }
    }

    fn keeps(self, random: &mut Random) -> bool {
        match self {
            Survival::All => true,
            Survival::Nothing => false,
            Survival::Some => random.coin(),
        }
    }
}

/// A file's bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// What programs see.
    live: Vec<u8>,
    /// What the last sync put on disk.
    durable: Vec<u8>,
    /// Bytes at the start that no operation has touched since the last sync; at most as many as either has.
    stable: usize,
    /// What a failed sync dropped: programs see it, no later sync writes it.
    lost: Vec<Range<usize>>,
}

impl Content {
    fn settled(bytes: Vec<u8>) -> Self {
        Self { stable: bytes.len(), durable: bytes.clone(), live: bytes, lost: Vec::new() }
    }

    pub(super) fn live(&self) -> &[u8] {
        &self.live
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.live.extend_from_slice(bytes);
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.live.truncate(len);
        self.stable = self.stable.min(len);
        self.lost.retain_mut(|lost| {
            lost.end = lost.end.min(len);
            lost.start < lost.end
        });
    }

    pub(super) fn sync(&mut self) {
        self.durable.truncate(self.stable);
        self.durable.extend_from_slice(&self.live[self.stable..]);
        for lost in &self.lost {
            self.durable[lost.clone()].fill(0);
        }
        self.stable = self.live.len();
    }

    /// The system reports a failed sync once and forgets which bytes it could not write: some will never be.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        let survival = Survival::draw(random);
        for sector in sectors(self.stable..self.live.len()) {
            if !survival.keeps(random) {
                self.lost.push(sector);
            }
        }
    }

    pub(super) fn flip(&mut self, offset: usize, mask: u8) -> bool {
        for image in [&mut self.live, &mut self.durable] {
            if let Some(byte) = image.get_mut(offset) {
                *byte ^= mask;
            }
        }
        offset < self.live.len()
    }

    fn after_crash(&self, random: &mut Random) -> Vec<u8> {
        let survival = Survival::draw(random);
        let longest = self.live.len().max(self.durable.len());
        let len = match survival {
            Survival::All => self.live.len(),
            Survival::Nothing => self.durable.len(),
            Survival::Some => {
                [self.stable, longest, self.stable + random.below(longest - self.stable + 1)][random.below(3)]
            }
        };
        let mut image = vec![0; len];
        copy(&self.durable, 0..self.stable, &mut image);
        copy(&self.durable, self.live.len()..len, &mut image);
        for sector in sectors(self.stable..self.live.len().min(len)) {
            let is_lost = self.lost.iter().any(|lost| lost.start < sector.end && sector.start < lost.end);
            if !is_lost && survival.keeps(random) {
                copy(&self.live, sector, &mut image);
            } else if matches!(survival, Survival::Nothing) || random.coin() {
                copy(&self.durable, sector, &mut image);
            }
        }
        image
    }
}

/// Copies what `from` has of `range` to the same place of `to`.
fn copy(from: &[u8], range: Range<usize>, to: &mut [u8]) {
    let end = range.end.min(from.len()).min(to.len());
    if range.start < end {
        to[range.start..end].copy_from_slice(&from[range.start..end]);
    }
}

/// Cuts a range where sectors of the file begin.
fn sectors(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let end = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(range.end);
        let sector = start..end;
        start = end;
        (!sector.is_empty()).then_some(sector)
    })
}

/// A file, whatever its name; an open handle keeps meaning the same file after a rename or removal.
pub(super) type Node = u64;

type Entries = BTreeMap<PathBuf, Node>;

/// A change of folder entries. Paths are in the form that [`plain`] gives.
#[derive(Debug, Clone)]
enum Change {
    Create { name: PathBuf, node: Node },
    Rename { from: PathBuf, to: PathBuf, node: Node },
    Remove { name: PathBuf },
}

impl Change {
    fn names(&self) -> impl Iterator<Item = &Path> {
        let (one, other) = match self {
            Change::Create { name, .. } | Change::Remove { name } => (name, None),
            Change::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(one).chain(other).map(PathBuf::as_path)
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        self.names().filter_map(Path::parent).map(Path::to_path_buf).collect()
    }

    fn shares_name(&self, other: &Change) -> bool {
        self.names().any(|name| other.names().any(|others| name == others))
    }

    fn apply(&self, entries: &mut Entries) {
        match self {
            Change::Create { name, node } => {
                entries.insert(name.clone(), *node);
            }
            Change::Rename { from, to, node } => {
                entries.remove(from);
                entries.insert(to.clone(), *node);
            }
            Change::Remove { name } => {
                entries.remove(name);
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Pending {
    change: Change,
    /// Folders that must be synced before the change is surely on disk.
    unsynced: BTreeSet<PathBuf>,
}

/// Folder entries. Folders themselves are durable once made.
#[derive(Debug, Clone, Default)]
struct Names {
    live: Entries,
    durable: Entries,
    pending: Vec<Pending>,
    folders: BTreeSet<PathBuf>,
}

impl Names {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(Pending { unsynced: change.folders(), change });
    }

    fn sync(&mut self, folder: &Path) {
        for pending in &mut self.pending {
            pending.unsynced.remove(folder);
        }
        self.commit(|pending| pending.unsynced.is_empty());
    }

    /// Puts the chosen changes on disk, and with each those before it that share a name with it.
    fn commit(&mut self, mut chosen: impl FnMut(&Pending) -> bool) {
        let mut commits: Vec<bool> = self.pending.iter().map(&mut chosen).collect();
        for at in (0..commits.len()).rev() {
            let later = self.pending[at + 1..].iter().zip(&commits[at + 1..]);
            let needed = later
                .filter(|(_, commit)| **commit)
                .any(|(later, _)| later.change.shares_name(&self.pending[at].change));
            commits[at] |= needed;
        }
        let mut commits = commits.into_iter();
        let durable = &mut self.durable;
        self.pending.retain(|pending| {
            let commit = commits.next().unwrap_or(false);
            if commit {
                pending.change.apply(durable);
            }
            !commit
        });
    }

    fn after_crash(&self, random: &mut Random) -> Entries {
        let mut entries = self.durable.clone();
        // A journal keeps a prefix, other file systems keep what they happened to write.
        let count = if random.coin() { random.below(self.pending.len() + 1) } else { self.pending.len() };
        let survival = Survival::draw(random);
        for pending in &self.pending[..count] {
            if survival.keeps(random) {
                pending.change.apply(&mut entries);
            }
        }
        entries
    }
}

/// Files, folders and names.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    contents: BTreeMap<Node, Content>,
    names: Names,
    nodes_made: u64,
}

/// A path without `.` in it, so that equal places have equal paths.
pub(super) fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

fn not_found() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such file or folder")
}

impl Disk {
    pub(super) fn node(&self, path: &Path) -> io::Result<Node> {
        self.names.live.get(&plain(path)).copied().ok_or_else(not_found)
    }

    pub(super) fn content(&self, node: Node) -> io::Result<&Content> {
        self.contents.get(&node).ok_or_else(not_found)
    }

    pub(super) fn content_mut(&mut self, node: Node) -> io::Result<&mut Content> {
        self.contents.get_mut(&node).ok_or_else(not_found)
    }

    pub(super) fn has_folder(&self, dir: &Path) -> bool {
        let dir = plain(dir);
        dir.parent().is_none() || self.names.folders.contains(&dir)
    }

    pub(super) fn make_folders(&mut self, dir: &Path) -> io::Result<()> {
        for folder in plain(dir).ancestors() {
            if self.names.live.contains_key(folder) {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file has this name"));
            }
        }
        self.names.folders.extend(plain(dir).ancestors().map(Path::to_path_buf));
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Node> {
        let name = plain(path);
        self.check_folder_of(&name)?;
        if self.names.live.contains_key(&name) || self.has_folder(&name) {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken"));
        }
        self.nodes_made += 1;
        let node = self.nodes_made;
        self.contents.insert(node, Content::default());
        self.names.change(Change::Create { name, node });
        Ok(node)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.node(from)?;
        let (from, to) = (plain(from), plain(to));
        self.check_folder_of(&to)?;
        if self.has_folder(&to) {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "a folder has this name"));
        }
        if from != to {
            self.names.change(Change::Rename { from, to, node });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.node(path)?;
        self.names.change(Change::Remove { name: plain(path) });
        Ok(())
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        if !self.has_folder(dir) {
            return Err(not_found());
        }
        let dir = plain(dir);
        let paths = self.names.live.keys().chain(&self.names.folders);
        let inside = paths.filter(|path| path.parent() == Some(&dir));
        let names: BTreeSet<String> =
            inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
        Ok(names.into_iter().collect())
    }

    pub(super) fn sync_folder(&mut self, dir: &Path) -> io::Result<()> {
        if !self.has_folder(dir) {
            return Err(not_found());
        }
        self.names.sync(&plain(dir));
        Ok(())
    }

    /// Some of the folder's changes get to the disk all the same.
    pub(super) fn fail_sync_folder(&mut self, dir: &Path, random: &mut Random) {
        let dir = plain(dir);
        self.names.commit(|pending| pending.unsynced.contains(&dir) && random.coin());
    }

    /// The disk as it may be found after a power cut.
    pub(super) fn after_crash(&self, random: &mut Random) -> Self {
        let entries = self.names.after_crash(random);
        let mut contents = BTreeMap::new();
        for node in entries.values() {
            let content = self.contents.get(node).map(|content| content.after_crash(random));
            contents.insert(*node, Content::settled(content.unwrap_or_default()));
        }
        let names = Names {
            live: entries.clone(),
            durable: entries,
            pending: Vec::new(),
            folders: self.names.folders.clone(),
        };
        Self { contents, names, nodes_made: self.nodes_made }
    }

    fn check_folder_of(&self, name: &Path) -> io::Result<()> {
        if name.parent().is_some_and(|dir| self.has_folder(dir)) { Ok(()) } else { Err(not_found()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_begin_at_multiples_of_their_size() {
        let cut: Vec<_> = sectors(100..1100).collect();
        assert_eq!(cut, [100..512, 512..1024, 1024..1100]);
        assert_eq!(sectors(512..512).count(), 0);
    }

    #[test]
    fn what_a_failed_sync_dropped_never_gets_to_the_disk() {
        let mut random = Random::new(7);
        let mut dropped = 0;
        for _ in 0..50 {
            let mut content = Content::settled(vec![1; 700]);
            content.append(&[2; 2000]);
            content.fail_sync(&mut random);
            content.append(&[3; 10]);
            content.sync();
            assert_eq!(content.live()[700..2700], [2; 2000]);
            let image = content.after_crash(&mut random);
            assert_eq!(image[..700], [1; 700]);
            assert_eq!(image[2700..], [3; 10]);
            dropped += usize::from(image[700..2700].contains(&0));
        }
        assert!(dropped > 10 && dropped < 50, "{dropped} of 50");
    }

    #[test]
    fn a_cut_that_was_not_synced_may_be_undone() {
        let mut random = Random::new(1);
        let mut lengths = BTreeSet::new();
        for _ in 0..200 {
            let mut content = Content::settled(vec![1; 1000]);
            content.truncate(600);
            let image = content.after_crash(&mut random);
            assert!(image.iter().all(|&byte| byte == 1));
            lengths.insert(image.len());
        }
        assert_eq!((lengths.first(), lengths.last()), (Some(&600), Some(&1000)));
    }

    #[test]
    fn a_rename_between_folders_needs_both_synced() {
        let mut disk = Disk::default();
        disk.make_folders(Path::new("a")).unwrap();
        disk.make_folders(Path::new("b")).unwrap();
        disk.create(Path::new("a/x")).unwrap();
        disk.sync_folder(Path::new("a")).unwrap();
        disk.rename(Path::new("a/x"), Path::new("b/y")).unwrap();
        disk.sync_folder(Path::new("a")).unwrap();
        assert_eq!(disk.names.pending.len(), 1);
        disk.sync_folder(Path::new("b")).unwrap();
        assert_eq!(disk.names.pending.len(), 0);
        assert_eq!(disk.names.durable, disk.names.live);
    }
}
