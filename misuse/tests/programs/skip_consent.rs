//! A message that was authorised but not consented to is handed to the limiter.
use std::sync::Arc;
use stockade_core::guard::{Admitted, Authorised, Limiter, admit};
use stockade_core::ports::Clock;
use stockade_core::refusal::Refused;

fn shortcut(limiter: &Arc<Limiter>, authorised: Authorised, clock: &dyn Clock) -> Result<Admitted, Refused> {
    admit(limiter, authorised, clock)
}

fn main() {}
