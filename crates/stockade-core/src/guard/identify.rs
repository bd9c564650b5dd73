//! Guard 2, `identify`.
//!
//! Proves: the caller is known, by what this very message showed.
//! Refuses when: nothing was shown, it proves nobody, or it cannot be checked.
//! Source: MCP 2026-07-28 `basic/authorization` ("Authorization on every request"), RFC 6750 §3, attack cases AU-01, AU-18.

use super::read::{Arrival, Seen};
use crate::identity::{Basis, Challenge, ChallengeError, Credential, Identity, IdentityError, Shown, Standing};
use crate::mcp::Frame;
use crate::ports::Identities;
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::words::Caller;
use std::sync::Arc;

const RULE: &str = "identify";

/// Having one tells you: who sent the message. A session or a header never says so.
#[derive(Debug)]
pub struct Identified {
    pub(super) frame: Frame,
    pub(super) seen: Seen,
    pub(super) identity: Identity,
}

impl Identified {
    /// The caller.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.identity.caller
    }
}

/// Recognises the caller of a message.
///
/// # Errors
/// When nobody is recognised. `anonymous` is the one caller that a sandbox configuration may name for messages that show
/// nothing; it never takes the place of a credential that was shown and is wrong.
pub async fn identify(
    ticket: &mut Ticket,
    arrival: Arrival,
    identities: &dyn Identities,
    anonymous: Option<&Caller>,
) -> Result<Identified, Refused> {
    let Arrival { frame, mut seen } = arrival;
    let identity = recognise(ticket, &seen.shown, identities, anonymous).await?;
    // What was shown has done its work; nothing after this guard can see it.
    seen.shown = Shown::only(Credential::Nothing);
    Ok(Identified { frame, seen, identity })
}

/// The same for requests of a door that carry no message: opening the stream of a session, ending it.
///
/// # Errors
/// As [`identify`].
pub(crate) async fn recognise(
    ticket: &mut Ticket,
    shown: &Shown,
    identities: &dyn Identities,
    anonymous: Option<&Caller>,
) -> Result<Identity, Refused> {
    let given = |caller: &Caller| Identity { caller: caller.clone(), standing: Arc::new(Standing::given()) };
    let identity = match (&shown.credential, anonymous) {
        (Credential::LocalUser(caller), _) => given(caller),
        (Credential::Nothing, Some(anonymous)) if shown.certificate.is_none() => given(anonymous),
        _ => identities.identify(shown).await.map_err(|error| unidentified(&error, &shown.credential))?,
    };
    let facts = ticket.facts();
    facts.caller = Some(identity.caller.name.to_string());
    facts.caller_kind = Some(identity.caller.kind.as_str());
    Ok(identity)
}

/// The refusal for a caller who is not, or no longer, recognised.
pub(crate) fn unidentified(error: &IdentityError, shown: &Credential) -> Refused {
    let said = match error {
        IdentityError::Malformed { .. } => Refusal::MalformedCredential,
        IdentityError::Throttled { retry_after } => Refusal::RateLimited { retry_after: *retry_after },
        IdentityError::Unavailable { .. } => Refusal::Unavailable,
        _ => Refusal::Unidentified,
    };
    let code = match error {
        IdentityError::Missing | IdentityError::Throttled { .. } | IdentityError::Unavailable { .. } => None,
        IdentityError::Malformed { .. } => Some(ChallengeError::InvalidRequest),
        IdentityError::Proof { error, .. } => Some(*error),
        IdentityError::UnknownKey
        | IdentityError::EndedKey { .. }
        | IdentityError::Rejected { .. }
        | IdentityError::Revoked { .. } => Some(ChallengeError::InvalidToken),
    };
    let nonce = match error {
        IdentityError::Proof { nonce, .. } => nonce.clone(),
        _ => None,
    };
    let dpop = matches!(shown, Credential::Dpop(_)) || matches!(error, IdentityError::Proof { .. });
    let challenge = Challenge { error: code, scopes: Vec::new(), dpop, nonce };
    Refused::by(RULE, said, error.to_string()).with_challenge(challenge)
}

/// Whom the operating system or the configuration vouches for stands as long as the process does.
pub(crate) fn stands(identity: &Identity, identities: &dyn Identities) -> Result<(), IdentityError> {
    if identity.standing.basis == Basis::Given { Ok(()) } else { identities.stands(identity) }
}

/// Asks whether what proved the caller still holds.
///
/// # Errors
/// When it was revoked or has expired since, or that cannot be known.
pub(crate) fn still_stands(identity: &Identity, identities: &dyn Identities) -> Result<(), Refused> {
    stands(identity, identities).map_err(|error| unidentified(&error, &Credential::Nothing))
}
