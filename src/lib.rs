//! Hitstone: a self-hosted web-analytics server.

pub mod admin;
pub mod auth;
pub mod clock;
pub mod config;
pub mod envelope;
pub mod hit;
pub mod rate;
pub mod sites;
pub mod state;
pub mod tokens;
