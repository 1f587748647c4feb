//! Goals that are to be deleted or announced once they are reached: looked after every minute.
//!
//! A goal is reached when every number that it names is: visitors, their share, the custom metric's total and
//! average, counted from the day the goal was created on. There is no mail in this server: a reached goal is
//! announced by a line on standard error.

use std::sync::Arc;

use hitstone_engine::error::QueryError;
use hitstone_engine::query::Cancelled;
use hitstone_engine::store::Snapshot;
use hitstone_engine::units::TimestampMs;
use jiff::tz::TimeZone;

use crate::admin;
use crate::app::App;
use crate::goals::Goal;
use crate::sites::{LiveSite, Site};
use crate::statistics::numbers::share;
use crate::statistics::period::{Period, local_date};
use crate::statistics::selection::Selection;
use crate::statistics::{Line, Page, Question, SnapshotAsk, goals};

/// Looks after the goals of all sites, one question a goal: a goal that takes too long holds up no other. What
/// cannot be told now is tried again with the next round.
pub async fn look(app: &Arc<App>) {
    let now = app.clock.now_ms();
    for site in app.state.view().sites() {
        for goal in site.goals.iter().filter(|goal| is_waited_for(goal)) {
            if let Err(reason) = look_at(Arc::clone(app), Arc::clone(site), goal.clone(), now).await {
                eprintln!("hitstone: the goal {:?} of {}: {reason}", goal.name, site.hostname);
            }
        }
    }
}

async fn look_at(app: Arc<App>, site: Arc<LiveSite>, goal: Goal, now: TimestampMs) -> Result<(), String> {
    let (asked_site, asked_goal) = (Arc::clone(&site), goal.clone());
    let line = app.query(site.site_id(), move |snapshot, cancelled| {
        numbers(&snapshot, &asked_site, &asked_goal, now, cancelled).map_err(|error| error.to_string())
    });
    if is_reached(&goal, &line.await??) {
        let noted = tokio::task::spawn_blocking(move || note(&app, &site, now, &goal));
        noted.await.map_err(|_| "the server failed on this goal")?;
    }
    Ok(())
}

/// Whether anything happens when the goal is reached, and it can be.
fn is_waited_for(goal: &Goal) -> bool {
    let has_target = goal.visitor_goal.is_some()
        || goal.cr_goal.is_some()
        || goal.custom_metric_total_goal.is_some()
        || goal.custom_metric_avg_goal.is_some();
    goal.reached.is_none() && has_target && (goal.delete_reached || goal.email_reached)
}

fn numbers(
    snapshot: &Snapshot,
    site: &Site,
    goal: &Goal,
    now: TimestampMs,
    cancelled: Cancelled<'_>,
) -> Result<Line, QueryError> {
    let zone = TimeZone::get(&site.timezone).unwrap_or(TimeZone::UTC);
    let (first, last) = (local_date(&zone, goal.created), local_date(&zone, now));
    let period = Period::days(zone, first, last);
    let question = Question {
        ask: &SnapshotAsk::new(snapshot, cancelled),
        site: site.site_id(),
        selection: &Selection::default(),
        period: &period,
        page: Page { offset: 0, limit: None },
        with_title: false,
        with_time: false,
        scale: Default::default(),
        sort_by: None,
        ascending: None,
        search: None,
        custom: None,
    };
    goals::line(&question, goal)
}

fn is_reached(goal: &Goal, line: &Line) -> bool {
    let percentage = 100.0 * share(line.metrics.visitors, line.whole.visitors);
    let enough = |target: Option<f64>, number: f64| target.is_none_or(|target| number >= target);
    goal.visitor_goal.is_none_or(|visitors| line.metrics.visitors >= visitors)
        && enough(goal.cr_goal, percentage)
        && enough(goal.custom_metric_total_goal, line.custom.total())
        && enough(goal.custom_metric_avg_goal, line.custom.average())
}

fn note(app: &App, site: &Site, now: TimestampMs, goal: &Goal) {
    match admin::goal_reached(&app.state, now, site.number, goal) {
        Ok(true) if goal.delete_reached => {
            eprintln!("hitstone: {}: the goal {:?} is reached, and deleted", site.hostname, goal.name);
        }
        Ok(true) => eprintln!("hitstone: {}: the goal {:?} is reached", site.hostname, goal.name),
        Ok(false) => {}
        Err(error) => eprintln!("hitstone: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Request;
    use crate::api::json::Json;
    use crate::api::pirsch::hit::{self, Call};
    use crate::clock::Clock;
    use crate::config::Given;
    use crate::goals::GoalSpec;
    use hitstone_engine::query::Metrics;
    use hitstone_engine::vfs::OsFs;

    #[test]
    fn every_number_must_be_reached() {
        let goal = |visitors, percentage| {
            let spec = GoalSpec {
                name: "goal".into(),
                path_pattern: Some("/".into()),
                visitor_goal: visitors,
                cr_goal: percentage,
                delete_reached: true,
                ..GoalSpec::default()
            };
            Goal::new("id".into(), spec, 0).unwrap()
        };
        let line = Line {
            metrics: Metrics { visitors: 10, ..Metrics::default() },
            whole: Metrics { visitors: 40, ..Metrics::default() },
            ..Line::default()
        };
        for (visitors, percentage, want) in [
            (Some(10), None, true),
            (Some(11), None, false),
            (None, Some(25.0), true),
            (None, Some(25.1), false),
            (Some(10), Some(25.1), false),
        ] {
            assert_eq!(is_reached(&goal(visitors, percentage), &line), want, "{visitors:?} {percentage:?}");
        }
        assert!(!is_waited_for(&goal(None, None)), "a goal without a number is never reached");
    }

    #[tokio::test]
    async fn a_reached_goal_is_deleted_or_noted_once() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Given::default().settings(&folder.path().display().to_string()).unwrap();
        let app = Arc::new(App::open(Arc::new(OsFs), settings, Clock::system()).unwrap());
        app.administer(Request::SiteCreate { host: "example.com".into() }).unwrap();
        let create = |name: &str, visitors, delete_reached| {
            let goal = GoalSpec {
                name: name.into(),
                path_pattern: Some("/bought".into()),
                visitor_goal: Some(visitors),
                delete_reached,
                email_reached: true,
                ..GoalSpec::default()
            };
            app.administer(Request::GoalCreate { site: None, goal }).unwrap();
        };
        create("one", 1, true);
        create("two", 1, false);
        create("three", 2, true);
        let goals = || {
            let view = app.state.view();
            let site = view.sites().next().unwrap();
            let of = |goal: &Goal| (goal.name.clone(), goal.reached.is_some());
            (Arc::clone(site), site.goals.iter().map(of).collect::<Vec<_>>())
        };
        look(&app).await;
        assert_eq!(goals().1.len(), 3, "nobody has bought yet");
        let body = br#"{"url":"https://example.com/bought","ip":"198.51.100.2","disable_bot_filter":true,
                        "user_agent":"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}"#;
        let hit = hit::read(Call::Hit, Json::parse(body).unwrap(), app.clock.now_ms(), false).unwrap();
        let ingested =
            app.ingest(&goals().0, crate::event_ids::Sender::Known, vec![hit], None).await.unwrap();
        assert_eq!(ingested.stored, 1, "{ingested:?}");
        for _ in 0..2 {
            look(&app).await;
            assert_eq!(goals().1, [("two".to_owned(), true), ("three".to_owned(), false)]);
        }
    }
}
