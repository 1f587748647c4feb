//! Parquet: the layout in which a site's events leave and enter Hitstone, open to every other engine.
//!
//! [`schema`] is the one table of columns. [`write_file`] merges a site's sources into the one file of a [`Key`],
//! streamed in bounded memory, and tells where each session went. [`Exporter`] does so for each month of an export; where
//! the files go is a [`Target`]'s business, [`Folder`] being the one on a file system. [`Reader`] turns a file, also one
//! that others wrote, back into rows, batch by batch; `column` reads single columns.
//!
//! Invariants: a session lies whole in one file; rows come in the order (opening day, visitor, session, time,
//! arrival); a file has its final name only when it is whole and synced.

mod batch;
mod chunk;
pub(crate) mod column;
mod columns;
mod dictionary;
mod file;
mod folder;
mod group;
mod input;
mod key;
mod marks;
mod merge;
mod month;
mod properties;
mod read;
mod rle;
mod row;
pub mod schema;
mod texts;
mod write;

#[cfg(test)]
mod tests;

pub use file::{Observer, Placed, Sink, Written};
pub use folder::Folder;
pub use key::{Key, KeyBy};
pub use month::Month;
pub use properties::CREATED_BY;
pub use read::{Batch, Reader};
pub use row::{LakeRow, Mark, RowFault};
pub use write::{Exporter, Target, Watch, write_file};
