//! Folders for targets that need files: in memory where there is a file system in memory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of its own that is gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(purpose: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
        let folder = base.join(format!("hitstone-fuzz-{purpose}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("making a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
