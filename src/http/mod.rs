//! HTTP without routes: bodies, answers, connections. Knows neither the APIs nor the store.

pub mod body;
pub mod connection;
pub mod crowd;
pub mod lanes;
pub mod respond;
