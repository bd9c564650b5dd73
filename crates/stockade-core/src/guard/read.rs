//! Guard 1, `read`.
//!
//! Proves: the bytes are one strict JSON-RPC 2.0 message within the limits.
//! Refuses when: they are not; nothing is repaired.
//! Source: JSON-RPC 2.0 §4 to §6, RFC 8259, attack cases PA-01 to PA-14.

use crate::identity::Shown;
use crate::mcp::{Envelope, Frame, FrameError, Id, Method};
use crate::ports::Route;
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::{ReadError, WireLimits};
use crate::words::SessionId;
use bytes::Bytes;

/// The mirrored headers of MCP 2026-07-28, as sent. They are checked against the body and never believed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Mirrored {
    /// `Mcp-Method`.
    pub method: Option<String>,
    /// `Mcp-Name`, still encoded.
    pub name: Option<String>,
    /// `Mcp-Param-*`: the header's whole name in lower case, and the value, still encoded.
    pub params: Vec<(String, String)>,
}

/// A message's turn among those of its connection. Whoever waits learns of its end by its being dropped.
pub struct Turn(Box<dyn std::any::Any + Send + Sync>);

impl Turn {
    /// Wraps what is dropped with it.
    pub fn new(inner: impl Send + Sync + 'static) -> Self {
        Self(Box::new(inner))
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = &self.0;
        f.write_str("Turn")
    }
}

/// What a door saw beside the message's bytes.
#[derive(Debug)]
pub struct Seen {
    /// `stdio` or `http`.
    pub door: &'static str,
    /// Where it came in.
    pub route: Route,
    /// What the sender showed.
    pub shown: Shown,
    /// The legacy session that the caller names.
    pub session: Option<SessionId>,
    /// `MCP-Protocol-Version`, as sent.
    pub protocol_version: Option<String>,
    /// The mirrored headers; nothing on a door that has no headers.
    pub mirrored: Option<Mirrored>,
    /// Dropped once the message is on its way or will not go, so that a door can keep messages in order.
    pub turn: Option<Turn>,
}

/// Having one tells you: the message is strict JSON-RPC 2.0 within the limits, and what a door saw beside it.
#[derive(Debug)]
pub struct Arrival {
    pub(super) frame: Frame,
    pub(super) seen: Seen,
}

impl Arrival {
    /// The id to answer with, if the message is a request.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        match self.frame.envelope() {
            Envelope::Request { id, .. } => Some(id),
            Envelope::Notification { .. } | Envelope::Result { .. } | Envelope::Error { .. } => None,
        }
    }

    /// False for notifications and answers, which nobody answers (JSON-RPC 2.0 §4.1).
    pub(crate) fn wants_answer(&self) -> bool {
        matches!(self.frame.envelope(), Envelope::Request { .. })
    }

    /// The method, if it is one that we know.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.frame.method()
    }
}

/// Reads the bytes of one message.
///
/// # Errors
/// What is wrong, and the id of the message if it could be read without doubt.
pub fn read(
    ticket: &mut Ticket,
    bytes: Bytes,
    seen: Seen,
    limits: &WireLimits,
) -> Result<Arrival, Box<(Refused, Option<Id>)>> {
    ticket.facts().door = seen.door;
    if let Route::One(server) = &seen.route {
        ticket.facts().server = Some(server.to_string());
    }
    match Frame::read(bytes, limits) {
        Ok(frame) => Ok(Arrival { frame, seen }),
        Err(error) => {
            let said = match &error {
                FrameError::Unreadable { cause: ReadError::TooLarge { .. } } => Refusal::TooLarge,
                other if other.code() == -32700 => Refusal::NotJson,
                _ => Refusal::InvalidRequest,
            };
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(Box::new((Refused::by("read", said, format!("{error}{cause}")), error.id().cloned())))
        }
    }
}
