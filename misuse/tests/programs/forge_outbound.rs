//! An upstream makes up a message that no guard has seen.
use stockade_core::guard::{Outbound, Recorded};

fn forge(recorded: Recorded) -> Outbound {
    Outbound { recorded, edits: Default::default() }
}

fn main() {}
