//! The interfaces as their clients meet them: the program as a process, requests over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "these are tests, helpers included"
)]

mod support;

mod api {
    mod access;
    mod bad_input;
    mod cases;
    mod commands;
    mod compact;
    mod connections;
    mod damage;
    mod export;
    mod follow;
    mod go_sdk;
    mod import;
    mod manage;
    mod pirsch_pages;
    mod prisme;
    mod rejected;
    mod retry;
    mod script;
    mod sdk;
    mod segmentstream;
    mod sessions;
    mod settings;
    mod statistics_input;
}
