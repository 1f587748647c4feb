//! Parquet: the layout in which a site's events leave and enter Hitstone, open to every other engine.
//!
//! [`schema`] is the one table of columns. [`write()`] merges a site's sources into files, one for each month, streamed
//! in bounded memory; where they go is a [`Target`]'s business, [`Folder`] being the one on a file system. [`Reader`]
//! turns a file, also one that others wrote, back into rows, batch by batch.
//!
//! Invariants: a session lies whole in one file; rows come in the order (opening day, visitor, session, time,
//! arrival); a file has its final name only when it is whole and synced.

mod batch;
mod columns;
mod folder;
mod input;
mod merge;
mod month;
mod properties;
mod read;
mod row;
pub mod schema;
mod write;

#[cfg(test)]
mod indexed;

pub use folder::Folder;
pub use month::Month;
pub use properties::CREATED_BY;
pub use read::{Batch, Reader};
pub use row::{LakeRow, RowFault};
pub use write::{Target, Watch, Written, write};
