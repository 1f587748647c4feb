//! `hitstone demo`: a made-up site with a month of made-up traffic, sent through the ordinary ingest path.

mod traffic;

use std::net::SocketAddr;
use std::sync::Arc;

use hitstone_engine::units::DAY_MS;

use crate::admin::{NewClient, Request, Response};
use crate::app::{App, IngestError};
use crate::clock;
use crate::event_ids::Sender;
use crate::goals::GoalSpec;
use crate::sites::LiveSite;

/// The made-up site.
const HOST: &str = "demo.example";
/// Days of traffic, today included.
const DAYS: i64 = 30;
/// Hits sent at once.
const BATCH_HITS: usize = 2_000;

/// What the one who tries the demo needs to know.
pub struct Shown {
    site_id: String,
    client_id: String,
    client_secret: String,
    token: String,
    from: String,
    to: String,
}

impl Shown {
    /// Lines to print, once the server listens on `address`.
    pub fn lines(&self, address: SocketAddr) -> Vec<String> {
        let Self { site_id, client_id, client_secret, token, from, to } = self;
        vec![
            format!("open http://{address}/"),
            format!("site {HOST}, id {site_id}, client id {client_id}, client secret {client_secret}"),
            format!(
                "curl -H 'Authorization: Bearer {token}' \
                 'http://{address}/api/v1/statistics/visitor?id={site_id}&from={from}&to={to}'"
            ),
        ]
    }
}

/// Fills the folder unless it is filled, and makes a client. `None` is never returned while there is a site.
///
/// # Errors
/// What failed, in words.
pub async fn prepare(app: &Arc<App>) -> Result<Option<Shown>, String> {
    let has_site = app.state.view().state.site_of_host(HOST).is_some();
    let is_filled = has_site && has_client(app);
    if has_site && !is_filled {
        // An earlier demo ended while it filled the folder: what it left is not shown.
        administer(app, Request::SiteDelete { host: HOST.into() }).await?;
    }
    if !is_filled {
        let (ensuring, now) = (Arc::clone(app), app.clock.now_ms());
        let task = tokio::task::spawn_blocking(move || crate::admin::ensure_site(&ensuring.state, now, HOST));
        task.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        fill(app).await?;
        for goal in goals() {
            administer(app, Request::GoalCreate { site: Some(HOST.into()), goal }).await?;
        }
    }
    // The mark of a filled folder; its secret cannot be shown again, so each start makes one.
    let created = administer(
        app,
        Request::ClientCreate { site: HOST.into(), kind: NewClient::Oauth, description: "demo".into() },
    )
    .await?;
    let Response::ClientCreated { client_id, client_secret } = created else { return Ok(None) };
    let now = app.clock.now_ms();
    let (issuing, client) = (Arc::clone(app), client_id.clone());
    let issued = tokio::task::spawn_blocking(move || issuing.tokens.issue(&client, now)).await;
    let token = issued.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?.token;
    let Some(site) = demo_site(app) else { return Ok(None) };
    let date = |time| clock::rfc3339(time).chars().take(10).collect::<String>();
    let (from, to) = (date(now - (DAYS - 1) * DAY_MS), date(now));
    Ok(Some(Shown { site_id: site.id.clone(), client_id, client_secret, token, from, to }))
}

async fn fill(app: &Arc<App>) -> Result<(), String> {
    let site = demo_site(app).ok_or("the demo's site has vanished")?;
    let now = app.clock.now_ms();
    let first_day = now.div_euclid(DAY_MS) - (DAYS - 1);
    for day in first_day..first_day + DAYS {
        let mut hits = traffic::day(day, now);
        while !hits.is_empty() {
            let rest = hits.split_off(hits.len().min(BATCH_HITS));
            app.ingest(&site, Sender::Known, hits, None).await.map_err(|error| words(&error))?;
            hits = rest;
        }
    }
    Ok(())
}

/// What the shop wants its visitors to do.
fn goals() -> [GoalSpec; 2] {
    let named = |name: &str| GoalSpec { name: name.to_owned(), ..GoalSpec::default() };
    [
        GoalSpec { path_pattern: Some("/shop/**".into()), ..named("Looked at a tea") },
        GoalSpec { event_name: Some("Newsletter".into()), ..named("Subscribed to the newsletter") },
    ]
}

fn words(error: &IngestError) -> String {
    match error {
        IngestError::Refused { field, message, .. } => format!("the demo's {field} {message}"),
        IngestError::Busy(message) | IngestError::Unavailable(message) | IngestError::TooLarge(message) => {
            message.clone()
        }
    }
}

fn demo_site(app: &App) -> Option<Arc<LiveSite>> {
    let view = app.state.view();
    let number = view.state.site_of_host(HOST)?.number;
    view.site(number).cloned()
}

fn has_client(app: &App) -> bool {
    let view = app.state.view();
    let number = view.state.site_of_host(HOST).map(|site| site.number);
    view.state.clients.iter().any(|client| Some(client.site) == number)
}

async fn administer(app: &Arc<App>, request: Request) -> Result<Response, String> {
    let app = Arc::clone(app);
    let task = tokio::task::spawn_blocking(move || app.administer(request));
    task.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
