//! A link: one conversation with one upstream.
//!
//! In the legacy era a link belongs to one session, so to one caller; in the modern era a child process belongs to one
//! caller, and an HTTP upstream is shared because nothing is remembered between requests.

use crate::hub::Hub;
use crate::session::{Ask, Session};
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use stockade_core::guard::Outbound;
use stockade_core::mcp::{Direction, Frame, Id, Revision, check_message};
use stockade_core::pipeline::{Carried, FromServer};
use stockade_core::ports::{AskId, Exchange, PortFuture, UpstreamError};
use stockade_core::wire::Edits;
use stockade_core::words::{Caller, ServerName};

/// One conversation with one upstream.
pub(crate) trait Link: Send + Sync {
    /// Sends a request, with the connection's own changes to it.
    fn request<'l>(
        &'l self,
        outbound: &'l Arc<Outbound>,
        changes: Edits,
    ) -> PortFuture<'l, Result<Box<dyn Exchange>, UpstreamError>>;

    /// Sends a notification or an answer: bytes that want none.
    fn send<'l>(&'l self, bytes: Bytes) -> PortFuture<'l, Result<(), UpstreamError>>;

    /// Gives it a handshake to open the server's side with before anything else goes over it: that of a session which another
    /// process has opened. A JSON-RPC `initialize` request, whose id is replaced.
    fn recall(&self, handshake: Bytes);

    /// Begins to listen for what the upstream says outside of any request, where that takes something.
    fn listen(&self);

    /// Ends it, and what hangs on it.
    fn close(&self) -> PortFuture<'_, ()>;
}

/// Whom a link serves, and where what belongs to no request goes.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) hub: Weak<Hub>,
    pub(crate) server: ServerName,
    pub(crate) caller: Caller,
    /// The legacy session, if it is a legacy link.
    pub(crate) session: Option<Weak<Session>>,
}

static ASK_NUMBERS: AtomicU64 = AtomicU64::new(1);

impl Owner {
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        self.session.as_ref().and_then(Weak::upgrade)
    }

    pub(crate) fn revision(&self) -> Revision {
        self.session().map_or(Revision::V2026_07_28, |session| session.revision())
    }

    /// Takes in a request of the upstream's, so that the client can answer it.
    pub(crate) fn take_in(&self, frame: &Frame, id: &Id) -> Option<AskId> {
        let session = self.session()?;
        let method = check_message(frame, session.revision(), Direction::ServerToClient).ok()?;
        let ask = Ask { server: self.server.clone(), method, upstream_id: id.to_json().into_owned() };
        session.ask(ASK_NUMBERS.fetch_add(1, Ordering::Relaxed), ask)
    }

    /// Forgets a request of the upstream's that will not be put to the client.
    pub(crate) fn forget(&self, ask: AskId) {
        if let Some(session) = self.session() {
            session.take_ask(ask.0);
        }
    }

    fn forget_any(&self, ask: Option<AskId>) {
        if let Some(ask) = ask {
            self.forget(ask);
        }
    }

    /// Has a misdeed of the upstream's put on record.
    pub(crate) async fn note(&self, kind: &'static str, reason: &str) {
        if let Some(road) = self.hub.upgrade().and_then(|hub| hub.road()) {
            let from = FromServer {
                caller: &self.caller,
                server: &self.server,
                revision: self.revision(),
                outbound: None,
                ask: None,
            };
            road.note(&from, kind, reason).await;
        }
    }

    /// Takes a message that belongs to no request along the road. Returns what the upstream is to be told, if anything.
    pub(crate) async fn unsolicited(&self, frame: Frame) -> Option<Bytes> {
        let road = self.hub.upgrade()?.road()?;
        let ask = frame.id().and_then(|id| self.take_in(&frame, id));
        let from =
            FromServer { caller: &self.caller, server: &self.server, revision: self.revision(), outbound: None, ask };
        match road.carry_from_server(frame, &from).await {
            Carried::Pass(released) => {
                if let Some(session) = self.session() {
                    session.deliver(released).await;
                }
                None
            }
            Carried::Drop => {
                self.forget_any(ask);
                None
            }
            Carried::Refuse(refusal) => {
                self.forget_any(ask);
                Some(refusal)
            }
        }
    }
}
