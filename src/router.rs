//! Every route of the server.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request};

use crate::api::health;
use crate::api::pirsch::error::ApiError;
use crate::api::pirsch::hit::Call;
use crate::api::pirsch::{domain, read, token, track};
use crate::app::App;
use crate::http::respond::{self, Answer};

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Route {
    Index,
    Live,
    Metrics,
    Health,
    Token,
    Domain,
    Track(Call),
    Batch(Call),
    Statistic(String),
}

/// The method that a path takes and what it leads to. Where GET is taken, HEAD is too.
fn find(path: &str) -> Option<(Method, Route)> {
    Some(match path {
        "/" => (Method::GET, Route::Index),
        "/livez" => (Method::GET, Route::Live),
        "/metrics" => (Method::GET, Route::Metrics),
        "/api/v1/healthcheck" => (Method::GET, Route::Health),
        "/api/v1/token" => (Method::POST, Route::Token),
        "/api/v1/domain" => (Method::GET, Route::Domain),
        "/api/v1/hit" => (Method::POST, Route::Track(Call::Hit)),
        "/api/v1/event" => (Method::POST, Route::Track(Call::Event)),
        "/api/v1/session" => (Method::POST, Route::Track(Call::Session)),
        "/api/v1/hit/batch" => (Method::POST, Route::Batch(Call::Hit)),
        "/api/v1/event/batch" => (Method::POST, Route::Batch(Call::Event)),
        "/api/v1/session/batch" => (Method::POST, Route::Batch(Call::Session)),
        _ => (Method::GET, Route::Statistic(path.strip_prefix("/api/v1/statistics/")?.to_owned())),
    })
}

/// Answers a request from `peer`.
pub async fn answer(app: Arc<App>, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let Some((method, route)) = find(request.uri().path()) else {
        return ApiError::not_found().answer();
    };
    let takes_head = method == Method::GET && request.method() == Method::HEAD;
    if request.method() != method && !takes_head {
        let methods = if method == Method::GET { "GET, HEAD" } else { "POST" };
        return ApiError::method_not_allowed(methods);
    }
    let answered = dispatch(&app, peer, route, request).await;
    answered.unwrap_or_else(|error| {
        let answer = error.answer();
        // Of a body that was too large or too slow the rest is still to come: the connection is of no more use.
        if matches!(error.status.as_u16(), 408 | 413) { respond::close(answer) } else { answer }
    })
}

async fn dispatch(
    app: &Arc<App>,
    peer: IpAddr,
    route: Route,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    match route {
        Route::Index => Ok(health::index()),
        Route::Live => Ok(health::live()),
        Route::Metrics => Ok(health::metrics(app)),
        Route::Health => health::check(app),
        Route::Token => token::issue(app, client_ip(app, peer, &request), request).await,
        Route::Domain => domain::list(app, request.headers()),
        Route::Track(call) => track::single(app, call, request).await,
        Route::Batch(call) => track::batch(app, call, request).await,
        Route::Statistic(path) => read::statistic(app, &path, request.uri(), request.headers()).await,
    }
}

/// The client's address: the peer's, or what a trusted proxy says.
fn client_ip(app: &App, peer: IpAddr, request: &Request<Incoming>) -> IpAddr {
    let values = request.headers().get_all(app.proxies.header.as_str());
    app.proxies.client(peer, values.iter().filter_map(|value| value.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_somewhere() {
        assert_eq!(find("/api/v1/hit"), Some((Method::POST, Route::Track(Call::Hit))));
        assert_eq!(
            find("/api/v1/statistics/utm/source"),
            Some((Method::GET, Route::Statistic("utm/source".into())))
        );
        for path in ["", "/api", "/api/v1/hit/", "/api/v2/hit", "/api/v1/statistics"] {
            assert_eq!(find(path), None, "{path}");
        }
    }
}
