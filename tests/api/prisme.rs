//! Prisme's events API as pages and backends use it.

mod events;
mod gates;
mod replay;
mod scripts;
mod sites;

use std::sync::Arc;

use hitstone_engine::event::{Kind, decode_pairs};
use hitstone_engine::parquet::Reader;
use hitstone_engine::schema::Column;
use hitstone_engine::vfs::OsFs;

use crate::support::http::{Request, Response};
use crate::support::{FIREFOX, Folder, Server, files_below, stderr_of};

const HOST: &str = "a.test";
const ORIGIN: &str = "https://a.test";
const PAGE: &str = "https://a.test/p";
const PAGE_VIEWS: &str = "/api/v1/events/pageviews";
const PIXEL: &str = "/api/v1/noscript/events/pageviews";

/// A server with one site; it believes `X-Forwarded-For`.
fn start(more: &[&str]) -> Server {
    Folder::new().start(&[&["--site", HOST, "--trust-proxy"], more].concat())
}

/// A browser's request. No body and no content type unless added.
fn from(ip: &str, method: &str, target: &str) -> Request {
    Request::new(method, target, "").header("User-Agent", FIREFOX).header("X-Forwarded-For", ip)
}

/// A browser's request from a page of the site.
fn post(ip: &str, target: &str) -> Request {
    from(ip, "POST", target).header("Origin", ORIGIN)
}

fn page_view(ip: &str, page: &str) -> Request {
    post(ip, PAGE_VIEWS).header("X-Prisme-Referrer", page)
}

fn event(ip: &str, name: &str, body: &str) -> Request {
    let request = post(ip, &format!("/api/v1/events/custom/{name}")).header("X-Prisme-Referrer", PAGE);
    if body.is_empty() { request } else { request.header("Content-Type", "application/json").body(body) }
}

/// Sends what must be answered so.
fn send(server: &Server, request: &Request, status: u16) -> Response {
    let response = server.send(request);
    assert_eq!(response.status, status, "{request:?}\n{response:?}");
    response
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.send(&Request::get("/metrics", "")).text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("hitstone_{name} ")));
    line.map_or(0, |value| value.parse().expect("a number"))
}

fn left_out(server: &Server, reason: &str) -> u64 {
    metric(server, &format!("events_left_out_total{{reason=\"{reason}\"}}"))
}

/// A stored row.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    time: i64,
    kind: Kind,
    visitor: u64,
    session: i64,
    user_key: Option<u64>,
    status: Option<u16>,
    meta: Vec<(String, String)>,
    texts: Vec<(Column, String)>,
}

impl Row {
    fn text(&self, column: Column) -> &str {
        self.texts.iter().find(|(found, _)| *found == column).map_or("", |(_, text)| text)
    }

    fn path(&self) -> &str {
        self.text(Column::Path)
    }
}

/// All rows of a site, by time.
fn rows(folder: &Folder, host: &str) -> Vec<Row> {
    let out = folder.beside(&format!("rows-{host}"));
    let told = folder.run(&["export", "--site", host, "--out", out.to_str().expect("a UTF-8 path")]);
    assert!(told.status.success(), "{}", stderr_of(&told));
    let mut rows = Vec::new();
    let fs = Arc::new(OsFs);
    for (path, _) in files_below(&out) {
        let mut reader = Reader::open(&*fs, &path).expect("a sound file");
        while let Some(batch) = reader.next_batch().expect("sound rows") {
            for row in (0..batch.len()).map(|row| batch.row(row).expect("a sound row")) {
                let texts = Column::ALL.map(|column| (column, row.text(column).to_owned()));
                let meta = decode_pairs(row.text(Column::EventMeta));
                rows.push(Row {
                    time: row.time,
                    kind: row.kind,
                    visitor: row.visitor.0,
                    session: row.session.expect("a session"),
                    user_key: row.user_key,
                    status: row.status,
                    meta: meta.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
                    texts: texts.to_vec(),
                });
            }
        }
    }
    rows.sort_by_key(|row| row.time);
    rows
}
