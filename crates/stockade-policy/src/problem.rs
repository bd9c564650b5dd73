//! What is wrong with a policy: all of it at once, each with its place and what to do.
//!
//! Must never: let a policy with a problem be used.

use crate::source::Place;
use std::fmt;

/// How many problems are told; the rest is a count.
pub const PROBLEMS_LIMIT: usize = 100;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Where.
    pub place: Place,
    /// What.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

impl PolicyProblem {
    pub(crate) fn new(place: Place, message: impl AsRef<str>, fix: impl AsRef<str>) -> Self {
        Self { place, message: one_line(message.as_ref()), fix: one_line(fix.as_ref()) }
    }
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.message, self.fix)
    }
}

/// Everything that is wrong, in the order of the sources. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct PolicyErrors {
    problems: Vec<PolicyProblem>,
    untold: usize,
}

impl PolicyErrors {
    /// Nothing, if there is no problem.
    pub(crate) fn of(mut problems: Vec<PolicyProblem>) -> Option<Self> {
        let untold = problems.len().saturating_sub(PROBLEMS_LIMIT);
        problems.truncate(PROBLEMS_LIMIT);
        (!problems.is_empty()).then_some(Self { problems, untold })
    }

    /// The one problem that is not in the sources.
    pub(crate) fn internal(problem: PolicyProblem) -> Self {
        Self { problems: vec![problem], untold: 0 }
    }

    /// The problems, at most [`PROBLEMS_LIMIT`].
    #[must_use]
    pub fn problems(&self) -> &[PolicyProblem] {
        &self.problems
    }

    /// How many more there are.
    #[must_use]
    pub const fn untold(&self) -> usize {
        self.untold
    }
}

impl fmt::Display for PolicyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{problem}")?;
        }
        if self.untold > 0 { write!(f, "\nand {} more", self.untold) } else { Ok(()) }
    }
}

/// A file's own text may stand in a message; it must not move the cursor of the terminal that shows it.
fn one_line(text: &str) -> String {
    let escaped = text.chars().flat_map(|character| {
        let (plain, shown) = if character.is_control() || is_invisible(character) {
            (None, Some(character.escape_unicode()))
        } else {
            (Some(character), None)
        };
        plain.into_iter().chain(shown.into_iter().flatten())
    });
    escaped.collect()
}

/// Marks of direction and joiners, which change what a person reads.
const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}
