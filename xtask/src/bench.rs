//! `cargo xtask bench`: hands over to the program of the `stockade-bench` package, built for release.

use crate::place::Place;
use crate::process::{ProcessError, Program};

/// Runs the benchmarks; `arguments` go to the program as they are.
pub(crate) fn run(place: &Place, arguments: &[&str]) -> Result<(), ProcessError> {
    Program::new("cargo", &["build", "--release", "--package", "stockade"]).inside(place.root()).show()?;
    let mut words = vec!["run", "--release", "--package", "stockade-bench", "--"];
    words.extend_from_slice(arguments);
    Program::new("cargo", &words).inside(place.root()).show()
}
