//! Standard output and standard error, and the form of a message for people.
//!
//! Must never: panic because nobody reads; let text of a peer move the cursor; mix data with words.

use crate::exit::Exit;
use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, BufWriter, StdoutLock, Write};
use stockade_inspect::escape::for_terminal;

/// Causes of an error that are told at most.
const CAUSES_LIMIT: usize = 8;

/// Standard output for data. Buffered; what was written is out after [`Self::finish`].
pub(crate) struct Output {
    stdout: BufWriter<StdoutLock<'static>>,
}

/// Standard output cannot be written.
#[derive(Debug)]
pub(crate) enum OutputError {
    /// Nobody reads any more. That is their right: the command ends in peace.
    Closed,
    /// The disk is full, say.
    Failed(io::Error),
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { stdout: BufWriter::new(io::stdout().lock()) }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), OutputError> {
        writeln!(self.stdout, "{line}").map_err(OutputError::of)
    }

    /// Writes one line of JSON.
    pub(crate) fn json(&mut self, value: &serde_json::Value) -> Result<(), OutputError> {
        self.line(value)
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), OutputError> {
        self.stdout.write_all(text.as_bytes()).map_err(OutputError::of)
    }

    /// Puts out what is still in the buffer.
    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        self.stdout.flush().map_err(OutputError::of)
    }
}

impl OutputError {
    fn of(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Failed(error) }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Standard output is gone.
    Output(OutputError),
    /// Something to tell people.
    Told(Complaint, Exit),
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Tells it, and says how the command ends.
    pub(crate) fn end(self) -> Exit {
        match self {
            Self::Output(OutputError::Closed) => Exit::Done,
            Self::Output(OutputError::Failed(error)) => {
                let fix = "make room, or write to another place";
                Complaint::new("standard output cannot be written").because(error).fix(fix).tell();
                Exit::Internal
            }
            Self::Told(complaint, exit) => {
                complaint.tell();
                exit
            }
        }
    }
}

/// A message for people: what happened, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    what: String,
    why: Vec<String>,
    fix: Option<String>,
}

impl Complaint {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: Vec::new(), fix: None }
    }

    /// An error with everything that caused it.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let mut complaint = Self::new(error.to_string());
        let mut cause = error.source();
        while let Some(inner) = cause.filter(|_| complaint.why.len() < CAUSES_LIMIT) {
            complaint.why.push(inner.to_string());
            cause = inner.source();
        }
        complaint
    }

    pub(crate) fn because(mut self, why: impl Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    pub(crate) fn with(self, exit: Exit) -> Failure {
        Failure::Told(self, exit)
    }

    /// Writes it to standard error.
    pub(crate) fn tell(&self) {
        say(self);
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", for_terminal(&self.what))?;
        for (index, why) in self.why.iter().enumerate() {
            let label = if index == 0 { "  why:     " } else { "           " };
            write!(f, "\n{label}{}", for_terminal(why))?;
        }
        match &self.fix {
            Some(fix) => write!(f, "\n  fix:     {}", for_terminal(fix)),
            None => Ok(()),
        }
    }
}

/// Writes words for people to standard error, with a line end.
pub(crate) fn say(words: impl Display) {
    // Nobody may be reading, and there is no other place to say so.
    let _ = writeln!(io::stderr(), "{words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_why_and_what_to_do_and_cannot_move_the_cursor() {
        let complaint = Complaint::new("no \u{1b}[2Jkey").because("first").because("second").fix("add one");
        let expected = "error: no \\u{1b}[2Jkey\n  why:     first\n           second\n  fix:     add one";
        assert_eq!(complaint.to_string(), expected);
    }
}
