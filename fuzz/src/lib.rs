//! What the fuzzers do, as plain functions: `run` takes any bytes and must return. Each also has `seeds` to start
//! from. Stable tests include this file and run every target on mutated seeds.

pub mod access_log;
pub mod addresses;
pub mod folder;
pub mod id_file;
pub mod log_record;
pub mod log_replay;
pub mod parquet_read;
pub mod segment_open;
pub mod segmentstream_message;
pub mod statistics_query;
pub mod tracking_body;
pub mod user_agent;

/// A target: its name, what it runs, where it starts from.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// All targets.
pub const TARGETS: &[Target] = &[
    ("access_log", access_log::run, access_log::seeds),
    ("addresses", addresses::run, addresses::seeds),
    ("id_file", id_file::run, id_file::seeds),
    ("log_record", log_record::run, log_record::seeds),
    ("log_replay", log_replay::run, log_replay::seeds),
    ("parquet_read", parquet_read::run, parquet_read::seeds),
    ("segment_open", segment_open::run, segment_open::seeds),
    ("segmentstream_message", segmentstream_message::run, segmentstream_message::seeds),
    ("statistics_query", statistics_query::run, statistics_query::seeds),
    ("tracking_body", tracking_body::run, tracking_body::seeds),
    ("user_agent", user_agent::run, user_agent::seeds),
];
