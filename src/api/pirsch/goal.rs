//! Conversion goals.

use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::goals::Goal;

/// A goal as clients know it; what is not set is null.
pub fn goal_json(goal: &Goal, site_id: &str) -> Value {
    json!({
        "id": goal.id,
        "def_time": rfc3339(goal.created),
        "mod_time": rfc3339(goal.modified),
        "domain_id": site_id,
        "name": goal.name,
        "path_pattern": goal.path_pattern,
        "pattern": goal.pattern,
        "tags": goal.tags,
        "event_name": goal.event_name,
        "event_meta_key": goal.event_meta_key,
        "event_meta_value": goal.event_meta_value,
        "custom_metric_key": goal.custom_metric_key,
        "custom_metric_type": goal.custom_metric_kind,
        "visitor_goal": goal.visitor_goal,
        "cr_goal": goal.cr_goal,
        "custom_metric_total_goal": goal.custom_metric_total_goal,
        "custom_metric_avg_goal": goal.custom_metric_avg_goal,
        "delete_reached": goal.delete_reached,
        "email_reached": goal.email_reached,
    })
}
