//! Changes to a judged message: splices on the original bytes, so that everything untouched stays byte for byte.

use super::document::Object;
use super::text::push_json_string;
use std::cmp::Reverse;
use std::ops::Range;

/// A set of splices on one message.
#[derive(Debug, Default, Clone)]
pub struct Edits {
    splices: Vec<(Range<usize>, Vec<u8>)>,
    touches_names: bool,
}

/// Two edits touch the same bytes, or one lies outside the message. This is a fault of ours, never of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("edits overlap or lie outside the message at byte {at}")]
pub struct EditError {
    /// Where they meet.
    pub at: usize,
}

impl Edits {
    /// No edits yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// True if there is nothing to change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// Takes over the edits of another set.
    pub fn extend(&mut self, other: Self) {
        self.splices.extend(other.splices);
        self.touches_names |= other.touches_names;
    }

    /// Puts `text` in the place of a member's name. Two names may become one by it, so the result must be read again.
    pub fn rename(&mut self, span: Range<usize>, text: &str) {
        self.replace_string(span, text);
        self.touches_names = true;
    }

    /// True if names were changed.
    #[must_use]
    pub const fn touches_names(&self) -> bool {
        self.touches_names
    }

    /// Puts `with` in the place of `span`.
    pub fn replace(&mut self, span: Range<usize>, with: impl Into<Vec<u8>>) {
        self.splices.push((span, with.into()));
    }

    /// Puts `text` as a JSON string in the place of `span`.
    pub fn replace_string(&mut self, span: Range<usize>, text: &str) {
        let mut with = Vec::with_capacity(text.len() + 2);
        push_json_string(&mut with, text);
        self.replace(span, with);
    }

    /// Adds a member before the others of `object`. `value` is JSON text.
    pub fn insert_member(&mut self, object: Object<'_>, name: &str, value: &[u8]) {
        let start = object.value().span().start + 1;
        let mut with = Vec::with_capacity(name.len() + value.len() + 4);
        push_json_string(&mut with, name);
        with.push(b':');
        with.extend_from_slice(value);
        if object.members().next().is_some() {
            with.push(b',');
        }
        self.replace(start..start, with);
    }

    /// Sets the member `name` of `object` to the JSON text `value`, in its place if it is there.
    pub fn set_member(&mut self, object: Object<'_>, name: &str, value: &[u8]) {
        match object.get(name) {
            Some(there) => self.replace(there.span(), value),
            None => self.insert_member(object, name, value),
        }
    }

    /// Takes out the members of `object` for which `remove` says so, with their commas.
    pub fn remove_members(&mut self, object: Object<'_>, mut remove: impl FnMut(&str) -> bool) {
        let items: Vec<_> = object
            .members()
            .with_name_spans()
            .map(|(name, value)| {
                (name.span().start..value.span().end, remove(name.as_str().as_deref().unwrap_or_default()))
            })
            .collect();
        self.remove_items(&items);
    }

    /// Takes out the listed items (span, remove) of one container, with their commas. Items are in message order.
    pub fn remove_items(&mut self, items: &[(Range<usize>, bool)]) {
        let mut kept_one = false;
        for (position, (span, remove)) in items.iter().enumerate() {
            if !*remove {
                kept_one = true;
                continue;
            }
            let next_start = items.get(position + 1).map(|(next, _)| next.start);
            let previous_end =
                position.checked_sub(1).and_then(|before| items.get(before)).map(|(before, _)| before.end);
            // With a kept item before it, the comma before goes; without one, the comma after goes.
            let cut = match (kept_one, previous_end, next_start) {
                (true, Some(end), _) => end..span.end,
                (_, _, Some(start)) => span.start..start,
                _ => span.clone(),
            };
            self.replace(cut, Vec::new());
        }
    }

    /// The message with all edits made. An edit inside of something that is replaced or taken out as a whole goes with it.
    ///
    /// # Errors
    /// When edits overlap or lie outside the message; nothing is written then.
    pub fn apply(mut self, bytes: &[u8]) -> Result<Vec<u8>, EditError> {
        // At one place insertions come first, then the widest replacement.
        self.splices.sort_by_key(|(span, _)| (span.start, !span.is_empty(), Reverse(span.end)));
        let added: usize = self.splices.iter().map(|(_, with)| with.len()).sum();
        let mut out = Vec::with_capacity(bytes.len() + added);
        let mut done = 0;
        for (span, with) in &self.splices {
            if span.start < done && span.end <= done {
                continue;
            }
            let kept = bytes.get(done..span.start).ok_or(EditError { at: span.start })?;
            if span.end < span.start || span.end > bytes.len() {
                return Err(EditError { at: span.start });
            }
            out.extend_from_slice(kept);
            out.extend_from_slice(with);
            done = span.end;
        }
        out.extend_from_slice(bytes.get(done..).ok_or(EditError { at: done })?);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, WireLimits};
    use super::*;
    use bytes::Bytes;

    fn check(text: &str, edit: impl Fn(&Document, &mut Edits), expected: &str) {
        let document = Document::read(Bytes::copy_from_slice(text.as_bytes()), &WireLimits::DEFAULT).unwrap();
        let mut edits = Edits::new();
        edit(&document, &mut edits);
        assert_eq!(String::from_utf8(edits.apply(document.bytes()).unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_is_not_edited_keeps_its_bytes() {
        let text = r#"{ "a" : 1.50 , "b":[ {"x":1},2 ],"c":null}"#;
        check(text, |_, _| {}, text);
        check(text, |d, e| e.replace(d.root().get("b").unwrap().span(), *b"0"), r#"{ "a" : 1.50 , "b":0,"c":null}"#);
    }

    #[test]
    fn members_are_set_in_their_place_or_added() {
        let set = |name: &'static str| {
            move |d: &Document, e: &mut Edits| e.set_member(d.root().as_object().unwrap(), name, b"7")
        };
        check(r#"{"a":1,"b":2}"#, set("b"), r#"{"a":1,"b":7}"#);
        check(r#"{"a":1}"#, set("z"), r#"{"z":7,"a":1}"#);
        check("{}", set("z"), r#"{"z":7}"#);
    }

    #[test]
    fn members_are_taken_out_with_their_commas() {
        for (remove, expected) in [
            ("a", r#"{"b":2,"c":3}"#),
            ("b", r#"{"a":1,"c":3}"#),
            ("c", r#"{"a":1,"b":2}"#),
            ("ab", r#"{"c":3}"#),
            ("bc", r#"{"a":1}"#),
            ("ac", r#"{"b":2}"#),
            ("abc", "{}"),
        ] {
            check(
                r#"{"a":1,"b":2,"c":3}"#,
                |d, e| e.remove_members(d.root().as_object().unwrap(), |name| remove.contains(name)),
                expected,
            );
        }
    }

    #[test]
    fn an_edit_inside_of_what_is_taken_out_goes_with_it() {
        check(
            r#"{"a":{"x":1},"b":2}"#,
            |d, e| {
                e.replace(d.root().at(&["a", "x"]).unwrap().span(), *b"9");
                e.remove_members(d.root().as_object().unwrap(), |name| name == "a");
                e.insert_member(d.root().as_object().unwrap(), "z", b"7");
            },
            r#"{"z":7,"b":2}"#,
        );
    }

    #[test]
    fn edits_that_overlap_are_an_error() {
        let mut edits = Edits::new();
        edits.replace(0..3, *b"x");
        edits.replace(2..4, *b"y");
        assert_eq!(edits.apply(b"abcdef"), Err(EditError { at: 2 }));
        let mut edits = Edits::new();
        edits.replace(4..9, *b"x");
        assert_eq!(edits.apply(b"abcdef"), Err(EditError { at: 4 }));
    }
}
