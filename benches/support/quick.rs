//! How long each benchmark of a part takes.

use std::time::Duration;

use criterion::Criterion;

/// About three seconds each: enough to see a tenth more or less.
pub fn criterion() -> Criterion {
    Criterion::default()
        .without_plots()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}
