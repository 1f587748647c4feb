//! Pirsch's interface: `/api/v1/...`.

pub mod access;
pub mod client;
pub mod domain;
pub mod error;
pub mod filter;
pub mod goal;
pub mod hit;
pub mod manage;
pub mod members;
pub mod page;
pub mod read;
pub mod statistics;
pub mod token;
pub mod track;
