//! `application/x-www-form-urlencoded`, read strictly (WHATWG URL §5.1, RFC 6749 appendix B).
//!
//! Must never: take the first or the last of a parameter that stands twice (RFC 6749 §3.1); replace a broken escape.

use zeroize::Zeroizing;

/// Parameters of one request.
pub const PARAMETERS: usize = 48;
/// Bytes of one query or form. Bodies have their route's limit before this one.
pub const FORM_BYTES: usize = 16 * 1024;
/// Bytes of one value, decoded.
pub const VALUE_BYTES: usize = 8 * 1024;

/// Why a query or body is not a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Over one of the limits of this file.
    #[error("the parameters are too many or too long")]
    TooLarge,
    /// A broken escape, a control character, or not UTF-8.
    #[error("a parameter is not well formed")]
    Malformed,
    /// A name stands twice.
    #[error("a parameter stands twice")]
    Repeated,
}

/// Having one tells you: each name stands once, everything is UTF-8 without control characters. Values are wiped when it goes:
/// some are passwords.
#[derive(Default)]
pub(crate) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, FormError> {
        if text.len() > FORM_BYTES {
            return Err(FormError::TooLarge);
        }
        let mut form = Self::default();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if form.0.len() == PARAMETERS {
                return Err(FormError::TooLarge);
            }
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(at).unwrap_or((pair, b""));
            let name = decode(name)?;
            let value = decode(value.strip_prefix(b"=").unwrap_or_default())?;
            if form.0.iter().any(|(there, _)| *there == *name) {
                return Err(FormError::Repeated);
            }
            form.0.push((name.to_string(), value));
        }
        Ok(form)
    }

    /// The value of `name`; nothing also where it is empty (RFC 6749 §3.1).
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(there, _)| there == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }
}

/// Decodes one name or value.
pub(crate) fn decode(text: &[u8]) -> Result<Zeroizing<String>, FormError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (hex(rest.next()), hex(rest.next())) {
                (Some(high), Some(low)) => high * 16 + low,
                _ => return Err(FormError::Malformed),
            },
            byte if byte.is_ascii_graphic() => *byte,
            _ => return Err(FormError::Malformed),
        });
    }
    if bytes.len() > VALUE_BYTES {
        return Err(FormError::TooLarge);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| FormError::Malformed)?;
    if text.chars().any(char::is_control) {
        return Err(FormError::Malformed);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    let value = char::from(*digit?).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Escapes a value for a query: everything but RFC 3986 §2.3 unreserved characters.
pub(crate) fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_form_is_read_one_way_or_not_at_all() {
        let form = Form::parse(b"a=1&b=%C3%A4+%26&c&d=&&e=x=y").unwrap();
        let values = ["a", "b", "c", "d", "e", "f"].map(|name| form.value(name));
        assert_eq!(values, [Some("1"), Some("ä &"), None, None, Some("x=y"), None]);
        for (text, expected) in [
            (&b"a=1&a=1"[..], FormError::Repeated),
            (b"a=1&%61=2", FormError::Repeated),
            (b"a=&a=", FormError::Repeated),
            (b"a&a", FormError::Repeated),
            (b"a=%", FormError::Malformed),
            (b"a=%4", FormError::Malformed),
            (b"a=%zz", FormError::Malformed),
            (b"a=%ff", FormError::Malformed),
            (b"a=%00", FormError::Malformed),
            (b"a=%0d%0a", FormError::Malformed),
            (b"a=b c", FormError::Malformed),
            (b"a=\n", FormError::Malformed),
            ("a=ä".as_bytes(), FormError::Malformed),
        ] {
            assert_eq!(Form::parse(text).err(), Some(expected), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn each_limit_holds_at_its_boundary() {
        let parameters = |count: usize| (0..count).map(|number| format!("p{number}=1")).collect::<Vec<_>>().join("&");
        assert!(Form::parse(parameters(PARAMETERS).as_bytes()).is_ok());
        assert_eq!(Form::parse(parameters(PARAMETERS + 1).as_bytes()).err(), Some(FormError::TooLarge));
        assert!(Form::parse(format!("a={}", "x".repeat(VALUE_BYTES)).as_bytes()).is_ok());
        assert_eq!(
            Form::parse(format!("a={}", "x".repeat(VALUE_BYTES + 1)).as_bytes()).err(),
            Some(FormError::TooLarge)
        );
        assert_eq!(Form::parse(&vec![b'&'; FORM_BYTES + 1]).err(), Some(FormError::TooLarge));
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_what_is_decoded(value in "\\PC{0,40}") {
            let decoded = decode(escape(&value).as_bytes()).unwrap();
            prop_assert_eq!(decoded.as_str(), value);
        }
    }
}
