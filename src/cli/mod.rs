//! The command line: what was asked, done, and said in one line when it failed. Exit codes: 0 done, 1 failed, 2 asked
//! or set up wrongly.

mod admin;
mod args;
mod compact;
mod export;
mod filter;
mod follow;
mod goal;
mod import;
mod lists;
mod reach;
mod serve;
mod sources;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use clap::error::ErrorKind;

use crate::config::{DATA, Given, SERVER};

/// Where `demo` keeps its data unless told otherwise.
const DEMO_DATA: &str = "./hitstone-demo";

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A setting or an argument is wrong: exit code 2.
    Settings(String),
    /// It was tried and failed: exit code 1.
    Failed(String),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = match args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return say_usage(&error),
    };
    let done = match matches.subcommand() {
        Some(("serve", matches)) => settings(matches, DATA.default).and_then(serve::serve),
        Some(("demo", matches)) => settings(matches, DEMO_DATA).and_then(serve::demo),
        Some(("site", matches)) => admin::site(matches),
        Some(("client", matches)) => admin::client(matches),
        Some(("goal", matches)) => admin::goal(matches),
        Some(("filter", matches)) => admin::filter(matches),
        Some(("lists", matches)) => admin::lists(matches),
        Some(("rejected", matches)) => admin::rejected(matches),
        Some(("export", matches)) => export::export(matches),
        Some(("compact", matches)) => compact::compact(matches),
        Some(("import", matches)) => import::import(matches),
        _ => Err(Failure::Settings("no command was given; `hitstone help` lists them".into())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Settings(message)) => fail(&message, 2),
        Err(Failure::Failed(message)) => fail(&message, 1),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    eprintln!("hitstone: {message}");
    ExitCode::from(code)
}

/// Writes a line to standard output. A reader that has gone away is no failure of the command.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn say_usage(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            say(text.trim_end());
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            fail("a command is missing; `hitstone help` lists them", 2)
        }
        ErrorKind::MissingRequiredArgument => {
            let names: Vec<&str> =
                text.lines().skip(1).take_while(|line| !line.is_empty()).map(str::trim).collect();
            fail(&format!("missing: {}", names.join(", ")), 2)
        }
        _ => {
            let first = text.lines().next().unwrap_or_default();
            fail(first.strip_prefix("error: ").unwrap_or(first), 2)
        }
    }
}

/// All settings of the server, from all layers.
fn settings(matches: &ArgMatches, data_default: &str) -> Result<crate::config::Settings, Failure> {
    let mut flags = BTreeMap::new();
    for setting in SERVER {
        if matches.value_source(setting.name) != Some(clap::parser::ValueSource::CommandLine) {
            continue;
        }
        let values = matches.get_many::<String>(setting.name).into_iter().flatten().cloned().collect();
        flags.insert(setting.name.to_owned(), values);
    }
    let given = gather(matches, flags)?;
    for note in &given.notes {
        eprintln!("hitstone: {note}");
    }
    given.settings(data_default).map_err(Failure::Settings)
}

/// The data folder, from all layers, for commands that need nothing else.
fn data_folder(matches: &ArgMatches) -> Result<PathBuf, Failure> {
    Ok(gather_with_folder(matches)?.data(DATA.default))
}

/// All settings, for commands on a data folder that do a server's work: that of the folder is a flag, the others come
/// from variables and the file.
fn folder_settings(matches: &ArgMatches) -> Result<crate::config::Settings, Failure> {
    gather_with_folder(matches)?.settings(DATA.default).map_err(Failure::Settings)
}

fn gather_with_folder(matches: &ArgMatches) -> Result<Given, Failure> {
    let mut flags = BTreeMap::new();
    if let Some(value) = matches.get_one::<String>(DATA.name) {
        flags.insert(DATA.name.to_owned(), vec![value.clone()]);
    }
    gather(matches, flags)
}

fn gather(matches: &ArgMatches, flags: BTreeMap<String, Vec<String>>) -> Result<Given, Failure> {
    let config =
        matches.get_one::<String>("config").cloned().or_else(|| std::env::var("HITSTONE_CONFIG").ok());
    let env = |name: &str| std::env::var(name).ok();
    Given::gather(flags, config.as_deref().map(Path::new), &env).map_err(Failure::Settings)
}
