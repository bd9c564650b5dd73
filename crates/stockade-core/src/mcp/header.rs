//! Values of the mirrored headers `Mcp-Name` and `Mcp-Param-*` (MCP 2026-07-28, SEP-2243).
//!
//! For: reading what a header says before it is compared with the body, and writing the header anew from the body.
//! Must never: let the encoded form reach a comparison or a policy (EV-03).

use std::borrow::Cow;

/// What stands before the base64 text. Case-sensitive.
const OPEN: &str = "=?base64?";
/// What stands after it.
const CLOSE: &str = "?=";

/// Why the value of a mirrored header says nothing. None of them repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderValueError {
    /// Bytes other than visible ASCII, spaces and tabs.
    #[error("not visible ASCII")]
    NotVisibleAscii,
    /// The markers in another case of letters: no value, and no honest encoding of one.
    #[error("the base64 markers are not in lower case")]
    MarkerCase,
    /// What stands between the markers is not base64 with padding (RFC 4648 §4).
    #[error("not base64")]
    NotBase64,
    /// The decoded bytes are not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
}

/// The header value for `text`: itself where that is safe, else its UTF-8 bytes as base64 between the markers.
#[must_use]
pub fn encode_header_value(text: &str) -> Cow<'_, str> {
    let visible = text.bytes().all(|byte| matches!(byte, 0x20..=0x7E));
    if visible && !text.starts_with(' ') && !text.ends_with(' ') && !is_marked(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{OPEN}{}{CLOSE}", encode_base64(text.as_bytes())))
}

/// The text that a header value stands for. `value` is without the white space around it.
///
/// # Errors
/// When the value is not one that [`encode_header_value`] or another honest writer would make.
pub fn decode_header_value(value: &[u8]) -> Result<Cow<'_, str>, HeaderValueError> {
    if !value.iter().all(|byte| matches!(byte, 0x20..=0x7E | b'\t')) {
        return Err(HeaderValueError::NotVisibleAscii);
    }
    let value = std::str::from_utf8(value).map_err(|_| HeaderValueError::NotVisibleAscii)?;
    if !is_marked(value) {
        return Ok(Cow::Borrowed(value));
    }
    let inner =
        value.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE)).ok_or(HeaderValueError::MarkerCase)?;
    let bytes = decode_base64(inner.as_bytes()).ok_or(HeaderValueError::NotBase64)?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| HeaderValueError::NotUtf8)
}

/// True if `text` wears the markers, in any case of letters.
fn is_marked(text: &str) -> bool {
    text.len() >= OPEN.len() + CLOSE.len()
        && text.get(..OPEN.len()).is_some_and(|start| start.eq_ignore_ascii_case(OPEN))
        && text.ends_with(CLOSE)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode_base64(bytes: &[u8]) -> String {
    let digit =
        |word: u32, shift: u32| ALPHABET.get((word >> shift & 63) as usize).map_or('=', |byte| char::from(*byte));
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |position| u32::from(chunk.get(position).copied().unwrap_or(0));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        out.extend([digit(word, 18), digit(word, 12)]);
        out.push(if chunk.len() > 1 { digit(word, 6) } else { '=' });
        out.push(if chunk.len() > 2 { digit(word, 0) } else { '=' });
    }
    out
}

/// Strict: standard alphabet, padding there, unused bits zero (RFC 4648 §3.5), so that one text has one encoding.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let data = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"=")).unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for chunk in data.chunks(4) {
        let mut word = 0_u32;
        for byte in chunk {
            let digit = ALPHABET.iter().position(|letter| letter == byte)?;
            word = word << 6 | u32::try_from(digit).ok()?;
        }
        let missing = 4 - chunk.len();
        word <<= 6 * missing;
        let [_, first, second, third] = word.to_be_bytes();
        match missing {
            0 => out.extend([first, second, third]),
            1 if third == 0 => out.extend([first, second]),
            2 if second == 0 && third == 0 => out.push(first),
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_values_stay_plain() {
        for plain in ["read_file", "a b", "=?base64?x", "x?=", "file:///a%20b", ""] {
            assert_eq!(encode_header_value(plain), plain);
            assert_eq!(decode_header_value(plain.as_bytes()).unwrap(), plain);
        }
    }

    #[test]
    fn other_values_and_those_that_look_encoded_are_encoded() {
        for (text, value) in [
            ("größe", "=?base64?Z3LDtsOfZQ==?="),
            (" a", "=?base64?IGE=?="),
            ("a\nb", "=?base64?YQpi?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(encode_header_value(text), value);
            assert_eq!(decode_header_value(value.as_bytes()).unwrap(), text);
        }
    }

    /// EV-03.
    #[test]
    fn a_broken_encoding_is_refused() {
        for (value, expected) in [
            (&b"=?base64?!!!?="[..], HeaderValueError::NotBase64),
            (b"=?base64?ZGVsZXRlX2ZpbGU?=", HeaderValueError::NotBase64),
            (b"=?base64?ZGVsZXRlX2ZpbGV=?=", HeaderValueError::NotBase64),
            (b"=?base64?ZA==ZA==?=", HeaderValueError::NotBase64),
            (b"=?BASE64?ZGVsZXRlX2ZpbGU=?=", HeaderValueError::MarkerCase),
            (b"=?base64?//79?=", HeaderValueError::NotUtf8),
            (b"gr\xc3\xb6\xc3\x9fe", HeaderValueError::NotVisibleAscii),
            (b"a\r\nX-A: b", HeaderValueError::NotVisibleAscii),
        ] {
            assert_eq!(decode_header_value(value), Err(expected), "{}", value.escape_ascii());
        }
        assert_eq!(decode_header_value(b"=?base64?ZGVsZXRlX2ZpbGU=?=").unwrap(), "delete_file");
        assert_eq!(decode_header_value(b"=?base64??=").unwrap(), "");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_what_is_decoded(text in any::<String>()) {
            let value = encode_header_value(&text);
            prop_assert_eq!(decode_header_value(value.as_bytes()).unwrap(), text.as_str());
        }
    }
}
