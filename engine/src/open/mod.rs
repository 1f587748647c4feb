//! The open segment: rows in arrival order in a memory-mapped scratch file, and the sorted views of it that queries
//! and the seal read.
//!
//! One writer appends; readers see a prefix (a watermark of rows, sessions and strings) that never changes. After a
//! crash the scratch file is thrown away and made anew from the log.

mod arena;
mod coded;
mod interner;
pub(crate) mod view;

pub use arena::{Arena, ArenaCapacity, ArenaReader, Watermark};
pub use coded::{RowData, attribute_codes};
