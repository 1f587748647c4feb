//! The version in a file's head, looked at before anything else of the file: what a newer program wrote, of which this one
//! does not know where the checksum lies, never passes for damage.
//!
//! All kinds of files begin alike: eight bytes that name the kind, then the version as a u32.

use std::path::Path;

use crate::error::StorageError;
use crate::vfs::Fs;

/// Bytes of a file's head.
pub const HEAD_BYTES: usize = 12;

/// Names a kind of file and the newest version of it that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// First bytes of the file.
    pub magic: [u8; 8],
    /// Newest version known; older ones are read.
    pub version: u32,
}

impl Kind {
    /// Refuses the bytes of a file of this kind that a newer program wrote. What else may be wrong with them is told by
    /// whoever reads them.
    ///
    /// # Errors
    /// [`StorageError::Version`].
    pub fn check(self, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
        let found = bytes.strip_prefix(&self.magic).and_then(|rest| rest.first_chunk());
        self.check_found(path, found.map_or(0, |found| u32::from_le_bytes(*found)))
    }

    /// Refuses a file of this kind that a newer program wrote; of its bytes only the head is read. One that is missing
    /// or cannot be read is left to whoever needs it.
    ///
    /// # Errors
    /// [`StorageError::Version`].
    pub fn check_file(self, fs: &dyn Fs, path: &Path) -> Result<(), StorageError> {
        let mut head = [0; HEAD_BYTES];
        match fs.open_to_read(path).and_then(|file| file.read_at(0, &mut head)) {
            Ok(()) => self.check(path, &head),
            Err(_) => Ok(()),
        }
    }

    /// Refuses a version that was found.
    ///
    /// # Errors
    /// [`StorageError::Version`] for a newer one.
    pub fn check_found(self, path: &Path, found: u32) -> Result<(), StorageError> {
        if found <= self.version {
            return Ok(());
        }
        Err(StorageError::Version { path: path.to_path_buf(), found, supported: self.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { magic: *b"HITTEST1", version: 3 };

    #[test]
    fn only_newer_files_of_the_kind_are_refused() {
        let check = |bytes: &[u8]| KIND.check(Path::new("x"), bytes);
        assert!(matches!(
            check(b"HITTEST1\x04\0\0\0"),
            Err(StorageError::Version { found: 4, supported: 3, .. })
        ));
        assert!(matches!(check(b"HITTEST1\0\0\0\x01and more"), Err(StorageError::Version { .. })));
        for other in [&b"HITTEST1\x03\0\0\0"[..], b"HITTEST1\x04\0\0", b"HITTEST2\x04\0\0\0", b""] {
            assert!(check(other).is_ok(), "{other:?}");
        }
    }
}
