//! `cargo xtask`: the project's tasks. Everything is in the library; see there.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::run(std::env::args().skip(1).collect())
}
