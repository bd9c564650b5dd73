//! The upstream: an MCP server over Streamable HTTP that does as little as hyper allows.
//!
//! What it is for: to be so fast that what is measured is what stands before it. Results are bytes made at the start; an
//! answer is the request's id between two prepared pieces, and the big piece is shared, not copied.
//! What it must never do: send what the published schema of its era forbids (the tests hold its answers against it).
//! It does not judge its caller: mirrored headers and arguments are the gateway's work, which is what is measured.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::{convert::Infallible, io};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::Service;
use serde_json::{Value, json};

use crate::payload;
use crate::plan::{Era, Work};
use crate::scan::Members;
use crate::serve;

/// The longest request body that is read, in bytes.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;
const SESSION_HEADER: &str = "mcp-session-id";
const VERSION_HEADER: &str = "mcp-protocol-version";
/// JSON-RPC 2.0 §5.1.
const METHOD_NOT_FOUND: i32 = -32601;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
/// MCP 2026-07-28, basic: `UnsupportedProtocolVersion`.
const UNSUPPORTED_VERSION: i32 = -32022;

/// Runs the upstream until standard input ends.
///
/// # Errors
/// When it cannot listen.
pub async fn run() -> io::Result<()> {
    serve::until_stdin_ends(Upstream { prepared: Arc::new(Prepared::new()) }).await
}

#[derive(Clone)]
struct Upstream {
    prepared: Arc<Prepared>,
}

impl Service<Request<Incoming>> for Upstream {
    type Response = Response<Spliced>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let prepared = Arc::clone(&self.prepared);
        Box::pin(async move { Ok(prepared.answer(request).await) })
    }
}

/// Everything that does not depend on the request.
struct Prepared {
    /// What follows the id, by era and by method or tool name.
    modern: HashMap<&'static [u8], Bytes>,
    legacy: HashMap<&'static [u8], Bytes>,
    sessions: AtomicU64,
}

impl Prepared {
    fn new() -> Self {
        let capabilities = json!({"tools": {}});
        let mut modern = works(Era::Modern);
        let versions = [Era::Modern.revision(), Era::Legacy.revision()];
        let discovered = json!({"resultType": "complete", "supportedVersions": versions, "capabilities": capabilities,
                                "ttlMs": 60_000, "cacheScope": "public"});
        modern.insert(b"server/discover", tail("result", &discovered));

        let mut legacy = works(Era::Legacy);
        let server = json!({"name": "stockade-bench-upstream", "version": env!("CARGO_PKG_VERSION")});
        let initialized =
            json!({"protocolVersion": Era::Legacy.revision(), "capabilities": capabilities, "serverInfo": server});
        legacy.insert(b"initialize", tail("result", &initialized));
        legacy.insert(b"ping", tail("result", &json!({})));
        Self { modern, legacy, sessions: AtomicU64::new(1) }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Spliced> {
        let (head, body) = request.into_parts();
        if head.method == Method::DELETE && head.headers.contains_key(SESSION_HEADER) {
            return empty(StatusCode::OK);
        }
        if head.method != Method::POST {
            return empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        match Limited::new(body, MAX_REQUEST_BYTES).collect().await {
            Ok(body) => self.post(&head.headers, &body.to_bytes()),
            Err(_) => empty(StatusCode::BAD_REQUEST),
        }
    }

    fn post(&self, headers: &HeaderMap, body: &[u8]) -> Response<Spliced> {
        let (mut id, mut method, mut params) = (None, None, None);
        for member in Members::of(body) {
            match member.name {
                b"id" => id = Some(member.value),
                b"method" => method = member.string(),
                b"params" => params = Some(member.value),
                _ => {}
            }
        }
        let Some(id) = id else {
            // A notification, or nothing that could be answered.
            return empty(if method.is_some() { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST });
        };
        let Some(method) = method else {
            return failure(
                StatusCode::BAD_REQUEST,
                id,
                &json!({"code": INVALID_REQUEST, "message": "Invalid Request"}),
            );
        };
        let version = headers.get(VERSION_HEADER).map(HeaderValue::as_bytes);
        match version {
            Some(b"2026-07-28") => match find(&self.modern, method, params) {
                Ok(tail) => ok(id, tail),
                Err(error) => failure(modern_status(&error), id, &error),
            },
            None | Some(b"2025-11-25" | b"2025-06-18" | b"2025-03-26") => self.legacy(headers, method, id, params),
            Some(other) => {
                let data = json!({"supported": [Era::Modern.revision(), Era::Legacy.revision()],
                                  "requested": String::from_utf8_lossy(other)});
                let error =
                    json!({"code": UNSUPPORTED_VERSION, "message": "Unsupported protocol version", "data": data});
                failure(StatusCode::BAD_REQUEST, id, &error)
            }
        }
    }

    fn legacy(&self, headers: &HeaderMap, method: &[u8], id: &[u8], params: Option<&[u8]>) -> Response<Spliced> {
        let opens = method == b"initialize";
        if !opens && !headers.contains_key(SESSION_HEADER) {
            return empty(StatusCode::BAD_REQUEST);
        }
        match find(&self.legacy, method, params) {
            Ok(tail) => {
                let mut response = ok(id, tail);
                if opens {
                    let session = format!("bench-{:016x}", self.sessions.fetch_add(1, Ordering::Relaxed));
                    let session = HeaderValue::from_str(&session).expect("a hexadecimal number is a header value");
                    response.headers_mut().insert(SESSION_HEADER, session);
                }
                response
            }
            Err(error) => failure(StatusCode::OK, id, &error),
        }
    }
}

fn works(era: Era) -> HashMap<&'static [u8], Bytes> {
    [Work::Echo1k, Work::Echo64k, Work::ToolsList]
        .into_iter()
        .map(|work| (work.tool().unwrap_or(work.method()).as_bytes(), tail("result", &payload::result(work, era))))
        .collect()
}

/// The prepared tail for a request, or the JSON-RPC error object.
fn find<'a>(
    prepared: &'a HashMap<&'static [u8], Bytes>,
    method: &[u8],
    params: Option<&[u8]>,
) -> Result<&'a Bytes, Value> {
    if method == b"tools/call" {
        let name = params.and_then(|params| Members::find(params, "name"));
        let name = name.and_then(|member| member.string()).filter(|name| name.starts_with(b"echo_"));
        return name
            .and_then(|name| prepared.get(name))
            .ok_or_else(|| json!({"code": INVALID_PARAMS, "message": "Unknown tool"}));
    }
    // Tool names are keys of the same table, and no method.
    prepared
        .get(method)
        .filter(|_| !method.starts_with(b"echo_"))
        .ok_or_else(|| json!({"code": METHOD_NOT_FOUND, "message": "Method not found"}))
}

/// MCP 2026-07-28, Streamable HTTP: an unknown method is 404; other errors of a request stay 200.
fn modern_status(error: &Value) -> StatusCode {
    if error["code"] == json!(METHOD_NOT_FOUND) { StatusCode::NOT_FOUND } else { StatusCode::OK }
}

fn tail(member: &str, value: &Value) -> Bytes {
    Bytes::from(format!(",\"{member}\":{value}}}"))
}

fn ok(id: &[u8], tail: &Bytes) -> Response<Spliced> {
    spliced(StatusCode::OK, id, tail.clone())
}

fn failure(status: StatusCode, id: &[u8], error: &Value) -> Response<Spliced> {
    spliced(status, id, tail("error", error))
}

fn spliced(status: StatusCode, id: &[u8], tail: Bytes) -> Response<Spliced> {
    let mut head = Vec::with_capacity(24 + id.len());
    head.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    head.extend_from_slice(id);
    let mut response = Response::new(Spliced { head: Bytes::from(head), tail });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn empty(status: StatusCode) -> Response<Spliced> {
    let mut response = Response::new(Spliced { head: Bytes::new(), tail: Bytes::new() });
    *response.status_mut() = status;
    response
}

/// A body of two pieces: the one with the id, and the prepared one that all answers share.
struct Spliced {
    head: Bytes,
    tail: Bytes,
}

impl Body for Spliced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = if self.head.is_empty() { std::mem::take(&mut self.tail) } else { std::mem::take(&mut self.head) };
        Poll::Ready(if piece.is_empty() { None } else { Some(Ok(Frame::data(piece))) })
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.head.len() + self.tail.len()) as u64)
    }
}
