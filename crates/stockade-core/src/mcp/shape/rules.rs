//! Rules that one member alone cannot show.

use super::fault::{Fault, Rule};
use super::text::look_of;
use crate::mcp::revision::Revision;
use crate::wire::{Kind, Object, Value, fold_name};
use std::borrow::Cow;

/// `input_required` must ask for something (MCP 2026-07-28, SEP-2322; the schema does not say so).
pub(in crate::mcp) fn input_is_required(result: Value<'_>, _: Revision) -> Result<(), Fault> {
    let asks = result.get("inputRequests").is_some() || result.get("requestState").is_some();
    if asks { Ok(()) } else { Err(Fault::new(Rule::AsksNothing)) }
}

/// The contents of a resource are text or a blob; with both, a guard could read the one and a client the other.
pub(in crate::mcp) fn a_single_kind_of_contents(contents: Value<'_>, _: Revision) -> Result<(), Fault> {
    match (contents.get("text"), contents.get("blob")) {
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err(Fault::new(Rule::AmbiguousVariant)),
    }
}

/// The items of a list to choose from are plain strings or titled constants.
pub(in crate::mcp) fn elicitation_items_are_an_enumeration(items: Value<'_>, _: Revision) -> Result<(), Fault> {
    let plain = items.get("enum").is_some() && items.get("type").is_some();
    let titled = items.get("anyOf").is_some();
    if plain || titled { Ok(()) } else { Err(Fault::new(Rule::Missing)) }
}

/// True if, anywhere in `value`, two members of one object look alike: a server that reads names loosely would take the
/// one for the other, behind the back of every rule about arguments (PA-05, PA-06).
///
/// Recursion is safe: the reader has limited the depth to `WireLimits::DEPTH_CEILING`.
pub(in crate::mcp) fn has_look_alike_siblings(value: Value<'_>) -> bool {
    match value.kind() {
        Kind::Object => value.as_object().is_some_and(|object| {
            siblings_look_alike(object) || object.members().any(|(_, inner)| has_look_alike_siblings(inner))
        }),
        Kind::Array => value.as_array().is_some_and(|array| array.elements().any(has_look_alike_siblings)),
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => false,
    }
}

fn siblings_look_alike(object: Object<'_>) -> bool {
    /// Up to here comparing each with each is cheaper than sorting.
    const FEW: usize = 8;
    let mut count = 0;
    let mut all_ascii = true;
    for (name, _) in object.members() {
        count += 1;
        all_ascii &= name.is_ascii();
    }
    if count < 2 {
        return false;
    }
    if all_ascii && count <= FEW {
        let alike = |(position, (name, _)): (usize, (Cow<'_, str>, Value<'_>))| {
            object.members().take(position).any(|(earlier, _)| earlier.eq_ignore_ascii_case(&name))
        };
        return object.members().enumerate().any(alike);
    }
    let mut folded: Vec<_> =
        object.members().map(|(name, _)| (fold_name(&name).into_owned(), name.is_ascii())).collect();
    folded.sort_unstable();
    if folded.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other)) {
        return true;
    }
    if all_ascii || folded.iter().all(|(_, is_ascii)| !is_ascii) {
        return false;
    }
    // What is not ASCII is folded to what it looks like; now the rest is too. Two ASCII names that only look alike to the
    // eye (`rn` and `m`) stay two names: the sort puts `false`, the names that are not ASCII, first.
    for (name, is_ascii) in &mut folded {
        if *is_ascii {
            *name = look_of(name);
        }
    }
    folded.sort_unstable();
    folded.windows(2).any(|pair| matches!(pair, [(one, false), (other, _)] if one == other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Document, WireLimits};
    use bytes::Bytes;

    fn check(text: &str, expected: bool) {
        let document = Document::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT).unwrap();
        assert_eq!(has_look_alike_siblings(document.root()), expected, "{text}");
    }

    #[test]
    fn siblings_that_look_alike_are_found_at_every_depth() {
        check(r#"{"path":1,"Path":2}"#, true);
        check(r#"{"a":[{"b":{"path":1,"PATH":2}}]}"#, true);
        check("{\"path\":1,\"p\u{430}th\":2}", true);
        check("{\"name\":1,\"n\u{430}me\":2}", true);
        check("{\"n\u{430}me\":1,\"x\":0,\"na\u{200b}me\":2}", true);
        let many = (0..20).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(",");
        check(&format!("{{{many},\"K7\":0}}"), true);
        check(&format!("{{{many}}}"), false);
    }

    #[test]
    fn different_names_may_stand_side_by_side() {
        check(r#"{"path":1,"paths":2}"#, false);
        check("{\"m\":1,\"rn\":2,\"größe\":3}", false);
        check(r#"{"a":{"path":1},"b":{"Path":1}}"#, false);
        check(r#"[1,"x",null,true,{}]"#, false);
    }
}
