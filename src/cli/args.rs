//! The commands and their flags. The server's flags come from the table of settings.

use clap::{Arg, ArgAction, Command, value_parser};

use crate::config::{DATA, NEW_DATA, SERVER, Setting};
use crate::enrich::protection::Check;

const AFTER: &str = "Every setting can also be given as a variable (--geo-db as HITSTONE_GEO_DB) or as a key of the \
TOML file that --config or HITSTONE_CONFIG names (geo-db = \"...\"). A flag wins over a variable, a variable over the file.";

/// The whole command line.
pub fn command() -> Command {
    Command::new("hitstone")
        .about("A self-hosted web-analytics server: one binary, one data folder, no external database.")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER)
        .subcommand_required(true)
        .subcommand(server("serve", "Runs the server", DATA.default))
        .subcommand(server(
            "demo",
            "Fills a data folder with made-up traffic and serves it",
            super::DEMO_DATA,
        ))
        .subcommand(site_commands())
        .subcommand(client())
        .subcommand(super::goal::command())
        .subcommand(super::filter::command())
        .subcommand(super::lists::command())
        .subcommand(super::lists::rejected())
        .subcommand(super::export::command())
        .subcommand(super::compact::command())
        .subcommand(super::import::command())
}

fn server(name: &'static str, about: &'static str, data_default: &'static str) -> Command {
    let command = Command::new(name).about(about).after_help(AFTER).arg(config());
    SERVER.iter().fold(command, |command, setting| {
        let default = if setting.name == DATA.name { data_default } else { setting.default };
        command.arg(arg(setting, default))
    })
}

fn arg(setting: &Setting, default: &str) -> Arg {
    let arg = Arg::new(setting.name).long(setting.name).help(help(setting, default)).hide(setting.hidden);
    if setting.value.is_empty() {
        return arg.value_name("true|false").num_args(0..=1).default_missing_value("true");
    }
    let arg = arg.value_name(setting.value);
    if setting.many { arg.action(ArgAction::Append).value_delimiter(',') } else { arg.action(ArgAction::Set) }
}

fn help(setting: &Setting, default: &str) -> String {
    if default.is_empty() {
        setting.help.to_owned()
    } else {
        format!("{} [default: {default}]", setting.help)
    }
}

fn config() -> Arg {
    Arg::new("config").long("config").value_name("FILE").help("A TOML file with settings.")
}

/// A command on a data folder.
pub(super) fn plain(name: &'static str, about: &'static str) -> Command {
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Prints JSON.");
    Command::new(name).about(about).arg(arg(&DATA, DATA.default)).arg(config()).arg(json)
}

fn host() -> Arg {
    Arg::new("host").value_name("HOST").required(true).help("The site's host name, such as example.com.")
}

/// The flag that names a site.
pub(super) fn site() -> Arg {
    Arg::new("site").long("site").value_name("HOST").help("The site's host name.")
}

fn site_commands() -> Command {
    Command::new("site")
        .about("Creates, lists, changes and deletes sites")
        .subcommand_required(true)
        .subcommand(
            plain("create", "Creates a site and a client for it; the secret is shown once")
                .mut_arg(DATA.name, |data| data.help(help(&NEW_DATA, DATA.default)))
                .arg(host()),
        )
        .subcommand(plain("list", "Lists the sites"))
        .subcommand(site_set())
        .subcommand(plain("delete", "Deletes a site, its clients and all that is stored of it").arg(host()))
}

fn site_set() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("true|false")
            .num_args(0..=1)
            .default_missing_value("true")
            .value_parser(value_parser!(bool))
            .help(format!("{help} [default: false]"))
    };
    plain("set", "Changes a site's settings; those not named stay")
        .arg(host())
        .arg(
            Arg::new("timezone")
                .long("timezone")
                .value_name("ZONE")
                .help("IANA name of the zone whose days statistics show. [default: UTC]"),
        )
        .arg(
            Arg::new("week-start")
                .long("week-start")
                .value_parser(["monday", "sunday"])
                .help("The first day of the week. [default: monday]"),
        )
        .arg(switch("group-by-title", "Pages are told apart by their titles too."))
        .arg(
            Arg::new("active-visitors-seconds")
                .long("active-visitors-seconds")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("How long a visitor counts as active. [default: 600]"),
        )
        .arg(
            Arg::new("alternative-hosts")
                .long("alternative-hosts")
                .value_name("HOST,...")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .help("All other names of the site, also *.example.com; \"\" for none. [default: none]"),
        )
        .arg(switch("ignore-dnt", "Visitors who ask not to be tracked are counted."))
        .arg(switch("public", "Everyone may read the site's statistics, single visits aside."))
        .arg(switch(
            "strict-hosts",
            "Pages of other hosts are not counted on any interface; Prisme's answers 400.",
        ))
        .arg(switch("keep-event-id", "The ids that senders give their events are stored."))
        .arg(
            Arg::new("checks-off")
                .long("checks-off")
                .value_name("CHECK,...")
                .action(ArgAction::Append)
                .value_delimiter(',')
                .value_parser(check)
                .help(format!("All checks that are off: {}; \"\" for none. [default: none]", checks())),
        )
        .arg(switch(
            "track-bot-filter",
            "The checks that are on hold also for SegmentStream's /track and /track/batch.",
        ))
}

fn checks() -> String {
    Check::ALL.map(Check::as_str).join(", ")
}

/// Nothing stands for no check, so that all can be switched on.
fn check(name: &str) -> Result<Option<Check>, String> {
    match Check::named(name.trim()) {
        None if !name.trim().is_empty() => Err(format!("there is no such check; there are {}", checks())),
        check => Ok(check),
    }
}

fn client() -> Command {
    let write_only = Arg::new("write-only").long("write-only").action(ArgAction::SetTrue);
    let basic = Arg::new("basic").long("basic").action(ArgAction::SetTrue).conflicts_with("write-only");
    let description =
        Arg::new("description").long("description").value_name("TEXT").help("What the client is for.");
    Command::new("client")
        .about("Creates, lists and revokes a site's clients")
        .subcommand_required(true)
        .subcommand(
            plain("create", "Creates a client; its secret is shown once")
                .arg(site().required(true))
                .arg(write_only.help("An access key, which can write and not read."))
                .arg(basic.help("A token for SegmentStream's /track, which can write and not read."))
                .arg(description),
        )
        .subcommand(plain("list", "Lists the clients").arg(site()))
        .subcommand(
            plain("revoke", "Revokes a client and its access tokens").arg(
                Arg::new("client")
                    .value_name("CLIENT_ID")
                    .required(true)
                    .help("The client's id; see `client list`."),
            ),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The help of commands that refuse a missing folder had said that it is made.
    #[test]
    fn only_commands_that_make_the_folder_say_so() {
        for (names, makes) in [
            (&["serve"][..], true),
            (&["demo"], true),
            (&["site", "create"], true),
            (&["site", "list"], false),
            (&["client", "create"], false),
            (&["import"], false),
            (&["export"], false),
            (&["compact"], false),
        ] {
            let mut command = command();
            for name in names {
                command = command.find_subcommand(name).unwrap().clone();
            }
            let data = command.get_arguments().find(|arg| arg.get_id() == DATA.name).unwrap();
            let help = data.get_help().unwrap().to_string();
            assert_eq!(help.contains("made when it is missing"), makes, "{names:?}: {help}");
        }
    }

    #[test]
    fn commands_are_well_formed_and_show_their_defaults() {
        command().debug_assert();
        let help = server("serve", "", "./hitstone-data").render_long_help().to_string();
        for shown in ["--listen", "127.0.0.1:8787", "./hitstone-data", "--session-window", "30m", "24h"] {
            assert!(help.contains(shown), "{shown}");
        }
        assert!(!help.contains("seal-rows"));
    }
}
