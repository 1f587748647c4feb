//! Administrative operations: one request, one answer, one function that does them. The command line calls it when
//! it holds the folder's lock, and a running server when the command line asks over its socket.

use hitstone_engine::error::StorageError;
use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::auth::{self, SecretHash};
use crate::sites::{self, Client, ClientKind, Site, WeekStart};
use crate::state::{State, StateFile};

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[allow(missing_docs, reason = "named after the commands")]
pub enum Request {
    SiteCreate { host: String },
    SiteList,
    SiteSet { host: String, changes: SiteChanges },
    SiteDelete { host: String },
    ClientCreate { site: String, write_only: bool },
    ClientList { site: Option<String> },
    ClientRevoke { client_id: String },
}

/// Settings of a site to change; what is `None` stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the fields of `Site`")]
pub struct SiteChanges {
    pub timezone: Option<String>,
    pub week_start: Option<WeekStart>,
    pub group_by_title: Option<bool>,
    pub active_visitors_seconds: Option<u32>,
    pub alternative_hosts: Option<Vec<String>>,
    pub ignore_dnt: Option<bool>,
    pub public: Option<bool>,
    pub strict_hosts: Option<bool>,
    pub keep_event_id: Option<bool>,
}

/// A site as commands show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the fields of `Site`")]
pub struct SiteInfo {
    pub id: String,
    pub hostname: String,
    pub identification_code: String,
    pub timezone: String,
    pub week_start: WeekStart,
    pub group_by_title: bool,
    pub active_visitors_seconds: u32,
    pub alternative_hosts: Vec<String>,
    pub ignore_dnt: bool,
    pub public: bool,
    pub strict_hosts: bool,
    pub keep_event_id: bool,
    pub created: String,
    pub modified: String,
}

/// A client as commands show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the fields of `Client`")]
pub struct ClientInfo {
    pub client_id: String,
    pub site: String,
    pub write_only: bool,
    pub created: String,
}

/// What is answered. Serialised without a tag: this is what `--json` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "named after the commands")]
pub enum Response {
    SiteCreated {
        id: String,
        hostname: String,
        identification_code: String,
        client_id: String,
        client_secret: String,
    },
    ClientCreated {
        client_id: String,
        client_secret: String,
    },
    AccessKeyCreated {
        access_key: String,
        client_id: String,
    },
    Site(SiteInfo),
    SiteDeleted {
        deleted: String,
    },
    ClientRevoked {
        revoked: String,
    },
    Clients(Vec<ClientInfo>),
    Sites(Vec<SiteInfo>),
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// What was asked makes no sense; the words say which part.
    #[error("{0}")]
    Refused(String),
    /// The state could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Random(#[from] getrandom::Error),
}

/// Does what is asked. When it returns, the change is on disk and in force. Waits for the disk.
///
/// # Errors
/// Nothing was changed, and why.
pub fn execute(file: &StateFile, now: TimestampMs, request: Request) -> Result<Response, AdminError> {
    match request {
        Request::SiteCreate { host } => file.change(|state| create_site(state, now, &host)),
        Request::SiteList => Ok(Response::Sites(file.view().state.sites.iter().map(site_info).collect())),
        Request::SiteSet { host, changes } => file.change(|state| set_site(state, now, &host, changes)),
        Request::SiteDelete { host } => file.change(|state| delete_site(state, &host)),
        Request::ClientCreate { site, write_only } => {
            file.change(|state| create_client(state, now, &site, write_only))
        }
        Request::ClientList { site } => list_clients(&file.view().state, site.as_deref()),
        Request::ClientRevoke { client_id } => file.change(|state| revoke_client(state, &client_id)),
    }
}

/// Adds a site without a client, when it is not there yet.
///
/// # Errors
/// The name is no host name, or the state could not be written.
pub fn ensure_site(file: &StateFile, now: TimestampMs, host: &str) -> Result<(), AdminError> {
    let hostname = sites::normalise_hostname(host).map_err(AdminError::Refused)?;
    if file.view().state.site_of_host(&hostname).is_some() {
        return Ok(());
    }
    file.change(|state| add_site(state, now, hostname).map(|_| ()))
}

fn add_site(state: &mut State, now: TimestampMs, hostname: String) -> Result<Site, AdminError> {
    let site = Site::new(state.next_site, hostname, now)?;
    state.next_site = state
        .next_site
        .checked_add(1)
        .ok_or_else(|| AdminError::Refused("all numbers for sites are used up".into()))?;
    state.sites.push(site.clone());
    Ok(site)
}

fn create_site(state: &mut State, now: TimestampMs, host: &str) -> Result<Response, AdminError> {
    let hostname = sites::normalise_hostname(host).map_err(AdminError::Refused)?;
    if state.site_of_host(&hostname).is_some() {
        return Err(AdminError::Refused(format!("the site {hostname} is there already")));
    }
    let site = add_site(state, now, hostname)?;
    let (client_id, client_secret) = add_oauth_client(state, now, site.number)?;
    let Site { id, hostname, identification_code, .. } = site;
    Ok(Response::SiteCreated { id, hostname, identification_code, client_id, client_secret })
}

fn add_oauth_client(state: &mut State, now: TimestampMs, site: u32) -> Result<(String, String), AdminError> {
    let id = auth::random_text(auth::CLIENT_ID_CHARS)?;
    let secret = auth::random_text(auth::CLIENT_SECRET_CHARS)?;
    let kind = ClientKind::Oauth { secret: SecretHash::of(&secret) };
    state.clients.push(Client { id: id.clone(), site, kind, created: now });
    Ok((id, secret))
}

fn create_client(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    write_only: bool,
) -> Result<Response, AdminError> {
    let site = find_site(state, host)?.number;
    if !write_only {
        let (client_id, client_secret) = add_oauth_client(state, now, site)?;
        return Ok(Response::ClientCreated { client_id, client_secret });
    }
    let client_id = auth::random_text(auth::CLIENT_ID_CHARS)?;
    let access_key = auth::random_access_key()?;
    let kind = ClientKind::WriteOnly { key: SecretHash::of(&access_key) };
    state.clients.push(Client { id: client_id.clone(), site, kind, created: now });
    Ok(Response::AccessKeyCreated { access_key, client_id })
}

fn set_site(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    changes: SiteChanges,
) -> Result<Response, AdminError> {
    let number = find_site(state, host)?.number;
    let refuse = |why: String| Err(AdminError::Refused(why));
    if let Some(zone) = &changes.timezone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        return refuse(format!("{zone:?} is not a time zone: give an IANA name such as Europe/Berlin"));
    }
    if let Some(seconds) = changes.active_visitors_seconds
        && !(1..=86_400).contains(&seconds)
    {
        return refuse(format!("active-visitors-seconds must be 1 to 86400, not {seconds}"));
    }
    let hosts = changes.alternative_hosts.map(|hosts| normalise_all(&hosts)).transpose()?;
    let Some(site) = state.sites.iter_mut().find(|site| site.number == number) else {
        return refuse(format!("there is no site {host}"));
    };
    set(&mut site.timezone, changes.timezone);
    set(&mut site.week_start, changes.week_start);
    set(&mut site.group_by_title, changes.group_by_title);
    set(&mut site.active_visitors_seconds, changes.active_visitors_seconds);
    set(&mut site.alternative_hosts, hosts);
    set(&mut site.ignore_dnt, changes.ignore_dnt);
    set(&mut site.public, changes.public);
    set(&mut site.strict_hosts, changes.strict_hosts);
    set(&mut site.keep_event_id, changes.keep_event_id);
    site.modified = now.max(site.modified);
    Ok(Response::Site(site_info(site)))
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn normalise_all(hosts: &[String]) -> Result<Vec<String>, AdminError> {
    if hosts.len() > sites::ALTERNATIVE_HOSTS_MAX {
        return Err(AdminError::Refused(format!(
            "at most {} alternative hosts",
            sites::ALTERNATIVE_HOSTS_MAX
        )));
    }
    let named = hosts.iter().filter(|host| !host.trim().is_empty());
    named.map(|host| sites::normalise_alternative(host).map_err(AdminError::Refused)).collect()
}

fn delete_site(state: &mut State, host: &str) -> Result<Response, AdminError> {
    let (number, hostname) = {
        let site = find_site(state, host)?;
        (site.number, site.hostname.clone())
    };
    state.sites.retain(|site| site.number != number);
    state.clients.retain(|client| client.site != number);
    Ok(Response::SiteDeleted { deleted: hostname })
}

fn revoke_client(state: &mut State, client_id: &str) -> Result<Response, AdminError> {
    let before = state.clients.len();
    state.clients.retain(|client| client.id != client_id);
    if state.clients.len() == before {
        return Err(AdminError::Refused(format!("there is no client {client_id}")));
    }
    Ok(Response::ClientRevoked { revoked: client_id.to_owned() })
}

fn list_clients(state: &State, site: Option<&str>) -> Result<Response, AdminError> {
    let only = site.map(|host| find_site(state, host).map(|site| site.number)).transpose()?;
    let host_of =
        |number| state.sites.iter().find(|site| site.number == number).map(|site| site.hostname.clone());
    let clients = state
        .clients
        .iter()
        .filter(|client| only.is_none_or(|number| client.site == number))
        .map(|client| ClientInfo {
            client_id: client.id.clone(),
            site: host_of(client.site).unwrap_or_default(),
            write_only: matches!(client.kind, ClientKind::WriteOnly { .. }),
            created: crate::clock::rfc3339(client.created),
        })
        .collect();
    Ok(Response::Clients(clients))
}

/// Finds a site by host name or public id.
fn find_site<'a>(state: &'a State, host: &str) -> Result<&'a Site, AdminError> {
    let normal = sites::normalise_hostname(host).unwrap_or_default();
    state.sites.iter().find(|site| site.hostname == normal || site.id == host).ok_or_else(|| {
        AdminError::Refused(format!("there is no site {host}; `hitstone site list` shows all"))
    })
}

fn site_info(site: &Site) -> SiteInfo {
    SiteInfo {
        id: site.id.clone(),
        hostname: site.hostname.clone(),
        identification_code: site.identification_code.clone(),
        timezone: site.timezone.clone(),
        week_start: site.week_start,
        group_by_title: site.group_by_title,
        active_visitors_seconds: site.active_visitors_seconds,
        alternative_hosts: site.alternative_hosts.clone(),
        ignore_dnt: site.ignore_dnt,
        public: site.public,
        strict_hosts: site.strict_hosts,
        keep_event_id: site.keep_event_id,
        created: crate::clock::rfc3339(site.created),
        modified: crate::clock::rfc3339(site.modified),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use hitstone_engine::vfs::OsFs;

    fn create(file: &StateFile, host: &str) -> Result<Response, AdminError> {
        execute(file, 5, Request::SiteCreate { host: host.into() })
    }

    #[test]
    fn sites_and_clients_live_and_die_and_are_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let open = || StateFile::open(Arc::new(OsFs), folder.path()).unwrap();
        let file = open();
        let Ok(Response::SiteCreated { id, client_id, client_secret, .. }) = create(&file, "Example.com")
        else {
            panic!("no site")
        };
        assert_eq!((id.len(), client_id.len(), client_secret.len()), (10, 32, 64));
        assert!(create(&file, "example.com").is_err());
        let request = Request::ClientCreate { site: "example.com".into(), write_only: true };
        let Ok(Response::AccessKeyCreated { access_key, .. }) = execute(&file, 5, request) else {
            panic!("no key")
        };
        let view = open().view();
        assert!(view.client(&client_id).is_some());
        assert_eq!(view.site_of_access_key(&access_key).map(|site| site.number), Some(1));
        execute(&file, 6, Request::SiteDelete { host: id }).unwrap();
        assert!(open().view().site_of_access_key(&access_key).is_none());
        create(&file, "example.com").unwrap();
        assert_eq!(open().view().state.sites[0].number, 2, "numbers are never reused");
        let text = String::from_utf8_lossy(&std::fs::read(folder.path().join("state")).unwrap()).into_owned();
        assert!(!text.contains(&client_secret) && !text.contains(&access_key));
    }

    #[test]
    fn settings_are_checked_before_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::open(Arc::new(OsFs), folder.path()).unwrap();
        create(&file, "example.com").unwrap();
        let set = |changes| execute(&file, 9, Request::SiteSet { host: "example.com".into(), changes });
        let zone = |zone: &str| SiteChanges { timezone: Some(zone.into()), ..SiteChanges::default() };
        assert!(set(zone("Mars/Base")).is_err());
        assert!(set(SiteChanges { active_visitors_seconds: Some(0), ..SiteChanges::default() }).is_err());
        let Ok(Response::Site(site)) = set(zone("Europe/Berlin")) else { panic!("no site") };
        assert_eq!((site.timezone.as_str(), site.active_visitors_seconds), ("Europe/Berlin", 600));
    }

    #[test]
    fn answers_survive_the_socket() {
        let created = Response::ClientCreated { client_id: "a".into(), client_secret: "b".into() };
        let text = serde_json::to_string(&created).unwrap();
        assert_eq!(text, r#"{"client_id":"a","client_secret":"b"}"#);
        assert!(matches!(serde_json::from_str(&text), Ok(Response::ClientCreated { .. })));
        let key = r#"{"access_key":"pa_x","client_id":"a"}"#;
        assert!(matches!(serde_json::from_str(key), Ok(Response::AccessKeyCreated { .. })));
    }
}
