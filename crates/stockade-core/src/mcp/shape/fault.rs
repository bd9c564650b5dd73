//! What is wrong with a value, and where: in words of the table, never of the peer.

use std::fmt::Write as _;

/// The rule that a value broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Rule {
    /// The published schema names another kind of value here.
    #[error("{0} expected")]
    Kind(&'static str),
    /// The published schema requires the member.
    #[error("a required member is missing")]
    Missing,
    /// The string is none of those that may stand here.
    #[error("not one of the strings that may stand here")]
    NotListed,
    /// The number, or the count of elements, is out of range.
    #[error("out of range")]
    OutOfRange,
    /// A member looks like a member of the protocol and is not it (PA-05, PA-06).
    #[error("a member looks like a member of the protocol and is not it")]
    LookAlike,
    /// Two members of one object look alike.
    #[error("two members look alike")]
    LookAlikeSiblings,
    /// A name with control characters (PA-14).
    #[error("control characters in a name")]
    ControlCharacter,
    /// A name that is empty or too long to be asked for.
    #[error("a name that is empty or longer than 128 characters")]
    NameLength,
    /// An integer written with fraction or exponent, or an id beyond ±(2^53−1): readers disagree about its value.
    #[error("an integer that readers understand differently")]
    InexactInteger,
    /// An id longer than 1 KiB.
    #[error("an id of more than 1024 bytes")]
    IdLength,
    /// A URI without a scheme (RFC 3986 §3), or with a scheme that may not stand here.
    #[error("not an address with a scheme that may stand here")]
    UriScheme,
    /// Not base64 (RFC 4648 §4).
    #[error("not base64")]
    NotBase64,
    /// Members that belong to two different variants, or to none: readers disagree about which it is.
    #[error("more or fewer than one of the variants that may stand here")]
    AmbiguousVariant,
    /// `input_required` that asks for nothing.
    #[error("`input_required` with neither `inputRequests` nor `requestState`")]
    AsksNothing,
}

/// A broken rule and the way to the value that broke it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mcp) struct Fault {
    pub(in crate::mcp) rule: Rule,
    /// The steps, innermost first.
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Member(&'static str),
    /// A member whose name is the peer's.
    Stranger,
    Element(usize),
}

impl Fault {
    pub(in crate::mcp) const fn new(rule: Rule) -> Self {
        Self { rule, steps: Vec::new() }
    }

    #[must_use]
    pub(in crate::mcp) fn in_member(mut self, name: &'static str) -> Self {
        self.steps.push(Step::Member(name));
        self
    }

    #[must_use]
    pub(in crate::mcp) fn in_stranger(mut self) -> Self {
        self.steps.push(Step::Stranger);
        self
    }

    #[must_use]
    pub(in crate::mcp) fn in_element(mut self, position: usize) -> Self {
        self.steps.push(Step::Element(position));
        self
    }

    /// The way as text: members of the protocol by name, members of strangers as `*`, elements by number from 0.
    pub(in crate::mcp) fn path(&self) -> Box<str> {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            let dot = if path.is_empty() { "" } else { "." };
            // Writing to a string cannot fail.
            let _written = match step {
                Step::Member(name) => write!(path, "{dot}{name}"),
                Step::Stranger => write!(path, "{dot}*"),
                Step::Element(position) => write!(path, "[{position}]"),
            };
        }
        path.into_boxed_str()
    }
}
