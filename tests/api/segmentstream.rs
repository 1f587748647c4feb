//! SegmentStream's tracking API as backends and its script in pages use it.

mod batch;
mod collect;
mod track;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::http::{Request, Response};
use crate::support::{Client, FIREFOX, Folder, Server, mmdb};

const HOST: &str = "shop.test";
const DAY: &str = "from=2026-06-10&to=2026-06-10";
const EVER: &str = "from=2020-01-01&to=2030-12-31";
const TIME: &str = "2026-06-10T12:00:00Z";
const JSON: &str = "application/json";

/// A site with a token for `/track`.
struct Shop {
    server: Server,
    client: Client,
    token: String,
}

impl Shop {
    fn open(more: &[&str]) -> Self {
        Self::open_in(Folder::new(), more)
    }

    fn open_in(folder: Folder, more: &[&str]) -> Self {
        let site = folder.create_site(HOST);
        let token = folder.create_track_token(HOST);
        let server = folder.start(more);
        let client = server.log_in(&site);
        Self { server, client, token }
    }

    /// The server is killed, or stopped, and started again.
    fn restarted(self, kill: bool) -> Self {
        let folder = if kill { self.server.kill() } else { self.server.stop() };
        let server = folder.start(&[]);
        let client = Client { connection: server.connect(), ..self.client };
        Self { server, client, ..self }
    }

    /// Changes a setting of the site.
    fn set(&self, setting: &str, value: &str) {
        self.server.folder().run_json(&["site", "set", HOST, setting, value, "--json"]);
    }

    fn send(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        let request = Request::new("POST", path, "").header("Authorization", &basic(&self.token));
        self.server.send(&request.header("Content-Type", content_type).body(body))
    }

    /// Sends a message to `/track`, which must be answered so.
    fn track(&self, message: &Value, status: u16) -> Response {
        let response = self.send("/track", JSON, message.to_string());
        assert_eq!(response.status, status, "{message}\n{response:?}");
        if status == 204 {
            assert!(response.body.is_empty() && response.header("Content-Type").is_none(), "{response:?}");
        }
        response
    }

    fn total(&mut self, member: &str) -> Value {
        self.client.statistics("total", DAY)[member].clone()
    }

    /// As [`Self::total`], of all days.
    fn total_ever(&mut self, member: &str) -> Value {
        self.client.statistics("total", EVER)[member].clone()
    }

    /// What the events of a day have under a key of their metadata.
    fn meta(&mut self, range: &str, event: &str, key: &str) -> Value {
        let query = format!("{range}&event={}&event_meta_key={key}", event.replace(' ', "+"));
        self.client.statistics("event/meta", &query)[0]["meta_value"].clone()
    }
}

fn basic(token: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{token}:")))
}

/// An event of a user with these members more.
fn lead(user: &str, more: Value) -> Value {
    let mut message = json!({"sentAt": TIME, "event": {"name": "Lead", "user": {"userId": user}}});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

/// A page view of somebody.
fn page_view(anonymous: &str, path: &str, more: Value) -> Value {
    let event = json!({"name": "Viewed Page", "page": {"url": format!("https://{HOST}{path}")}});
    let mut message = json!({"sentAt": TIME, "anonymousId": anonymous, "event": event});
    message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    message
}

fn repeated(response: &Response) -> usize {
    assert_eq!(response.status, 204, "{response:?}");
    response.header("X-Hitstone-Repeated").map_or(0, |count| count.parse().unwrap())
}
