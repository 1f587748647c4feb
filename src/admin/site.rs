//! Sites and their settings.

use hitstone_engine::units::TimestampMs;

use super::{AdminError, Response, SiteChanges, SiteInfo, SiteSwitch, site, site_mut};
use crate::auth;
use crate::sites::{self, Site, WeekStart};
use crate::state::{State, StateFile};

/// Seconds that a visitor may be said to count as active.
const ACTIVE_SECONDS: std::ops::RangeInclusive<u32> = 1..=86_400;

/// Adds a site without a client, when it is not there yet.
///
/// # Errors
/// The name is no host name, or the state could not be written.
pub fn ensure_site(file: &StateFile, now: TimestampMs, host: &str) -> Result<(), AdminError> {
    let hostname = sites::normalise_hostname(host).map_err(AdminError::Refused)?;
    if file.view().state.site_of_host(&hostname).is_some() {
        return Ok(());
    }
    file.change(|state| add(state, now, hostname).map(|_| ()))
}

/// Gives a site an alternative name, when it has not got it yet.
///
/// # Errors
/// There is no such site, the name is none, or the state could not be written.
pub fn ensure_alternative(
    file: &StateFile,
    now: TimestampMs,
    host: &str,
    name: &str,
) -> Result<(), AdminError> {
    let has_it = |site: &Site| site.alternative_hosts.iter().any(|known| known == name);
    if file.view().state.site_of_host(host).is_some_and(has_it) {
        return Ok(());
    }
    file.change(|state| add_alternative(state, now, host, name).map(|_| ()))
}

fn add(state: &mut State, now: TimestampMs, hostname: String) -> Result<Site, AdminError> {
    let site = Site::new(state.next_site, hostname, now)?;
    state.next_site = state
        .next_site
        .checked_add(1)
        .ok_or_else(|| AdminError::Refused("all numbers for sites are used up".into()))?;
    state.sites.push(site.clone());
    Ok(site)
}

pub(super) fn create(state: &mut State, now: TimestampMs, host: &str) -> Result<Response, AdminError> {
    let hostname = sites::normalise_hostname(host).map_err(AdminError::Refused)?;
    if state.site_of_host(&hostname).is_some() {
        return Err(AdminError::Refused(format!("the site {hostname} is there already")));
    }
    let site = add(state, now, hostname)?;
    let (client_id, client_secret) = super::client::add_oauth(state, now, site.number, "")?;
    let Site { id, hostname, identification_code, .. } = site;
    Ok(Response::SiteCreated { id, hostname, identification_code, client_id, client_secret })
}

pub(super) fn list(state: &State) -> Response {
    Response::Sites(state.sites.iter().map(SiteInfo::of).collect())
}

pub(super) fn delete(state: &mut State, host: &str) -> Result<Response, AdminError> {
    let (number, hostname) = {
        let site = site(state, host)?;
        (site.number, site.hostname.clone())
    };
    state.sites.retain(|site| site.number != number);
    state.clients.retain(|client| client.site != number);
    Ok(Response::Deleted { deleted: hostname })
}

pub(super) fn set(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    changes: SiteChanges,
) -> Result<Response, AdminError> {
    let site = site_mut(state, host)?;
    if let Some(zone) = &changes.timezone
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        let message = format!("{zone:?} is not a time zone: give an IANA name such as Europe/Berlin");
        return Err(AdminError::invalid("timezone", message));
    }
    if let Some(seconds) = changes.active_visitors_seconds
        && !ACTIVE_SECONDS.contains(&seconds)
    {
        let message =
            format!("must be {} to {}, not {seconds}", ACTIVE_SECONDS.start(), ACTIVE_SECONDS.end());
        return Err(AdminError::invalid("active_visitors_seconds", message));
    }
    let hosts = changes.alternative_hosts.map(|hosts| normalise_all(&hosts)).transpose()?;
    put(&mut site.timezone, changes.timezone);
    put(&mut site.week_start, changes.week_start);
    put(&mut site.group_by_title, changes.group_by_title);
    put(&mut site.active_visitors_seconds, changes.active_visitors_seconds);
    put(&mut site.alternative_hosts, hosts);
    put(&mut site.ignore_dnt, changes.ignore_dnt);
    put(&mut site.public, changes.public);
    put(&mut site.strict_hosts, changes.strict_hosts);
    put(&mut site.keep_event_id, changes.keep_event_id);
    put(&mut site.checks_off, changes.checks_off);
    put(&mut site.track_bot_filter, changes.track_bot_filter);
    Ok(changed(site, now))
}

fn put<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn changed(site: &mut Site, now: TimestampMs) -> Response {
    site.modified = now.max(site.modified);
    Response::Site(Box::new(SiteInfo::of(site)))
}

pub(super) fn toggle(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    switch: SiteSwitch,
) -> Result<Response, AdminError> {
    let site = site_mut(state, host)?;
    match switch {
        SiteSwitch::GroupByTitle => site.group_by_title = !site.group_by_title,
        SiteSwitch::IgnoreDnt => site.ignore_dnt = !site.ignore_dnt,
        SiteSwitch::Public => site.public = !site.public,
        SiteSwitch::StartWeekSunday => {
            site.week_start = match site.week_start {
                WeekStart::Monday => WeekStart::Sunday,
                WeekStart::Sunday => WeekStart::Monday,
            };
        }
    }
    Ok(changed(site, now))
}

pub(super) fn new_code(state: &mut State, now: TimestampMs, host: &str) -> Result<Response, AdminError> {
    let site = site_mut(state, host)?;
    site.identification_code = auth::random_text(auth::IDENTIFICATION_CODE_CHARS)?;
    Ok(changed(site, now))
}

fn normalise_all(hosts: &[String]) -> Result<Vec<String>, AdminError> {
    let mut all: Vec<String> = Vec::new();
    for host in hosts.iter().filter(|host| !host.trim().is_empty()) {
        let host = sites::normalise_alternative(host)
            .map_err(|message| AdminError::invalid("alternative_hosts", message))?;
        if !all.contains(&host) {
            all.push(host);
        }
    }
    check_count(all.len())?;
    Ok(all)
}

fn check_count(count: usize) -> Result<(), AdminError> {
    match count {
        0..=sites::ALTERNATIVE_HOSTS_MAX => Ok(()),
        _ => Err(AdminError::Refused(format!("at most {} alternative hosts", sites::ALTERNATIVE_HOSTS_MAX))),
    }
}

pub(super) fn add_alternative(
    state: &mut State,
    now: TimestampMs,
    site: &str,
    hostname: &str,
) -> Result<Response, AdminError> {
    let site = site_mut(state, site)?;
    let hostname = new_alternative(site, hostname)?;
    check_count(site.alternative_hosts.len() + 1)?;
    site.alternative_hosts.push(hostname);
    Ok(changed(site, now))
}

pub(super) fn replace_alternative(
    state: &mut State,
    now: TimestampMs,
    site: &str,
    id: &str,
    hostname: &str,
) -> Result<Response, AdminError> {
    let site = site_mut(state, site)?;
    let at = find_alternative(site, id)?;
    // Out first: the name that is replaced may be given anew. A change that fails leaves the state as it was.
    site.alternative_hosts.remove(at);
    let hostname = new_alternative(site, hostname)?;
    site.alternative_hosts.insert(at, hostname);
    Ok(changed(site, now))
}

pub(super) fn remove_alternative(
    state: &mut State,
    now: TimestampMs,
    site: &str,
    id: &str,
) -> Result<Response, AdminError> {
    let site = site_mut(state, site)?;
    let at = find_alternative(site, id)?;
    site.alternative_hosts.remove(at);
    Ok(changed(site, now))
}

fn find_alternative(site: &Site, id: &str) -> Result<usize, AdminError> {
    let found = site.alternative_hosts.iter().position(|host| site.alternative_id(host) == id);
    found.ok_or_else(|| AdminError::NotFound(format!("there is no alternative host {id}")))
}

fn new_alternative(site: &Site, hostname: &str) -> Result<String, AdminError> {
    let hostname =
        sites::normalise_alternative(hostname).map_err(|message| AdminError::invalid("hostname", message))?;
    if hostname == site.hostname || site.alternative_hosts.contains(&hostname) {
        return Err(AdminError::invalid("hostname", format!("{hostname} is a name of this site already")));
    }
    Ok(hostname)
}
