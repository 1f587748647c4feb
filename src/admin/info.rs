//! What commands show of sites, clients and goals.

use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;
use crate::goals::{Goal, MetricKind};
use crate::sites::{Client, Site, WeekStart};

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
    pub name: String,
    pub path_pattern: Option<String>,
    pub pattern: Option<String>,
    pub tags: Vec<String>,
    pub event_name: Option<String>,
    pub event_meta_key: Option<String>,
    pub event_meta_value: Option<String>,
    pub custom_metric_key: Option<String>,
    pub custom_metric_type: Option<MetricKind>,
    pub visitor_goal: Option<u64>,
    pub cr_goal: Option<f64>,
    pub custom_metric_total_goal: Option<f64>,
    pub custom_metric_avg_goal: Option<f64>,
    pub delete_reached: bool,
    pub email_reached: bool,
    pub created: String,
    pub modified: String,
    pub reached: Option<String>,
}

impl GoalInfo {
    pub(super) fn of(goal: &Goal, site: &str) -> Self {
        Self {
            id: goal.id.clone(),
            site: site.to_owned(),
            name: goal.name.clone(),
            path_pattern: goal.path_pattern.clone(),
            pattern: goal.pattern.clone(),
            tags: goal.tags.clone(),
            event_name: goal.event_name.clone(),
            event_meta_key: goal.event_meta_key.clone(),
            event_meta_value: goal.event_meta_value.clone(),
            custom_metric_key: goal.custom_metric_key.clone(),
            custom_metric_type: goal.custom_metric_kind,
            visitor_goal: goal.visitor_goal,
            cr_goal: goal.cr_goal,
            custom_metric_total_goal: goal.custom_metric_total_goal,
            custom_metric_avg_goal: goal.custom_metric_avg_goal,
            delete_reached: goal.delete_reached,
            email_reached: goal.email_reached,
            created: rfc3339(goal.created),
            modified: rfc3339(goal.modified),
            reached: goal.reached.map(rfc3339),
        }
    }
}
