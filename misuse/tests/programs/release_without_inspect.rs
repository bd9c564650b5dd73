//! An answer that nobody has looked into is released.
use stockade_core::guard::{Released, Reply, release};
use stockade_core::refusal::Refused;
use stockade_core::ticket::Ticket;

async fn shortcut(ticket: &mut Ticket, reply: Reply) -> Result<Released, Refused> {
    release(ticket, reply).await
}

fn main() {}
