//! The operator's lists as a data folder keeps them: one file `lists`, replaced as a whole, with the text that was given
//! last. What the text says is [`crate::enrich::lists`]' business.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hitstone_engine::error::StorageError;
use hitstone_engine::units::TimestampMs;
use hitstone_engine::version::Kind;
use hitstone_engine::vfs::{Fs, SharedFs};
use serde::{Deserialize, Serialize};

use crate::enrich::lists::{ListFault, Lists};
use crate::envelope;

const NAME: &str = "lists";
const KIND: Kind = Kind { magic: *b"HITLISTS", version: 1 };

/// Refuses a folder whose lists a newer program wrote; nothing else of them is read.
///
/// # Errors
/// [`StorageError::Version`].
pub fn check_version(fs: &dyn Fs, folder: &Path) -> Result<(), StorageError> {
    KIND.check_file(fs, &folder.join(NAME))
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stored {
    text: String,
    updated: TimestampMs,
}

/// Lists that are in force.
#[derive(Debug, Default, Clone)]
pub struct InForce {
    /// The lists.
    pub lists: Arc<Lists>,
    /// When they were given; `None`: there are none.
    pub updated: Option<TimestampMs>,
}

/// Why lists were not taken; those before are in force.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The file is wrong.
    #[error(transparent)]
    Fault(#[from] ListFault),
    /// It could not be stored.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The lists of an open data folder.
pub struct ListFile {
    fs: SharedFs,
    path: PathBuf,
    current: ArcSwap<InForce>,
    changing: Mutex<()>,
}

impl ListFile {
    /// Reads `folder`'s lists. Lists that cannot be read are told of and do without: events are worth more.
    ///
    /// # Errors
    /// A newer program wrote them, or the file system refused.
    pub fn open(fs: SharedFs, folder: &Path) -> Result<Self, StorageError> {
        let path = folder.join(NAME);
        let current = match envelope::read::<Stored>(&*fs, &path, KIND) {
            Ok(stored) => stored.map(|stored| in_force(&stored)).transpose(),
            Err(StorageError::Corrupt { what, .. }) => Err(what),
            Err(error) => return Err(error),
        };
        let current = current.unwrap_or_else(|what| {
            eprintln!(
                "hitstone: {}: {what}. The server goes on without lists: give them again",
                path.display()
            );
            None
        });
        let current = ArcSwap::from_pointee(current.unwrap_or_default());
        Ok(Self { fs, path, current, changing: Mutex::new(()) })
    }

    /// What is in force.
    pub fn current(&self) -> Arc<InForce> {
        self.current.load_full()
    }

    /// Takes a file of lists: on disk when this returns. Waits for the disk.
    ///
    /// # Errors
    /// Nothing was changed, and why.
    pub fn update(&self, text: &str, now: TimestampMs) -> Result<Arc<InForce>, UpdateError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = Arc::new(Lists::parse(text)?);
        envelope::write(&*self.fs, &self.path, KIND, &Stored { text: text.to_owned(), updated: now })?;
        self.current.store(Arc::new(InForce { lists, updated: Some(now) }));
        Ok(self.current())
    }
}

fn in_force(stored: &Stored) -> Result<InForce, String> {
    let lists = Lists::parse(&stored.text).map_err(|fault| fault.to_string())?;
    Ok(InForce { lists: Arc::new(lists), updated: Some(stored.updated) })
}

#[cfg(test)]
mod tests {
    use hitstone_engine::vfs::OsFs;

    use super::*;

    #[test]
    fn lists_are_kept_and_a_bad_file_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let open = || ListFile::open(Arc::new(OsFs), folder.path()).unwrap();
        let count = |file: &ListFile| file.current().lists.counts().map(|(_, count)| count).sum::<usize>();
        let file = open();
        assert_eq!((file.current().updated, count(&file)), (None, 0));
        file.update("[bots]\nprobe\n", 5).unwrap();
        assert!(matches!(
            file.update("[bots]\n(", 6),
            Err(UpdateError::Fault(ListFault::Line { number: 2, .. }))
        ));
        for file in [&file, &open()] {
            assert_eq!((file.current().updated, count(file)), (Some(5), 1));
        }
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(open().current().updated, None, "damaged lists are done without");
        bytes[8] = 2;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(check_version(&OsFs, folder.path()), Err(StorageError::Version { found: 2, .. })));
    }
}
