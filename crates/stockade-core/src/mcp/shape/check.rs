//! The walk: one value against one shape, each value visited once.

use super::fault::{Fault, Rule};
use super::rules::has_look_alike_siblings;
use super::text::{Text, look_of, resembles};
use super::{Case, Shape, Table, Tagged};
use crate::mcp::envelope::Id;
use crate::mcp::revision::Revision;
use crate::wire::{Kind, Value, fold_name};

/// Holds `value` against `shape` in `revision`.
///
/// Recursion is safe: the reader has limited the depth to `WireLimits::DEPTH_CEILING`.
///
/// # Errors
/// The first rule broken, and where.
pub(in crate::mcp) fn check(value: Value<'_>, shape: Shape, revision: Revision) -> Result<(), Fault> {
    match shape {
        Shape::Any => Ok(()),
        Shape::Data => expect(value, Kind::Object),
        Shape::Arguments => {
            expect(value, Kind::Object)?;
            if has_look_alike_siblings(value) { broken(Rule::LookAlikeSiblings) } else { Ok(()) }
        }
        Shape::Bool => expect(value, Kind::Bool),
        Shape::Integer { least, most } => check_integer(value, least, most),
        Shape::ExactIntegerOrNull if value.kind() == Kind::Null => Ok(()),
        Shape::ExactIntegerOrNull => check_integer(value, -Id::INTEGER_MAX, Id::INTEGER_MAX),
        Shape::Number => expect(value, Kind::Number),
        Shape::Share => {
            expect(value, Kind::Number)?;
            let share = value.raw().parse::<f64>().is_ok_and(|number| (0.0..=1.0).contains(&number));
            if share { Ok(()) } else { broken(Rule::OutOfRange) }
        }
        Shape::Id => check_id(value),
        Shape::Token => one_of(value, &[Kind::String, Kind::Number], "string or number"),
        // Where any string will do, its text, which may be most of the message, need not be looked at.
        Shape::Text(Text::Free) => expect(value, Kind::String),
        Shape::Text(text) => match value.as_str() {
            Some(said) => text.check(&said).map_err(Fault::new),
            None => broken(Rule::Kind("string")),
        },
        Shape::Enum(listed) => match value.as_str() {
            Some(said) if listed.contains(&said.as_ref()) => Ok(()),
            Some(_) => broken(Rule::NotListed),
            None => broken(Rule::Kind("string")),
        },
        Shape::Object(table) => check_table(value, table, revision),
        Shape::Map(inner) => {
            let Some(object) = value.as_object() else { return broken(Rule::Kind("object")) };
            object.members().try_for_each(|(_, value)| check(value, *inner, revision).map_err(Fault::in_stranger))
        }
        Shape::List(inner) => check_list(value, *inner, usize::MAX, revision),
        Shape::ShortList(inner, most) => check_list(value, *inner, most, revision),
        Shape::OneOrList(_, list) if value.kind() == Kind::Array => check(value, *list, revision),
        Shape::OneOrList(one, _) => check(value, *one, revision),
        Shape::Tagged(tagged) => check_tagged(value, tagged, revision),
        Shape::Told(variants) => check_told(value, variants, revision),
        Shape::Both(one, other) => {
            check(value, *one, revision)?;
            check(value, *other, revision)
        }
        Shape::Answer if revision >= Revision::V2025_11_25 && value.kind() == Kind::Array => {
            check_list(value, super::STRING, usize::MAX, revision)
        }
        Shape::Answer => one_of(value, &[Kind::String, Kind::Number, Kind::Bool], "string, number or boolean"),
    }
}

fn check_table(value: Value<'_>, table: &'static Table, revision: Revision) -> Result<(), Fault> {
    let Some(object) = value.as_object() else { return broken(Rule::Kind("object")) };
    table.also.map_or(Ok(()), |rule| rule(value, revision))?;
    let mut seen = 0_u64;
    for (name, value) in object.members() {
        let known = table
            .members
            .iter()
            .position(|member| member.name == name && member.revisions.contains(revision))
            .and_then(|position| Some((position, table.members.get(position)?)));
        if let Some((position, member)) = known {
            seen |= 1 << position;
            check(value, member.shape, revision).map_err(|fault| fault.in_member(member.name))?;
        } else if let Some(known) = table.resembled(&name) {
            return Err(Fault::new(Rule::LookAlike).in_member(known));
        }
    }
    for (position, member) in table.members.iter().enumerate() {
        if member.required && seen & (1 << position) == 0 && member.revisions.contains(revision) {
            return Err(Fault::new(Rule::Missing).in_member(member.name));
        }
    }
    Ok(())
}

impl Table {
    /// The known member, of any revision, that a stranger's name looks like.
    fn resembled(&self, stranger: &str) -> Option<&'static str> {
        let member = if stranger.is_ascii() {
            self.members.iter().find(|member| resembles(stranger, "", member.name))
        } else {
            let folded = fold_name(stranger);
            let looks = self.looks.get_or_init(|| self.members.iter().map(|member| look_of(member.name)).collect());
            let same = |(member, look): &(&super::Member, &String)| {
                folded.eq_ignore_ascii_case(member.name) || folded.as_ref() == look.as_str()
            };
            self.members.iter().zip(looks).find(same).map(|(member, _)| member)
        };
        member.map(|member| member.name)
    }
}

fn check_list(value: Value<'_>, inner: Shape, most: usize, revision: Revision) -> Result<(), Fault> {
    let Some(array) = value.as_array() else { return broken(Rule::Kind("array")) };
    for (position, element) in array.elements().enumerate() {
        if position >= most {
            return broken(Rule::OutOfRange);
        }
        check(element, inner, revision).map_err(|fault| fault.in_element(position))?;
    }
    Ok(())
}

fn check_tagged(value: Value<'_>, tagged: &'static Tagged, revision: Revision) -> Result<(), Fault> {
    let Some(object) = value.as_object() else { return broken(Rule::Kind("object")) };
    let at_tag = |rule| Err(Fault::new(rule).in_member(tagged.member));
    let Some(tag) = object.get(tagged.member) else {
        return match tagged.absent {
            Some(table) => check_table(value, table, revision),
            None => at_tag(Rule::Missing),
        };
    };
    let Some(said) = tag.as_str() else { return at_tag(Rule::Kind("string")) };
    let fits = |case: &&Case| case.tag == said && case.revisions.contains(revision);
    match tagged.cases.iter().find(fits) {
        Some(case) => check_table(value, case.table, revision),
        None => at_tag(Rule::NotListed),
    }
}

fn check_told(
    value: Value<'_>,
    variants: &'static [(&'static str, &'static Table)],
    revision: Revision,
) -> Result<(), Fault> {
    let Some(object) = value.as_object() else { return broken(Rule::Kind("object")) };
    let mut found = None;
    for (name, _) in object.members() {
        if let Some((_, table)) = variants.iter().find(|(member, _)| *member == name) {
            if found.is_some() {
                return broken(Rule::AmbiguousVariant);
            }
            found = Some(*table);
        }
    }
    match found {
        Some(table) => check_table(value, table, revision),
        None => broken(Rule::AmbiguousVariant),
    }
}

fn check_integer(value: Value<'_>, least: i64, most: i64) -> Result<(), Fault> {
    expect(value, Kind::Number).map_err(|_| Fault::new(Rule::Kind("integer")))?;
    match value.as_i64() {
        Some(integer) if (least..=most).contains(&integer) => Ok(()),
        Some(_) => broken(Rule::OutOfRange),
        None => {
            let whole = value.raw().parse::<f64>().is_ok_and(|number| number.fract() == 0.0);
            broken(if whole { Rule::InexactInteger } else { Rule::Kind("integer") })
        }
    }
}

fn check_id(value: Value<'_>) -> Result<(), Fault> {
    if Id::read(value).is_some() {
        return Ok(());
    }
    match value.kind() {
        Kind::Number => check_integer(value, i64::MIN, i64::MAX).and_then(|()| broken(Rule::InexactInteger)),
        Kind::String if value.raw().len() > Id::TEXT_BYTES + 2 => broken(Rule::IdLength),
        Kind::String => broken(Rule::ControlCharacter),
        _ => broken(Rule::Kind("string or integer")),
    }
}

fn expect(value: Value<'_>, kind: Kind) -> Result<(), Fault> {
    if value.kind() == kind {
        return Ok(());
    }
    broken(Rule::Kind(match kind {
        Kind::Null => "null",
        Kind::Bool => "boolean",
        Kind::Number => "number",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    }))
}

fn one_of(value: Value<'_>, kinds: &[Kind], words: &'static str) -> Result<(), Fault> {
    if kinds.contains(&value.kind()) { Ok(()) } else { broken(Rule::Kind(words)) }
}

fn broken(rule: Rule) -> Result<(), Fault> {
    Err(Fault::new(rule))
}
