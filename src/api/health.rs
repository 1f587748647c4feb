//! What is not of any interface: health, metrics, the page at `/`.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use hitstone_engine::store::Status;
use hyper::StatusCode;

use crate::api::pirsch::error::ApiError;
use crate::app::App;
use crate::http::respond::{self, Answer};

const INDEX: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Hitstone</title>\n\
<style>body{font:16px/1.5 system-ui;max-width:40em;margin:4em auto;padding:0 1em}</style>\n\
<h1>Hitstone</h1>\n<p>This is a self-hosted web-analytics server.</p>\n<ul>\n\
<li><a href=\"/api/v1/healthcheck\">Health</a></li>\n<li><a href=\"/metrics\">Metrics</a></li>\n\
<li><a href=\"/install\">Install</a>: the snippet for your pages, and whether events arrive</li>\n\
<li>Pirsch's API: <code>POST /api/v1/token</code>, <code>POST /api/v1/hit</code>, <code>GET /api/v1/domain</code>, \
<code>GET /api/v1/statistics/visitor</code></li>\n</ul>\n</html>\n";

/// The page at `/`.
pub fn index() -> Answer {
    respond::content(StatusCode::OK, "text/html; charset=utf-8", INDEX)
}

/// 200 while the process runs.
pub fn live() -> Answer {
    respond::content(StatusCode::OK, "text/plain; charset=utf-8", "ok\n")
}

/// 200 when events are taken and queries answered.
///
/// # Errors
/// 503 and the reason.
pub fn check(app: &App) -> Result<Answer, ApiError> {
    match app.fault() {
        Some(reason) => Err(ApiError::unavailable(reason, None)),
        // Prisme's health check, which has the same path, answers without a body.
        None => Ok(respond::empty()),
    }
}

/// Prometheus' text format.
pub fn metrics(app: &App) -> Answer {
    let mut text = String::new();
    let counters = &app.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed).to_string();
    metric(
        &mut text,
        "events_stored_total",
        "counter",
        "Events stored since the start.",
        &count(&counters.stored),
    );
    metric(&mut text, "rows_stored_total", "counter", "Rows stored since the start.", &count(&counters.rows));
    metric(
        &mut text,
        "busy_total",
        "counter",
        "Requests answered 503 because too much waited.",
        &count(&counters.busy),
    );
    let limited = count(&counters.limited);
    let help = "Requests of browsers answered 429 because one address sent too many.";
    metric(&mut text, "limited_total", "counter", help, &limited);
    let queries = count(&counters.queries);
    metric(&mut text, "queries_total", "counter", "Statistics begun since the start.", &queries);
    let cancelled = count(&counters.queries_cancelled);
    let help = "Statistics given up: nobody waited for them any more, or they took too long.";
    metric(&mut text, "queries_cancelled_total", "counter", help, &cancelled);
    let repeated = count(&counters.repeated);
    let help = "Events answered with success that had come before, by their ids.";
    metric(&mut text, "events_repeated_total", "counter", help, &repeated);
    head(&mut text, "events_left_out_total", "counter", "Events left out.");
    for (reason, count) in counters.left_out() {
        line(&mut text, &format!("events_left_out_total{{reason=\"{reason}\"}}"), &count.to_string());
    }
    let status = app.store_status().unwrap_or_default();
    let latched = if app.fault().is_some() { "1" } else { "0" };
    metric(&mut text, "latched", "gauge", "1 when the store takes no events.", latched);
    metric(
        &mut text,
        "queued_batches",
        "gauge",
        "Batches that wait to be written.",
        &status.queued_batches.to_string(),
    );
    metric(&mut text, "segments", "gauge", "Sealed segments.", &status.segments.to_string());
    metric(&mut text, "sealed_rows", "gauge", "Rows in sealed segments.", &status.sealed_rows.to_string());
    metric(&mut text, "open_rows", "gauge", "Rows in the open segment.", &status.open_rows.to_string());
    lake_metrics(&mut text, &status);
    let remembered = status.event_ids.to_string();
    metric(&mut text, "event_ids_remembered", "gauge", "Event ids by which repeats are known.", &remembered);
    let dropped = status.event_ids_dropped_early.to_string();
    let help = "Event ids forgotten within 48 hours because there were too many.";
    metric(&mut text, "event_ids_dropped_early_total", "counter", help, &dropped);
    let damaged = status.damaged_id_files.len().to_string();
    let help = "Files of event ids that were damaged at the start; the ids in them are forgotten.";
    metric(&mut text, "event_id_files_damaged", "gauge", help, &damaged);
    let torn = status.torn_tail_bytes.to_string();
    metric(&mut text, "torn_tail_bytes", "gauge", "Bytes cut from the log's end at the start.", &torn);
    respond::content(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)
}

/// What concerns the Parquet files and how they are written.
fn lake_metrics(text: &mut String, status: &Status) {
    let done = &status.compaction;
    let gauges = [
        ("lake_files", "Parquet files of the lake.", status.lake_files as u64),
        ("lake_rows", "Rows in them.", status.lake_rows),
        ("damaged_files", "Files that were found damaged and are not served.", status.damaged_files as u64),
    ];
    let counters = [
        ("compaction_files_total", "Parquet files written since the start.", done.files),
        ("compaction_new_rows_total", "Rows that came into the lake since the start.", done.new_rows),
        (
            "compaction_written_rows_total",
            "Rows written for it, those from the lake included.",
            done.written_rows,
        ),
        ("compaction_written_bytes_total", "Bytes written for it.", done.written_bytes),
        ("compaction_failures_total", "Compactions that failed.", done.failures),
        (
            "rebuilt_files_total",
            "Indexes and dictionaries made anew because they were damaged.",
            done.rebuilt,
        ),
    ];
    gauges.iter().for_each(|(name, help, value)| metric(text, name, "gauge", help, &value.to_string()));
    counters.iter().for_each(|(name, help, value)| metric(text, name, "counter", help, &value.to_string()));
}

fn metric(text: &mut String, name: &str, kind: &str, help: &str, value: &str) {
    head(text, name, kind, help);
    line(text, name, value);
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP hitstone_{name} {help}\n# TYPE hitstone_{name} {kind}");
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "hitstone_{name} {value}");
}
