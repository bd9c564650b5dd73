//! Guard 10, `release`.
//!
//! Proves: the outcome is on record, and the bytes are the inspected ones.
//! Refuses when: the outcome cannot be written.
//! Source: design §2 "outcome, on disk"; attack case AD-06.

use super::forward::Reply;
use super::inspect::Inspected;
use crate::identity::{Challenge, Identity};
use crate::mcp::{Frame, Id, Revision};
use crate::ports::Identities;
use crate::record::Outcome;
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::{Document, WireLimits};
use crate::words::{SessionId, TicketId};
use bytes::Bytes;
use std::time::Duration;

/// Having one tells you: these bytes may go to the client. Only this file makes one.
#[derive(Debug)]
pub struct Released {
    bytes: Bytes,
    status: u16,
    retry_after: Option<Duration>,
    challenge: Option<Box<Challenge>>,
    session: Option<SessionId>,
    ticket: TicketId,
    cancels: Option<Id>,
    is_expected: bool,
}

impl Released {
    /// The request that the client has just cancelled; whoever runs it should stop.
    #[must_use]
    pub const fn cancels(&self) -> Option<&Id> {
        self.cancels.as_ref()
    }

    /// False if this answers what wants no answer: a notification, or an answer (JSON-RPC 2.0 §4.1). A door that answers each
    /// message by itself, as HTTP does with a status, says it all the same; one that has only messages says nothing.
    #[must_use]
    pub const fn is_expected(&self) -> bool {
        self.is_expected
    }

    /// The same, as the answer to what wants none.
    pub(crate) fn unexpected(self) -> Self {
        Self { is_expected: false, ..self }
    }

    /// The message; empty where there is nothing to say.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// When to come back, for `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What the caller should show instead, for `WWW-Authenticate`.
    #[must_use]
    pub fn challenge(&self) -> Option<&Challenge> {
        self.challenge.as_deref()
    }

    /// The session that was opened.
    #[must_use]
    pub const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// The ticket in whose name it goes out.
    #[must_use]
    pub const fn ticket(&self) -> TicketId {
        self.ticket
    }
}

/// Writes the outcome and lets the answer go.
///
/// # Errors
/// When the outcome cannot be written, or the caller was revoked while the answer was on its way (AU-16).
pub async fn release(
    ticket: &mut Ticket,
    inspected: Inspected<Reply>,
    identity: &Identity,
    identities: &dyn Identities,
) -> Result<Released, Refused> {
    super::identify::still_stands(identity, identities)?;
    let status = status_of(&inspected.inner.frame, ticket);
    let session = inspected.session();
    let Inspected { inner, edits } = inspected;
    let outcome = if inner.frame.error().is_some() { Outcome::UpstreamError } else { Outcome::Delivered };
    let bytes = rewrite(&inner.frame, edits)?;
    ticket.facts().released_bytes = Some(bytes.len() as u64);
    ticket
        .close(outcome, None)
        .await
        .map_err(|error| Refused::by("release", Refusal::Unavailable, error.to_string()))?;
    Ok(Released {
        bytes,
        status,
        retry_after: None,
        challenge: None,
        session,
        ticket: ticket.id(),
        cancels: None,
        is_expected: true,
    })
}

/// The HTTP status of an answer: in the modern era some errors of the protocol have one of their own (MCP 2026-07-28
/// Streamable HTTP); everything else is 200.
fn status_of(frame: &Frame, ticket: &mut Ticket) -> u16 {
    let is_modern = ticket.facts().revision == Some(Revision::V2026_07_28.as_str());
    let code = frame.error().and_then(|error| error.get("code")).and_then(crate::wire::Value::as_i64);
    match code {
        Some(-32022..=-32020) if is_modern => 400,
        Some(-32601) if is_modern => 404,
        _ => 200,
    }
}

/// Lets a message go that comes before the answer, or outside of any request.
pub(crate) fn release_interim(ticket: &Ticket, inspected: Inspected<Frame>) -> Result<Released, Refused> {
    let bytes = rewrite(&inspected.inner, inspected.edits)?;
    Ok(Released {
        bytes,
        status: 200,
        retry_after: None,
        challenge: None,
        session: None,
        ticket: ticket.id(),
        cancels: None,
        is_expected: true,
    })
}

/// What answers a notification or an answer: nothing.
pub(crate) const fn release_nothing(ticket: &Ticket, cancels: Option<Id>) -> Released {
    Released {
        bytes: Bytes::new(),
        status: 202,
        retry_after: None,
        challenge: None,
        session: None,
        ticket: ticket.id(),
        cancels,
        is_expected: true,
    }
}

/// Lets a refusal go.
///
/// In the legacy era 404 means that the session is gone, and clients give up a request whose status is an error; so there
/// what belongs to one request goes with 200. In the modern era the statuses are those of MCP 2026-07-28.
pub(crate) fn release_refusal(ticket: TicketId, refused: &Refused, id: Option<&Id>, is_modern: bool) -> Released {
    let said = &refused.said;
    let retry_after = match said {
        Refusal::RateLimited { retry_after } => Some(*retry_after),
        _ => None,
    };
    let bytes = Bytes::from(said.to_message(id, ticket));
    let status = match said {
        Refusal::MethodNotFound | Refusal::InvalidParams if !is_modern && id.is_some() => 200,
        _ => said.words().status,
    };
    Released {
        bytes,
        status,
        retry_after,
        challenge: refused.challenge.clone(),
        session: None,
        ticket,
        cancels: None,
        is_expected: true,
    }
}

fn rewrite(frame: &Frame, edits: crate::wire::Edits) -> Result<Bytes, Refused> {
    if edits.is_empty() {
        return Ok(frame.document().bytes().clone());
    }
    let withheld = |reason: String| Refused::by("release", Refusal::Withheld, reason);
    let touches_names = edits.touches_names();
    let changed = Bytes::from(edits.apply(frame.document().bytes()).map_err(|error| withheld(error.to_string()))?);
    if touches_names {
        let limits = WireLimits { message_bytes: WireLimits::MESSAGE_BYTES_CEILING, ..WireLimits::DEFAULT };
        Document::read(changed.clone(), &limits).map_err(|error| withheld(format!("after cleaning: {error}")))?;
    }
    Ok(changed)
}
