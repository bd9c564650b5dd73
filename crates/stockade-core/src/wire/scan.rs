//! The scanner: one pass over the bytes, no recursion, nothing built but the tape.
//!
//! For: accepting exactly RFC 8259 JSON in UTF-8, minus everything that two parsers could read differently: duplicate
//! member names (compared after unescaping), lone surrogates, byte order marks, values beyond the limits.
//! Must never: allocate in proportion to anything but the bytes read; call itself.

use super::limits::WireLimits;
use super::text::unescape;
use bytes::Bytes;
use bytestring::ByteString;
use std::borrow::Cow;

/// Why bytes are not a message. Offsets are bytes from the start of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The message is larger than [`WireLimits::message_bytes`].
    #[error("message of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// How many bytes there are.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// The bytes are not UTF-8 (RFC 8259 §8.1).
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Where the first bad byte is.
        at: usize,
    },
    /// The bytes are not JSON (RFC 8259).
    #[error("not JSON at byte {at}: {expected} expected")]
    NotJson {
        /// Where it stops being JSON.
        at: usize,
        /// What could have stood there.
        expected: &'static str,
    },
    /// The message ends inside a value.
    #[error("message ends in the middle")]
    Truncated,
    /// More containers inside containers than [`WireLimits::depth`].
    #[error("nested deeper than {limit} at byte {at}")]
    TooDeep {
        /// Where the container starts that is one too many.
        at: usize,
        /// How deep it may be.
        limit: usize,
    },
    /// More members or values than the limits allow.
    #[error("more than {limit} {what} at byte {at}")]
    TooMany {
        /// `members` or `values`.
        what: &'static str,
        /// Where the one too many is.
        at: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A string or a member's name over its limit.
    #[error("{what} of {bytes} bytes at byte {at} is over the limit of {limit}")]
    TooLong {
        /// `string` or `member name`.
        what: &'static str,
        /// Where it starts.
        at: usize,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// An escape names half a surrogate pair, which no Unicode string holds.
    #[error("lone surrogate at byte {at}")]
    LoneSurrogate {
        /// Where the escape starts.
        at: usize,
    },
    /// Two members of one object have the same name after unescaping (RFC 8259 §4 leaves the meaning open).
    #[error("duplicate member name at byte {at}")]
    DuplicateName {
        /// Where the second one starts.
        at: usize,
    },
}

/// What stands at a place of the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    False,
    True,
    Number,
    String,
    StringEscaped,
    Array,
    Object,
}

/// One value or member's name: where it is, and the place after everything in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) next: u32,
    pub(super) tag: Tag,
}

enum Expect {
    Value,
    FirstElementOrEnd,
    FirstNameOrEnd,
    Name,
    CommaOrEnd,
}

struct Open {
    node: u32,
    members: usize,
    is_object: bool,
}

/// Scans one whole message.
///
/// # Errors
/// The first thing that is wrong, by position.
pub(super) fn scan(bytes: Bytes, limits: &WireLimits) -> Result<(ByteString, Vec<Node>), ReadError> {
    let limit = limits.message_bytes.min(WireLimits::MESSAGE_BYTES_CEILING);
    if bytes.len() > limit {
        return Err(ReadError::TooLarge { bytes: bytes.len(), limit });
    }
    // Checked once for the whole message; what is cut out of it later is UTF-8 by itself.
    let text = ByteString::try_from(bytes.clone()).map_err(|_| ReadError::NotUtf8 { at: valid_up_to(&bytes) })?;
    let tape = scan_text(text.as_bytes(), limits)?;
    Ok((text, tape))
}

fn valid_up_to(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len)
}

fn scan_text(bytes: &[u8], limits: &WireLimits) -> Result<Vec<Node>, ReadError> {
    Scanner { bytes, limits, at: 0, tape: Vec::with_capacity(room_for(bytes, limits)), open: Vec::with_capacity(8) }
        .run()
}

/// Bytes from which on the tape gets room for all that the message can hold at once.
const LARGE: usize = 64 << 10;

/// The places that the tape starts with. For a small message they grow as needed. For a large one there is room at once for
/// as many values as its bytes or the limit allow: what is not used is never touched and so takes no memory, where growing
/// by doubling would leave half and quarter tapes behind.
fn room_for(bytes: &[u8], limits: &WireLimits) -> usize {
    if bytes.len() < LARGE { 32.min(bytes.len()) } else { (bytes.len() / 2 + 1).min(limits.values) }
}

struct Scanner<'b> {
    bytes: &'b [u8],
    limits: &'b WireLimits,
    at: usize,
    tape: Vec<Node>,
    open: Vec<Open>,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<Vec<Node>, ReadError> {
        let mut expect = Expect::Value;
        loop {
            self.skip_space();
            expect = match expect {
                Expect::Value => self.value()?,
                Expect::FirstElementOrEnd if self.peek() == Some(b']') => self.close()?,
                Expect::FirstElementOrEnd => {
                    self.count_member()?;
                    self.value()?
                }
                Expect::FirstNameOrEnd if self.peek() == Some(b'}') => self.close()?,
                Expect::FirstNameOrEnd | Expect::Name => {
                    self.count_member()?;
                    self.name()?
                }
                Expect::CommaOrEnd => match self.open.last() {
                    None if self.at == self.bytes.len() => return Ok(self.tape),
                    None => return Err(self.wrong("end of message")),
                    Some(Open { is_object, .. }) => {
                        let (is_object, end) = (*is_object, if *is_object { b'}' } else { b']' });
                        match self.peek() {
                            Some(byte) if byte == end => self.close()?,
                            Some(b',') => {
                                self.at += 1;
                                if is_object {
                                    Expect::Name
                                } else {
                                    self.count_member()?;
                                    Expect::Value
                                }
                            }
                            _ => return Err(self.wrong("comma or end of container")),
                        }
                    }
                },
            };
        }
    }

    fn value(&mut self) -> Result<Expect, ReadError> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.enter(Tag::Object),
            Some(b'[') => self.enter(Tag::Array),
            Some(b'"') => {
                let tag = self.string("string", self.limits.string_bytes)?;
                self.push(start, tag)
            }
            Some(b't') => self.word(b"true", Tag::True),
            Some(b'f') => self.word(b"false", Tag::False),
            Some(b'n') => self.word(b"null", Tag::Null),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.push(start, Tag::Number)
            }
            _ => Err(self.wrong("value")),
        }
    }

    fn enter(&mut self, tag: Tag) -> Result<Expect, ReadError> {
        let limit = self.limits.depth.min(WireLimits::DEPTH_CEILING);
        if self.open.len() >= limit {
            return Err(ReadError::TooDeep { at: self.at, limit });
        }
        let node = to_u32(self.tape.len());
        let start = self.at;
        self.at += 1;
        self.push(start, tag)?;
        let is_object = tag == Tag::Object;
        self.open.push(Open { node, members: 0, is_object });
        Ok(if is_object { Expect::FirstNameOrEnd } else { Expect::FirstElementOrEnd })
    }

    fn close(&mut self) -> Result<Expect, ReadError> {
        self.at += 1;
        let next = to_u32(self.tape.len());
        let Some(open) = self.open.pop() else { return Err(self.wrong("end of message")) };
        if let Some(node) = self.tape.get_mut(open.node as usize) {
            node.end = to_u32(self.at);
            node.next = next;
        }
        if open.is_object && open.members > 1 {
            self.refuse_duplicates(open.node, open.members)?;
        }
        Ok(Expect::CommaOrEnd)
    }

    fn name(&mut self) -> Result<Expect, ReadError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.wrong("member name"));
        }
        let tag = self.string("member name", self.limits.name_bytes)?;
        self.push(start, tag)?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.wrong("colon"));
        }
        self.at += 1;
        Ok(Expect::Value)
    }

    fn string(&mut self, what: &'static str, limit: usize) -> Result<Tag, ReadError> {
        let start = self.at;
        self.at += 1;
        let mut tag = Tag::String;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(length) = memchr::memchr2(b'"', b'\\', rest) else {
                return Err(match rest.iter().position(|byte| *byte < 0x20) {
                    Some(offset) => ReadError::NotJson { at: self.at + offset, expected: "escaped control character" },
                    None => ReadError::Truncated,
                });
            };
            let plain = rest.get(..length).unwrap_or_default();
            // Without an exit, so that the compiler makes vectors of it; where the control is matters only if there is one.
            if plain.iter().fold(false, |found, byte| found | (*byte < 0x20)) {
                let offset = plain.iter().position(|byte| *byte < 0x20).unwrap_or_default();
                return Err(ReadError::NotJson { at: self.at + offset, expected: "escaped control character" });
            }
            self.at += length;
            if self.peek() == Some(b'"') {
                let bytes = self.at - start - 1;
                self.at += 1;
                return if bytes > limit { Err(ReadError::TooLong { what, at: start, bytes, limit }) } else { Ok(tag) };
            }
            tag = Tag::StringEscaped;
            self.escape()?;
        }
    }

    /// Reads one escape (RFC 8259 §7); a high surrogate takes its low half with it.
    fn escape(&mut self) -> Result<(), ReadError> {
        let at = self.at;
        match self.bytes.get(at + 1) {
            None => return Err(ReadError::Truncated),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let unit = self.unit(at)?;
                self.at += 6;
                match unit {
                    0xD800..=0xDBFF => {
                        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
                            return Err(ReadError::LoneSurrogate { at });
                        }
                        if !matches!(self.unit(self.at)?, 0xDC00..=0xDFFF) {
                            return Err(ReadError::LoneSurrogate { at });
                        }
                        self.at += 6;
                    }
                    0xDC00..=0xDFFF => return Err(ReadError::LoneSurrogate { at }),
                    _ => {}
                }
            }
            Some(_) => return Err(ReadError::NotJson { at: at + 1, expected: "escape" }),
        }
        Ok(())
    }

    fn unit(&self, at: usize) -> Result<u32, ReadError> {
        let digits = self.bytes.get(at + 2..at + 6).ok_or(ReadError::Truncated)?;
        let mut unit = 0;
        for (offset, digit) in digits.iter().enumerate() {
            let value = char::from(*digit)
                .to_digit(16)
                .ok_or(ReadError::NotJson { at: at + 2 + offset, expected: "hexadecimal digit" })?;
            unit = unit * 16 + value;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), ReadError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.wrong("digit")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), ReadError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong("digit"));
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &'static [u8], tag: Tag) -> Result<Expect, ReadError> {
        let start = self.at;
        let there = self.bytes.get(start..).unwrap_or_default();
        if !there.starts_with(word) {
            return Err(if word.starts_with(there) { ReadError::Truncated } else { self.wrong("value") });
        }
        self.at += word.len();
        self.push(start, tag)
    }

    fn push(&mut self, start: usize, tag: Tag) -> Result<Expect, ReadError> {
        if self.tape.len() >= self.limits.values {
            return Err(ReadError::TooMany { what: "values", at: start, limit: self.limits.values });
        }
        if self.tape.len() == self.tape.capacity() {
            // Never more room than the limit allows values, where doubling would take up to twice that.
            let room = self.tape.len().saturating_mul(2).clamp(32, self.limits.values.max(32));
            self.tape.reserve_exact(room.saturating_sub(self.tape.len()));
        }
        let next = to_u32(self.tape.len() + 1);
        self.tape.push(Node { start: to_u32(start), end: to_u32(self.at), next, tag });
        Ok(Expect::CommaOrEnd)
    }

    fn count_member(&mut self) -> Result<(), ReadError> {
        let limit = self.limits.members;
        let at = self.at;
        if let Some(open) = self.open.last_mut() {
            open.members += 1;
            if open.members > limit {
                return Err(ReadError::TooMany { what: "members", at, limit });
            }
        }
        Ok(())
    }

    /// Compares the names of one object after unescaping: pairwise while there are few, sorted when there are many.
    fn refuse_duplicates(&self, object: u32, members: usize) -> Result<(), ReadError> {
        const FEW: usize = 12;
        let mut names: Vec<(Cow<'_, [u8]>, u32)> = Vec::with_capacity(members);
        let end = self.tape.get(object as usize).map_or(0, |node| node.next);
        let mut index = object + 1;
        while index < end {
            let Some(name) = self.tape.get(index as usize) else { break };
            let text = self.bytes.get(name.start as usize + 1..name.end as usize - 1).unwrap_or_default();
            let text = if name.tag == Tag::StringEscaped { Cow::Owned(unescape(text)) } else { Cow::Borrowed(text) };
            if members <= FEW && names.iter().any(|(earlier, _)| *earlier == text) {
                return Err(ReadError::DuplicateName { at: name.start as usize });
            }
            names.push((text, name.start));
            index = self.tape.get(index as usize + 1).map_or(end, |value| value.next);
        }
        if members > FEW {
            names.sort_unstable();
            for pair in names.windows(2) {
                if let [(first, _), (second, at)] = pair
                    && first == second
                {
                    return Err(ReadError::DuplicateName { at: *at as usize });
                }
            }
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn wrong(&self, expected: &'static str) -> ReadError {
        if self.at >= self.bytes.len() { ReadError::Truncated } else { ReadError::NotJson { at: self.at, expected } }
    }
}

/// Lossless here: every offset is below [`WireLimits::MESSAGE_BYTES_CEILING`].
fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: impl AsRef<[u8]>, expected: Result<usize, &str>) {
        let text = text.as_ref();
        let read = scan(Bytes::copy_from_slice(text), &WireLimits::DEFAULT);
        let got = read.map(|(_, tape)| tape.len()).map_err(|error| error.to_string());
        match expected {
            Ok(nodes) => assert_eq!(got, Ok(nodes), "{}", text.escape_ascii()),
            Err(part) => {
                assert!(got.as_ref().is_err_and(|said| said.contains(part)), "{}: {got:?}", text.escape_ascii());
            }
        }
    }

    #[test]
    fn json_is_accepted() {
        for (text, nodes) in [
            ("null", 1),
            (" [ ] ", 1),
            ("{}", 1),
            ("[1,2.5e-3,-0]", 4),
            (r#"{"a":{"b":"\ud83d\ude00"}}"#, 5),
            ("\"\"", 1),
        ] {
            check(text, Ok(nodes));
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in ["", "{", "[1,", "\"a", r#"{"a"#, "tru", "-", "1.", "1e"] {
            check(text, Err("ends in the middle"));
        }
        for text in [
            "[1,]",
            "{,}",
            "01",
            "+1",
            ".5",
            "NaN",
            "'a'",
            "[1 2]",
            "{} {}",
            "nul!",
            "\"\t\"",
            r#""\x""#,
            r#"{"a" 1}"#,
            "\u{feff}{}",
        ] {
            check(text, Err("not JSON"));
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        for text in [&b"\"read\xfffile\""[..], b"\"\xc0\xaf\"", b"\"\xed\xa0\x80\""] {
            check(text, Err("not UTF-8"));
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        for text in [r#""\ud800""#, r#""\udc00\ud800""#, r#""\ud800x""#, r#""\ud800\u0041""#] {
            check(text, Err("lone surrogate"));
        }
    }

    #[test]
    fn a_name_may_stand_once_however_it_is_written() {
        check(r#"{"name":1,"name":2}"#, Err("duplicate member name at byte 10"));
        check(r#"{"name":1,"n\u0061me":2}"#, Err("duplicate"));
        check(r#"{"a":{"x":1},"b":{"x":1}}"#, Ok(9));
        let many = (0..40).map(|n| format!("\"k{n}\":0")).collect::<Vec<_>>().join(",");
        check(format!("{{{many}}}"), Ok(81));
        check(format!("{{{many},\"k\\u0037\":0}}"), Err("duplicate"));
    }

    #[test]
    fn depth_has_a_limit_and_costs_no_stack() {
        check(format!("{}{}", "[".repeat(64), "]".repeat(64)), Ok(64));
        check(format!("{}{}", "[".repeat(65), "]".repeat(65)), Err("nested deeper than 64"));
        check("[".repeat(100_000), Err("nested deeper than 64 at byte 64"));
    }

    #[test]
    fn each_count_has_a_limit() {
        let small = WireLimits { message_bytes: 40, depth: 2, members: 3, values: 6, string_bytes: 4, name_bytes: 2 };
        let got = |text: &str| {
            scan(Bytes::copy_from_slice(text.as_bytes()), &small).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(got("[1,2,3]"), Ok(()));
        assert!(got("[1,2,3,4]").unwrap_err().contains("more than 3 members"));
        assert!(got("[[1,2],[3,4]]").unwrap_err().contains("more than 6 values"));
        assert_eq!(got("\"abcd\""), Ok(()));
        assert!(got("\"abcde\"").unwrap_err().contains("string of 5 bytes"));
        assert_eq!(got(r#"{"ab":1}"#), Ok(()));
        assert!(got(r#"{"abc":1}"#).unwrap_err().contains("member name of 3 bytes"));
        assert_eq!(got(&format!("[1{}]", " ".repeat(37))), Ok(()));
        assert!(got(&format!("[1{}]", " ".repeat(38))).unwrap_err().contains("41 bytes"));
    }
}
