//! The operating system's file system.
//!
//! Appends go through a descriptor opened for appending, syncs are `fdatasync`, a scratch file's space is reserved
//! before it is mapped. It knows nothing of what the files hold.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::StorageError;
use crate::vfs::{Bytes, File, Fs, Lock, Scratch};

/// Name of the file whose lock is the folder's lock.
const LOCK_NAME: &str = "lock";
/// Mode of files that only the owner may read.
const MODE_PRIVATE: u32 = 0o600;
/// Mode of all other files; the process's mask takes bits away.
const MODE_ORDINARY: u32 = 0o666;

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFs;

struct OsFile {
    file: fs::File,
    path: PathBuf,
}

/// Keeps the lock's file open; the system drops the lock with it.
struct OsLock {
    _file: fs::File,
}

impl Lock for OsLock {}

/// Adds operation and path to an error of the system.
fn at<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StorageError + 'a {
    move |error| StorageError::io(op, path, &error)
}

/// The folder itself where a path's parent is the empty path.
fn folder(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn sync_folder(dir: &Path) -> io::Result<()> {
    fs::File::open(folder(dir))?.sync_all()
}

/// Reserves `len` bytes on disk, so that writing to a map of the file cannot fault.
fn reserve(file: &mut fs::File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match rustix::io::retry_on_intr(|| fallocate(&*file, FallocateFlags::empty(), 0, len)) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            io::copy(&mut io::Read::take(io::repeat(0), len), file).map(drop)
        }
        other => Ok(other?),
    }
}

impl File for OsFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(bytes).map_err(at("append to", &self.path))
    }

    fn sync_data(&mut self) -> Result<(), StorageError> {
        self.file.sync_data().map_err(at("sync", &self.path))
    }

    fn len(&self) -> Result<u64, StorageError> {
        Ok(self.file.metadata().map_err(at("get the length of", &self.path))?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StorageError> {
        self.file.read_exact_at(buffer, offset).map_err(at("read", &self.path))
    }

    fn truncate(&mut self, len: u64) -> Result<(), StorageError> {
        if len > self.len()? {
            return Err(at("truncate", &self.path)(io::ErrorKind::InvalidInput.into()));
        }
        self.file.set_len(len).map_err(at("truncate", &self.path))
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Fs for OsFs {
    fn create_dir_all(&self, dir: &Path) -> Result<(), StorageError> {
        let missing: Vec<&Path> =
            dir.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.is_dir()).collect();
        fs::create_dir_all(dir).map_err(at("create folder", dir))?;
        for made in missing.iter().rev() {
            let above = made.parent().unwrap_or(Path::new(""));
            sync_folder(above).map_err(at("sync folder", above))?;
        }
        Ok(())
    }

    fn create_new(&self, path: &Path, private: bool) -> Result<Box<dyn File>, StorageError> {
        let mode = if private { MODE_PRIVATE } else { MODE_ORDINARY };
        let file = fs::OpenOptions::new().read(true).append(true).create_new(true).mode(mode).open(path);
        Ok(Box::new(OsFile { file: file.map_err(at("create", path))?, path: path.to_path_buf() }))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn File>, StorageError> {
        let file = fs::OpenOptions::new().read(true).append(true).open(path).map_err(at("open", path))?;
        Ok(Box::new(OsFile { file, path: path.to_path_buf() }))
    }

    fn open_to_read(&self, path: &Path) -> Result<Box<dyn File>, StorageError> {
        let file = fs::File::open(path).map_err(at("open", path))?;
        Ok(Box::new(OsFile { file, path: path.to_path_buf() }))
    }

    fn exists(&self, path: &Path) -> Result<bool, StorageError> {
        path.try_exists().map_err(at("look for", path))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, StorageError> {
        fs::read(path).map_err(at("read", path))
    }

    fn map(&self, path: &Path) -> Result<Bytes, StorageError> {
        let file = fs::File::open(path).map_err(at("open", path))?;
        Bytes::map(&file).map_err(at("map", path))
    }

    fn scratch(&self, path: &Path, len: usize) -> Result<Scratch, StorageError> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("remove", path)(error)),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(MODE_PRIVATE).open(path);
        let mut file = file.map_err(at("create", path))?;
        // A file without bytes cannot be mapped.
        let reserved = reserve(&mut file, len.max(1) as u64).map_err(at("reserve space for", path));
        let scratch = reserved.and_then(|()| Scratch::map(path, &file).map_err(at("map", path)));
        if scratch.is_err() {
            // It may have taken what space there was. The failure is told; a file that stays is remade or removed later.
            let _ = fs::remove_file(path);
        }
        scratch
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), StorageError> {
        fs::rename(from, to).map_err(at("rename", from))
    }

    fn remove(&self, path: &Path) -> Result<(), StorageError> {
        fs::remove_file(path).map_err(at("remove", path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, StorageError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder(dir)).map_err(at("list", dir))? {
            names.push(entry.map_err(at("list", dir))?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), StorageError> {
        sync_folder(dir).map_err(at("sync folder", dir))
    }

    fn lock(&self, dir: &Path) -> Result<Box<dyn Lock>, StorageError> {
        let path = dir.join(LOCK_NAME);
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(MODE_PRIVATE).open(&path);
        let file = file.map_err(at("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(OsLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Err(StorageError::Locked { path: dir.to_path_buf() }),
            Err(fs::TryLockError::Error(error)) => Err(at("lock", &path)(error)),
        }
    }
}
