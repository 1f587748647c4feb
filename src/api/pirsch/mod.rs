//! Pirsch's interface: `/api/v1/...`.

pub mod domain;
pub mod error;
pub mod hit;
pub mod json;
pub mod read;
pub mod token;
pub mod track;
