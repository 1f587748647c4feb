//! `POST /api/v1/token`: a client's id and secret for an access token.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde_json::json;

use crate::api::json::Json;
use crate::api::pirsch::error::ApiError;
use crate::app::App;
use crate::auth::SecretHash;
use crate::clock;
use crate::http::body;
use crate::http::respond::{self, Answer};
use crate::sites::ClientKind;

/// Answers with a new token. A client address that failed ten times within a minute has to wait.
///
/// # Errors
/// 400 for a missing field, 401 for a wrong pair, 429 after too many of them.
pub async fn issue(
    app: &Arc<App>,
    client_ip: IpAddr,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let body = body::read(request).await?;
    let (id, secret) = read(&body)?;
    let now = app.clock.now_ms();
    if let Some(seconds) = app.token_failures.blocked(client_ip, now) {
        let message = "too many failed tries from this address";
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, message).retry_after(seconds));
    }
    if !is_client(app, &id, &secret) {
        app.token_failures.count(client_ip, now);
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "client_id and client_secret do not belong together",
        ));
    }
    let issuing = Arc::clone(app);
    let issued = tokio::task::spawn_blocking(move || issuing.tokens.issue(&id, now)).await;
    let issued = match issued {
        Ok(Ok(issued)) => issued,
        Ok(Err(error)) => {
            eprintln!("hitstone: {error}");
            return Err(ApiError::unavailable("the token could not be stored: see the server's log", None));
        }
        Err(_) => {
            return Err(ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the server failed on this request",
            ));
        }
    };
    let body = json!({ "access_token": issued.token, "expires_at": clock::rfc3339(issued.expires) });
    Ok(respond::json(StatusCode::OK, body.to_string()))
}

fn read(body: &[u8]) -> Result<(String, String), ApiError> {
    let Json::Object(members) = Json::parse(body)? else {
        return Err(ApiError::bad("expected a JSON object"));
    };
    let (mut id, mut secret) = (String::new(), String::new());
    for (name, value) in members {
        let field = match &*name {
            "client_id" => &mut id,
            "client_secret" => &mut secret,
            _ => continue,
        };
        match value {
            Json::Text(text) => *field = text.into_owned(),
            Json::Null => field.clear(),
            _ => return Err(ApiError::field(name, "must be a string")),
        }
    }
    let mut missing = Vec::new();
    for (name, value) in [("client_id", &id), ("client_secret", &secret)] {
        if value.is_empty() {
            missing.push(name);
        }
    }
    let Some(first) = missing.first() else { return Ok((id, secret)) };
    let mut error = ApiError::field(*first, "is required");
    for name in missing.iter().skip(1) {
        error.validation.insert((*name).to_owned(), "is required".to_owned());
        error.error.push(format!("{name}: is required"));
    }
    Err(error)
}

/// Whether the pair is right. An unknown id costs as much time as a wrong secret.
fn is_client(app: &App, id: &str, secret: &str) -> bool {
    let view = app.state.view();
    match view.client(id).map(|client| client.kind.clone()) {
        Some(ClientKind::Oauth { secret: hash }) => hash.matches(secret),
        Some(ClientKind::WriteOnly { .. } | ClientKind::Basic { .. }) | None => {
            SecretHash::of("").matches(secret);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read() {
        let fields = |body: &str| -> Vec<String> {
            read(body.as_bytes())
                .err()
                .map(|error| error.validation.into_keys().collect())
                .unwrap_or_default()
        };
        assert_eq!(
            read(br#"{"client_id":"a","client_secret":"b","x":[]}"#).unwrap(),
            ("a".to_owned(), "b".to_owned())
        );
        assert_eq!(fields("{}"), ["client_id", "client_secret"]);
        assert_eq!(fields(r#"{"client_id":"a","client_secret":""}"#), ["client_secret"]);
        assert_eq!(fields(r#"{"client_id":1,"client_secret":"b"}"#), ["client_id"]);
        assert!(read(b"[").is_err() && read(b"[]").is_err());
    }
}
