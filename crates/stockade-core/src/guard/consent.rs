//! Guard 5, `consent`.
//!
//! Proves: where a rule wants a person's agreement, it was given for this very call.
//! Refuses when: agreement is wanted and cannot be had. There is no channel to ask a person yet, and no channel means no.
//! Source: design §4 "Permissions"; attack cases CO-01, CO-06: nothing in the message can stand for agreement.

use super::authorise::{Authorised, Permit};
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;

/// Having one tells you: no agreement is wanting.
#[derive(Debug)]
pub struct Consented {
    pub(super) authorised: Authorised,
}

/// Lets through what no rule wants a person to agree to.
///
/// # Errors
/// When a rule does.
pub fn consent(ticket: &mut Ticket, authorised: Authorised) -> Result<Consented, Refused> {
    match &authorised.permit {
        Permit::Allowed => Ok(Consented { authorised }),
        Permit::AfterConsent { reason } => {
            ticket.facts().decision = Some("ask");
            let reason = format!("a person must agree ({reason}), and there is no channel to ask one");
            Err(Refused::by("consent", Refusal::ConsentRequired, reason))
        }
    }
}
