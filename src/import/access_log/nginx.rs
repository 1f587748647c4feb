//! JSON that nginx writes, one flat object a line, by a format such as [`LOG_FORMAT`]. Fields are known by nginx's
//! names of the variables and by some that are common elsewhere.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::fields::{object, status, text, text_or_empty, time_of};
use super::{Entry, Read, Request};

/// What nginx's configuration needs.
pub const LOG_FORMAT: &str = r#"log_format hitstone escape=json '{"time":"$time_iso8601","remote_addr":"$remote_addr","host":"$host","request":"$request","status":$status,"http_referer":"$http_referer","http_user_agent":"$http_user_agent","http_accept_language":"$http_accept_language"}';"#;

const TIME: &[&str] = &["time_iso8601", "time_local", "msec", "time", "timestamp", "@timestamp", "ts"];
/// `http_x_forwarded_for` is not among them: anyone can send that header. nginx's realip module decides whom to
/// believe, and then `remote_addr` is right.
const ADDRESS: &[&str] = &["remote_addr", "client_ip", "remote_ip", "client", "ip"];
const HOST: &[&str] = &["host", "http_host", "server_name", "vhost"];
const METHOD: &[&str] = &["request_method", "method"];
const TARGET: &[&str] = &["request_uri"];
const PATH: &[&str] = &["uri", "path", "url"];
const QUERY: &[&str] = &["args", "query_string", "query"];
const REFERRER: &[&str] = &["http_referer", "http_referrer", "referer", "referrer"];
const USER_AGENT: &[&str] = &["http_user_agent", "user_agent", "agent"];
const LANGUAGE: &[&str] = &["http_accept_language", "accept_language"];

pub(super) fn read(line: &str) -> Read<'static> {
    let entry = object(line)?;
    let owned = |text: Cow<'_, str>| -> Cow<'static, str> { text.into_owned().into() };
    let has_agent = USER_AGENT.iter().any(|name| entry.contains_key(*name));
    Ok(Some(Entry {
        time: time_of(&entry, TIME),
        address: owned(text_or_empty(&entry, ADDRESS)),
        host: owned(text_or_empty(&entry, HOST)),
        request: request(&entry)?,
        status: status(&entry),
        referrer: owned(text_or_empty(&entry, REFERRER)),
        user_agent: has_agent.then(|| owned(text_or_empty(&entry, USER_AGENT))),
        accept_language: owned(text_or_empty(&entry, LANGUAGE)),
        dnt: text_or_empty(&entry, &["http_dnt"]) == "1",
        prefetch: text_or_empty(&entry, &["http_sec_purpose", "http_purpose"]).contains("prefetch"),
    }))
}

/// The request from its first line, or from method and target; none when nginx could not read what it was sent.
fn request(entry: &Map<String, Value>) -> Result<Option<Request<'static>>, &'static str> {
    if let Some(line) = entry.get("request") {
        return Ok(line.as_str().and_then(Request::of_line));
    }
    let is_there = |names: &[&str]| names.iter().any(|name| entry.contains_key(*name));
    if !is_there(METHOD) || !(is_there(TARGET) || is_there(PATH)) {
        return Err("there is neither request nor request_method with request_uri");
    }
    let Some(method) = text(entry, METHOD) else { return Ok(None) };
    let target = match (text(entry, TARGET), text(entry, PATH), text(entry, QUERY)) {
        (Some(target), _, _) => target.into_owned(),
        (None, Some(path), Some(query)) if !path.contains('?') => format!("{path}?{query}"),
        (None, Some(path), _) => path.into_owned(),
        (None, None, _) => return Ok(None),
    };
    Ok(Some(Request { method: method.into_owned().into(), target: target.into() }))
}
