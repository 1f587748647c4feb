//! Errors in Pirsch's shape: `{"validation": {field: message}, "error": [message]}`.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Serialize;

use crate::api::json::BadJson;
use crate::api::limit::Limited;
use crate::api::taken::BadName;
use crate::http::body::BodyError;
use crate::http::respond::{self, Answer};

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The status to answer with.
    pub status: StatusCode,
    /// Faults of single fields.
    pub validation: BTreeMap<String, String>,
    /// Faults of the whole.
    pub error: Vec<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    validation: &'a BTreeMap<String, String>,
    error: &'a [String],
}

impl ApiError {
    /// A fault of the whole request.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, validation: BTreeMap::new(), error: vec![message.into()], retry_after: None }
    }

    /// 400: the request makes no sense.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 400: a field is missing or wrong. The message stands in `error` too, for clients that look only there.
    pub fn field(name: impl Into<String>, message: impl Into<String>) -> Self {
        let (name, message) = (name.into(), message.into());
        let error = vec![format!("{name}: {message}")];
        Self { validation: BTreeMap::from([(name, message)]), error, ..Self::bad("") }
    }

    /// The same fault, of a field that the caller knows by another name.
    pub fn renamed(self, from: &str, to: &str) -> Self {
        match self.validation.get(from) {
            Some(message) => {
                let field = Self::field(to, message.clone());
                Self { status: self.status, retry_after: self.retry_after, ..field }
            }
            None => self,
        }
    }

    /// The same fault, found in an item of a batch.
    pub fn in_item(self, index: usize) -> Self {
        let validation =
            self.validation.into_iter().map(|(name, message)| (format!("[{index}].{name}"), message));
        let error = self.error.iter().map(|message| format!("item {index}: {message}")).collect();
        Self { validation: validation.collect(), error, ..self }
    }

    /// 401: no token, or one that is unknown or has ended.
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "the access token is missing, unknown or has expired")
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    /// 405 and the methods that the path has.
    pub fn method_not_allowed(methods: &str) -> Answer {
        let message = format!("this path takes {methods}");
        respond::allow(Self::new(StatusCode::METHOD_NOT_ALLOWED, message).answer(), methods)
    }

    /// 503 and when to try again.
    pub fn unavailable(message: impl Into<String>, retry_after: Option<u64>) -> Self {
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
    }

    /// Adds when to try again.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// As an answer.
    pub fn answer(&self) -> Answer {
        let body = serde_json::to_vec(&Body { validation: &self.validation, error: &self.error });
        let answer = respond::json(self.status, body.unwrap_or_default());
        let answer = match self.retry_after {
            Some(seconds) => respond::retry_after(answer, seconds),
            None => answer,
        };
        respond::close_if_unread(answer)
    }
}

impl From<BadJson> for ApiError {
    fn from(error: BadJson) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<Limited> for ApiError {
    fn from(limited: Limited) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string()).retry_after(limited.retry_after)
    }
}

impl From<BadName> for ApiError {
    fn from(error: BadName) -> Self {
        Self::bad(error.to_string())
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        Self::new(error.status(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_called_what_the_caller_calls_them() {
        let error = ApiError::field("cr_goal", "is wrong");
        assert_eq!(error.clone().renamed("cr_goal", "cr"), ApiError::field("cr", "is wrong"));
        assert_eq!(error.clone().renamed("other", "cr"), error);
    }

    #[test]
    fn items_of_a_batch_are_named() {
        let error = ApiError::field("url", "is required").in_item(3);
        assert_eq!(error.validation["[3].url"], "is required");
        assert_eq!(error.error, ["item 3: url: is required"]);
    }
}
