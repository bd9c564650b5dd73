//! What a policy is made from, as the binary hands it over.
//!
//! Must never: give a meaning to something left out. An absent list allows nothing.

use crate::glob::{Glob, GlobError};
use std::fmt;
use stockade_core::words::{CallerName, NameError, ServerName};

/// Everything that decides, in the order in which it is read.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Cedar files.
    pub files: Vec<PolicySource>,
    /// The `[[permit]]` tables of the configuration, in their order.
    pub permits: Vec<PermitRule>,
    /// What holds where the operator has written no rules.
    pub starter: Option<Starter>,
    /// The configured servers, to find rules about servers that do not exist. `None` where they are not known.
    pub servers: Option<Vec<ServerName>>,
}

/// One Cedar file.
#[derive(Debug, Clone)]
pub struct PolicySource {
    /// What errors and rule ids call it, such as `team.cedar`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Where something was written. Lines and columns start at 1; columns count characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file's name as the caller gave it, or `starter`.
    pub source: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Place {
    /// The place of the byte `offset` in `text`.
    #[must_use]
    pub(crate) fn at(source: &str, text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        // Continuation bytes of UTF-8 start no character.
        let column = 1 + before.iter().skip(line_start).filter(|byte| **byte & 0xC0 != 0x80).count();
        Self { source: source.to_owned(), line: narrow(line), column: narrow(column) }
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source, self.line, self.column)
    }
}

/// One `[[permit]]` table. Everything in it is allowed together; nothing else is.
#[derive(Debug, Clone)]
pub struct PermitRule {
    /// Where the table starts.
    pub place: Place,
    /// Who. Empty is an error.
    pub callers: Vec<CallerPattern>,
    /// On which servers: these may be connected to and listed. Empty is an error.
    pub servers: Vec<ServerPattern>,
    /// Tools that may be called.
    pub tools: Vec<Glob>,
    /// Resources that may be read and completed, by URI.
    pub resources: Vec<Glob>,
    /// Prompts that may be got and completed.
    pub prompts: Vec<Glob>,
    /// What the servers may ask of the callers.
    pub from_server: Vec<FromServer>,
}

/// What a server may ask of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FromServer {
    /// `sampling/createMessage`: the caller's model.
    Sampling,
    /// `elicitation/create`: the caller's person.
    Elicitation,
    /// `roots/list`: the caller's roots.
    Roots,
}

impl FromServer {
    /// The word of the configuration, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "sampling" => Some(Self::Sampling),
            "elicitation" => Some(Self::Elicitation),
            "roots" => Some(Self::Roots),
            _ => None,
        }
    }
}

/// Rules for those who have written none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Starter {
    /// `stockade wrap`: the local user may do what the one server offers. They chose it.
    Wrap {
        /// The wrapped server.
        server: ServerName,
    },
    /// `stockade up` without a configuration: holders of an API key may use the sample server's one tool.
    Sample {
        /// The sample server.
        server: ServerName,
    },
}

/// The callers that a `[[permit]]` names: a name, a glob, or `*` for every caller who was recognised.
///
/// Globs, `*` among them, never match an anonymous caller: one who is nobody in particular must be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerPattern(Glob);

impl CallerPattern {
    /// # Errors
    /// When no caller could ever match.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let glob = Glob::parse(text).map_err(PatternError::Glob)?;
        CallerName::parse(&glob.stand_in()).map_err(PatternError::Name)?;
        Ok(Self(glob))
    }

    pub(crate) const fn glob(&self) -> &Glob {
        &self.0
    }
}

/// The servers that a `[[permit]]` names: a name, a glob, or `*` for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPattern(Glob);

impl ServerPattern {
    /// # Errors
    /// When no server could ever match.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let glob = Glob::parse(text).map_err(PatternError::Glob)?;
        ServerName::parse(&glob.stand_in()).map_err(PatternError::Name)?;
        Ok(Self(glob))
    }

    /// The one server.
    #[must_use]
    pub fn exactly(server: &ServerName) -> Self {
        Self(Glob::exactly(server.as_str()))
    }

    pub(crate) const fn glob(&self) -> &Glob {
        &self.0
    }
}

/// Why a pattern for names was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is no glob.
    #[error("not a pattern")]
    Glob(#[source] GlobError),
    /// No name can match it.
    #[error("no name can match")]
    Name(#[source] NameError),
}
