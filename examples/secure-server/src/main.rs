//! Starts the sample server on standard input and output: `secure-server --data DIR`.
//!
//! Must never: write anything but the protocol to standard output.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// The command line is not what it should be, as everywhere in Stockade.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [option, folder] = arguments.as_slice() else { return usage() };
    if option != "--data" || folder.is_empty() {
        return usage();
    }
    match secure_server::run_stdio(Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                say(&format!("  why:     {inner}"));
                cause = inner.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    say("usage: secure-server --data DIR");
    ExitCode::from(USAGE)
}

fn say(line: &str) {
    // Nobody may be reading; there is nowhere else to say so.
    let _ = writeln!(std::io::stderr(), "{line}");
}
