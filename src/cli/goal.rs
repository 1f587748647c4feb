//! `goal`: its arguments, and what they ask for.

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::args::{plain, site};
use crate::admin::{GoalInfo, Request};
use crate::cli::say;
use crate::goals::{GoalSpec, MetricKind};

/// The command as it is typed.
pub(super) fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true).help("The goal's id; see `goal list`.");
    Command::new("goal")
        .about("Creates, lists and deletes a site's conversion goals")
        .subcommand_required(true)
        .subcommand(create())
        .subcommand(plain("list", "Lists the goals").arg(site()))
        .subcommand(plain("delete", "Deletes a goal").arg(id))
}

fn create() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    plain("create", "Creates a goal: a path, an event or tags, or several of these together")
        .arg(Arg::new("name").value_name("NAME").required(true).help("What people call it."))
        .arg(site().help("The site's host name; may be left out where there is only one site."))
        .arg(option(
            "path",
            "PATTERN",
            "Pages of this path: * is any text within a segment, ** any text at all, such as /blog/**.",
        ))
        .arg(option("event", "NAME", "Events of this name."))
        .arg(option("meta-key", "KEY", "Events whose metadata have this key."))
        .arg(option("meta-value", "VALUE", "Events whose metadata have this value under --meta-key."))
        .arg(
            option("tag", "KEY[=VALUE]", "Pages with this tag; may be given several times.")
                .action(ArgAction::Append),
        )
        .arg(option("metric-key", "KEY", "The key of the events' metadata that holds the custom metric."))
        .arg(
            option("metric-type", "TYPE", "How the custom metric is read. [default: float]")
                .value_parser(["integer", "float"]),
        )
        .arg(option("visitor-goal", "N", "Reached with this many visitors.").value_parser(value_parser!(u64)))
        .arg(
            option("cr-goal", "X", "Reached with this percentage of all visitors.")
                .value_parser(value_parser!(f64))
                .allow_negative_numbers(true),
        )
        .arg(
            option("metric-total", "X", "Reached with this total of the custom metric.")
                .value_parser(value_parser!(f64))
                .allow_negative_numbers(true),
        )
        .arg(
            option("metric-avg", "X", "Reached with this average of the custom metric.")
                .value_parser(value_parser!(f64))
                .allow_negative_numbers(true),
        )
        .arg(switch("delete-reached", "Deletes the goal once it is seen to be reached."))
        .arg(switch(
            "email-reached",
            "Says so on the server's standard error once the goal is reached; this server sends no mail.",
        ))
}

/// What the arguments ask for.
pub(super) fn request(name: &str, matches: &ArgMatches) -> Request {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    match name {
        "create" => Request::GoalCreate { site: text("site"), goal: spec(matches) },
        "delete" => Request::GoalDelete { site: None, id: text("id").unwrap_or_default() },
        _ => Request::GoalList { site: text("site") },
    }
}

fn spec(matches: &ArgMatches) -> GoalSpec {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let number = |name: &str| matches.get_one::<f64>(name).copied();
    GoalSpec {
        name: text("name").unwrap_or_default(),
        path_pattern: text("path"),
        tags: matches.get_many::<String>("tag").map(|tags| tags.cloned().collect()).unwrap_or_default(),
        event_name: text("event"),
        event_meta_key: text("meta-key"),
        event_meta_value: text("meta-value"),
        custom_metric_key: text("metric-key"),
        custom_metric_kind: text("metric-type").and_then(|name| MetricKind::named(&name)),
        visitor_goal: matches.get_one::<u64>("visitor-goal").copied(),
        cr_goal: number("cr-goal"),
        custom_metric_total_goal: number("metric-total"),
        custom_metric_avg_goal: number("metric-avg"),
        delete_reached: matches.get_flag("delete-reached"),
        email_reached: matches.get_flag("email-reached"),
    }
}

/// One line for people.
pub(super) fn print(goal: &GoalInfo) {
    let event = goal.event_name.as_ref().map(|name| format!("event {name}"));
    let meta = goal.event_meta_key.as_ref().map(|key| match &goal.event_meta_value {
        Some(value) => format!("with {key}={value}"),
        None => format!("with {key}"),
    });
    let tags = (!goal.tags.is_empty()).then(|| format!("tags {}", goal.tags.join(", ")));
    let parts = [goal.path_pattern.clone(), event, meta, tags];
    let what = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
    let reached = goal.reached.as_ref().map_or(String::new(), |time| format!("  reached {time}"));
    say(&format!("{}  {}  {}  {what}  {:?}{reached}", goal.id, goal.created, goal.site, goal.name));
}
