//! `lists` and `rejected`: their arguments, and what they ask for.

use clap::{Arg, ArgMatches, Command};

use super::args::{plain, site};
use crate::admin::{ListsInfo, RejectedInfo, Request};
use crate::cli::{Failure, say};
use crate::enrich::lists::FILE_BYTES_MAX;

const FORMAT: &str = "The file is text: the name of a section in brackets, then an entry a line; # begins a remark. What \
it holds adds to what the program knows by itself; a new file takes the place of the one before.\n\n\
  [bots]           user agents of programs, as regular expressions\n\
  [not-bots]       user agents that are visitors' all the same\n\
  [spam]           hosts that are no referrers, with all below them\n\
  [not-spam]       hosts that are referrers all the same, and pages whose campaigns' sources are, too\n\
  [addresses]      addresses and networks that no visitor has\n\
  [data-centres]   networks of data centres\n\
  [not-addresses]  addresses and networks that are visitors' all the same\n\n\
A file with a fault is refused as a whole. An empty file ends all lists.";

/// `lists` as it is typed.
pub(super) fn command() -> Command {
    let from = Arg::new("from").long("from").value_name("FILE").required(true);
    let update = plain("update", "Takes a file of lists; a running server goes by them at once")
        .arg(from.help("The file; - is standard input."))
        .after_help(FORMAT);
    Command::new("lists")
        .about("Shows and replaces the operator's lists of bots, spam and addresses")
        .subcommand_required(true)
        .subcommand(update)
        .subcommand(plain("show", "Shows how many entries the lists have, and since when"))
}

/// `rejected` as it is typed.
pub(super) fn rejected() -> Command {
    plain(
        "rejected",
        "Shows what was left out in the last 30 days: how often, by day, site and reason; no addresses are kept",
    )
    .arg(site().help("Only this site's; else those of all, and of pages that are no site's."))
}

/// What the arguments ask for.
///
/// # Errors
/// The file cannot be read.
pub(super) fn request(name: &str, matches: &ArgMatches) -> Result<Request, Failure> {
    if name != "update" {
        return Ok(Request::ListsShow);
    }
    let file = matches.get_one::<String>("from").cloned().unwrap_or_default();
    let name = if file == "-" { "standard input" } else { &file };
    let fault = |why: String| Failure::Failed(format!("{name}: {why}"));
    let bytes = read(&file).map_err(|error| fault(format!("cannot read it: {error}")))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(fault(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8".into()))?;
    // Looked at here too, so that a fault names the file.
    crate::enrich::lists::Lists::parse(&text).map_err(|error| fault(error.to_string()))?;
    Ok(Request::ListsUpdate { text })
}

fn read(file: &str) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    // One byte more than may be tells that there is too much.
    let most = FILE_BYTES_MAX as u64 + 1;
    if file == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?.take(most).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Lines for people.
pub(super) fn print(lists: &ListsInfo) {
    say(&format!("{:<16} {}", "updated", lists.updated.as_deref().unwrap_or("never")));
    lists.sections.iter().for_each(|(name, count)| say(&format!("{name:<16} {count}")));
}

/// Lines for people.
pub(super) fn print_rejected(rows: &[RejectedInfo]) {
    for row in rows {
        let site = row.site.as_deref().unwrap_or("-");
        let reason =
            if row.detail.is_empty() { row.reason.clone() } else { format!("{}/{}", row.reason, row.detail) };
        say(&format!("{}  {reason:<20}  {:>10}  {site}", row.day, row.count));
    }
}
