//! Clients: one that sends any bytes, two that speak correctly in every revision.

mod event_stream;
mod http;
mod raw;
mod stdio;

use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::era::Era;

pub use event_stream::EventStream;
pub use http::{HttpClient, Outgoing};
pub use raw::{RawHttp, Response, endpoint};
pub use stdio::StdioClient;

/// How long a client waits for an answer unless told otherwise.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// What our clients call themselves.
const CLIENT_NAME: &str = "testkit";

/// What both correct clients can do, so that one case runs through both doors.
pub trait Caller: Send + Sync {
    /// Sends a request and waits for its answer.
    fn request(&self, method: &str, params: Value) -> Answer;

    /// Sends a notification.
    fn notify(&self, method: &str, params: Value);

    /// How this client speaks.
    fn era(&self) -> Era;

    /// The process that this client started: the gateway, on a stdio lane.
    fn pid(&self) -> Option<u32> {
        None
    }

    /// Standard error of that process.
    fn stderr(&self) -> String {
        String::new()
    }

    /// Calls a tool.
    fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }
}

/// Adds the `_meta` members that 2026-07-28 wants in every request and the caller has not set.
pub(crate) fn with_meta(era: Era, mut params: Value) -> Value {
    if era.is_modern() && params.is_object() {
        let wanted = [
            ("io.modelcontextprotocol/protocolVersion", json!(era.revision())),
            ("io.modelcontextprotocol/clientInfo", json!({ "name": CLIENT_NAME, "version": "1.0.0" })),
            ("io.modelcontextprotocol/clientCapabilities", capabilities()),
        ];
        for (key, value) in wanted {
            if params.get("_meta").is_none_or(Value::is_object) && params["_meta"].get(key).is_none() {
                params["_meta"][key] = value;
            }
        }
    }
    params
}

pub(crate) fn initialize_params(era: Era) -> Value {
    json!({
        "protocolVersion": era.revision(),
        "capabilities": capabilities(),
        "clientInfo": { "name": CLIENT_NAME, "version": "1.0.0" },
    })
}

/// All that servers may ask a client for. `elicitation` is unknown before 2025-06-18 and ignored there.
fn capabilities() -> Value {
    json!({ "sampling": {}, "elicitation": {}, "roots": {} })
}
