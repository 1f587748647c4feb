//! Conversion goals of sites.

use hitstone_engine::units::TimestampMs;

use super::{AdminError, GoalInfo, Response, site, site_mut};
use crate::auth;
use crate::goals::{GOALS_MAX, Goal, GoalSpec};
use crate::sites::Site;
use crate::state::{State, StateFile};

pub(super) fn create(
    state: &mut State,
    now: TimestampMs,
    host: Option<&str>,
    spec: GoalSpec,
) -> Result<Response, AdminError> {
    let host = host.map_or_else(|| the_only_site(state), |host| Ok(host.to_owned()))?;
    let site = site_mut(state, &host)?;
    if site.goals.len() >= GOALS_MAX {
        return Err(AdminError::Refused(format!("a site has at most {GOALS_MAX} goals: delete some")));
    }
    let goal = Goal::new(auth::random_text(auth::GOAL_ID_CHARS)?, spec, now)?;
    let answer = shown(&goal, site);
    site.goals.push(goal);
    Ok(answer)
}

/// The site that is meant when none is named.
fn the_only_site(state: &State) -> Result<String, AdminError> {
    match state.sites.as_slice() {
        [only] => Ok(only.id.clone()),
        [] => Err(AdminError::NotFound("there is no site yet: make one with `hitstone site create`".into())),
        several => {
            let hosts: Vec<&str> = several.iter().take(5).map(|site| site.hostname.as_str()).collect();
            let more = if several.len() > hosts.len() { ", ..." } else { "" };
            let hosts = hosts.join(", ");
            let message = format!("is required where there are several sites (--site HOST): {hosts}{more}");
            Err(AdminError::invalid("site", message))
        }
    }
}

pub(super) fn replace(
    state: &mut State,
    now: TimestampMs,
    host: &str,
    id: &str,
    spec: GoalSpec,
) -> Result<Response, AdminError> {
    let site = site_mut(state, host)?;
    let at = site.goals.iter().position(|goal| goal.id == id);
    let goal = at.and_then(|at| site.goals.get_mut(at)).ok_or_else(|| no_goal(id))?;
    goal.replace(spec, now)?;
    let goal = goal.clone();
    Ok(shown(&goal, site))
}

pub(super) fn delete(state: &mut State, host: Option<&str>, id: &str) -> Result<Response, AdminError> {
    let number = host.map(|host| site(state, host).map(|site| site.number)).transpose()?;
    for site in state.sites.iter_mut().filter(|site| number.is_none_or(|number| site.number == number)) {
        if let Some(at) = site.goals.iter().position(|goal| goal.id == id) {
            site.goals.remove(at);
            return Ok(Response::Deleted { deleted: id.to_owned() });
        }
    }
    Err(no_goal(id))
}

pub(super) fn list(state: &State, host: Option<&str>) -> Result<Response, AdminError> {
    let only = host.map(|host| site(state, host).map(|site| site.number)).transpose()?;
    let wanted = state.sites.iter().filter(|site| only.is_none_or(|number| site.number == number));
    let goals = wanted.flat_map(|site| site.goals.iter().map(|goal| GoalInfo::of(goal, &site.hostname)));
    Ok(Response::Goals(goals.collect()))
}

/// Notes that a goal is reached, and deletes it when it asks for that. Gives whether this is news: `false` when the goal
/// is gone, or is no longer as it was `seen` before its numbers were asked for. Waits for the disk.
///
/// # Errors
/// The state could not be written; nothing was changed then.
pub fn goal_reached(file: &StateFile, now: TimestampMs, site: u32, seen: &Goal) -> Result<bool, AdminError> {
    file.change(|state| Ok(note_reached(state, now, site, seen)))
}

fn note_reached(state: &mut State, now: TimestampMs, number: u32, seen: &Goal) -> bool {
    let Some(site) = state.sites.iter_mut().find(|site| site.number == number) else { return false };
    let Some(at) = site.goals.iter().position(|goal| goal == seen) else { return false };
    if seen.delete_reached {
        site.goals.remove(at);
    } else if let Some(goal) = site.goals.get_mut(at) {
        goal.reached = Some(now);
    }
    true
}

fn no_goal(id: &str) -> AdminError {
    AdminError::NotFound(format!("there is no goal {id}"))
}

fn shown(goal: &Goal, site: &Site) -> Response {
    Response::Goal(Box::new(GoalInfo::of(goal, &site.hostname)))
}
