//! `import`: so far, access logs that are followed.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command};

use super::args::{plain, site};
use super::follow;
use crate::cli::Failure;
use crate::import::access_log::Format;

/// The command as it is typed.
pub(super) fn command() -> Command {
    let names: Vec<&'static str> = Format::ALL.into_iter().map(Format::name).collect();
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .required(true)
        .value_parser(PossibleValuesParser::new(names))
        .help("How the log's lines are written.");
    let file = Arg::new("file").value_name("FILE").required(true).help("The access log.");
    let command = plain("import", "Takes access logs").arg(site().required(true)).arg(format).arg(file);
    follow::with_flag(command)
}

/// `hitstone import`
pub(super) fn import(matches: &ArgMatches) -> Result<(), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let format = Format::from_name(&text("format"));
    let format = format.ok_or_else(|| Failure::Settings("--format: there is no such format".into()))?;
    if !matches.get_flag("follow") {
        return Err(Failure::Settings("an access log can only be followed: give --follow".into()));
    }
    follow::follow(matches, &text("site"), format, &PathBuf::from(text("file")))
}
