//! Requests and responses as plain values. The door makes the one and sends the other.
//!
//! Must never: open, read or send anything; hold two values of one header (the strict framing of the door has refused those).

use bytes::Bytes;
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use stockade_core::words::Secret;

/// One request as the door has taken it in.
#[derive(Debug, Default)]
pub struct IssuerRequest {
    /// The method, as it was sent.
    pub method: String,
    /// The path, as it was sent, without query.
    pub path: String,
    /// What stood behind `?`.
    pub query: Option<String>,
    /// The headers that are looked at.
    pub headers: IssuerHeaders,
    /// The body, whole. The route's limit is checked again here.
    pub body: Bytes,
    /// Where the request came from, as far as the door believes it.
    pub peer: Option<IpAddr>,
}

/// The headers that are looked at; all others mean nothing here. Several `Cookie` lines come joined with `; `.
#[derive(Debug, Default)]
pub struct IssuerHeaders {
    /// `Cookie`.
    pub cookie: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Authorization`.
    pub authorization: Option<Secret>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `Access-Control-Request-Method`.
    pub wanted_method: Option<String>,
}

/// One response, whole.
#[derive(Debug, Clone)]
pub struct IssuerResponse {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case. `Content-Length`, `Date` and what the door puts on everything are not here.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
}

impl IssuerResponse {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(there, _)| *there == name).map(|(_, value)| value.as_str())
    }

    /// Nothing but a status.
    pub(crate) fn bare(status: u16) -> Self {
        Self { status, headers: guarded(), body: Bytes::new() }
    }

    /// JSON that nobody keeps (RFC 6749 §5.1).
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        let response = Self { body: Bytes::from(value.to_string()), ..Self::bare(status) };
        response.with("content-type", "application/json").with("cache-control", "no-store")
    }

    /// JSON that is the same for everybody and may be kept for `life`.
    pub(crate) fn public_json(value: &Value, life: Duration) -> Self {
        let response = Self { body: Bytes::from(value.to_string()), ..Self::bare(200) };
        let keep = format!("public, max-age={}", life.as_secs());
        response.with("content-type", "application/json").with("cache-control", keep)
    }

    /// The way back to a client, without a page between.
    pub(crate) fn redirect(to: String) -> Self {
        let response = Self::bare(302).with("location", to).with("cache-control", "no-store");
        response.with("referrer-policy", "no-referrer")
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(1);
        self.with("retry-after", seconds.to_string())
    }
}

/// What stands on everything: a browser takes it for what it says it is.
fn guarded() -> Vec<(&'static str, String)> {
    vec![("x-content-type-options", "nosniff".to_owned())]
}

impl IssuerRequest {
    /// True if the body is of this type, whatever its parameters.
    pub(crate) fn is_of_type(&self, essence: &str) -> bool {
        let said = self.headers.content_type.as_deref().unwrap_or_default();
        let said = said.split(';').next().unwrap_or_default().trim();
        said.eq_ignore_ascii_case(essence)
    }

    /// The one cookie of this name; nothing where there are two, because somebody else has planted one (RFC 6265 §8.6).
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.headers.cookie.as_deref().unwrap_or_default().split(';');
        let mut found = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(there, _)| *there == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_stands_twice_is_none() {
        let request = |cookie: &str| IssuerRequest {
            headers: IssuerHeaders { cookie: Some(cookie.to_owned()), ..IssuerHeaders::default() },
            ..IssuerRequest::default()
        };
        assert_eq!(request("a=1; b=2;c=3").cookie("b"), Some("2"));
        assert_eq!(request("b=2").cookie("b"), Some("2"));
        assert_eq!(request("b=1; b=2").cookie("b"), None);
        assert_eq!(request("ab=1").cookie("b"), None);
        assert_eq!(IssuerRequest::default().cookie("b"), None);
    }
}
