//! A message whose intent is not on record is forwarded.
use stockade_core::guard::{Admitted, forward};
use stockade_core::pipeline::Road;

async fn shortcut(admitted: Admitted, road: &Road) {
    let _ = forward(admitted, road).await;
}

fn main() {}
