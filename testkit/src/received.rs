//! One thing that reached an upstream, exactly as it came.

use serde_json::Value;
use std::time::Instant;

use crate::http_text::Head;

/// How a message travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A line on a child's standard input.
    Stdio,
    /// An HTTP request.
    Http,
}

/// The HTTP side of a received message.
#[derive(Debug, Clone)]
pub struct HttpPart {
    /// `POST`, `GET`, `DELETE`, …
    pub method: String,
    /// The request target, as sent.
    pub target: String,
    /// First line and headers, as sent.
    pub head: Head,
}

/// One HTTP request or one line of standard input.
#[derive(Debug, Clone)]
pub struct Received {
    /// When its last byte was there.
    pub at: Instant,
    /// The connection or child it came by; counts from 1 per upstream.
    pub link: u64,
    /// How it came.
    pub transport: Transport,
    /// Present over HTTP.
    pub http: Option<HttpPart>,
    /// The body, or the line without its line feed.
    pub bytes: Vec<u8>,
    /// The bytes as JSON, where they are JSON.
    pub json: Option<Value>,
}

impl Received {
    /// A member of the message; `null` where there is none.
    #[must_use]
    pub fn member(&self, name: &str) -> &Value {
        self.json.as_ref().and_then(|json| json.get(name)).unwrap_or(&Value::Null)
    }

    /// The JSON-RPC method; empty for answers and for what is not JSON.
    #[must_use]
    pub fn method(&self) -> &str {
        self.member("method").as_str().unwrap_or_default()
    }

    /// The JSON-RPC id; `null` for notifications.
    #[must_use]
    pub fn id(&self) -> &Value {
        self.member("id")
    }

    /// The parameters; `null` where there are none.
    #[must_use]
    pub fn params(&self) -> &Value {
        self.member("params")
    }

    /// A member of `params._meta`; `null` where there is none.
    #[must_use]
    pub fn meta(&self, key: &str) -> &Value {
        self.params().get("_meta").and_then(|meta| meta.get(key)).unwrap_or(&Value::Null)
    }

    /// The tool, prompt or resource that the message is about; empty for others.
    #[must_use]
    pub fn name(&self) -> &str {
        let params = self.params();
        params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str).unwrap_or_default()
    }

    /// An HTTP header; `None` over stdio.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.http.as_ref()?.head.header(name)
    }

    /// Does it ask for something, as opposed to keeping the connection going or looking round?
    #[must_use]
    pub fn is_act(&self) -> bool {
        let method = self.method();
        let is_housekeeping = ["initialize", "ping", "server/discover"].contains(&method)
            || method.starts_with("notifications/")
            || method.ends_with("/list")
            || (method.is_empty() && self.json.as_ref().is_none_or(|json| json.get("id").is_some()));
        !is_housekeeping
    }
}
