//! Writes made-up traffic as Parquet files that `hitstone import` takes, a folder for each site.
//!
//! ```text
//! cargo bench --bench generate -- --out DIR [--events 1000000] [--days 365] [--sites 1] [--seed 1] [--visitor-id daily|stable]
//! ```

#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "a program of its own")]

mod generator;

use std::path::PathBuf;

use generator::{Settings, generate};

fn main() {
    let mut settings = Settings { events: 1_000_000, days: 365, sites: 1, seed: 1, has_stable_ids: false };
    let mut out = None;
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = || value.replace('_', "").parse::<u64>().expect("a number");
        match argument.as_str() {
            "--out" => out = Some(PathBuf::from(&value)),
            "--events" => settings.events = number(),
            "--days" => settings.days = number() as usize,
            "--sites" => settings.sites = number() as usize,
            "--seed" => settings.seed = number(),
            "--visitor-id" => {
                settings.has_stable_ids = match value.as_str() {
                    "stable" => true,
                    "daily" => false,
                    _ => panic!("--visitor-id is daily or stable"),
                }
            }
            _ => panic!("{argument} is no option"),
        }
    }
    let Some(out) = out else { return println!("name a folder: cargo bench --bench generate -- --out DIR") };
    generate(&settings, &out).iter().for_each(|host| println!("{host}"));
}
