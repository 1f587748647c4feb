//! Where the bytes of a segment, an index or a dictionary go: into memory, or piece by piece into a file.

use std::path::PathBuf;

use crate::error::StorageError;
use crate::vfs::{File, SharedFs};

/// Bytes that are gathered before they are written.
const PIECE_BYTES: usize = 1 << 20;

/// Takes bytes in their order.
pub trait Sink {
    /// Takes the next bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A new file, made when there is something to write. A failure is told in the end.
pub struct FileSink {
    fs: SharedFs,
    path: PathBuf,
    file: Result<Option<Box<dyn File>>, StorageError>,
    gathered: Vec<u8>,
    len: u64,
}

impl FileSink {
    /// The file at `path`, which must not be there.
    pub fn new(fs: SharedFs, path: PathBuf) -> Self {
        Self { fs, path, file: Ok(None), gathered: Vec::new(), len: 0 }
    }

    /// The file at `path`, in the place of one that a failed attempt has left.
    ///
    /// # Errors
    /// What was left cannot be removed.
    pub fn anew(fs: SharedFs, path: PathBuf) -> Result<Self, StorageError> {
        if fs.exists(&path)? {
            fs.remove(&path)?;
        }
        Ok(Self::new(fs, path))
    }

    fn write(&mut self, bytes: &[u8]) {
        let Ok(file) = &mut self.file else { return };
        let written = match file {
            Some(file) => file.append(bytes),
            None => self.fs.create_new(&self.path, false).and_then(|new| file.insert(new).append(bytes)),
        };
        if let Err(error) = written {
            self.file = Err(error);
        }
    }

    fn write_gathered(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        if !gathered.is_empty() {
            self.write(&gathered);
        }
        gathered.clear();
        self.gathered = gathered;
    }

    /// Writes what is left and syncs the file, not its folder. Gives the file's length.
    ///
    /// # Errors
    /// The first operation that failed.
    pub fn finish(mut self) -> Result<u64, StorageError> {
        self.write_gathered();
        match self.file? {
            Some(mut file) => file.sync_data().map(|()| self.len),
            None => Ok(0),
        }
    }
}

impl Sink for FileSink {
    fn put(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if self.gathered.len() + bytes.len() > PIECE_BYTES {
            self.write_gathered();
        }
        if bytes.len() > PIECE_BYTES {
            self.write(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::vfs::OsFs;

    #[test]
    fn a_file_has_the_bytes_that_memory_has() {
        let folder = tempfile::tempdir().unwrap();
        let fs: SharedFs = Arc::new(OsFs);
        let path = folder.path().join("file");
        let (mut memory, mut file) = (Vec::new(), FileSink::new(fs.clone(), path.clone()));
        for (number, len) in
            [3, 0, PIECE_BYTES - 3, 1, PIECE_BYTES + 1, 5, 3 * PIECE_BYTES, 7].iter().enumerate()
        {
            let bytes = vec![number as u8; *len];
            memory.put(&bytes);
            file.put(&bytes);
        }
        assert_eq!(file.finish().unwrap(), memory.len() as u64);
        assert!(std::fs::read(&path).unwrap() == memory);
        let mut again = FileSink::new(fs.clone(), path);
        again.put(b"x");
        assert!(again.finish().is_err(), "the name is taken");
        let none = folder.path().join("none");
        assert_eq!(FileSink::new(fs.clone(), none.clone()).finish().unwrap(), 0);
        assert!(!fs.exists(&none).unwrap());
        let mut nowhere = FileSink::new(fs, Path::new("/nowhere/file").to_path_buf());
        nowhere.put(&vec![0; 2 * PIECE_BYTES]);
        nowhere.put(b"x");
        assert!(matches!(nowhere.finish(), Err(StorageError::Io { .. })));
    }
}
