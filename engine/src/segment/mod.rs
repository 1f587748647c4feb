//! Segments: immutable and clustered. Sealed ones are files, mapped read-only; the views of the open segment that
//! queries see have the same bytes in memory, so both are read by the same code.

pub mod build;
pub mod cold;
mod filter;
pub mod layout;
mod reader;
pub mod table;

pub use reader::Segment;
