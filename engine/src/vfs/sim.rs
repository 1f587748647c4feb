//! A simulated disk: loses, tears and reorders what was not synced, from a seed.
//!
//! [`SimFs`] is a handle; clones share the disk. A test runs a workload on one, then takes [`SimFs::crash`] (the disk
//! after a power cut) or [`SimFs::kill`] (after `kill -9`: all that was written is there) and opens that.
//! [`SimFs::set_crash_at`] stops the workload at any of its operations, [`SimFs::fail_at`] fails one.
//!
//! Invariants, tested in `vfs::contract`:
//! - Synced bytes, and names whose folder was synced, survive every crash. All else may or may not.
//! - Equal seeds and equal operations give equal disks.
//! - After a simulated crash nothing works any more, reads included, as in a process that is gone.
//!
//! Maps are copies and a scratch is memory: a scratch file has a name, but no content. It knows nothing of what the
//! files hold.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::StorageError;
use crate::vfs::{Bytes, File, Fs, Lock, Scratch, SharedFs};
use disk::{Content, Disk, Node, Random, plain};

/// A simulated file system; clones share the disk.
#[derive(Debug, Clone)]
pub struct SimFs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    disk: Disk,
    random: Random,
    operations: u64,
    crash_at: Option<u64>,
    failures: BTreeMap<u64, io::ErrorKind>,
    /// Files with this in their paths cannot be read.
    unreadable: Option<String>,
    crashed: bool,
    locked: BTreeSet<PathBuf>,
}

/// What becomes of an operation.
enum Fate {
    Success,
    Failure(io::ErrorKind),
    Crash,
}

/// Why an operation stops halfway.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// The disk or the system refused.
    Device,
    /// The process is gone; what the system holds is as good as before.
    Crash,
}

fn crashed() -> io::Error {
    io::Error::other("simulated crash")
}

impl State {
    fn new(disk: Disk, random: Random) -> Self {
        Self {
            disk,
            random,
            operations: 0,
            crash_at: None,
            failures: BTreeMap::new(),
            unreadable: None,
            crashed: false,
            locked: BTreeSet::new(),
        }
    }

    fn check_alive(&self) -> io::Result<()> {
        if self.crashed { Err(crashed()) } else { Ok(()) }
    }

    /// Counts an operation and tells what becomes of it.
    fn next_fate(&mut self) -> Fate {
        let index = self.operations;
        self.operations += 1;
        if self.crash_at == Some(index) {
            self.crashed = true;
            return Fate::Crash;
        }
        self.failures.remove(&index).map_or(Fate::Success, Fate::Failure)
    }

    /// Runs a changing operation: `whole` is what it does, `part` what it leaves behind when it fails.
    fn change<R>(
        &mut self,
        whole: impl FnOnce(&mut Disk) -> io::Result<R>,
        part: impl FnOnce(&mut Disk, &mut Random, Cause),
    ) -> io::Result<R> {
        self.check_alive()?;
        match self.next_fate() {
            Fate::Success => whole(&mut self.disk),
            Fate::Failure(kind) => {
                part(&mut self.disk, &mut self.random, Cause::Device);
                Err(io::Error::new(kind, "simulated failure"))
            }
            Fate::Crash if self.random.coin() => whole(&mut self.disk).and(Err(crashed())),
            Fate::Crash => {
                part(&mut self.disk, &mut self.random, Cause::Crash);
                Err(crashed())
            }
        }
    }

    fn content(&self, node: Node) -> io::Result<&Content> {
        self.check_alive()?;
        self.disk.content(node)
    }

    fn content_at(&self, path: &Path) -> io::Result<&Content> {
        self.check_alive()?;
        if self.unreadable.as_ref().is_some_and(|part| path.to_string_lossy().contains(part)) {
            return Err(io::Error::other("simulated failure"));
        }
        self.disk.content(self.disk.node(path)?)
    }
}

/// An operation that leaves nothing behind when it fails.
fn nothing(_: &mut Disk, _: &mut Random, _: Cause) {}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds operation and path to an error.
fn at<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StorageError + 'a {
    move |error| StorageError::io(op, path, &error)
}

impl SimFs {
    /// An empty disk. The seed decides what failing operations leave behind.
    pub fn new(seed: u64) -> Self {
        Self::over(State::new(Disk::default(), Random::new(seed)))
    }

    fn over(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The same disk as a shared file system.
    pub fn shared(&self) -> SharedFs {
        Arc::new(self.clone())
    }

    /// A disk as it may be found when the power is cut now; another seed, another loss. Locks are gone, nothing is
    /// to fail, operations count from 0. This disk stays as it is.
    pub fn crash(&self, seed: u64) -> SimFs {
        let mut random = Random::new(seed);
        let disk = lock(&self.state).disk.after_crash(&mut random);
        Self::over(State::new(disk, random))
    }

    /// The disk as it is found when the process is killed now: all that was written is there, though not synced.
    pub fn kill(&self) -> SimFs {
        let state = lock(&self.state);
        Self::over(State::new(state.disk.clone(), state.random.clone()))
    }

    /// Crashes at the operation with this index, the first being 0: it is done, or done in part, or not at all, and
    /// fails, as does everything after it.
    pub fn set_crash_at(&self, operation: u64) {
        lock(&self.state).crash_at = Some(operation);
    }

    /// Fails the operation with this index: an append writes a part, a sync leaves unknown what is on disk (some of
    /// it never will be), anything else does nothing. Later operations work.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        lock(&self.state).failures.insert(operation, kind);
    }

    /// Until told otherwise, files with this in their paths cannot be read or mapped.
    pub fn fail_reads_of(&self, part: Option<&str>) {
        lock(&self.state).unreadable = part.map(str::to_owned);
    }

    /// Changing operations so far: append, sync, truncate, create, rename, remove, scratch, make and sync a folder.
    pub fn operation_count(&self) -> u64 {
        lock(&self.state).operations
    }

    /// Whether the crash that was asked for has happened.
    pub fn has_crashed(&self) -> bool {
        lock(&self.state).crashed
    }

    /// Damages one byte of a file, on disk and in memory, as rot does. Whether the file has such a byte.
    pub fn flip_bits(&self, path: &Path, offset: u64, mask: u8) -> bool {
        let mut state = lock(&self.state);
        let node = state.disk.node(path);
        let content = node.and_then(|node| state.disk.content_mut(node));
        content.is_ok_and(|content| content.flip(offset as usize, mask))
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    node: Node,
    path: PathBuf,
}

impl SimFile {
    fn change(
        &self,
        op: &'static str,
        whole: impl FnOnce(&mut Content),
        part: impl FnOnce(&mut Content, &mut Random, Cause),
    ) -> Result<(), StorageError> {
        let done = lock(&self.state).change(
            |disk| disk.content_mut(self.node).map(whole),
            |disk, random, cause| {
                if let Ok(content) = disk.content_mut(self.node) {
                    part(content, random, cause);
                }
            },
        );
        done.map_err(at(op, &self.path))
    }
}

impl File for SimFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.change(
            "append to",
            |content| content.append(bytes),
            |content, random, _| content.append(&bytes[..random.below(bytes.len() + 1)]),
        )
    }

    fn sync_data(&mut self) -> Result<(), StorageError> {
        self.change("sync", Content::sync, |content, random, cause| {
            if cause == Cause::Device {
                content.fail_sync(random);
            }
        })
    }

    fn len(&self) -> Result<u64, StorageError> {
        let state = lock(&self.state);
        let content = state.content(self.node).map_err(at("get the length of", &self.path))?;
        Ok(content.live().len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        let state = lock(&self.state);
        let content = state.content(self.node).map_err(at("read", &self.path))?;
        let end = offset.saturating_add(buffer.len() as u64);
        let Some(bytes) = content.live().get(offset as usize..end as usize) else {
            return Err(at("read", &self.path)(io::ErrorKind::UnexpectedEof.into()));
        };
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn truncate(&mut self, len: u64) -> Result<(), StorageError> {
        if len > self.len()? {
            return Err(at("truncate", &self.path)(io::ErrorKind::InvalidInput.into()));
        }
        self.change("truncate", |content| content.truncate(len as usize), |_, _, _| {})
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

struct SimLock {
    state: Arc<Mutex<State>>,
    dir: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        lock(&self.state).locked.remove(&self.dir);
    }
}

impl SimFs {
    fn file(&self, node: Node, path: &Path) -> Box<dyn File> {
        Box::new(SimFile { state: Arc::clone(&self.state), node, path: path.to_path_buf() })
    }
}

impl Fs for SimFs {
    fn create_dir_all(&self, dir: &Path) -> Result<(), StorageError> {
        let mut state = lock(&self.state);
        if !state.crashed && state.disk.has_folder(dir) {
            return Ok(());
        }
        state.change(|disk| disk.make_folders(dir), nothing).map_err(at("create folder", dir))
    }

    fn create_new(&self, path: &Path, _private: bool) -> Result<Box<dyn File>, StorageError> {
        let node = lock(&self.state).change(|disk| disk.create(path), nothing).map_err(at("create", path))?;
        Ok(self.file(node, path))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>, StorageError> {
        let state = lock(&self.state);
        let node = state.check_alive().and_then(|()| state.disk.node(path)).map_err(at("open", path))?;
        drop(state);
        Ok(self.file(node, path))
    }

    fn open_to_read(&self, path: &Path) -> Result<Box<dyn File>, StorageError> {
        self.open(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, StorageError> {
        let state = lock(&self.state);
        state.check_alive().map_err(at("look for", path))?;
        Ok(state.disk.node(path).is_ok() || state.disk.has_folder(path))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        let state = lock(&self.state);
        Ok(state.content_at(path).map_err(at("read", path))?.live().to_vec())
    }

    fn map(&self, path: &Path) -> Result<Bytes, StorageError> {
        let state = lock(&self.state);
        Ok(Bytes::copy_of(state.content_at(path).map_err(at("map", path))?.live()))
    }

    fn scratch(&self, path: &Path, len: usize) -> Result<Scratch, StorageError> {
        let remake = |disk: &mut Disk| {
            if disk.node(path).is_ok() {
                disk.remove(path)?;
            }
            disk.create(path)
        };
        lock(&self.state).change(remake, nothing).map_err(at("create", path))?;
        Scratch::in_memory(path, len).map_err(at("reserve space for", path))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        lock(&self.state).change(|disk| disk.rename(from, to), nothing).map_err(at("rename", from))
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        lock(&self.state).change(|disk| disk.remove(path), nothing).map_err(at("remove", path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        let state = lock(&self.state);
        state.check_alive().and_then(|()| state.disk.list(dir)).map_err(at("list", dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), StorageError> {
        let mut state = lock(&self.state);
        let synced =
            state.change(|disk| disk.sync_folder(dir), |disk, random, _| disk.fail_sync_folder(dir, random));
        synced.map_err(at("sync folder", dir))
    }

    fn lock(&self, dir: &Path) -> Result<Box<dyn Lock>, StorageError> {
        let path = dir.join("lock");
        let mut state = lock(&self.state);
        state.check_alive().map_err(at("open", &path))?;
        if state.disk.node(&path).is_err() {
            state.disk.create(&path).map_err(at("open", &path))?;
        }
        if !state.locked.insert(plain(dir)) {
            return Err(StorageError::Locked { path: dir.to_path_buf() });
        }
        Ok(Box::new(SimLock { state: Arc::clone(&self.state), dir: plain(dir) }))
    }
}
