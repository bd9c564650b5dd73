//! `cargo xtask tidy`: the rules that no compiler checks. Sizes, walls between crates, names, headers, what may not be
//! written into the repository.
//!
//! Must never have an exception list: a rule that hurts is changed in `style.md` and here, in one commit.

mod attacks;
mod edges;
mod files;
mod mask;
mod names;
mod size;
mod text;
mod unsafe_code;
mod walls;

use std::fmt;

use crate::place::Place;
pub use files::FilesError;

/// One place that breaks one rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the workspace's folder.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}\n    fix: {}", self.path, self.line, self.problem, self.fix)
    }
}

/// Why tidy did not pass.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    /// The files or the crates of the workspace could not be listed.
    #[error("could not look at the workspace")]
    Unreadable {
        /// Why.
        #[source]
        cause: FilesError,
    },
    /// Rules are broken; the findings were printed.
    #[error("{count} findings; each has its fix beside it")]
    Untidy {
        /// How many.
        count: usize,
    },
}

/// Checks every rule and prints what breaks one, file and line first.
///
/// # Errors
/// `Untidy` when there is a finding; `Unreadable` when git or cargo cannot list the workspace.
pub fn run(place: &Place) -> Result<(), TidyError> {
    let files = files::of_workspace(place).map_err(|cause| TidyError::Unreadable { cause })?;
    let metadata = files::metadata(place).map_err(|cause| TidyError::Unreadable { cause })?;
    let mut findings = edges::check(&metadata);
    findings.extend(attacks::check(&files));
    findings.extend(text::check(&files, &text::machine_paths(place.root())));
    for file in &files {
        findings.extend(names::check(file));
        let Some(rust) = file.as_rust() else { continue };
        findings.extend(size::check(&rust));
        findings.extend(walls::check(&rust));
        findings.extend(unsafe_code::check(&rust));
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(TidyError::Untidy { count }),
    }
}
