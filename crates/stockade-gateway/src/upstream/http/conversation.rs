//! What one link and its requests share: the numbers, the upstream's session, and the requests of the link's own.
//!
//! A legacy upstream's session is opened by the client's own handshake. When the upstream has forgotten it (404), the same
//! handshake is sent again, once for all requests that find out together; then each of them may be sent again, because
//! 404 says that it was not begun (MCP 2025-11-25 "Session Management").

use super::events::message_of;
use super::modern::Stateless;
use super::reply::{Reply, answers, failure, read_answer, read_failure, read_frame};
use super::{FAREWELL, HOUSEKEEPING, HttpUpstream, is_reserved_header};
use crate::session::lock;
use crate::upstream::link::Owner;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::mcp::{Era, Frame, Revision};
use stockade_core::ports::UpstreamError;
use stockade_core::wire::{Edits, Value, WireLimits};
use stockade_core::words::SessionId;
use tokio::sync::{Mutex as AsyncMutex, watch};

pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events of a stream that are looked through for the answer to a request of the link's own.
const OWN_EVENTS: usize = 64;

/// What a handshake has opened.
#[derive(Clone, Default)]
pub(super) struct Opened {
    /// The upstream's session; not every upstream has one.
    pub(super) id: Option<HeaderValue>,
    revision: Option<Revision>,
    /// How many sessions there have been: a request that fails knows by it whether another has noticed before.
    generation: u64,
}

impl Opened {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(id) = &self.id {
            headers.insert(SESSION, id.clone());
        }
        if let Some(revision) = self.revision {
            headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
        }
        headers
    }
}

pub(super) struct Conversation {
    upstream: Arc<HttpUpstream>,
    owner: Owner,
    numbers: AtomicU32,
    is_closed: AtomicBool,
    handshake: Mutex<Option<Bytes>>,
    /// True if the handshake is that of another process, and so has yet to be sent.
    is_recalled: AtomicBool,
    opened: watch::Sender<Opened>,
    reviving: AsyncMutex<()>,
    pub(super) stateless: Stateless,
}

impl Conversation {
    pub(super) fn new(upstream: Arc<HttpUpstream>, owner: Owner) -> Self {
        Self {
            upstream,
            owner,
            numbers: AtomicU32::new(0),
            is_closed: AtomicBool::new(false),
            handshake: Mutex::default(),
            is_recalled: AtomicBool::new(false),
            opened: watch::Sender::new(Opened::default()),
            reviving: AsyncMutex::default(),
            stateless: Stateless::default(),
        }
    }

    pub(super) fn era(&self) -> Era {
        if self.owner.session.is_some() { Era::Legacy } else { Era::Modern }
    }

    pub(super) fn owner(&self) -> &Owner {
        &self.owner
    }

    pub(super) fn upstream(&self) -> &HttpUpstream {
        &self.upstream
    }

    pub(super) fn limits(&self) -> &WireLimits {
        &self.upstream.limits
    }

    pub(super) fn next_number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
    }

    /// The session as it is, and a notice of each that takes its place.
    pub(super) fn opened(&self) -> watch::Receiver<Opened> {
        self.opened.subscribe()
    }

    /// # Errors
    /// When the link was closed.
    pub(super) fn check_open(&self) -> Result<(), UpstreamError> {
        if self.is_closed.load(Ordering::Acquire) { Err(UpstreamError::Cancelled) } else { Ok(()) }
    }

    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// Keeps the client's handshake, to be able to repeat it.
    pub(super) fn keep_handshake(&self, bytes: Bytes) {
        *lock(&self.handshake) = Some(bytes);
    }

    /// Takes over the handshake of a session that another process has opened.
    pub(super) fn recall(&self, handshake: Bytes) {
        self.keep_handshake(handshake);
        self.is_recalled.store(true, Ordering::Release);
    }

    /// Opens the upstream's session if it is still to be opened again for one that another process had.
    ///
    /// # Errors
    /// When that is not possible.
    pub(super) async fn wake(&self) -> Result<(), UpstreamError> {
        let is_asleep = self.is_recalled.load(Ordering::Acquire) && self.opened.borrow().generation == 0;
        if is_asleep { self.revive(0).await } else { Ok(()) }
    }

    /// Sends one `POST`.
    pub(super) async fn post(&self, body: Bytes, headers: HeaderMap) -> Result<Response<Incoming>, UpstreamError> {
        let mut headers = self.upstream.with_own(headers);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.upstream.send(Method::POST, headers, body).await
    }

    /// Sends a request of the session's, once more if the session was gone.
    pub(super) async fn post_in_session(&self, body: &Bytes) -> Result<Reply, UpstreamError> {
        let opened = self.opened.borrow().clone();
        let response = self.post(body.clone(), opened.headers()).await?;
        if response.status() != StatusCode::NOT_FOUND || opened.id.is_none() {
            return Reply::read(response, self.limits()).await;
        }
        drop(response);
        self.revive(opened.generation).await?;
        let headers = self.opened.borrow().headers();
        Reply::read(self.post(body.clone(), headers).await?, self.limits()).await
    }

    /// Sends the handshake. Returns the session that came with the reply.
    pub(super) async fn shake_hands(&self, body: Bytes) -> Result<(Reply, Option<HeaderValue>), UpstreamError> {
        let response = self.post(body, HeaderMap::new()).await?;
        let id = session_of(response.headers())?;
        Ok((Reply::read(response, self.limits()).await?, id))
    }

    /// Takes over what the handshake has opened.
    pub(super) fn settle(&self, id: Option<HeaderValue>, answer: &Frame) {
        if let Some(opened) = opened_by(id, answer, 1) {
            self.opened.send_replace(opened);
        }
    }

    /// Opens a session again after the one of `generation` was found gone, unless somebody else just has.
    async fn revive(&self, generation: u64) -> Result<(), UpstreamError> {
        let _turn = self.reviving.lock().await;
        let before = self.opened.borrow().clone();
        if before.generation != generation {
            return Ok(());
        }
        let gone = |reason: &str| UpstreamError::Gone { reason: format!("its session is gone, and {reason}") };
        let handshake = lock(&self.handshake).clone().ok_or_else(|| gone("no handshake can be repeated"))?;
        let number = self.next_number();
        let again = renumber(&handshake, number, self.limits()).ok_or_else(|| gone("no handshake can be repeated"))?;
        let revived = async {
            let (reply, id) = self.shake_hands(again).await?;
            let answer = self.answer_of(reply, number).await?;
            let opened = opened_by(id, &answer, generation + 1).ok_or_else(|| gone("it refuses a new one"))?;
            let expected = before.revision.or_else(|| Some(self.owner.revision()));
            if opened.revision != expected {
                return Err(gone("a new one has another revision"));
            }
            let initialized = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
            let response = self.post(initialized, opened.headers()).await?;
            if !response.status().is_success() {
                return Err(failure(response.status()));
            }
            Ok(opened)
        };
        let opened = tokio::time::timeout(HOUSEKEEPING, revived)
            .await
            .unwrap_or_else(|_| Err(gone("a new one takes too long")))?;
        tracing::info!(server = %self.owner.server, "upstream session opened again");
        self.opened.send_replace(opened);
        Ok(())
    }

    /// Opens the stream of what belongs to no request, or goes on with a stream that broke off.
    pub(super) async fn get(&self, last_event_id: Option<&HeaderValue>) -> Result<Reply, UpstreamError> {
        let mut headers = self.upstream.with_own(self.opened.borrow().headers());
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(id) = last_event_id {
            headers.insert(LAST_EVENT_ID, id.clone());
        }
        Reply::read(self.upstream.send(Method::GET, headers, Bytes::new()).await?, self.limits()).await
    }

    /// Sends what wants no answer: a notification, or the answer to a request of the upstream's.
    ///
    /// # Errors
    /// When the upstream does not take it within `limit`.
    pub(super) async fn tell(&self, bytes: Bytes, limit: Duration) -> Result<(), UpstreamError> {
        let headers = match self.era() {
            Era::Legacy => self.opened.borrow().headers(),
            Era::Modern => self.mirror_method(&bytes)?,
        };
        match tokio::time::timeout(limit, self.post(bytes, headers)).await {
            Err(_) => Err(UpstreamError::Unavailable { reason: "it does not take a message in time".to_owned() }),
            Ok(Err(error)) => Err(error),
            Ok(Ok(response)) if response.status().is_success() => Ok(()),
            Ok(Ok(response)) => Err(failure(response.status())),
        }
    }

    /// Tells a legacy upstream that nobody waits for request `number` any more, and waits for nothing.
    pub(super) fn cancel(self: &Arc<Self>, number: u32) {
        // Without a runtime the whole process is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{number},"reason":"cancelled"}}}}"#
        );
        let conversation = Arc::clone(self);
        runtime.spawn(async move {
            if let Err(error) = conversation.tell(Bytes::from(text), FAREWELL).await {
                tracing::debug!(server = %conversation.owner.server, %error, "cancellation not delivered");
            }
        });
    }

    /// Ends the upstream's session, if there is one. Upstreams may refuse that, and it changes nothing for us.
    pub(super) async fn end_session(&self) {
        let opened = self.opened.borrow().clone();
        if opened.id.is_some() {
            let headers = self.upstream.with_own(opened.headers());
            let ending = self.upstream.send(Method::DELETE, headers, Bytes::new());
            if !matches!(tokio::time::timeout(FAREWELL, ending).await, Ok(Ok(_))) {
                tracing::debug!(server = %self.owner.server, "upstream session not ended");
            }
        }
    }

    /// The answer to a request of the link's own. What else comes with it is dropped.
    pub(super) async fn answer_of(&self, reply: Reply, number: u32) -> Result<Frame, UpstreamError> {
        let broke = |reason: &str| UpstreamError::PeerBroke { reason: reason.to_owned() };
        let mut stream = match reply {
            Reply::Accepted => return Err(broke("it takes a request and does not answer it")),
            Reply::Message(body) => return read_answer(body, number, self.limits()),
            Reply::Failure { status, body } => return read_failure(status, body, number, self.limits()),
            Reply::Events(stream) => stream,
        };
        for _ in 0..OWN_EVENTS {
            let event = stream.next().await?;
            let event = event.ok_or_else(|| UpstreamError::Gone { reason: "the stream ended".to_owned() })?;
            if let Some(message) = message_of(event) {
                let frame = read_frame(message, self.limits())?;
                if answers(&frame, number) {
                    return Ok(frame);
                }
            }
        }
        Err(broke("many events and no answer"))
    }
}

impl HttpUpstream {
    /// The configured headers with our own over them.
    fn with_own(&self, own: HeaderMap) -> HeaderMap {
        let mut headers: HeaderMap = HeaderMap::with_capacity(self.headers.len() + own.len() + 4);
        for (name, value) in self.headers.iter().filter(|(name, _)| !is_reserved_header(name)) {
            headers.append(name, value.clone());
        }
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let agent = HeaderValue::from_static(concat!("stockade/", env!("CARGO_PKG_VERSION")));
        headers.entry(USER_AGENT).or_insert(agent);
        // Replaces the first value of a name and then appends, as `HeaderMap` says.
        headers.extend(own);
        headers
    }

    async fn send(&self, method: Method, headers: HeaderMap, body: Bytes) -> Result<Response<Incoming>, UpstreamError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = headers;
        self.client.send(request).await
    }
}

/// The session that a response opens.
fn session_of(headers: &HeaderMap) -> Result<Option<HeaderValue>, UpstreamError> {
    let Some(value) = headers.get(SESSION) else { return Ok(None) };
    if value.to_str().ok().and_then(SessionId::parse).is_none() {
        return Err(UpstreamError::PeerBroke { reason: "its session id is not visible ASCII".to_owned() });
    }
    let mut value = value.clone();
    value.set_sensitive(true);
    Ok(Some(value))
}

/// What a handshake has opened, if it went well. An unknown revision is none that a header could name.
fn opened_by(id: Option<HeaderValue>, answer: &Frame, generation: u64) -> Option<Opened> {
    let chosen = answer.result()?.get("protocolVersion").and_then(Value::as_str);
    let revision = chosen.and_then(|text| Revision::parse(&text)).filter(|revision| revision.era() == Era::Legacy);
    Some(Opened { id, revision, generation })
}

/// The same request under another number, which is its progress token too.
fn renumber(message: &Bytes, number: u32, limits: &WireLimits) -> Option<Bytes> {
    let frame = Frame::read(message.clone(), limits).ok()?;
    let mut edits = Edits::new();
    edits.replace(frame.document().root().get("id")?.span(), number.to_string());
    if let Some(token) = frame.params().and_then(|params| params.at(&["_meta", "progressToken"])) {
        edits.replace(token.span(), number.to_string());
    }
    edits.apply(message).ok().map(Bytes::from)
}
