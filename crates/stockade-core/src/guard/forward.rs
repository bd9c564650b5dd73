//! Guard 8, `forward`.
//!
//! Proves: the message went to the servers that the policy allowed, once, and what came back answers it.
//! Refuses when: the upstream cannot be reached, breaks the protocol, or gives no answer before the deadline.
//! Source: guide "Timeout", requirements R-34; attack cases RX-04, PA-21.

use super::record::Recorded;
use super::validate::{Message, Target};
use crate::identity::Identity;
use crate::mcp::{Frame, Id, Method, Revision};
use crate::ports::{Clock, Exchange, Incoming, Moment, Route, UpstreamError};
use crate::refusal::{Refusal, Refused};
use crate::wire::{EditError, Edits, Value};
use crate::words::{Caller, ServerName, SessionId};
use bytes::Bytes;
use futures_util::future::{Either, select};

/// Having one tells you: the message passed every guard before this one and its intent is on record. What an upstream
/// gets is written from it and from nothing else.
#[derive(Debug)]
pub struct Outbound {
    recorded: Recorded,
    edits: Edits,
}

impl Outbound {
    fn parts(&self) -> (&super::authorise::Authorised, &super::validate::Validated) {
        let authorised = &self.recorded.admitted.consented.authorised;
        (authorised, &authorised.validated)
    }

    pub(super) const fn authorised(&self) -> &super::authorise::Authorised {
        &self.recorded.admitted.consented.authorised
    }

    /// Who sends it.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.identity().caller
    }

    /// The caller, with the standing of this message.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.parts().1.identity
    }

    /// Where it came in.
    #[must_use]
    pub fn route(&self) -> &Route {
        &self.parts().1.seen.route
    }

    /// The servers it may reach; one, but for handshakes and lists on the merged route.
    #[must_use]
    pub fn reach(&self) -> &[ServerName] {
        &self.parts().0.reach
    }

    /// The legacy session it belongs to.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.parts().1.seen.session.as_ref()
    }

    /// Its revision; for a handshake, the one that was asked for.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.parts().1.revision
    }

    /// Its method; for an answer, that of the request it answers.
    #[must_use]
    pub fn method(&self) -> Method {
        self.parts().1.method
    }

    /// Request, notification or answer.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.parts().1.message
    }

    /// The target by its server's own name.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.parts().0.target
    }

    /// The message as it came.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.parts().1.frame
    }

    /// The `Mcp-Param-*` headers as they came: name in lower case, value still encoded. Nothing where the door has no headers.
    #[must_use]
    pub fn mirrored_params(&self) -> Option<&[(String, String)]> {
        self.parts().1.seen.mirrored.as_ref().map(|mirrored| mirrored.params.as_slice())
    }

    /// When the answer must be there; nothing for streams that live on.
    #[must_use]
    pub const fn deadline(&self) -> Option<Moment> {
        self.recorded.deadline
    }

    /// The message for one upstream, under that connection's own id. A progress token of the client's is replaced by the
    /// same id, so that it is unique on the connection. `changes` are splices of the connection's own, for cursors.
    ///
    /// # Errors
    /// When splices meet, which is a fault of ours.
    pub fn to_bytes(&self, id: Option<&str>, changes: Edits) -> Result<Bytes, EditError> {
        let frame = self.frame();
        let mut edits = self.edits.clone();
        edits.extend(changes);
        if let Some(id) = id {
            if let Some(there) = frame.document().root().get("id") {
                edits.replace(there.span(), id.as_bytes());
            }
            if let Some(token) = progress_token(frame) {
                edits.replace(token.span(), id.as_bytes());
            }
        }
        if edits.is_empty() {
            return Ok(frame.document().bytes().clone());
        }
        edits.apply(frame.document().bytes()).map(Bytes::from)
    }
}

impl Reply {
    /// The session that it opens.
    pub(crate) const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }
}

pub(super) fn progress_token(frame: &Frame) -> Option<Value<'_>> {
    frame.params().and_then(|params| params.at(&["_meta", "progressToken"]))
}

/// A request under way. Dropping it cancels the request upstream.
pub struct Flight {
    exchange: Box<dyn Exchange>,
    deadline: Option<Moment>,
}

/// What came back in answer, not yet looked into.
#[derive(Debug)]
pub struct Reply {
    pub(super) frame: Frame,
    pub(super) session: Option<SessionId>,
}

/// What comes back.
pub(crate) enum Arrived {
    Message { frame: Frame, server: ServerName, ask: Option<crate::ports::AskId> },
    Streaming,
    Pause(Option<std::time::Duration>),
    Reply(Reply),
}

/// Sends a recorded request.
///
/// # Errors
/// When the upstream cannot be reached in time.
pub async fn forward(
    recorded: Recorded,
    road: &crate::pipeline::Road,
) -> Result<(Flight, std::sync::Arc<Outbound>), Refused> {
    let mut outbound = prepare(recorded, road);
    let turn = outbound.recorded.admitted.consented.authorised.validated.seen.turn.take();
    let outbound = std::sync::Arc::new(outbound);
    let deadline = outbound.deadline();
    let exchange = within(road.clock(), deadline, road.upstreams().request(std::sync::Arc::clone(&outbound))).await?;
    drop(turn);
    Ok((Flight { exchange, deadline }, outbound))
}

/// Sends a recorded notification or answer. Returns the request that it cancels, if it does.
///
/// # Errors
/// When the upstream cannot be reached.
pub(crate) async fn send(recorded: Recorded, road: &crate::pipeline::Road) -> Result<Option<Id>, Refused> {
    let outbound = std::sync::Arc::new(prepare(recorded, road));
    if outbound.method() == Method::NotificationsCancelled {
        // Cancelling stops our own work, which tells the upstream under the id that it knows.
        return Ok(outbound.frame().params().and_then(|params| params.get("requestId")).and_then(Id::read));
    }
    within(road.clock(), outbound.deadline(), road.upstreams().send(outbound)).await.map(|()| None)
}

fn prepare(mut recorded: Recorded, road: &crate::pipeline::Road) -> Outbound {
    recorded.admitted.stamp(road.clock().moment());
    let mut edits = std::mem::replace(&mut recorded.unsealed, Edits::new());
    let authorised = &recorded.admitted.consented.authorised;
    let frame = &authorised.validated.frame;
    if let (Some(own), Some(used)) = (authorised.target.name(), authorised.validated.target.name())
        && own != used
    {
        let path: &[&str] =
            if authorised.validated.method == Method::CompletionComplete { &["ref", "name"] } else { &["name"] };
        if let Some(there) = frame.params().and_then(|params| params.at(path)) {
            edits.replace_string(there.span(), own);
        }
    }
    strip_reserved_meta(frame, &mut edits);
    Outbound { recorded, edits }
}

/// Keys of `_meta` whose prefix is reserved for the specification but which it does not define: a peer could take them for
/// the protocol's word (EV-09). Everybody else's keys pass as they are; nothing here believes them.
fn strip_reserved_meta(frame: &Frame, edits: &mut Edits) {
    const DEFINED: [&str; 6] = [
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/related-task",
        "io.modelcontextprotocol/subscriptionId",
    ];
    let reserved = |name: &str| {
        let Some((prefix, _)) = name.split_once('/') else { return false };
        let second = prefix.split('.').nth(1).unwrap_or_default();
        matches!(second, "modelcontextprotocol" | "mcp") && !DEFINED.contains(&name)
    };
    if let Some(meta) = frame.params().and_then(|params| params.get("_meta")).and_then(Value::as_object)
        && meta.members().any(|(name, _)| reserved(&name))
    {
        edits.remove_members(meta, reserved);
    }
}

impl Flight {
    /// Waits for the next thing that the upstream says, at most until the deadline.
    ///
    /// # Errors
    /// When there will be no answer.
    pub(crate) async fn next(&mut self, clock: &dyn Clock) -> Result<Arrived, Refused> {
        let incoming = within(clock, self.deadline, self.exchange.next()).await?;
        Ok(match incoming {
            Incoming::Message { frame, server, ask } => Arrived::Message { frame, server, ask },
            Incoming::Streaming => Arrived::Streaming,
            Incoming::Pause { retry } => Arrived::Pause(retry),
            Incoming::Answer { frame, session } => Arrived::Reply(Reply { frame, session }),
        })
    }

    pub(crate) async fn refuse(&mut self, ask: crate::ports::AskId, refusal: Vec<u8>) {
        self.exchange.refuse(ask, Bytes::from(refusal)).await;
    }
}

async fn within<T>(
    clock: &dyn Clock,
    deadline: Option<Moment>,
    work: crate::ports::PortFuture<'_, Result<T, UpstreamError>>,
) -> Result<T, Refused> {
    let result = match deadline {
        None => work.await,
        Some(deadline) => match select(work, clock.sleep_until(deadline)).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => {
                return Err(Refused::by("forward", Refusal::TimedOut, "no answer before the deadline"));
            }
        },
    };
    result.map_err(|error| refused(&error))
}

fn refused(error: &UpstreamError) -> Refused {
    let said = match error {
        UpstreamError::Unavailable { .. } | UpstreamError::Gone { .. } | UpstreamError::PeerBroke { .. } => {
            Refusal::UpstreamFailed
        }
        UpstreamError::TooLarge { .. } => Refusal::Withheld,
        UpstreamError::OtherEra { requested, supported } => {
            Refusal::UnsupportedVersion { requested: requested.to_string(), supported: supported.clone() }
        }
        UpstreamError::HeaderMismatch => Refusal::HeaderMismatch,
        UpstreamError::NotKnown { .. } => Refusal::InvalidParams,
        UpstreamError::TooMany { .. } => Refusal::RateLimited { retry_after: std::time::Duration::from_secs(1) },
        UpstreamError::Cancelled => Refusal::Cancelled,
    };
    Refused::by("forward", said, format!("the server {error}"))
}
