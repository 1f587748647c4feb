//! What commands show of sites, clients and goals.

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::enrich::protection::Check;
use crate::goals::{Goal, GoalSpec};
use crate::sites::{Client, ClientKind, Site, WeekStart};

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
    pub checks_off: Vec<Check>,
    pub track_bot_filter: bool,
    pub created: String,
    pub modified: String,
}

impl SiteInfo {
    pub(super) fn of(site: &Site) -> Self {
        Self {
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
            checks_off: site.checks_off.clone(),
            track_bot_filter: site.track_bot_filter,
            created: rfc3339(site.created),
            modified: rfc3339(site.modified),
        }
    }
}

/// A client as commands show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the fields of `Client`")]
pub struct ClientInfo {
    pub client_id: String,
    pub site: String,
    pub write_only: bool,
    pub basic: bool,
    #[serde(default)]
    pub description: String,
    pub created: String,
}

impl ClientInfo {
    pub(super) fn of(client: &Client, site: &str) -> Self {
        Self {
            client_id: client.id.clone(),
            site: site.to_owned(),
            write_only: client.is_write_only(),
            basic: matches!(client.kind, ClientKind::Basic { .. }),
            description: client.description.clone(),
            created: rfc3339(client.created),
        }
    }
}

/// A goal as commands show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named after the fields of `Goal`")]
pub struct GoalInfo {
    pub id: String,
    pub site: String,
    #[serde(flatten)]
    pub spec: GoalSpec,
    pub pattern: Option<String>,
    pub created: String,
    pub modified: String,
    pub reached: Option<String>,
}

impl std::ops::Deref for GoalInfo {
    type Target = GoalSpec;

    fn deref(&self) -> &GoalSpec {
        &self.spec
    }
}

impl GoalInfo {
    pub(super) fn of(goal: &Goal, site: &str) -> Self {
        Self {
            id: goal.id.clone(),
            site: site.to_owned(),
            spec: goal.spec.clone(),
            pattern: goal.pattern.clone(),
            created: rfc3339(goal.created),
            modified: rfc3339(goal.modified),
            reached: goal.reached.map(rfc3339),
        }
    }
}
