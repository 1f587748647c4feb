//! Caddy's access log: JSON with the request as an object. Entries of other loggers are left alone.

use serde_json::{Map, Value};

use super::fields::{object, status, text, text_or_empty, time_of};
use super::{Entry, Read, Request};

pub(super) fn read(line: &str) -> Read<'static> {
    let entry = object(line)?;
    let Some(Value::Object(request)) = entry.get("request") else { return Ok(None) };
    // The log of errors has an entry of its own for a request that is in the access log, too.
    if text(&entry, &["logger"]).is_some_and(|logger| logger.starts_with("http.log.error")) {
        return Ok(None);
    }
    let empty = Map::new();
    let headers = match request.get("headers") {
        Some(Value::Object(headers)) => headers,
        _ => &empty,
    };
    let method = text_or_empty(request, &["method"]);
    let target = text_or_empty(request, &["uri"]);
    let owned = |text: std::borrow::Cow<'_, str>| text.into_owned().into();
    let header = |name: &str| text_or_empty(headers, &[name]);
    let is_prefetch = |name: &str| header(name).to_ascii_lowercase().contains("prefetch");
    Ok(Some(Entry {
        time: time_of(&entry, &["ts", "time", "timestamp"]),
        // With proxies that Caddy trusts, `client_ip` is whom they speak for.
        address: owned(text_or_empty(request, &["client_ip", "remote_ip", "remote_addr"])),
        host: owned(text_or_empty(request, &["host"])),
        request: (!method.is_empty()).then(|| Request { method: owned(method), target: owned(target) }),
        status: status(&entry),
        referrer: owned(header("Referer")),
        user_agent: Some(owned(header("User-Agent"))),
        accept_language: owned(header("Accept-Language")),
        dnt: header("Dnt").trim() == "1",
        prefetch: ["Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"].into_iter().any(is_prefetch),
    }))
}
