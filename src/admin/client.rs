//! Clients of sites.

use hitstone_engine::units::TimestampMs;

use super::{AdminError, ClientInfo, NewClient, Response, site};
use crate::auth::{self, SecretHash};
use crate::sites::{CLIENTS_MAX, Client, ClientKind, DESCRIPTION_CHARS_MAX};
use crate::state::State;

/// Adds a client that reads and writes; its id and its secret, which is known only now.
pub(super) fn add_oauth(
    state: &mut State,
    now: TimestampMs,
    site: u32,
    description: &str,
) -> Result<(String, String), AdminError> {
    let secret = auth::random_text(auth::CLIENT_SECRET_CHARS)?;
    let kind = ClientKind::Oauth { secret: SecretHash::of(&secret) };
    Ok((add(state, now, site, kind, description)?, secret))
}

fn add(
    state: &mut State,
    now: TimestampMs,
    site: u32,
    kind: ClientKind,
    description: &str,
) -> Result<String, AdminError> {
    if state.clients.iter().filter(|client| client.site == site).count() >= CLIENTS_MAX {
        return Err(AdminError::Refused(format!("a site has at most {CLIENTS_MAX} clients: revoke some")));
    }
    let id = auth::random_text(auth::CLIENT_ID_CHARS)?;
    let description = checked(description)?;
    state.clients.push(Client { id: id.clone(), site, kind, description, created: now, modified: 0 });
    Ok(id)
}

fn checked(description: &str) -> Result<String, AdminError> {
    let description = description.trim();
    if description.chars().count() > DESCRIPTION_CHARS_MAX {
        let message = format!("is longer than {DESCRIPTION_CHARS_MAX} characters");
        return Err(AdminError::invalid("description", message));
    }
    Ok(description.to_owned())
}

pub(super) fn create(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    kind: NewClient,
    description: &str,
) -> Result<Response, AdminError> {
    let site = site(state, host)?.number;
    Ok(match kind {
        NewClient::Oauth => {
            let (client_id, client_secret) = add_oauth(state, now, site, description)?;
            Response::ClientCreated { client_id, client_secret }
        }
        NewClient::WriteOnly => {
            let access_key = auth::random_access_key()?;
            let kind = ClientKind::WriteOnly { key: SecretHash::of(&access_key) };
            let client_id = add(state, now, site, kind, description)?;
            Response::AccessKeyCreated { access_key, client_id }
        }
        NewClient::Basic => {
            let track_token = auth::random_text(auth::TRACK_TOKEN_CHARS)?;
            let kind = ClientKind::Basic { token: SecretHash::of(&track_token) };
            let client_id = add(state, now, site, kind, description)?;
            Response::TrackTokenCreated { track_token, client_id }
        }
    })
}

pub(super) fn describe(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    client_id: &str,
    description: &str,
) -> Result<Response, AdminError> {
    let (number, hostname) = {
        let site = site(state, host)?;
        (site.number, site.hostname.clone())
    };
    let description = checked(description)?;
    let is_it = |client: &&mut Client| client.id == client_id && client.site == number;
    let client = state.clients.iter_mut().find(is_it).ok_or_else(|| no_client(client_id))?;
    client.description = description;
    client.modified = now.max(client.modified);
    Ok(Response::Client(ClientInfo::of(client, &hostname)))
}

pub(super) fn revoke(state: &mut State, host: Option<&str>, client_id: &str) -> Result<Response, AdminError> {
    let number = host.map(|host| site(state, host).map(|site| site.number)).transpose()?;
    let is_it = |client: &Client| client.id == client_id && number.is_none_or(|number| client.site == number);
    let before = state.clients.len();
    state.clients.retain(|client| !is_it(client));
    if state.clients.len() == before {
        return Err(no_client(client_id));
    }
    Ok(Response::ClientRevoked { revoked: client_id.to_owned() })
}

fn no_client(client_id: &str) -> AdminError {
    AdminError::NotFound(format!("there is no client {client_id}"))
}

pub(super) fn list(state: &State, host: Option<&str>) -> Result<Response, AdminError> {
    let only = host.map(|host| site(state, host).map(|site| site.number)).transpose()?;
    let host_of = |number| {
        let site = state.sites.iter().find(|site| site.number == number);
        site.map(|site| site.hostname.as_str()).unwrap_or_default()
    };
    let wanted = state.clients.iter().filter(|client| only.is_none_or(|number| client.site == number));
    Ok(Response::Clients(wanted.map(|client| ClientInfo::of(client, host_of(client.site))).collect()))
}
