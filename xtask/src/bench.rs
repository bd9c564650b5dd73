//! `cargo xtask bench`: hands over to the program of the `stockade-bench` package, built for release.

use crate::place::Place;
use crate::process::{ProcessError, Program};

/// Where the results are kept.
const RESULTS: &str = "docs/benchmarks.md";

/// Runs the benchmarks; `arguments` go to the program as they are. A whole run goes into [`RESULTS`] under the name of the
/// commit; a quick one, or one with arguments of its own for either, does not.
pub(crate) fn run(place: &Place, arguments: &[&str]) -> Result<(), ProcessError> {
    let both = ["build", "--release", "--package", "stockade", "--package", "stockade-bench"];
    Program::new("cargo", &both).inside(place.root()).show()?;
    let commit = Program::new("git", &["rev-parse", "--short", "HEAD"]).inside(place.root()).read();
    let label = commit.map_or_else(|_| "unnamed".to_owned(), |commit| commit.trim().to_owned());
    let has = |word: &str| arguments.iter().any(|argument| argument.starts_with(word));
    let mut words = arguments.to_vec();
    if !has("--label") {
        words.extend(["--label", &label]);
    }
    if !["--quick", "--json", "--markdown", "--only", "--rounds", "--era"].into_iter().any(has) {
        words.extend(["--markdown", RESULTS]);
    }
    // Not by `cargo run`, which would choose features for this package alone and build half of the tree again.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| place.root().join("target"), Into::into);
    Program::new(target.join("release/stockade-bench"), &words).inside(place.root()).show()
}
