//! Compaction: sealed segments become files of the lake, one file at a time.
//!
//! [`Situation`] is what waits in segments, and says which file to write next; [`CompactionJob`] writes it beside the
//! one before. The writer publishes what it made.

mod job;
mod plan;
mod situation;
mod strings;

pub use job::CompactionJob;
pub use plan::{Reason, SEGMENTS_MAX, Situation, Step, Waiting};
