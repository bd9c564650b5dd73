//! The gate before screening: a fast answer to "could there be anything in here at all?".
//!
//! It stands before decoding, so that plain ASCII traffic never pays for screening. It must never say no to a text in
//! which `screen` would find something; saying yes too often only costs time.

/// Bytes that are looked at together. The loop over one block has no exits, so that the compiler makes vectors of it.
const BLOCK_BYTES: usize = 64;

/// Whether raw JSON text (as on the wire, before unescaping) could hold anything that [`Screen`](crate::Screen) acts on.
///
/// False only for ASCII without DEL, without control characters other than tab, line feed and carriage return, and
/// without the escapes `\u`, `\b` and `\f` (RFC 8259 §7; the latter two are backspace and form feed). The parity of
/// backslashes is not looked at, so that JSON inside a JSON string is covered too.
#[must_use]
pub fn may_need_screening(raw_json: &[u8]) -> bool {
    let is_plain =
        raw_json.chunks(BLOCK_BYTES).all(|block| !block.iter().fold(false, |found, &byte| found | is_remarkable(byte)));
    if !is_plain {
        return true;
    }
    // Line breaks are escapes too, so what is behind a backslash is looked at only once everything else is plain.
    let mut rest = raw_json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        rest = rest.get(at + 1..).unwrap_or_default();
        if matches!(rest.first(), Some(b'u' | b'b' | b'f')) {
            return true;
        }
    }
    false
}

fn is_remarkable(byte: u8) -> bool {
    let control = (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r');
    control | (byte >= 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_which_cannot_hide_anything_passes() {
        let check = |raw: &[u8], expected| assert_eq!(may_need_screening(raw), expected, "{}", raw.escape_ascii());
        check(b"", false);
        check(br#"{"a": "plain", "b": [1, 2.5e3, null], "c": "\n\t\r\"\\\/"}"#, false);
        check(b"{\r\n\t\"a\": 1\r\n}", false);
        check(br#""\u001b[31m""#, true);
        check(br#""\b""#, true);
        check(br#""\f""#, true);
        check(br#""{\"d\": \"\\u001b\"}""#, true);
        check("\"\u{e9}\"".as_bytes(), true);
        check(b"\"\x1b[2J\"", true);
        check(b"\"\x00\"", true);
        check(b"\"\x7f\"", true);
        check(b"\xff", true);
    }

    #[test]
    fn every_position_of_a_block_is_looked_at() {
        for padding in 0..3 * BLOCK_BYTES {
            for tail in [&b"\\u200b"[..], b"\\b", b"\x1b", b"\x7f", b"\xc2\xad"] {
                let mut raw = vec![b'a'; padding];
                assert!(!may_need_screening(&raw));
                raw.extend_from_slice(tail);
                assert!(may_need_screening(&raw), "{padding}");
            }
        }
    }
}
