//! A message is validated before anybody knows who sent it.
use stockade_core::guard::{Arrival, Validated, validate};
use stockade_core::mcp::Revision;
use stockade_core::ports::Sessions;
use stockade_core::refusal::Refused;
use stockade_core::ticket::Ticket;

fn swapped(ticket: &mut Ticket, arrival: Arrival, sessions: &dyn Sessions) -> Result<Validated, Refused> {
    validate(ticket, arrival, sessions, Revision::V2024_11_05)
}

fn main() {}
