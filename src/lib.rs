//! Hitstone: a self-hosted web-analytics server.

pub mod api;
pub mod enrich;
pub mod hit;
pub mod salts;
pub mod statistics;
