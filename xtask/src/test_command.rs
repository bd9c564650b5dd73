//! `cargo xtask test`: everything that must hold, in one command. CI runs the same.
//!
//! Must never go on after a failed step, or pass a step that did not run.

use crate::place::Place;
use crate::process::{ProcessError, Program};
use crate::steps::{StepFailed, Steps};
use crate::{conformance, deps, tidy};

pub(crate) fn run(place: &Place) -> Result<(), StepFailed> {
    let cargo = |arguments: &[&str]| Program::new("cargo", arguments).inside(place.root()).show();
    let mut steps = Steps::begin();
    steps.run("format", || cargo(&["fmt", "--all", "--check"]))?;
    steps.run("lints", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    steps.run("tidy", || tidy::run(place))?;
    steps.run("test dependencies", || deps::install(place))?;
    steps.run("build", || cargo(&["build", "--workspace", "--all-targets"]))?;
    steps.run("tests", || run_tests(place))?;
    steps.run("documentation tests", || cargo(&["test", "--workspace", "--doc"]))?;
    steps.run("conformance", || conformance::run_both(place))?;
    steps.end();
    Ok(())
}

/// With nextest where it is installed: it runs each test in its own process. Plain cargo runs the same tests.
fn run_tests(place: &Place) -> Result<(), ProcessError> {
    let nextest = Program::new("cargo", &["nextest", "--version"]).inside(place.root()).succeeds();
    let arguments: &[&str] = if nextest {
        &["nextest", "run", "--workspace"]
    } else {
        &["test", "--workspace", "--lib", "--bins", "--tests", "--examples"]
    };
    Program::new("cargo", arguments).inside(place.root()).show()
}
