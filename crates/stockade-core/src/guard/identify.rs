//! Guard 2, `identify`.
//!
//! Proves: the caller is known, by what this very message carried.
//! Refuses when: nothing was shown, nobody holds what was shown, or it cannot be checked.
//! Source: MCP 2026-07-28 `basic/authorization` ("Authorization on every request"), RFC 6750 §3, attack cases AU-01, AU-18.

use super::read::{Arrival, Credential, Seen};
use crate::mcp::Frame;
use crate::ports::{Identities, IdentityError};
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::words::Caller;

/// Having one tells you: who sent the message. A session or a header never says so.
#[derive(Debug)]
pub struct Identified {
    pub(super) frame: Frame,
    pub(super) seen: Seen,
    pub(super) caller: Caller,
}

impl Identified {
    /// The caller.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// Recognises the caller of a message.
///
/// # Errors
/// When nobody is recognised. `anonymous` is the one caller that a sandbox configuration may name for messages that show
/// nothing; it never takes the place of a credential that was shown and is wrong.
pub fn identify(
    ticket: &mut Ticket,
    arrival: Arrival,
    identities: &dyn Identities,
    anonymous: Option<&Caller>,
) -> Result<Identified, Refused> {
    let Arrival { frame, seen } = arrival;
    let caller = recognise(ticket, &seen.credential, identities, anonymous)?;
    Ok(Identified { frame, seen, caller })
}

/// The same for requests of a door that carry no message: opening the stream of a session, ending it.
///
/// # Errors
/// As [`identify`].
pub(crate) fn recognise(
    ticket: &mut Ticket,
    credential: &Credential,
    identities: &dyn Identities,
    anonymous: Option<&Caller>,
) -> Result<Caller, Refused> {
    let caller = match (credential, anonymous) {
        (Credential::LocalUser(caller), _) => Ok(caller.clone()),
        (Credential::Bearer(key), _) => identities.caller_of_key(key).map_err(|error| {
            let said = match &error {
                IdentityError::UnknownKey | IdentityError::EndedKey { .. } => Refusal::Unidentified,
                IdentityError::Unreadable { .. } => Refusal::Unavailable,
            };
            Refused::by("identify", said, error.to_string())
        }),
        (Credential::Nothing, Some(anonymous)) => Ok(anonymous.clone()),
        (Credential::Nothing, None) => {
            Err(Refused::by("identify", Refusal::Unidentified, "the request carries no credential"))
        }
    }?;
    ticket.facts().caller = Some(caller.name.to_string());
    ticket.facts().caller_kind = Some(caller.kind.as_str());
    Ok(caller)
}
