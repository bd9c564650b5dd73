//! One request and everything that comes back for it.
//!
//! The work runs in a task of its own from the moment the request is taken, so that requests leave in their order and none
//! waits for a slow client to ask; it ends with the exchange.

use super::HOUSEKEEPING;
use super::conversation::Conversation;
use super::events::{EventStream, Place, message_of};
use super::reply::{Reply, answers, failure, read_frame};
use crate::upstream::link::Owner;
use bytes::Bytes;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::mcp::{Envelope, Era, Frame, Id, Method};
use stockade_core::ports::{AskId, Exchange, Incoming, PortFuture, UpstreamError};
use stockade_core::wire::Value;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Messages that wait for a slow client before the upstream has to.
const INTERIM: usize = 16;
/// Things in one response that do not belong there, before it is given up (PA-21, PA-24).
const VIOLATIONS: u32 = 100;
/// How often one answer's stream may break off and be taken up again.
const RESUMPTIONS: u32 = 256;
/// How often in a row taking it up may fail.
const ATTEMPTS: u32 = 5;
/// How long a stream may go on after the answer. An upstream that ends it in this time keeps its connection.
const LINGER: Duration = Duration::from_millis(100);
/// Events that may come in this time.
const LINGER_EVENTS: usize = 4;
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
/// MCP 2026-07-28 HeaderMismatch.
const HEADER_MISMATCH: i64 = -32020;

/// A request as it goes out.
pub(super) struct Sent {
    pub(super) number: u32,
    pub(super) method: Method,
    pub(super) body: Bytes,
    /// The mirrored headers of the modern era; the legacy era's come from the session.
    pub(super) headers: Option<HeaderMap>,
}

/// One request under way. Dropping it cancels it: by closing the connection, and for a legacy upstream by saying so.
pub(super) struct HttpExchange {
    incoming: mpsc::Receiver<Result<Incoming, UpstreamError>>,
    work: AbortHandle,
    conversation: Arc<Conversation>,
    number: u32,
    is_cancellable: bool,
    is_over: bool,
}

impl HttpExchange {
    pub(super) fn start(conversation: Arc<Conversation>, owner: Owner, sent: Sent) -> Self {
        let (out, incoming) = mpsc::channel(INTERIM);
        // A handshake cannot be cancelled (MCP 2025-11-25 "Cancellation"); in the modern era closing is cancelling.
        let is_cancellable = conversation.era() == Era::Legacy && sent.method != Method::Initialize;
        let number = sent.number;
        let work = Work {
            conversation: Arc::clone(&conversation),
            owner,
            number,
            method: sent.method,
            out,
            place: Place::default(),
            violations: 0,
            resumptions: 0,
        };
        let work = tokio::spawn(work.run(sent)).abort_handle();
        Self { incoming, work, conversation, number, is_cancellable, is_over: false }
    }
}

impl Exchange for HttpExchange {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        Box::pin(async move {
            let gone = || Err(UpstreamError::Gone { reason: "nothing more comes".to_owned() });
            let said = self.incoming.recv().await.unwrap_or_else(gone);
            self.is_over |= matches!(said, Err(_) | Ok(Incoming::Answer { .. }));
            said
        })
    }

    fn refuse(&mut self, ask: AskId, refusal: Bytes) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.conversation.owner().forget(ask);
            if let Err(error) = self.conversation.tell(refusal, HOUSEKEEPING).await {
                tracing::debug!(server = %self.conversation.owner().server, %error, "refusal not delivered");
            }
        })
    }
}

impl Drop for HttpExchange {
    fn drop(&mut self) {
        if self.is_over {
            // The work ends by itself within `LINGER`.
            return;
        }
        self.work.abort();
        if self.is_cancellable {
            self.conversation.cancel(self.number);
        }
    }
}

struct Work {
    conversation: Arc<Conversation>,
    owner: Owner,
    number: u32,
    method: Method,
    out: mpsc::Sender<Result<Incoming, UpstreamError>>,
    place: Place,
    violations: u32,
    resumptions: u32,
}

impl Work {
    async fn run(mut self, sent: Sent) {
        let mut stream = None;
        let end = self.answer(sent, &mut stream).await;
        let end = end.map(|frame| Incoming::Answer { frame, session: None });
        let is_lost = self.out.send(end).await.is_err();
        let Some(mut stream) = stream.filter(|_| !is_lost) else { return };
        let rest = async {
            for _ in 0..LINGER_EVENTS {
                match stream.next().await {
                    Ok(Some(event)) => {
                        if message_of(event).is_some() {
                            self.owner.note("server-violation", "a message after the answer").await;
                        }
                    }
                    Ok(None) | Err(_) => return,
                }
            }
        };
        // Whatever comes, the answer is there.
        let _ = tokio::time::timeout(LINGER, rest).await;
    }

    async fn answer(&mut self, sent: Sent, stream: &mut Option<EventStream>) -> Result<Frame, UpstreamError> {
        let (reply, session) = match sent.headers {
            Some(headers) => {
                let response = self.conversation.post(sent.body, headers).await?;
                (Reply::read(response, self.conversation.limits()).await?, None)
            }
            None if self.method == Method::Initialize => self.conversation.shake_hands(sent.body).await?,
            None => (self.conversation.post_in_session(&sent.body).await?, None),
        };
        let answer = match reply {
            Reply::Events(events) => {
                if !matches!(self.method, Method::Initialize | Method::SubscriptionsListen) {
                    self.hand(Incoming::Streaming).await?;
                }
                let answer = self.follow(stream.insert(events)).await;
                // Nothing more is read of a stream that broke the rules, and the upstream still works for it.
                if matches!(answer, Err(UpstreamError::PeerBroke { .. } | UpstreamError::TooLarge { .. }))
                    && self.conversation.era() == Era::Legacy
                    && self.method != Method::Initialize
                {
                    self.conversation.cancel(self.number);
                }
                answer?
            }
            reply => self.conversation.answer_of(reply, self.number).await?,
        };
        if self.method == Method::Initialize {
            self.conversation.settle(session, &answer);
        }
        if answer.error().and_then(|error| error.get("code")).and_then(Value::as_i64) == Some(HEADER_MISMATCH) {
            self.conversation.stateless.tools.expire();
        }
        Ok(answer)
    }

    /// Reads the stream, and those that take its place when it breaks off, until the answer.
    async fn follow(&mut self, stream: &mut EventStream) -> Result<Frame, UpstreamError> {
        loop {
            while let Some(event) = stream.next().await? {
                self.place.note(&event);
                if let Some(message) = message_of(event) {
                    let frame = read_frame(message, self.conversation.limits())?;
                    if answers(&frame, self.number) {
                        return Ok(frame);
                    }
                    self.take(frame).await?;
                }
            }
            *stream = self.resume().await?;
        }
    }

    /// Takes up a legacy stream that broke off, where the upstream has said how (MCP 2025-11-25 "Resumability").
    async fn resume(&mut self) -> Result<EventStream, UpstreamError> {
        let gone = |reason: &str| UpstreamError::Gone { reason: reason.to_owned() };
        if self.conversation.era() == Era::Modern || self.place.last_event_id().is_none() {
            return Err(gone("the stream ended without an answer"));
        }
        self.hand(Incoming::Pause { retry: self.place.retry() }).await?;
        for _ in 0..ATTEMPTS {
            self.resumptions += 1;
            if self.resumptions > RESUMPTIONS {
                break;
            }
            tokio::time::sleep(self.place.wait()).await;
            match self.conversation.get(self.place.last_event_id()).await {
                Ok(Reply::Events(stream)) => return Ok(stream),
                Ok(Reply::Failure { status, .. }) => {
                    // What is over will not come back; what is busy may.
                    if matches!(failure(status), UpstreamError::PeerBroke { .. }) {
                        return Err(gone("the stream ended without an answer and cannot be taken up again"));
                    }
                }
                Ok(Reply::Accepted | Reply::Message(_)) => return Err(gone("the stream is not taken up as one")),
                Err(error) => tracing::debug!(server = %self.owner.server, %error, "stream not taken up"),
            }
        }
        Err(gone("the stream broke off too often"))
    }

    /// Takes a message that is not the answer.
    async fn take(&mut self, frame: Frame) -> Result<(), UpstreamError> {
        match frame.envelope() {
            Envelope::Result { .. } | Envelope::Error { .. } => self.violation("an answer to another request").await,
            Envelope::Notification { .. } => match self.belongs(&frame) {
                Belongs::Here => self.pass(frame, None).await,
                Belongs::Elsewhere(what) => self.violation(what).await,
                Belongs::ToTheEnd => Err(UpstreamError::Gone { reason: "it has ended the subscription".to_owned() }),
            },
            // A modern upstream asks nothing; the road drops it and puts it on record.
            Envelope::Request { .. } if self.conversation.era() == Era::Modern => self.pass(frame, None).await,
            Envelope::Request { id, .. } => match self.owner.take_in(&frame, id) {
                Some(ask) => {
                    let passed = self.pass(frame, Some(ask)).await;
                    if passed.is_err() {
                        self.owner.forget(ask);
                    }
                    passed
                }
                None => {
                    let refusal = cannot_ask(id);
                    self.conversation.tell(refusal, HOUSEKEEPING).await.or_else(|error| {
                        tracing::debug!(server = %self.owner.server, %error, "refusal not delivered");
                        Ok(())
                    })
                }
            },
        }
    }

    /// Says whose a notification is by the marks that carry our number.
    fn belongs(&self, frame: &Frame) -> Belongs {
        let mark = |path: &[&str]| {
            let mark = frame.params().and_then(|params| params.at(path));
            mark.map(|mark| mark.as_i64() == Some(i64::from(self.number)))
        };
        let is_modern = self.conversation.era() == Era::Modern;
        match frame.method() {
            Some(Method::NotificationsProgress) if mark(&["progressToken"]) != Some(true) => {
                Belongs::Elsewhere("progress of another request")
            }
            Some(Method::NotificationsCancelled) if is_modern => match mark(&["requestId"]) {
                Some(true) => Belongs::ToTheEnd,
                _ => Belongs::Elsewhere("the end of another subscription"),
            },
            _ if !is_modern => Belongs::Here,
            _ => match (mark(&["_meta", SUBSCRIPTION]), self.method) {
                (Some(true), _) => Belongs::Here,
                (None, method) if method != Method::SubscriptionsListen => Belongs::Here,
                _ => Belongs::Elsewhere("a notification of another subscription"),
            },
        }
    }

    async fn pass(&self, frame: Frame, ask: Option<AskId>) -> Result<(), UpstreamError> {
        self.hand(Incoming::Message { frame, server: self.owner.server.clone(), ask }).await
    }

    async fn hand(&self, incoming: Incoming) -> Result<(), UpstreamError> {
        self.out.send(Ok(incoming)).await.map_err(|_| UpstreamError::Cancelled)
    }

    async fn violation(&mut self, what: &str) -> Result<(), UpstreamError> {
        self.owner.note("server-violation", what).await;
        self.violations += 1;
        if self.violations <= 3 {
            tracing::warn!(server = %self.owner.server, "the server sent {what}");
        }
        if self.violations < VIOLATIONS {
            return Ok(());
        }
        let reason = format!("{} messages that do not belong to the request, the last {what}", self.violations);
        Err(UpstreamError::PeerBroke { reason })
    }
}

enum Belongs {
    Here,
    Elsewhere(&'static str),
    ToTheEnd,
}

/// The answer to a request of the upstream's that is not one, or that there is no room for.
fn cannot_ask(id: &Id) -> Bytes {
    let id = id.to_json();
    Bytes::from(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32603,"message":"this cannot be asked of the client now"}}}}"#
    ))
}
