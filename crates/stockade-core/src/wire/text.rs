//! JSON strings: from the wire to text and back.

/// Unescapes what stands between the quotes of a string that the scanner accepted.
///
/// Total: an escape that the scanner would have refused is left as it is.
pub(super) fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (length, character) = escaped(escape);
        match character {
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.extend_from_slice(escape.get(..length).unwrap_or_default()),
        }
        rest = escape.get(length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

fn escaped(escape: &[u8]) -> (usize, Option<char>) {
    let simple = |character| (2, Some(character));
    match escape.get(1) {
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(b'u') => match unit(escape) {
            Some(high @ 0xD800..=0xDBFF) => {
                let low = escape.get(6..).and_then(unit).unwrap_or(0);
                let code = 0x10000 + ((high - 0xD800) << 10) + low.wrapping_sub(0xDC00);
                (12, char::from_u32(code))
            }
            Some(code) => (6, char::from_u32(code)),
            None => (escape.len(), None),
        },
        Some(other) => simple(char::from(*other)),
        None => (1, None),
    }
}

fn unit(escape: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(escape.get(2..6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Appends `text` as a JSON string with its quotes. Controls, and the line separators that break line-based readers, are
/// escaped; everything else stays as it is.
pub fn push_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// `text` as a JSON string with its quotes.
#[must_use]
pub fn to_json_string(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    push_json_string(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_escape_is_undone() {
        let raw = br#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z"#;
        assert_eq!(String::from_utf8(unescape(raw)).unwrap(), "a\"\\/\u{8}\u{c}\n\r\té😀z");
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(text in any::<String>()) {
            let written = to_json_string(&text);
            let inner = &written.as_bytes()[1..written.len() - 1];
            prop_assert_eq!(String::from_utf8(unescape(inner)).unwrap(), text.clone());
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
