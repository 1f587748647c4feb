//! `/api/v1/goal`: the conversion goals of the client's site, and `/api/v1/goal/regex`, a trial of a pattern.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, Uri};
use serde_json::{Value, json};

use crate::admin::{Request as AdminRequest, Response};
use crate::api::pirsch::access;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::manage;
use crate::api::pirsch::members::Members;
use crate::app::App;
use crate::clock::rfc3339;
use crate::goals::{Goal, GoalSpec, MetricKind};
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::pattern;
use crate::sites::{LiveSite, Site};

/// Characters of a sample: as many as a path may have.
const SAMPLE_CHARS_MAX: usize = 2_000;

/// Lists, creates, changes and deletes goals.
///
/// # Errors
/// 400, 401, 403, 404, 413, 429, 503.
pub async fn answer(app: &Arc<App>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let site = manage::caller(app, request.headers())?.site;
    let method = request.method().clone();
    if method == Method::DELETE {
        return delete(app, &site, request.uri()).await;
    }
    if method != Method::POST && method != Method::PUT {
        return list(&site, request.uri());
    }
    let body = body::read(request).await?;
    let members = Members::parse(&body)?;
    let goal = if method == Method::PUT {
        if let Some(id) = members.text("domain_id")? {
            access::check_domain(&site, id)?;
        }
        let id = members.required("id")?.to_owned();
        AdminRequest::GoalReplace { site: site.id.clone(), id, goal: spec(&members)? }
    } else {
        access::check_domain(&site, members.required("domain_id")?)?;
        AdminRequest::GoalCreate { site: Some(site.id.clone()), goal: spec(&members)? }
    };
    write(app, &site, goal, &members).await
}

fn list(site: &Site, uri: &Uri) -> Result<Answer, ApiError> {
    access::check_domain(site, &manage::required_query(uri, "id")?)?;
    let search = manage::query(uri, "search").unwrap_or_default().to_lowercase();
    let found = site.goals.iter().filter(|goal| goal.name.to_lowercase().contains(&search));
    let goals: Vec<Value> = found.map(|goal| goal_json(goal, &site.id)).collect();
    Ok(respond::json(StatusCode::OK, Value::Array(goals).to_string()))
}

async fn delete(app: &Arc<App>, site: &Site, uri: &Uri) -> Result<Answer, ApiError> {
    let id = manage::required_query(uri, "id")?;
    manage::administer(app, AdminRequest::GoalDelete { site: Some(site.id.clone()), id }).await?;
    Ok(respond::empty())
}

async fn write(
    app: &Arc<App>,
    site: &LiveSite,
    change: AdminRequest,
    members: &Members<'_>,
) -> Result<Answer, ApiError> {
    let done = manage::administer(app, change).await.map_err(|error| as_sent(error, members))?;
    let Response::Goal(written) = done else { return Err(manage::failed()) };
    let site = manage::site_now(app, site)?;
    let gone = || ApiError::new(StatusCode::NOT_FOUND, "the goal was deleted meanwhile");
    let goal = site.goal(&written.id).ok_or_else(gone)?;
    Ok(respond::json(StatusCode::OK, goal_json(goal, &site.id).to_string()))
}

/// A percentage goes by two names: a fault in it by the one that was sent.
fn as_sent(error: ApiError, members: &Members<'_>) -> ApiError {
    if members.has("cr") { error.renamed("cr_goal", "cr") } else { error }
}

fn spec(members: &Members<'_>) -> Result<GoalSpec, ApiError> {
    let text = |name| Ok::<_, ApiError>(members.text(name)?.map(str::to_owned));
    let kind = match members.text("custom_metric_type")? {
        None => None,
        Some(name) => Some(
            MetricKind::named(name)
                .ok_or_else(|| ApiError::field("custom_metric_type", "must be integer or float"))?,
        ),
    };
    Ok(GoalSpec {
        name: text("name")?.unwrap_or_default(),
        path_pattern: text("path_pattern")?,
        tags: members.texts("tags")?,
        event_name: text("event_name")?,
        event_meta_key: text("event_meta_key")?,
        event_meta_value: text("event_meta_value")?,
        custom_metric_key: text("custom_metric_key")?,
        custom_metric_kind: kind,
        visitor_goal: members.whole("visitors")?.or(members.whole("visitor_goal")?),
        cr_goal: members.number("cr")?.or(members.number("cr_goal")?),
        custom_metric_total_goal: members.number("custom_metric_total_goal")?,
        custom_metric_avg_goal: members.number("custom_metric_avg_goal")?,
        delete_reached: members.switch("delete_reached")?.unwrap_or_default(),
        email_reached: members.switch("email_reached")?.unwrap_or_default(),
    })
}

/// A goal as clients see it; what is not set is null, but for the path: clients declare that a text.
pub fn goal_json(goal: &Goal, site_id: &str) -> Value {
    json!({
        "id": goal.id,
        "def_time": rfc3339(goal.created),
        "mod_time": rfc3339(goal.modified),
        "domain_id": site_id,
        "name": goal.name,
        "path_pattern": goal.path_pattern.as_deref().unwrap_or_default(),
        "pattern": goal.pattern.as_deref().unwrap_or_default(),
        "tags": goal.tags,
        "event_name": goal.event_name,
        "event_meta_key": goal.event_meta_key,
        "event_meta_value": goal.event_meta_value,
        "custom_metric_key": goal.custom_metric_key,
        "custom_metric_type": goal.custom_metric_kind.map(MetricKind::as_str),
        "visitor_goal": goal.visitor_goal,
        "cr_goal": goal.cr_goal,
        "custom_metric_total_goal": goal.custom_metric_total_goal,
        "custom_metric_avg_goal": goal.custom_metric_avg_goal,
        "delete_reached": goal.delete_reached,
        "email_reached": goal.email_reached,
    })
}

/// Tells whether a pattern is one, and matches a sample.
///
/// # Errors
/// 400, 401, 403, 413, 429.
pub async fn try_pattern(app: &Arc<App>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    manage::caller(app, request.headers())?;
    let body = body::read(request).await?;
    let members = Members::parse(&body)?;
    let regex = members.required("regex")?.to_owned();
    let sample = members.text("sample")?.unwrap_or_default().to_owned();
    if sample.chars().count() > SAMPLE_CHARS_MAX {
        return Err(ApiError::field("sample", format!("is longer than {SAMPLE_CHARS_MAX} characters")));
    }
    // A large pattern takes its time.
    let trial =
        tokio::task::spawn_blocking(move || pattern::compile(&regex).map(|regex| regex.is_match(&sample)));
    let matches = trial.await.map_err(|_| manage::failed())?;
    let matches = matches.map_err(|message| ApiError::field("regex", message))?;
    Ok(respond::json(StatusCode::OK, json!({ "match": matches }).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<GoalSpec, ApiError> {
        spec(&Members::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn what_sdks_send_for_unset_is_unset() {
        let body = r#"{"name":"g","path_pattern":"/a","tags":null,"event_name":"","custom_metric_type":"",
                       "visitors":0,"cr":0,"custom_metric_total_goal":0,"delete_reached":null,"x":[1]}"#;
        let goal = Goal::new("id".into(), read(body).unwrap(), 0).unwrap();
        let plain = Goal::new("id".into(), read(r#"{"name":"g","path_pattern":"/a"}"#).unwrap(), 0).unwrap();
        assert_eq!(goal, plain);
        let shown = goal_json(&goal, "site");
        for unset in ["event_name", "custom_metric_type", "visitor_goal", "cr_goal", "custom_metric_avg_goal"]
        {
            assert_eq!(shown.get(unset), Some(&Value::Null), "{unset}");
        }
        assert_eq!((&shown["domain_id"], &shown["pattern"]), (&json!("site"), &json!("(?i)^/a$")));
    }

    #[test]
    fn both_names_of_a_target_are_known() {
        for body in [r#"{"visitors":5,"cr":1.5}"#, r#"{"visitor_goal":5,"cr_goal":1.5,"visitors":null}"#] {
            let spec = read(body).unwrap();
            assert_eq!((spec.visitor_goal, spec.cr_goal), (Some(5), Some(1.5)), "{body}");
        }
        for (body, field) in [
            (r#"{"visitors":1.5}"#, "visitors"),
            (r#"{"visitor_goal":-1}"#, "visitor_goal"),
            (r#"{"cr":"1"}"#, "cr"),
            (r#"{"tags":{"a":"b"}}"#, "tags"),
            (r#"{"custom_metric_type":"text"}"#, "custom_metric_type"),
            (r#"{"email_reached":1}"#, "email_reached"),
        ] {
            assert!(read(body).unwrap_err().validation.contains_key(field), "{body}");
        }
    }
}
