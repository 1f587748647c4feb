//! Hitstone: a self-hosted web-analytics server.

pub mod admin;
pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod demo;
pub mod enrich;
pub mod envelope;
mod event_ids;
pub mod export;
pub mod goals;
pub mod hit;
pub mod http;
pub mod milestones;
pub mod pattern;
pub mod rate;
pub mod router;
pub mod salts;
pub mod server;
pub mod sites;
pub mod state;
pub mod statistics;
pub mod tokens;
pub mod turns;
