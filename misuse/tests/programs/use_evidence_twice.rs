//! One admission is used for two calls.
use stockade_core::guard::{Recorded, forward};
use stockade_core::pipeline::Road;

async fn twice(recorded: Recorded, road: &Road) {
    let _ = forward(recorded, road).await;
    let _ = forward(recorded, road).await;
}

fn main() {}
