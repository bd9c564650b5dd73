//! An answer that nobody has looked into is released.
use stockade_core::guard::{Released, Reply, release};
use stockade_core::identity::Identity;
use stockade_core::ports::Identities;
use stockade_core::refusal::Refused;
use stockade_core::ticket::Ticket;

async fn shortcut(
    ticket: &mut Ticket,
    reply: Reply,
    identity: &Identity,
    identities: &dyn Identities,
) -> Result<Released, Refused> {
    release(ticket, reply, identity, identities).await
}

fn main() {}
