//! `filter`: its arguments, and what they ask for.

use clap::{Arg, ArgGroup, ArgMatches, Command};

use super::args::{plain, site};
use crate::admin::{FilterInfo, Request};
use crate::cli::say;
use crate::filters::FilterSpec;

/// The command as it is typed.
pub(super) fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true).help("The filter's id; see `filter list`.");
    Command::new("filter")
        .about("Creates, lists and deletes a site's filters: what is not counted")
        .subcommand_required(true)
        .subcommand(create())
        .subcommand(plain("list", "Lists the filters").arg(site()))
        .subcommand(plain("delete", "Deletes a filter").arg(id))
}

fn create() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    plain(
        "create",
        "Creates a filter: what it names is not counted from now on, and `rejected` says how often",
    )
    .arg(site().required(true))
    .arg(option("address", "CIDR", "Visitors with this address or in this network, such as 192.0.2.0/24."))
    .arg(option(
        "host",
        "HOST",
        "Pages of this very host (with www. it is another one), or of all hosts below *.example.com.",
    ))
    .arg(option(
        "path",
        "PATTERN",
        "Pages of this path: * is any text within a segment, ** any text at all, such as /admin/**.",
    ))
    .arg(option("country", "CODE", "Visitors in this country, by its two letters, such as de."))
    .group(ArgGroup::new("filter").args(["address", "host", "path", "country"]).required(true))
}

/// What the arguments ask for.
pub(super) fn request(name: &str, matches: &ArgMatches) -> Request {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    match name {
        "create" => Request::FilterCreate { site: text("site").unwrap_or_default(), filter: spec(matches) },
        "delete" => Request::FilterDelete { id: text("id").unwrap_or_default() },
        _ => Request::FilterList { site: text("site") },
    }
}

fn spec(matches: &ArgMatches) -> FilterSpec {
    let given = |name: &str| matches.get_one::<String>(name).cloned();
    let spec = given("address").map(FilterSpec::Address);
    let spec = spec.or_else(|| given("host").map(FilterSpec::Host));
    let spec = spec.or_else(|| given("path").map(FilterSpec::Path));
    spec.unwrap_or_else(|| FilterSpec::Country(given("country").unwrap_or_default()))
}

/// One line for people.
pub(super) fn print(filter: &FilterInfo) {
    say(&format!("{}  {}  {}  {:<7}  {}", filter.id, filter.created, filter.site, filter.kind, filter.value));
}
