//! What is wrong with a configuration: all of it, each with its place, why, and what to do.
//!
//! Must never: repeat a value that may be a secret, or text that could move the cursor of a terminal.

use super::place::Place;
use std::fmt;

/// Problems that are told; the rest is a count.
pub const PROBLEMS_LIMIT: usize = 100;
/// Characters of a name or value from the file that a message repeats.
const QUOTED_CHARACTERS: usize = 80;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where; nothing when it is not in the file.
    pub place: Option<Place>,
    /// What is wrong.
    pub what: String,
    /// Why it is.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

impl Problem {
    pub(super) fn at(place: Place, what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::nowhere(what, why, fix) }
    }

    pub(super) fn nowhere(what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { place: None, what: what.into(), why: why.into(), fix: fix.into() }
    }
}

/// Everything that is wrong with one configuration, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors {
    file: Option<String>,
    problems: Vec<Problem>,
    untold: usize,
}

impl ConfigErrors {
    /// Nothing, if there is no problem. `file` is what the operator called the file.
    pub(super) fn of(file: Option<&str>, mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort();
        problems.dedup();
        let untold = problems.len().saturating_sub(PROBLEMS_LIMIT);
        problems.truncate(PROBLEMS_LIMIT);
        (!problems.is_empty()).then(|| Self { file: file.map(quoted), problems, untold })
    }

    /// For a check that gave nothing and no reason. What cannot be explained is refused.
    pub(super) fn unexplained() -> Self {
        let (why, fix) = ("this is a mistake of Stockade", "report it with the configuration");
        let problem = Problem::nowhere("the check ended without a result", why, fix);
        Self { file: None, problems: vec![problem], untold: 0 }
    }

    /// The problems, at most [`PROBLEMS_LIMIT`].
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many more there are.
    #[must_use]
    pub const fn untold(&self) -> usize {
        self.untold
    }

    /// The file as the operator called it, escaped.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

impl fmt::Display for ConfigErrors {
    /// For people: one block for each problem, then how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or("configuration");
        for Problem { place, what, why, fix } in &self.problems {
            match place {
                Some(Place { outside: Some(name), .. }) => writeln!(f, "{name}: {what}")?,
                Some(Place { line, column, outside: None }) => writeln!(f, "{file}:{line}:{column}: {what}")?,
                None => writeln!(f, "{file}: {what}")?,
            }
            writeln!(f, "  why:     {why}\n  fix:     {fix}\n")?;
        }
        match self.problems.len().saturating_add(self.untold) {
            1 => write!(f, "1 problem"),
            count if self.untold > 0 => write!(f, "{count} problems; the first {PROBLEMS_LIMIT} are shown"),
            count => write!(f, "{count} problems"),
        }
    }
}

/// A name or value of the file as a message shows it, without the backticks.
pub(super) fn quoted(text: &str) -> String {
    stockade_inspect::escape::for_log(text, QUOTED_CHARACTERS)
}
