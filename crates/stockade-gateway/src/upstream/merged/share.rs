//! One message that goes to several servers at once: each server's share of it, bounded in time.
//!
//! Must never: let one server that is dead, hangs or floods fail or stall the others for longer than [`SHARE`].

use crate::session::{Session, lock};
use crate::upstream::link::Link;
use crate::upstream::servers::Servers;
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::guard::Outbound;
use stockade_core::mcp::{Direction, Era, Frame, InvalidMessage, Method, Revision, check_error, check_result};
use stockade_core::ports::{AskId, Exchange, Incoming, PortFuture, UpstreamError};
use stockade_core::wire::{Edits, Value, WireLimits};
use stockade_core::words::ServerName;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

/// How long one server may take for its share.
pub(super) const SHARE: Duration = Duration::from_secs(10);
/// Messages of one server before its answer.
const MESSAGES: usize = 1_000;
/// Messages of all servers that wait for the client; servers wait with them, inside their [`SHARE`].
const WAITING: usize = 64;
/// JSON-RPC 2.0 §5.1: the server has no such method, which is how servers say that they have no such list.
const NO_METHOD: i64 = -32601;

/// Why a server's share is left out.
#[derive(Debug, thiserror::Error)]
pub(in crate::upstream) enum ShareError {
    /// There will be no answer.
    #[error("the server failed")]
    Upstream {
        /// How.
        #[source]
        cause: UpstreamError,
    },
    /// There was no answer in time.
    #[error("no answer within {} s", SHARE.as_secs())]
    TimedOut,
    /// It sent too much before its answer.
    #[error("more than {MESSAGES} messages before the answer")]
    Flood,
    /// It answered with an error.
    #[error("answered with the error {}", .code.map_or_else(|| "?".to_owned(), |code| code.to_string()))]
    Declined {
        /// The error's code.
        code: Option<i64>,
    },
    /// Its answer is not one.
    #[error("the server broke the protocol")]
    Invalid {
        /// How.
        #[source]
        cause: InvalidMessage,
    },
    /// It spoke on a stream before it had acknowledged it (MCP 2026-07-28 `subscriptions/listen`).
    #[error("did not acknowledge the subscription")]
    Unacknowledged,
    /// It chose a revision that has no handshake.
    #[error("chose a revision that is not known")]
    UnknownRevision,
}

impl ShareError {
    pub(super) const fn upstream(cause: UpstreamError) -> Self {
        Self::Upstream { cause }
    }

    /// True if the server lives and says that it has nothing of this kind.
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Declined { code: Some(NO_METHOD) })
    }
}

/// One server's share, once it has ended.
pub(super) type Part = (ServerName, Result<Frame, ShareError>);

/// A message for several servers.
pub(super) struct Fan {
    pub(super) servers: Arc<Servers>,
    pub(super) outbound: Arc<Outbound>,
    /// The session that the message opens; later messages name theirs.
    pub(super) opening: Option<Arc<Session>>,
}

impl Fan {
    fn link(&self, server: &ServerName) -> Result<Arc<dyn Link>, UpstreamError> {
        match &self.opening {
            Some(session) => self.servers.session_link(session, server),
            None => self.servers.link_for(&self.outbound, server),
        }
    }

    /// Sends one server's share on its way.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(super) async fn send(&self, server: &ServerName, edits: Edits) -> Result<Box<dyn Exchange>, ShareError> {
        let link = self.link(server).map_err(ShareError::upstream)?;
        link.request(&self.outbound, edits).await.map_err(ShareError::upstream)
    }

    /// Asks the servers named, all at once, and returns what came of it in the order given.
    pub(super) async fn ask(&self, asked: Vec<(ServerName, Edits)>, meanwhile: &Meanwhile) -> Vec<Part> {
        let (method, revision) = (self.outbound.method(), self.outbound.revision());
        let shares = asked.into_iter().map(|(server, edits)| async move {
            let work = async {
                let exchange = self.send(&server, edits).await?;
                let frame = drive(exchange, meanwhile).await?;
                judge(frame, method, revision)
            };
            let part = tokio::time::timeout(SHARE, work).await.unwrap_or(Err(ShareError::TimedOut));
            self.servers.note_share(&server, method, part.as_ref().err());
            (server, part)
        });
        join_all(shares).await
    }

    /// Asks every server in reach the same.
    pub(super) async fn ask_all(&self, meanwhile: &Meanwhile) -> Vec<Part> {
        let asked = self.outbound.reach().iter().map(|server| (server.clone(), Edits::new())).collect();
        self.ask(asked, meanwhile).await
    }

    /// Reads an answer of our own making: `result` is JSON text. Its id is replaced at `inspect`.
    ///
    /// # Errors
    /// When the strict reader does not take it, which only what servers have said can cause.
    pub(super) fn answer(&self, result: &[u8]) -> Result<Incoming, UpstreamError> {
        let frame = read_own(&[br#"{"jsonrpc":"2.0","id":0,"result":"#, result, b"}"], self.servers.limits())?;
        Ok(Incoming::Answer { frame, session: None })
    }
}

/// Why each server was left out the last time, so that the log says it once.
#[derive(Debug, Default)]
pub(in crate::upstream) struct Noted(Mutex<HashMap<ServerName, String>>);

impl Noted {
    /// Says in the log that a server is left out, and why, in words of ours; or, once, that it is back.
    pub(in crate::upstream) fn note(&self, server: &ServerName, method: Method, error: Option<&ShareError>) {
        let method = method.as_str();
        let Some(error) = error.filter(|error| !error.is_nothing()) else {
            if lock(&self.0).remove(server).is_some() {
                info!(%server, "answers again");
            }
            return;
        };
        let reason = reason_of(error);
        let is_news = lock(&self.0).insert(server.clone(), reason.clone()).is_none_or(|last| last != reason);
        if is_news {
            warn!(%server, method, reason, "left out of what is merged until it answers");
        } else {
            debug!(%server, method, reason, "left out again");
        }
    }
}

/// An error with its causes, in one line.
pub(super) fn reason_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Reads a message that is put together from what servers have sent and the strict reader has taken. The limits on
/// numbers of things are those of one server's message and do not hold for several; the limit on bytes does, but for
/// what prefixes add.
///
/// # Errors
/// When it is not a message.
pub(super) fn read_own(parts: &[&[u8]], limits: &WireLimits) -> Result<Frame, UpstreamError> {
    let message_bytes = limits.message_bytes.saturating_mul(2);
    let own = WireLimits { message_bytes, members: usize::MAX, values: usize::MAX, ..*limits }.within_ceilings();
    let broken = |error| UpstreamError::PeerBroke { reason: format!("the merged answer cannot be read: {error}") };
    Frame::read(Bytes::from(parts.concat()), &own).map_err(broken)
}

/// What to say when no server answered. That they speak another era matters most: the client can then choose it.
pub(super) fn none_answered(parts: impl IntoIterator<Item = (ServerName, ShareError)>) -> UpstreamError {
    let mut reasons = Vec::new();
    for (server, error) in parts {
        if let ShareError::Upstream { cause: era @ UpstreamError::OtherEra { .. } } = error {
            return era;
        }
        reasons.push(format!("{server}: {}", reason_of(&error)));
    }
    UpstreamError::Unavailable { reason: format!("none of the servers answered: {}", reasons.join("; ")) }
}

/// Holds an answer against the message table.
fn judge(frame: Frame, method: Method, revision: Revision) -> Result<Frame, ShareError> {
    let back = Direction::ServerToClient;
    if let Some(error) = frame.error() {
        check_error(&frame, revision, back).map_err(|cause| ShareError::Invalid { cause })?;
        return Err(ShareError::Declined { code: error.get("code").and_then(Value::as_i64) });
    }
    let revision = if method == Method::Initialize { chosen_revision(&frame)? } else { revision };
    check_result(&frame, method, revision, back).map_err(|cause| ShareError::Invalid { cause })?;
    Ok(frame)
}

/// A server may choose another revision than the one asked for (MCP 2025-11-25, "Lifecycle").
fn chosen_revision(frame: &Frame) -> Result<Revision, ShareError> {
    let chosen = frame.result().and_then(|result| result.get("protocolVersion")).and_then(Value::as_str);
    let revision = chosen.and_then(|chosen| Revision::parse(&chosen));
    revision.filter(|revision| revision.era() == Era::Legacy).ok_or(ShareError::UnknownRevision)
}

/// What becomes of what a server says before its answer.
pub(super) enum Meanwhile {
    /// The road judges it, and the client gets it.
    PassOn(mpsc::Sender<Incoming>),
    /// The client is not there yet: requests are declined, notifications dropped.
    Decline,
}

/// Waits for the answer of one server.
async fn drive(mut exchange: Box<dyn Exchange>, meanwhile: &Meanwhile) -> Result<Frame, ShareError> {
    for _ in 0..MESSAGES {
        match exchange.next().await.map_err(ShareError::upstream)? {
            Incoming::Answer { frame, .. } => return Ok(frame),
            // The link goes on by itself; the client has an answer of ours to wait for, not this one.
            Incoming::Pause { .. } | Incoming::Streaming => {}
            Incoming::Message { frame, server, ask } => match (meanwhile, ask) {
                // Progress of several servers under the one token of the client's would run back and forth.
                (Meanwhile::PassOn(_), None) if frame.method() == Some(Method::NotificationsProgress) => {}
                (Meanwhile::PassOn(waiting), ask) => {
                    // Nobody receives any more only when the whole exchange is going away.
                    let _ = waiting.send(Incoming::Message { frame, server, ask }).await;
                }
                (Meanwhile::Decline, Some(ask)) => exchange.refuse(ask, declined(&frame)).await,
                (Meanwhile::Decline, None) => {}
            },
        }
    }
    Err(ShareError::Flood)
}

/// Before the handshake is over a server may ask for nothing but a sign of life (MCP 2025-11-25, "Lifecycle").
fn declined(frame: &Frame) -> Bytes {
    let id = frame.id().map(|id| id.to_json().into_owned()).unwrap_or_else(|| "null".to_owned());
    Bytes::from(match frame.method() {
        Some(Method::Ping) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#),
        _ => format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{NO_METHOD},"message":"Not available during the handshake"}}}}"#
        ),
    })
}

/// Several shares under way that end in one answer. Nothing happens but inside of [`Exchange::next`]; dropping it drops
/// the shares, which cancels them.
pub(super) struct Gathering {
    work: Option<PortFuture<'static, Result<Incoming, UpstreamError>>>,
    waiting: mpsc::Receiver<Incoming>,
    done: Option<Result<Incoming, UpstreamError>>,
    session: Option<Arc<Session>>,
}

impl Gathering {
    /// Makes an exchange of `work`. Requests of servers that the road refuses are answered over the session's links.
    pub(super) fn begin<W>(session: Option<Arc<Session>>, work: impl FnOnce(Meanwhile) -> W) -> Box<dyn Exchange>
    where
        W: Future<Output = Result<Incoming, UpstreamError>> + Send + 'static,
    {
        let (sender, waiting) = mpsc::channel(WAITING);
        Box::new(Self { work: Some(Box::pin(work(Meanwhile::PassOn(sender)))), waiting, done: None, session })
    }
}

impl Exchange for Gathering {
    fn next(&mut self) -> PortFuture<'_, Result<Incoming, UpstreamError>> {
        Box::pin(async move {
            if let Some(work) = self.work.as_mut() {
                let result = tokio::select! {
                    biased;
                    Some(message) = self.waiting.recv() => return Ok(message),
                    result = work => result,
                };
                self.work = None;
                self.done = Some(result);
            }
            // The last messages may have come in the same moment as the answer.
            if let Ok(message) = self.waiting.try_recv() {
                return Ok(message);
            }
            self.done.take().unwrap_or(Err(UpstreamError::Cancelled))
        })
    }

    fn refuse(&mut self, ask: AskId, refusal: Bytes) -> PortFuture<'_, ()> {
        Box::pin(async move {
            let Some(session) = &self.session else { return };
            let asked = session.take_ask(ask.0);
            if let Some(link) = asked.and_then(|asked| session.link(&asked.server)) {
                // A server that is gone waits for no answer.
                let _ = link.send(refusal).await;
            }
        })
    }
}
