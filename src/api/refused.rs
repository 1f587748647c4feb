//! A refused request where interfaces have no shape of their own for it: a status and a few words. Clients look only at
//! the status.

use hyper::StatusCode;
use hyper::header::WWW_AUTHENTICATE;

use crate::api::limit::Limited;
use crate::api::taken;
use crate::app::IngestError;
use crate::http::body::BodyError;
use crate::http::respond::{self, Answer};

/// Why a request is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    status: StatusCode,
    message: String,
    retry_after: Option<u64>,
    methods: Option<&'static str>,
    /// Told in a header.
    reason: Option<&'static str>,
    /// How to authenticate.
    challenge: Option<&'static str>,
}

impl Refused {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry_after: None,
            methods: None,
            reason: None,
            challenge: None,
        }
    }

    /// 400.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, message)
    }

    /// The same, and how to authenticate instead. Not for what pages ask: browsers would open a window for it.
    pub fn challenging(self, challenge: &'static str) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    /// The same fault, found in an item of a batch.
    pub fn in_item(self, index: usize) -> Self {
        Self { message: format!("item {index}: {}", self.message), ..self }
    }

    /// The same with the reason, as it is counted, in a header: when that was asked for.
    pub fn telling(self, reason: &'static str, is_asked: bool) -> Self {
        Self { reason: is_asked.then_some(reason), ..self }
    }

    /// 405.
    pub fn method(methods: &'static str) -> Self {
        let refused = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {methods}"));
        Self { methods: Some(methods), ..refused }
    }

    /// 429 and when to try again.
    pub fn limited(limited: Limited) -> Self {
        let refused = Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string());
        Self { retry_after: Some(limited.retry_after), ..refused }
    }

    /// There is no body to read.
    pub fn body(error: BodyError) -> Self {
        Self::new(error.status(), error.to_string())
    }

    /// The event was not taken.
    pub fn ingest(error: IngestError) -> Self {
        match error {
            IngestError::Refused { field, message, .. } => Self::bad(format!("{field}: {message}")),
            IngestError::Busy(message) => {
                let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, message);
                Self { retry_after: Some(IngestError::BUSY_SECONDS), ..refused }
            }
            IngestError::Unavailable(message) => Self::new(StatusCode::SERVICE_UNAVAILABLE, message),
            IngestError::TooLarge(message) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, message),
        }
    }

    /// Whether the request itself is wrong.
    pub fn is_bad_request(&self) -> bool {
        self.status == StatusCode::BAD_REQUEST
    }

    /// As an answer.
    pub fn answer(self) -> Answer {
        let message = self.message.clone();
        self.with_body(|status| respond::text(status, message))
    }

    /// As an answer with another body.
    pub fn with_body(self, body: impl FnOnce(StatusCode) -> Answer) -> Answer {
        let mut answer = body(self.status);
        if let Some(seconds) = self.retry_after {
            answer = respond::retry_after(answer, seconds);
        }
        if let Some(methods) = self.methods {
            answer = respond::allow(answer, methods);
        }
        if let Some(challenge) = self.challenge {
            answer = respond::with_header(answer, WWW_AUTHENTICATE, challenge);
        }
        if let Some(reason) = self.reason {
            answer = taken::tell_reasons(answer, &[reason]);
        }
        respond::close_if_unread(answer)
    }
}
