//! The lake: each site's data as Parquet files that any engine reads in place, each with an index that queries use.
//!
//! [`plan`] says which file to write next.

pub mod plan;
