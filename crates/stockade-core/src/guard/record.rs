//! Guard 7, `record`.
//!
//! Proves: the intent is in the record, as durable as the effect of the call asks.
//! Refuses when: it cannot be written. No audit, no action.
//! Source: design §4 "Audit record", attack cases AD-06, AD-07.

use super::limit::Admitted;
use crate::ports::{Catalogue, Durability, Effect, Moment};
use crate::refusal::{Refusal, Refused};
use crate::record::Written;
use crate::ticket::Ticket;

/// Having one tells you: whatever happens from here on, the record knows that it was about to happen.
#[derive(Debug)]
pub struct Recorded {
    pub(super) admitted: Admitted,
    intent: Written,
    /// When the answer must be there; nothing for streams that live on.
    pub(super) deadline: Option<Moment>,
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
/// When the record cannot be written.
pub async fn record(
    ticket: &mut Ticket,
    admitted: Admitted,
    catalogue: &dyn Catalogue,
    now: Moment,
) -> Result<Recorded, Refused> {
    let treatment = admitted.treatment(catalogue);
    let durability = if treatment.effect == Effect::Read { Durability::Kernel } else { Durability::Disk };
    let intent = ticket
        .intend(durability)
        .await
        .map_err(|error| Refused::by("record", Refusal::Unavailable, error.to_string()))?;
    let deadline = (!admitted.is_stream()).then_some(Moment(now.0 + treatment.deadline));
    Ok(Recorded { admitted, intent, deadline })
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
    Ok(Recorded { admitted, intent, deadline: Some(Moment(now.0 + treatment.deadline)) })
}
