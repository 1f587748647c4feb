//! Pirsch's interface.

pub mod filter;
pub mod statistics;
