//! Sealed segments: immutable, clustered, mapped read-only.

pub mod table;
