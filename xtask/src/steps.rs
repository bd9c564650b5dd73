//! The steps of a task on the terminal: what runs, how long it took, where it stopped and why.

use std::error::Error;
use std::time::Instant;

/// A step failed; the ones after it were not run.
#[derive(Debug, thiserror::Error)]
#[error("step `{step}` failed after {seconds:.1} s")]
pub(crate) struct StepFailed {
    step: &'static str,
    seconds: f64,
    #[source]
    cause: Box<dyn Error>,
}

/// Runs steps one after the other and says how long each took.
#[derive(Debug)]
pub(crate) struct Steps {
    began: Instant,
    done: usize,
}

impl Steps {
    pub(crate) fn begin() -> Self {
        Self { began: Instant::now(), done: 0 }
    }

    /// Runs one step.
    ///
    /// # Errors
    /// `StepFailed` with the step's own error inside.
    pub(crate) fn run<E: Error + 'static>(
        &mut self,
        step: &'static str,
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), StepFailed> {
        eprintln!("── {step}");
        let began = Instant::now();
        let outcome = work();
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                self.done += 1;
                eprintln!("   {step}: done in {seconds:.1} s");
                Ok(())
            }
            Err(cause) => Err(StepFailed { step, seconds, cause: Box::new(cause) }),
        }
    }

    pub(crate) fn end(self) {
        eprintln!("all {} steps passed in {:.1} s", self.done, self.began.elapsed().as_secs_f64());
    }
}

/// An error with its causes below it, one per line.
pub(crate) fn explained(error: &dyn Error) -> String {
    let mut text = format!("failed: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!("\n   why: {inner}"));
        cause = inner.source();
    }
    text
}
