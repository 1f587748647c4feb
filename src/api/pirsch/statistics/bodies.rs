//! Answers that are objects of their own.

use serde::Serialize;
use serde_json::Value;

use crate::api::pirsch::filter::Scale;
use crate::api::pirsch::goal::goal_json;
use crate::sites::Site;
use crate::statistics::Line;
use crate::statistics::active::Active;
use crate::statistics::growth::Growth;
use crate::statistics::overview::Overview;
use crate::statistics::platforms::Platforms;

use super::endpoints::{COUNTRIES, DAYS};
use super::render::{Field, Lines, OneLine};

fn lines<'a>(lines: &'a [Line], fields: &'static [Field]) -> Lines<'a> {
    Lines { lines, fields, scale: Scale::Day }
}

#[derive(Serialize)]
pub(super) struct ActiveBody<'a> {
    stats: Lines<'a>,
    countries: Lines<'a>,
    visitors: u64,
}

impl<'a> ActiveBody<'a> {
    pub(super) fn of(active: &'a Active, fields: &'static [Field]) -> Self {
        let (stats, countries) = (lines(&active.pages, fields), lines(&active.countries, COUNTRIES));
        Self { stats, countries, visitors: active.visitors }
    }
}

/// The growth of visitors is known under two names.
#[derive(Serialize)]
pub(super) struct OverviewBody<'a> {
    visitors: u64,
    views: u64,
    visitors_growth: f64,
    visitor_growth: f64,
    views_growth: f64,
    visitors_time_series: Lines<'a>,
    member: u64,
}

impl<'a> OverviewBody<'a> {
    pub(super) fn of(overview: &'a Overview) -> Self {
        Self {
            visitors: overview.total.metrics.visitors,
            views: overview.total.metrics.views,
            visitors_growth: overview.visitors_growth,
            visitor_growth: overview.visitors_growth,
            views_growth: overview.views_growth,
            visitors_time_series: lines(&overview.days, DAYS),
            member: 1,
        }
    }
}

#[derive(Serialize)]
pub(super) struct GoalBody<'a> {
    page_goal: Value,
    stats: OneLine<'a>,
}

/// The goals that the lines are about.
pub(super) fn goal_bodies<'a>(site: &Site, lines: &'a [Line], fields: &'static [Field]) -> Vec<GoalBody<'a>> {
    let goal = |line: &Line| site.goals.iter().find(|goal| line.keys.get(1) == Some(&goal.id));
    let body = |line| {
        let page_goal = goal_json(goal(line)?, &site.id);
        Some(GoalBody { page_goal, stats: OneLine { line, fields, scale: Scale::Day } })
    };
    lines.iter().filter_map(body).collect()
}

#[derive(Serialize)]
pub(super) struct GrowthBody {
    visitors_growth: f64,
    views_growth: f64,
    sessions_growth: f64,
    bounces_growth: f64,
    time_spent_growth: f64,
    cr_growth: f64,
    custom_metric_avg_growth: f64,
    custom_metric_total_growth: f64,
}

impl From<Growth> for GrowthBody {
    fn from(growth: Growth) -> Self {
        Self {
            visitors_growth: growth.visitors,
            views_growth: growth.views,
            sessions_growth: growth.sessions,
            bounces_growth: growth.bounces,
            time_spent_growth: growth.time_spent,
            cr_growth: growth.conversion,
            custom_metric_avg_growth: growth.custom_average,
            custom_metric_total_growth: growth.custom_total,
        }
    }
}

#[derive(Serialize)]
pub(super) struct PlatformsBody {
    platform_desktop: u64,
    platform_mobile: u64,
    platform_unknown: u64,
    relative_platform_desktop: f64,
    relative_platform_mobile: f64,
    relative_platform_unknown: f64,
}

impl From<Platforms> for PlatformsBody {
    fn from(platforms: Platforms) -> Self {
        Self {
            platform_desktop: platforms.desktop,
            platform_mobile: platforms.mobile,
            platform_unknown: platforms.unknown,
            relative_platform_desktop: platforms.relative_desktop,
            relative_platform_mobile: platforms.relative_mobile,
            relative_platform_unknown: platforms.relative_unknown,
        }
    }
}
