//! Logs for operators, on standard error. They may be lost; what must not be lost is in the audit log.
//!
//! Must never: go to standard output, or show what messages contain.

use crate::exit::Exit;
use crate::output::{Complaint, Failure};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// What is logged when nobody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Degraded, and worse: for commands whose standard error a client shows to a person.
    Warn,
    /// Life cycle too.
    Info,
}

/// Starts logging. `wanted` is what the operator says, such as `debug` or `info,stockade_gateway=debug`.
pub(crate) fn start(wanted: Option<&str>, default: Level) -> Result<(), Failure> {
    let default = match default {
        // What the wrapped server says on its own standard error is for the same person: why it does not start, mostly.
        Level::Warn => "warn,stockade::server=info,stockade::wrap=info",
        Level::Info => "info",
    };
    let filter = EnvFilter::try_new(wanted.unwrap_or(default)).map_err(|error| {
        let fix = "use `error`, `warn`, `info`, `debug`, or a filter such as `info,stockade_gateway=debug`";
        Complaint::new("what is to be logged cannot be understood").because(error).fix(fix).with(Exit::Usage)
    })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
    started.map_err(|error| Complaint::new("logging cannot be started").because(error).with(Exit::Internal))
}
