//! What an upstream's HTTP response is: read by status, type and length before a byte of it is believed.
//!
//! Source: MCP "Streamable HTTP", "Sending Messages to the Server"; attack cases PA-16 to PA-18, PA-21.

use super::events::EventStream;
use crate::room::make_room;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use stockade_core::mcp::{Envelope, Frame, FrameError, Id};
use stockade_core::ports::UpstreamError;
use stockade_core::wire::{Document, Edits, Kind, ReadError, WireLimits};
use stockade_core::words::Untrusted;

/// What came back for one `POST` or `GET`.
pub(super) enum Reply {
    /// Taken, and nothing more will be said (202, 204).
    Accepted,
    /// One JSON document, unread.
    Message(Bytes),
    /// A stream of events.
    Events(EventStream),
    /// Not taken, with the JSON document that says why, if there is one.
    Failure { status: StatusCode, body: Option<Bytes> },
}

impl Reply {
    /// Sorts a response and reads a JSON body.
    ///
    /// # Errors
    /// `TooLarge` once more than the limit has come, without keeping the rest; `PeerBroke` for what is neither JSON nor
    /// events; `Gone` when the body breaks off.
    pub(super) async fn read(response: Response<Incoming>, limits: &WireLimits) -> Result<Self, UpstreamError> {
        let (head, body) = response.into_parts();
        let kind = Content::of(&head.headers);
        if !head.status.is_success() {
            let body = match kind {
                Ok(Content::Json) => read_body(body, limits.message_bytes).await.ok(),
                _ => None,
            };
            return Ok(Self::Failure { status: head.status, body });
        }
        if matches!(head.status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) {
            return Ok(Self::Accepted);
        }
        Ok(match kind? {
            Content::Json => Self::Message(read_body(body, limits.message_bytes).await?),
            Content::Events => Self::Events(EventStream::new(body, limits)),
        })
    }
}

enum Content {
    Json,
    Events,
}

impl Content {
    fn of(headers: &HeaderMap) -> Result<Self, UpstreamError> {
        if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(broke("a compressed body, which was not asked for"));
        }
        let mut types = headers.get_all(CONTENT_TYPE).iter();
        let said = types.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = said.split(';').next().unwrap_or_default().trim();
        if types.next().is_some() {
            Err(broke("two content types"))
        } else if essence.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else if essence.eq_ignore_ascii_case("text/event-stream") {
            Ok(Self::Events)
        } else {
            Err(broke(&format!("content type `{}`", Untrusted::new(said).for_log())))
        }
    }
}

fn broke(reason: &str) -> UpstreamError {
    UpstreamError::PeerBroke { reason: reason.to_owned() }
}

async fn read_body(mut body: Incoming, limit: usize) -> Result<Bytes, UpstreamError> {
    let too_large = UpstreamError::TooLarge { limit };
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large);
    }
    // What the peer announces is within the limit, so room for it is made once.
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| UpstreamError::Gone { reason: format!("its answer broke off: {error}") })?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len().max(joined.len()).saturating_add(data.len()) > limit {
            return Err(too_large);
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            if joined.is_empty() {
                let first = std::mem::take(&mut first);
                make_room(&mut joined, first.len().max(announced), limit);
                joined.extend_from_slice(&first);
            }
            make_room(&mut joined, data.len(), limit);
            joined.extend_from_slice(&data);
        }
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// What an upstream's status means where it explains itself in no JSON-RPC error.
pub(super) fn failure(status: StatusCode) -> UpstreamError {
    let reason = format!("HTTP status {}", status.as_u16());
    let is_passing = status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 408 | 425 | 429);
    if is_passing { UpstreamError::Unavailable { reason } } else { UpstreamError::PeerBroke { reason } }
}

/// Reads one message of an upstream's strictly.
pub(super) fn read_frame(bytes: Bytes, limits: &WireLimits) -> Result<Frame, UpstreamError> {
    Frame::read(bytes, limits).map_err(|error| unreadable(&error, limits))
}

fn unreadable(error: &FrameError, limits: &WireLimits) -> UpstreamError {
    match error {
        FrameError::Unreadable { cause: ReadError::TooLarge { .. } } => {
            UpstreamError::TooLarge { limit: limits.message_bytes }
        }
        error => UpstreamError::PeerBroke { reason: format!("no message: {}", super::client::describe(error)) },
    }
}

/// The answer to request `number` in a body that can hold nothing else. An error without id is the answer too: there is
/// no other request in this exchange (JSON-RPC 2.0 §5, "id"), so it gets the number.
///
/// # Errors
/// When the body is no message, or the answer to another request (PA-21).
pub(super) fn read_answer(body: Bytes, number: u32, limits: &WireLimits) -> Result<Frame, UpstreamError> {
    let frame = match Frame::read(body.clone(), limits) {
        Ok(frame) if matches!(frame.envelope(), Envelope::Error { id: None }) => adopt(&body, number, limits),
        Ok(frame) => Some(frame),
        Err(FrameError::BadId) => adopt(&body, number, limits),
        Err(error) => return Err(unreadable(&error, limits)),
    };
    frame.filter(|frame| answers(frame, number)).ok_or_else(|| broke("its answer is not to this request"))
}

/// True if a message is the answer to request `number`.
pub(super) fn answers(frame: &Frame, number: u32) -> bool {
    match frame.envelope() {
        Envelope::Result { id } | Envelope::Error { id: Some(id) } => *id == Id::from_number(number),
        Envelope::Error { id: None } | Envelope::Request { .. } | Envelope::Notification { .. } => false,
    }
}

/// The error that a failed request was answered with.
///
/// # Errors
/// What the status says, where there is no such error.
pub(super) fn read_failure(
    status: StatusCode,
    body: Option<Bytes>,
    number: u32,
    limits: &WireLimits,
) -> Result<Frame, UpstreamError> {
    let frame = body.and_then(|body| read_answer(body, number, limits).ok());
    frame.filter(|frame| frame.error().is_some()).ok_or_else(|| failure(status))
}

/// The same error with our id, if it has none.
fn adopt(body: &Bytes, number: u32, limits: &WireLimits) -> Option<Frame> {
    let document = Document::read(body.clone(), limits).ok()?;
    let root = document.root().as_object()?;
    root.get("error")?;
    if root.get("id").is_some_and(|id| id.kind() != Kind::Null) {
        return None;
    }
    let mut edits = Edits::new();
    edits.set_member(root, "id", number.to_string().as_bytes());
    Frame::read(Bytes::from(edits.apply(document.bytes()).ok()?), limits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &'static str, expected: Result<&str, &str>) {
        let read = read_answer(Bytes::from_static(body.as_bytes()), 7, &WireLimits::DEFAULT);
        let read = read.map(|frame| String::from_utf8(frame.document().bytes().to_vec()).unwrap());
        match (read, expected) {
            (Ok(read), Ok(expected)) => assert_eq!(read, expected),
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{body}: {error}"),
            (read, _) => panic!("{body}: {read:?}"),
        }
    }

    #[test]
    fn an_answer_is_ours_or_refused() {
        let result = r#"{"jsonrpc":"2.0","id":7,"result":{}}"#;
        check(result, Ok(result));
        let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":""}}"#;
        check(error, Ok(error));
        for other in [
            r#"{"jsonrpc":"2.0","id":8,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"7","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":8,"error":{"code":-1,"message":""}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"error":{"code":-1,"message":""}}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        ] {
            check(other, Err("not to this request"));
        }
        check(r#"[{"jsonrpc":"2.0","id":7,"result":{}}]"#, Err("batches"));
        check(r#"{"jsonrpc":"2.0","id":7,"result":{},"id":7}"#, Err("broke the protocol"));
        check(r#"{"jsonrpc":"2.0","id":7,"result":{}}{"#, Err("broke the protocol"));
        check("", Err("broke the protocol"));
    }

    #[test]
    fn an_error_without_id_gets_the_only_id_there_is() {
        check(
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"x"}}"#,
            Ok(r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"x"}}"#),
        );
        check(
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"x"}}"#,
            Ok(r#"{"id":7,"jsonrpc":"2.0","error":{"code":-32000,"message":"x"}}"#),
        );
    }

    #[test]
    fn a_failure_is_told_by_its_error_or_by_its_status() {
        let read = |status: u16, body: Option<&'static str>| {
            let status = StatusCode::from_u16(status).unwrap();
            read_failure(status, body.map(|body| Bytes::from_static(body.as_bytes())), 7, &WireLimits::DEFAULT)
        };
        let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"x"}}"#;
        assert!(read(404, Some(error)).unwrap().error().is_some());
        for (status, body, expected) in [
            (404, None, "broke the protocol: HTTP status 404"),
            (500, Some(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#), "not available: HTTP status 500"),
            (400, Some(r#"{"jsonrpc":"2.0","id":8,"error":{"code":-1,"message":""}}"#), "HTTP status 400"),
            (401, Some("{}"), "not available: HTTP status 401"),
            (302, None, "broke the protocol: HTTP status 302"),
        ] {
            assert!(read(status, body).unwrap_err().to_string().contains(expected), "{status}");
        }
    }

    #[test]
    fn types_and_codings_are_what_was_asked_for() {
        let check = |headers: &[(&'static str, &'static str)], expected: Option<&str>| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, http::HeaderValue::from_static(value));
            }
            let said = Content::of(&map).map(|content| match content {
                Content::Json => "json",
                Content::Events => "events",
            });
            assert_eq!(said.ok(), expected, "{headers:?}");
        };
        check(&[("content-type", "application/json")], Some("json"));
        check(&[("content-type", "Application/JSON; charset=utf-8")], Some("json"));
        check(&[("content-type", "text/event-stream;charset=utf-8")], Some("events"));
        check(&[("content-type", "application/json"), ("content-encoding", "identity")], Some("json"));
        check(&[("content-type", "application/json"), ("content-encoding", "gzip")], None);
        check(&[("content-type", "application/json"), ("content-type", "text/html")], None);
        check(&[("content-type", "application/jsonx")], None);
        check(&[("content-type", "text/html")], None);
        check(&[], None);
    }
}
