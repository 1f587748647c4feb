//! Kernels: loops over slices, codes and bitmaps that select and count.
//!
//! A kernel gets everything it needs as arguments, allocates nothing per row, and decides nothing that could be
//! decided before its loop. Nothing here knows columns by name, queries, plans or files.
//!
//! An index or code that is out of range counts as absent; no input makes a kernel panic.

pub mod batch;
pub mod bits;
pub mod buckets;
pub mod codetest;
pub mod common;
pub mod count;
pub mod distinct;
pub mod divisor;
pub mod mask;
pub mod recurring;
