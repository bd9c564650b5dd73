//! Reads a text one symbol at a time, as plain text or as JSON.
//!
//! In JSON a symbol is a character or the escape that stands for one (RFC 8259 §7). It must never give two symbols
//! that overlap, nor leave a gap, nor let a deletion of whole symbols make a new escape out of what is left.

use core::ops::Range;

/// Bytes of an escape `\uXXXX`.
const UNICODE_ESCAPE_BYTES: usize = 6;

/// How the text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Plain,
    Json,
}

/// What a symbol is besides its character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Character,
    /// A quotation mark that begins or ends a JSON string; no terminal sequence reaches over it.
    Boundary,
    /// A backslash without a valid escape behind it, or half of a surrogate pair.
    Malformed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) character: char,
    pub(crate) span: Range<usize>,
    pub(crate) form: Form,
}

#[derive(Debug, Clone)]
pub(crate) struct Reader<'t> {
    text: &'t str,
    position: usize,
    reading: Reading,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, position: 0, reading: Reading::Plain }
    }

    /// From here on the text is JSON.
    pub(crate) fn read_as_json(&mut self) {
        self.reading = Reading::Json;
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    /// Where the next symbol begins, in bytes.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Goes on to byte `position`, the end of a symbol that was read ahead.
    pub(crate) fn skip_to(&mut self, position: usize) {
        self.position = self.position.max(position);
    }

    /// The next symbol, without going on to it.
    pub(crate) fn peek(&self) -> Option<Symbol> {
        self.clone().next()
    }
}

impl Iterator for Reader<'_> {
    type Item = Symbol;

    fn next(&mut self) -> Option<Symbol> {
        let rest = self.text.get(self.position..)?;
        let first = rest.chars().next()?;
        let (character, length, form) = match (self.reading, first) {
            (Reading::Json, '"') => (first, 1, Form::Boundary),
            (Reading::Json, '\\') => escape(rest),
            _ => (first, first.len_utf8(), Form::Character),
        };
        let start = self.position;
        self.position = start.saturating_add(length);
        Some(Symbol { character, span: start..self.position, form })
    }
}

/// Reads the escape at the beginning of `rest`: its character, its length in bytes, its form.
fn escape(rest: &str) -> (char, usize, Form) {
    let simple = match rest.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(rest),
        _ => return ('\\', 1, Form::Malformed),
    };
    (simple, 2, Form::Character)
}

fn unicode_escape(rest: &str) -> (char, usize, Form) {
    let Some(unit) = code_unit(rest, 0) else { return ('\\', 1, Form::Malformed) };
    if let Some(character) = char::from_u32(u32::from(unit)) {
        return (character, UNICODE_ESCAPE_BYTES, Form::Character);
    }
    let pair = code_unit(rest, UNICODE_ESCAPE_BYTES).map(|low| char::decode_utf16([unit, low]).next());
    match pair {
        Some(Some(Ok(character))) => (character, 2 * UNICODE_ESCAPE_BYTES, Form::Character),
        _ => (char::REPLACEMENT_CHARACTER, UNICODE_ESCAPE_BYTES, Form::Malformed),
    }
}

/// The value of the escape `\uXXXX` at byte `offset`.
fn code_unit(rest: &str, offset: usize) -> Option<u16> {
    let digits = rest.get(offset..offset.checked_add(UNICODE_ESCAPE_BYTES)?)?.strip_prefix("\\u")?;
    // `from_str_radix` alone would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &[(char, usize, Form)]) {
        let mut reader = Reader::new(json);
        reader.read_as_json();
        let mut position = 0;
        let read: Vec<_> = reader
            .map(|symbol| {
                assert_eq!(symbol.span.start, position);
                position = symbol.span.end;
                (symbol.character, symbol.span.len(), symbol.form)
            })
            .collect();
        assert_eq!(read, expected, "{json}");
        assert_eq!(position, json.len());
    }

    #[test]
    fn a_json_escape_is_the_character_that_it_stands_for() {
        use Form::{Boundary, Character, Malformed};
        check("a\"", &[('a', 1, Character), ('"', 1, Boundary)]);
        check(r#"\"\\\/"#, &[('"', 2, Character), ('\\', 2, Character), ('/', 2, Character)]);
        check(r"\b\f\n\r\t", &['\u{8}', '\u{c}', '\n', '\r', '\t'].map(|character| (character, 2, Character)));
        check(r"\u001B\u200b", &[('\u{1b}', 6, Character), ('\u{200b}', 6, Character)]);
        check(r"\ud83d\ude00", &[('\u{1f600}', 12, Character)]);
        check(
            r"\\u001b",
            &[
                ('\\', 2, Character),
                ('u', 1, Character),
                ('0', 1, Character),
                ('0', 1, Character),
                ('1', 1, Character),
                ('b', 1, Character),
            ],
        );
        check(r"\ud83dx", &[('\u{fffd}', 6, Malformed), ('x', 1, Character)]);
        check(r"\ude00", &[('\u{fffd}', 6, Malformed)]);
        check(
            r"\u+0a",
            &[('\\', 1, Malformed), ('u', 1, Character), ('+', 1, Character), ('0', 1, Character), ('a', 1, Character)],
        );
        check("\\", &[('\\', 1, Malformed)]);
        check("\\\u{e9}", &[('\\', 1, Malformed), ('\u{e9}', 2, Character)]);
    }

    #[test]
    fn plain_text_has_no_escapes() {
        let read: String = Reader::new(r#"\u0041""#).map(|symbol| symbol.character).collect();
        assert_eq!(read, r#"\u0041""#);
    }
}
