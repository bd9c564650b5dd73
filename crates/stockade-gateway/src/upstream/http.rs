//! Streamable HTTP upstreams, in both eras.
//!
//! For: sending what the road has judged as one `POST` each, and reading what comes back, as JSON or as server-sent
//! events. In the legacy era a link keeps the upstream's session, resumes broken streams and opens a session again that the
//! upstream has forgotten; in the modern era it writes the mirrored headers from the body and remembers nothing of a caller.
//! Must never: forward a header of a client's; repeat a request that an upstream may have begun; follow a redirect; hand
//! on a message whose id is not that of its own request.
//! Source: MCP 2025-03-26 to 2025-11-25 `basic/transports` "Streamable HTTP", MCP 2026-07-28 the same; attack cases PA-16
//! to PA-21, EV-02, EV-03, EV-13.

mod client;
mod conversation;
mod events;
mod exchange;
mod listen;
mod modern;
mod reply;
#[cfg(test)]
mod tests;

pub(crate) use client::HttpClient;

use super::link::{Link, Owner};
use crate::session::lock;
use bytes::Bytes;
use conversation::Conversation;
use exchange::HttpExchange;
use http::{HeaderName, HeaderValue, Uri};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stockade_core::guard::Outbound;
use stockade_core::mcp::{Era, Method};
use stockade_core::ports::{Exchange, PortFuture, UpstreamError};
use stockade_core::wire::{Edits, WireLimits};
use tokio::task::AbortHandle;

/// How long a request of the link's own may take: the era's probe, opening a session again, listing tools, a notification.
const HOUSEKEEPING: Duration = Duration::from_secs(10);
/// How long a farewell may take: a cancellation, the end of a session. Nobody waits for its effect.
const FAREWELL: Duration = Duration::from_secs(3);

/// How to reach one upstream.
pub(crate) struct HttpUpstream {
    /// Where it takes messages.
    pub(crate) url: Uri,
    /// What goes with each request, credentials among them; those of [`is_reserved_header`] names are left out.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The strict reader's limits.
    pub(crate) limits: WireLimits,
    /// What carries the requests.
    pub(crate) client: HttpClient,
    /// True where the operator has said that it speaks the modern era, so that it need not be asked.
    pub(crate) is_known_modern: bool,
}

/// True if a header belongs to the connection (RFC 9110 §7.6.1), to the message or to the protocol, so that a configuration
/// may not set it. `User-Agent` is none of them: some upstreams want a certain one.
#[must_use]
pub fn is_reserved_header(name: &HeaderName) -> bool {
    const RESERVED: [&str; 17] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    RESERVED.contains(&name.as_str()) || name.as_str().starts_with("mcp-")
}

/// The link to one HTTP upstream: of one session in the legacy era, of everybody in the modern one.
pub(crate) struct HttpLink {
    conversation: Arc<Conversation>,
    listening: Mutex<Option<AbortHandle>>,
}

impl HttpLink {
    pub(crate) fn new(upstream: Arc<HttpUpstream>, owner: Owner) -> Arc<Self> {
        Arc::new(Self { conversation: Arc::new(Conversation::new(upstream, owner)), listening: Mutex::default() })
    }

    async fn begin(&self, outbound: &Outbound, changes: Edits) -> Result<HttpExchange, UpstreamError> {
        let conversation = &self.conversation;
        conversation.check_open()?;
        let headers = match conversation.era() {
            Era::Legacy => {
                conversation.wake().await?;
                None
            }
            Era::Modern => {
                conversation.check_era().await?;
                Some(conversation.mirror(outbound).await?)
            }
        };
        let number = conversation.next_number();
        let body = outbound.to_bytes(Some(&number.to_string()), changes);
        let body = body.map_err(|error| UpstreamError::PeerBroke { reason: error.to_string() })?;
        if outbound.method() == Method::Initialize {
            conversation.keep_handshake(body.clone());
        }
        let request = exchange::Sent { number, method: outbound.method(), body, headers };
        // The link may be everybody's; what goes wrong on the way is this caller's.
        let owner = Owner { caller: outbound.caller().clone(), ..conversation.owner().clone() };
        Ok(HttpExchange::start(Arc::clone(conversation), owner, request))
    }
}

impl Link for HttpLink {
    fn recall(&self, handshake: Bytes) {
        self.conversation.recall(handshake);
    }

    fn request<'l>(
        &'l self,
        outbound: &'l Arc<Outbound>,
        changes: Edits,
    ) -> PortFuture<'l, Result<Box<dyn Exchange>, UpstreamError>> {
        Box::pin(async move {
            let exchange = self.begin(outbound, changes).await?;
            Ok(Box::new(exchange) as Box<dyn Exchange>)
        })
    }

    fn send<'l>(&'l self, bytes: Bytes) -> PortFuture<'l, Result<(), UpstreamError>> {
        Box::pin(async move {
            self.conversation.check_open()?;
            self.conversation.wake().await?;
            self.conversation.tell(bytes, HOUSEKEEPING).await
        })
    }

    fn listen(&self) {
        let mut listening = lock(&self.listening);
        if self.conversation.era() == Era::Legacy && listening.is_none() && self.conversation.check_open().is_ok() {
            let work = tokio::spawn(listen::listen(Arc::clone(&self.conversation)));
            *listening = Some(work.abort_handle());
        }
    }

    fn close(&self) -> PortFuture<'_, ()> {
        Box::pin(async move {
            self.conversation.close();
            self.stop_listening();
            self.conversation.end_session().await;
        })
    }
}

impl HttpLink {
    fn stop_listening(&self) {
        if let Some(work) = lock(&self.listening).take() {
            work.abort();
        }
    }
}

impl Drop for HttpLink {
    fn drop(&mut self) {
        self.stop_listening();
    }
}
