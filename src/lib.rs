//! Hitstone: a self-hosted web-analytics server.

pub mod enrich;
pub mod hit;
pub mod salts;
