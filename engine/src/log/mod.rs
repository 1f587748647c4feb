//! The group-commit log's file layer. It knows nothing of events: payloads are bytes.
//!
//! Invariants: a frame is whole or absent after a crash; what `commit` returned from is on disk; damage to bytes that
//! had been synced is an error that names file and offset, never a shorter log.

pub mod frame;
mod replay;
mod writer;

use std::path::{Path, PathBuf};

pub use replay::{ReplayEnd, Visit, replay, replay_bytes};
pub use writer::LogWriter;

/// Where the log of a generation lies.
pub fn log_path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("log-{generation:016x}"))
}

#[cfg(test)]
mod tests;
