//! What our own script reports: one JSON object a report, posted as plain text, so that browsers ask no permission first.
//!
//! A report goes through the same gates as those of other interfaces for browsers. The site is that of the page's host,
//! or the one that the tag names; what is nobody's is answered as a success, left out and counted. The attributes of the
//! script's element come along as they are: what they mean is decided here, so that the script stays small.

pub mod report;

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{Method, Request};

use crate::api::browser::{self, Browser};
use crate::api::cors::{self, Sharing};
use crate::api::refused::Refused;
use crate::api::{limit, taken};
use crate::app::{App, Ingested};
use crate::enrich::Reason;
use crate::enrich::url::{PageUrl, canonical_host};
use crate::event_ids::Sender;
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::sites::LiveSite;

use self::report::Report;

/// Where the script posts to: its own path without the ending.
pub const PATH: &str = "/hs";
/// The methods that the path takes.
const METHODS: &str = "POST";

/// Answers a request from `peer`, whatever its method.
pub async fn answer(app: &Arc<App>, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    if let Some(answer) = cors::preflight(Sharing::Plain, &head.method, &head.headers, METHODS) {
        return answer;
    }
    let answer = limited(app, peer, &head, body).await;
    respond::uncached(cors::open(Sharing::Plain, answer, &head.headers))
}

async fn limited(app: &Arc<App>, peer: IpAddr, head: &Parts, body: Incoming) -> Answer {
    if head.method != Method::POST {
        return Refused::method(METHODS).answer();
    }
    let ip = browser::address(app, peer, &head.headers);
    match limit::take(app, ip) {
        Ok(allowance) => {
            let answer = take(app, ip, &head.headers, body).await.unwrap_or_else(Refused::answer);
            limit::tell(answer, allowance)
        }
        Err(limited) => Refused::limited(limited).answer(),
    }
}

async fn take(app: &Arc<App>, ip: IpAddr, headers: &HeaderMap, body: Incoming) -> Result<Answer, Refused> {
    let body = body::read_parts(headers, body, body::BYTES_MAX).await.map_err(Refused::body)?;
    let report = Report::read(&body)?;
    let page = PageUrl::parse(report.url()).map_err(|error| Refused::bad(format!("url: {error}")))?;
    let left_out = |reason: Reason| Ingested { left_out: vec![reason.as_str()], ..Ingested::default() };
    let ingested = match site_of(app, &report, &page) {
        // What is stored of leaving has no page, so enrichment cannot look whose it was.
        Some(site) if report.is_leaving() && !site.context().owns_host(&page.host) => {
            app.leave_out(&site, Reason::Hostname);
            left_out(Reason::Hostname)
        }
        Some(site) => {
            let hits = report.hits(Browser::of(ip, headers))?;
            app.ingest(&site, Sender::Anyone, hits, None).await.map_err(Refused::ingest)?
        }
        None => {
            app.count_of_no_site(Reason::Hostname.as_str());
            left_out(Reason::Hostname)
        }
    };
    Ok(taken::tell(respond::empty(), &ingested, browser::asks_for_reasons(headers)))
}

/// The site that a report is for. One that the tag names must have the page's host, which enrichment sees to.
fn site_of(app: &App, report: &Report<'_>, page: &PageUrl) -> Option<Arc<LiveSite>> {
    let named = match report.site() {
        "" => None,
        named => Some(canonical_host(named)?),
    };
    app.state.view().site_named(named.as_deref().unwrap_or(&page.host)).cloned()
}
