//! `site`, `client`, `goal`, `filter`, `lists` and `rejected`: over the socket of the server that runs on the folder, else
//! on the folder itself.

use std::path::Path;
use std::sync::Arc;

use clap::ArgMatches;
use hitstone_engine::error::StorageError;
use hitstone_engine::store::{Store, StoreOptions};
use hitstone_engine::vfs::{OsFs, SharedFs};

use crate::admin::{self, ClientInfo, Files, NewClient, Request, Response, SiteChanges, SiteInfo};
use crate::cli::reach::here_or_there;
use crate::cli::{Failure, data_folder, filter, goal, lists, say};
use crate::clock::Clock;
use crate::control;
use crate::enrich::protection::Check;
use crate::lists::ListFile;
use crate::rejections::Rejections;
use crate::sites::WeekStart;
use crate::state::StateFile;
use crate::versions;

/// `hitstone site ...`
pub fn site(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    let request = match name {
        "create" => Request::SiteCreate { host: text(matches, "host") },
        "set" => Request::SiteSet { host: text(matches, "host"), changes: changes(matches) },
        "delete" => Request::SiteDelete { host: text(matches, "host") },
        _ => Request::SiteList,
    };
    run(matches, request)
}

/// `hitstone client ...`
pub fn client(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    let request = match name {
        "create" => {
            let kind = match (matches.get_flag("basic"), matches.get_flag("write-only")) {
                (true, _) => NewClient::Basic,
                (false, true) => NewClient::WriteOnly,
                (false, false) => NewClient::Oauth,
            };
            let description = text(matches, "description");
            Request::ClientCreate { site: text(matches, "site"), kind, description }
        }
        "revoke" => Request::ClientRevoke { site: None, client_id: text(matches, "client") },
        _ => Request::ClientList { site: matches.get_one::<String>("site").cloned() },
    };
    run(matches, request)
}

/// `hitstone goal ...`
pub fn goal(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    run(matches, goal::request(name, matches))
}

/// `hitstone filter ...`
pub fn filter(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    run(matches, filter::request(name, matches))
}

/// `hitstone lists ...`
pub fn lists(matches: &ArgMatches) -> Result<(), Failure> {
    let (name, matches) = matches.subcommand().unwrap_or(("", matches));
    run(matches, lists::request(name, matches)?)
}

/// `hitstone rejected`
pub fn rejected(matches: &ArgMatches) -> Result<(), Failure> {
    run(matches, Request::Rejected { site: matches.get_one::<String>("site").cloned() })
}

fn text(matches: &ArgMatches, name: &str) -> String {
    matches.get_one::<String>(name).cloned().unwrap_or_default()
}

fn changes(matches: &ArgMatches) -> SiteChanges {
    let switch = |name| matches.get_one::<bool>(name).copied();
    SiteChanges {
        timezone: matches.get_one::<String>("timezone").cloned(),
        week_start: matches.get_one::<String>("week-start").map(|day| match day.as_str() {
            "sunday" => WeekStart::Sunday,
            _ => WeekStart::Monday,
        }),
        group_by_title: switch("group-by-title"),
        active_visitors_seconds: matches.get_one::<u32>("active-visitors-seconds").copied(),
        alternative_hosts: matches
            .get_many::<String>("alternative-hosts")
            .map(|hosts| hosts.cloned().collect()),
        ignore_dnt: switch("ignore-dnt"),
        public: switch("public"),
        strict_hosts: switch("strict-hosts"),
        keep_event_id: switch("keep-event-id"),
        checks_off: matches.get_many::<Option<Check>>("checks-off").map(|checks| {
            Check::ALL.into_iter().filter(|check| checks.clone().any(|off| *off == Some(*check))).collect()
        }),
        track_bot_filter: switch("track-bot-filter"),
    }
}

fn run(matches: &ArgMatches, request: Request) -> Result<(), Failure> {
    let folder = data_folder(matches)?;
    let response = perform(&folder, &request)?;
    if matches.get_flag("json") {
        let json = serde_json::to_string(&response).map_err(|error| Failure::Failed(error.to_string()))?;
        say(&json);
    } else {
        print(&response);
    }
    Ok(())
}

/// Does the operation here when the folder is free, else asks the server that has it.
fn perform(folder: &Path, request: &Request) -> Result<Response, Failure> {
    let said = |error: StorageError| Failure::Failed(error.to_string());
    let fs: SharedFs = Arc::new(OsFs);
    if matches!(request, Request::SiteCreate { .. }) {
        fs.create_dir_all(folder).map_err(said)?;
    } else if !fs.exists(folder).map_err(said)? {
        return Err(Failure::Failed(format!("there is no data folder {}", folder.display())));
    }
    let here = || {
        let done = match request {
            Request::SiteDelete { .. } => delete(&fs, folder, request),
            _ => fs.lock(folder).map(|_lock| execute(&fs, folder, request)),
        };
        match done {
            Ok(response) => response.map(Some),
            Err(StorageError::Locked { .. }) => Ok(None),
            Err(error) => Err(said(error)),
        }
    };
    here_or_there(folder, here, || control::ask(folder, request))
}

/// Deletes a site with all that is stored of it. The outer error is the store's.
fn delete(
    fs: &SharedFs,
    folder: &Path,
    request: &Request,
) -> Result<Result<Response, Failure>, StorageError> {
    versions::refuse_newer(&**fs, folder)?;
    let store = Store::open(Arc::clone(fs), folder, StoreOptions::default())?;
    let response = execute(fs, folder, request);
    store.forget_sites(&StateFile::open(Arc::clone(fs), folder)?.view().state.gone_sites())?;
    store.close()?;
    Ok(response)
}

/// Does the operation on the folder, whose lock the caller holds.
fn execute(fs: &SharedFs, folder: &Path, request: &Request) -> Result<Response, Failure> {
    let said = |error: StorageError| Failure::Failed(error.to_string());
    versions::refuse_newer(&**fs, folder).map_err(said)?;
    Store::check_versions(&**fs, folder).map_err(said)?;
    let state = StateFile::open(Arc::clone(fs), folder).map_err(said)?;
    let lists = ListFile::open(Arc::clone(fs), folder).map_err(said)?;
    let rejections = Rejections::open(Arc::clone(fs), folder).map_err(said)?;
    let files = Files { state: &state, lists: &lists, rejections: &rejections };
    let done = admin::execute(files, Clock::system().now_ms(), request.clone());
    done.map_err(|error| Failure::Failed(error.to_string()))
}

fn print(response: &Response) {
    let pair = |name: &str, value: &str| say(&format!("{name:<20} {value}"));
    match response {
        Response::SiteCreated { id, hostname, identification_code, client_id, client_secret } => {
            pair("site", hostname);
            pair("id", id);
            pair("identification code", identification_code);
            pair("client id", client_id);
            pair("client secret", &format!("{client_secret} (shown only now)"));
        }
        Response::ClientCreated { client_id, client_secret } => {
            pair("client id", client_id);
            pair("client secret", &format!("{client_secret} (shown only now)"));
        }
        Response::AccessKeyCreated { access_key, client_id } => {
            pair("access key", &format!("{access_key} (shown only now)"));
            pair("client id", client_id);
        }
        Response::TrackTokenCreated { track_token, client_id } => {
            pair("track token", &format!("{track_token} (shown only now)"));
            pair("client id", client_id);
        }
        Response::Site(site) => print_site(site),
        Response::Deleted { deleted } => say(&format!("deleted {deleted}")),
        Response::ClientRevoked { revoked } => say(&format!("revoked {revoked}")),
        Response::Client(client) => print_clients(std::slice::from_ref(client)),
        Response::Clients(clients) => print_clients(clients),
        Response::Goal(goal) => goal::print(goal),
        Response::Goals(goals) => goals.iter().for_each(goal::print),
        Response::Filter(one) => filter::print(one),
        Response::Filters(filters) => filters.iter().for_each(filter::print),
        Response::Lists(in_force) => lists::print(in_force),
        Response::Rejected(rows) => lists::print_rejected(rows),
        Response::Sites(sites) => {
            for site in sites {
                say(&format!("{}  {}  {}", site.id, site.created, site.hostname));
            }
        }
    }
}

fn print_clients(clients: &[ClientInfo]) {
    for client in clients {
        let kind = match (client.basic, client.write_only) {
            (true, _) => "basic",
            (false, true) => "write-only",
            (false, false) => "read-write",
        };
        let (id, created, description) = (&client.client_id, &client.created, &client.description);
        say(format!("{id}  {kind}  {created}  {}  {description}", client.site).trim_end());
    }
}

fn print_site(site: &SiteInfo) {
    let Ok(serde_json::Value::Object(members)) = serde_json::to_value(site) else { return };
    for (name, value) in members {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        say(&format!("{:<24} {value}", name.replace('_', " ")));
    }
}
