//! What an upstream does: one behaviour for both transports.

use crate::received::Received;
use crate::reply::Reply;

/// The behaviour of an upstream. A closure `Fn(&Received, Reply)` is one; so is [`crate::WellBehaved`].
pub trait Script: Send + Sync + 'static {
    /// A message came. Answer now, later, often or never: dropping the reply is silence, not an end.
    ///
    /// Runs on the link's own thread; the next message of the same link waits until it returns.
    fn on_message(&self, received: &Received, reply: Reply);

    /// A child was started (stdio only). The reply can be kept for messages that nobody asked for.
    fn on_start(&self, _reply: &Reply) {}

    /// The gateway closed the child's standard input (stdio only). A well-behaved server leaves.
    fn on_end_of_input(&self, reply: &Reply) {
        reply.die(0);
    }
}

impl<F: Fn(&Received, Reply) + Send + Sync + 'static> Script for F {
    fn on_message(&self, received: &Received, reply: Reply) {
        self(received, reply);
    }
}
