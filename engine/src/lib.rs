//! Hitstone's storage and query engine: a synced log, clustered columnar segments, exact statistics.
//!
//! The server hands in finished [`event::Event`]s and asks [`query::Query`]s; it never sees files. Nothing here
//! knows HTTP, JSON, user agents, addresses or time zones.

pub mod aggregate;
pub mod checksum;
pub mod codec;
pub mod compaction;
pub mod dictionary;
pub mod error;
pub mod event;
pub mod ids;
pub mod import;
pub mod index;
pub mod lake;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod open;
pub mod parquet;
pub mod positions;
pub mod query;
pub mod rebuild;
pub mod record;
pub mod scan;
pub mod schema;
pub mod segment;
pub mod session;
pub mod snapshot;
pub mod store;
pub mod units;
pub mod version;
pub mod vfs;
pub mod writer;

#[cfg(target_endian = "big")]
compile_error!(
    "hitstone's files are little-endian and mapped as they are: big-endian machines are not supported"
);
