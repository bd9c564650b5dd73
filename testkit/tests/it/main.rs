//! The parts against each other, without a gateway between them: what a test believes of the kit is shown here.

mod gateway;
mod http;
mod raw;
mod stdio;

use std::path::Path;
use std::time::Duration;

/// Long enough for a loaded machine; nothing waits that long when all is well.
const LONG: Duration = Duration::from_secs(10);

fn relay() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_testkit-relay"))
}
