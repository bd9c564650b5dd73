//! What a strict server checks before it looks at the method: transport, session, revision, mirrored headers, `_meta`.

use serde_json::{Value, json};

use super::WellBehaved;
use crate::era::{MODERN, mirrored_name, unmirrored_value};
use crate::received::{HttpPart, Received};
use crate::reply::Reply;

/// What a checked message wants.
pub(super) enum Errand {
    OpenStream {
        session: String,
    },
    EndSession {
        session: String,
    },
    Initialize,
    Notification,
    /// The client's answer to a question of ours.
    Response,
    Request {
        modern: bool,
    },
}

/// Why a message was not accepted: HTTP status, JSON-RPC code, text.
pub(super) struct Refusal(u16, i64, &'static str, Value);

impl Refusal {
    fn new(status: u16, code: i64, text: &'static str) -> Self {
        Self(status, code, text, Value::Null)
    }

    pub(super) fn send(self, received: &Received, reply: &Reply) {
        let Self(status, code, text, data) = self;
        let mut message = json!({ "jsonrpc": "2.0", "id": received.id(), "error": { "code": code, "message": text } });
        if !data.is_null() {
            message["error"]["data"] = data;
        }
        match received.http {
            Some(_) => reply.http(status, &[("Content-Type", "application/json")], message.to_string()),
            None => reply.json(&message),
        }
    }
}

impl Errand {
    pub(super) fn of(server: &WellBehaved, received: &Received) -> Result<Self, Refusal> {
        if let Some(http) = &received.http
            && http.method != "POST"
        {
            return Self::without_body(server, http, received);
        }
        let Some(Value::Object(message)) = &received.json else {
            return Err(Refusal::new(400, -32700, "Parse error"));
        };
        if received.header("mcp-protocol-version") == Some(MODERN) || !received.meta(PROTOCOL_VERSION).is_null() {
            return Self::modern(server, received);
        }
        if received.method() == "initialize" {
            return Ok(Self::Initialize);
        }
        check_session(server, received)?;
        if !message.contains_key("method") {
            return Ok(Self::Response);
        }
        Ok(if message.contains_key("id") { Self::Request { modern: false } } else { Self::Notification })
    }

    fn without_body(server: &WellBehaved, http: &HttpPart, received: &Received) -> Result<Self, Refusal> {
        if received.header("mcp-protocol-version") == Some(MODERN) {
            return Err(Refusal::new(405, -32600, "Method not allowed"));
        }
        check_session(server, received)?;
        let session = received.header("mcp-session-id").unwrap_or_default().to_owned();
        match http.method.as_str() {
            "GET" => Ok(Self::OpenStream { session }),
            "DELETE" => Ok(Self::EndSession { session }),
            _ => Err(Refusal::new(405, -32600, "Method not allowed")),
        }
    }

    fn modern(server: &WellBehaved, received: &Received) -> Result<Self, Refusal> {
        let method = received.method();
        if received.id().is_null() {
            return Ok(Self::Notification);
        }
        let revision = received.meta(PROTOCOL_VERSION);
        if received.http.is_some() {
            check_mirrors(received, method, revision)?;
        }
        if !revision.is_string() || !received.meta(CLIENT_CAPABILITIES).is_object() {
            return Err(Refusal::new(400, -32602, "Invalid _meta"));
        }
        if revision != MODERN || !server.revisions.contains(&MODERN) {
            let data = json!({ "supported": server.revisions, "requested": revision });
            return Err(Refusal(400, -32022, "Unsupported protocol version", data));
        }
        Ok(Self::Request { modern: true })
    }
}

const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

fn check_mirrors(received: &Received, method: &str, revision: &Value) -> Result<(), Refusal> {
    let said = |header: &str| received.header(header).and_then(unmirrored_value);
    let name = mirrored_name(method, received.params());
    let right = said("mcp-protocol-version").as_deref() == revision.as_str()
        && received.header("mcp-method") == Some(method)
        && (name.is_none() || said("mcp-name").as_deref() == name);
    if right { Ok(()) } else { Err(Refusal::new(400, -32020, "Header mismatch")) }
}

fn check_session(server: &WellBehaved, received: &Received) -> Result<(), Refusal> {
    let state = server.control.state();
    if received.http.is_none() {
        let known = state.initialised_links.contains(&received.link) || received.method() == "ping";
        return if known { Ok(()) } else { Err(Refusal::new(400, -32600, "Not initialised")) };
    }
    if let Some(revision) = received.header("mcp-protocol-version")
        && !server.revisions.contains(&revision)
    {
        return Err(Refusal::new(400, -32600, "Unsupported protocol version"));
    }
    match received.header("mcp-session-id") {
        None => Err(Refusal::new(400, -32600, "Session required")),
        Some(session) if !state.sessions.contains(session) => Err(Refusal::new(404, -32600, "Session not found")),
        Some(_) => Ok(()),
    }
}
