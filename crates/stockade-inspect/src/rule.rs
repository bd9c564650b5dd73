//! The shape of a rule. A rule says what it is called and how bad it is; the group's module says when it applies.
//! It must never carry text of a peer: everything in it is fixed.

use crate::report::{Group, Severity};

/// One thing that is looked for.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The stable name, `group.words-with-hyphens`.
    pub(crate) name: &'static str,
    pub(crate) group: Group,
    pub(crate) severity: Severity,
    pub(crate) reason: &'static str,
    /// What many of them together mean, for characters which are harmless alone but carry data in numbers.
    pub(crate) dense: Option<Dense>,
}

/// When single harmless characters become a channel. The severity is then `High`.
#[derive(Debug)]
pub(crate) struct Dense {
    /// Characters in one unbroken run from which on it is meant.
    pub(crate) run_chars: usize,
    pub(crate) reason: &'static str,
}
