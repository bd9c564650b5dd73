//! Conditions of policies in Cedar's JSON form.
//!
//! For: `[[permit]]` tables and starters.
//! Must never: make text. A name is a value here, so it can end no string, start no wildcard and add no clause.

use crate::glob::Glob;
use crate::schema::{entity_json, name};
use crate::source::CallerPattern;
use serde_json::{Value, json};
use stockade_core::words::CallerKind;

/// True for callers of this kind.
pub(crate) fn of_kind(kind: CallerKind) -> Value {
    equals(attribute("principal", "kind"), entity(name::KIND, kind.as_str()))
}

/// True for callers that one of the patterns names.
pub(crate) fn callers(patterns: &[CallerPattern]) -> Value {
    any_of(patterns.iter().map(caller))
}

/// A name means whoever has it; a glob only those who were recognised, so that `*` never lets strangers in.
fn caller(pattern: &CallerPattern) -> Value {
    let glob = pattern.glob();
    if let Some(one) = glob.literal() {
        return equals(json!({ "Var": "principal" }), entity(name::CALLER, one));
    }
    let recognised = json!({ "!=": {
        "left": attribute("principal", "kind"),
        "right": entity(name::KIND, CallerKind::Anonymous.as_str()),
    } });
    if glob.is_everything() {
        return recognised;
    }
    json!({ "&&": { "left": recognised, "right": like(attribute("principal", "name"), glob) } })
}

/// What the attribute of the resource must be; nothing if it may be anything.
pub(crate) fn names<'g>(attribute_name: &str, globs: impl Iterator<Item = &'g Glob> + Clone) -> Option<Value> {
    if globs.clone().any(Glob::is_everything) {
        return None;
    }
    let literals: Vec<&str> = globs.clone().filter_map(Glob::literal).collect();
    let set: Vec<Value> = literals.iter().map(|text| json!({ "Value": text })).collect();
    let among = match set.as_slice() {
        [] => None,
        [one] => Some(equals(attribute("resource", attribute_name), one.clone())),
        _ => Some(json!({ "contains": { "left": { "Set": set }, "right": attribute("resource", attribute_name) } })),
    };
    let globs = globs.filter(|glob| glob.literal().is_none());
    Some(any_of(among.into_iter().chain(globs.map(|glob| like(attribute("resource", attribute_name), glob)))))
}

/// False for no clauses: absence denies.
fn any_of(clauses: impl Iterator<Item = Value>) -> Value {
    let mut level: Vec<Value> = clauses.collect();
    // As a balanced tree, so that a long list does not become a deep expression.
    while level.len() > 1 {
        let mut pairs = level.into_iter();
        let mut next = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            next.push(match pairs.next() {
                Some(right) => json!({ "||": { "left": left, "right": right } }),
                None => left,
            });
        }
        level = next;
    }
    level.pop().unwrap_or_else(|| json!({ "Value": false }))
}

fn equals(left: Value, right: Value) -> Value {
    json!({ "==": { "left": left, "right": right } })
}

fn like(left: Value, glob: &Glob) -> Value {
    json!({ "like": { "left": left, "pattern": glob.pattern() } })
}

fn attribute(of: &str, attribute_name: &str) -> Value {
    json!({ ".": { "left": { "Var": of }, "attr": attribute_name } })
}

fn entity(type_name: &str, id: &str) -> Value {
    json!({ "Value": { "__entity": entity_json(type_name, id) } })
}
