//! What an upstream speaks: the one question that tells the modern era from the legacy one.
//!
//! Source: MCP 2026-07-28 `server/discover`; protocol.md §4.3 "Era probing". Any answer but a discovery that names the
//! revision means legacy; no single error code is believed.

use bytes::Bytes;
use stockade_core::mcp::{Direction, Frame, Method, Revision, check_result};
use stockade_core::wire::Value;

/// What came of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probed {
    /// It speaks 2026-07-28.
    Modern,
    /// It does not.
    Legacy,
}

/// `server/discover` in our own name.
pub(crate) fn discover_request(number: u32) -> Bytes {
    let version = env!("CARGO_PKG_VERSION");
    Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":{number},"method":"server/discover","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"stockade","version":"{version}"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    ))
}

/// Reads the answer to [`discover_request`].
pub(crate) fn read_discovery(frame: &Frame) -> Probed {
    let modern = Revision::V2026_07_28;
    let is_discovery = check_result(frame, Method::ServerDiscover, modern, Direction::ServerToClient).is_ok();
    let versions = frame.result().and_then(|result| result.get("supportedVersions")).and_then(Value::as_array);
    let named = versions.into_iter().flat_map(|versions| versions.elements()).filter_map(Value::as_str);
    if is_discovery && named.into_iter().any(|version| version == modern.as_str()) {
        Probed::Modern
    } else {
        Probed::Legacy
    }
}
