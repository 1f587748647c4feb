//! Hitstone: a self-hosted web-analytics server.

pub mod api;
pub mod statistics;
