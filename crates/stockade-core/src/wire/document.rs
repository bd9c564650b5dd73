//! A message as read: the original bytes, and a tape of where each value is.

use super::limits::WireLimits;
use super::scan::{Node, ReadError, Tag, scan};
use super::text::unescape;
use bytes::Bytes;
use bytestring::ByteString;
use std::borrow::Cow;
use std::ops::Range;

/// Having one tells you: the bytes are strict JSON within the limits, each name stands once in its object, and every
/// later guard reads these same bytes.
#[derive(Debug, Clone)]
pub struct Document {
    text: ByteString,
    tape: Vec<Node>,
}

/// What kind of JSON value stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of RFC 8259 §3")]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Document {
    /// Reads one message.
    ///
    /// # Errors
    /// The first thing that is wrong, by position; nothing of the bytes is kept.
    pub fn read(bytes: Bytes, limits: &WireLimits) -> Result<Self, ReadError> {
        let (text, tape) = scan(bytes, limits)?;
        Ok(Self { text, tape })
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        self.text.as_bytes()
    }

    /// The outermost value.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        Value { document: self, index: 0 }
    }

    fn text(&self, range: Range<u32>) -> &str {
        // The scanner cuts only at ASCII bytes, so never inside of a character.
        self.text.get(range.start as usize..range.end as usize).unwrap_or_default()
    }
}

/// One value of a [`Document`].
#[derive(Debug, Clone, Copy)]
pub struct Value<'d> {
    document: &'d Document,
    index: u32,
}

impl<'d> Value<'d> {
    fn node(self) -> Node {
        const NOTHING: Node = Node { start: 0, end: 0, next: u32::MAX, tag: Tag::Null };
        self.document.tape.get(self.index as usize).copied().unwrap_or(NOTHING)
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.node().tag {
            Tag::Null => Kind::Null,
            Tag::False | Tag::True => Kind::Bool,
            Tag::Number => Kind::Number,
            Tag::String | Tag::StringEscaped => Kind::String,
            Tag::Array => Kind::Array,
            Tag::Object => Kind::Object,
        }
    }

    /// Where it stands in the message, in bytes, quotes and brackets included.
    #[must_use]
    pub fn span(self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// Its text as it stands in the message.
    #[must_use]
    pub fn raw(self) -> &'d str {
        let node = self.node();
        self.document.text(node.start..node.end)
    }

    /// The same text, sharing the message's memory.
    #[must_use]
    pub fn raw_bytes(self) -> Bytes {
        self.document.bytes().slice(self.span())
    }

    /// The text of a string, unescaped; nothing for any other kind.
    #[must_use]
    pub fn as_str(self) -> Option<Cow<'d, str>> {
        let node = self.node();
        let inner = || self.document.text(node.start + 1..node.end.saturating_sub(1));
        match node.tag {
            Tag::String => Some(Cow::Borrowed(inner())),
            Tag::StringEscaped => String::from_utf8(unescape(inner().as_bytes())).ok().map(Cow::Owned),
            _ => None,
        }
    }

    /// The value of an integer written without fraction or exponent; nothing when it is anything else or does not fit.
    #[must_use]
    pub fn as_i64(self) -> Option<i64> {
        (self.node().tag == Tag::Number).then(|| self.raw().parse().ok()).flatten()
    }

    /// The value of `true` or `false`.
    #[must_use]
    pub fn as_bool(self) -> Option<bool> {
        match self.node().tag {
            Tag::True => Some(true),
            Tag::False => Some(false),
            _ => None,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(self) -> Option<Object<'d>> {
        (self.node().tag == Tag::Object).then_some(Object { value: self })
    }

    /// The array, if it is one.
    #[must_use]
    pub fn as_array(self) -> Option<Array<'d>> {
        (self.node().tag == Tag::Array).then_some(Array { value: self })
    }

    /// The member `name` of an object; nothing if it is not there or this is no object.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        self.as_object()?.get(name)
    }

    /// The member at the end of `path`, object by object.
    #[must_use]
    pub fn at(self, path: &[&str]) -> Option<Value<'d>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }
}

/// A JSON object.
#[derive(Debug, Clone, Copy)]
pub struct Object<'d> {
    value: Value<'d>,
}

impl<'d> Object<'d> {
    /// The object as a value.
    #[must_use]
    pub fn value(self) -> Value<'d> {
        self.value
    }

    /// The member `name`; linear in the number of members.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Value<'d>> {
        self.members().find(|(there, _)| there == name).map(|(_, value)| value)
    }

    /// Name and value of each member, in the order of the message.
    #[must_use]
    pub fn members(self) -> Members<'d> {
        let node = self.value.node();
        Members { document: self.value.document, index: self.value.index + 1, end: node.next }
    }
}

/// The members of an [`Object`].
#[derive(Debug, Clone)]
pub struct Members<'d> {
    document: &'d Document,
    index: u32,
    end: u32,
}

impl<'d> Members<'d> {
    /// The name as a value of its own, which has a place in the message.
    fn step(&mut self) -> Option<(Value<'d>, Value<'d>)> {
        if self.index >= self.end {
            return None;
        }
        let name = Value { document: self.document, index: self.index };
        let value = Value { document: self.document, index: self.index + 1 };
        self.index = value.node().next;
        Some((name, value))
    }

    /// The same members with each name as a [`Value`], which has a span.
    pub fn with_name_spans(mut self) -> impl Iterator<Item = (Value<'d>, Value<'d>)> {
        std::iter::from_fn(move || self.step())
    }
}

impl<'d> Iterator for Members<'d> {
    type Item = (Cow<'d, str>, Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.step()?;
        Some((name.as_str()?, value))
    }
}

/// A JSON array.
#[derive(Debug, Clone, Copy)]
pub struct Array<'d> {
    value: Value<'d>,
}

impl<'d> Array<'d> {
    /// Each element, in order.
    #[must_use]
    pub fn elements(self) -> Elements<'d> {
        let node = self.value.node();
        Elements { document: self.value.document, index: self.value.index + 1, end: node.next }
    }
}

/// The elements of an [`Array`].
#[derive(Debug, Clone)]
pub struct Elements<'d> {
    document: &'d Document,
    index: u32,
    end: u32,
}

impl<'d> Iterator for Elements<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index >= self.end {
            return None;
        }
        let value = Value { document: self.document, index: self.index };
        self.index = value.node().next;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Document {
        Document::read(Bytes::from_static(text.as_bytes()), &WireLimits::DEFAULT).unwrap()
    }

    #[test]
    fn values_are_found_where_they_stand() {
        let document = read(r#" {"a":[1,{"b":"x\ny"},null],"c":{"d":true,"e":-12}} "#);
        let root = document.root();
        assert_eq!(root.at(&["c", "d"]).and_then(Value::as_bool), Some(true));
        assert_eq!(root.at(&["c", "e"]).and_then(Value::as_i64), Some(-12));
        let elements: Vec<_> = root.get("a").unwrap().as_array().unwrap().elements().collect();
        assert_eq!(elements.len(), 3);
        assert_eq!(elements[1].get("b").unwrap().as_str().unwrap(), "x\ny");
        assert_eq!(elements[1].raw(), r#"{"b":"x\ny"}"#);
        assert_eq!(&document.bytes()[elements[2].span()], b"null");
        assert_eq!(
            root.as_object().unwrap().members().map(|(name, _)| name.into_owned()).collect::<Vec<_>>(),
            ["a", "c"]
        );
    }

    #[test]
    fn numbers_are_integers_only_when_written_so() {
        for (text, expected) in
            [("1", Some(1)), ("-0", Some(0)), ("1.0", None), ("1e2", None), ("99999999999999999999", None)]
        {
            let document = Document::read(Bytes::from_static(text.as_bytes()), &WireLimits::DEFAULT).unwrap();
            assert_eq!(document.root().as_i64(), expected, "{text}");
        }
    }
}
