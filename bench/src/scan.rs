//! The smallest scan of a JSON object that finds its members: no allocation, no decoding, one pass.
//!
//! What it is for: the upstream and the load generator look at a few members of messages that this benchmark itself made.
//! What it must never do: stand in for the strict reader. It accepts things that are not JSON, and must not be used on a road.

use memchr::memchr2;

/// One member of an object, as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'text> {
    /// The name between its quotes, escapes not decoded.
    pub name: &'text [u8],
    /// The value's text, quotes and brackets included.
    pub value: &'text [u8],
}

impl<'text> Member<'text> {
    /// The text between the quotes if the value is a string, escapes not decoded.
    #[must_use]
    pub fn string(&self) -> Option<&'text [u8]> {
        self.value.strip_prefix(b"\"")?.strip_suffix(b"\"")
    }
}

/// Walks over the members of an object; ends early where the text is not an object.
#[derive(Debug)]
pub struct Members<'text> {
    text: &'text [u8],
    at: usize,
}

impl<'text> Members<'text> {
    /// Starts at the opening brace of `text`.
    #[must_use]
    pub fn of(text: &'text [u8]) -> Self {
        let at = skip_blank(text, 0);
        let at = if text.get(at) == Some(&b'{') { at + 1 } else { text.len() };
        Self { text, at }
    }

    /// The value of the first member with this name.
    #[must_use]
    pub fn find(text: &'text [u8], name: &str) -> Option<Member<'text>> {
        Self::of(text).find(|member| member.name == name.as_bytes())
    }
}

impl<'text> Iterator for Members<'text> {
    type Item = Member<'text>;

    fn next(&mut self) -> Option<Member<'text>> {
        let name_start = skip_blank(self.text, self.at);
        let name_end = skip_string(self.text, name_start)?;
        let colon = skip_blank(self.text, name_end);
        if self.text.get(colon) != Some(&b':') {
            return None;
        }
        let value_start = skip_blank(self.text, colon + 1);
        let value_end = skip_value(self.text, value_start)?;
        let comma = skip_blank(self.text, value_end);
        // Without a comma this was the last member: the next call starts at the end and finds nothing.
        self.at = if self.text.get(comma) == Some(&b',') { comma + 1 } else { self.text.len() };
        let name = self.text.get(name_start + 1..name_end - 1)?;
        let value = self.text.get(value_start..value_end)?;
        Some(Member { name, value })
    }
}

fn skip_blank(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The position after the closing quote of the string that starts at `at`.
fn skip_string(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// The position after the value that starts at `at`.
fn skip_value(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => skip_string(text, at),
        b'{' | b'[' => skip_container(text, at),
        _ => {
            let rest = text.get(at..)?;
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            Some(at + length.unwrap_or(rest.len()))
        }
    }
}

fn skip_container(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match text.get(at)? {
            b'"' => {
                at = skip_string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Members;

    fn check(text: &str, name: &str, expected: Option<&str>) {
        let found =
            Members::find(text.as_bytes(), name).map(|member| String::from_utf8_lossy(member.value).into_owned());
        assert_eq!(found.as_deref(), expected, "`{name}` in {text}");
    }

    #[test]
    fn members_are_found_wherever_they_stand() {
        check(r#"{"id":7,"method":"ping"}"#, "id", Some("7"));
        check(r#" { "a" : [1,{"id":1}] , "id" : "x\"y" } "#, "id", Some(r#""x\"y""#));
        check(r#"{"params":{"id":1,"t":"}]"},"id":2}"#, "id", Some("2"));
        check(r#"{"a":"\\","id":null}"#, "id", Some("null"));
        check(r#"{"a":{"id":1}}"#, "id", None);
    }

    #[test]
    fn text_that_is_not_an_object_has_no_members() {
        for text in ["", "[]", "{", r#"{"a"#, r#"{"a":"#, r#"{"a":[1,2"#, r#"{"a":"\"#, "null", "{}"] {
            assert_eq!(Members::of(text.as_bytes()).count(), 0, "{text}");
        }
    }
}
