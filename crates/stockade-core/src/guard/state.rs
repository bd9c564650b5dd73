//! `requestState`: what a server gives the client to keep, sealed on its way out and opened on its way back.
//!
//! For: that no client can read, change, share or replay what a server left with it (MCP 2026-07-28 multi-round-trip
//! requests, "servers must treat `requestState` as hostile"). The seal is bound to caller, server, method, target and
//! arguments, ends after [`STATE_LIFETIME`], and opens once.
//! Attack cases: EV-10, EV-11.

use super::authorise::Authorised;
use crate::mcp::Era;
use crate::pipeline::Road;
use crate::ports::Moment;
use crate::refusal::{Refusal, Refused};
use crate::wire::{Edits, Value, canonical_digest};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a client may keep a server's state before it comes back with it.
pub(crate) const STATE_LIFETIME: Duration = Duration::from_secs(600);

/// States that have come back and are remembered until they would have ended anyway. Over this many, the oldest kind of
/// failure is chosen: no more are opened.
const USED_STATES: usize = 100_000;

/// The register of states that were used.
#[derive(Debug, Default)]
pub(crate) struct UsedStates(Mutex<HashMap<[u8; 16], Moment>>);

impl UsedStates {
    /// True the first time, and only then.
    fn take(&self, nonce: [u8; 16], ends: Moment, now: Moment) -> bool {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= USED_STATES {
            used.retain(|_, ends| *ends > now);
        }
        used.len() < USED_STATES && used.insert(nonce, ends).is_none()
    }
}

fn context(authorised: &Authorised, boot: &[u8; 16]) -> Vec<u8> {
    let validated = &authorised.validated;
    let arguments = validated.frame.params().and_then(|params| params.get("arguments")).map(canonical_digest);
    let mut context = Vec::with_capacity(160);
    // The register of used states lives as long as the process, and so do the states.
    context.extend_from_slice(boot);
    let server = authorised.reach.first().map_or("", |server| server.as_str());
    let target = authorised.target.name().unwrap_or_default();
    let caller = validated.identity.caller.binding();
    for part in ["requestState", caller.as_str(), server, validated.method.as_str(), target] {
        context.extend_from_slice(&(part.len() as u64).to_be_bytes());
        context.extend_from_slice(part.as_bytes());
    }
    if let Some(arguments) = arguments {
        context.extend_from_slice(arguments.as_bytes());
    }
    context
}

fn given(authorised: &Authorised) -> Option<Value<'_>> {
    let validated = &authorised.validated;
    let may = validated.revision.era() == Era::Modern && validated.method.facts().may_require_input;
    may.then(|| validated.frame.params().and_then(|params| params.get("requestState"))).flatten()
}

/// Seals what a server wants the client to keep.
pub(super) fn seal(authorised: &Authorised, road: &Road, state: &str) -> String {
    let mut plain = Vec::with_capacity(state.len() + 24);
    let mut nonce = [0; 16];
    road.entropy().fill(&mut nonce);
    let ends = road.clock().moment().0 + STATE_LIFETIME;
    plain.extend_from_slice(&nonce);
    plain.extend_from_slice(&(ends.as_millis() as u64).to_be_bytes());
    plain.extend_from_slice(state.as_bytes());
    road.seals().seal(&context(authorised, road.boot()), &plain)
}

/// Opens what the client brings back and puts the server's own text in its place.
///
/// # Errors
/// When it was not sealed for this caller, server, method, target and arguments, has ended, or was brought before.
pub(super) fn unseal(authorised: &Authorised, road: &Road, edits: &mut Edits) -> Result<(), Refused> {
    let Some(value) = given(authorised) else { return Ok(()) };
    let refuse = |reason: &str| Refused::by("request-state", Refusal::InvalidParams, reason);
    let sealed = value.as_str().ok_or_else(|| refuse("requestState is no string"))?;
    let plain = road
        .seals()
        .open(&context(authorised, road.boot()), &sealed)
        .ok_or_else(|| refuse("requestState was not sealed here for this caller and request"))?;
    let (nonce, rest) = plain.split_first_chunk::<16>().ok_or_else(|| refuse("requestState is cut"))?;
    let (ends, state) = rest.split_first_chunk::<8>().ok_or_else(|| refuse("requestState is cut"))?;
    let ends = Moment(Duration::from_millis(u64::from_be_bytes(*ends)));
    let now = road.clock().moment();
    if now >= ends {
        return Err(refuse("requestState has ended"));
    }
    if !road.used_states().take(*nonce, ends, now) {
        return Err(refuse("requestState was brought before"));
    }
    let state = std::str::from_utf8(state).map_err(|_| refuse("requestState is cut"))?;
    edits.replace_string(value.span(), state);
    Ok(())
}
