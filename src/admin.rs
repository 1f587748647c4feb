//! Administrative operations: one request, one answer, one function that does them. The command line calls it when
//! it holds the folder's lock, a running server when the command line asks over its socket or a client over HTTP.
//!
//! A site is named by its id or its host name. Where a request names a site beside the id of something, nothing of
//! another site is found.

mod client;
mod filter;
mod goal;
mod info;
mod lists;
mod rejected;
mod site;

#[cfg(test)]
mod tests;

use hitstone_engine::error::StorageError;
use hitstone_engine::units::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::enrich::protection::Check;
use crate::filters::FilterSpec;
use crate::goals::{GoalFault, GoalSpec};
use crate::lists::{ListFile, UpdateError};
use crate::rejections::Rejections;
use crate::sites::{Site, WeekStart};
use crate::state::{State, StateFile};

pub use filter::FilterInfo;
pub use goal::goal_reached;
pub use info::{ClientInfo, GoalInfo, SiteInfo};
pub use lists::ListsInfo;
pub use rejected::RejectedInfo;
pub use site::{ensure_alternative, ensure_site};

/// What can be asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[allow(missing_docs, reason = "named after the commands")]
pub enum Request {
    SiteCreate { host: String },
    SiteList,
    SiteSet { host: String, changes: SiteChanges },
    SiteToggle { host: String, switch: SiteSwitch },
    SiteNewCode { host: String },
    SiteDelete { host: String },
    AlternativeAdd { site: String, hostname: String },
    AlternativeReplace { site: String, id: String, hostname: String },
    AlternativeRemove { site: String, id: String },
    ClientCreate { site: String, kind: NewClient, description: String },
    ClientDescribe { site: String, client_id: String, description: String },
    ClientList { site: Option<String> },
    ClientRevoke { site: Option<String>, client_id: String },
    GoalCreate { site: Option<String>, goal: GoalSpec },
    GoalReplace { site: String, id: String, goal: GoalSpec },
    GoalList { site: Option<String> },
    GoalDelete { site: Option<String>, id: String },
    FilterCreate { site: String, filter: FilterSpec },
    FilterList { site: Option<String> },
    FilterDelete { id: String },
    ListsUpdate { text: String },
    ListsShow,
    Rejected { site: Option<String> },
}

/// What a new client is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewClient {
    /// An id and a secret, for access tokens that read and write.
    Oauth,
    /// An access key, which writes.
    WriteOnly,
    /// A token for SegmentStream's calls, which writes.
    Basic,
}

/// A setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named after the fields of `Site`")]
pub enum SiteSwitch {
    GroupByTitle,
    IgnoreDnt,
    Public,
    StartWeekSunday,
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
    pub checks_off: Option<Vec<Check>>,
    pub track_bot_filter: Option<bool>,
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
    TrackTokenCreated {
        track_token: String,
        client_id: String,
    },
    Site(Box<SiteInfo>),
    Client(ClientInfo),
    Goal(Box<GoalInfo>),
    Deleted {
        deleted: String,
    },
    ClientRevoked {
        revoked: String,
    },
    Clients(Vec<ClientInfo>),
    Sites(Vec<SiteInfo>),
    Goals(Vec<GoalInfo>),
    Filter(FilterInfo),
    Filters(Vec<FilterInfo>),
    Lists(ListsInfo),
    Rejected(Vec<RejectedInfo>),
}

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// What was asked makes no sense, or not now; the words say why.
    #[error("{0}")]
    Refused(String),
    /// A field is missing or wrong.
    #[error("{field}: {message}")]
    Invalid {
        /// The field, named as in the request.
        field: &'static str,
        /// The rest of a sentence that begins with the field.
        message: String,
    },
    /// There is no such site, client, goal or name.
    #[error("{0}")]
    NotFound(String),
    /// The state could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give: {0}")]
    Random(#[from] getrandom::Error),
}

impl AdminError {
    fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }
}

impl From<GoalFault> for AdminError {
    fn from(fault: GoalFault) -> Self {
        Self::Invalid { field: fault.field, message: fault.message }
    }
}

impl From<UpdateError> for AdminError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::Fault(fault) => Self::Refused(fault.to_string()),
            UpdateError::Storage(error) => Self::Storage(error),
        }
    }
}

/// What operations work on.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// Sites, clients, goals and filters.
    pub state: &'a StateFile,
    /// The operator's lists.
    pub lists: &'a ListFile,
    /// What was left out.
    pub rejections: &'a Rejections,
}

/// Does what is asked. When it returns, the change is on disk and in force. Waits for the disk.
///
/// # Errors
/// Nothing was changed, and why.
pub fn execute(files: Files<'_>, now: TimestampMs, request: Request) -> Result<Response, AdminError> {
    let file = files.state;
    match request {
        Request::ListsUpdate { text } => lists::update(files.lists, now, &text),
        Request::ListsShow => Ok(lists::show(files.lists)),
        Request::Rejected { site } => {
            rejected::rows(&file.view().state, files.rejections, now, site.as_deref())
        }
        Request::FilterList { site } => filter::list(&file.view().state, site.as_deref()),
        Request::SiteList => Ok(site::list(&file.view().state)),
        Request::ClientList { site } => client::list(&file.view().state, site.as_deref()),
        Request::GoalList { site } => goal::list(&file.view().state, site.as_deref()),
        change => file.change(|state| apply(state, now, change)),
    }
}

fn apply(state: &mut State, now: TimestampMs, request: Request) -> Result<Response, AdminError> {
    match request {
        Request::SiteCreate { host } => site::create(state, now, &host),
        Request::SiteSet { host, changes } => site::set(state, now, &host, changes),
        Request::SiteToggle { host, switch } => site::toggle(state, now, &host, switch),
        Request::SiteNewCode { host } => site::new_code(state, now, &host),
        Request::SiteDelete { host } => site::delete(state, &host),
        Request::AlternativeAdd { site, hostname } => site::add_alternative(state, now, &site, &hostname),
        Request::AlternativeReplace { site, id, hostname } => {
            site::replace_alternative(state, now, &site, &id, &hostname)
        }
        Request::AlternativeRemove { site, id } => site::remove_alternative(state, now, &site, &id),
        Request::ClientCreate { site, kind, description } => {
            client::create(state, now, &site, kind, &description)
        }
        Request::ClientDescribe { site, client_id, description } => {
            client::describe(state, now, &site, &client_id, &description)
        }
        Request::ClientRevoke { site, client_id } => client::revoke(state, site.as_deref(), &client_id),
        Request::GoalCreate { site, goal } => goal::create(state, now, site.as_deref(), goal),
        Request::GoalReplace { site, id, goal } => goal::replace(state, now, &site, &id, goal),
        Request::GoalDelete { site, id } => goal::delete(state, site.as_deref(), &id),
        Request::FilterCreate { site, filter } => filter::create(state, now, &site, filter),
        Request::FilterDelete { id } => filter::delete(state, &id),
        Request::SiteList
        | Request::ClientList { .. }
        | Request::GoalList { .. }
        | Request::FilterList { .. }
        | Request::ListsUpdate { .. }
        | Request::ListsShow
        | Request::Rejected { .. } => Err(AdminError::Refused("this changes nothing of a site".into())),
    }
}

/// Where a site stands in the state: found by its id, else by its host name.
fn find_site(state: &State, name: &str) -> Result<usize, AdminError> {
    let by_id = state.sites.iter().position(|site| site.id == name);
    let by_host = || {
        let normal = crate::sites::normalise_hostname(name).ok()?;
        state.sites.iter().position(|site| site.hostname == normal)
    };
    by_id.or_else(by_host).ok_or_else(|| {
        AdminError::NotFound(format!("there is no site {name}; `hitstone site list` shows all"))
    })
}

/// The site of this id or host name.
///
/// # Errors
/// There is none.
pub fn site<'a>(state: &'a State, name: &str) -> Result<&'a Site, AdminError> {
    let at = find_site(state, name)?;
    state.sites.get(at).ok_or_else(|| AdminError::NotFound(format!("there is no site {name}")))
}

fn site_mut<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Site, AdminError> {
    let at = find_site(state, name)?;
    state.sites.get_mut(at).ok_or_else(|| AdminError::NotFound(format!("there is no site {name}")))
}
