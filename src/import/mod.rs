//! History and logs on their way in: what others recorded becomes hits.

pub mod access_log;
pub mod follow;
