//! The store against a plain model: random events, seals and restarts; crashes at every operation.
//!
//! Everything a snapshot holds (each session with its attributes, its state and all its rows) is compared with what
//! the model says, not only counts.

#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bounds;
mod compaction;
mod crash;
mod crashes;
mod damage;
mod dump;
mod first;
mod follow;
mod forget;
mod frozen;
mod ids;
mod import;
mod many;
mod model;
mod old;
mod parquet;
mod parquet_file;
mod parquet_types;
mod questions;
mod random;
mod rebuild;
mod sessions;
mod setup;
mod threads;
mod workload;
