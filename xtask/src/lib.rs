//! Project tasks, run as `cargo xtask TASK`: what CI and a developer run, in Rust instead of shell.
//!
//! Stands beside the road: nothing here is part of the product. Must never weaken a check to make it pass, start
//! something it does not stop, or install anything outside `.test-deps` except Debian packages it names first.
#![expect(
    clippy::disallowed_methods,
    reason = "tasks start cargo, npm, pip, node and the gateway; the product does not"
)]
#![expect(clippy::print_stderr, reason = "progress of a task is for the person at the terminal")]
#![expect(clippy::print_stdout, reason = "what a task finds is data and goes to stdout")]

mod bench;
pub mod conformance;
mod deny;
pub mod deps;
mod place;
mod process;
mod steps;
mod test_command;
pub mod tidy;

pub use place::Place;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  test                     format, lints, test dependencies, build, tests, doc tests, conformance, tidy
  deps                     install what the end-to-end tests need into .test-deps
  tidy                     check the rules that no compiler checks
  conformance [--direct]   run the public MCP conformance suite directly, and through the gateway, and compare
  bench [ARGUMENTS]        run the benchmarks (release build)
  deny [--advisories]      check licences, bans, sources and version floors of all dependencies
";

/// Something was found or refused.
const EXIT_FOUND: u8 = 1;
/// The command line makes no sense.
const EXIT_USAGE: u8 = 2;

/// Runs one task.
///
/// The exit code is 0 when it is done, 1 when something was found or failed, 2 on a usage error.
#[must_use]
pub fn run(arguments: Vec<String>) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let place = Place::of_this_workspace();
    let done: Result<(), Box<dyn Error>> = match words.as_slice() {
        ["test"] => test_command::run(&place).map_err(Into::into),
        ["deps"] => deps::install(&place).map_err(Into::into),
        ["tidy"] => tidy::run(&place).map_err(Into::into),
        ["conformance", "--direct"] => conformance::run_direct(&place).map_err(Into::into),
        ["conformance"] => conformance::run_both(&place).map_err(Into::into),
        ["deny"] => deny::run(&place, false).map_err(Into::into),
        ["deny", "--advisories"] => deny::run(&place, true).map_err(Into::into),
        ["bench", rest @ ..] => bench::run(&place, rest).map_err(Into::into),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{}", steps::explained(error.as_ref()));
            ExitCode::from(EXIT_FOUND)
        }
    }
}
