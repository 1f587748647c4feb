//! Every route of the server.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request};

use crate::api::pirsch::domain::setting::{self, Setting};
use crate::api::pirsch::domain::{self, alternative};
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::hit::Call;
use crate::api::pirsch::{client, goal, page, read, token, track};
use crate::api::{browser, health, prisme, rejected, script, segmentstream};
use crate::app::App;
use crate::http::respond::Answer;
use crate::install;
use crate::scripts::{self, Script};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Index,
    Install,
    Live,
    Metrics,
    Health,
    Token,
    Domain,
    Setting(Setting),
    Alternative,
    Client,
    Goal,
    GoalPattern,
    Rejected,
    Track(Call),
    Batch(Call),
    Page(Call),
    Statistic(String),
    Prisme(prisme::Route),
    SegmentStream(segmentstream::Route),
    Report,
    Script(&'static Script),
}

type Methods = &'static [Method];

/// Whoever answers looks at the method.
const ANY: Methods = &[];
const GET: Methods = &[Method::GET];
const POST: Methods = &[Method::POST];
const MANY: Methods = &[Method::GET, Method::POST, Method::DELETE];
const ALL: Methods = &[Method::GET, Method::POST, Method::PUT, Method::DELETE];

/// The methods that a path takes and what it leads to. Where GET is taken, HEAD is too.
fn find(path: &str) -> Option<(Methods, Route)> {
    Some(match path {
        "/" => (GET, Route::Index),
        "/install" => (GET, Route::Install),
        "/livez" => (GET, Route::Live),
        "/metrics" => (GET, Route::Metrics),
        "/api/v1/healthcheck" => (ANY, Route::Health),
        "/api/v1/token" => (POST, Route::Token),
        "/api/v1/domain" => (ALL, Route::Domain),
        "/api/v1/domain/alternative" => (ALL, Route::Alternative),
        "/api/v1/client" => (MANY, Route::Client),
        "/api/v1/goal" => (ALL, Route::Goal),
        "/api/v1/goal/regex" => (POST, Route::GoalPattern),
        "/api/v1/rejected" => (GET, Route::Rejected),
        "/api/v1/hit" => (POST, Route::Track(Call::Hit)),
        "/api/v1/event" => (POST, Route::Track(Call::Event)),
        "/api/v1/session" => (POST, Route::Track(Call::Session)),
        "/api/v1/hit/batch" => (POST, Route::Batch(Call::Hit)),
        "/api/v1/event/batch" => (POST, Route::Batch(Call::Event)),
        "/api/v1/session/batch" => (POST, Route::Batch(Call::Session)),
        "/hit" => (ANY, Route::Page(Call::Hit)),
        "/event" => (ANY, Route::Page(Call::Event)),
        "/session" => (ANY, Route::Page(Call::Session)),
        "/track" => (ANY, Route::SegmentStream(segmentstream::Route::Track)),
        "/track/batch" => (ANY, Route::SegmentStream(segmentstream::Route::Batch)),
        "/collect" => (ANY, Route::SegmentStream(segmentstream::Route::Collect)),
        script::PATH => (ANY, Route::Report),
        _ => return find_below(path),
    })
}

fn find_below(path: &str) -> Option<(Methods, Route)> {
    if path.starts_with("/api/v1/healthcheck/") {
        return Some((ANY, Route::Health));
    }
    if let Some(statistic) = path.strip_prefix("/api/v1/statistics/") {
        return Some((GET, Route::Statistic(statistic.to_owned())));
    }
    if let Some(setting) = path.strip_prefix("/api/v1/domain/") {
        return Some((POST, Route::Setting(Setting::at(setting)?)));
    }
    if let Some(script) = scripts::find(path) {
        return Some((GET, Route::Script(script)));
    }
    prisme::find(path).map(|route| (ANY, Route::Prisme(route)))
}

/// Answers a request from `peer`.
pub async fn answer(app: Arc<App>, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let Some((methods, route)) = find(request.uri().path()) else {
        return ApiError::not_found().answer();
    };
    let asked = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if !methods.is_empty() && !methods.contains(asked) {
        return ApiError::method_not_allowed(&names(methods));
    }
    dispatch(&app, peer, route, request).await.unwrap_or_else(|error| error.answer())
}

fn names(methods: Methods) -> String {
    let names = methods.iter().flat_map(|method| match *method {
        Method::GET => vec!["GET", "HEAD"],
        _ => vec![method.as_str()],
    });
    names.collect::<Vec<_>>().join(", ")
}

async fn dispatch(
    app: &Arc<App>,
    peer: IpAddr,
    route: Route,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    match route {
        Route::Index => Ok(health::index()),
        Route::Install => Ok(install::page()),
        Route::Live => Ok(health::live()),
        Route::Metrics => Ok(health::metrics(app)),
        Route::Health => health::check(app),
        Route::Token => token::issue(app, browser::address(app, peer, request.headers()), request).await,
        Route::Domain => domain::answer(app, request).await,
        Route::Setting(setting) => setting::change(app, setting, request).await,
        Route::Alternative => alternative::answer(app, request).await,
        Route::Client => client::answer(app, request).await,
        Route::Goal => goal::answer(app, request).await,
        Route::GoalPattern => goal::try_pattern(app, request).await,
        Route::Rejected => rejected::answer(app, request.uri(), request.headers()).await,
        Route::Track(call) => track::single(app, call, request).await,
        Route::Batch(call) => track::batch(app, call, request).await,
        Route::Page(call) => Ok(page::answer(app, peer, call, request).await),
        Route::SegmentStream(route) => Ok(segmentstream::answer(app, peer, route, request).await),
        Route::Prisme(route) => Ok(prisme::answer(app, peer, &route, request).await),
        Route::Report => Ok(script::answer(app, peer, request).await),
        Route::Script(script) => Ok(script.answer(request.headers())),
        Route::Statistic(path) => read::statistic(app, &path, request.uri(), request.headers()).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere() {
        assert_eq!(find("/api/v1/hit"), Some((POST, Route::Track(Call::Hit))));
        assert_eq!(find("/api/v1/statistics/utm/source"), Some((GET, Route::Statistic("utm/source".into()))));
        assert_eq!(find("/api/v1/domain/timezone"), Some((POST, Route::Setting(Setting::TimeZone))));
        let page_view = Some((ANY, Route::Prisme(prisme::Route::PageView)));
        assert_eq!(find("/api/v1/events/pageviews"), page_view);
        assert!(matches!(find("/static/wa.js"), Some((GET, Route::Script(_)))));
        assert_eq!(names(ALL), "GET, HEAD, POST, PUT, DELETE");
        for path in [
            "",
            "/api",
            "/api/v1/hit/",
            "/api/v2/hit",
            "/api/v1/statistics",
            "/api/v1/domain/",
            "/api/v1/domain/x",
        ] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
