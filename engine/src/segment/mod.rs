//! Segments: immutable and clustered. Sealed ones are files, mapped read-only; the views of the open segment that
//! queries see have the same bytes in memory, so both are read by the same code.

mod blocks;
pub mod build;
mod codes;
pub mod cold;
pub(crate) mod filter;
pub(crate) mod finder;
pub mod key_sets;
pub mod layout;
pub mod ranks;
mod reader;
mod sessions;
pub mod sink;
pub mod table;
pub mod verdicts;

pub(crate) use blocks::Blocks;
pub use finder::Sought;
pub use reader::Segment;
pub(crate) use reader::check_cover;
