//! Refusals: what the caller is told, and what the operator is told.
//!
//! The caller gets a fixed text and the id of the record. No text of a peer, no path, no version and no name of a server
//! ever enters it. The operator's text goes to the record only.

use crate::identity::Challenge;
use crate::mcp::{Id, Revision};
use crate::wire::push_json_string;
use crate::words::TicketId;
use std::time::Duration;

/// What a caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are not JSON.
    NotJson,
    /// The message is over the size limit.
    TooLarge,
    /// It is JSON, but no JSON-RPC 2.0 message, or not one that may stand here.
    InvalidRequest,
    /// No such method in this revision and direction.
    MethodNotFound,
    /// The parameters are not those of the method.
    InvalidParams,
    /// A mirrored header is missing or differs from the body.
    HeaderMismatch,
    /// The revision is not spoken here.
    UnsupportedVersion {
        /// What was asked for, in the caller's own words, which the protocol wants back: made harmless and cut.
        requested: String,
        /// What is spoken.
        supported: Vec<Revision>,
    },
    /// Nobody could be recognised.
    Unidentified,
    /// What was shown is no credential.
    MalformedCredential,
    /// The caller's scopes are not enough for this operation.
    InsufficientScope,
    /// There is no such session for this caller.
    NoSession,
    /// A legacy request without the session that it needs.
    SessionMissing,
    /// There is no such route.
    NoRoute,
    /// The `Host` or `Origin` is not on its list.
    Forbidden,
    /// The HTTP method is not one of this route's.
    MethodNotAllowed,
    /// The client does not accept what we answer with.
    NotAcceptable,
    /// The content type is not `application/json`.
    UnsupportedMediaType,
    /// The HTTP message cannot be framed one way only.
    BadFraming,
    /// The policy does not allow it, or there is nothing of this name: the caller cannot tell which.
    PermissionDenied,
    /// Over the limit.
    RateLimited {
        /// When the next one would be let through.
        retry_after: Duration,
    },
    /// A person would have to agree, and there is no way to ask one.
    ConsentRequired,
    /// No answer in time.
    TimedOut,
    /// The answer was withheld.
    Withheld,
    /// The upstream did not answer properly.
    UpstreamFailed,
    /// Something of ours is not working, the record for example; nothing was done.
    Unavailable,
    /// The client cancelled it.
    Cancelled,
}

/// The fixed words of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The JSON-RPC error code.
    pub code: i32,
    /// The text.
    pub message: &'static str,
    /// The HTTP status.
    pub status: u16,
}

impl Refusal {
    /// The one table.
    #[must_use]
    pub const fn words(&self) -> Words {
        let (code, message, status) = match self {
            Self::NotJson => (-32700, "Invalid request format", 400),
            Self::TooLarge => (-32600, "Message too large", 413),
            Self::InvalidRequest => (-32600, "Invalid request format", 400),
            Self::MethodNotFound => (-32601, "Method not found", 404),
            Self::InvalidParams => (-32602, "Invalid request format", 400),
            Self::HeaderMismatch => (-32020, "Header mismatch", 400),
            Self::UnsupportedVersion { .. } => (-32022, "Unsupported protocol version", 400),
            Self::Unidentified => (-32600, "Authentication required", 401),
            Self::MalformedCredential => (-32600, "Invalid request format", 400),
            Self::InsufficientScope => (1001, "Permission denied", 403),
            Self::NoSession => (-32600, "Session not found", 404),
            Self::SessionMissing => (-32600, "Session required", 400),
            Self::NoRoute => (-32600, "Not found", 404),
            Self::Forbidden => (-32600, "Forbidden", 403),
            Self::MethodNotAllowed => (-32600, "Method not allowed", 405),
            Self::NotAcceptable => (-32600, "Not acceptable", 406),
            Self::UnsupportedMediaType => (-32600, "Unsupported media type", 415),
            Self::BadFraming => (-32600, "Invalid request format", 400),
            Self::PermissionDenied => (1001, "Permission denied", 200),
            Self::RateLimited { .. } => (1002, "Rate limit exceeded", 429),
            Self::ConsentRequired => (1003, "Consent required", 200),
            Self::TimedOut => (1004, "Timeout", 200),
            Self::Withheld => (1005, "Result withheld", 200),
            Self::UpstreamFailed => (-32603, "Server unavailable", 200),
            Self::Unavailable => (-32603, "Service unavailable", 503),
            Self::Cancelled => (-32603, "Cancelled", 200),
        };
        Words { code, message, status }
    }

    /// The JSON-RPC error message. `id` is the request's, where it could be read.
    #[must_use]
    pub fn to_message(&self, id: Option<&Id>, ticket: TicketId) -> Vec<u8> {
        let words = self.words();
        let mut out = Vec::with_capacity(160);
        out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
        if let Some(id) = id {
            out.extend_from_slice(b",\"id\":");
            out.extend_from_slice(id.to_json().as_bytes());
        }
        out.extend_from_slice(format!(",\"error\":{{\"code\":{},\"message\":", words.code).as_bytes());
        push_json_string(&mut out, words.message);
        out.extend_from_slice(b",\"data\":{\"record\":");
        push_json_string(&mut out, ticket.as_str());
        match self {
            Self::RateLimited { retry_after } => {
                let milliseconds = retry_after.as_micros().div_ceil(1000);
                out.extend_from_slice(format!(",\"retryAfterMs\":{milliseconds}").as_bytes());
            }
            Self::UnsupportedVersion { requested, supported } => {
                let supported: Vec<_> = supported.iter().map(|revision| format!("\"{revision}\"")).collect();
                out.extend_from_slice(format!(",\"supported\":[{}],\"requested\":", supported.join(",")).as_bytes());
                push_json_string(&mut out, requested);
            }
            _ => {}
        }
        out.extend_from_slice(b"}}}");
        out
    }
}

/// A refusal with both of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What the caller is told.
    pub said: Refusal,
    /// Which guard or rule fired, for the record.
    pub rule: String,
    /// Why, for the record. Texts of peers in it are escaped.
    pub reason: String,
    /// What the caller should show instead.
    pub challenge: Option<Box<Challenge>>,
}

impl Refused {
    /// A refusal by a guard.
    #[must_use]
    pub fn by(rule: impl Into<String>, said: Refusal, reason: impl Into<String>) -> Self {
        Self { said, rule: rule.into(), reason: reason.into(), challenge: None }
    }

    /// The same, telling the caller what to show instead.
    #[must_use]
    pub fn with_challenge(self, challenge: Challenge) -> Self {
        Self { challenge: Some(Box::new(challenge)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_texts_of_the_guide_are_kept_letter_for_letter() {
        for (refusal, code, message) in [
            (Refusal::InvalidParams, -32602, "Invalid request format"),
            (Refusal::RateLimited { retry_after: Duration::ZERO }, 1002, "Rate limit exceeded"),
            (Refusal::PermissionDenied, 1001, "Permission denied"),
            (Refusal::TimedOut, 1004, "Timeout"),
        ] {
            assert_eq!((refusal.words().code, refusal.words().message), (code, message));
        }
    }

    #[test]
    fn a_refusal_is_json_with_the_record_id() {
        let ticket = TicketId::new(1, [0; 10]);
        let refusal = Refusal::RateLimited { retry_after: Duration::from_micros(1_001) };
        let message: serde_json::Value = serde_json::from_slice(&refusal.to_message(None, ticket)).unwrap();
        assert_eq!(message["error"]["data"]["record"], ticket.as_str());
        assert_eq!(message["error"]["data"]["retryAfterMs"], 2);
        assert!(message.get("id").is_none());
    }
}
