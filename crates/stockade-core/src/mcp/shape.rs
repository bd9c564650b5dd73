//! A small language for the shapes of JSON values, and the one walk that holds a value against a shape.
//!
//! For: writing the message table as data that a reader can hold beside the published schemas.
//! Must never: backtrack (each value is visited once, so the cost is linear); look into positions marked as data;
//! put a peer's text into a fault.

mod check;
mod fault;
mod rules;
mod text;

pub(super) use check::check;
pub(super) use fault::Fault;
pub use fault::Rule;
pub(super) use rules::{a_single_kind_of_contents, elicitation_items_are_an_enumeration, input_is_required};
pub(super) use text::{Text, has_control, resembles};

use super::envelope::Id;
use super::revision::{Revision, Revisions};
use crate::wire::Value;
use std::sync::OnceLock;

/// What a value may be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// Anything; not looked into.
    Any,
    /// An object; not looked into.
    Data,
    /// An object of any depth in which no two members look alike.
    Arguments,
    /// `true` or `false`.
    Bool,
    /// An integer, written as one, between two bounds.
    Integer { least: i64, most: i64 },
    /// An integer that every JSON reader keeps exact, or `null`.
    ExactIntegerOrNull,
    /// Any number.
    Number,
    /// A number from 0 to 1.
    Share,
    /// The id of a request.
    Id,
    /// A string or a number.
    Token,
    /// A string.
    Text(Text),
    /// One of these strings.
    Enum(&'static [&'static str]),
    /// An object with these members.
    Object(&'static Table),
    /// An object whose every member has this shape.
    Map(&'static Shape),
    /// An array whose every element has this shape.
    List(&'static Shape),
    /// An array of at most so many elements.
    ShortList(&'static Shape, usize),
    /// Arrays against the second shape, everything else against the first.
    OneOrList(&'static Shape, &'static Shape),
    /// An object whose string member says which table it follows.
    Tagged(&'static Tagged),
    /// An object whose table is told by the one member it has of several.
    Told(&'static [(&'static str, &'static Table)]),
    /// Both at once.
    Both(&'static Shape, &'static Shape),
    /// What a scalar in an elicitation's answer may be: string, number, boolean, or (since 2025-11-25) a list of strings.
    Answer,
}

/// Any integer.
pub(super) const INTEGER: Shape = Shape::Integer { least: i64::MIN, most: i64::MAX };
/// An integer that is not negative.
pub(super) const NATURAL: Shape = Shape::Integer { least: 0, most: i64::MAX };
/// An integer that every JSON reader keeps exact (RFC 8259 §6).
pub(super) const EXACT_INTEGER: Shape = Shape::Integer { least: -Id::INTEGER_MAX, most: Id::INTEGER_MAX };
/// Any string.
pub(super) const STRING: Shape = Shape::Text(Text::Free);
/// A string without control characters.
pub(super) const NAME: Shape = Shape::Text(Text::Name);
/// The address of a resource.
pub(super) const URI: Shape = Shape::Text(Text::Uri);
/// A list of strings.
pub(super) const STRINGS: Shape = Shape::List(&STRING);

/// An object with known members. Members that are not known pass, unless they look like one that is.
pub(super) struct Table {
    pub(super) members: &'static [Member],
    /// A rule about several members at once.
    pub(super) also: Option<TableRule>,
    /// What each member's name looks like; filled when the first name comes that is not ASCII.
    looks: OnceLock<Box<[String]>>,
}

impl Table {
    pub(super) const fn new(members: &'static [Member]) -> Self {
        assert!(members.len() <= 64, "the walk marks the members it has seen in 64 bits");
        Self { members, also: None, looks: OnceLock::new() }
    }

    /// The same with a rule about several members at once.
    pub(super) const fn with_rule(members: &'static [Member], rule: TableRule) -> Self {
        assert!(members.len() <= 64, "the walk marks the members it has seen in 64 bits");
        Self { members, also: Some(rule), looks: OnceLock::new() }
    }
}

/// A rule about several members of one object at once.
pub(super) type TableRule = fn(Value<'_>, Revision) -> Result<(), Fault>;

/// One member of a [`Table`]. A name may stand several times with revisions that do not overlap.
#[derive(Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) required: bool,
    pub(super) revisions: Revisions,
}

/// A member that must be there.
pub(super) const fn required(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, required: true, revisions: Revisions::ALL }
}

/// A member that may be there.
pub(super) const fn optional(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, required: false, revisions: Revisions::ALL }
}

impl Member {
    /// From `revision` on.
    pub(super) const fn since(self, revision: Revision) -> Self {
        Self { revisions: Revisions { from: revision, to: self.revisions.to }, ..self }
    }

    /// Up to `revision`, included.
    pub(super) const fn until(self, revision: Revision) -> Self {
        Self { revisions: Revisions { from: self.revisions.from, to: revision }, ..self }
    }
}

/// Several tables, told apart by a string member.
pub(super) struct Tagged {
    /// The member that tells.
    pub(super) member: &'static str,
    /// The table where the member is absent; absent means refused.
    pub(super) absent: Option<&'static Table>,
    pub(super) cases: &'static [Case],
}

/// One of several tables.
pub(super) struct Case {
    pub(super) tag: &'static str,
    pub(super) table: &'static Table,
    pub(super) revisions: Revisions,
}

/// The table for `tag` in every revision.
pub(super) const fn case(tag: &'static str, table: &'static Table) -> Case {
    Case { tag, table, revisions: Revisions::ALL }
}

impl Case {
    /// From `revision` on.
    pub(super) const fn since(self, revision: Revision) -> Self {
        Self { tag: self.tag, table: self.table, revisions: Revisions { from: revision, to: self.revisions.to } }
    }
}
