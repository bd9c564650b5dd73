//! How a command ends.
//!
//! Must never: have more endings than `stockade --help` promises.

use std::process::{ExitCode, Termination};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Done,
    /// It found something, or refused.
    Found,
    /// The command line or the configuration is wrong.
    Usage,
    /// Something failed that is nobody's word.
    Internal,
}

impl Exit {
    /// The number for the shell: 0, 1, 2, 70 (`EX_SOFTWARE`, sysexits.h).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::Internal => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        self.into()
    }
}
