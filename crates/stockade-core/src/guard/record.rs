//! Guard 7, `record`.
//!
//! Proves: the intent is in the record, as durable as the effect of the call asks, and a server's state that the request
//! brings back is this very request's.
//! Refuses when: it cannot be written (no audit, no action), or the state is not its own: what nobody may send is never
//! recorded as about to be sent.
//! Source: design §4 "Audit record", attack cases AD-06, AD-07, EV-10, EV-11.

use super::limit::Admitted;
use super::state;
use crate::pipeline::Road;
use crate::ports::{Catalogue, Durability, Effect, Moment};
use crate::record::Written;
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::Edits;

/// Having one tells you: whatever happens from here on, the record knows that it was about to happen.
#[derive(Debug)]
pub struct Recorded {
    pub(super) admitted: Admitted,
    intent: Written,
    /// When the answer must be there; nothing for streams that live on.
    pub(super) deadline: Option<Moment>,
    /// Puts the server's own state in the place of the sealed one.
    pub(super) unsealed: Edits,
}

impl Recorded {
    /// The intent's place in the record.
    #[must_use]
    pub const fn intent(&self) -> Written {
        self.intent
    }
}

/// Writes the intent: what only reads waits for the kernel, what may change something waits for the disk.
///
/// # Errors
/// When the record cannot be written, or the request brings state that is not its own.
pub async fn record(ticket: &mut Ticket, admitted: Admitted, road: &Road, now: Moment) -> Result<Recorded, Refused> {
    let mut unsealed = Edits::new();
    state::unseal(&admitted.consented.authorised, road, &mut unsealed)?;
    let treatment = admitted.treatment(road.catalogue());
    let durability = if treatment.effect == Effect::Read { Durability::Kernel } else { Durability::Disk };
    let intent = ticket
        .intend(durability)
        .await
        .map_err(|error| Refused::by("record", Refusal::Unavailable, error.to_string()))?;
    let deadline = (!admitted.is_stream()).then_some(Moment(now.0 + treatment.deadline));
    Ok(Recorded { admitted, intent, deadline, unsealed })
}

/// The same for what wants no answer: one entry, an event.
///
/// # Errors
/// When the record cannot be written.
pub(crate) async fn record_event(
    ticket: &mut Ticket,
    admitted: Admitted,
    catalogue: &dyn Catalogue,
    now: Moment,
) -> Result<Recorded, Refused> {
    let treatment = admitted.treatment(catalogue);
    let intent =
        ticket.event().await.map_err(|error| Refused::by("record", Refusal::Unavailable, error.to_string()))?;
    let deadline = Some(Moment(now.0 + treatment.deadline));
    Ok(Recorded { admitted, intent, deadline, unsealed: Edits::new() })
}
